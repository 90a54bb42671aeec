"""The second step of a log-in, from Python and against the real routes."""

from __future__ import annotations

import pytest
import trio
from anyio.from_thread import start_blocking_portal

from asgi_auth import AuthenticationMiddleware, ConfigurationError, JWTBackend
from asgi_auth.client import (
    BadAnswerError,
    ClientError,
    LoggedOutError,
    RefreshFailedError,
    Tokens,
)
from asgi_auth.client.errors import WrongCodeError
from asgi_auth.dpop import DPoP, Nonces
from asgi_auth.ratelimit import Limit, Limits, RateLimiter
from asgi_auth.routes import Factor
from asgi_auth.routes.errors import SecondFactorRequiredError
from asgi_auth.testing import FakeClock
from tests.asgi import Echo
from tests.routes.test_factors import Phone, set_up
from tests.routes.world import EMAIL, LOOSE, ORIGIN, PASSWORD, World

LOG_IN = {"email": EMAIL, "password": PASSWORD}
REFRESH = f"{ORIGIN}/auth/refresh"
SILENT = {"pending_token": "t.t.t", "methods": ["totp"]}


class Site:
    """Routes below ``/auth``, whose user has an app, and an API that names callers."""

    def __init__(self, **options):
        self.world = World(prefix="/auth", **{"factors": {}, **options})
        confirmations = [options["dpop"]] if "dpop" in options else []
        backend = JWTBackend(self.world.tokens, confirmations=confirmations)
        self.api = AuthenticationMiddleware(Echo(), backend, required=True)

    async def __call__(self, scope, receive, send):
        app = self.world.routes if scope["path"].startswith("/auth") else self.api
        await app(scope, receive, send)

    async def enrol(self):
        """Give the user an app, and return their phone and recovery codes."""
        await self.world.add()
        async with self.world.client(base=f"{ORIGIN}/auth") as client:
            return await set_up(self.world, client)


async def set_up_with(auth, site, sender):
    """Set an app up for who is logged in already, and return the recovery codes."""
    enrolment = (await sender.post("/auth/factors/totp", auth=auth)).json()
    phone = Phone(site.world, enrolment["uri"])
    body = {"enrolment": enrolment["enrolment"], "code": phone.code()}
    answer = await sender.post("/auth/factors/totp/confirm", json=body, auth=auth)
    codes = answer.json()
    return codes.get("recovery_codes") or codes["recoveryCodes"]


async def begin(client, auth=None, **more):
    answer = await client.post("/auth/login", json={**LOG_IN, **more}, auth=auth)
    assert answer.status_code == 401
    return answer.json()


class Loop:
    """A site that a synchronous client reaches, in an event loop of its own."""

    def __init__(self, site, kit, portal):
        self.site = site
        self.library = kit.library
        self.portal = portal
        self.client = kit.library.Client(
            transport=kit.library.MockTransport(self.handle), base_url=ORIGIN
        )

    def handle(self, request):
        return self.portal.call(self.ask, request)

    async def ask(self, request):
        transport = self.library.ASGITransport(self.site)
        sent = self.library.Request(
            request.method, request.url, headers=request.headers, content=request.read()
        )
        answer = await transport.handle_async_request(sent)
        body = await answer.aread()
        return self.library.Response(
            answer.status_code, headers=answer.headers, content=body
        )


@pytest.fixture
def loop(kit):
    with start_blocking_portal() as portal:
        yield Loop(Site(), kit, portal)


def sender_of(kit, site):
    return kit.library.AsyncClient(
        transport=kit.library.ASGITransport(site), base_url=ORIGIN
    )


async def test_one_call_finishes_a_log_in(kit):
    site = Site()
    _, codes = await site.enrol()
    async with sender_of(kit, site) as sender:
        saved = []
        auth = kit.BearerAuth(
            REFRESH, client=sender, save=saved.append, clock=site.world.clock
        )
        tokens = await auth.aconfirm(await begin(sender), codes[0])

        assert auth.tokens is tokens
        assert saved == []
        assert tokens.expires_at == site.world.clock() + 900
        assert (await sender.get("/orders", auth=auth)).status_code == 200
        site.world.clock.advance(901)  # What it has brought is refreshed as any other.
        assert (await sender.get("/orders", auth=auth)).status_code == 200
        assert saved == [auth.tokens]


