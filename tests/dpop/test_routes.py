"""Tokens that the log-in routes bind, and what becomes of that (RFC 9449, 5)."""

from __future__ import annotations

import pyotp
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    MemoryStore,
    Ticket,
    TokenService,
)
from asgi_auth.dpop import DPoP, Nonces
from asgi_auth.dpop.signer import ProofSigner
from asgi_auth.integrations.starlette import install
from asgi_auth.stores.sql import SQLStore
from asgi_auth.tokens.codec import peek
from tests.asgi import Echo, run
from tests.routes.test_tokens import KNOWN, Clients
from tests.routes.world import EMAIL, ORIGIN, PASSWORD, World, assert_problem

SECRET = "o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u"
MINE, THIEFS = ProofSigner(), ProofSigner()
LOG_IN = {"email": EMAIL, "password": PASSWORD}


class Place:
    """A world whose routes know DPoP, and a client with a key."""

    def __init__(self, *, policy=None, **options):
        self.policy = policy or {}
        self.dpop = DPoP(ORIGIN, clock=self.now, **self.policy)
        self.world = World(dpop=self.dpop, **options)

    def now(self):
        return self.world.clock()

    def proof(self, method, path, signer=MINE, **more):
        signer._clock = self.now
        return {"DPoP": signer.sign(method, f"{ORIGIN}{path}", **more)}

    def bound(self, method, path, pair, signer=MINE, **more):
        token = pair["access_token"]
        proof = self.proof(method, path, signer, token=token, **more)
        return {"Authorization": f"DPoP {token}", **proof}


async def log_in(place, client, signer=MINE, **more):
    headers = place.proof("POST", "/login", signer)
    answer = await client.post("/login", json={**LOG_IN, **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def place():
    place = Place()
    await place.world.add()
    return place


@pytest.fixture
async def client(place):
    async with place.world.client() as client:
        yield client


def claims_of(token):
    return peek(token.encode())[1]


async def refresh(place, client, token, signer=MINE, headers=None):
    fields = place.proof("POST", "/refresh", signer) if headers is None else headers
    return await client.post("/refresh", json={"refresh_token": token}, headers=fields)


async def test_whoever_logs_in_with_a_proof_gets_tokens_for_that_key(place, client):
    pair = await log_in(place, client)
    assert pair["token_type"] == "DPoP"
    bound = {"jkt": MINE.thumbprint}
    assert claims_of(pair["access_token"])["cnf"] == bound
    assert claims_of(pair["refresh_token"])["cnf"] == bound

    answer = await client.get("/me", headers=place.bound("GET", "/me", pair))
    assert answer.json()["email"] == EMAIL
    token = pair["access_token"]
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"DPoP {token}"},
        place.bound("GET", "/me", pair, THIEFS),
        place.bound("GET", "/sessions", pair),
    ):
        assert (await client.get("/me", headers=headers)).status_code == 401


async def test_without_a_proof_all_is_as_before(place, client):
    answer = await client.post("/login", json=LOG_IN)
    pair = answer.json()
    assert pair["token_type"] == "Bearer"
    assert "cnf" not in claims_of(pair["access_token"])
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert (await client.get("/me", headers=headers)).status_code == 200

    # Nor can a refresh bind it: whoever came first would have it for itself.
    answer = await refresh(place, client, pair["refresh_token"])
    assert answer.json()["token_type"] == "Bearer"
    assert "cnf" not in claims_of(answer.json()["access_token"])


async def test_a_refresh_can_neither_drop_nor_change_the_binding(place, client):
    pair = await log_in(place, client)
    token = pair["refresh_token"]
    for fields in ({}, place.proof("POST", "/refresh", THIEFS)):
        answer = await refresh(place, client, token, headers=fields)
        assert_problem(answer, 401, "invalid_token")

    for fields in (
        place.proof("GET", "/refresh"),
        place.proof("POST", "/login"),
        {"DPoP": "junk"},
    ):
        answer = await refresh(place, client, token, headers=fields)
        assert_problem(answer, 401, "invalid_dpop_proof")

    # None of these has cost the session anything: it is where it was.
    for _ in range(3):
        answer = await refresh(place, client, pair["refresh_token"])
        assert answer.status_code == 200, answer.text
        pair = answer.json()
        assert pair["token_type"] == "DPoP"
        assert claims_of(pair["access_token"])["cnf"] == {"jkt": MINE.thumbprint}
        assert claims_of(pair["refresh_token"])["cnf"] == {"jkt": MINE.thumbprint}


