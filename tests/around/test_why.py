"""Outages and refusals are planted, and somebody who did not do it reads the log.

Everything is logged at DEBUG, drivers included; no line may hold a secret.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import traceback
from contextlib import suppress

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    Cookie,
    JWTBackend,
    Key,
    KeySet,
    MemoryStore,
    TokenService,
    requires,
)
from asgi_auth.backends import Client
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import AsgiAuthError, AuthError
from asgi_auth.events import Events
from asgi_auth.keys import Transport
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.responses.deny import deny, response_to
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from asgi_auth.testing import mint_token
from tests.asgi import bearer, converse, cookie, http_scope, run
from tests.forge import OTHER_SECRET, SECRET
from tests.postgres import start_postgres, stop_postgres
from tests.stores.valkey import valkey_server

PASSWORD = "pl4nted-passw0rd"
ISSUER = "https://issuer.example"
NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def postgres():
    server = start_postgres()
    yield server.get_uri()
    stop_postgres(server)


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        with server.client() as client:
            client.config_set("requirepass", PASSWORD)

        yield server


@pytest.fixture
def secrets():
    return [PASSWORD, SECRET]


@pytest.fixture
def log(caplog, secrets):
    """Return all that was logged as text, having looked for secrets in it."""
    caplog.set_level(logging.DEBUG)
    yield lambda: "\n".join(r.getMessage() for r in caplog.records)
    for record in caplog.records:
        whole = record.getMessage()
        if record.exc_info:
            whole += "".join(traceback.format_exception(*record.exc_info))

        assert not [secret for secret in secrets if secret in whole], record.name


def warnings_in(caplog):
    ours = [r for r in caplog.records if r.name.startswith("asgi_auth.")]
    return [r.getMessage() for r in ours if r.levelno == logging.WARNING]


async def first_verdict(store):
    """Have a fresh worker look for what is revoked, and open a session, twice."""
    service = TokenService(KeySet.from_secret(SECRET), store=store)
    for _ in range(2):
        with suppress(AsgiAuthError):
            await service.revocations.ensure_fresh()
        with suppress(AsgiAuthError):
            await service.issue("ada")

    await service.aclose()
    await store.aclose()


# ------------------------------------------------------------------------- outages


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("/postgres?", "/orderz?"), ["'orderz'", "no database of this name", "3D000"]),
        (("postgres:@", f"eve:{PASSWORD}@"), ["'postgres'", "not let in", "28000"]),
        (("", ""), ["a table is missing", "create_schema()"]),
    ],
)
async def test_a_wrong_setting_for_postgres(postgres, change, words, log, caplog):
    store = SQLStore(postgres.replace(*change))
    await first_verdict(store)
    (warning,) = warnings_in(caplog)
    assert all(word in warning for word in words), warning


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing/x.db", ["missing/x.db", "cannot be opened"]),
        ("text.db", ["text.db", "no SQLite database"]),
    ],
)
async def test_a_wrong_file_for_sqlite(tmp_path, path, words, log, caplog):
    (tmp_path / "text.db").write_bytes(b"This is a text, and no database. " * 99)
    await first_verdict(SQLStore(f"sqlite:///{tmp_path / path}"))
    (warning,) = warnings_in(caplog)
    assert all(word in warning for word in words), warning


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f":x{PASSWORD}@{{}}/0", ["database 0", "the password, or the user name, is"]),
        ("{}/0", ["the URL has none"]),
        (f":{PASSWORD}@{{}}/99", ["database 99", "no database of this number"]),
    ],
)
async def test_a_wrong_setting_for_redis(valkey, url, words, log, caplog):
    place = f"127.0.0.1:{valkey.port}"
    await first_verdict(RedisStore(f"redis://{url.format(place)}"))
    (warning,) = warnings_in(caplog)
    assert place in warning
    assert all(word in warning for word in words), warning


@pytest.mark.parametrize(
    "make",
    [
        lambda: SQLStore(f"postgresql://u:{PASSWORD}@{NOBODY}/orders"),
        lambda: RedisStore(f"redis://:{PASSWORD}@{NOBODY}/0"),
    ],
)
async def test_a_wrong_port(make, log, caplog):
    await first_verdict(make())
    (warning,) = warnings_in(caplog)
    assert NOBODY in warning
    assert "nothing listens there" in warning


async def test_what_answers_is_no_redis(log, caplog):
    async def speak_http(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak_http, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await first_verdict(RedisStore(f"redis://127.0.0.1:{port}/0"))

    assert "what answers there is no Redis" in warnings_in(caplog)[0]


async def test_an_outage_ends_with_a_line_that_says_how_long_it_was(log, caplog):
    with valkey_server() as server:
        store = RedisStore(server.url)
        service = TokenService(KeySet.from_secret(SECRET), store=store)
        server.kill()
        for _ in range(3):
            with suppress(AsgiAuthError):
                await service.issue("ada")

        server.start()
        await service.issue("ada")
        await service.aclose()
        await store.aclose()

    ours = [r for r in caplog.records if r.name == "asgi_auth.drivers"]
    down, up = [r for r in ours if r.levelno > logging.DEBUG]
    assert (down.levelname, up.levelname) == ("WARNING", "INFO")
    assert "is back after" in up.getMessage()


async def test_counters_that_nobody_keeps(log, caplog):
    limiter = RateLimiter(f"redis://:{PASSWORD}@{NOBODY}")
    for _ in range(2):
        with suppress(AsgiAuthError):
            await limiter.consume("log_in", "ada")

    (warning,) = warnings_in(caplog)
    assert f"the counters at {NOBODY}" in warning
    assert "nothing listens there" in warning


def answering(status, document=None):
    async def fetch(url, headers, body):
        return status, {}, b"<html>" if document is None else json.dumps(document)

    async def encoded(url, headers, body):
        status, fields, text = await fetch(url, headers, body)
        return status, fields, text if isinstance(text, bytes) else text.encode()

    return encoded


async def unreachable(url, headers, body):
    raise ConnectionRefusedError(f"https://u:{PASSWORD}@issuer.example")


@pytest.mark.parametrize(
    ("fetch", "options", "words"),
    [
        (answering(404), {"keys": f"{ISSUER}/keys"}, ["answered 404", "/keys"]),
        (unreachable, {"keys": f"{ISSUER}/keys"}, ["nothing listens there"]),
        (answering(404), {}, [ISSUER, "/openid-configuration answered 404"]),
        (answering(200), {}, ["the issuer's metadata is not strict JSON"]),
        (answering(200, {"issuer": ISSUER + "/"}), {}, ["differ by a slash"]),
        (answering(200, {"issuer": ISSUER}), {}, ["no https URL for jwks_uri"]),
    ],
)
async def test_keys_of_an_issuer_that_cannot_be_had(fetch, options, words, log, caplog):
    backend = IssuersBackend(
        TrustedIssuer(ISSUER, audience="orders", transport=Transport(fetch), **options)
    )
    token = mint_token(KeySet.generate("ES256"), claims={"iss": ISSUER})
    app = AuthenticationMiddleware(unreached, backend)
    assert (await run(app, headers=[bearer(token)])).status == 503
    (warning,) = warnings_in(caplog)
    assert all(word in warning for word in words), warning
    (refusal,) = refusals_in(caplog)
    assert ISSUER.removeprefix("https://") in refusal


async def test_a_client_secret_that_the_issuer_refuses(log, caplog):
    backend = IntrospectionBackend(
        IntrospectionEndpoint(
            f"{ISSUER}/introspect",
            client=Client(id="orders", secret=PASSWORD),
            transport=Transport(answering(401, {})),
        ),
        issuer=ISSUER,
        audience="orders",
    )
    app = AuthenticationMiddleware(unreached, backend)
    assert (await run(app, headers=[bearer("opaque-t0ken")])).status == 503
    (warning,) = warnings_in(caplog)
    assert "the status is 401; is the client_secret right?" in warning


# ------------------------------------------------------------------------ refusals


async def unreached(scope, receive, send):
    raise AssertionError


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def refusals_in(caplog):
    lines = [r.getMessage() for r in caplog.records if r.name == "asgi_auth.responses"]
    return [line for line in lines if line.startswith("refused")]


@pytest.fixture
def service():
    return TokenService(
        KeySet.from_secret(SECRET),
        issuer=ISSUER,
        audience="orders",
        store=MemoryStore(),
    )


def claim(name, value):
    return lambda service: mint_token(service, claims={name: value})


def with_fault(fault):
    return lambda service: mint_token(service, fault=fault)


@pytest.mark.parametrize(
    ("make", "verdict", "words"),
    [
        (claim("aud", "other"), "invalid_token", "aud is 'other', expected ['orders']"),
        (claim("exp", 1_000_000), "token_expired", "seconds ago"),
        (claim("nbf", 9_999_999_999), "invalid_token", "nbf or iat lies ahead"),
        (claim("type", "refresh"), "invalid_token", "expected 'access', and it says"),
        (claim("sub", "a\nFAKE LINE"), "invalid_token", "sub is no short, plain text"),
        (claim("aud", "a\nFAKE"), "invalid_token", r"aud is 'a\nFAKE'"),
        (
            lambda service: mint_token(
                KeySet.generate("HS512"), claims={"iss": ISSUER}
            ),
            "invalid_token",
            "alg is 'HS512'",
        ),
        (
            lambda _: mint_token(KeySet.from_secret(OTHER_SECRET)),
            "invalid_token",
            "the signature does not match, with our HS256 key",
        ),
        (
            lambda service: mint_token(service, header={"typ": "JWT"}),
            "invalid_token",
            "typ is 'jwt', expected at+jwt",
        ),
        (lambda service: "not-a-token", "invalid_token", "the header is not"),
        (lambda service: "x" * 20_000, "invalid_token", "too long"),
    ],
)
async def test_a_bad_token(service, make, verdict, words, caplog):
    caplog.set_level(logging.DEBUG)
    token = make(service)
    app = AuthenticationMiddleware(unreached, JWTBackend(service))
    answer = await run(app, "/orders/7", headers=[bearer(token)])
    assert answer.status == 401
    (line,) = refusals_in(caplog)
    assert line.startswith(f"refused ({verdict}, 401), GET /orders/7, backend jwt, ")
    assert token not in caplog.text
    assert "source header" in line
    assert words in line
    assert "\n" not in line


async def test_a_key_that_we_do_not_have(log, caplog):
    service = TokenService(KeySet([Key.generate("ES256", kid="old")]))
    token = mint_token(KeySet([Key.generate("ES256", kid="new")]))
    app = AuthenticationMiddleware(unreached, JWTBackend(service))
    await run(app, headers=[bearer(token)])
    (line,) = refusals_in(caplog)
    assert "kid is 'new', alg is 'ES256'; we have 'old' (ES256)" in line


async def test_a_token_of_a_session_that_was_revoked(service, log, caplog):
    pair = await service.issue("ada")
    await service.revoke_subject("ada")
    app = AuthenticationMiddleware(unreached, JWTBackend(service))
    await run(app, headers=[bearer(pair.access_token)])
    (line,) = refusals_in(caplog)
    assert "(token_revoked, 401)" in line
    assert "revoked is the session" in line


async def test_a_scope_that_is_missing_at_a_guard(service, log, caplog):
    token = (await service.issue("ada", scopes=["orders:read"])).access_token
    app = AuthenticationMiddleware(requires("orders:write")(hello), JWTBackend(service))
    assert (await run(app, headers=[bearer(token)])).status == 403
    (line,) = refusals_in(caplog)
    assert "refused (insufficient_scope, 403)" in line
    assert "backend jwt, source header" in line
    assert line.endswith(
        "needed: scopes orders:write; there: scopes authenticated orders:read"
    )


async def test_a_role_that_is_missing_at_a_guard(service, log, caplog):
    pair = await service.issue("ada", roles=["reader", "x" * 250, "y" * 250])
    app = AuthenticationMiddleware(requires(roles="editor")(hello), JWTBackend(service))
    assert (await run(app, headers=[bearer(pair.access_token)])).status == 403
    assert (await run(app)).status == 401
    line, anonymous = refusals_in(caplog)
    assert "needed: roles editor; there: scopes authenticated, roles reader xx" in line
    assert len(line) < 700
    assert "needed" not in anonymous


async def test_a_bad_cookie_passes_as_anonymous_and_says_why(service, log, caplog):
    app = AuthenticationMiddleware(
        hello, JWTBackend(service, sources=[Cookie("access")])
    )
    token = mint_token(service, claims={"exp": 1})
    assert (await run(app, headers=[cookie(token)])).status == 200
    lines = [r.getMessage() for r in caplog.records if r.name == "asgi_auth.responses"]
    (line,) = lines
    assert line.startswith("passes as anonymous (token_expired, 401)")
    assert "source cookie" in line


async def test_a_cookie_from_another_site(service, log, caplog):
    app = AuthenticationMiddleware(
        hello, JWTBackend(service, sources=[Cookie("access")])
    )
    headers = [cookie(mint_token(service)), (b"origin", b"https://evil.example")]
    assert (await run(app, method="POST", headers=headers)).status == 403
    (line,) = refusals_in(caplog)
    assert "refused (cross_origin, 403), POST" in line


async def test_two_credentials_at_once(service, log, caplog):
    app = AuthenticationMiddleware(unreached, JWTBackend(service))
    token = mint_token(service)
    answer = await run(app, headers=[bearer(token), bearer(token)])
    assert answer.status == 400
    (line,) = refusals_in(caplog)
    assert "refused (invalid_request, 400)" in line


async def test_a_chain_says_which_backend_claims_the_credential(service, log, caplog):
    keys = APIKeys(MemoryAPIKeys(), prefix="shop")
    chain = BackendChain(JWTBackend(service), APIKeyBackend(keys))
    app = AuthenticationMiddleware(unreached, chain)
    await run(app, headers=[bearer(mint_token(service, claims={"aud": "x"}))])
    issued = await keys.generate("ada")
    await keys.revoke(issued.record.id)
    await run(app, headers=[(b"authorization", b"ApiKey " + issued.text.encode())])
    await run(app, headers=[bearer("nobodys")])
    first, second, third = refusals_in(caplog)
    assert "backend jwt" in first
    assert "backend api" in second
    assert "was revoked" in second
    assert "backend none" in third
    assert "no backend knows a credential of this shape" in third


async def test_too_many_tries(log, caplog):
    limiter = RateLimiter(limits=Limits(log_in=Limit(1, 60)))
    await limiter.consume("log_in", "ada")

    async def app(scope, receive, send):
        await limiter.consume("log_in", "ada")

    service = TokenService(KeySet.from_secret(SECRET))
    assert (await run(AuthenticationMiddleware(app, JWTBackend(service)))).status == 429
    (line,) = refusals_in(caplog)
    assert "more than 1 tries in 60 seconds (log_in)" in line


async def test_a_refusal_is_an_event_with_facts_and_no_secret(service):
    heard = []

    async def listener(event):
        heard.append(event)

    app = AuthenticationMiddleware(
        requires("orders:write")(hello), JWTBackend(service), on_event=Events(listener)
    )
    token = mint_token(service)
    await run(app, "/orders/7", headers=[bearer(token)])
    await run(app, headers=[bearer(mint_token(service, claims={"aud": "x"}))])
    await asyncio.sleep(0.01)
    guard, middleware = heard
    assert (guard.name, guard.subject, guard.issuer) == (
        "request.refused",
        "ada",
        ISSUER,
    )
    assert guard.detail == {
        "code": "insufficient_scope",
        "status": 403,
        "kind": "http",
        "method": "GET",
        "path": None,
        "backend": "jwt",
        "source": "header",
    }
    assert middleware.detail["code"] == "invalid_token"
    assert middleware.subject is None
    assert token not in repr(heard)


# ------------------------------------------------------------------- every error path


def kinds_of(base):
    """List all refusals of the package, however deep in the tree."""
    ours = [kind for kind in base.__subclasses__() if "asgi_auth" in kind.__module__]
    return [*ours, *(inner for kind in ours for inner in kinds_of(kind))]


# What an error has to say, besides that it happened.
FACTS = {
    "ForbiddenRoomError": {"room": "lobby"},
    "NonceRequiredError": {"nonce": "n"},
    "PasswordRefusedError": {"reason": "too_short"},
}
for package in ("accounts", "dpop", "passwords", "routes", "websocket"):
    importlib.import_module(f"asgi_auth.{package}")

KINDS = sorted(set(kinds_of(AuthError)), key=lambda kind: kind.__name__)


def raising(error, *, accepted=False):
    async def app(scope, receive, send):
        if accepted:
            await receive()
            await send({"type": "websocket.accept"})

        raise error

    return app


class Refusing:
    name = "refusing"
    sources = ()
    challenges = ()

    def __init__(self, error):
        self._error = error

    async def authenticate(self, credential, scope):
        raise self._error


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_no_refusal_is_without_a_record(service, kind, caplog):
    caplog.set_level(logging.DEBUG, "asgi_auth.responses")
    backend = JWTBackend(service)
    lines = []
    for way in ("app", "socket", "open socket", "backend", "deny", "framework"):
        error = kind(**FACTS.get(kind.__name__, {}))
        app = AuthenticationMiddleware(raising(error), backend)
        if way == "app":
            await run(app)
        elif way == "socket":
            await converse(app)
        elif way == "open socket":
            is_open = raising(error, accepted=True)
            await converse(AuthenticationMiddleware(is_open, backend))
        elif way == "backend":
            await run(AuthenticationMiddleware(unreached, Refusing(error)))
        elif way == "deny":
            await deny(error, http_scope("/"), None, nowhere)
        else:
            response_to(error, http_scope("/"))

        said = refusals_in(caplog)
        assert len(said) == 1, (way, said)
        assert f"({kind.code}, {kind.status})" in said[0]
        lines += said
        caplog.clear()

    assert len(lines) == 6


async def nowhere(message):
    """Take it."""
