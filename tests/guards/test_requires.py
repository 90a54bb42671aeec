from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest

from asgi_auth import (
    ANONYMOUS,
    AuthenticationError,
    AuthenticationMiddleware,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    JWTBackend,
    Principal,
    StepUpRequiredError,
    requires,
)
from asgi_auth.responses.state import KEY, RequestState, make_state
from tests import forge
from tests.asgi import Echo, bearer, converse, denial_of, http_scope, run


def known(*scopes, roles=(), backend="jwt"):
    return Principal(
        "ada",
        scopes=frozenset({*scopes, "authenticated"}),
        roles=frozenset(roles),
        backend=backend,
        is_authenticated=True,
    )


def scope_of(principal, **more):
    return {**http_scope(), "auth": principal, "user": principal, **more}


EXPIRED = Principal(error=ExpiredTokenError())


@pytest.mark.parametrize(
    ("guard", "principal"),
    [
        (requires(), known()),
        (requires("authenticated"), known()),
        (requires("a"), known("a", "b")),
        (requires("a", "b"), known("a", "b")),
        (requires(roles="x"), known(roles=["x", "y"])),
        (requires("a", roles=["x", "y"]), known("a", roles=["x", "y"])),
        (requires("a", "b", any=True), known("b")),
        (requires("a", roles="x", any=True), known(roles=["x"])),
        (requires("a", roles="x", any=True), known("a")),
        (requires(backend="jwt"), known()),
        (requires(backend=["keys", "jwt"]), known()),
    ],
)
def test_who_has_what_is_needed_passes(guard, principal):
    assert guard.check(scope_of(principal)) is principal
    assert guard.allows(scope_of(principal))


@pytest.mark.parametrize(
    ("guard", "principal"),
    [
        (requires("a"), known()),
        (requires("a", "b"), known("a")),
        (requires("A"), known("a")),
        (requires("a:b"), known("a")),
        (requires(roles="x"), known("x")),
        (requires("x"), known(roles=["x"])),
        (requires("a", roles="x"), known("a")),
        (requires("a", "b", any=True), known("c", roles=["a"])),
        (requires("a", roles="x", any=True), known("x", roles=["a"])),
    ],
)
def test_who_lacks_something_is_refused_and_told_all_that_is_needed(guard, principal):
    scope = scope_of(principal, **{KEY: make_state(RequestState)})
    with pytest.raises(InsufficientScopeError) as caught:
        guard.check(scope)
    assert set(caught.value.scopes) == guard.scopes
    assert set(caught.value.roles) == guard.roles
    assert scope[KEY].refusal is caught.value
    assert not guard.allows(scope)


def test_asking_does_not_refuse():
    scope = scope_of(ANONYMOUS, **{KEY: make_state(RequestState)})
    assert not requires().allows(scope)
    assert scope[KEY].refusal is None


# ---------------------------------------------------------------------------- step-up


def logged_in(auth_time=None, acr=None):
    return Principal("ada", auth_time=auth_time, acr=acr, is_authenticated=True)


@pytest.mark.parametrize(
    ("auth_time", "fresh"),
    [
        (1000, True),
        (700, True),
        (699.9, False),
        (0, False),
        (None, False),
        (1060, True),
        (1061, False),
        (1_000_000, False),
    ],
)
def test_a_log_in_must_be_as_recent_as_is_asked(auth_time, fresh):
    guard = requires(max_age=300, clock=lambda: 1000)
    assert guard.allows(scope_of(logged_in(auth_time))) is fresh
    if not fresh:
        with pytest.raises(StepUpRequiredError) as caught:
            guard.check(scope_of(logged_in(auth_time)))
        assert (caught.value.max_age, caught.value.acr) == (300, ())


@pytest.mark.parametrize(
    ("acr", "asked", "enough"),
    [
        ("mfa", "mfa", True),
        ("mfa", ["pwd", "mfa"], True),
        ("pwd", "mfa", False),
        ("mf", "mfa", False),
        (None, ["mfa"], False),
    ],
)
def test_a_log_in_must_be_as_strong_as_is_asked(acr, asked, enough):
    guard = requires(acr=asked)
    assert guard.allows(scope_of(logged_in(acr=acr))) is enough


