"""``as_user``: what happens to its caller is what happens to a real one."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import anyio
import httpx2
import pytest

from asgi_auth import (
    ANONYMOUS,
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    ConfigurationError,
    Cookie,
    Header,
    JWTBackend,
    KeySet,
    Principal,
    QueryParam,
    ScopePolicy,
    Subprotocol,
    TokenVerifier,
    current_principal,
    extend,
    get_principal,
    requires,
)
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.testing import FakeClock, as_user
from asgi_auth.testing.impersonation import _Pass
from tests.asgi import Echo, bearer, converse, cookie, run, websocket_scope
from tests.testing.applications import plain_http, protect, token_service

ORIGINAL = AuthenticationMiddleware.__call__


@pytest.fixture(autouse=True)
def door_is_closed():
    """Every test, failed or not, leaves the middleware as it was."""
    yield
    assert AuthenticationMiddleware.__call__ is ORIGINAL


def house(**options):
    """Return an application, what is inside of it, and its token service."""
    tokens, echo = options.pop("tokens", None) or token_service(), Echo()
    sources = options.pop("sources", (BearerHeader(),))
    backend = options.pop("backend", None) or JWTBackend(tokens, sources=sources)
    return AuthenticationMiddleware(echo, backend, **options), echo, tokens


class TestAsInProduction:
    async def test_the_principal_equals_that_of_a_real_token(self):
        app, echo, tokens = house()
        token = tokens.mint("ada", scopes=["a", "b"], roles=["editor"])
        await run(app, headers=[bearer(token)])
        await run(as_user(app, "ada", scopes=["a", "b"], roles=["editor"]))

        real, told = (scope["auth"] for scope in echo.scopes)
        for name in ("subject", "issuer", "scopes", "roles", "source", "backend"):
            assert getattr(told, name) == getattr(real, name), name
        for claim in ("sub", "iss", "scope", "roles"):
            assert told.claims[claim] == real.claims[claim]
        assert told.is_authenticated
        assert echo.scopes[1]["user"] is told

    async def test_claims_are_read_only_to_the_last_level(self):
        app, echo, _ = house()
        await run(as_user(app, "ada", claims={"tenant": {"ids": [1]}}))

        claims = echo.scopes[0]["auth"].claims
        assert claims["tenant"]["ids"] == (1,)
        with pytest.raises(TypeError):
            claims["tenant"]["ids"] = ()

    @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
    async def test_it_needs_no_event_loop_of_one_kind(self, anyio_backend):
        app, echo, _ = house(load_user=lambda principal: principal.subject)
        assert (await run(as_user(app, "ada"))).status == 200
        await converse(as_user(app, "ada"))
        assert [scope["user"] for scope in echo.scopes] == ["ada", "ada"]

    @pytest.mark.parametrize("sync", [True, False])
    async def test_the_loader_runs(self, sync):
        def load(principal):
            return {"name": principal.subject.title()}

        async def load_later(principal):
            return load(principal)

        app, echo, _ = house(load_user=load if sync else load_later)
        await run(as_user(app, "ada"))
        assert echo.scopes[0]["user"] == {"name": "Ada"}

    async def test_a_user_that_the_loader_does_not_know_is_refused(self):
        app, echo, _ = house(load_user=lambda principal: None)
        answer = await run(as_user(app, "ada"))

        assert answer.status == 401
        assert 'error="invalid_token"' in answer.header("www-authenticate")
        assert echo.calls == 0

    async def test_guards_refuse_what_is_not_given(self):
        guarded = requires("orders:write")(Echo())
        app = protect(guarded, load_user=None)
        answer = await run(as_user(app, "ada", scopes=["orders:read"]))

        assert answer.status == 403
        assert answer.json()["code"] == "insufficient_scope"
        assert (await run(as_user(app, "ada", scopes=["orders:write"]))).status == 200

    async def test_required_lets_it_in_and_others_not(self):
        app, _, _ = house(required=True)
        assert (await run(as_user(app, "ada"))).status == 200
        assert (await run(app)).status == 401

    async def test_it_is_known_on_public_paths_too(self):
        app, echo, _ = house(required=True, public_paths=["/open"])
        await run(as_user(app, "ada"), "/open")
        assert echo.scopes[0]["auth"].subject == "ada"

    async def test_a_preflight_stays_nobodys(self):
        app, echo, _ = house()
        headers = [(b"origin", b"https://x"), (b"access-control-request-method", b"X")]
        await run(as_user(app, "ada"), method="OPTIONS", headers=headers)
        assert echo.scopes[0]["auth"] is ANONYMOUS

    async def test_the_current_principal_is_tracked(self):
        seen = []

        async def app(scope, receive, send):
            seen.append(current_principal().subject)
            await plain_http(scope, receive, send)

        tracked = protect(
            app, load_user=None, scope_policy=ScopePolicy(track_current=True)
        )
        await run(as_user(tracked, "ada"))
        assert seen == ["ada"]

    async def test_the_scope_is_shared_where_that_is_asked_for(self):
        app, _, _ = house(scope_policy=ScopePolicy(share=True))
        outer = []

        async def tracer(scope, receive, send):
            await app(scope, receive, send)
            outer.append(scope["auth"].subject)

        await run(as_user(tracer, "ada"))
        assert outer == ["ada"]

    async def test_lifespan_passes_through(self):
        seen = []

        async def app(scope, receive, send):
            seen.append(scope)

        scope = {"type": "lifespan"}
        await as_user(protect(app), "ada")(scope, None, None)
        assert seen == [{"type": "lifespan"}]


class TestSources:
    async def test_cookie_users_are_checked_for_their_origin(self):
        app, echo, _ = house(sources=[Cookie("access")])
        told = as_user(app, "ada")
        foreign = [(b"origin", b"https://evil.example"), (b"host", b"api.example")]

        assert (await run(told, method="POST", headers=foreign)).status == 403
        answer = await run(told, method="POST")
        assert (answer.status, answer.header("vary")) == (200, "Cookie")
        assert echo.scopes[0]["auth"].source == "cookie"

    async def test_a_cookie_of_the_client_is_taken_out(self):
        app, echo, tokens = house(sources=[Cookie("access")])
        sent = [cookie(tokens.mint("bob")), (b"cookie", b"theme=dark")]
        await run(as_user(app, "ada"), headers=sent)

        assert echo.scopes[0]["auth"].subject == "ada"
        kept = [v for n, v in echo.scopes[0]["headers"] if n == b"cookie"]
        assert kept == [b"theme=dark; access=as-user"]

    @pytest.mark.parametrize("source", [Header("X-API-Key"), BearerHeader("DPoP")])
    async def test_headers_of_any_name_and_scheme(self, source):
        app, echo, _ = house(sources=[source])
        await run(as_user(app, "ada"))
        assert echo.scopes[0]["auth"].subject == "ada"

    async def test_a_header_is_preferred(self):
        app, echo, _ = house(sources=[QueryParam(), Cookie("access"), BearerHeader()])
        await run(as_user(app, "ada"))
        assert echo.scopes[0]["auth"].source == "header"

    async def test_a_query_parameter_is_blanked_as_ever(self):
        app, echo, tokens = house(sources=[QueryParam("token", http=True)])
        query = b"page=2&token=" + tokens.mint("bob").encode()
        answer = await run(as_user(app, "ada"), query=query)

        assert echo.scopes[0]["auth"].subject == "ada"
        assert b"page=2" in echo.scopes[0]["query_string"]
        assert b"as-user" not in echo.scopes[0]["query_string"]
        assert b"eyJ" not in echo.scopes[0]["query_string"]
        assert answer.header("cache-control") == "private"

    async def test_where_no_client_could_send_any_nobody_calls(self):
        app, echo, _ = house(sources=[QueryParam()])
        await run(as_user(app, "ada"))
        assert echo.scopes[0]["auth"] is ANONYMOUS

        await converse(as_user(app, "ada"))
        assert echo.scopes[1]["auth"].source == "query"

    async def test_a_subprotocol_is_answered_and_taken_out(self):
        app, echo, _ = house(sources=[Subprotocol()])
        sent = await converse(as_user(app, "ada"), subprotocols=["chat"])

        assert echo.scopes[0]["auth"].source == "subprotocol"
        assert echo.scopes[0]["subprotocols"] == ["chat"]
        assert sent[0]["subprotocol"] == "bearer"

    async def test_a_backend_that_asks_for_no_credential(self):
        class Certificate:
            name = "mtls"
            sources = ()
            challenges = ()

            async def authenticate(self, credential, scope):
                return None

        app, echo, _ = house(backend=Certificate(), required=True)
        await run(as_user(app, "ada"))
        assert (echo.scopes[0]["auth"].backend, echo.scopes[0]["auth"].source) == (
            "mtls",
            None,
        )


class TestWho:
    @dataclass
    class Row:
        id: int

    async def test_an_own_user_stands_for_what_the_loader_gives(self):
        app, echo, _ = house(load_user=lambda principal: pytest.fail("not asked"))
        row = self.Row(42)
        await run(as_user(app, row))

        assert echo.scopes[0]["user"] is row
        assert echo.scopes[0]["auth"].subject == "42"

    async def test_an_own_user_with_another_name_for_its_subject(self):
        app, echo, _ = house(load_user=lambda principal: None)
        await run(as_user(app, {"mail": "a@b.example"}, subject="ada"))
        assert echo.scopes[0]["auth"].subject == "ada"

    async def test_an_own_user_without_a_loader_is_told_of(self):
        app, _, _ = house()
        with pytest.raises(ConfigurationError, match="no load_user"):
            await run(as_user(app, self.Row(42)))

    async def test_a_principal_keeps_all_that_it_says(self):
        app, echo, _ = house()
        known = Principal(
            "ada",
            "https://other.example",
            scopes=frozenset({"a"}),
            roles=frozenset({"r"}),
            session_id="sid",
            token_id="jti",
            auth_time=1.0,
            acr="mfa",
            expires_at=2e9,
            claims={"tenant": "t"},
        )
        await run(as_user(app, known, scopes=["b"]))

        found = echo.scopes[0]["auth"]
        assert found.scopes == {"authenticated", "a", "b"}
        assert (found.roles, found.acr, found.auth_time) == ({"r"}, "mfa", 1.0)
        assert (found.session_id, found.token_id) == ("sid", "jti")
        assert (found.issuer, found.expires_at) == ("https://other.example", 2e9)
        assert (found.claims["tenant"], found.claims["exp"]) == ("t", 2_000_000_000)
        assert found.is_authenticated
        assert found.backend == "jwt"

    async def test_step_up_is_tested_with_a_principal(self):
        app = protect(requires(acr="mfa")(Echo()), load_user=None)
        assert (await run(as_user(app, "ada"))).status == 401
        assert (await run(as_user(app, Principal("ada", acr="mfa")))).status == 200

    @pytest.mark.parametrize(
        ("user", "said"),
        [
            ("", "subject"),
            (ANONYMOUS, "subject"),
            (None, "NoneType"),
            (4.2, "float"),
            (object(), "subject=..."),
        ],
    )
    def test_whose_subject_cannot_be_told_is_refused(self, user, said):
        with pytest.raises(ConfigurationError, match=said):
            as_user(plain_http, user)

    @pytest.mark.parametrize(
        "grant",
        [
            {"scopes": "orders:read"},
            {"scopes": ["a b"]},
            {"scopes": ["authenticated"]},
            {"roles": [1]},
            {"claims": {"sub": "eve"}},
            {"claims": {"x": object()}},
        ],
    )
    def test_what_no_token_could_say_is_refused(self, grant):
        with pytest.raises(ConfigurationError):
            as_user(plain_http, "ada", **grant)

    @pytest.mark.parametrize("app", ["ada", object(), httpx2.Client()])
    def test_a_client_is_no_application(self, app):
        with pytest.raises(ConfigurationError, match="ASGI application first"):
            as_user(app, "ada")


class TestBackends:
    @pytest.fixture
    def chained(self):
        verifier = TokenVerifier(
            KeySet.generate("ES256"), issuer="https://partner.example", audience="api"
        )
        inner = BackendChain(JWTBackend(verifier, name="partner"))
        chain = BackendChain(JWTBackend(token_service()), inner)
        return house(backend=chain)

    async def test_the_first_of_a_chain_knows_the_caller(self, chained):
        app, echo, _ = chained
        await run(as_user(app, "ada"))
        assert echo.scopes[0]["auth"].backend == "jwt"

    async def test_another_one_by_its_name(self, chained):
        app, echo, _ = chained
        await run(as_user(app, "ada", backend="partner"))
        found = echo.scopes[0]["auth"]
        assert (found.backend, found.issuer) == ("partner", "https://partner.example")

    async def test_an_unknown_name_is_told_of(self, chained):
        app, _, _ = chained
        with pytest.raises(ConfigurationError, match=r"'apikey', only: jwt, partner"):
            await run(as_user(app, "ada", backend="apikey"))

    async def test_even_if_a_framework_makes_an_answer_of_it(self, chained):
        app, _, _ = chained

        async def swallowing(scope, receive, send):
            try:
                await app(scope, receive, send)
            except ConfigurationError:
                await plain_http(scope, receive, send)

        with pytest.raises(ConfigurationError, match="'apikey'"):
            await run(as_user(swallowing, "ada", backend="apikey"))

    async def test_of_several_issuers_one_must_be_named(self):
        keys = KeySet.generate("ES256")
        one, two = (
            TrustedIssuer(f"https://{name}.example", audience="api", keys=keys)
            for name in ("one", "two")
        )
        app, echo, _ = house(backend=IssuersBackend(one, two))
        with pytest.raises(ConfigurationError, match=r"one of https://one\.example"):
            await run(as_user(app, "ada"))

        await run(as_user(app, "ada", issuer="https://two.example"))
        assert echo.scopes[0]["auth"].issuer == "https://two.example"


class TestMistakes:
    async def test_an_application_without_the_middleware(self):
        with pytest.raises(ConfigurationError, match="no AuthenticationMiddleware"):
            await run(as_user(asks, "ada"))

    async def test_the_error_names_the_request_and_comes_where_it_is_asked(self):
        with pytest.raises(ConfigurationError, match=r"\(GET /orders\)") as raised:
            await run(as_user(asks, "ada"), "/orders")
        with pytest.raises(ConfigurationError, match=r"\(WEBSOCKET /chat\)"):
            await converse(as_user(asks, "ada"), "/chat")
        assert "asks" in [frame.name for frame in raised.traceback]

    @pytest.mark.parametrize("status", [500, 503])
    async def test_even_if_a_framework_makes_a_failure_of_it(self, status):
        app = as_user(asking(status), "ada")
        with pytest.raises(ConfigurationError, match=r"as_user\(\) found no"):
            await run(app)

    async def test_of_a_socket_whatever_it_is_closed_with(self):
        """As Quart does: its client sees a socket that ended as ever."""

        async def app(scope, receive, send):
            await send({"type": "websocket.accept"})
            with contextlib.suppress(ConfigurationError):
                get_principal(scope)
            await send({"type": "websocket.close", "code": 1000})

        with pytest.raises(ConfigurationError, match=r"as_user\(\) found no"):
            await converse(as_user(app, "ada"))

    @pytest.mark.parametrize("status", [200, 401, 403, 404])
    async def test_an_application_may_do_without_a_caller(self, status):
        assert (await run(as_user(asking(status), "ada"))).status == status

    async def test_a_layer_around_the_middleware_may_ask_in_vain(self):
        async def failing(scope, receive, send):
            await answer(send, 500)

        async def logged(scope, receive, send):
            with contextlib.suppress(ConfigurationError):
                get_principal(scope)
            await protect(failing, load_user=None)(scope, receive, send)

        assert (await run(as_user(logged, "ada"))).status == 500

    @pytest.mark.parametrize("status", [200, 403, 404, 500])
    async def test_what_asks_nobody_is_no_mistake_but_a_line_in_the_log(
        self, status, caplog
    ):
        async def app(scope, receive, send):
            await answer(send, status)

        assert (await run(as_user(app, "ada"), "/health")).status == status
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("asgi_auth.testing", "WARNING")
        assert "no AuthenticationMiddleware on the way of GET /health" in caplog.text

    async def test_an_error_on_such_a_way_is_not_hidden(self, caplog):
        async def crash(scope, receive, send):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await converse(as_user(crash, "ada"), "/chat\n")
        assert r"on the way of WEBSOCKET /chat\n:" in caplog.text

    async def test_whoever_is_met_is_no_line_in_the_log(self, caplog):
        app, _, _ = house()
        await run(as_user(app, "ada"))
        await run(as_user(as_user(app, "ada"), "bob"))
        assert caplog.records == []

    async def test_of_a_mount_only_what_asks_is_a_mistake(self):
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse, PlainTextResponse
        from starlette.routing import Mount, Route

        async def health(request):
            return PlainTextResponse("well")

        async def forgotten(request):
            return JSONResponse(get_principal(request.scope).subject)

        async def orders(request):
            return JSONResponse(get_principal(request.scope).subject)

        inner = protect(Starlette(routes=[Route("/orders", orders)]), load_user=None)
        routes = [
            Route("/health", health),
            Route("/forgotten", forgotten),
            Mount("/api", inner),
        ]
        app = as_user(Starlette(routes=routes), "ada")

        assert (await run(app, "/health")).body == b"well"
        assert (await run(app, "/nowhere")).status == 404
        assert (await run(app, "/api/orders")).json() == "ada"
        with pytest.raises(ConfigurationError, match=r"\(GET /forgotten\)"):
            await run(app, "/forgotten")

    async def test_without_as_user_the_sentence_is_that_of_production(self):
        with pytest.raises(ConfigurationError, match=r"call the install\(app, backend"):
            await run(asks)

    async def test_a_guard_without_the_middleware_gets_the_better_sentence(self):
        guarded = requires()(plain_http)
        with pytest.raises(ConfigurationError, match=r"as_user\(\) found no"):
            await run(as_user(guarded, "ada"))

    @pytest.mark.parametrize("form", ["closure", "partial", "list", "global", "lazy"])
    async def test_a_path_outside_of_the_middleware_is_no_mistake(self, form):
        guarded = protect(Echo(), load_user=None)

        async def closure(scope, receive, send):
            chosen = guarded if scope["path"] == "/in" else plain_http
            await chosen(scope, receive, send)

        async def first(apps, scope, receive, send):
            await plain_http(scope, receive, send)

        forms = {
            "closure": closure,
            "partial": functools.partial(first, guarded),
            "list": functools.partial(first, [{"x": (guarded,)}]),
            "global": through_a_global,
            "lazy": functools.partial(first, AuthenticationMiddleware),
        }
        assert (await run(as_user(forms[form], "ada"), "/health")).status == 200

    async def test_an_error_of_the_application_is_not_hidden(self):
        async def crash(scope, receive, send):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await run(as_user(protect(crash), "ada"))

    async def test_a_wrong_configuration_inside_is_not_hidden_either(self):
        async def crash(scope, receive, send):
            raise ConfigurationError("of the application's own")

        with pytest.raises(ConfigurationError, match="own"):
            await run(as_user(protect(crash), "ada"))

    def test_private_attributes_are_not_lent(self):
        told = as_user(protect(Echo()), "ada")
        with pytest.raises(AttributeError):
            told._read  # noqa: B018


async def answer(send, status):
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def asks(scope, receive, send):
    await send({"type": "text", "text": get_principal(scope).subject})


def asking(status):
    """Return an application that asks in vain, and answers with *status*."""

    async def app(scope, receive, send):
        with contextlib.suppress(ConfigurationError):
            get_principal(scope)
        await answer(send, status)

    return app


GUARDED = protect(Echo(), load_user=None)


async def through_a_global(scope, receive, send):
    await (GUARDED if scope["path"] == "/in" else plain_http)(scope, receive, send)


class TestMixing:
    async def test_of_several_the_innermost_counts(self):
        app, echo, _ = house()
        await run(as_user(as_user(app, "ada"), "bob"))
        assert echo.scopes[0]["auth"].subject == "ada"

    async def test_concurrent_callers_do_not_mix(self):
        seen = []
        everybody = anyio.Event()

        async def inner(scope, receive, send):
            before = get_principal(scope).subject
            seen.append(before)
            if len(seen) == 21:
                everybody.set()
            await everybody.wait()
            assert get_principal(scope).subject == before
            await plain_http(scope, receive, send)

        app = protect(inner, load_user=None)
        async with anyio.create_task_group() as group:
            group.start_soon(run, app)  # Nobody, in between.
            for number in range(20):
                group.start_soon(run, as_user(app, f"user{number}"))

        assert sorted(seen) == sorted(["", *(f"user{number}" for number in range(20))])

    def test_threads_do_not_mix(self):
        app, echo, _ = house()
        names = [f"user{number}" for number in range(8)]
        waiting = threading.Barrier(len(names))

        def call(name):
            waiting.wait()
            for _ in range(20):
                asyncio.run(run(as_user(app, name)))

        threads = [threading.Thread(target=call, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        found = [scope["auth"].subject for scope in echo.scopes]
        assert sorted(found) == sorted(names * 20)

    async def test_others_are_verified_while_it_is_being_served(self):
        app, echo, tokens = house()

        async def meanwhile(scope, receive, send):
            good = await run(app, headers=[bearer(tokens.mint("bob"))])
            bad = await run(app, headers=[bearer("as-user")])
            await run(app)
            assert (good.json()["subject"], bad.status) == ("bob", 401)
            assert echo.scopes[-1]["auth"] is ANONYMOUS
            await app(scope, receive, send)

        await run(as_user(meanwhile, "ada"))
        assert echo.scopes[-1]["auth"].subject == "ada"

    async def test_a_cancelled_request_closes_the_door(self):
        async def stuck(scope, receive, send):
            await anyio.sleep_forever()

        with anyio.move_on_after(0.05):
            await run(as_user(protect(stuck, load_user=None), "ada"))
        assert AuthenticationMiddleware.__call__ is ORIGINAL


class Socket:
    """One socket, whose client says and hears what a test wants."""

    def __init__(self, app, **scope):
        self.sent: asyncio.Queue = asyncio.Queue()
        self.said: asyncio.Queue = asyncio.Queue()
        self.said.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(
            app(websocket_scope("/", **scope), self.said.get, self.sent.put)
        )

    async def hear(self):
        return await asyncio.wait_for(self.sent.get(), 20)

    async def leave(self):
        self.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self._task, 20)


async def listens(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        extended = await extend(scope, message["text"])
        await send({"type": "websocket.send", "text": str(extended.expires_at)})


class TestSockets:
    async def test_a_socket_ends_with_the_principal(self):
        clock = FakeClock(time.time())
        app = protect(listens, token_service(clock=clock), load_user=None)
        ends = Principal("ada", expires_at=clock() + 0.2)
        socket = Socket(as_user(app, ends))
        assert (await socket.hear())["type"] == "websocket.accept"

        clock.advance(1)
        closed = await socket.hear()
        assert (closed["type"], closed["code"]) == ("websocket.close", 3000)
        await socket.leave()

    async def test_a_socket_ends_when_its_subject_is_logged_out(self):
        tokens = token_service()
        app = protect(listens, tokens, load_user=None)
        socket = Socket(as_user(app, "ada"))
        other = Socket(as_user(app, "bob"))
        for one in (socket, other):
            assert (await one.hear())["type"] == "websocket.accept"

        await tokens.revoke_subject("ada")
        closed = await socket.hear()
        assert (closed["type"], closed["code"]) == ("websocket.close", 3000)
        await socket.leave()
        assert other.sent.empty()
        await other.leave()
        await tokens.aclose()

    async def test_a_real_token_extends_the_socket(self):
        tokens = token_service()
        app = protect(listens, tokens, load_user=None)
        socket = Socket(as_user(app, Principal("ada", expires_at=time.time() + 60)))
        await socket.hear()
        text = tokens.mint("ada", ttl=600)
        socket.said.put_nowait({"type": "websocket.receive", "text": text})

        assert float((await socket.hear())["text"]) > time.time() + 500
        await socket.leave()
        await tokens.aclose()


class TestTheWire:
    """Nothing that a client, or a server for it, can bring opens the door."""

    LOOKALIKES = (
        True,
        "ada",
        {"caller": "ada", "used": False},
        Principal("ada", is_authenticated=True),
        type("_Pass", (), {"caller": "ada", "used": False})(),
    )

    @pytest.mark.parametrize(
        "value", LOOKALIKES, ids=lambda value: type(value).__name__
    )
    @pytest.mark.parametrize("open_for_another", [False, True])
    async def test_nothing_that_looks_like_it(self, value, open_for_another):
        app, echo, _ = house()
        places = {
            "asgi_auth.testing": value,
            "state": {"asgi_auth.testing": value, "asgi_auth": value},
            "extensions": {"asgi_auth.testing": {"caller": value}},
            "user": value,
            "auth": value,
        }

        async def call(scope, receive, send):
            await run(app, **places)
            await plain_http(scope, receive, send)

        if open_for_another:
            await run(as_user(call, "eve"))
        else:
            await run(call)
        assert echo.scopes[0]["auth"] is ANONYMOUS
        assert echo.scopes[0]["user"] is ANONYMOUS

    @pytest.mark.parametrize(
        "field",
        [
            (b"asgi_auth.testing", b"ada"),
            (b"x-as-user", b"ada"),
            (b"as-user", b"ada"),
            (b"remote-user", b"ada"),
        ],
    )
    async def test_no_header(self, field):
        app, echo, _ = house()
        await run(app, headers=[field], query=b"asgi_auth.testing=ada&as-user=ada")
        assert echo.scopes[0]["auth"] is ANONYMOUS

    @pytest.mark.parametrize(
        "token", [b"as-user", base64.b64encode(b"as-user"), b"as-user.as-user.as-user"]
    )
    async def test_the_stand_in_is_a_bad_token(self, token):
        app, _, _ = house(sources=[BearerHeader(), Cookie("access")], required=True)
        assert (await run(app, headers=[bearer(token)])).status == 401
        assert (await run(app, headers=[cookie(token)])).status == 401

    async def test_even_the_real_object_opens_nothing_by_itself(self):
        app, echo, _ = house()
        told = as_user(app, "ada")
        shown = _Pass(told._caller)
        await run(app, **{"asgi_auth.testing": shown})

        assert echo.scopes[0]["auth"] is ANONYMOUS
        assert not shown.used

    def test_importing_the_kit_changes_nothing(self):
        program = (
            "from asgi_auth import AuthenticationMiddleware as M\n"
            "before = M.__call__, dict(vars(M))\n"
            "import asgi_auth.testing\n"
            "asgi_auth.testing.as_user(print, 'ada')\n"
            "assert (M.__call__, dict(vars(M))) == before\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, timeout=30)

    def test_the_package_does_not_import_the_kit(self):
        program = (
            "import sys, asgi_auth\n"
            "assert not [n for n in sys.modules if n.startswith('asgi_auth.testing')]\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_attributes_of_the_application_are_lent_to_clients():
    class App:
        state = "its own"

        async def __call__(self, scope, receive, send): ...

    told = as_user(App(), "ada")
    assert told.state == "its own"
    with pytest.raises(AttributeError):
        told.missing  # noqa: B018
