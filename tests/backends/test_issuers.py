from __future__ import annotations

import asyncio
import logging
import socket
import time

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    MemoryStore,
    QueryParam,
    RevocationList,
    TokenService,
    UnavailableError,
    Verification,
)
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.reader import Credential
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.stores.records import Revocation
from asgi_auth.testing.clock import FakeClock
from asgi_auth.tokens import TokenForm
from asgi_auth.tokens.claim_mapping import ClaimMapping
from asgi_auth.tokens.codec import UnknownKeyError
from tests.asgi import Echo, bearer, run, websocket_scope
from tests.forge import b64, unb64
from tests.idp.issuer import new_key, provider, public


@pytest.fixture
def realm():
    return provider().realm()


def trust(realm, **options):
    return TrustedIssuer(realm.issuer, **{"audience": "api", **options})


async def ask(backend, token, **options):
    app = AuthenticationMiddleware(Echo(), backend, required=True, **options)
    return await run(app, headers=[bearer(token)])


async def test_a_token_of_a_discovered_issuer_is_good(realm):
    answer = await ask(IssuersBackend(trust(realm)), realm.token())
    assert answer.status == 200
    assert answer.json()["subject"] == "ada"
    assert [path for path, _, _ in realm.asked] == [
        f"/{realm.issuer.rsplit('/')[-1]}/.well-known/openid-configuration",
        f"/{realm.issuer.rsplit('/')[-1]}/jwks",
    ]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "Ed25519"])
async def test_tokens_of_every_kind_of_key_are_good(realm, algorithm):
    realm.rotate(algorithm)
    issuer = trust(realm, keys=realm.jwks_uri)
    assert (await issuer.admit(realm.token())).subject == "ada"


async def test_fifty_first_requests_make_one_fetch(realm):
    realm.delay = 0.05
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    tokens = [realm.token(sub=f"user-{n}") for n in range(50)]
    answers = await asyncio.gather(*(ask(backend, token) for token in tokens))
    assert {answer.status for answer in answers} == {200}
    assert realm.fetches == 1


async def test_a_known_token_is_recalled_without_waiting(realm):
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    token = realm.token()
    first = await ask(backend, token)
    assert first.status == 200
    (issuer,) = backend._trusted.values()
    issuer._verifier._codec = None  # Whoever verifies now fails.
    assert (await ask(backend, token)).status == 200


async def test_a_recalled_token_falls_with_its_key(realm):
    clock = FakeClock(0)
    keys = JWKSClient(realm.jwks_uri, clock=clock)
    backend = IssuersBackend(trust(realm, keys=keys))
    token = realm.token()
    assert (await ask(backend, token)).status == 200
    realm.jwks = {"keys": [public(new_key())]}
    clock.advance(601)
    assert (await ask(backend, token)).status == 200
    await (await keys._flights.get()).task
    assert (await ask(backend, token)).status == 401
    await keys.aclose()


async def test_a_rotated_key_is_picked_up_at_its_first_use(realm):
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    old = realm.token()
    assert (await ask(backend, old)).status == 200
    realm.rotate()
    assert (await ask(backend, realm.token())).status == 200
    assert (await ask(backend, old)).status == 200
    assert realm.fetches == 2


async def test_a_hundred_unknown_kids_are_401_and_cost_two_requests(realm):
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    await backend.warm_up()
    for _ in range(100):
        answer = await ask(backend, realm.token(header={"kid": str(time.time_ns())}))
        assert answer.status == 401
    assert realm.fetches <= 3


async def test_in_an_outage_known_keys_go_on_and_unknown_ones_are_503(realm):
    clock = FakeClock(0)
    keys = JWKSClient(realm.jwks_uri, clock=clock)
    backend = IssuersBackend(trust(realm, keys=keys))
    known = realm.token()
    assert (await ask(backend, known)).status == 200
    realm.fault = "500"
    stranger = new_key()
    for minute in range(60):
        clock.advance(60)
        assert (await ask(backend, realm.token(jti=f"t-{minute}"))).status == 200
        answer = await ask(backend, realm.token(key=stranger))
        assert answer.status == 503
        assert answer.header("retry-after")
    await keys.aclose()


