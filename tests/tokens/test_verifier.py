from __future__ import annotations

import gc
import hashlib
import hmac
import tracemalloc
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    Key,
    KeySet,
    MemoryStore,
    RevocationList,
    RevokedTokenError,
    TokenService,
    TokenVerifier,
    UnavailableError,
)
from asgi_auth._frozen import FrozenDict
from asgi_auth.stores.records import Revocation
from asgi_auth.testing import FakeClock
from asgi_auth.tokens.codec import UnknownKeyError
from tests import forge

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def judge(verifier, token):
    """Do what a backend does: ask the memory first."""
    return forge.recall(verifier, token) or verifier.verify(token)


def refused(verifier, token, error=InvalidTokenError):
    with pytest.raises(error) as caught:
        judge(verifier, token)
    assert isinstance(caught.value, ExpiredTokenError) is (error is ExpiredTokenError)


# ----------------------------------------------------------------------- the token


def test_a_good_token_tells_who_is_calling():
    verified = forge.verifier().verify(
        forge.token(scope="a b", roles=["editor"], sid="s1", acr="mfa", auth_time=5)
    )
    principal = verified.principal("header", "jwt")
    assert principal.subject == "ada"
    assert principal.issuer == forge.ISSUER
    assert principal.scopes == {"a", "b", "authenticated"}
    assert principal.roles == {"editor"}
    assert (principal.source, principal.backend) == ("header", "jwt")
    assert (principal.session_id, principal.token_id) == ("s1", "token-1")
    assert (principal.auth_time, principal.acr) == (5, "mfa")
    assert principal.expires_at == forge.NOW + 600
    assert principal.is_authenticated
    assert principal.error is None


def test_a_token_may_be_text_as_clients_have_it():
    verifier, token = forge.verifier(), forge.token()
    principal = verifier.verify(token.decode()).principal("header", "jwt")
    assert principal.subject == "ada"
    assert forge.recall(verifier, token) is not None, "it is the same one"


@pytest.mark.anyio
async def test_text_that_is_no_token_is_refused_as_bytes_are():
    for text in ("", "a.b.c", "\xe4.b.c", "\ud800"):
        with pytest.raises(InvalidTokenError):
            forge.verifier().verify(text)

        with pytest.raises(InvalidTokenError):
            await forge.verifier().admit(text)


def test_a_token_that_a_service_looked_at_is_as_quick_for_its_caller():
    verified = forge.verifier().verify(forge.token())
    looked_at = verified.first
    caller = verified.principal("header", "jwt")

    assert verified.first is caller
    assert verified.principal("header", "jwt") is caller
    assert verified.principal("cookie", "jwt") is not caller
    assert verified.first is caller
    assert verified.principal(None, None) is looked_at


def test_a_token_has_one_principal_for_each_way_it_came():
    verified = forge.verifier().verify(forge.token())
    header = verified.principal("header", "jwt")
    assert verified.principal("header", "jwt") is header
    assert verified.principal("cookie", "jwt").source == "cookie"
    assert verified.principal("header", "other").backend == "other"
    assert verified.principal("header", "jwt") is header


def test_a_bound_token_has_one_principal_for_each_way_its_key_was_shown():
    verified = forge.verifier().verify(forge.token(cnf={"jkt": "x"}))
    ways = [("header", "jwt"), ("header", "other"), ("cookie", "jwt")]
    callers = [verified.confirmed(*way) for way in ways]
    assert [(one.source, one.backend) for one in callers] == ways
    for way, one in zip(ways, callers, strict=True):
        assert verified.confirmed(*way) is one
        with pytest.raises(InvalidTokenError, match="without a proof"):
            verified.principal(*way)


def test_a_verified_token_does_not_show_what_identifies_it():
    shown = repr(forge.verifier().verify(forge.token(jti="the-jti", sid="the-sid")))
    assert "ada" in shown
    assert "the-jti" not in shown
    assert "the-sid" not in shown


@pytest.mark.parametrize("name", ["scope", "roles"])
@pytest.mark.parametrize("value", [5, {"a": 1}, ["a", 5], True])
def test_scopes_and_roles_of_another_shape_are_refused(name, value):
    refused(forge.verifier(), forge.token(**{name: value}))


