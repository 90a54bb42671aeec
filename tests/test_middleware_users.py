"""The loader of users behind the middleware."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from functools import lru_cache, partial, wraps

import pytest

from asgi_auth import (
    ANONYMOUS,
    AuthenticationError,
    AuthenticationMiddleware,
    ConfigurationError,
    ExpiredTokenError,
    Principal,
    UnavailableError,
    UnknownSubjectError,
    issuer_aware,
)
from tests import forge
from tests.asgi import (
    Echo,
    bearer,
    cookie,
    run,
)
from tests.middleware_world import (
    EXPIRED,
    FOREIGN_PAGE,
    FORGED,
    GOOD,
    Stub,
    around,
    caller,
)

# -------------------------------------------------------------------------- user loader


def loaders(result):
    """Return a sync and an async loader with the same result."""

    def sync(principal):
        if isinstance(result, Exception):
            raise result

        return result

    async def not_sync(principal):
        return sync(principal)

    return [sync, not_sync]


@pytest.mark.parametrize("loader", loaders({"id": 5}))
async def test_the_loaders_user_is_the_user(loader):
    app = around(echo := Echo(), load_user=loader)
    for _ in range(2):
        principal = await caller(app, echo, headers=[bearer(GOOD)])
        assert principal.subject == "ada"
        assert echo.scopes[-1]["user"] == {"id": 5}
    assert await caller(app, echo) is ANONYMOUS
    assert echo.scopes[-1]["user"] is ANONYMOUS


@pytest.mark.parametrize("falsy", [0, "", [], {}])
async def test_a_user_that_is_falsy_is_a_user(falsy):
    app = around(echo := Echo(), load_user=lambda principal: falsy)
    await caller(app, echo, headers=[bearer(GOOD)])
    assert echo.scopes[-1]["user"] is falsy


@pytest.mark.parametrize("loader", [*loaders(None), *loaders(False)])
async def test_a_user_that_is_gone_has_an_invalid_token(loader):
    app = around(echo := Echo(), load_user=loader)
    answer = await run(app, headers=[bearer(GOOD)])
    assert (answer.status, answer.json()["code"]) == (401, "unknown_subject")
    assert 'error="invalid_token"' in answer.header("www-authenticate")
    principal = await caller(app, echo, headers=[cookie(GOOD)])
    assert isinstance(principal.error, UnknownSubjectError)


async def test_a_user_that_is_disabled_while_its_token_is_remembered_is_out():
    users = {"ada": "Ada"}
    app = around(
        echo := Echo(), load_user=lambda principal: users.get(principal.subject)
    )
    await caller(app, echo, headers=[bearer(GOOD)])
    del users["ada"]
    assert (await run(app, headers=[bearer(GOOD)])).status == 401


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnavailableError(), 503),
        (AuthenticationError(), 401),
        (ExpiredTokenError(), 401),
    ],
    ids=["outage", "unknown", "expired"],
)
async def test_a_refusal_of_the_loader_is_one(error, status):
    for loader in loaders(error):
        app = around(echo := Echo(), load_user=loader)
        assert (await run(app, headers=[bearer(GOOD)])).status == status
        assert echo.calls == 0
        ambient = await run(app, headers=[cookie(GOOD)])
        assert ambient.status == (503 if status == 503 else 200)


async def test_a_bug_of_the_loader_is_a_bug_and_never_nobody():
    for loader in loaders(KeyError("the database")):
        for headers in ([bearer(GOOD)], [cookie(GOOD)]):
            app = around(Echo(), load_user=loader, public_paths=["/*"])
            with pytest.raises(KeyError):
                await run(app, headers=headers)


async def test_the_loader_is_asked_about_good_callers_only():
    asked = []
    app = around(Echo(), load_user=lambda principal: asked.append(principal) or "x")
    for headers in (
        [],
        [bearer(FORGED)],
        [cookie(EXPIRED)],
        [cookie(b"x"), *FOREIGN_PAGE],
    ):
        await run(app, headers=headers)
    await run(app, method="POST", headers=[cookie(GOOD), *FOREIGN_PAGE])
    for headers in ([bearer(b"a" * 9000)], [bearer(GOOD), bearer(GOOD)]):
        assert (await run(app, headers=headers)).status in {400, 401}
    assert asked == []


async def test_with_a_loader_a_token_is_verified_once_too():
    verifier = forge.verifier()
    app = around(Echo(), verifier=verifier, load_user=lambda principal: "x")
    for _ in range(3):
        await run(app, headers=[bearer(GOOD)])
    assert verifier.cache_stats().hits == 2


# ------------------------------------------------------- a loader and a second issuer


class Partners(Stub):
    """Somebody's backend that says nothing of its issuers."""

    def __init__(self, *callers):
        super().__init__()
        self.callers = iter(callers)

    async def authenticate(self, credential, scope):
        issuer, backend = next(self.callers)
        return Principal("7", issuer, backend=backend, is_authenticated=True)