async def test_an_issuer_that_is_down_from_the_start_is_503(free_port):
    issuer = f"http://127.0.0.1:{free_port}"
    backend = IssuersBackend(TrustedIssuer(issuer, audience="api"))
    realm = provider().realm()
    answer = await ask(backend, realm.token(iss=issuer))
    assert answer.status == 503
    assert answer.header("www-authenticate") is None
    with pytest.raises(UnavailableError):
        await backend.warm_up()


async def test_the_caller_waits_for_no_slow_endpoint_once_there_are_keys(realm):
    clock = FakeClock(0)
    keys = JWKSClient(realm.jwks_uri, clock=clock)
    backend = IssuersBackend(trust(realm, keys=keys))
    await backend.warm_up()
    realm.fault = "slow"
    clock.advance(601)
    began = time.perf_counter()
    assert (await ask(backend, realm.token())).status == 200
    assert time.perf_counter() - began < 2
    await keys.aclose()


async def test_an_issuer_cannot_speak_for_another(realm):
    other = provider().realm()
    backend = IssuersBackend(trust(realm), trust(other))
    assert (await ask(backend, realm.token())).status == 200
    assert (await ask(backend, other.token())).status == 200
    for liar in (
        other.sign(realm.claims()),
        other.sign(realm.claims(), kid=realm.key.kid),
        other.token(iss=realm.issuer),
    ):
        assert (await ask(backend, liar)).status == 401


async def test_the_same_subject_of_two_issuers_is_two_callers(realm):
    other = provider().realm()
    issuers = trust(realm), trust(other)
    one = await issuers[0].admit(realm.token())
    two = await issuers[1].admit(other.token())
    assert (one.subject, one.issuer) != (two.subject, two.issuer)
    backend = IssuersBackend(*issuers)
    with pytest.raises(ConfigurationError, match="issuer_aware"):
        AuthenticationMiddleware(Echo(), backend, load_user=lambda principal: principal)


@pytest.mark.parametrize("name", ["jku", "x5u"])
async def test_urls_in_a_header_are_never_followed(realm, name, monkeypatch):
    evil = provider().realm()
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    await backend.warm_up()
    connected = []
    connect = socket.socket.connect
    monkeypatch.setattr(
        socket.socket, "connect", lambda *a: connected.append(a) or connect(*a)
    )
    token = evil.sign(
        realm.claims(), **{name: evil.jwks_uri, "kid": realm.key.kid, "alg": "ES256"}
    )
    assert (await ask(backend, token)).status == 401
    assert connected == []
    assert evil.asked == []


async def test_keys_in_a_header_are_never_used(realm):
    evil = new_key()
    backend = IssuersBackend(trust(realm))
    for header in ({"jwk": public(evil)}, {"x5c": ["MIIB"], "kid": realm.key.kid}):
        token = realm.token(key=evil, header={"kid": evil.kid, **header})
        assert (await ask(backend, token)).status == 401


async def test_a_public_key_is_no_hmac_secret(realm):
    realm.rotate("RS256")
    issuer = trust(realm)
    head = b64(b'{"alg":"HS256","kid":"' + realm.key.kid.encode() + b'"}')
    payload = realm.token().split(b".")[1]
    import hashlib
    import hmac

    pem = realm.key.as_pem(private=False)
    signature = hmac.new(pem, head + b"." + payload, hashlib.sha256).digest()
    with pytest.raises(InvalidTokenError):
        await issuer.admit(head + b"." + payload + b"." + b64(signature))


