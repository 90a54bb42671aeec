"""Tokens of the shape that each provider documents, through its preset."""

from __future__ import annotations

import json

import pytest

from asgi_auth import ConfigurationError, InvalidTokenError
from asgi_auth.backends.providers import auth0, cognito, entra, keycloak
from asgi_auth.keys import Transport
from tests.idp.issuer import Realm, new_key, public

TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
CLIENT = "535fb089-9ff3-47b6-9bfb-4f1264799865"


class Elsewhere(Realm):
    """A provider whose addresses are not ours to listen on."""

    def __init__(self, issuer: str) -> None:
        super().__init__("https://unused.example", "realm")
        self.issuer = issuer
        self.jwks = {"keys": []}
        self.rotate("RS256")
        self.document = {"issuer": issuer, "jwks_uri": f"{issuer.rstrip('/')}/keys"}
        self.urls: list[str] = []

    async def fetch(self, url, headers, body):
        self.urls.append(url)
        known = ".well-known/" in url and not url.endswith(("jwks.json", "jwks"))
        return 200, {}, json.dumps(self.document if known else self.jwks).encode()


# Keycloak: https://www.keycloak.org/docs/latest/server_admin/

KEYCLOAK = {
    "jti": "onrtac:5f0f7b0e-4d3f-4b2f-9a46-0d2f7d1a2b3c",
    "typ": "Bearer",
    "azp": "shop-web",
    "sid": "1c1a4a6e-6d8e-4b8f-8f9c-2f1f1b4b9a11",
    "acr": "1",
    "allowed-origins": ["https://shop.example"],
    "realm_access": {"roles": ["offline_access", "editor"]},
    "resource_access": {"shop-api": {"roles": ["refund"]}, "other": {"roles": ["x"]}},
    "scope": "openid profile email",
    "email_verified": True,
    "preferred_username": "ada",
}


@pytest.fixture
def shop():
    return Elsewhere("https://sso.example/realms/shop")


async def test_keycloak(shop):
    issuer = keycloak(
        "https://sso.example/",
        "shop",
        audience="shop-api",
        transport=Transport(shop.fetch),
    )
    header = {"typ": "JWT"}
    token = shop.token(aud=["shop-api", "account"], **KEYCLOAK, header=header)
    admitted = await issuer.admit(token)
    assert admitted.scopes == {"authenticated", "openid", "profile", "email"}
    assert admitted.roles == {"offline_access", "editor"}
    assert admitted.session_id == KEYCLOAK["sid"]
    assert admitted.claims["realm_access"]["roles"] == ("offline_access", "editor")
    assert "roles" not in admitted.claims


async def test_keycloak_with_the_roles_of_a_client(shop):
    issuer = keycloak(
        "https://sso.example",
        "shop",
        audience="shop-api",
        client="shop-api",
        transport=Transport(shop.fetch),
    )
    admitted = await issuer.admit(shop.token(aud="shop-api", **KEYCLOAK))
    assert admitted.roles == {"offline_access", "editor", "refund"}


@pytest.mark.parametrize("typ", ["ID", "Refresh", "Offline", "Logout", "DPoP", None])
async def test_other_tokens_of_keycloak_are_refused(shop, typ):
    issuer = keycloak(
        "https://sso.example",
        "shop",
        audience="shop-api",
        transport=Transport(shop.fetch),
    )
    with pytest.raises(InvalidTokenError):
        await issuer.admit(shop.token(aud="shop-api", **{**KEYCLOAK, "typ": typ}))


@pytest.mark.parametrize(
    "odd",
    [
        {"realm_access": "roles"},
        {"realm_access": None},
        {"realm_access": {"roles": None}},
        {"realm_access": {"roles": [["admin"]]}},
    ],
)
async def test_odd_shapes_give_no_role(shop, odd):
    issuer = keycloak(
        "https://sso.example",
        "shop",
        audience="shop-api",
        transport=Transport(shop.fetch),
    )
    try:
        admitted = await issuer.admit(shop.token(aud="shop-api", **{**KEYCLOAK, **odd}))
    except InvalidTokenError:
        return
    assert admitted.roles == set()


# Auth0: https://auth0.com/docs/secure/tokens/access-tokens

AUTH0_TOKEN = {
    "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
    "aud": ["https://api.shop.example", "https://shop.eu.auth0.com/userinfo"],
    "azp": "my_client_id",
    "scope": "openid profile read:orders",
    "permissions": ["read:orders", "write:orders"],
}


@pytest.fixture
def auth0_tenant():
    return Elsewhere("https://shop.eu.auth0.com/")


async def test_auth0(auth0_tenant):
    issuer = auth0(
        "shop.eu.auth0.com",
        audience="https://api.shop.example",
        transport=Transport(auth0_tenant.fetch),
    )
    admitted = await issuer.admit(auth0_tenant.token(**AUTH0_TOKEN))
    assert admitted.subject == AUTH0_TOKEN["sub"]
    assert admitted.scopes >= {"read:orders", "write:orders"}


async def test_an_id_token_of_auth0_is_for_the_client_and_not_for_us(auth0_tenant):
    issuer = auth0(
        "shop.eu.auth0.com",
        audience="https://api.shop.example",
        transport=Transport(auth0_tenant.fetch),
    )
    said = {"sub": AUTH0_TOKEN["sub"], "aud": "my_client_id", "sid": "abc"}
    with pytest.raises(InvalidTokenError):
        await issuer.admit(auth0_tenant.token(**said, nonce="n"))
    with pytest.raises(InvalidTokenError):
        await issuer.admit(auth0_tenant.token(**said))