def test_strength_and_age_are_both_needed():
    guard = requires(acr="mfa", max_age=60, clock=lambda: 1000)
    assert guard.allows(scope_of(logged_in(990, "mfa")))
    assert not guard.allows(scope_of(logged_in(990, "pwd")))
    assert not guard.allows(scope_of(logged_in(900, "mfa")))


async def test_who_must_log_in_again_is_told_how():
    token = forge.token(auth_time=forge.NOW - 500, acr="pwd")
    guard = requires(max_age=60, acr=["mfa"], clock=lambda: forge.NOW)
    answer = await run(protected(guard(Echo())), headers=[bearer(token)])
    assert answer.status == 401
    challenge = answer.header("www-authenticate")
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="mfa"' in challenge
    assert 'max_age="60"' in challenge


def test_missing_rights_are_told_before_a_new_log_in_is_asked_for():
    with pytest.raises(InsufficientScopeError):
        requires("a", max_age=1, clock=lambda: 1000).check(scope_of(logged_in(0)))


def test_authenticated_is_needed_and_never_told():
    with pytest.raises(InsufficientScopeError) as caught:
        requires("authenticated", "a").check(scope_of(known()))
    assert caught.value.scopes == ("a",)


@pytest.mark.parametrize("guard", [requires(), requires("a"), requires("a", any=True)])
def test_nobody_is_refused_with_the_reason_that_there_is(guard):
    with pytest.raises(AuthenticationError) as caught:
        guard.check(scope_of(ANONYMOUS))
    assert caught.type is AuthenticationError
    with pytest.raises(ExpiredTokenError):
        guard.check(scope_of(EXPIRED))


def test_a_scope_of_nobody_opens_nothing():
    sly = Principal(scopes=frozenset({"a", "authenticated"}), roles=frozenset({"x"}))
    for guard in (
        requires(),
        requires("a"),
        requires("authenticated"),
        requires(roles="x"),
    ):
        with pytest.raises(AuthenticationError):
            guard.check(scope_of(sly))


def test_who_was_identified_by_another_backend_is_asked_to_log_in():
    with pytest.raises(AuthenticationError) as caught:
        requires(backend="keys").check(scope_of(known("a")))
    assert not isinstance(caught.value, InsufficientScopeError)


@pytest.mark.parametrize(
    "connection", [{}, None, 5, SimpleNamespace(scope="x"), {"type": 1}]
)
def test_a_guard_without_a_scope_lets_nobody_pass(connection):
    for verb in (requires().check, requires().allows):
        with pytest.raises(ConfigurationError, match="request"):
            verb(connection)


def test_a_guard_without_the_middleware_lets_nobody_pass():
    for verb in (requires().check, requires().allows):
        with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
            verb(http_scope())


# ------------------------------------------------------------------------------- apps


def protected(app, **options):
    return AuthenticationMiddleware(app, JWTBackend(forge.verifier()), **options)


async def test_an_app_is_guarded_on_http():
    inner = Echo()
    app = protected(requires("a")(inner))
    assert (await run(app)).status == 401
    answer = await run(app, headers=[bearer(forge.token(scope="b"))])
    assert answer.status == 403
    assert 'scope="a"' in answer.header("www-authenticate")
    assert inner.calls == 0
    assert (await run(app, headers=[bearer(forge.token(scope="a b"))])).status == 200


async def test_an_app_is_guarded_on_websockets():
    inner = Echo()
    app = protected(requires("a")(inner))
    assert denial_of(await converse(app, denial=True)).status == 401
    headers = [bearer(forge.token(scope="b"))]
    assert denial_of(await converse(app, denial=True, headers=headers)).status == 403
    assert await converse(app, headers=headers) == [
        {"type": "websocket.close", "code": 3003}
    ]
    assert inner.calls == 0
    sent = await converse(app, headers=[bearer(forge.token(scope="a"))])
    assert sent[0]["type"] == "websocket.accept"


async def test_other_scopes_go_through_a_guard():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await requires("a")(app)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


async def test_an_app_without_the_middleware_is_a_mistake_and_no_open_door():
    inner = Echo()
    with pytest.raises(ConfigurationError):
        await run(requires()(inner))
    assert inner.calls == 0