@pytest.mark.parametrize(
    ("more", "header"),
    [
        ({"nonce": "n"}, {}),
        ({"at_hash": "h"}, {}),
        ({"c_hash": "h"}, {}),
        ({"events": {}}, {}),
        ({"token_use": "id"}, {}),
        ({"token_use": "refresh"}, {}),
        ({"token_type": "refresh"}, {}),
        ({"typ": "ID"}, {}),
        ({"typ": "Refresh"}, {}),
        ({"typ": "Offline"}, {}),
        ({"typ": "Logout"}, {}),
        ({"type": "refresh"}, {}),
        ({"type": "RefreshToken"}, {}),
        ({"type": "password_reset"}, {}),
        ({"type": "email-verification"}, {}),
        ({"type": "mfa"}, {}),
        ({"type": "id"}, {}),
        ({}, {"typ": "rt+jwt"}),
        ({}, {"typ": "logout+jwt"}),
        ({}, {"typ": "id+jwt"}),
        ({}, {"typ": "dpop+jwt"}),
        ({}, {"typ": "secevent+jwt"}),
        ({"aud": "another"}, {}),
        ({"aud": None}, {}),
        ({"aud": ["a", 1]}, {}),
        ({"sub": None}, {}),
        ({"sub": ""}, {}),
        ({"sub": "a\n"}, {}),
        ({"exp": None}, {}),
        ({"exp": "soon"}, {}),
        ({"iat": 99999999999}, {}),
    ],
)
async def test_tokens_of_other_kinds_and_shapes_are_refused(realm, more, header):
    issuer = trust(realm)
    with pytest.raises(InvalidTokenError):
        await issuer.admit(realm.token(**more, header=header))
    assert (await issuer.admit(realm.token())).subject == "ada"


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT", "jwt", None])
async def test_the_usual_types_of_access_tokens_are_taken(realm, typ):
    token = realm.token(header={"typ": typ})
    assert (await trust(realm).admit(token)).subject == "ada"


async def test_clocks_may_differ_by_a_minute(realm):
    issuer = trust(realm)
    now = int(time.time())
    await issuer.admit(realm.token(iat=now + 50, nbf=now + 50))
    with pytest.raises(InvalidTokenError):
        await issuer.admit(realm.token(nbf=now + 100))
    with pytest.raises(ExpiredTokenError):
        await issuer.admit(realm.token(exp=now - 1))


async def test_only_the_named_algorithms_are_taken(realm):
    realm.rotate("RS256")
    issuer = trust(realm, algorithms=["ES256"])
    with pytest.raises(InvalidTokenError):
        await issuer.admit(realm.token())


@pytest.mark.parametrize("missing", ["client_id", "jti", "iat"])
async def test_the_profile_demands_all_that_rfc_9068_does(realm, missing):
    issuer = trust(realm, form=TokenForm(profile="rfc9068"))
    full = {"client_id": "web", "jti": "one"}
    strict = {"typ": "at+jwt"}
    assert (await issuer.admit(realm.token(**full, header=strict))).subject == "ada"
    with pytest.raises(InvalidTokenError):
        await issuer.admit(realm.token(**full, header={"typ": "JWT"}))
    with pytest.raises(InvalidTokenError):
        await issuer.admit(realm.token(**{**full, missing: None}, header=strict))


def test_the_profile_cannot_be_half_configured(realm):
    with pytest.raises(ConfigurationError):
        trust(
            realm,
            form=TokenForm(profile="rfc9068"),
            claim_mapping=ClaimMapping(audience="client_id"),
        )
    with pytest.raises(ConfigurationError):
        trust(realm, form=TokenForm(profile="rfc9069"))