@pytest.mark.parametrize("audience", ["", [], ["api", ""], ()])
def test_an_audience_that_everybody_could_name_is_a_mistake(audience):
    with pytest.raises(ConfigurationError, match="audience"):
        forge.verifier(audience=audience)


def test_one_of_several_audiences_is_enough():
    verifier = forge.verifier(audience=["web", "api"])
    assert verifier.verify(forge.token(aud=["api", "x"])).subject == "ada"
    refused(verifier, forge.token(aud="x"))


def test_it_says_whose_tokens_it_takes():
    keys = forge.family("HS256").keys
    verifier = TokenVerifier(keys, issuer=forge.ISSUER)
    assert verifier.issuer == forge.ISSUER
    assert verifier.keys is keys


def test_it_says_which_types_and_which_claims_it_takes():
    keys = forge.family("HS256").keys
    assert TokenVerifier(keys).types == {"at+jwt"}
    assert TokenVerifier(keys, types=["jwt", ""]).types == {"jwt", ""}

    rules = forge.verifier().rules
    assert rules.check(forge.claims(), forge.NOW).expires_at == forge.NOW + 600
    with pytest.raises(InvalidTokenError):
        rules.check(forge.claims(iss="https://other.example"), forge.NOW)


def test_claims_under_other_names_are_judged_and_shown_as_they_came():
    def translate(claims):
        return FrozenDict({**claims, "scope": claims.get("scp", "")})

    verifier = forge.verifier(translate=translate)
    verified = verifier.verify(forge.token(scp="a b"))
    assert verified.scopes == {"a", "b", "authenticated"}
    assert "scope" not in verified.claims
    refused(verifier, forge.token(scp=5))


# ---------------------------------------------------------------------- confusion


@pytest.mark.parametrize("typ", ["rt+jwt", "verify+jwt", "JWT", "", "logout+jwt", None])
def test_a_token_of_another_media_type_is_no_access_token(typ):
    token = forge.sign(forge.header(typ=typ), forge.claims(), forge.family("HS256").key)
    refused(forge.verifier(), token)


@pytest.mark.parametrize("typ", ["JWT", None])
def test_other_peoples_tokens_are_taken_where_their_types_are_named(typ):
    token = forge.sign(forge.header(typ=typ), forge.claims(), forge.family("HS256").key)
    assert forge.verifier(types=("jwt", "")).verify(token).subject == "ada"


KINDS = ("access", "refresh", "verify", "reset")


@pytest.mark.parametrize("presented", KINDS)
@pytest.mark.parametrize("expected", KINDS)
async def test_a_token_is_never_taken_for_one_of_another_kind(presented, expected):
    keys = KeySet.from_secret(forge.SECRET)
    service = TokenService(keys, issuer=forge.ISSUER, audience=forge.AUDIENCE)
    if presented == "refresh":
        token = (await service.issue("ada")).refresh_token
    else:
        token = service.mint("ada", kind=presented)

    if presented == expected:
        assert (await service.verify(token, expected))["sub"] == "ada"
        return

    with pytest.raises(InvalidTokenError):
        await service.verify(token, expected)
    # A service that checks nothing but signature, issuer and audience is safe too.
    if expected == "access":
        with pytest.raises(jwt.InvalidAudienceError):
            jwt.decode(
                token,
                forge.SECRET,
                algorithms=["HS256"],
                audience=forge.AUDIENCE,
                issuer=forge.ISSUER,
            )


def public_texts() -> dict[str, bytes]:
    """Return all that an attacker knows of a public key, as one could write it."""
    key = forge.family("RS256").theirs
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = forge.as_json(forge.family("RS256").key.public().to_jwk())
    return {
        "pem": pem,
        "stripped": pem.strip(),
        "spaces in front": b" \n" + pem,
        "crlf": pem.replace(b"\n", b"\r\n"),
        "pkcs1": key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "der": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "ssh": key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "jwk": jwk,
        "nothing": b"",
    }


