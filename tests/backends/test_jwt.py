from __future__ import annotations

from functools import partial

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Challenge,
    ConfigurationError,
    Cookie,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    MemoryStore,
    RevocationList,
    RevokedTokenError,
    TokenService,
    TokenVerifier,
    UnavailableError,
)
from asgi_auth.credentials.reader import Credential
from asgi_auth.stores.records import Revocation
from tests import forge
from tests.asgi import Echo, bearer, run


class NetworkStore(MemoryStore):
    """A store that is read from time to time, and can be down."""

    subscribe = None  # type: ignore[assignment]
    is_down = False

    async def feed(self, cursor, *, wait, now=None):
        if self.is_down:
            raise UnavailableError

        return await super().feed(cursor, wait=wait, now=now)


SCOPE = {"type": "http"}


def credential(token, source="header", scheme="bearer"):
    return Credential(token, source, explicit=source != "cookie", scheme=scheme)


def service(**options):
    keys = KeySet.from_secret(forge.SECRET, kid="one")
    return TokenService(keys, issuer=forge.ISSUER, audience=forge.AUDIENCE, **options)


async def test_a_good_token_gives_a_principal():
    backend = JWTBackend(forge.verifier(), name="mine")
    principal = await backend.authenticate(credential(forge.token()), SCOPE)
    assert (principal.subject, principal.source) == ("ada", "header")
    assert principal.backend == "mine"


async def test_no_credential_is_nobody():
    assert await JWTBackend(forge.verifier()).authenticate(None, SCOPE) is None


@pytest.mark.parametrize("revocations", [None, RevocationList(MemoryStore())])
async def test_without_a_memory_a_token_is_good_all_the_same(revocations):
    verifier = forge.verifier(cache_size=0, revocations=revocations)
    app = AuthenticationMiddleware(Echo(), JWTBackend(verifier))
    for _ in range(2):
        answer = await run(app, headers=[bearer(forge.token())])
        assert answer.json()["subject"] == "ada"
    assert (await run(app, headers=[bearer(b"")])).status == 400


async def test_a_token_under_another_scheme_is_not_ours():
    backend = JWTBackend(forge.verifier())
    basic = credential(forge.token(), scheme="basic")
    assert await backend.authenticate(basic, SCOPE) is None


async def test_a_scheme_of_ones_own_is_ours():
    backend = JWTBackend(forge.verifier(), sources=[BearerHeader("JWT")])
    app = Echo()
    guarded = AuthenticationMiddleware(app, backend)
    for _ in range(2):
        header = (b"authorization", b"jwt " + forge.token())
        assert (await run(guarded, headers=[header])).json()["subject"] == "ada"
    assert (await run(guarded, headers=[bearer(forge.token())])).json()["subject"] == ""


async def test_a_bad_token_is_refused():
    backend = JWTBackend(forge.verifier())
    for token in (b"", b"x", forge.token(aud="other"), b"\xff\x00"):
        with pytest.raises(InvalidTokenError):
            await backend.authenticate(credential(token), SCOPE)


async def test_a_token_is_remembered_for_each_way_apart():
    backend = JWTBackend(forge.verifier(), sources=[BearerHeader(), Cookie("access")])
    token = forge.token()
    header = await backend.authenticate(credential(token), SCOPE)
    assert backend.recognise(token, "header") is header
    cookie = backend.recognise(token, "cookie")
    assert (header.source, cookie.source) == ("header", "cookie")


async def test_a_service_brings_its_revocations_along():
    tokens = service()
    backend = JWTBackend(tokens)
    pair = await tokens.issue("ada")
    came = credential(pair.access_token.encode())
    principal = await backend.authenticate(came, SCOPE)
    assert backend.recognise(came.token, "header") is principal
    await tokens.revoke_session(principal.session_id)
    with pytest.raises(RevokedTokenError):
        backend.recognise(came.token, "header")
    with pytest.raises(RevokedTokenError):
        await backend.authenticate(came, SCOPE)


@pytest.mark.parametrize("cache_size", [4096, 0])
@pytest.mark.parametrize("sources", [(BearerHeader(),), (BearerHeader(), Cookie("a"))])
async def test_an_app_refuses_the_same_with_and_without_a_memory(cache_size, sources):
    store = NetworkStore(clock=lambda: forge.NOW)
    revocations = RevocationList(store, max_staleness=0.0)
    verifier = forge.verifier(cache_size=cache_size, revocations=revocations)
    app = AuthenticationMiddleware(Echo(), JWTBackend(verifier, sources=sources))
    good, bad = bearer(forge.token()), bearer(forge.token(aud="x"))

    async def statuses():
        return [(await run(app, headers=[header])).status for header in (good, bad)]

    try:
        assert await statuses() == [200, 401]
        assert await statuses() == [200, 401]
        store.is_down = True
        assert await statuses() == [503, 401]
        store.is_down = False
        entry = Revocation(kind="jti", issuer=forge.ISSUER, value="token-1")
        await store.publish([entry], ttl=1000, now=forge.NOW)
        assert await statuses() == [401, 401]
    finally:
        await revocations.aclose()