@pytest.mark.parametrize(
    ("mine", "aud", "status"),
    [
        ("https://api.example", "https://api.example/", 200),
        ("https://api.example/", "https://api.example", 200),
        (["orders", "https://api.example"], ["x", "https://api.example/"], 200),
        ("https://api.example", "https://api.example//", 401),
        ("https://api.example", "https://api.example/a", 401),
        ("https://api.example", "https://api.example.evil/", 401),
        ("https://api.example/mcp", "https://api.example/mcp/", 401),
        ("https://api.example?", "https://api.example?/", 401),
        ("api", "api/", 401),
        ("urn:api", "urn:api/", 401),
    ],
)
async def test_an_origin_as_audience_is_the_same_with_a_slash(realm, mine, aud, status):
    """The MCP SDK asks for ``https://api.example/`` whatever people have entered."""
    backend = IssuersBackend(trust(realm, audience=mine))
    assert (await ask(backend, realm.token(aud=aud))).status == status


@pytest.mark.parametrize(
    "options",
    [
        {"audience": ""},
        {"audience": ()},
        {"audience": [""]},
        {"keys": ""},
        {"keys": "http://a.example/"},
        {"verification": Verification(cache_size=-1)},
        {"algorithms": ["HS256"]},
    ],
)
def test_parts_must_fit_together(options):
    with pytest.raises(ConfigurationError):
        TrustedIssuer("https://idp.example", **{"audience": "api", **options})


def test_an_issuer_that_is_no_url_needs_its_keys_named():
    with pytest.raises(ConfigurationError):
        TrustedIssuer("accounts", audience="api")
    TrustedIssuer("accounts", audience="api", keys="https://a.example/jwks")
    with pytest.raises(ConfigurationError, match="keys must be an https URL"):
        TrustedIssuer("accounts", audience="api", keys="http://a.example/jwks")


def test_a_backend_needs_issuers_of_different_names_and_a_source(realm):
    with pytest.raises(ConfigurationError):
        IssuersBackend()
    with pytest.raises(ConfigurationError):
        IssuersBackend(trust(realm), trust(realm))
    with pytest.raises(ConfigurationError):
        IssuersBackend(trust(realm), sources=())


async def test_keys_may_be_given_by_hand():
    keys = KeySet.generate("ES256")
    tokens = TokenService(keys, issuer="https://a.example", audience="api")
    trusted = TrustedIssuer("https://a.example", audience="api", keys=keys)
    token = tokens.mint("ada", scopes=["read"]).encode()
    assert (await trusted.admit(token)).scopes == {"authenticated", "read"}
    assert (await trusted.decode(token)).claims["sub"] == "ada"
    stranger = TokenService(
        KeySet.generate(), issuer="https://a.example", audience="api"
    )
    for verify in (trusted.admit, trusted.decode):
        with pytest.raises(UnknownKeyError):
            await verify(stranger.mint("eve").encode())
    await trusted.warm_up()


async def test_own_tokens_and_theirs_live_in_one_chain(realm):
    own = TokenService(KeySet.generate("ES256"), issuer="https://us", audience="api")
    chain = BackendChain(JWTBackend(own), IssuersBackend(trust(realm), name="sso"))
    assert (await ask(chain, own.mint("eve"))).json()["subject"] == "eve"
    assert (await ask(chain, realm.token())).json()["subject"] == "ada"
    assert (await ask(chain, realm.token())).json()["subject"] == "ada"
    for bad in (
        realm.token(exp=1),
        realm.token(iss="https://nobody.example"),
        realm.token(iss=7),
        realm.token(iss="https://us"),
        b"opaque",
        b"a.b.c",
    ):
        assert (await ask(chain, bad)).status == 401


async def test_another_scheme_or_source_is_not_ours(realm):
    backend = IssuersBackend(trust(realm), sources=(QueryParam("token", http=True),))
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    query = b"token=" + realm.token()
    assert (await run(app, query=query)).status == 200
    assert (await run(app, headers=[bearer(realm.token())])).status == 401
    assert await backend.authenticate(None, {}) is None


