from __future__ import annotations

import time

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_auth import ConfigurationError, KeySet, MemoryStore, TokenService
from asgi_auth.stores.records import Session
from asgi_auth.testing import FakeClock
from asgi_auth.tokens.issuer import KINDS, TokenIssuer
from tests.examples import some_of
from tests.forge import NOW, OTHER_SECRET, SECRET, b64, unb64

KEYS = KeySet.from_secret(SECRET)
REFRESH_KEYS = KeySet.from_secret(OTHER_SECRET)


def issuer(**options):
    chosen = {"issuer": "me", "audience": "api", "client_id": None, **options}
    return TokenIssuer(KEYS, REFRESH_KEYS, **chosen)


def read(token, secret=SECRET):
    """Read a token with PyJWT, whatever its audience and times."""
    options = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    return jwt.decode(token, secret, algorithms=["HS256"], options=options)


def write(kind="access", subject="ada", *, ttl=60, claims=None, **options):
    return issuer(**options).write(
        KINDS[kind], subject, now=NOW + 0.75, ttl=ttl, claims=claims or {}
    )


def session(**more) -> Session:
    values = {
        "sid": "tag.random",
        "issuer": "me",
        "subject": "ada",
        "seq": 3,
        "created_at": NOW,
        "rotated_at": NOW + 10.5,
        "idle_expires_at": NOW + 1000.5,
        "expires_at": NOW + 5000.5,
        "auth_time": NOW - 0.5,
        **more,
    }
    return Session(**values)


def test_an_access_token_is_what_rfc_9068_asks_for():
    token = write(claims={"scope": "a b"})
    assert jwt.get_unverified_header(token) == {
        "alg": "HS256",
        "typ": "at+jwt",
        "kid": KEYS.signing_key.kid,
    }
    said = read(token)
    assert len(said.pop("jti")) >= 20
    assert said == {
        "iss": "me",
        "sub": "ada",
        "aud": "api",
        "client_id": "api",
        "exp": NOW + 60,
        "iat": NOW,
        "type": "access",
        "scope": "a b",
    }


def test_every_token_has_an_id_of_its_own():
    assert len({read(write())["jti"] for _ in range(50)}) == 50


@pytest.mark.parametrize("kind", ["refresh", "verify", "reset"])
def test_other_kinds_are_for_nobody_else_and_signed_with_their_own_keys(kind):
    token = write(kind)
    with pytest.raises(jwt.InvalidSignatureError):
        read(token)

    said = read(token, OTHER_SECRET)
    assert said["aud"] == f"urn:asgi-auth:{kind}"
    assert said["type"] == kind
    assert "client_id" not in said
    typ = {"refresh": "rt+jwt", "verify": "verify+jwt", "reset": "reset+jwt"}[kind]
    assert jwt.get_unverified_header(token)["typ"] == typ


@pytest.mark.parametrize(
    ("audience", "aud", "client"),
    [
        (None, None, None),
        ("api", "api", "api"),
        (["api"], "api", "api"),
        (("api", "web"), ["api", "web"], "api"),
    ],
)
def test_the_first_audience_is_the_client_unless_there_is_one(audience, aud, client):
    said = read(write(audience=audience))
    assert (said.get("aud"), said.get("client_id")) == (aud, client)
    assert read(write(audience=audience, client_id="spa"))["client_id"] == "spa"


def test_an_audience_of_nobody_is_a_mistake():
    with pytest.raises(ConfigurationError, match="audience"):
        issuer(audience=[])


def test_without_an_issuer_nothing_is_said_of_one():
    assert "iss" not in read(write(issuer=None))


@pytest.mark.parametrize("subject", ["", "a\nb", "x" * 256, 5.0, True, None, "\x00"])
def test_a_subject_that_no_verifier_takes_is_not_signed(subject):
    with pytest.raises(ConfigurationError, match="subject"):
        write(subject=subject)


def test_a_token_that_would_be_too_long_to_be_taken_is_not_signed():
    assert len(write(claims={"x": "y" * 5000})) <= 8192
    with pytest.raises(ConfigurationError, match="8192"):
        write(claims={"x": "y" * 6200})


def test_the_access_token_of_a_session_names_it():
    made = session(acr="mfa", amr=("pwd", "otp"))
    said = read(issuer().access(made, {"scope": "a"}, ttl=60))
    assert said["sid"] == "tag.random"
    assert said["auth_time"] == NOW - 1
    assert (said["acr"], said["amr"]) == ("mfa", ["pwd", "otp"])
    assert (said["iat"], said["exp"]) == (NOW + 10, NOW + 70)
    plain = read(issuer().access(session(), {}, ttl=60))
    assert "acr" not in plain
    assert "amr" not in plain


def test_an_access_token_does_not_outlive_its_session():
    made = session(expires_at=NOW + 30.5)
    assert read(issuer().access(made, {}, ttl=60))["exp"] == NOW + 30


def test_a_repeated_refresh_token_is_the_same_to_the_last_byte():
    first, second = issuer().refresh(session()), issuer().refresh(session())
    assert first == second
    assert issuer().refresh(session(seq=4)) != first
    assert issuer().refresh(session(sid="tag.other")) != first


def test_a_refresh_token_carries_counter_and_session_and_no_rights():
    made = session(claims={"scope": "a", "roles": ["x"]})
    said = read(issuer().refresh(made), OTHER_SECRET)
    assert (said["sid"], said["seq"]) == ("tag.random", 3)
    assert said["exp"] == NOW + 1000
    assert not said.keys() & {"roles", "scope"}


SMALL_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@settings(max_examples=some_of(300), deadline=None)
@given(
    st.text(max_size=260),
    st.lists(st.text(max_size=8), max_size=3),
    st.lists(st.text(max_size=8), max_size=3),
    st.dictionaries(st.text(max_size=8), SMALL_JSON, max_size=4),
)
def test_whatever_is_signed_here_is_taken_here(subject, scopes, roles, claims):
    service = TokenService(KEYS, audience="api", clock=lambda: NOW)
    try:
        token = service.mint(subject, scopes=scopes, roles=roles, claims=claims)
    except ConfigurationError:
        return

    verified = service.verifier.verify(token.encode())
    assert verified.subject == subject
    assert verified.scopes == {*scopes, "authenticated"}
    assert verified.roles == {*roles}
    # A claim without a value is not written.
    said = {name for name, value in claims.items() if value is not None}
    assert said <= verified.claims.keys()


async def test_a_pair_is_dated_by_one_clock():
    clock = FakeClock(NOW)
    service = TokenService(KEYS, store=MemoryStore(clock=time.time), clock=clock)
    pair = await service.issue("ada")
    assert read(pair.access_token)["iat"] == NOW
    assert read(pair.refresh_token)["iat"] == NOW


def test_the_tools_of_these_tests_agree_with_each_other():
    assert unb64(b64(b"\xfb\xff\x00")) == b"\xfb\xff\x00"
