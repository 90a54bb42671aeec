from __future__ import annotations

import json
import logging

import pytest

from asgi_auth import ConfigurationError, UnavailableError
from asgi_auth.backends.discovery import discover
from asgi_auth.backends.providers import keycloak
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys import Transport
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.keys.pem_client import PEMClient
from tests.idp.issuer import provider


@pytest.fixture
def realm():
    return provider().realm()


async def test_an_issuer_says_where_its_keys_are(realm):
    found = await discover(realm.issuer)
    assert found.jwks_uri == realm.jwks_uri
    assert found.issuer == realm.issuer
    assert found.document["issuer"] == realm.issuer


async def test_rfc_8414_is_asked_where_openid_is_not_known(realm):
    asked = []

    async def fetch(url, headers, body):
        asked.append(url)
        if "openid" in url:
            return 404, {}, b""
        return 200, {}, json.dumps(realm.metadata).encode()

    realm.metadata["issuer"] = "https://idp.example/tenant"
    found = await discover("https://idp.example/tenant", transport=Transport(fetch))
    assert found.jwks_uri == realm.jwks_uri
    assert asked == [
        "https://idp.example/tenant/.well-known/openid-configuration",
        "https://idp.example/.well-known/oauth-authorization-server/tenant",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": "https://evil.example/"},
        {"issuer": None},
        {"issuer": ["x"]},
        {"issuer": {}},
        {"jwks_uri": "http://idp.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
        {"jwks_uri": None},
        {"jwks_uri": ""},
        {"jwks_uri": "/jwks"},
    ],
)
async def test_a_document_that_is_not_to_be_believed_is_an_outage(realm, change):
    realm.metadata |= change
    with pytest.raises(UnavailableError):
        await discover(realm.issuer)


async def test_the_issuer_must_be_equal_to_the_last_character(realm):
    realm.metadata["issuer"] += "/"
    with pytest.raises(UnavailableError):
        await discover(realm.issuer)


async def test_a_template_is_not_believed_unless_a_preset_says_so(realm):
    realm.metadata["issuer"] = template = realm.issuer + "/{tenantid}"
    with pytest.raises(UnavailableError):
        await discover(realm.issuer)
    assert (await discover(realm.issuer, aliases=[template])).issuer == realm.issuer


async def test_there_must_be_keys(realm):
    del realm.metadata["jwks_uri"]
    with pytest.raises(UnavailableError):
        await discover(realm.issuer)


@pytest.mark.parametrize("fault", ["500", "html", "redirect", "bomb", "huge"])
async def test_a_bad_answer_is_an_outage(realm, fault):
    realm.fault = fault
    with pytest.raises(UnavailableError):
        await discover(realm.issuer)


@pytest.mark.parametrize("issuer", ["http://idp.example", "idp.example", ""])
async def test_an_unsafe_issuer_is_a_mistake(issuer):
    with pytest.raises(ConfigurationError):
        await discover(issuer)


@pytest.mark.parametrize(
    "more",
    [
        {"registration_endpoint": "/"},
        {"op_tos_uri": None},
        {"op_policy_uri": ""},
        {"token_endpoint": "http://idp.example/token"},
        {"end_session_endpoint": ["x"]},
    ],
)
async def test_urls_that_nobody_reads_are_not_looked_at(realm, more):
    realm.metadata |= more
    assert (await discover(realm.issuer)).jwks_uri == realm.jwks_uri


async def test_the_log_says_when_all_that_differs_is_a_slash(realm, caplog):
    realm.metadata["issuer"] += "/"
    with caplog.at_level(logging.INFO), pytest.raises(UnavailableError) as caught:
        await TrustedIssuer(realm.issuer, audience="api").warm_up()
    assert "differ by a slash" in caplog.text
    assert realm.issuer in caplog.text
    assert "slash" not in caught.value.public_message


@pytest.mark.parametrize(
    "host",
    [
        *("keycloak", "keycloak:8080", "sso.local", "idp.svc.cluster.local"),
        *("10.0.0.7", "192.168.1.1:8080", "[fd00::1]", "host.docker.internal"),
    ],
)
async def test_http_to_a_private_name_needs_a_keyword_and_is_warned_of(host, caplog):
    issuer = f"http://{host}/realm"

    async def fetch(url, headers, body):
        known = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
        return 200, {}, json.dumps(known).encode()

    with pytest.raises(ConfigurationError):
        await discover(issuer, transport=Transport(fetch))
    found = await discover(issuer, transport=Transport(fetch, insecure_http=True))
    assert found.jwks_uri == f"{issuer}/keys"
    assert f"issuer is {host}/realm" in caplog.text


@pytest.mark.parametrize(
    "host",
    ["idp.example", "8.8.8.8", "local.example", "0.0.0.0", "[2606:4700::1111]", "a@b"],
)
async def test_no_keyword_lets_http_to_the_world_pass(host):
    with pytest.raises(ConfigurationError):
        await discover(f"http://{host}", transport=Transport(insecure_http=True))
    for make in (JWKSClient, PEMClient):
        with pytest.raises(ConfigurationError):
            make(f"http://{host}/{{kid}}", transport=Transport(insecure_http=True))


async def test_the_issuer_of_the_browser_has_keys_at_an_inner_address(realm):
    outer, inner = "http://localhost:8080/realms/shop", "http://keycloak:8080/certs"
    asked = []

    async def fetch(url, headers, body):
        asked.append(url)
        return 200, {}, json.dumps(realm.jwks).encode()

    options = {"audience": "api", "keys": inner, "transport": Transport(fetch)}
    with pytest.raises(ConfigurationError):
        TrustedIssuer(outer, **options)
    options["transport"] = Transport(fetch, insecure_http=True)
    issuer = TrustedIssuer(outer, **options)
    assert (await issuer.admit(realm.token(iss=outer))).subject == "ada"
    assert asked == [inner]
    preset = keycloak(
        "http://localhost:8080",
        "shop",
        **options,
    )
    assert await preset.admit(realm.token(iss=outer, typ="Bearer"))


async def test_metadata_may_name_an_inner_address_where_that_is_said(caplog):
    issuer = "http://keycloak:8080/realms/shop"
    document = {"issuer": issuer, "jwks_uri": "http://keycloak:8080/certs"}

    async def fetch(url, headers, body):
        return 200, {}, json.dumps(document).encode()

    trusted = TrustedIssuer(
        issuer, audience="api", transport=Transport(fetch, insecure_http=True)
    )
    with pytest.raises(UnavailableError):
        await trusted.warm_up()  # Its document is no set of keys.
    document["jwks_uri"] = "http://keys.example/"
    trusted = TrustedIssuer(
        issuer, audience="api", transport=Transport(fetch, insecure_http=True)
    )
    with pytest.raises(UnavailableError):
        await trusted.warm_up()
    assert "no https URL for jwks_uri" in caplog.text
