from __future__ import annotations

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    Challenge,
    ConfigurationError,
    Cookie,
    InvalidTokenError,
    JWTBackend,
    Principal,
    QueryParam,
    UnavailableError,
    issuer_aware,
)
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import WholeScope
from tests import forge
from tests.asgi import Echo, bearer, cookie, run

A, B = "https://a.example", "https://b.example"


def jwt_of(issuer, algorithm="ES256", **options):
    verifier = forge.verifier(algorithm, issuer=issuer)
    options.setdefault("name", issuer)
    return JWTBackend(verifier, **options)


BEARER = (BearerHeader(),)


class Recording:
    """A backend of somebody else: gives one answer, and remembers being asked.

    It takes every credential for its own.
    """

    challenges = (Challenge("ApiKey"),)

    def __init__(self, answer, *, name="keys", sources=BEARER):
        self.name = name
        self.sources = sources
        self.answer = answer
        self.asked = []

    async def authenticate(self, credential, scope):
        self.asked.append(credential)
        if isinstance(self.answer, Exception):
            raise self.answer

        return self.answer

    def claims(self, credential):
        return True


class Choosy(Recording):
    """Claims what begins with its prefix."""

    def claims(self, credential):
        return credential.token.startswith(b"key-")


def came(token, source="header", scheme="bearer"):
    return Credential(token, source, explicit=source != "cookie", scheme=scheme)


async def ask(chain, credential):
    return await chain.authenticate(credential, {"type": "http"})


KNOWN = Principal("ada", is_authenticated=True)


async def test_each_issuers_token_is_judged_by_its_own_backend():
    chain = BackendChain(jwt_of(A), jwt_of(B, "RS256"))
    assert (await ask(chain, came(forge.token("ES256", iss=A)))).backend == A
    assert (await ask(chain, came(forge.token("RS256", iss=B)))).backend == B


async def test_a_token_of_one_issuer_cannot_speak_for_another():
    chain = BackendChain(jwt_of(A), jwt_of(B, "RS256"))
    for algorithm, issuer in (("RS256", A), ("ES256", B)):
        with pytest.raises(InvalidTokenError):
            await ask(chain, came(forge.token(algorithm, iss=issuer)))


async def test_a_bad_token_that_was_claimed_goes_to_nobody_else():
    lenient = Recording(KNOWN)
    chain = BackendChain(jwt_of(A), lenient)
    for bad in ({"exp": 0}, {"aud": "x"}, {"sub": ""}, {"type": "refresh"}):
        with pytest.raises(InvalidTokenError):
            await ask(chain, came(forge.token("ES256", iss=A, **bad)))
    assert lenient.asked == []


async def test_what_nobody_claims_goes_on_to_the_next():
    chain = BackendChain(jwt_of(A), Recording(KNOWN))
    assert await ask(chain, came(b"opaque")) is KNOWN
    chain = BackendChain(jwt_of(A), jwt_of(B))
    assert await ask(chain, came(b"opaque")) is None


async def test_a_backend_that_claims_by_prefix_is_passed_over_without_it():
    picky = Choosy(InvalidTokenError())
    chain = BackendChain(picky, jwt_of(A))
    assert (await ask(chain, came(forge.token("ES256", iss=A)))).subject == "ada"
    with pytest.raises(InvalidTokenError):
        await ask(chain, came(b"key-of-nobody"))


async def test_a_fault_of_a_backend_that_claims_all_is_final():
    second = Recording(KNOWN, name="second")
    chain = BackendChain(Recording(InvalidTokenError()), second)
    with pytest.raises(InvalidTokenError):
        await ask(chain, came(b"x"))
    assert second.asked == []


@pytest.mark.parametrize("error", [UnavailableError(), KeyError("a bug")])
async def test_an_outage_or_a_bug_is_never_taken_for_not_mine(error):
    second = Recording(KNOWN, name="second")
    chain = BackendChain(Choosy(error), second)
    with pytest.raises(type(error)):
        await ask(chain, came(b"x"))
    assert second.asked == []


async def test_a_fault_without_a_credential_is_final():
    chain = BackendChain(Choosy(InvalidTokenError(), sources=()))
    with pytest.raises(InvalidTokenError):
        await ask(chain, None)


async def test_nobody_is_nobody():
    assert await ask(BackendChain(jwt_of(A), Recording(None)), None) is None


# ---------------------------------------------------------------------------- sources


async def test_a_backend_is_asked_about_its_own_sources_only():
    keys = Recording(
        None, sources=[BearerHeader("ApiKey"), QueryParam("key", http=True)]
    )
    tokens = jwt_of(A, sources=[Cookie("access")])
    app = AuthenticationMiddleware(Echo(), BackendChain(tokens, keys))
    token = forge.token("ES256", iss=A)
    assert (await run(app, headers=[cookie(token)])).json()["subject"] == "ada"
    assert keys.asked == []
    # Remembered or not: a token is not good in a way that its backend did not ask for.
    assert (
        await run(app, headers=[(b"authorization", b"ApiKey " + token)])
    ).status == 401
    assert (await run(app, query=b"key=" + token)).status == 401
    assert len(keys.asked) == 2
    assert (await run(app, headers=[bearer(token)])).json()["subject"] == ""