def test_one_call_finishes_a_log_in_without_an_event_loop(loop, kit):
    phone, _ = loop.portal.call(loop.site.enrol)
    auth = kit.BearerAuth(REFRESH, client=loop.client, clock=loop.site.world.clock)
    refusal = loop.client.post("/auth/login", json=LOG_IN).json()
    loop.site.world.clock.advance(30)
    assert auth.confirm(refusal, phone.code()) is auth.tokens
    assert loop.client.get("/orders", auth=auth).status_code == 200


async def test_a_client_that_blocks_does_so_in_a_thread(loop, kit):
    _, codes = loop.portal.call(loop.site.enrol)
    auth = kit.BearerAuth(REFRESH, client=loop.client, clock=loop.site.world.clock)
    refusal = loop.client.post("/auth/login", json=LOG_IN).json()
    assert await auth.aconfirm(refusal, codes[0]) is auth.tokens


async def test_after_a_wrong_code_the_same_refusal_takes_a_right_one(kit):
    site = Site()
    _, codes = await site.enrol()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, clock=site.world.clock)
        refusal = await begin(sender)
        with pytest.raises(ClientError) as caught:
            await auth.aconfirm(refusal, "000000")

        assert caught.type is WrongCodeError
        assert caught.value.code == "invalid_code"
        assert auth.tokens is None
        assert await auth.aconfirm(refusal, codes[1]) is auth.tokens


async def test_the_code_of_an_application_of_its_own_is_judged_likewise(kit):
    async def by_phone(account, code):
        if code is None:
            raise SecondFactorRequiredError
        return Factor(acr="mfa", amr=("sms",)) if code == "4711" else False

    site = Site(factors=None, second_factor=by_phone)
    await site.world.add()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, clock=site.world.clock)
        refusal = await begin(sender)
        with pytest.raises(WrongCodeError):
            await auth.aconfirm(refusal, "1174")

        await auth.aconfirm(refusal, "4711")
    claims = await site.world.tokens.verify(auth.tokens.access_token)
    assert claims["amr"] == ("pwd", "sms")


async def test_a_log_in_that_took_too_long_begins_anew(kit):
    site = Site()
    _, codes = await site.enrol()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, clock=site.world.clock)
        refusal = await begin(sender)
        site.world.clock.advance(601)
        with pytest.raises(LoggedOutError, match="anew"):
            await auth.aconfirm(refusal, codes[0])


async def test_too_many_tries_are_no_verdict_about_the_code(kit):
    limits = Limits(**{**LOOSE, "log_in_address": Limit(2, 60)})
    site = Site(limiter=RateLimiter(limits=limits))
    await site.world.add()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, clock=site.world.clock)
        for _ in range(2):
            with pytest.raises(LoggedOutError):
                await auth.aconfirm(SILENT, "000000")
        with pytest.raises(RefreshFailedError, match="429"):
            await auth.aconfirm(SILENT, "000000")


async def test_a_log_in_with_a_key_is_finished_with_that_key(kit):
    clock = FakeClock()
    site = Site(dpop=DPoP(ORIGIN, required=True, clock=clock))
    site.world.clock.advance(clock() - site.world.clock())
    await site.world.add()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, dpop=True, clock=clock)
        first = await sender.post("/auth/login", json=LOG_IN, auth=auth.for_log_in)
        auth.replace(Tokens.from_answer(first.json(), token_type="DPoP"))
        codes = await set_up_with(auth, site, sender)

        refusal = await begin(sender, auth.for_log_in)
        thief = kit.BearerAuth(REFRESH, client=sender, dpop=True, clock=clock)
        with pytest.raises(LoggedOutError):
            await thief.aconfirm(refusal, codes[0])

        await auth.aconfirm(refusal, codes[0])
        assert (await sender.get("/orders", auth=auth)).status_code == 200