async def test_retries_and_reuse_are_as_they_were(place, client):
    first = await log_in(place, client)
    token = first["refresh_token"]
    one, two = [(await refresh(place, client, token)).json() for _ in "12"]
    assert one["refresh_token"] == two["refresh_token"]

    place.world.clock.advance(60)
    # Whoever has no key cannot end the session with an old token.
    stolen = await refresh(place, client, token, THIEFS)
    assert_problem(stolen, 401, "invalid_token")
    alive = await refresh(place, client, one["refresh_token"])
    assert alive.status_code == 200

    place.world.clock.advance(60)
    assert_problem(await refresh(place, client, token), 401, "token_reused")
    gone = await refresh(place, client, alive.json()["refresh_token"])
    assert gone.status_code == 401


async def test_a_proof_counts_once_here_too(place, client):
    headers = place.proof("POST", "/login")
    assert (
        await client.post("/login", json=LOG_IN, headers=headers)
    ).status_code == 200
    answer = await client.post("/login", json=LOG_IN, headers=headers)
    assert_problem(answer, 401, "invalid_dpop_proof")


async def test_tokens_in_cookies_are_not_bound():
    place = Place(delivery="both")
    await place.world.add()
    async with place.world.client(headers={"origin": ORIGIN}) as client:
        pair = await log_in(place, client)
        assert pair["token_type"] == "DPoP"
        headers = place.proof("POST", "/login")
        wanted = {**LOG_IN, "delivery": "cookie"}
        answer = await client.post("/login", json=wanted, headers=headers)
        assert_problem(answer, 400, "invalid_request")
        answer = await client.post("/login", json=wanted)
        assert answer.json()["token_type"] == "Bearer"
        headers = place.proof("POST", "/refresh")
        answer = await client.post("/refresh", headers=headers)
        assert_problem(answer, 400, "invalid_request")


async def test_who_proves_to_be_there_again_keeps_the_key(place, client):
    pair = await log_in(place, client)
    answer = await client.post(
        "/reauthenticate",
        json={"password": PASSWORD},
        headers=place.bound("POST", "/reauthenticate", pair),
    )
    fresh = answer.json()
    assert fresh["token_type"] == "DPoP"
    assert claims_of(fresh["refresh_token"])["cnf"] == {"jkt": MINE.thumbprint}


@pytest.mark.parametrize("path", ["/logout", "/logout-all"])
async def test_a_bound_session_can_be_left(place, client, path):
    pair = await log_in(place, client)
    headers = place.bound("POST", path, pair)
    assert (await client.post(path, headers=headers)).status_code == 204
    assert (await refresh(place, client, pair["refresh_token"])).status_code == 401


async def test_a_refresh_token_can_be_revoked_by_whoever_finds_it(place, client):
    pair = await log_in(place, client)
    await client.post("/revoke", json={"token": pair["refresh_token"]})
    assert (await refresh(place, client, pair["refresh_token"])).status_code == 401