@pytest.mark.parametrize("form", public_texts())
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_never_taken_for_a_secret(form, algorithm):
    head = forge.b64(forge.as_json(forge.header(algorithm)))
    signed = head + b"." + forge.b64(forge.as_json(forge.claims()))
    digest = getattr(hashlib, f"sha{algorithm[2:]}")
    mac = hmac.new(public_texts()[form], signed, digest).digest()
    refused(forge.verifier("RS256"), signed + b"." + forge.b64(mac))
    if form != "der":
        with pytest.raises(ConfigurationError):
            Key.from_secret(public_texts()[form], algorithm)


def test_an_issuer_cannot_speak_for_another_with_a_kid_of_the_same_name():
    ours = forge.verifier("ES256", issuer="https://a.example")
    theirs = forge.family("ES256").stranger
    token = forge.token("ES256", iss="https://a.example", key=theirs)
    refused(ours, token)
    assert ours.verify(forge.token("ES256", iss="https://a.example"))


# --------------------------------------------------------------- what is too much


@pytest.mark.parametrize("size", [8193, 100 * 1024, 1024 * 1024])
@pytest.mark.parametrize("filler", [b"A", b".", b"\xff"])
def test_a_long_token_is_refused_without_a_copy_of_it(size, filler):
    token = filler * size
    verifier = forge.verifier(cache_size=0)
    refused(verifier, token)  # warm up
    tracemalloc.start()
    refused(verifier, token)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8000


def test_deeply_nested_json_under_a_good_signature_is_no_crash():
    for opening, closing in (("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")):
        for depth in (10, 400, 900, 5000):
            if depth * len(opening + closing) > 5800:
                continue

            nested = opening * depth + "1" + closing * depth
            payload = forge.as_json(forge.claims())[:-1] + f',"x":{nested}}}'.encode()
            key = forge.family("HS256").key
            token = forge.sign(forge.header(), payload, key)
            assert len(token) <= 8192
            try:
                forge.verifier().verify(token)
            except InvalidTokenError:
                assert depth > 100


@given(st.binary(max_size=200))
def test_no_bytes_break_the_verifier(data):
    verifier = forge.verifier()
    refused(verifier, data)
    refused(verifier, forge.token() + data + b"x")


# -------------------------------------------------------------------- the memory


def test_the_same_token_is_verified_once():
    verifier = forge.verifier()
    token = forge.token()
    assert forge.recall(verifier, token) is None
    verified = verifier.verify(token)
    principal = verified.principal("header", "jwt")
    assert forge.recall(verifier, token) is principal
    assert verifier.cache_stats().hits == 1


def test_without_a_cache_nothing_is_remembered():
    verifier = forge.verifier(cache_size=0)
    token = forge.token()
    assert verifier.verify(token).subject == "ada"
    assert forge.recall(verifier, token) is None
    assert verifier.cache_stats() == (0, 0, 0)


def test_a_remembered_token_expires():
    clock = FakeClock(forge.NOW)
    verifier = forge.verifier(clock=clock)
    token = forge.token()
    judge(verifier, token)
    clock.set(forge.NOW + 599.99)
    assert judge(verifier, token).subject == "ada"
    clock.set(forge.NOW + 600)
    refused(verifier, token, ExpiredTokenError)
    refused(verifier, token, ExpiredTokenError)


def test_a_remembered_token_without_iat_expires_all_the_same():
    clock = FakeClock(forge.NOW)
    verifier = forge.verifier(clock=clock)
    token = forge.token(iat=None)
    judge(verifier, token)
    clock.advance(601)
    refused(verifier, token, ExpiredTokenError)


def test_a_token_that_becomes_valid_later_becomes_valid_later():
    clock = FakeClock(forge.NOW)
    verifier = forge.verifier(clock=clock)
    token = forge.token(nbf=forge.NOW + 100)
    refused(verifier, token)
    clock.advance(95)
    assert judge(verifier, token).subject == "ada"
    clock.advance(-1)
    refused(verifier, token)


