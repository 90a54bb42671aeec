"""Products that identify callers by themselves, or bring names that are ours too."""

from __future__ import annotations

import pytest
from datasette.app import Datasette
from fasthtml.common import FastHTML

from asgi_auth import (
    AuthenticationMiddleware,
    Cookie,
    JWTBackend,
    RefusalPolicy,
    ScopePolicy,
    requires,
)
from tests import forge
from tests.asgi import bearer, cookie, run

GOOD = bearer(forge.token(scope="a"))
FORGED = bearer(forge.token(scope="a") + b"x")


# --------------------------------------------------------------------------- Datasette


KEY = "key-of-datasette-auth-tokens"


@pytest.fixture
async def datasette():
    tokens = {"tokens": [{"token": KEY, "actor": {"id": "robot"}}]}
    settings = {"plugins": {"datasette-auth-tokens": tokens}}
    product = Datasette(memory=True, secret="of the tests", metadata=settings)
    await product.invoke_startup()
    return product


async def actor(app, *headers):
    answer = await run(app, "/-/actor.json", headers=headers)
    return answer.status, answer.json().get("actor")


async def test_a_product_goes_on_taking_its_own_keys_and_no_forged_ones_of_ours(
    datasette,
):
    inner = datasette.app()
    backend = JWTBackend(forge.verifier())
    app = AuthenticationMiddleware(
        inner, backend, refusal_policy=RefusalPolicy(invalid="refuse_claimed")
    )
    key = bearer(KEY.encode())
    assert await actor(inner, key) == (200, {"id": "robot"})

    assert await actor(app, key) == (200, {"id": "robot"})
    assert await actor(app) == await actor(inner) == (200, None)
    assert await actor(app, GOOD) == (200, None)
    assert (await actor(app, FORGED))[0] == 401
    # Where all that is bad is refused, the product's keys are, too.
    strict = AuthenticationMiddleware(inner, backend)
    assert (await actor(strict, key))[0] == 401


async def test_a_product_keeps_its_cookies_and_sees_none_of_ours(datasette):
    seen = []
    inner = datasette.app()

    async def spying(scope, receive, send):
        seen.append(dict(scope["headers"]).get(b"cookie"))
        await inner(scope, receive, send)

    backend = JWTBackend(forge.verifier(), sources=[Cookie("access")])
    app = AuthenticationMiddleware(
        spying, backend, scope_policy=ScopePolicy(strip_credentials=True)
    )
    theirs = datasette.sign({"a": {"id": "root"}}, "actor").encode()
    name, ours = cookie(forge.token())
    told = await actor(app, (name, ours + b"; ds_actor=" + theirs))
    assert told == (200, {"id": "root"})
    assert seen == [b"ds_actor=" + theirs]


# ---------------------------------------------------------------------------- FastHTML


def test_the_names_of_fasthtml_replace_ours():
    """If this fails, take the remark out of the page that warns of it."""
    names = {"requires": requires}
    exec("from fasthtml.common import *", names)  # As its documents do.
    assert names["requires"] is not requires


async def test_handlers_of_fasthtml_are_guarded():
    site = FastHTML(secret_key="of the tests")

    @site.get("/")
    @requires("a")
    def page(request):
        return request.scope["auth"].subject

    @site.get("/other")
    @requires("b")
    async def other(auth):
        raise AssertionError

    app = AuthenticationMiddleware(site, JWTBackend(forge.verifier()))
    assert (await run(app, headers=[GOOD])).body == b"ada"
    assert (await run(app)).status == 401
    assert (await run(app, headers=[FORGED])).status == 401


async def test_a_handler_of_fasthtml_without_its_request_needs_tracking():
    site = FastHTML(secret_key="of the tests")

    @site.get("/")
    @requires("a")
    def page(auth):
        return auth.subject

    backend = JWTBackend(forge.verifier())
    app = AuthenticationMiddleware(
        site, backend, scope_policy=ScopePolicy(track_current=True)
    )
    assert (await run(app, headers=[GOOD])).body == b"ada"
    assert (await run(app, headers=[bearer(forge.token(scope="b"))])).status == 403
    assert (await run(app)).status == 401
