"""What others write into their tokens: taken, read as nothing, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    InvalidTokenError,
    KeySet,
    MemoryStore,
    RevocationList,
    StepUpRequiredError,
    TokenVerifier,
    requires,
)
from asgi_auth._frozen import freeze
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.tokens.claim_mapping import OAUTH, ClaimMapping
from asgi_auth.tokens.claims import ClaimsRules
from asgi_auth.tokens.foreign import names_at, tidy
from tests.forge import AUDIENCE, ISSUER, NOW, claims, family, header, sign

KEY = family("HS256").key
RULES = ClaimsRules(issuer=ISSUER, audience=frozenset({AUDIENCE}))


def in_order(value):
    """Name a case alike in each process: sets have no order."""
    return str(sorted(value) if isinstance(value, set) else value)


def write(**more):
    """Sign good claims but for those in *more*, in which ``None`` is a null."""
    return sign(header(), {**claims(), **more}, KEY)


async def admit(mapping=OAUTH, revocations=None, /, **more):
    issuer = TrustedIssuer(
        ISSUER,
        audience=AUDIENCE,
        keys=KeySet([KEY]),
        claim_mapping=mapping,
        revocations=revocations,
        clock=lambda: NOW,
    )
    token = await issuer.admit(write(**more))
    return token.principal("header", "jwt")


def legacy(mapping):
    """Make a reader of the tokens of before, as the guides of migration do."""
    keys = KeySet([KEY])
    return TokenVerifier(
        keys,
        issuer=ISSUER,
        audience=AUDIENCE,
        translate=mapping.translate,
        clock=lambda: NOW,
    )


# ------------------------------------------------------------------ optional claims


@pytest.mark.parametrize(
    "name",
    [
        *("nbf", "iat", "jti", "sid", "acr", "client_id", "auth_time", "nonce"),
        *("at_hash", "c_hash", "events", "type", "typ", "token_use", "token_type"),
        *("scope", "scp", "roles"),
    ],
)
@pytest.mark.parametrize("nothing", [None, "", []], ids=repr)
async def test_an_optional_claim_that_is_empty_is_absent(name, nothing):
    principal = await admit(**{name: nothing})
    assert principal.subject == "ada"
    assert principal.roles == set()
    assert principal.scopes == {"authenticated"}
    assert name in principal.claims


@pytest.mark.parametrize("name", ["jti", "sid", "acr", "client_id"])
@pytest.mark.parametrize("odd", [1.5, True, ["x"], {"a": 1}, "x" * 256, "a\x00"])
async def test_an_optional_text_of_an_odd_shape_is_dropped(name, odd):
    principal = await admit(**{name: odd})
    assert (principal.session_id, principal.acr) == (None, None)
    assert principal.token_id == (None if name == "jti" else "token-1")


async def test_numbers_are_read_as_texts():
    principal = await admit(acr=1, sid=0, jti=12, client_id=7)
    assert (principal.acr, principal.session_id, principal.token_id) == ("1", "0", "12")


@pytest.mark.parametrize(
    "odd", ["2026-11-26T12:44:34Z", "1700000000", True, [NOW], 10**400, 1e308]
)
async def test_an_odd_auth_time_is_dropped_and_max_age_fails_closed(odd):
    principal = await admit(auth_time=odd)
    assert principal.auth_time is None
    with pytest.raises(StepUpRequiredError):
        requires(max_age=3600).check({"type": "http", "auth": principal})


async def test_an_odd_acr_is_none_that_a_guard_asks_for():
    principal = await admit(acr=["gold"])
    with pytest.raises(StepUpRequiredError):
        requires(acr="gold").check({"type": "http", "auth": principal})


@pytest.mark.parametrize("odd", ["soon", True, [NOW], {}, 10**400])
async def test_a_start_that_is_not_understood_refuses_the_token(odd):
    with pytest.raises(InvalidTokenError):
        await admit(nbf=odd)


@pytest.mark.parametrize("odd", ["2026-11-26", True, [NOW]])
async def test_a_token_without_a_usable_date_is_older_than_each_revocation(odd):
    store = MemoryStore(clock=lambda: NOW)
    revocations = RevocationList(store)
    assert (await admit(OAUTH, revocations, iat=odd)).subject == "ada"
    issuer = TrustedIssuer(
        ISSUER, audience=AUDIENCE, keys=KeySet([KEY]), clock=lambda: NOW
    )
    assert (await issuer.admit(write(iat=odd))).issued_at == 0


@pytest.mark.parametrize("name", ["sid", "jti"])
@pytest.mark.parametrize("odd", [["x"], {"a": 1}, "x" * 256, True])
async def test_what_could_not_be_revoked_is_refused_where_things_are(name, odd):
    revocations = RevocationList(MemoryStore())
    with pytest.raises(InvalidTokenError, match=name):
        await admit(OAUTH, revocations, **{name: odd})
    assert (await admit(OAUTH, revocations, **{name: None})).subject == "ada"


@pytest.mark.parametrize(
    "more",
    [
        {"iss": None},
        {"iss": ""},
        {"aud": None},
        {"aud": []},
        {"aud": ""},
        {"exp": None},
        {"exp": "1700000600"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"nonce": "n-0S6"},
        {"nonce": 5},
        {"events": {}},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"at_hash": "x"},
        {"token_use": "id"},
        {"token_use": ["access"]},
        {"token_type": "DPoP"},
        {"typ": "ID"},
        {"typ": "Refresh"},
    ],
    ids=str,
)
async def test_what_makes_a_token_safe_is_as_strict_as_ever(more):
    with pytest.raises(InvalidTokenError):
        await admit(**more)


# -------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    "more",
    [
        {"type": "app"},
        {"type": "normal-user"},
        {"type": "Access_Token"},
        {"type": 1},
        {"type": ["user"]},
        {"token_use": "access_token"},
        {"token_use": "Access"},
        {"token_type": "BEARER"},
        {"token_type": "access_token"},
        {"token_type": "urn:ietf:params:oauth:token-type:access_token"},
        {"typ": "at+JWT"},
        {"typ": "bearer"},
    ],
    ids=str,
)
async def test_words_of_others_for_an_access_token_are_understood(more):
    assert (await admit(**more)).subject == "ada"


@pytest.mark.parametrize(
    "value",
    [
        *("refresh", "Refresh_Token", "refresh-token", "id", "ID", "id_token"),
        *("reset", "password_reset", "verify", "email-verification", "invitation"),
        *("mfa", "2fa", "mfa_challenge", "otp", "logout", "magic_link", "device"),
        *("offline", "pre-auth", "temporary", "one_time", "ticket", "invite"),
    ],
)
async def test_a_type_that_names_another_kind_of_token_is_believed(value):
    with pytest.raises(InvalidTokenError):
        await admit(type=value)
    # Who demands this very word means it.
    assert await admit(ClaimMapping(says={"type": value}), type=value)
    with pytest.raises(InvalidTokenError):
        await admit(ClaimMapping(says={"type": "device-2"}), type=value)


@pytest.mark.parametrize("value", ["app", "normal-user", "refresh", 1, ["access"]])
def test_of_tokens_without_a_party_a_strange_type_is_refused(value):
    verifier = legacy(ClaimMapping())
    with pytest.raises(InvalidTokenError):
        verifier.verify(write(type=value))


async def test_a_mark_of_an_access_token_does_not_make_up_for_that_of_another():
    mapping = ClaimMapping(says={"typ": "Bearer"})
    assert await admit(mapping, typ="Bearer")
    for more in ({"nonce": "n"}, {"at_hash": "x"}):
        with pytest.raises(InvalidTokenError):
            await admit(mapping, typ="Bearer", **more)


# ------------------------------------------------------------------------ subjects


@pytest.mark.parametrize("sub", [7, 0, -1, 2**63])
async def test_a_number_is_a_subject_where_the_mapping_says_so(sub):
    mapping = ClaimMapping(numeric_subject=True)
    assert (await admit(mapping, sub=sub)).subject == str(sub)
    old = legacy(mapping).verify(write(sub=sub))
    assert old.subject == str(sub)
    assert old.claims["sub"] == sub


@pytest.mark.parametrize("sub", [True, 1.5, None, [7], {"id": 7}, "a\nb", 10**300])
async def test_nothing_else_becomes_a_subject(sub):
    with pytest.raises(InvalidTokenError):
        await admit(ClaimMapping(numeric_subject=True), sub=sub)


@pytest.mark.parametrize("sub", ["", None, []])
async def test_a_service_token_has_its_name_elsewhere(sub):
    access = ClaimMapping(subject="common_name")
    assert (await admit(access, sub=sub, common_name="bot")).subject == "bot"
    assert (await admit(access, sub="ada", common_name="bot")).subject == "ada"
    with pytest.raises(InvalidTokenError):
        await admit(access, sub=sub, common_name="")


async def test_every_subject_begins_as_it_must():
    mapping = ClaimMapping(subject_prefix="spiffe://shop.example/")
    inner = "spiffe://shop.example/orders"
    assert (await admit(mapping, sub=inner)).subject == inner
    for other in ("spiffe://shop.example.evil/orders", "orders", 7, None):
        with pytest.raises(InvalidTokenError):
            await admit(mapping, sub=other)


async def test_what_is_needed_is_not_there_while_it_is_empty():
    mapping = ClaimMapping(needs=("jti", ("azp", "appid")))
    assert await admit(mapping, azp="", appid="x")
    for more in ({"azp": ""}, {"appid": None}, {"azp": "x", "jti": ["x"]}):
        with pytest.raises(InvalidTokenError):
            await admit(mapping, **more)


# ------------------------------------------------------------------ scopes and roles

ZITADEL = "urn:zitadel:iam:org:project:roles"


@pytest.mark.parametrize(
    ("mapping", "more", "roles"),
    [
        ({}, {"roles": ["admin", "a b"]}, {"admin", "a b"}),
        ({}, {"roles": "admin"}, {"admin"}),
        ({}, {"roles": "a b"}, {"a b"}),
        ({"role_separator": ","}, {"roles": "admin, a b,"}, {"admin", "a b"}),
        ({"role_separator": " "}, {"roles": "admin editor"}, {"admin", "editor"}),
        ({}, {"roles": [1, "x", None, ["y"], {"z": 1}, True]}, {"1", "x"}),
        ({}, {"roles": 7}, set()),
        ({}, {"roles": True}, set()),
        (
            {"roles": (ZITADEL,)},
            {ZITADEL: {"admin": {"1636": "shop.zitadel.cloud"}, "gone": {}}},
            {"admin"},
        ),
        ({}, {"roles": {"admin": True, "owner": False, "x": None}}, {"admin"}),
        (
            {"roles": (("app", "access", "roles"),)},
            {"app": {"access": {"roles": ["admin"]}}},
            {"admin"},
        ),
        ({"roles": (("app", "roles"),)}, {"app": "roles"}, set()),
        (
            {"roles": (("authorities", "authority"),)},
            {"authorities": [{"authority": "ROLE_ADMIN"}, {"x": 1}, "y"]},
            {"ROLE_ADMIN"},
        ),
    ],
    ids=in_order,
)
async def test_roles_come_in_many_shapes(mapping, more, roles):
    assert (await admit(ClaimMapping(**mapping), **more)).roles == roles


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("a b", {"a", "b"}),
        (["a", "b c"], {"a", "b c"}),
        (7, set()),
        ({"admin": True}, set()),
        ([["admin"]], set()),
        (True, set()),
    ],
    ids=in_order,
)
async def test_a_scope_of_an_odd_shape_allows_nothing(scope, scopes):
    assert (await admit(scope=scope)).scopes == scopes | {"authenticated"}


# ----------------------------------------------------------------------- properties

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.sampled_from([*claims(), "nbf", "sid", "acr", "auth_time", "type", "roles"])
MAPPING = ClaimMapping(numeric_subject=True, role_separator=",", subject="sid")


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_no_claims_raise_anything_but_a_refusal(changes):
    said = freeze({**claims(), **changes})
    try:
        RULES.check(MAPPING.translate(said), NOW)
    except InvalidTokenError:
        return
    assert said["iss"] == ISSUER
    assert all(type(role) is str for role in MAPPING.translate(said)["roles"])


@given(JSON)
def test_names_are_texts_whatever_they_are_read_from(value):
    names = names_at(freeze({"a": {"b": value}}), (("a", "b"), "a"), keys=True)
    assert all(type(name) is str and name for name in names)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_nothing_is_added(changes):
    assert tidy(freeze(changes)).keys() <= changes.keys()
