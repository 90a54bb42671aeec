"""ID tokens of every bad kind, and UserInfo of somebody else."""

from __future__ import annotations

import base64
import json

import pytest
from joserfc.jwk import OctKey

from asgi_auth.errors import InvalidTokenError, UnavailableError
from asgi_auth.identities.errors import InvalidCallbackError, LinkRequiredError
from tests.identities.op import CLIENT, SECRET
from tests.identities.world import World
from tests.idp.issuer import new_key, public

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000


@pytest.fixture
def world():
    return World()


def b64(value) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": "https://op.example/"},
        {"iss": None},
        {"iss": ["https://op.example"]},
        {"aud": "another-client"},
        {"aud": f"{CLIENT} another-client"},
        {"aud": None},
        {"aud": []},
        {"aud": {CLIENT: 1}},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"azp": {"odd": 1}},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\nb"},
        {"sub": "x" * 256},
        {"nonce": None},
        {"nonce": "another"},
        {"nonce": ["another"]},
        {"exp": None},
        {"exp": NOW - 60},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 10**300},
        {"iat": None},
        {"iat": NOW + 61},
        {"iat": NOW - 601},
        {"nbf": NOW + 61},
        {"nbf": "later"},
        {"at_hash": "another"},
        {"at_hash": 7},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"token_use": "access"},
        {"token_use": {"odd": 1}},
        {"typ": "Bearer"},
        {"typ": "Refresh"},
        {"typ": "Logout"},
    ],
    ids=str,
)
async def test_an_id_token_with_bad_claims_is_refused(world, claims):
    world.op.claims = claims
    with pytest.raises(InvalidCallbackError):
        await world.log_in()


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another-client"], "azp": CLIENT},
        {"exp": NOW - 59},
        {"iat": NOW + 59, "nbf": NOW + 59},
        {"iat": NOW - 599},
        {"at_hash": None},
        {"token_use": "id"},
        {"typ": "ID"},
        {"auth_time": "soon"},
    ],
    ids=str,
)
async def test_an_id_token_may_be_written_in_several_ways(world, claims):
    world.op.claims = claims
    assert (await world.log_in()).how == "sign_up"


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "dpop+jwt", "rt+jwt"])
async def test_another_token_of_the_same_keys_is_no_id_token(world, typ):
    world.op.header = {"typ": typ}
    with pytest.raises(InvalidCallbackError):
        await world.log_in()


@pytest.mark.parametrize("typ", ["JWT", "jwt", None])
async def test_an_id_token_needs_no_type(world, typ):
    world.op.header = {"typ": typ}
    assert (await world.log_in()).how == "sign_up"


def unsigned(claims):
    return f"{b64({'alg': 'none'})}.{b64(claims)}."


def signed_with_the_secret(claims):
    """As OpenID allows for confidential clients, and as nobody should take it."""
    key = OctKey.import_key(SECRET.ljust(32))
    return World().op.sign(claims, key=key, alg="HS256", kid=None)


def signed_by_a_stranger(claims):
    return World().op.sign(claims, key=new_key())


def with_a_key_inside(claims):
    key = new_key()
    return World().op.sign(claims, key=key, jwk=public(key))


def twice_a_claim(claims):
    text = json.dumps(claims)[:-1] + ', "sub": "another"}'
    return f"{b64({'alg': 'ES256'})}.{b64(text.encode())}.{b64(b'x' * 64)}"


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        signed_with_the_secret,
        signed_by_a_stranger,
        with_a_key_inside,
        twice_a_claim,
        lambda claims: "",
        lambda claims: "a.b",
        lambda claims: "ö.ö.ö",
        lambda claims: f"{b64({'alg': 'ES256'})}.{b64([])}.{b64(b'x' * 64)}",
        lambda claims: "x" * 40_000,
        lambda claims: 7,
        lambda claims: None,
    ],
)
async def test_a_forged_id_token_is_refused(world, forge):
    world.op.id_token = forge
    with pytest.raises(InvalidCallbackError):
        await world.log_in()


async def test_a_long_id_token_of_a_user_with_many_groups_is_read(world):
    world.op.claims = {"groups": ["a" * 30] * 500}
    assert (await world.log_in()).how == "sign_up"


async def test_a_new_key_of_the_provider_is_found(world):
    await world.log_in()
    world.op.key = new_key()
    world.op.keys.append(public(world.op.key, alg="ES256"))
    assert (await world.log_in()).how == "identity"


async def test_an_id_token_of_another_log_in_is_refused(world):
    kept = []

    def keep(claims):
        kept.append(world.op.sign(claims))
        return kept[0]

    world.op.id_token = keep
    await world.log_in()
    with pytest.raises(InvalidCallbackError, match="nonce"):
        await world.log_in()


async def test_claims_that_must_be_there_are(world):
    world = World(provider={"says": {"hd": "shop.example"}})
    for domain in (None, "evil.example", ["shop.example"]):
        world.op.claims = {"hd": domain}
        with pytest.raises(InvalidCallbackError, match="hd"):
            await world.log_in()
    world.op.claims = {"hd": "shop.example"}
    assert (await world.log_in()).how == "sign_up"


async def test_an_id_token_is_no_access_token_of_ours(world):
    tokens = []
    world.op.id_token = lambda claims: tokens.append(world.op.sign(claims)) or tokens[0]
    await world.log_in()
    with pytest.raises(InvalidTokenError):
        await world.tokens.verify(tokens[0])


async def test_another_claim_may_name_the_user():
    world = World(provider={"subject": "oid"})
    for oid in (None, 7, ""):
        world.op.claims = {"oid": oid}
        with pytest.raises(InvalidCallbackError, match="oid"):
            await world.log_in()
    world.op.claims = {"oid": "00000000-0000-0000-66f3-3332eca7ea81"}
    account = (await world.log_in()).account
    (identity,) = await world.identities.list(account.id)
    assert identity.subject == "00000000-0000-0000-66f3-3332eca7ea81"


# ----------------------------------------------------------------------- UserInfo


async def test_userinfo_is_asked_where_the_id_token_has_no_address(world):
    world.op.userinfo = world.op.email
    world.op.email = {}
    assert (await world.log_in()).account.email == "ann@example.com"
    # Who is known needs no address.
    world.op.asked.clear()
    await world.log_in()
    assert world.op.asked == ["/token"]


async def test_userinfo_of_somebody_else_is_refused(world):
    world.op.userinfo = {**world.op.email, "sub": "somebody"}
    world.op.email = {}
    with pytest.raises(InvalidCallbackError, match="somebody else"):
        await world.log_in()


async def test_userinfo_does_not_replace_what_the_id_token_says(world):
    world.op.userinfo = {"email": "ann@example.com", "email_verified": True}
    world.op.email = {"email_verified": False}
    with pytest.raises(LinkRequiredError):
        await world.log_in()


async def test_userinfo_that_is_down_is_an_outage(world):
    world.op.email, world.op.down = {}, {"/userinfo"}
    with pytest.raises(UnavailableError):
        await world.log_in()


@pytest.mark.parametrize("how", ["refused", "no endpoint", "no token"])
async def test_without_userinfo_there_is_no_address(world, how):
    world.op.email = {}
    if how == "refused":
        world.op.metadata["userinfo_endpoint"] = "https://op.example/nothing"
    elif how == "no endpoint":
        world.op.metadata["userinfo_endpoint"] = "http://op.example/userinfo"
    else:
        world.op.answer = {"access_token": None}
    with pytest.raises(LinkRequiredError):
        await world.log_in()
