from __future__ import annotations

import json

import pytest

from asgi_auth import ConfigurationError, UnavailableError
from asgi_auth.backends.discovery import discover
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
    found = await discover("https://idp.example/tenant", fetch=fetch)
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
        {"token_endpoint": "http://idp.example/token"},
        {"userinfo_endpoint": "javascript:alert(1)"},
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
