"""The Python client against our own server, with wrong clocks and nonces."""

from __future__ import annotations

import time
from contextlib import aclosing
from email.utils import formatdate

import httpx
import httpx2
import pytest

from asgi_auth import AuthenticationMiddleware, ConfigurationError, JWTBackend, Key
from asgi_auth.client import LoggedOutError, RefreshFailedError, Tokens
from asgi_auth.client.errors import BadAnswerError
from asgi_auth.client.httpx import BearerAuth as ClassicAuth
from asgi_auth.client.httpx2 import BearerAuth
from asgi_auth.client.proofs import Proofs
from asgi_auth.dpop import DPoP, Nonces, ProofSigner
from tests.asgi import Echo
from tests.routes.world import EMAIL, ORIGIN, PASSWORD, World

SECRET = "o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u"
LOG_IN = {"email": EMAIL, "password": PASSWORD}
API = f"{ORIGIN}/orders"


class Site:
    """Routes below ``/auth`` and a resource, on one origin, with a clock of its own."""

    def __init__(self, *, nonces=True, ahead=0.0):
        self.ahead = ahead
        self.asked = []
        made = Nonces(SECRET, clock=self.now) if nonces else None
        self.dpop = DPoP(ORIGIN, nonces=made, required=True, clock=self.now)
        self.world = World(dpop=self.dpop, prefix="/auth")
        self.world.clock.advance(time.time() - self.world.clock() + ahead)
        backend = JWTBackend(self.world.tokens, confirmations=[self.dpop])
        self.api = AuthenticationMiddleware(Echo(), backend, required=True)

    def now(self):
        return self.world.clock()

    async def __call__(self, scope, receive, send):
        self.asked.append(scope["path"])

        async def dated(message):
            if message["type"] == "http.response.start":
                date = formatdate(self.now(), usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        if scope["path"] == "/moved":
            location = [(b"location", b"/orders")]
            await dated(
                {"type": "http.response.start", "status": 307, "headers": location}
            )
            await dated({"type": "http.response.body"})
            return

        app = self.world.routes if scope["path"].startswith("/auth") else self.api
        await app(scope, receive, dated)


async def opened(site, *, library=httpx2, kind=BearerAuth, **options):
    await site.world.add()
    client = library.AsyncClient(transport=library.ASGITransport(site), base_url=ORIGIN)
    auth = kind(f"{ORIGIN}/auth/refresh", client=client, dpop=True, **options)
    answer = await client.post("/auth/login", json=LOG_IN, auth=auth.for_log_in)
    assert answer.status_code == 200, answer.text
    auth.replace(Tokens.from_answer(answer.json(), token_type="DPoP"))
    return client, auth


@pytest.mark.parametrize("ahead", [0, 3600, -3600])
@pytest.mark.parametrize("nonces", [True, False])
async def test_a_client_finds_out_nonces_and_the_time_by_itself(nonces, ahead):
    site = Site(nonces=nonces, ahead=ahead)
    client, auth = await opened(site)
    assert len(site.asked) == (2 if nonces or ahead else 1)
    async with aclosing(client):
        for _ in range(3):
            answer = await client.get("/orders?page=2", auth=auth)
            assert answer.json()["source"] == "header"

    assert site.asked.count("/orders") == 3


async def test_tokens_are_renewed_with_proofs_of_the_same_key():
    site = Site()
    client, auth = await opened(site)
    first = auth.tokens
    async with aclosing(client):
        site.world.clock.advance(901)  # Two nonces later, and the token has ended.
        answer = await client.get("/orders", auth=auth)
        assert answer.status_code == 200
        assert auth.tokens.refresh_token != first.refresh_token
        assert (await client.get("/orders", auth=auth)).status_code == 200
    assert site.asked.count("/auth/refresh") == 2


async def test_a_redirect_gets_a_proof_of_its_own():
    client, auth = await opened(Site())
    async with aclosing(client):
        answer = await client.get("/moved", auth=auth, follow_redirects=True)
        assert answer.status_code == 200


async def test_a_body_that_cannot_be_repeated_is_not():
    site = Site()
    client, auth = await opened(site)
    site.world.clock.advance(600)

    async def chunks():
        yield b"once"

    async with aclosing(client):
        answer = await client.post("/orders", content=chunks(), auth=auth)
        assert answer.status_code == 401
        answer = await client.post("/orders", content=chunks(), auth=auth)
        assert answer.status_code == 200


async def test_httpx_is_served_alike():
    client, auth = await opened(Site(ahead=600), library=httpx, kind=ClassicAuth)
    async with aclosing(client):
        assert (await client.get("/orders", auth=auth)).status_code == 200


def test_a_synchronous_client_is_served_alike():
    nonce, asked = "a-nonce", []

    def serve(request):
        asked.append(request)
        if len(asked) % 2:
            headers = {"dpop-nonce": f"{nonce}-{len(asked)}"}
            if request.url.path == "/orders":
                headers["www-authenticate"] = 'Bearer, DPoP error="use_dpop_nonce"'
                return httpx2.Response(401, headers=headers)
            return httpx2.Response(
                400, headers=headers, json={"error": "use_dpop_nonce"}
            )

        pair = {"access_token": "a", "refresh_token": "r", "token_type": "dpop"}
        return httpx2.Response(200, json={**pair, "expires_in": 900})

    with httpx2.Client(transport=httpx2.MockTransport(serve)) as client:
        auth = BearerAuth(f"{ORIGIN}/refresh", client=client, dpop=True)
        answer = client.post(f"{ORIGIN}/login", auth=auth.for_log_in)
        auth.replace(Tokens(refresh_token=answer.json()["refresh_token"]))
        assert client.get(API, auth=auth).status_code == 200
        assert client.get("https://other.example/", auth=auth)

    assert [each.url.path for each in asked] == [
        "/login",
        "/login",
        "/refresh",
        "/refresh",
        "/orders",
        "/orders",
        "/",
    ]
    assert "dpop" not in asked[-1].headers
    assert "authorization" not in asked[-1].headers


@pytest.mark.parametrize("kind", [None, "Bearer", "mac"])
async def test_a_server_that_binds_nothing_is_not_good_enough(kind):
    said = {"access_token": "a", "refresh_token": "r", "token_type": kind}
    with pytest.raises(BadAnswerError):
        Tokens.from_answer(said, token_type="DPoP")

    def serve(_):
        return httpx2.Response(200, json=said)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(serve)) as client:
        tokens = Tokens(refresh_token="r")
        auth = BearerAuth(f"{ORIGIN}/refresh", tokens, client=client, dpop=True)
        with pytest.raises(RefreshFailedError, match="DPoP"):
            await client.get(API, auth=auth)