def test_a_remembered_token_is_refused_again_when_the_clock_goes_back():
    clock = FakeClock(forge.NOW)
    verifier = forge.verifier(clock=clock)
    for token in (forge.token(), forge.token(iat=None, exp=forge.NOW + 365 * 86400)):
        judge(verifier, token)
        clock.set(forge.NOW - 2 * 86400)
        refused(verifier, token)
        clock.set(forge.NOW)
        assert judge(verifier, token).subject == "ada"


def test_a_remembered_token_goes_with_its_key():
    keys = KeySet([forge.family("ES256").key])
    verifier = TokenVerifier(
        keys, issuer=forge.ISSUER, audience=forge.AUDIENCE, clock=lambda: forge.NOW
    )
    token = forge.token("ES256")
    judge(verifier, token)
    keys.add(Key.generate("ES256", kid="two"))
    assert forge.recall(verifier, token) is None
    assert judge(verifier, token).subject == "ada"
    keys.promote("two")
    keys.remove("one")
    refused(verifier, token, UnknownKeyError)


def test_a_remembered_token_goes_with_its_secret():
    keys = KeySet.from_secret(forge.SECRET, kid="one")
    verifier = TokenVerifier(
        keys, issuer=forge.ISSUER, audience=forge.AUDIENCE, clock=lambda: forge.NOW
    )
    token = forge.token()
    judge(verifier, token)
    keys.replace([Key.from_secret(forge.OTHER_SECRET, kid="one")])
    refused(verifier, token)


def test_refusals_are_not_remembered():
    verifier = forge.verifier()
    for number in range(20):
        refused(verifier, forge.token(aud="x", jti=str(number)))
        refused(verifier, forge.token(key=forge.family("HS256").stranger))
        refused(verifier, forge.token(exp=forge.NOW), ExpiredTokenError)

    assert verifier.cache_stats().size == 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cache_size": 2},
        {"leeway": 5, "skew": 60},
        {"audience": ["api", "web"]},
        {"algorithms": ["HS256"]},
        {"types": ("at+jwt", "jwt", "")},
    ],
    ids=str,
)
def test_an_entry_is_found_by_the_digest_of_the_whole_token_alone(options):
    verifier = forge.verifier(**options)
    token = forge.token()
    verifier.verify(token)
    assert [*verifier._cache.table] == [sha256(token).digest()]


def test_no_live_token_stays_in_memory():
    verifier = forge.verifier()
    token = forge.token(jti="a token to look for")
    verified = verifier.verify(token)
    signature = token.rpartition(b".")[2]
    del token
    gc.collect()
    texts = [o for o in gc.get_referents(verified) if isinstance(o, bytes | str)]
    assert not any(
        signature in (t if isinstance(t, bytes) else t.encode()) for t in texts
    )
    assert verified.token_id == "a token to look for"


