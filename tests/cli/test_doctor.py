from __future__ import annotations

import io
import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    ConfigurationError,
    Cookie,
    JWTBackend,
    Key,
    KeySet,
    QueryParam,
    TokenService,
    requires,
)
from asgi_auth.accounts import ManagedAccounts, MemoryAccounts, SQLAlchemyUsers
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys, SQLAPIKeys
from asgi_auth.backends.assertions import ALB_HEADER, alb
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.cli.doctor.checks import CHECKS, Patient, examine
from asgi_auth.cli.doctor.secrets import doubt_of, place_of
from asgi_auth.cli.doctor.serving import SERVING_CHECKS
from asgi_auth.cli.doctor.stores import unready_stores
from asgi_auth.cli.doctor.token import explain_token
from asgi_auth.cli.main import main
from asgi_auth.factors import MemoryFactors, SQLFactors
from asgi_auth.identities import SQLIdentities
from asgi_auth.passkeys import SQLPasskeys
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.client_address import ClientAddresses
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.routes import AuthRoutes
from asgi_auth.routes.cookies import Cookies
from asgi_auth.stores import SQLAuditLog, SQLStore
from asgi_auth.testing import mint_token

APPS = Path(__file__).parent / "doctor_apps"
SECRET = "pX4hQ7vN2mZ9sK1wT6yR8bC3dF5gJ0lA-uEoIiOaHt_k"