@pytest.mark.parametrize("cache_size", [4096, 0])
async def test_a_store_in_this_process_is_never_behind(cache_size):
    store = MemoryStore(clock=lambda: forge.NOW)
    verifier = forge.verifier(cache_size=cache_size, revocations=RevocationList(store))
    app = AuthenticationMiddleware(Echo(), JWTBackend(verifier))
    headers = [bearer(forge.token())]
    for _ in range(2):
        assert (await run(app, headers=headers)).status == 200
    entry = Revocation(kind="jti", issuer=forge.ISSUER, value="token-1")
    await store.publish([entry], ttl=1000, now=forge.NOW)
    assert (await run(app, headers=headers)).status == 401


@pytest.mark.parametrize("cache_size", [4096, 0])
async def test_an_authenticate_of_ones_own_is_asked_each_time(cache_size):
    class Picky(JWTBackend):
        asked = 0

        async def authenticate(self, credential, scope):
            Picky.asked += 1
            if scope["path"] == "/closed":
                raise InvalidTokenError

            return await super().authenticate(credential, scope)

    app = AuthenticationMiddleware(Echo(), Picky(forge.verifier(cache_size=cache_size)))
    headers = [bearer(forge.token())]
    for _ in range(3):
        assert (await run(app, headers=headers)).status == 200
    assert (await run(app, "/closed", headers=headers)).status == 401
    assert Picky.asked == 4


async def test_a_quicker_way_counts_only_with_the_authenticate_it_stands_for():
    def veto(self, token, source):
        raise InvalidTokenError

    async def count(self, credential, scope):
        asked.append(credential)
        return await JWTBackend.authenticate(self, credential, scope)

    asked = []
    quick = {"recognise": property(lambda self: partial(veto, self), lambda *_: None)}
    ways = {
        "slow": type("Slow", (JWTBackend,), {"authenticate": count}),
        "both": type("Both", (JWTBackend,), {"authenticate": count, **quick}),
        "below": type(
            "Below", (type("Quick", (JWTBackend,), quick),), {"authenticate": count}
        ),
    }
    for name, kind in ways.items():
        backend = kind(forge.verifier())
        app = AuthenticationMiddleware(Echo(), backend)
        asked.clear()
        for _ in range(2):
            answer = await run(app, headers=[bearer(forge.token())])
            assert answer.status == (401 if name == "both" else 200)
        assert len(asked) == (0 if name == "both" else 2)


def test_a_backend_without_a_source_would_know_nobody():
    with pytest.raises(ConfigurationError, match="source"):
        JWTBackend(forge.verifier(), sources=())


def test_it_says_what_to_send_and_whose_tokens_it_takes():
    challenge = Challenge(params={"realm": "x"})
    backend = JWTBackend(forge.verifier(), challenge=challenge, sources=[Cookie("a")])
    assert backend.challenges == (challenge,)
    assert backend.sources == (Cookie("a"),)
    assert backend.issuers == {forge.ISSUER}
    assert JWTBackend(service()).name == "jwt"


# -------------------------------------------------------------------- claims by shape


def test_it_claims_a_jws_with_its_issuer_whatever_else_is_wrong_with_it():
    claims = JWTBackend(forge.verifier()).claims
    stranger = forge.family("HS256").stranger
    assert claims(credential(forge.token()))
    assert claims(credential(forge.token(key=stranger, exp=0, aud="x")))
    assert not claims(credential(forge.token(iss="https://other.example")))
    assert not claims(credential(forge.token(iss=None)))
    assert not claims(credential(forge.token(iss=[forge.ISSUER])))


@pytest.mark.parametrize("token", [b"", b"opaque", b"a.b.c", b"\xff", b"x" * 9000])
def test_it_does_not_claim_what_is_no_jws(token):
    assert not JWTBackend(forge.verifier()).claims(credential(token))


def test_tokens_without_an_issuer_are_claimed_by_the_name_of_their_key():
    verifier = TokenVerifier(forge.family("HS256").keys, audience=forge.AUDIENCE)
    claims = JWTBackend(verifier).claims
    key = forge.family("HS256").key
    said = forge.claims(iss=None)
    assert claims(credential(forge.sign(forge.header(), said, key)))
    assert not claims(credential(forge.sign(forge.header(kid="two"), said, key)))
    assert not claims(credential(forge.sign(forge.header(kid=None), said, key)))
    assert not claims(credential(forge.token()))
