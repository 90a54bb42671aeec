"""What the red team found in the doctor and in the commands."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from functools import partial

import pytest

from asgi_auth.cli.doctor.checks import Patient, examine
from asgi_auth.cli.main import main
from asgi_auth.credentials.sources import BearerHeader, QueryParam
from asgi_auth.guards import requires
from asgi_auth.keys import KeySet
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.sessions import TokenService
from tests.advisories.red_team_world import backend, hello

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------------- the doctor


def found_in(app, workers=1):
    return {fault.code for fault in examine(Patient(app, workers, {}))}


class Layer:
    """A wrapper as monitoring libraries and logging write them."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class Slotted:
    """Without a dictionary, so that any question goes to ``__getattr__``."""

    __slots__ = ("app",)
    __init__, __call__ = Layer.__init__, Layer.__call__

    def __getattr__(self, name):
        raise RuntimeError(name)


def installed(framework="fastapi", sources=(), **options):
    from asgi_auth.integrations import fastapi, litestar, nexios, quart, starlette

    verbs = {
        "starlette": starlette.install,
        "fastapi": fastapi.install,
        "litestar": litestar.install,
        "nexios": nexios.install,
        "quart": quart.install,
    }
    app = made(framework)
    verbs[framework](app, backend(*sources), **options)
    return app


def made(framework):
    if framework == "starlette":
        from starlette.applications import Starlette

        return Starlette()
    if framework == "fastapi":
        from fastapi import FastAPI

        return FastAPI()
    if framework == "litestar":
        from litestar import Litestar

        return Litestar([], openapi_config=None)
    if framework == "nexios":
        from nexios import NexiosApp

        return NexiosApp()

    from quart import Quart

    return Quart(__name__)


FRAMEWORKS = ["starlette", "fastapi", "litestar", "nexios", "quart"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_doctor_finds_the_middleware_below_wrappers_and_mounts(framework):
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    def mounted(app):
        return Starlette(routes=[Mount("/api", Layer(app))])

    for wrap in (ProxyHeadersMiddleware, Layer, Slotted, partial, mounted):
        assert found_in(wrap(installed(framework))) == set()


# Not in Nexios: there, what is added later stands around, and this is not seen.
@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "nexios"])
def test_the_doctor_knows_what_sees_tokens_in_queries(framework):
    app = installed(framework, (BearerHeader(), QueryParam("token")))

    assert found_in(app) == set()
    assert found_in(Layer(app)) == {"not-outermost"}
    assert found_in(partial(Layer(app))) == {"not-outermost"}


def test_the_doctor_takes_cors_where_it_belongs_for_no_fault():
    from fastapi import FastAPI
    from litestar import Litestar
    from litestar.config.cors import CORSConfig
    from starlette.middleware.cors import CORSMiddleware

    from asgi_auth.integrations import fastapi, litestar

    ours = backend(BearerHeader(), QueryParam("token"))
    first = FastAPI()
    first.add_middleware(CORSMiddleware, allow_origins=["https://app.example"])
    fastapi.install(first, ours)
    config = CORSConfig(allow_origins=["https://app.example"])
    second = Litestar([], cors_config=config, openapi_config=None)
    litestar.install(second, ours)

    assert found_in(first) == found_in(second) == set()


def test_the_doctor_sees_a_single_layer_above_the_middleware():
    inner = AuthenticationMiddleware(hello, backend(QueryParam("token")))

    async def logged(scope, receive, send):
        await inner(scope, receive, send)

    assert found_in(inner) == set()
    assert found_in(Layer(inner)) == {"not-outermost"}
    assert found_in(logged) == {"not-outermost"}


def test_a_missing_middleware_hides_no_other_fault_from_the_doctor():
    weak = KeySet.from_secret("abcdefgh1abcdefgh2bacdefgh31abcdefg")
    app = Layer(TokenService(weak, issuer="https://a.example"))

    assert found_in(app) == {"no-middleware", "weak-key", "missing-audience"}


def test_the_doctor_runs_nothing_of_what_it_looks_at():
    called = []

    class Proxy:
        """Like the proxies of werkzeug, Django and wrapt: it asks on any look."""

        @property
        def __class__(self):
            called.append("class")
            raise RuntimeError

        @property
        def __dict__(self):
            called.append("dict")
            raise RuntimeError

        def __getattr__(self, name):
            called.append(name)
            raise RuntimeError(name)

    class Odd(Layer):
        def __init__(self, app):
            super().__init__(app)
            self.held = Proxy()

        @property
        def application(self):
            called.append("application")
            raise RuntimeError

        def __eq__(self, other):
            called.append("eq")
            return True

        __hash__ = None

        def __bool__(self):
            called.append("bool")
            return False

        def __len__(self):
            called.append("len")
            return 0

    app = Odd(Odd(AuthenticationMiddleware(hello, backend(QueryParam("token")))))

    assert found_in(app) == {"not-outermost"}
    assert called == []


def test_the_doctor_looks_at_an_app_that_holds_proxies_of_quart():
    from asgi_auth.integrations.quart import current_user

    app = installed("quart")
    app.extensions["caller"] = current_user
    assert found_in(app) == set()