class Mount:
    async def __call__(self, scope, receive, send):
        await Echo()(scope, receive, send)


@pytest.mark.parametrize("app", [Mount(), functools.partial(Echo().__call__)])
async def test_whatever_is_called_like_an_app_is_one(app):
    assert (await run(protected(requires("a")(app)))).status == 401


# --------------------------------------------------------------------------- handlers


def request_of(principal):
    return SimpleNamespace(scope=scope_of(principal))


async def test_an_async_handler_is_guarded():
    @requires("a")
    async def handler(request, *, item):
        """Say what it does."""
        return item

    assert handler.__name__ == "handler"
    assert handler.__doc__ == "Say what it does."
    assert await handler(request_of(known("a")), item=5) == 5
    assert await handler(request=request_of(known("a")), item=5) == 5
    with pytest.raises(InsufficientScopeError):
        await handler(request_of(known()), item=5)
    with pytest.raises(AuthenticationError):
        await handler(request_of(ANONYMOUS), item=5)


def test_a_sync_handler_is_guarded():
    calls = []

    @requires("a")
    def handler(request):
        calls.append(request)
        return "done"

    assert handler(request_of(known("a"))) == "done"
    with pytest.raises(InsufficientScopeError):
        handler(request_of(known()))
    assert len(calls) == 1


async def test_a_callable_object_is_guarded():
    class Handler:
        async def __call__(self, request):
            return "done"

    guarded = requires("a")(Handler())
    assert await guarded(request_of(known("a"))) == "done"
    with pytest.raises(InsufficientScopeError):
        await guarded(request_of(known()))


async def test_a_method_is_guarded():
    class View:
        @requires("a")
        async def get(self, request):
            return "done"

    assert await View().get(request_of(known("a"))) == "done"
    with pytest.raises(InsufficientScopeError):
        await View().get(request_of(known()))


def test_a_builtin_without_a_signature_is_a_handler():
    guarded = requires("a")(min)
    with pytest.raises(ConfigurationError, match="request"):
        guarded(1, 2)


def test_a_class_is_not_guarded_as_a_whole():
    with pytest.raises(ConfigurationError, match="Mount"):
        requires("a")(Mount)


async def test_of_stacked_guards_none_is_skipped():
    @requires("a")
    @requires(roles="x")
    @requires("b")
    async def handler(request):
        return "done"

    assert await handler(request_of(known("a", "b", roles=["x"]))) == "done"
    for principal in (
        known("a", "b"),
        known("a", roles=["x"]),
        known("b", roles=["x"]),
        ANONYMOUS,
    ):
        with pytest.raises((InsufficientScopeError, AuthenticationError)):
            await handler(request_of(principal))


async def test_of_stacked_guards_on_an_app_none_is_skipped():
    app = protected(requires("a")(requires("b")(requires(roles="x")(Echo()))))
    for said in ({"scope": "a b"}, {"scope": "a", "roles": ["x"]}, {"scope": "b"}):
        assert (await run(app, headers=[bearer(forge.token(**said))])).status == 403
    good = forge.token(scope="a b", roles=["x"])
    assert (await run(app, headers=[bearer(good)])).status == 200


async def test_a_guard_below_another_decorator_still_guards():
    def plain(function):
        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            return await function(*args, **kwargs)

        return wrapper

    @requires("a")
    @plain
    @requires("b")
    async def handler(request):
        return "done"

    for principal in (known("a"), known("b")):
        with pytest.raises(InsufficientScopeError):
            await handler(request_of(principal))


async def test_a_body_that_looks_like_a_scope_is_not_taken_for_one():
    forged = {"type": "http", "auth": {"is_authenticated": True}, "headers": []}

    @requires("a")
    async def handler(body, request):
        return "done"

    assert await handler(forged, request_of(known("a"))) == "done"
    with pytest.raises(InsufficientScopeError):
        await handler(forged, request_of(known()))
    with pytest.raises(ConfigurationError):
        await handler(forged, None)


def test_a_guard_is_a_value():
    assert requires("a", "b", roles="x") == requires("b", "a", roles=["x"])
    assert len({requires("a"), requires("a")}) == 1
    assert requires("a") != requires("a", any=True)