def doctor(*arguments, cwd=APPS, **environ):
    environ = {
        "PATH": "/usr/bin",
        "PYTHONPATH": str(APPS.parents[2]),
        "DOCTOR_SECRET": secrets.token_urlsafe(64),
        **environ,
    }
    return subprocess.run(
        [sys.executable, "-m", "asgi_auth", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=environ,
    )


def examined(app, workers=1, sources=None):
    patient = Patient(app, workers, sources or {})
    return {fault.code for fault in examine(patient, SERVING_CHECKS)}


def make_app(keys=None, *, sources=None, audience="api", app=None):
    keys = keys or KeySet.generate("ES256")
    tokens = TokenService(keys, issuer="https://api.example", audience=audience)
    backend = JWTBackend(tokens, **({} if sources is None else {"sources": sources}))
    return AuthenticationMiddleware(app or answer, backend)


async def answer(scope, receive, send):
    raise AssertionError


def test_all_faults_of_a_bad_app_are_found():
    done = doctor("bad_app:app", "--workers", "2", "--behind-proxy", "--json")

    told = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert {fault["code"] for fault in told["faults"]} == {
        "weak-key",
        "missing-audience",
        "insecure-cookie",
        "memory-store",
        "query-token",
        "no-rate-limit",
        "no-trusted-proxies",
        "wildcard-origin",
        "not-outermost",
        "skipped-guard",
        "memory-accounts",
    }
    assert len(CHECKS) == 12
    assert all(fault["advice"] for fault in told["faults"])
    assert SECRET not in done.stdout + done.stderr


def test_a_proxy_that_is_not_named_is_found():
    def codes(trusted=(), **options):
        app = ClientAddresses(trusted)
        return {fault.code for fault in examine(Patient([app], 1, {}, **options))}

    assert "no-trusted-proxies" not in codes()
    assert "no-trusted-proxies" in codes(behind_proxy=True)
    assert "no-trusted-proxies" not in codes(["10.0.0.0/8"], behind_proxy=True)
    assert "no-trusted-proxies" not in codes(["unix"], behind_proxy=True)


def test_nothing_is_found_in_a_good_app():
    done = doctor("good_app:app", "--workers", "4")

    assert done.returncode == 0, done.stdout
    assert done.stdout == ""
    assert done.stderr == "Nothing was found.\n"


@pytest.fixture
def here(monkeypatch, capsys):
    """Runs the doctor in this process, which is quicker."""
    monkeypatch.chdir(APPS)
    monkeypatch.syspath_prepend(APPS)
    monkeypatch.setenv("DOCTOR_SECRET", secrets.token_urlsafe(64))
    known = {*sys.modules}

    def run(*arguments):
        status = main(["doctor", *arguments])
        return status, *capsys.readouterr()

    yield run
    for name in {*sys.modules} - known:
        if name in {"good_app", "bad_app"}:
            del sys.modules[name]


def test_a_factory_is_called(here):
    assert here("good_app:make_app", "--factory")[0] == 0


def test_faults_are_told_in_words_with_what_to_do(here, monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    status, out, err = here("bad_app:app")

    assert status == 1
    assert "stands in bad_app.py, line " in out
    assert "Make one with asgi-auth keygen" in out
    assert "There are 3 workers" in out
    assert err == "11 faults.\n"


def test_ignored_faults_do_not_count(here):
    told = json.loads(here("bad_app:app", "--json")[1])["faults"]
    codes = {fault["code"] for fault in told}
    ignored = [word for code in codes for word in ("--ignore", code)]

    assert here("bad_app:app", *ignored)[0] == 0


def test_an_app_without_the_middleware_is_a_fault(here):
    status, out, _ = here("bad_app:bare", "--json")

    assert status == 1
    codes = [fault["code"] for fault in json.loads(out)["faults"]]
    # The guarded page next to it in the module is no route of this application.
    assert codes == ["no-middleware"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bad_app"], "not of the form module:app"),
        (["no_such_module:app"], "cannot be imported: ModuleNotFoundError"),
        (["bad_app:none"], "bad_app has no none"),
        (["bad_app:__doc__"], "bad_app:__doc__ is a str, and no ASGI application"),
        (["bad_app:AuthRoutes", "--factory"], "AuthRoutes() fails: TypeError"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence_and_status_2(here, arguments, said):
    status, out, err = here(*arguments)

    assert status == 2
    assert out == ""
    assert said in err


def test_an_odd_number_of_workers_is_status_2(here, monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "many")

    assert here("good_app:app")[0] == 2


def test_a_secret_of_low_worth_or_of_words_is_weak():
    few = make_app(KeySet.from_secret("abcdefgh1abcdefgh2bacdefgh31abcdefg"))
    words = "correct horse battery staple tomato garden window purple"

    assert examined(few) == {"weak-key"}
    assert examined(make_app(KeySet.from_secret(words))) == {"weak-key"}
    assert examined(make_app(KeySet.from_secret(secrets.token_urlsafe(32)))) == set()


def test_the_secret_itself_is_never_told():
    app = make_app(KeySet.from_secret(SECRET))
    faults = examine(Patient(app, 1, {"settings.py": f"\nSECRET = '{SECRET}'\n"}))

    assert "settings.py, line 2" in faults[0].text
    assert SECRET not in repr(faults)


def test_random_bytes_as_secret_are_judged_too():
    keys = KeySet.from_secret(secrets.token_bytes(32))

    assert examined(make_app(keys), sources={"a.py": "x"}) == set()


def test_doubts_and_places_of_texts():
    from asgi_auth._encoding import b64url_encode

    def coded(text):
        return b64url_encode(text.encode()).decode()

    assert doubt_of(coded("aaaaaaaabbbbbbbbccccccccddddddddeeee")).startswith(
        "is worth"
    )
    assert doubt_of(coded(secrets.token_urlsafe(32))) == ""
    assert place_of(coded(SECRET), {"a.py": "nothing"}) == ""


def test_the_middleware_may_stand_below_what_hands_the_scope_on_as_it_is():
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware

    backend = make_app(sources=(QueryParam("token"),))._backend
    ours = Middleware(AuthenticationMiddleware, backend=backend)
    zipped = Middleware(GZipMiddleware)

    assert examined(Starlette(middleware=[ours, zipped])) == set()
    assert examined(Starlette(middleware=[zipped, ours])) == {"not-outermost"}


def test_wrappers_written_as_functions_and_methods_are_seen_through():
    inner = make_app(sources=(QueryParam("token"),))

    async def logged(scope, receive, send):
        await inner(scope, receive, send)

    class Outer:
        def __init__(self):
            self.app = logged

        async def serve(self, scope, receive, send):
            await self.app(scope, receive, send)

    assert examined(inner) == set()
    assert examined(logged) == {"not-outermost"}
    assert examined(Outer()) == {"not-outermost"}
    assert examined(Outer().serve) == {"not-outermost"}


def test_a_middleware_deep_inside_is_found_but_is_not_outermost():
    from starlette.applications import Starlette
    from starlette.routing import Mount

    inner = make_app(sources=(QueryParam("token"),))

    assert examined(Starlette(routes=[Mount("/api", inner)])) == {"not-outermost"}
    plain = Starlette(routes=[Mount("/api", make_app())])
    assert examined(plain) == set()


@pytest.mark.parametrize("name", ["access", "session"])
def test_a_cookie_without_a_prefix_is_insecure(name):
    assert examined(make_app(sources=(Cookie(name),))) == {"insecure-cookie"}
    assert examined(make_app(sources=(Cookie(f"__Host-{name}"),))) == set()


@pytest.mark.parametrize(
    "name", ["fastapi", "litestar", "nexios", "quart", "starlette"]
)
def test_what_adapters_install_is_outermost(name):
    from importlib import import_module

    pytest.importorskip(name, reason=f"platform: there is no {name} for this Python")
    adapter = import_module(f"asgi_auth.integrations.{name}")
    kinds = {"nexios": "NexiosApp", "fastapi": "FastAPI"}
    kind = getattr(
        import_module(_MODULES.get(name, name)), kinds.get(name, name.title())
    )
    app = kind("app") if name == "quart" else kind()
    adapter.install(app, make_app(sources=(QueryParam("token"),))._backend)

    assert examined(app) == set()


_MODULES = {"starlette": "starlette.applications"}


def test_what_stands_around_it_in_nexios_is_seen():
    nexios = pytest.importorskip("nexios", reason="platform: there is no nexios")
    from asgi_auth.integrations.nexios import install

    async def log(request, response, call_next):
        return await call_next()

    app = nexios.NexiosApp()
    app.add_middleware(log)
    install(app, make_app(sources=(QueryParam("token"),))._backend)
    assert examined(app) == set()

    app.add_middleware(log)
    assert examined(app) == {"not-outermost"}
    assert examined(nexios.NexiosApp()) == {"no-middleware"}


def test_a_guard_on_what_is_no_route_is_not_skipped():
    @requires()
    async def charge(request):
        """A service, which routes call by its name."""

    patient = Patient(make_app(), 1, {}, {"shop.charge": charge})
    assert examine(patient) == []


def test_no_layer_is_called_to_find_the_middleware():
    """One may count in Redis, or need what its lifespan would have opened."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    class Counting:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            raise AssertionError

    app = Counting(Starlette(routes=[Mount("/api", Counting(make_app()))]))
    assert examined(app, workers=2) == {"memory-store"}


def test_cors_settings_of_other_frameworks_are_understood():
    from litestar import Litestar
    from litestar.config.cors import CORSConfig

    def app(**more):
        cors = CORSConfig(allow_credentials=True, **more)
        return make_app(app=Litestar(cors_config=cors, openapi_config=None))

    assert examined(app(allow_origins=["*"])) == {"wildcard-origin"}
    assert examined(app(allow_origin_regex="https://.*")) == {"wildcard-origin"}
    assert examined(app(allow_origins=["https://app.example"])) == set()


def test_memory_is_no_fault_of_a_single_worker():
    assert examined(make_app(), workers=1) == set()
    assert examined(make_app(), workers=2) == {"memory-store"}
    assert examined(make_app(audience=None)) == {"missing-audience"}


def test_what_the_header_says_may_stand_for_the_audience():
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/a/b"
    keys = KeySet.generate("ES256")
    issuer = alb(arn, issuer="https://idp.example", keys=keys)
    backend = IssuersBackend(issuer, sources=[ALB_HEADER])
    assert examined(AuthenticationMiddleware(answer, backend)) == set()


def test_cookies_for_all_hosts_below_a_domain_are_found():
    cookies = Cookies(domain="example.com")
    found = [fault.text for fault in examine(Patient([cookies], 1, {}))]
    assert any("example.com" in text for text in found)


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_cors_that_no_preflight_reaches_is_found(inside, required):
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.cors import CORSMiddleware

    cors = Middleware(CORSMiddleware, allow_origins=["https://app.example"])
    tokens = TokenService(KeySet.generate("HS256"), issuer="https://a", audience="a")
    backend = JWTBackend(tokens)
    if inside:
        app = AuthenticationMiddleware(
            Starlette(middleware=[cors]), backend, required=required
        )
    else:
        from asgi_auth.integrations.starlette import install

        app = Starlette(middleware=[cors])
        install(app, backend, required=required)

    assert ("hidden-cors" in examined(app)) is (inside and required)


@pytest.mark.parametrize("way", ["wrapped", "within", "handled", "installed", "around"])
def test_tools_that_take_refusals_for_crashes_are_found(way):
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette_exporter import PrometheusMiddleware

    from asgi_auth import AuthError, RefusalMiddleware
    from asgi_auth.integrations.starlette import install

    tools = [Middleware(PrometheusMiddleware)] if way != "around" else []
    within = [Middleware(RefusalMiddleware)] if way == "within" else []
    app = Starlette(middleware=[*tools, *within])
    tokens = TokenService(KeySet.generate("ES256"), issuer="https://a", audience="a")
    if way == "handled":
        app.add_exception_handler(AuthError, answer)
    if way == "installed":
        install(app, JWTBackend(tokens))
    else:
        app = AuthenticationMiddleware(app, JWTBackend(tokens))
    if way == "around":
        app = PrometheusMiddleware(app)

    assert ("misled-tool" in examined(app)) is (way == "wrapped")


# ------------------------------------------------------------------- how it is served


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (MemoryAccounts(), "memory-accounts"),
        (MemoryAPIKeys(), "memory-api-keys"),
        (MemoryFactors(), "memory-factors"),
        (RateLimiter(), "memory-limits"),
    ],
)
def test_what_each_worker_would_have_to_itself_is_found(part, code):
    assert examined([part], workers=2) >= {code}
    assert code not in examined([part], workers=1)
    assert "memory-limits" not in examined(
        [RateLimiter("redis://127.0.0.1:1")], workers=2
    )


@pytest.mark.parametrize(
    ("limits", "is_loose"),
    [
        ({}, False),
        ({"log_in": Limit(5, seconds=1)}, True),
        ({"failures": Limit(100, seconds=60)}, True),
    ],
)
def test_limits_that_let_an_account_be_guessed_are_found(limits, is_loose):
    assert (
        "loose-limit" in examined([RateLimiter(limits=Limits(**limits))])
    ) is is_loose


@pytest.mark.parametrize(
    ("key", "is_found"),
    [
        (Key.generate("EdDSA"), True),
        (Key.generate("EdDSA").public(), False),
        (Key.generate("Ed25519"), False),
    ],
)
def test_eddsa_where_ed25519_is_meant_is_found(key, is_found):
    assert ("eddsa-name" in examined([key])) is is_found


def test_an_issuer_that_was_not_asked_yet_has_no_key_that_signs():
    trusted = TrustedIssuer("https://sso.example", audience="api")
    app = AuthenticationMiddleware(plain_function, IssuersBackend(trusted))
    assert "eddsa-name" not in examined(app)


protected = make_app()


async def plain_function(scope, receive, send):
    if scope["path"] != "/healthz":
        await protected(scope, receive, send)


def test_a_middleware_under_a_plain_function_is_found():
    assert "no-middleware" not in examined(plain_function)


@pytest.mark.parametrize(
    "kind",
    [
        SQLAPIKeys,
        SQLAccounts,
        SQLAuditLog,
        SQLFactors,
        SQLIdentities,
        SQLPasskeys,
        SQLStore,
    ],
)
async def test_each_store_is_asked(tmp_path, kind):
    store = kind(f"sqlite:///{tmp_path / 'a.db'}")
    (found,) = await unready_stores(Patient([store], 1, {}))
    assert "a table is missing" in found.text


async def test_tables_that_are_missing_are_found_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    patient = Patient([SQLAccounts(url), SQLAccounts(url)], 1, {})
    (found,) = await unready_stores(patient)
    assert found.code == "store-unready"
    assert "a table is missing" in found.text
    store = SQLAccounts(url)
    await store.create_schema()
    await store.aclose()
    assert await unready_stores(patient) == []


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    hashed_password: Mapped[str]
    is_active: Mapped[bool]


class People(SQLAlchemyUsers[Person]):
    """As an application overrides ``account_of``."""


@pytest.mark.parametrize("way", ["sessions", "function"])
async def test_a_model_of_the_application_is_asked_and_its_engine_left_closed(
    tmp_path, way
):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    opened, closed = [], []
    event.listen(engine.sync_engine, "connect", lambda *args: opened.append(args))
    event.listen(engine.sync_engine, "close", lambda *args: closed.append(args))
    sessions = async_sessionmaker(engine)
    names = {}
    if way == "function":
        of_module["sessions"], names = sessions, {"app.engine": engine}
        sessions = open_session

    tokens = TokenService(KeySet.generate("ES256"), issuer="https://api.example")
    accounts = ManagedAccounts(People(Person, sessions), tokens=tokens)
    limiter = RateLimiter(insecure_unlimited=True)
    routes = AuthRoutes(tokens, accounts, limiter=limiter)
    patient = Patient(routes, 1, {}, names)
    (found,) = await unready_stores(patient)
    assert found.code == "store-unready"
    assert "a table is missing" in found.text
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    assert await unready_stores(patient) == []
    assert len(opened) == len(closed) > 0


@pytest.mark.parametrize(
    ("options", "is_found"),
    [
        ({"echo": True}, True),
        ({"echo": True, "hide_parameters": True}, False),
        ({}, False),
    ],
)
def test_an_engine_that_logs_what_statements_say_of_users_is_found(options, is_found):
    engine = create_async_engine("sqlite+aiosqlite://", **options)
    people = People(Person, async_sessionmaker(engine))
    assert ("logged-values" in examined([people])) is is_found


of_module = {}


def open_session():
    """Open one of the module's, which no search through the function finds."""
    return of_module["sessions"]()


# ----------------------------------------------------------------------- one token


def explained(middleware, token):
    is_good, lines = explain_token([middleware], token)
    text = "\n".join(lines)
    assert token not in text
    return is_good, text


def test_a_good_token_is_explained():
    tokens = TokenService(KeySet.generate("ES256"), issuer="me", audience="api")
    app = AuthenticationMiddleware(answer, JWTBackend(tokens))
    is_good, text = explained(app, tokens.mint("ada", scopes=["read"]))
    assert is_good
    assert "backend: jwt" in text
    assert "accepted: 'ada' of issuer 'me'" in text
    assert "'read'" in text


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"aud": "other"}, "aud is 'other', expected ['api']"),
        ({"exp": 1}, "refused (token_expired, 401): exp was"),
    ],
)
def test_the_rule_that_refuses_a_token_is_named(claims, words):
    tokens = TokenService(KeySet.generate("ES256"), issuer="me", audience="api")
    app = AuthenticationMiddleware(answer, JWTBackend(tokens))
    is_good, text = explained(app, mint_token(tokens, claims=claims))
    assert not is_good
    assert words in text