async def test_a_stolen_refresh_token_is_of_no_use_and_ends_nothing():
    site = Site()
    client, auth = await opened(site)
    async with aclosing(client):
        stolen = Tokens(refresh_token=auth.tokens.refresh_token)
        thief = BearerAuth(f"{ORIGIN}/auth/refresh", stolen, client=client, dpop=True)
        with pytest.raises(LoggedOutError):
            await client.get("/orders", auth=thief)
        site.world.clock.advance(901)
        assert (await client.get("/orders", auth=auth)).status_code == 200


async def test_a_key_that_is_kept_outlives_the_process():
    site, key = Site(), Key.generate("ES256")
    await site.world.add()
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(site), base_url=ORIGIN
    ) as client:
        refresh = f"{ORIGIN}/auth/refresh"
        first = BearerAuth(refresh, client=client, dpop=ProofSigner(key))
        answer = await client.post("/auth/login", json=LOG_IN, auth=first.for_log_in)
        tokens = Tokens.from_answer(answer.json(), token_type="DPoP")
        again = ProofSigner(Key.from_jwk(key.to_jwk(insecure_private=True)))
        second = BearerAuth(refresh, tokens, client=client, dpop=again)
        assert (await client.get("/orders", auth=second)).status_code == 200


def test_without_a_key_there_is_nothing_to_log_in_with():
    with pytest.raises(ConfigurationError):
        _ = BearerAuth(f"{ORIGIN}/refresh").for_log_in


def test_what_is_learned_has_a_bound_and_odd_answers_teach_nothing():
    proofs = Proofs(ProofSigner(), lambda: 1000.0)
    for number in range(500):
        proofs.hear(f"https://{number}.example/a", nonce="n", date="junk")
        assert len(proofs._nonces) <= 64

    for body in (b"[", b"[]", b'"x"', b'{"error": 5}', b"[" * 100_000):
        assert not proofs.are_refused(400, (), body)
    assert not proofs.are_refused(401, ['DPoP error="invalid_token"', "junk ,,= "])
    assert not proofs.are_refused(403, ['DPoP error="use_dpop_nonce"'])
    assert not proofs.are_refused(401, ['Bearer error="use_dpop_nonce"'])
    assert proofs.are_refused(
        401, ['Bearer, DPoP algs="ES256", error="use_dpop_nonce"']
    )