@pytest.mark.parametrize(
    ("pattern", "faults"),
    [
        (".*", {"wildcard-origin"}),
        (r"https?://.*", {"wildcard-origin"}),
        (r"https://.*\.com", {"wildcard-origin"}),
        (r"https://[a-z.]+\.(com|org|net)(:\d+)?", {"wildcard-origin"}),
        (r"https://(.*\.)?shop\.example", set()),
        (r"https://app\.example", set()),
        ("(", set()),
    ],
)
def test_the_doctor_understands_patterns_that_trust_everybody(pattern, faults):
    app = Layer(AuthenticationMiddleware(hello, backend()))
    app.allow_origin_regex, app.allow_credentials = pattern, True

    assert found_in(app) == faults


def test_the_doctor_sees_a_guard_above_the_decorator_of_a_route():
    from fastapi import FastAPI
    from quart import Quart
    from starlette.requests import Request

    from asgi_auth.integrations import fastapi, quart

    def guarded_in(app, guard, *, late):
        async def page(request: Request):
            raise AssertionError

        if late:
            return guard(app.get("/page")(page))
        return app.get("/page")(guard(page))

    for made, adapter, guard in (
        (FastAPI(), fastapi, requires("a")),
        (Quart("x"), quart, quart.requires("a")),
    ):
        adapter.install(made, backend())
        early = guarded_in(made, guard, late=False)
        assert examine(Patient(made, 1, {}, {"app.page": early})) == []

    for made, adapter, guard in (
        (FastAPI(), fastapi, requires("a")),
        (FastAPI(), fastapi, lambda page: requires("b")(requires("a")(page))),
        (Quart("x"), quart, quart.requires("a")),
    ):
        adapter.install(made, backend())
        late = guarded_in(made, guard, late=True)
        found = examine(Patient(made, 1, {}, {"app.page": late}))
        assert [fault.code for fault in found] == ["skipped-guard"]
        assert "app.page" in found[0].text


# ----------------------------------------------------------------------- the commands


def command(capsys, monkeypatch, *arguments, stdin=b""):
    """Run one command in this process; return its status and all that it wrote."""
    lines = io.TextIOWrapper(io.BytesIO(stdin), "utf-8", errors="surrogateescape")
    monkeypatch.setattr(sys, "stdin", lines)
    status = main([*arguments])
    written = capsys.readouterr()
    return status, written.out + written.err


@pytest.mark.parametrize("verb", ["inspect", "verify"])
@pytest.mark.parametrize("stdin", [b"\xff\xfe", b"a.b.\xed\xa0\x80", "ä.ö.ü".encode()])
def test_bytes_that_are_no_text_are_no_token(capsys, monkeypatch, verb, stdin):
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", "9fYQ2mZr7Wc1Tn5Xv8Kp3Hs6Jd0LgBaE4u")
    status, written = command(capsys, monkeypatch, "token", verb, stdin=stdin)

    assert status == 1
    assert written.replace("\n", "").isprintable()


STORES = [
    "postgresql://ada:s3cret@db:s3cret/x",
    "postgresql://ada:s3cret@[s3cret/x",
    "postgresql://ada:s3cret@127.0.0.1:1/x",
    "postgresql+none://ada:s3cret@db/x",
    "redis://ada:s3cret@127.0.0.1:1",
    "redis://ada:s3cret@127.0.0.1:s3cret",
    "redis://[s3cret",
    "sqlite://ada:s3cret@db/x",
    "mysql://ada:s3cret@db/x",
    "s3 cret",
]


def test_no_error_repeats_the_password_of_a_store(capsys, monkeypatch):
    for url in STORES:
        arguments = ("sessions", "list", "ada", "--store", url)
        status, written = command(capsys, monkeypatch, *arguments)

        assert status == 2
        assert "s3cret" not in written


def test_the_url_of_a_store_need_not_stand_in_the_list_of_processes(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("ASGI_AUTH_STORE", "redis://ada:s3cret@127.0.0.1:1")
    status, written = command(capsys, monkeypatch, "sessions", "list", "ada")

    assert status == 2
    assert "did not answer" in written
    assert "s3cret" not in written
    with contextlib.suppress(SystemExit):
        main(["sessions", "list", "--help"])
    assert "s3cret" not in capsys.readouterr().out


def test_a_pipe_that_is_closed_is_no_crash_and_shows_no_key():
    run_keygen = "from asgi_auth.cli.main import main; exit(main(['keygen']))"
    with subprocess.Popen(
        [sys.executable, "-c", run_keygen],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        written = process.stderr.read()

    assert "Traceback" not in written


@pytest.mark.parametrize("verb", ["inspect", "verify"])
def test_no_token_steers_the_terminal(capsys, monkeypatch, verb):
    keys = KeySet.from_secret("9fYQ2mZr7Wc1Tn5Xv8Kp3Hs6Jd0LgBaE4u")
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", "9fYQ2mZr7Wc1Tn5Xv8Kp3Hs6Jd0LgBaE4u")
    evil = "\x1b]0;owned\x07\x9b2J\u202e\r"
    for said in ({"iss": evil}, {"x": evil}, {evil: 1}, {"sub": evil}, {"aud": evil}):
        token = forged(keys, said)
        _, written = command(
            capsys, monkeypatch, "token", verb, stdin=token.encode() + b"\n"
        )
        assert not {*written} & {sign for sign in evil if not sign.isprintable()}


def forged(keys, claims):
    from asgi_auth.testing import mint_token

    return mint_token(keys, claims=claims, header={"x": "\x1b[2J"})