A, B = "https://a.example", "https://b.example"


@pytest.mark.parametrize("second", [(B, "own"), (None, "own"), (None, "other")])
async def test_a_loader_of_subjects_stops_at_a_second_issuer(second):
    backend = Partners((A, "own"), (A, "own"), second, (A, "own"))
    loaded = []
    app = AuthenticationMiddleware(
        Echo(), backend, load_user=lambda p: loaded.append(p) or "ann"
    )
    for _ in range(2):
        assert (await run(app, headers=[bearer(GOOD)])).status == 200
    with pytest.raises(ConfigurationError, match="issuer_aware"):
        await run(app, headers=[bearer(GOOD)])
    assert len(loaded) == 2
    assert (await run(app, headers=[bearer(GOOD)])).status == 200


async def test_a_loader_that_looks_at_the_issuer_meets_as_many_as_there_are():
    backend = Partners((A, "own"), (B, "own"), (None, "own"))
    app = AuthenticationMiddleware(
        Echo(), backend, load_user=issuer_aware(lambda p: "ann")
    )
    for _ in range(3):
        assert (await run(app, headers=[bearer(GOOD)])).status == 200


class Directory:
    """Loaders of users in all the forms that something callable has."""

    def __init__(self):
        self.issuers = []

    @issuer_aware
    async def method(self, principal):
        return self.load(principal)

    @classmethod
    def of_class(cls, principal):
        assert cls is Directory
        return principal.issuer

    @staticmethod
    @issuer_aware
    def static(principal):
        return principal.issuer

    def load(self, principal):
        self.issuers.append(principal.issuer)
        return principal.subject

    def __call__(self, principal):
        return self.load(principal)


@issuer_aware
def user_of(principal):
    """Load a user by both."""
    return (principal.issuer, principal.subject)


def load_from(directory, principal):
    return directory.load(principal)


@pytest.mark.parametrize(
    "loader",
    [
        user_of,
        Directory().method,
        Directory.static,
        issuer_aware(Directory.of_class),
        issuer_aware(Directory()),
        issuer_aware(Directory().load),
        issuer_aware(partial(load_from, Directory())),
    ],
)
async def test_a_loader_of_any_form_says_that_it_looks_at_the_issuer(loader):
    backend = Partners((A, "own"), (B, "own"))
    backend.issuers = {A, B}
    app = AuthenticationMiddleware(echo := Echo(), backend, load_user=loader)
    for _ in range(2):
        assert (await run(app, headers=[bearer(GOOD)])).status == 200
        assert echo.scopes[-1]["user"] is not None


class Holder:
    loader = issuer_aware(Directory())
    bound = issuer_aware(classmethod(lambda cls, principal: cls))


def test_what_a_class_holds_is_bound_as_it_would_be_otherwise():
    nobody = Principal("7", A)
    assert Holder().loader(nobody) == "7"
    assert Holder().bound(nobody) is Holder
    assert user_of(nobody) == (A, "7")


@pytest.mark.parametrize(
    "loader",
    [lru_cache(user_of), partial(user_of), wraps(user_of)(load_from)],
)
def test_what_wraps_a_loader_does_not_speak_for_it(loader):
    # A cache by subjects would give the users of one issuer to the other.
    backend = Partners()
    backend.issuers = {A, B}
    with pytest.raises(ConfigurationError, match=r"load_user=issuer_aware\(\.\.\.\)"):
        AuthenticationMiddleware(Echo(), backend, load_user=loader)


def test_what_a_loader_says_cannot_be_taken_back():
    with pytest.raises(FrozenInstanceError):
        user_of.load_user = None