async def test_a_token_that_a_socket_sends_as_a_message_is_for_all():
    chain = BackendChain(jwt_of(A, sources=[Cookie("access")]))
    token = forge.token("ES256", iss=A)
    assert (await ask(chain, came(token, "message"))).subject == "ada"


async def test_a_backend_without_sources_is_always_asked():
    certificates = Recording(KNOWN, sources=())
    chain = BackendChain(certificates, jwt_of(A))
    app = AuthenticationMiddleware(Echo(), chain)
    assert (await run(app)).json()["subject"] == "ada"
    assert (await run(app, headers=[bearer(b"x")])).json()["subject"] == "ada"
    assert certificates.asked[0] is None


async def test_what_one_backend_remembers_is_found_through_the_chain():
    second = jwt_of(B, "RS256")
    chain = BackendChain(jwt_of(A), second)
    token = forge.token("RS256", iss=B)
    known = await ask(chain, came(token))
    assert chain.recognise(token, "header") is known
    # Of other ways it cannot be told whose a token would be.
    assert chain.recognise(token, "cookie") is None


def test_a_backend_without_claims_is_refused_where_the_chain_is_made():
    class Silent:
        name, sources, challenges = "silent", BEARER, ()

        async def authenticate(self, credential, scope):
            raise AssertionError

        def __getattr__(self, name):
            return getattr(jwt_of(A), name)  # What is handed on is not its own.

    with pytest.raises(ConfigurationError, match="claims"):
        BackendChain(Silent())
    with pytest.raises(ConfigurationError, match="'silent'"):
        BackendChain(jwt_of(A), Silent())


async def test_a_bad_token_is_refused_at_once_by_whoever_claims_it():
    chain = BackendChain(jwt_of(A), jwt_of(B))
    forged = forge.token("ES256", iss=A, exp=0)
    with pytest.raises(InvalidTokenError):
        chain.recognise(forged, "header")
    assert chain.recognise(b"eyJ.nobodys.x", "header") is None
    assert chain.claims(came(forged))
    assert not chain.claims(came(b"eyJ.nobodys.x"))


def test_who_must_be_waited_for_is_not_passed_over():
    known = forge.token("ES256", iss=A)
    assert BackendChain(jwt_of(A)).recognise(known, "header").subject == "ada"
    for first in (Recording(None), Recording(None, sources=())):
        assert BackendChain(first, jwt_of(A)).recognise(known, "header") is None


async def test_a_chain_in_a_chain_asks_who_looks_at_the_whole_scope():
    certificates = Recording(KNOWN, name="mtls", sources=())
    inner = BackendChain(certificates, jwt_of(A))
    assert WholeScope() in inner.sources
    app = AuthenticationMiddleware(Echo(), BackendChain(jwt_of(B), inner))
    assert (await run(app)).json()["subject"] == "ada"


def test_all_ways_and_challenges_are_offered_once():
    first = jwt_of(A, sources=[BearerHeader(), Cookie("a")])
    second = jwt_of(B, sources=[Cookie("a"), Cookie("b")])
    chain = BackendChain(first, second, Recording(None))
    assert chain.sources == (BearerHeader(), Cookie("a"), Cookie("b"))
    assert [c.scheme for c in chain.challenges] == ["Bearer", "ApiKey"]
    assert chain.name == f"{A}+{B}+keys"
    assert chain.issuers == {A, B, "keys"}


async def test_a_refusal_names_every_scheme():
    chain = BackendChain(jwt_of(A), Recording(None))
    app = AuthenticationMiddleware(Echo(), chain, required=True)
    schemes = [v.split()[0] for v in (await run(app)).all("www-authenticate")]
    assert schemes == [b"Bearer", b"ApiKey"]


def test_chains_can_be_chained():
    inner = BackendChain(jwt_of(A), name_free := jwt_of(B))
    outer = BackendChain(inner, Recording(None))
    assert name_free.name in outer.name
    assert outer.issuers == {A, B, "keys"}


def test_a_chain_of_nothing_or_of_equal_names_is_a_mistake():
    with pytest.raises(ConfigurationError, match="name"):
        BackendChain()
    with pytest.raises(ConfigurationError, match="name"):
        BackendChain(jwt_of(A), jwt_of(A))


def test_a_loader_for_several_issuers_must_look_at_the_issuer():
    chain = BackendChain(jwt_of(A), jwt_of(B))
    with pytest.raises(ConfigurationError, match="issuer_aware"):
        AuthenticationMiddleware(Echo(), chain, load_user=lambda principal: principal)
    AuthenticationMiddleware(Echo(), chain, load_user=issuer_aware(lambda p: p))
    AuthenticationMiddleware(Echo(), jwt_of(A), load_user=lambda p: p)
