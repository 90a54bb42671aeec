"""``FakeIssuer``: a TrustedIssuer set-up is tested without a socket."""

from __future__ import annotations

import httpx2
import pytest

from asgi_auth import ConfigurationError, InvalidTokenError, UnavailableError
from asgi_auth.backends.discovery import discover
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys import Transport
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.testing import FakeClock, FakeIssuer, mint_token
from tests.asgi import Echo, bearer, run
from tests.idp.serving import serving


def trust(issuer, **options):
    chosen = {"audience": "api", "transport": Transport(issuer.fetch), **options}
    return TrustedIssuer(issuer.issuer, **chosen)


@pytest.fixture(params=["https://idp.example", "https://idp.example/realms/main"])
def issuer(request):
    return FakeIssuer(request.param)


async def test_its_tokens_are_good_where_it_is_trusted(issuer):
    echo = Echo()
    app = AuthenticationMiddleware(echo, IssuersBackend(trust(issuer)))
    token = issuer.mint("ada", scopes=["orders:read"], roles=["editor"])
    assert (await run(app, headers=[bearer(token)])).status == 200

    principal = echo.scopes[0]["auth"]
    assert (principal.subject, principal.issuer) == ("ada", issuer.issuer)
    assert principal.scopes == {"orders:read", "authenticated"}
    assert principal.roles == {"editor"}


async def test_discovery_finds_the_keys(issuer):
    found = await discover(issuer.issuer, transport=Transport(issuer.fetch))
    assert found.jwks_uri == issuer.jwks_uri
    assert (
        len(await JWKSClient(found.jwks_uri, transport=Transport(issuer.fetch)).ready())
        == 1
    )


async def test_both_places_of_metadata_are_served():
    issuer = FakeIssuer("https://idp.example/a", metadata={"grant_types": ["x"]})
    for place in (
        "https://idp.example/a/.well-known/openid-configuration",
        "https://idp.example/.well-known/oauth-authorization-server/a",
    ):
        status, headers, body = await issuer.fetch(place, {}, None)
        assert status == 200
        assert headers["content-type"] == "application/json"
        assert b'"grant_types":["x"]' in body


async def test_requests_are_counted(issuer):
    trusted = trust(issuer)
    for _ in range(3):
        await trusted.admit(issuer.mint("ada").encode())
    assert [path.rpartition("/")[2] for path in issuer.requests] == [
        "openid-configuration",
        "jwks.json",
    ]


async def test_a_rotation_is_followed(issuer):
    trusted = trust(issuer)
    old = issuer.mint("ada").encode()
    await trusted.admit(old)
    new = issuer.rotate()

    assert (await trusted.admit(issuer.mint("ada").encode())).principal("header", "x")
    assert issuer.keys.signing_key == new
    assert await trusted.admit(old)


async def test_keys_can_be_withdrawn(issuer):
    trusted = trust(issuer)
    old = issuer.mint("ada").encode()
    await trusted.admit(old)
    issuer.rotate(keep=False)
    await trusted.admit(issuer.mint("ada").encode())

    assert len(issuer.keys) == 1
    with pytest.raises(InvalidTokenError):
        await trusted.admit(old)


async def test_an_outage_is_503_and_no_401(issuer):
    issuer.is_down = True
    app = AuthenticationMiddleware(Echo(), IssuersBackend(trust(issuer)))
    headers = [bearer(issuer.mint("ada"))]
    answer = await run(app, headers=headers)

    assert answer.status == 503
    assert answer.header("retry-after")


async def test_good_keys_outlast_an_outage(issuer):
    trusted = trust(issuer)
    await trusted.warm_up()
    issuer.is_down = True
    assert await trusted.admit(issuer.mint("ada").encode())
    issuer.rotate()
    with pytest.raises(UnavailableError):
        await trusted.admit(issuer.mint("ada").encode())


async def test_faults_of_its_tokens_are_refused(issuer):
    trusted = trust(issuer)
    assert await trusted.admit(mint_token(issuer).encode())
    for fault in ("wrong_audience", "foreign_key", "tampered", "unsigned"):
        with pytest.raises(InvalidTokenError):
            await trusted.admit(mint_token(issuer, fault=fault).encode())


async def test_its_clock_can_be_given():
    clock = FakeClock()
    issuer = FakeIssuer(clock=clock)
    trusted = trust(issuer, clock=clock)
    token = issuer.mint("ada", ttl=60).encode()
    assert await trusted.admit(token)
    clock.advance(61)
    with pytest.raises(InvalidTokenError):
        await trusted.admit(token)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
async def test_other_algorithms(algorithm):
    issuer = FakeIssuer(algorithm=algorithm)
    trusted = trust(issuer, algorithms=[algorithm])
    assert await trusted.admit(issuer.mint("ada").encode())


async def test_it_is_an_asgi_app_for_transports(issuer):
    transport = httpx2.ASGITransport(issuer)
    async with httpx2.AsyncClient(transport=transport) as client:
        assert (await client.get(issuer.jwks_uri)).json() == issuer.keys.to_jwks()
        assert (await client.get("https://idp.example/else")).status_code == 404
        issuer.is_down = True
        assert (await client.get(issuer.jwks_uri)).status_code == 503


async def test_it_can_be_served_on_a_real_socket():
    made = []
    with serving(lambda base: made.append(FakeIssuer(base)) or made[0]):
        (issuer,) = made
        trusted = TrustedIssuer(issuer.issuer, audience="api")
        assert await trusted.admit(issuer.mint("ada").encode())


async def test_other_hosts_do_not_answer(issuer):
    for url in ("https://evil.example/x", "http://idp.example/x"):
        with pytest.raises(ConnectionError):
            await issuer.fetch(url, {}, None)


async def test_it_takes_no_posts(issuer):
    status, _, _ = await issuer.fetch(issuer.jwks_uri, {"A": "b"}, b"x=1")
    assert status == 405


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": "http://idp.example"},
        {"issuer": "idp"},
        {"algorithm": "HS256"},
        {"metadata": {"token_endpoint": "http://idp.example/token"}},
    ],
)
def test_what_no_application_would_trust_is_told_of(options):
    with pytest.raises(ConfigurationError):
        FakeIssuer(**options)


def test_it_names_itself_and_no_key():
    assert repr(FakeIssuer()) == "FakeIssuer('https://issuer.test')"
