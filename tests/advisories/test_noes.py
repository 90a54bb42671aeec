"""A "no" in whatever form lets nobody in, and what is neither yes nor no is said."""

from __future__ import annotations

import pytest

from asgi_auth import (
    ANONYMOUS,
    AuthenticationMiddleware,
    BackendChain,
    ConfigurationError,
    JWTBackend,
    KeySet,
    Principal,
    TokenService,
    UnknownSubjectError,
)
from asgi_auth.routes import Factor
from tests.asgi import Echo, bearer, run
from tests.backends.test_chain import Recording
from tests.routes.world import EMAIL, PASSWORD, World

ODD = [0, "", [], {}, "ann", object(), True]


def plain(answer):
    return Recording(answer)


def chained(answer):
    service = TokenService(KeySet.generate("HS256"))
    return BackendChain(Recording(answer), JWTBackend(service))


@pytest.mark.parametrize("wrap", [plain, chained])
@pytest.mark.parametrize("headers", [[], [bearer(b"x")]])
@pytest.mark.parametrize("no", [None, False, ANONYMOUS, Principal("ann")])
async def test_a_backend_that_says_no_lets_nobody_in(wrap, headers, no):
    app = AuthenticationMiddleware(echo := Echo(), wrap(no), required=True)
    assert (await run(app, headers=headers)).status == 401
    assert echo.scopes == []


@pytest.mark.parametrize("wrap", [plain, chained])
@pytest.mark.parametrize("answer", ODD)
async def test_an_answer_that_is_no_principal_is_a_mistake(wrap, answer):
    app = AuthenticationMiddleware(echo := Echo(), wrap(answer), required=True)
    with pytest.raises(ConfigurationError, match="Principal"):
        await run(app, headers=[bearer(b"x")])
    assert echo.scopes == []


@pytest.mark.parametrize("no", [False, 0, "", "yes", True])
async def test_a_second_factor_that_says_no_logs_nobody_in(no):
    async def ask(account, code):
        return no

    world = World(second_factor=ask)
    account = await world.add()
    body = {"email": EMAIL, "password": PASSWORD}
    async with world.client() as client:
        if no is False:
            assert (await client.post("/login", json=body)).status_code == 401
        else:
            with pytest.raises(ConfigurationError, match="second_factor"):
                await client.post("/login", json=body)

    assert await world.tokens.sessions(account.id) == []


@pytest.mark.parametrize("yes", [None, Factor()])
async def test_a_second_factor_that_is_not_needed_logs_in(yes):
    async def ask(account, code):
        return yes

    world = World(second_factor=ask)
    await world.add()
    body = {"email": EMAIL, "password": PASSWORD}
    async with world.client() as client:
        assert (await client.post("/login", json=body)).status_code == 200


@pytest.mark.parametrize("no", [None, False])
async def test_a_claims_loader_that_says_no_ends_the_session(no):
    tokens = TokenService(KeySet.generate("HS256"), claims_loader=lambda subject: no)
    pair = await tokens.issue("ann")
    with pytest.raises(UnknownSubjectError):
        await tokens.refresh(pair.refresh_token)
    assert await tokens.sessions("ann") == []


@pytest.mark.parametrize("answer", ODD)
async def test_a_claims_loader_that_gives_no_grant_is_a_mistake(answer):
    tokens = TokenService(
        KeySet.generate("HS256"), claims_loader=lambda subject: answer
    )
    pair = await tokens.issue("ann")
    with pytest.raises(ConfigurationError, match="Grant"):
        await tokens.refresh(pair.refresh_token)
    assert len(await tokens.sessions("ann")) == 1