async def test_a_server_whose_nonce_has_changed_gets_another_proof(kit):
    clock = FakeClock()
    nonces = Nonces("o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u", clock=clock)
    site = Site(dpop=DPoP(ORIGIN, required=True, clock=clock, nonces=nonces))
    site.world.clock.advance(clock() - site.world.clock())
    await site.world.add()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, dpop=True, clock=clock)
        first = await sender.post("/auth/login", json=LOG_IN, auth=auth.for_log_in)
        auth.replace(Tokens.from_answer(first.json(), token_type="DPoP"))
        codes = await set_up_with(auth, site, sender)
        refusal = await begin(sender, auth.for_log_in)
        for each in (clock, site.world.clock):
            each.advance(500)
        assert await auth.aconfirm(refusal, codes[0]) is auth.tokens


async def test_names_may_be_written_in_camel_case(kit):
    site = Site(camel_case=True)
    await site.world.add()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, clock=site.world.clock)
        first = await sender.post("/auth/login", json=LOG_IN, auth=None)
        auth.replace(Tokens.from_answer(first.json()))
        codes = await set_up_with(auth, site, sender)
        refusal = await begin(sender)
        assert "pendingToken" in refusal
        assert await auth.aconfirm(refusal, codes[0]) is auth.tokens


async def test_an_answer_that_waits_for_no_code_is_said_to_be_so(kit):
    site = Site(delivery="both")
    _, codes = await site.enrol()
    async with sender_of(kit, site) as sender:
        auth = kit.BearerAuth(REFRESH, client=sender, clock=site.world.clock)
        kept_in_a_cookie = await begin(sender, delivery="cookie")
        for refusal in (kept_in_a_cookie, {"code": "invalid_credentials"}):
            with pytest.raises(BadAnswerError, match="cookie"):
                await auth.aconfirm(refusal, codes[0])


def test_an_asynchronous_client_is_awaited(kit):
    auth = kit.BearerAuth(REFRESH, client=kit.library.AsyncClient())
    with pytest.raises(ConfigurationError, match=r"aconfirm\(\)"):
        auth.confirm(SILENT, "000000")


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (503, None, RefreshFailedError),
        (401, "<h1>Who are you?</h1>", BadAnswerError),
        (404, '{"code": "not_found"}', BadAnswerError),
        (403, '{"code": "account_disabled"}', BadAnswerError),
        (200, "{}", BadAnswerError),
        (200, '{"access_token": "t", "token_type": "DPoP"}', BadAnswerError),
        (200, "x" * 70_000, RefreshFailedError),
    ],
)
def test_what_is_no_verdict_about_the_code_is_not_taken_for_one(
    kit, status, content, error
):
    asked = []

    def handle(request):
        asked.append(str(request.url))
        return kit.library.Response(status, text=content)

    client = kit.library.Client(transport=kit.library.MockTransport(handle))
    auth = kit.BearerAuth(REFRESH, client=client)
    with pytest.raises(error):
        auth.confirm(SILENT, "000000")
    assert asked == [f"{ORIGIN}/auth/login/factor"]
    assert auth.tokens is None


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_log_in_is_finished_on_trio_too(kit, kind):
    pair = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 900}
    transport = kit.library.MockTransport(
        lambda _: kit.library.Response(200, json=pair)
    )
    client = getattr(kit.library, kind)(transport=transport)
    auth = kit.BearerAuth(REFRESH, client=client)
    assert trio.run(auth.aconfirm, SILENT, "000000") is auth.tokens


async def test_an_answer_that_does_not_end_is_not_read_to_its_end(kit):
    transport = kit.library.MockTransport(
        lambda _: kit.library.Response(200, text="x" * 70_000)
    )
    auth = kit.BearerAuth(REFRESH, client=kit.library.AsyncClient(transport=transport))
    with pytest.raises(RefreshFailedError, match="too long"):
        await auth.aconfirm(SILENT, "000000")


async def test_a_server_that_is_down_is_an_outage(kit):
    def fail(request):
        raise kit.library.ConnectError("secret-of-the-driver")

    transport = kit.library.MockTransport(fail)
    one, other = (
        kit.BearerAuth(REFRESH, client=client(transport=transport))
        for client in (kit.library.Client, kit.library.AsyncClient)
    )
    with pytest.raises(RefreshFailedError, match=r": ConnectError$"):
        one.confirm(SILENT, "000000")
    with pytest.raises(RefreshFailedError, match=r": ConnectError$"):
        await other.aconfirm(SILENT, "000000")