def test_the_twin_of_an_ecdsa_signature_is_another_entry_of_the_same_token():
    verifier = forge.verifier("ES256")
    token = forge.token("ES256")
    signed, _, signature = token.rpartition(b".")
    raw = forge.unb64(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    # Of (r, s) and (r, n - s) each is good: that is ECDSA.
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    twin_raw = r.to_bytes(32, "big") + (P256_ORDER - s).to_bytes(32, "big")
    twin = signed + b"." + forge.b64(twin_raw)
    first, second = judge(verifier, token), judge(verifier, twin)
    assert first is not second
    assert first.token_id == second.token_id == "token-1"
    assert verifier.cache_stats().size == 2


def test_a_long_good_token_is_verified_and_not_kept():
    verifier = forge.verifier()
    token = forge.token(pad="x" * 4000)
    assert judge(verifier, token).subject == "ada"
    assert verifier.cache_stats().size == 0


# -------------------------------------------------------------------- revocation


class DownStore(MemoryStore):
    """A store like one on a network: it is read, and it can be down."""

    subscribe = None  # type: ignore[assignment]
    is_down = False

    async def feed(self, cursor, *, wait, now=None):
        if self.is_down:
            raise UnavailableError

        return await super().feed(cursor, wait=wait, now=now)


async def revoke(store, kind, value, issuer=forge.ISSUER):
    entry = Revocation(kind=kind, issuer=issuer, value=value)
    await store.publish([entry], ttl=1000, now=forge.NOW)


@pytest.mark.parametrize(
    ("kind", "value"), [("jti", "token-1"), ("sid", "s1"), ("all", "")]
)
async def test_a_revoked_token_is_refused_remembered_or_not(kind, value):
    store = MemoryStore(clock=lambda: forge.NOW)
    verifier = forge.verifier(revocations=RevocationList(store))
    token = forge.token(sid="s1")
    await verifier.admit(token)
    assert forge.recall(verifier, token)
    await revoke(store, kind, value)
    with pytest.raises(RevokedTokenError):
        forge.recall(verifier, token)
    with pytest.raises(RevokedTokenError):
        await verifier.admit(token)


async def test_the_twin_of_a_revoked_token_is_revoked():
    store = MemoryStore(clock=lambda: forge.NOW)
    verifier = forge.verifier("ES256", revocations=RevocationList(store))
    token = forge.token("ES256")
    signed, _, signature = token.rpartition(b".")
    raw = forge.unb64(signature)
    twin_s = P256_ORDER - int.from_bytes(raw[32:], "big")
    twin = signed + b"." + forge.b64(raw[:32] + twin_s.to_bytes(32, "big"))
    await verifier.admit(twin)
    await revoke(store, "jti", "token-1")
    for either in (token, twin):
        with pytest.raises(RevokedTokenError):
            await verifier.admit(either)


async def test_a_revocation_of_another_issuers_token_hits_nobody_else():
    store = MemoryStore(clock=lambda: forge.NOW)
    verifier = forge.verifier(revocations=RevocationList(store))
    await revoke(store, "jti", "token-1", issuer="https://other.example")
    assert (await verifier.admit(forge.token())).subject == "ada"


async def test_while_revocations_cannot_be_read_nothing_is_admitted():
    store = DownStore(clock=lambda: forge.NOW)
    revocations = RevocationList(store, max_staleness=0.0)
    verifier = forge.verifier(revocations=revocations)
    token = forge.token()
    try:
        assert (await verifier.admit(token)).subject == "ada"
        store.is_down = True
        assert forge.recall(verifier, token) is None
        with pytest.raises(UnavailableError):
            await verifier.admit(token)
        # A forgery needs no store to be refused.
        with pytest.raises(InvalidTokenError):
            await verifier.admit(forge.token(key=forge.family("HS256").stranger))
    finally:
        await revocations.aclose()


async def test_a_revoked_subject_is_out_with_its_sessions_where_that_is_said():
    store = MemoryStore(clock=lambda: forge.NOW)
    verifier = forge.verifier(revocations=RevocationList(store))
    token, loose = forge.token(sid="s1"), forge.token()
    await verifier.admit(token)
    await revoke(store, "subject", "ada")
    assert (await verifier.admit(token)).subject == "ada"
    with pytest.raises(RevokedTokenError):
        await verifier.admit(loose)

    await revoke(store, "whole_subject", "ada")
    for revoked in (token, loose):
        with pytest.raises(RevokedTokenError):
            await verifier.admit(revoked)


async def test_where_nobody_can_revoke_nobody_is_asked():
    verifier = forge.verifier()
    assert (await verifier.admit(forge.token())).subject == "ada"


# ------------------------------------------------------- claims that were verified once


@pytest.mark.anyio
@pytest.mark.parametrize("is_revocable", [False, True])
async def test_claims_are_admitted_as_their_token_was(is_revocable):
    revocations = RevocationList(MemoryStore()) if is_revocable else None
    verifier = forge.verifier(revocations=revocations)
    claims = verifier.verify(forge.token()).claims
    if revocations is not None:
        revocations.fresh_until = -1.0  # As that of a store which was out of reach.

    admitted = await verifier.admit_claims(claims, "ticket", "jwt")

    principal = admitted.principal("ticket", "jwt")
    assert (principal.subject, principal.source) == (claims["sub"], "ticket")
    if revocations is not None:
        await revocations.aclose()


def test_no_token_is_decided_upon_later_with_and_without_a_memory():
    for cache_size in (0, 10):
        assert (
            forge.verifier(cache_size=cache_size).recaller("jwt", decides=True)(b"")
            is None
        )
