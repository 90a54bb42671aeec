"""Sessions that are bound to a key (RFC 9449, section 5), on stores that are real."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    MemoryStore,
    ReusedTokenError,
    RevokedTokenError,
    TokenService,
)
from asgi_auth.dpop import DPoP, ProofSigner
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from asgi_auth.testing import FakeClock
from asgi_auth.tokens.codec import peek
from tests.asgi import Echo, run
from tests.stores.valkey import valkey_server

pytestmark = pytest.mark.anyio

KEYS = KeySet.from_secret("mW4tYx7Rb2Nc9Ls5Hd3Gf6Jp0aZk8vQ1-Ue_TiOyXwVq")
ORIGIN = "https://api.example"
MINE, THIEFS = ProofSigner(), ProofSigner()
WRONG = (None, "", THIEFS.thumbprint)

_numbers = itertools.count()


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres", "valkey"])
async def open_store(request, table_prefix):
    """Open the same store again and again, as each process does."""
    kind, opened = request.param, []
    if kind == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return

    if kind == "valkey":
        url = request.getfixturevalue("valkey").url
    else:
        url = request.getfixturevalue(f"{kind}_url")
    prefix = f"bound{next(_numbers)}"

    def open_one():
        if kind == "valkey":
            opened.append(RedisStore(url, prefix=prefix))
        else:
            opened.append(SQLStore(url, table_prefix=table_prefix))
        return opened[-1]

    if kind != "valkey":
        await open_one().create_schema()
    yield open_one
    for store in opened:
        await store.aclose()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def services(open_store, clock):
    """Two processes' services over one store."""
    pair = [TokenService(KEYS, store=open_store(), clock=clock) for _ in range(2)]
    for service in pair:
        while not await service.verifier.ready():
            await asyncio.sleep(0.05)  # What is revoked is read yet.

    yield pair
    for service in pair:
        await service.aclose()


def jkt_of(token):
    return peek(token.encode())[1].get("cnf", {}).get("jkt")


async def test_the_session_remembers_its_key(services):
    here, there = services
    pair = await here.issue("ann", thumbprint=MINE.thumbprint)
    plain = await here.issue("ann")
    sessions = {each.sid: each for each in await there.sessions("ann")}
    assert sessions[pair.session_id].claims["cnf"] == {"jkt": MINE.thumbprint}
    assert "cnf" not in sessions[plain.session_id].claims


async def test_each_rotation_keeps_the_key_in_every_process(services):
    here, there = services
    pair = await here.issue("ann", thumbprint=MINE.thumbprint)
    for service in (there, here, there):
        pair = await service.refresh(pair.refresh_token, thumbprint=MINE.thumbprint)
        assert pair.token_type == "DPoP"
        tokens = (pair.access_token, pair.refresh_token)
        assert {jkt_of(token) for token in tokens} == {MINE.thumbprint}


async def test_another_key_refreshes_nothing_and_ends_nothing(services):
    here, there = services
    pair = await here.issue("ann", thumbprint=MINE.thumbprint)
    for wrong in WRONG:
        with pytest.raises(InvalidTokenError) as refused:
            await there.refresh(pair.refresh_token, thumbprint=wrong)
        assert not isinstance(refused.value, RevokedTokenError)

    (session,) = await here.sessions("ann")
    assert session.seq == 0, "it was not rotated either"
    await here.refresh(pair.refresh_token, thumbprint=MINE.thumbprint)


async def test_a_repeat_within_the_grace_needs_the_key_as_well(services, clock):
    here, there = services
    first = await here.issue("ann", thumbprint=MINE.thumbprint)
    second = await here.refresh(first.refresh_token, thumbprint=MINE.thumbprint)
    clock.advance(29)
    for wrong in WRONG:
        with pytest.raises(InvalidTokenError):
            await there.refresh(first.refresh_token, thumbprint=wrong)

    again = await there.refresh(first.refresh_token, thumbprint=MINE.thumbprint)
    assert again.session_id == second.session_id
    assert jkt_of(again.access_token) == MINE.thumbprint
    # The tries of the thief have not ended it.
    await here.refresh(second.refresh_token, thumbprint=MINE.thumbprint)


async def test_reuse_ends_a_session_for_who_has_the_key_and_for_no_other(
    services, clock
):
    here, there = services
    first = await here.issue("ann", thumbprint=MINE.thumbprint)
    second = await here.refresh(first.refresh_token, thumbprint=MINE.thumbprint)
    clock.advance(31)
    for wrong in WRONG:
        with pytest.raises(InvalidTokenError) as refused:
            await there.refresh(first.refresh_token, thumbprint=wrong)
        assert not isinstance(refused.value, ReusedTokenError)

    third = await here.refresh(second.refresh_token, thumbprint=MINE.thumbprint)
    with pytest.raises(ReusedTokenError):
        await there.refresh(first.refresh_token, thumbprint=MINE.thumbprint)
    with pytest.raises(RevokedTokenError):
        await here.refresh(third.refresh_token, thumbprint=MINE.thumbprint)


async def test_no_refresh_binds_what_is_not_bound(services):
    here, there = services
    pair = await here.issue("ann")
    fresh = await there.refresh(pair.refresh_token, thumbprint=MINE.thumbprint)
    assert fresh.token_type == "Bearer"
    assert jkt_of(fresh.access_token) is jkt_of(fresh.refresh_token) is None


async def test_a_proof_counts_once_in_all_processes(open_store, clock):
    service = TokenService(KEYS, store=open_store(), issuer=ORIGIN, clock=clock)
    pair = await service.issue("ann", thumbprint=MINE.thumbprint)
    apps = [
        AuthenticationMiddleware(
            Echo(),
            JWTBackend(
                service, confirmations=[DPoP(ORIGIN, replay=store, clock=clock)]
            ),
            required=True,
        )
        for store in (open_store(), open_store())
    ]
    token = pair.access_token
    for app, other in (apps, apps[::-1]):
        proof = MINE.sign("GET", f"{ORIGIN}/orders", token=token, now=clock())
        headers = [
            (b"authorization", f"DPoP {token}".encode()),
            (b"dpop", proof.encode()),
        ]
        statuses = [
            (await run(each, "/orders", headers=headers)).status
            for each in (app, other, app)
        ]
        assert statuses == [200, 401, 401]
    await service.aclose()