# Entra: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference

ENTRA_V2 = {
    "aud": CLIENT,
    "azp": "00001111-aaaa-2222-bbbb-3333cccc4444",
    "azpacr": "0",
    "oid": "00000000-0000-0000-66f3-3332eca7ea81",
    "rh": "0.",
    "scp": "orders.read orders.write",
    "roles": ["Admin"],
    "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}


@pytest.fixture
def directory():
    made = Elsewhere(f"https://login.microsoftonline.com/{TENANT}/v2.0")
    for key in made.jwks["keys"]:
        del key["alg"]  # Entra's keys do not say theirs.
    return made


async def test_entra(directory):
    issuer = entra(
        TENANT.upper(), audience=CLIENT, transport=Transport(directory.fetch)
    )
    admitted = await issuer.admit(directory.token(**ENTRA_V2, header={"typ": "JWT"}))
    assert admitted.scopes == {"authenticated", "orders.read", "orders.write"}
    assert admitted.roles == {"Admin"}
    assert directory.urls[0] == (
        f"https://login.microsoftonline.com/{TENANT}/v2.0"
        "/.well-known/openid-configuration"
    )


async def test_entra_tokens_of_version_1(directory):
    directory.issuer = f"https://sts.windows.net/{TENANT}/"
    directory.document["issuer"] = directory.issuer
    issuer = entra(
        TENANT, audience="api://shop", version=1, transport=Transport(directory.fetch)
    )
    said = {**ENTRA_V2, "aud": "api://shop", "ver": "1.0", "azp": None, "appid": "x"}
    assert (await issuer.admit(directory.token(**said))).roles == {"Admin"}
    assert directory.urls[0] == (
        f"https://login.microsoftonline.com/{TENANT}/.well-known/openid-configuration"
    )


async def test_an_id_token_of_entra_for_the_same_application_is_refused(directory):
    issuer = entra(TENANT, audience=CLIENT, transport=Transport(directory.fetch))
    said = {**ENTRA_V2, "azp": None, "azpacr": None, "scp": None}
    with pytest.raises(InvalidTokenError):
        await issuer.admit(directory.token(**said))


async def test_another_tenant_of_entra_is_refused(directory):
    issuer = entra(TENANT, audience=CLIENT, transport=Transport(directory.fetch))
    other = directory.issuer.replace(TENANT, "11111111-2222-3333-4444-555555555555")
    with pytest.raises(InvalidTokenError):
        await issuer.admit(directory.token(**ENTRA_V2, iss=other))


async def test_the_template_of_entra_is_believed_and_keys_of_others_are_not(directory):
    template = "https://login.microsoftonline.com/{tenantid}/v2.0"
    directory.document["issuer"] = template
    directory.jwks["keys"][0]["issuer"] = template
    personal = new_key("RS256")
    directory.jwks["keys"].append(
        public(personal, issuer="https://login.microsoftonline.com/9188040d/v2.0")
    )
    issuer = entra(TENANT, audience=CLIENT, transport=Transport(directory.fetch))
    assert (await issuer.admit(directory.token(**ENTRA_V2))).roles == {"Admin"}
    with pytest.raises(InvalidTokenError):
        await issuer.admit(directory.token(key=personal, **ENTRA_V2))


@pytest.mark.parametrize("tenant", ["common", "organizations", "shop.example", ""])
def test_entra_needs_the_id_of_a_tenant(tenant):
    with pytest.raises(ConfigurationError):
        entra(tenant, audience=CLIENT)


# Cognito: https://docs.aws.amazon.com/cognito/latest/developerguide/
# amazon-cognito-user-pools-using-the-access-token.html

COGNITO_TOKEN = {
    "aud": None,
    "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "device_key": "eu-central-1_aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["testgroup"],
    "client_id": "xxxxxxxxxxxxexample",
    "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "event_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "token_use": "access",
    "scope": "phone openid profile orders/read",
    "auth_time": 1_676_312_777,
    "jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "username": "my-test-user",
    "version": 2,
}
POOL = "eu-central-1_AbCdEfGhI"


@pytest.fixture
def pool():
    return Elsewhere(f"https://cognito-idp.eu-central-1.amazonaws.com/{POOL}")


async def test_cognito(pool):
    issuer = cognito(
        POOL, client_ids="xxxxxxxxxxxxexample", transport=Transport(pool.fetch)
    )
    admitted = await issuer.admit(pool.token(**COGNITO_TOKEN, header={"typ": None}))
    assert admitted.roles == {"testgroup"}
    assert "orders/read" in admitted.scopes
    assert "aud" not in admitted.claims
    assert pool.urls == [f"{pool.issuer}/.well-known/jwks.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "another"},
        {"client_id": None},
        {"client_id": ["xxxxxxxxxxxxexample", 1]},
        {"token_use": "id"},
        {"token_use": "refresh"},
        {"token_use": None},
        {"aud": "another"},
    ],
)
async def test_other_tokens_of_cognito_are_refused(pool, change):
    issuer = cognito(
        POOL, client_ids=["xxxxxxxxxxxxexample"], transport=Transport(pool.fetch)
    )
    with pytest.raises(InvalidTokenError):
        await issuer.admit(pool.token(**{**COGNITO_TOKEN, **change}))


@pytest.mark.parametrize("name", ["", "AbCdEfGhI", "eu-central-1", "a/../b_c"])
def test_cognito_needs_the_id_of_a_pool(name):
    with pytest.raises(ConfigurationError):
        cognito(name, client_ids="x")
