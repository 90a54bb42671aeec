"""What a resource server answers to whom, and what that costs."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    Challenge,
    ConfigurationError,
    Cookie,
    JWTBackend,
    MemoryStore,
    RevocationList,
    UnavailableError,
)
from asgi_auth._drivers.http import HTTPAnswer
from asgi_auth.backends import Client
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.dpop import ClientCertificate, DPoP, Nonces
from asgi_auth.dpop.errors import InvalidProofError
from asgi_auth.keys import Transport
from asgi_auth.metadata import ProtectedResource
from asgi_auth.stores.records import Revocation
from asgi_auth.testing import BackendContract, BackendSample
from tests import forge
from tests.asgi import Echo, converse, run
from tests.dpop import proofs
from tests.dpop.proofs import (
    CLIENT,
    STRANGER,
    Shared,
    bound_token,
    dpop,
    headers,
    proof,
)
from tests.dpop.test_certificates import byte_sequence, thumbprint

SECRET = "o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u"
OPAQUE = b"opaque"


def trusted():
    return TrustedIssuer(
        forge.ISSUER,
        audience=forge.AUDIENCE,
        keys=forge.family("ES256").keys,
        clock=lambda: forge.NOW,
    )


def introspection(confirmations):
    asked = []

    async def fetch(_url, _headers, body):
        asked.append(body)
        said = {"active": True, "sub": "ada", "aud": forge.AUDIENCE}
        if OPAQUE in body:
            said |= {"cnf": {"jkt": CLIENT.thumbprint()}, "token_type": "DPoP"}
        return HTTPAnswer(200, {}, json.dumps(said).encode())

    backend = IntrospectionBackend(
        IntrospectionEndpoint(
            "https://issuer.example/introspect",
            client=Client(id="api", secret="secret"),
            transport=Transport(fetch),
        ),
        issuer=forge.ISSUER,
        audience=forge.AUDIENCE,
        confirmations=confirmations,
        clock=lambda: forge.NOW,
    )
    backend.asked = asked
    return backend


BACKENDS = {
    "jwt": lambda *c: JWTBackend(forge.verifier("ES256"), confirmations=c),
    "jwt without a memory": lambda *c: JWTBackend(
        forge.verifier("ES256", cache_size=0), confirmations=c
    ),
    "issuers": lambda *c: IssuersBackend(trusted(), confirmations=c),
    "chain": lambda *c: BackendChain(
        JWTBackend(forge.verifier("HS256", issuer="https://x.example"), name="other"),
        JWTBackend(forge.verifier("ES256"), confirmations=c),
    ),
    "introspection": lambda *c: introspection(c),
}


def tokens_of(name):
    """Return a bound token, and one that is not."""
    if name == "introspection":
        return OPAQUE, b"plain"
    return bound_token(), forge.token("ES256")


async def ask(backend, fields, path="/orders", **more):
    options = more.pop("options", {"required": True})
    app = AuthenticationMiddleware(Echo(), backend, **options)
    return await run(app, path, headers=fields, **more)


@pytest.mark.parametrize("name", BACKENDS)
async def test_who_has_the_key_gets_in_and_nobody_else(name):
    backend = BACKENDS[name](dpop())
    bound, plain = tokens_of(name)
    used = proof(bound)
    for _ in range(2):
        good = await ask(backend, headers(bound, proof(bound)))
        assert (good.status, good.json()["subject"]) == (200, "ada")

    assert (await ask(backend, headers(bound, used))).status == 200
    for fields, error in [
        (headers(bound, used), "invalid_dpop_proof"),
        (headers(bound), "invalid_dpop_proof"),
        (headers(bound, proof(bound), proof(bound)), "invalid_dpop_proof"),
        (headers(bound, proof(bound, key=STRANGER)), "invalid_dpop_proof"),
        (headers(bound, proof(plain)), "invalid_dpop_proof"),
        (headers(bound, proof(bound), scheme=b"Bearer"), "invalid_token"),
        (headers(bound, scheme=b"Bearer"), "invalid_token"),
        (headers(plain, proof(plain)), "invalid_token"),
    ]:
        refused = await ask(backend, fields)
        assert (refused.status, f'error="{error}"' in challenge_of(refused)) == (
            401,
            True,
        )

    for fields in (headers(plain, scheme=b"Bearer"), headers(bound, proof(bound))):
        assert (await ask(backend, fields)).status == 200


def challenge_of(answer):
    return b", ".join(answer.all("www-authenticate")).decode()


@pytest.mark.parametrize("name", BACKENDS)
async def test_where_it_is_required_no_other_token_will_do(name):
    backend = BACKENDS[name](dpop(required=True))
    bound, plain = tokens_of(name)
    for _ in range(2):
        assert (await ask(backend, headers(bound, proof(bound)))).status == 200
        for fields in (headers(plain, scheme=b"Bearer"), headers(plain, proof(plain))):
            assert (await ask(backend, fields)).status == 401

    if name != "chain":
        nobody = await ask(backend, [])
        assert challenge_of(nobody) == 'DPoP algs="ES256 Ed25519 EdDSA"'


async def test_challenges_say_to_each_scheme_what_concerns_it():
    backend = JWTBackend(
        forge.verifier("ES256"),
        challenge=Challenge(params={"realm": "orders"}),
        confirmations=[dpop()],
    )
    bearer, ours = (await ask(backend, [])).all("www-authenticate")
    assert bearer == b'Bearer realm="orders"'
    assert ours == b'DPoP realm="orders", algs="ES256 Ed25519 EdDSA"'

    bound = bound_token()
    bearer, ours = (await ask(backend, headers(bound))).all("www-authenticate")
    assert bearer == b'Bearer realm="orders"'
    assert b'error="invalid_dpop_proof"' in ours

    refused = await ask(backend, headers(bound, scheme=b"Bearer"))
    assert all(b"invalid_token" in each for each in refused.all("www-authenticate"))


async def test_a_nonce_is_asked_for_and_comes_with_the_refusal():
    nonces = Nonces(SECRET, clock=lambda: forge.NOW)
    policy = dpop(nonces=nonces)
    backend = JWTBackend(forge.verifier("ES256"), confirmations=[policy])
    bound = bound_token()
    refused = await ask(backend, headers(bound, proof(bound)))
    assert refused.status == 401
    assert 'error="use_dpop_nonce"' in challenge_of(refused)
    nonce = refused.header("dpop-nonce")
    assert refused.header("cache-control") == "no-store"

    fields = headers(bound, proof(bound, nonce=nonce))
    good = await ask(backend, fields)
    assert (good.status, good.header("dpop-nonce")) == (200, None)

    app = policy.around(AuthenticationMiddleware(Echo(), backend, required=True))
    fields = headers(bound, proof(bound, nonce=nonce))
    good = await run(app, "/orders", headers=fields)
    assert (good.status, good.header("dpop-nonce")) == (200, nonce)
    refused = await run(app, "/orders", headers=headers(bound, proof(bound)))
    assert refused.header("dpop-nonce") == nonce
    other = await run(app, "/orders", headers=headers(bound))
    assert other.header("dpop-nonce") is None


async def test_what_has_no_nonces_is_not_wrapped():
    app = Echo()
    assert dpop().around(app) is app
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope["type"])

    wrapped = dpop(nonces=Nonces(SECRET)).around(lifespan)
    await wrapped({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


async def test_a_proof_counts_once_for_all_workers_that_share_a_store():
    store, bound = MemoryStore(clock=lambda: forge.NOW), bound_token()
    first, second = (BACKENDS["jwt"](dpop(replay=store)) for _ in range(2))
    used = proof(bound)
    assert (await ask(first, headers(bound, used))).status == 200
    assert (await ask(second, headers(bound, used))).status == 401

    first, second = (BACKENDS["jwt"](dpop(replay="local")) for _ in range(2))
    used = proof(bound)
    assert [
        (await ask(b, headers(bound, used))).status for b in (first, first, second)
    ] == [
        200,
        401,
        200,
    ]
    careless = BACKENDS["jwt"](dpop(replay=None))
    assert [(await ask(careless, headers(bound, used))).status for _ in "12"] == [
        200,
        200,
    ]


async def test_a_proof_is_remembered_for_as_long_as_it_would_be_taken():
    store = Shared()
    backend = BACKENDS["jwt"](dpop(replay=store, max_age=300, skew=60))
    bound = bound_token()
    for age in (300, 0, -60):
        fields = headers(bound, proof(bound, iat=forge.NOW - age))
        assert (await ask(backend, fields)).status == 200

    assert list(store.used.values()) == [61, 361, 421]


async def test_a_store_that_is_down_is_503_and_never_a_pass():
    class Down:
        async def once(self, *_, **__):
            raise UnavailableError

    backend, bound = BACKENDS["jwt"](dpop(replay=Down())), bound_token()
    refused = await ask(backend, headers(bound, proof(bound)), options={})
    assert (refused.status, refused.header("retry-after")) == (503, "1")


async def test_ordinary_bearer_requests_are_asked_nothing():
    class Watched(DPoP):
        async def check(self, *_):
            pytest.fail("a bearer token was asked for a proof")

    policy = Watched(proofs.ORIGIN)
    verifier = forge.verifier("ES256")
    backend = JWTBackend(verifier, confirmations=[policy])
    assert backend.recognise.__code__ is JWTBackend(verifier).recognise.__code__
    for _ in range(3):
        fields = headers(forge.token("ES256"), scheme=b"Bearer")
        assert (await ask(backend, fields)).status == 200


async def test_introspection_is_asked_once_for_many_proofs():
    backend = introspection([dpop()])
    for _ in range(5):
        assert (await ask(backend, headers(OPAQUE, proof(OPAQUE)))).status == 200
    assert len(backend.asked) == 1


async def test_a_token_that_is_revoked_or_forged_needs_no_proof_to_be_refused():
    store = MemoryStore(clock=lambda: forge.NOW)
    revocations = RevocationList(store, clock=lambda: forge.NOW)
    verifier = forge.verifier("ES256", revocations=revocations)
    shared = Shared()
    backend = JWTBackend(verifier, confirmations=[dpop(replay=shared)])
    bound = bound_token()
    assert (await ask(backend, headers(bound, proof(bound)))).status == 200

    revoked = Revocation(kind="jti", issuer=forge.ISSUER, value="token-1")
    await store.publish([revoked], ttl=900)
    for token in (bound, forge.token("ES256", key=forge.family("ES256").stranger)):
        refused = await ask(backend, headers(token, proof(token)))
        assert refused.status == 401
        assert "invalid_token" in challenge_of(refused)
    assert len(shared.used) == 1


async def test_a_feed_that_is_behind_is_waited_for():
    class Network(MemoryStore):
        subscribe = None

    store = Network(clock=lambda: forge.NOW)
    revocations = RevocationList(store, clock=lambda: forge.NOW)
    backend = JWTBackend(
        forge.verifier("ES256", revocations=revocations), confirmations=[dpop()]
    )
    bound = bound_token()
    assert (await ask(backend, headers(bound, proof(bound)))).status == 200
    await revocations.aclose()


@pytest.mark.parametrize(
    "confirmation",
    [
        {},
        "jkt",
        {"jkt": 5},
        {"jkt": None},
        {"jkt": ""},
        {"jkt": CLIENT.thumbprint(), "x5t#S256": "abc"},
        {"jwk": proofs.public()},
        {"kid": "a"},
    ],
)
async def test_what_it_is_bound_to_is_checked_whole_or_not_taken(confirmation):
    token = forge.token("ES256", cnf=confirmation)
    for name in ("jwt", "issuers"):
        refused = await ask(BACKENDS[name](dpop()), headers(token, proof(token)))
        assert refused.status == 401


async def test_a_bound_token_is_taken_from_no_other_source():
    backend = JWTBackend(
        forge.verifier("ES256"),
        sources=[BearerHeader(), Cookie("token")],
        confirmations=[dpop()],
    )
    bound = bound_token()
    cookie = [(b"cookie", b"token=" + bound), (b"dpop", proof(bound))]
    assert (await ask(backend, cookie)).status == 401
    both = [*headers(bound, proof(bound)), (b"authorization", b"Bearer " + bound)]
    assert (await ask(backend, both)).status == 400


async def test_the_scheme_has_no_case_and_names_a_source_once():
    backend = JWTBackend(
        forge.verifier("ES256"),
        sources=[BearerHeader(), BearerHeader("dpop", max_token=16_384)],
        confirmations=[dpop()],
    )
    assert len(backend.sources) == 2
    bound = bound_token()
    assert (
        await ask(backend, headers(bound, proof(bound), scheme=b"dPoP"))
    ).status == 200


async def test_a_socket_may_be_opened_by_who_can_send_a_header():
    app = AuthenticationMiddleware(Echo(), proofs.backend(), required=True)
    bound = bound_token()
    for fields, opened in [
        (headers(bound, proof(bound)), True),
        (headers(bound), False),
    ]:
        sent = await converse(app, "/orders", headers=fields)
        assert (sent[0]["type"] == "websocket.accept") is opened


async def test_metadata_tell_clients_of_it():
    policy = dpop(required=True)
    resource = ProtectedResource(
        proofs.ORIGIN, issuers=[forge.ISSUER], more=policy.resource_metadata
    )
    answer = await run(resource, "/.well-known/oauth-protected-resource")
    assert answer.json()["dpop_bound_access_tokens_required"] is True
    algorithms = ["ES256", "Ed25519", "EdDSA"]
    assert answer.json()["dpop_signing_alg_values_supported"] == algorithms
    assert policy.server_metadata == {"dpop_signing_alg_values_supported": algorithms}
    backend = JWTBackend(
        forge.verifier("ES256"), challenge=resource.challenge, confirmations=[policy]
    )
    assert "resource_metadata=" in challenge_of(await ask(backend, []))


@pytest.mark.parametrize(
    "options",
    [
        {"max_age": 0},
        {"max_age": 301},
        {"skew": -1},
        {"skew": 301},
        {"algorithms": ()},
        {"algorithms": "ES256"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
    ],
)
def test_options_that_would_weaken_it_are_refused(options):
    with pytest.raises(ConfigurationError):
        dpop(**options)


def test_two_confirmations_of_one_kind_are_refused():
    with pytest.raises(ConfigurationError, match="same member"):
        JWTBackend(forge.verifier(), confirmations=[dpop(), dpop()])


async def test_certificates_and_keys_go_together():
    both = [dpop(), ClientCertificate(["10.0.0.1"])]
    backend = JWTBackend(forge.verifier("ES256"), confirmations=both)
    assert [each.scheme for each in backend.challenges] == ["Bearer", "DPoP"]

    mine, other = thumbprint(), thumbprint("other")
    for named, status in [(mine, 200), (other, 401)]:
        bound = {"jkt": CLIENT.thumbprint(), "x5t#S256": named}
        token = forge.token("ES256", cnf=bound)
        fields = headers(token, proof(token))
        fields.append((b"client-cert", byte_sequence()))
        answer = await ask(backend, fields, client=("10.0.0.1", 1))
        assert answer.status == status
        assert (await ask(backend, fields[:1], client=("10.0.0.1", 1))).status == 401


class TestContract(BackendContract):
    """The promises of any backend hold for one with a confirmation too."""

    @pytest.fixture
    def sample(self):
        return BackendSample(
            proofs.backend(),
            subject="ada",
            good=headers(forge.token("ES256"), scheme=b"Bearer"),
            bad=[
                headers(bound_token(), scheme=b"Bearer"),
                headers(bound_token()),
                headers(bound_token(), b"junk"),
                headers(forge.token("ES256"), b"junk"),
            ],
        )


def test_no_secret_shows():
    nonces = Nonces(SECRET)
    policy = DPoP(proofs.ORIGIN, nonces=nonces)
    digest = sha256(SECRET.encode()).hexdigest()
    assert not any(
        SECRET in repr(each) or digest in repr(each) for each in (nonces, policy)
    )


async def test_a_request_for_tokens_may_bring_a_proof():
    policy = dpop()
    used = forge.sign(proofs.header(), proofs.claims(), CLIENT)

    def asked(*values):
        return proofs.scope(headers=[(b"dpop", value) for value in values])

    assert await policy.proven(asked()) is None
    assert await policy.proven(asked(used)) == CLIENT.thumbprint()
    for values in ([used], [b"junk"], [b""], [used, used]):
        with pytest.raises(InvalidProofError):
            await policy.proven(asked(*values))

    careless = dpop(replay=None)
    assert [await careless.proven(asked(used)) for _ in "12"] == [
        CLIENT.thumbprint()
    ] * 2


async def test_strangers_who_ask_for_tokens_do_not_keep_callers_out(monkeypatch):
    monkeypatch.setattr("asgi_auth.dpop.replay._MOST", 3)
    policy = dpop(replay="local")
    for number in range(5):
        made = forge.sign(proofs.header(STRANGER), proofs.claims(), STRANGER)
        asking = policy.proven(proofs.scope(headers=[(b"dpop", made)]))
        if number < 3:
            await asking
        else:
            with pytest.raises(UnavailableError):
                await asking

    bound = bound_token()
    answer = await ask(BACKENDS["jwt"](policy), headers(bound, proof(bound)))
    assert answer.status == 200