def test_of_a_chain_the_backend_that_claims_a_token_is_named_with_its_source():
    tokens = TokenService(KeySet.generate("ES256"), issuer="me", audience="api")
    keys = APIKeys(MemoryAPIKeys(), prefix="shop")
    jwt = JWTBackend(tokens, sources=[Cookie("__Host-access")])
    app = AuthenticationMiddleware(answer, BackendChain(APIKeyBackend(keys), jwt))
    is_good, text = explained(app, tokens.mint("ada"))
    assert is_good
    assert "tried as: cookie (__Host-access)" in text
    assert "backend: jwt" in text
    is_good, text = explained(app, "s0me-0ther-key")
    assert not is_good
    assert "it is no JWT" in text
    assert "none claims a credential of this shape" in text


def test_the_command_explains_a_token(here, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("a.b.c\n"))
    monkeypatch.setenv("DOCTOR_SECRET", secrets.token_urlsafe(64))
    assert main(["doctor", "good_app:app", "--token", "-"]) == 1
    assert "refused (invalid_token, 401)" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO("a.b.c\n"))
    assert main(["doctor", "good_app:app", "--token", "-", "--json"]) == 1
    assert not json.loads(capsys.readouterr().out)["accepted"]


@pytest.mark.parametrize("token", ["a\x1bb", "\xe4"])
def test_a_token_that_is_no_text_is_a_sentence(token):
    with pytest.raises(ConfigurationError, match="ASCII"):
        explain_token([make_app()], token)

    with pytest.raises(ConfigurationError, match="no AuthenticationMiddleware"):
        explain_token([], "a")


def test_help_is_made_of_readable_lines(capsys):
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])

    assert max(map(len, capsys.readouterr().out.splitlines())) <= 88