async def test_a_revoked_session_or_subject_is_refused_at_once(realm):
    store = MemoryStore()
    backend = IssuersBackend(trust(realm, revocations=RevocationList(store)))
    one, two = realm.token(sid="s1"), realm.token(sid="s2")
    bare = realm.token()
    for token in (one, two, bare):
        assert (await ask(backend, token)).status == 200
    gone = Revocation(kind="sid", issuer=realm.issuer, value="s1")
    await store.publish([gone], ttl=60)
    assert [(await ask(backend, t)).status for t in (one, two, bare)] == [401, 200, 200]
    gone = Revocation(kind="whole_subject", issuer=realm.issuer, value="ada")
    await store.publish([gone], ttl=60)
    assert [(await ask(backend, t)).status for t in (one, two, bare)] == [401] * 3


async def test_a_changed_signature_is_refused(realm):
    issuer = trust(realm)
    head, payload, signature = realm.token().split(b".")
    claims = unb64(payload).replace(b'"ada"', b'"eve"')
    with pytest.raises(InvalidTokenError):
        await issuer.admit(b".".join([head, b64(claims), signature]))


@pytest.mark.parametrize(("kind", "value"), [("sid", "s1"), ("whole_subject", "ada")])
async def test_a_socket_ends_with_a_log_out_at_the_provider(realm, kind, value):
    store = MemoryStore()
    backend = IssuersBackend(trust(realm, revocations=RevocationList(store)))
    sent, opened = [], asyncio.Event()

    async def chat(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        opened.set()
        assert (await receive())["type"] == "websocket.disconnect"

    inbox = asyncio.Queue()
    inbox.put_nowait({"type": "websocket.connect"})

    async def send(message):
        sent.append(message)

    app = AuthenticationMiddleware(chat, backend, required=True)
    scope = websocket_scope(headers=[bearer(realm.token(sid="s1"))])
    socket_task = asyncio.create_task(app(scope, inbox.get, send))
    await opened.wait()
    gone = Revocation(kind=kind, issuer=realm.issuer, value=value)
    await store.publish([gone], ttl=60)
    await asyncio.wait_for(socket_task, 20)
    assert sent[-1]["type"] == "websocket.close"
    assert sent[-1]["code"] == 3000


async def test_a_fast_lane_opens_with_the_first_keys(realm):
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    token = realm.token()
    credential = Credential(token, "header")
    assert backend.recognise(token, "header") is None
    assert backend.verifier_for(realm.issuer) is None
    await backend.warm_up()
    assert backend.recognise(token, "header") is None
    known = await backend.authenticate(credential, {})
    assert backend.recognise(token, "header") is known
    assert backend.verifier_for(realm.issuer) is not None
    assert backend.verifier_for(None) is None


async def test_the_log_says_which_audiences_are_wrong_first_aloud(realm, caplog):
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    for audience in ("orders", "orders", "shop", "mail", "chat"):
        with caplog.at_level(logging.DEBUG, "asgi_auth"):
            assert (await ask(backend, realm.token(aud=audience))).status == 401
    loud = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(loud) == 3
    assert "aud is 'orders', expected ['api']" in loud[0]
    quiet = [r.getMessage() for r in caplog.records if r.levelname == "DEBUG"]
    assert sum("aud is 'chat'" in line for line in quiet) == 1


async def test_the_log_says_once_that_a_slash_is_missing(realm, caplog):
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    slashed = realm.token(iss=realm.issuer + "/")
    for token in (slashed, slashed, b"opaque", realm.token(iss="https://x.example")):
        assert (await run(app, headers=[bearer(token)])).status == 401
    assert caplog.text.count("differ by a slash") == 1


async def test_no_token_is_logged(realm, caplog):
    backend = IssuersBackend(trust(realm, keys=realm.jwks_uri))
    token = realm.token(aud="x" * 5000)
    with caplog.at_level(logging.DEBUG):
        await ask(backend, token)
    assert token.rsplit(b".")[-1].decode() not in caplog.text
    assert len(caplog.records[-1].getMessage()) < 1000