async def test_nonces_are_asked_for_and_handed_out():
    nonces = Nonces(SECRET)
    place = Place(policy={"nonces": nonces})
    nonces._clock = place.now
    await place.world.add()
    async with place.world.client() as client:
        headers = place.proof("POST", "/login")
        answer = await client.post("/login", json=LOG_IN, headers=headers)
        assert_problem(answer, 401, "use_dpop_nonce")
        nonce = answer.headers["dpop-nonce"]

        form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
        answer = await client.post(
            "/login", data=form, headers=place.proof("POST", "/login")
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
        assert answer.headers["dpop-nonce"] == nonce

        headers = place.proof("POST", "/login", nonce=nonce)
        answer = await client.post("/login", data=form, headers=headers)
        assert answer.json()["token_type"] == "DPoP"
        assert answer.headers["dpop-nonce"] == nonce
        answer = await client.post("/login", data=form, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (
            400,
            "invalid_dpop_proof",
        )


async def test_in_oauths_form_a_stolen_refresh_token_is_an_invalid_grant(place, client):
    pair = await log_in(place, client)
    form = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
    headers = place.proof("POST", "/refresh", THIEFS)
    answer = await client.post("/refresh", data=form, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_introspection_tells_what_a_token_is_bound_to():
    place = Place(introspection_backend=Clients())
    await place.world.add()
    async with place.world.client() as client:
        pair = await log_in(place, client)
        form = {"token": pair["access_token"]}
        answer = await client.post("/introspect", data=form, headers=KNOWN)
        assert answer.json()["token_type"] == "DPoP"
        assert answer.json()["cnf"] == {"jkt": MINE.thumbprint}


async def test_routes_that_know_nothing_of_it_bind_nothing():
    world = World()
    await world.add()
    async with world.client() as client:
        answer = await client.post("/login", json=LOG_IN, headers={"DPoP": "junk"})
        assert answer.json()["token_type"] == "Bearer"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_any_service_can_bind_what_it_issues(kind, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db"
    store = MemoryStore() if kind == "memory" else SQLStore(url)
    if kind == "sqlite":
        await store.create_schema()

    tokens = TokenService(KeySet.generate("ES256"), store=store)
    pair = await tokens.issue("ada", thumbprint=MINE.thumbprint)
    for thumbprint in (None, "", THIEFS.thumbprint):
        with pytest.raises(InvalidTokenError):
            await tokens.refresh(pair.refresh_token, thumbprint=thumbprint)

    fresh = await tokens.refresh(pair.refresh_token, thumbprint=MINE.thumbprint)
    assert fresh.token_type == "DPoP"
    with pytest.raises(InvalidTokenError):
        await tokens.verify(fresh.access_token)

    await tokens.aclose()
    if kind == "sqlite":
        await store.aclose()


async def test_routes_below_a_middleware_look_at_a_proof_again_and_use_it_up_once(
    place,
):
    api = AuthenticationMiddleware(
        place.world.routes,
        JWTBackend(place.world.tokens, confirmations=[place.dpop]),
        required=True,
        public_paths=place.world.routes.public_paths(""),
    )
    async with place.world.client(app=api) as client:
        pair = await log_in(place, client)
        headers = place.bound("GET", "/me", pair)
        assert (await client.get("/me", headers=headers)).status_code == 200
        for _ in range(2):
            answer = await client.get("/me", headers=headers)
            assert_problem(answer, 401, "invalid_dpop_proof")


@pytest.mark.parametrize("required", [False, True])
async def test_a_ticket_is_fetched_with_a_proof_and_goes_without_one(required):
    place = Place()
    await place.world.add()
    tokens, asked = place.world.tokens, {"path": "/events"}
    policy = DPoP(ORIGIN, required=required, clock=place.now)
    backend = JWTBackend(tokens, sources=[Ticket()], confirmations=[policy])
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    async with place.world.client() as client:
        pair = await log_in(place, client)
        token = pair["access_token"]
        for headers in (
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"DPoP {token}"},
            place.bound("POST", "/me", pair),
            place.bound("POST", "/ticket", pair, THIEFS),
        ):
            answer = await client.post("/ticket", json=asked, headers=headers)
            assert answer.status_code == 401

        headers = place.bound("POST", "/ticket", pair)
        answer = await client.post("/ticket", json=asked, headers=headers)
        query = b"ticket=" + answer.json()["ticket"].encode()
        for path, status in [("/other", 401), ("/events", 200), ("/events", 401)]:
            assert (await run(app, path, query=query)).status == status

        # A ticket of a bearer token is none of a bound one.
        pair = (await client.post("/login", json=LOG_IN)).json()
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        answer = await client.post("/ticket", json=asked, headers=headers)
        query = b"ticket=" + answer.json()["ticket"].encode()
        expected = 401 if required else 200
        assert (await run(app, "/events", query=query)).status == expected


async def test_install_takes_the_key_along_from_the_routes(place):
    async def who(request):
        return PlainTextResponse(request.auth.claims["cnf"]["jkt"])

    tokens, routes = place.world.tokens, place.world.routes
    app = Starlette(routes=[Route("/who", who)])
    install(app, tokens, routes=routes, at="/auth", required=True)
    async with place.world.client(app=app) as client:
        headers = place.proof("POST", "/auth/login")
        pair = (await client.post("/auth/login", json=LOG_IN, headers=headers)).json()
        answer = await client.get("/who", headers=place.bound("GET", "/who", pair))
        assert answer.text == MINE.thumbprint
        me = place.bound("GET", "/auth/me", pair)
        assert (await client.get("/auth/me", headers=me)).json()["email"] == EMAIL

    with pytest.raises(ConfigurationError, match="does not read"):
        install(Starlette(), JWTBackend(tokens), routes=routes)


async def test_who_begins_a_log_in_with_a_key_ends_it_with_that_key():
    place = Place(factors={})
    account = await place.world.add()
    factors, clock = place.world.factors, place.world.clock
    enrolment = factors.begin_totp(account)
    app = pyotp.parse_uri(enrolment.uri)
    await factors.confirm_totp(account, enrolment.token, app.at(int(clock())))
    clock.advance(60)
    async with place.world.client() as client:
        headers = place.proof("POST", "/login")
        first = await client.post("/login", json=LOG_IN, headers=headers)
        assert_problem(first, 401, "second_factor_required")
        token = first.json()["pending_token"]
        body = {"pending_token": token, "code": app.at(int(clock()))}
        for headers in ({}, place.proof("POST", "/login/factor", THIEFS)):
            stolen = await client.post("/login/factor", json=body, headers=headers)
            assert_problem(stolen, 401, "invalid_token")

        headers = place.proof("POST", "/login/factor")
        done = await client.post("/login/factor", json=body, headers=headers)
        assert done.json()["token_type"] == "DPoP"
        claims = claims_of(done.json()["access_token"])
        assert claims["cnf"]["jkt"] == MINE.thumbprint
