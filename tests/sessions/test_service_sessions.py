"""Sessions of a subject: how many there are, and how they end."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import (
    ConfigurationError,
    Device,
    RevokedTokenError,
    SessionPolicy,
    UnavailableError,
)
from asgi_auth.tokens.codec import Codec
from tests.sessions.service_world import DAY, KEYS, unverified


async def test_revoking_an_access_token_leaves_its_session_alone(service):
    pair = await service.issue("42")
    await service.revoke(pair.access_token)

    with pytest.raises(RevokedTokenError):
        await service.verify(pair.access_token)
    second = await service.refresh(pair.refresh_token)
    assert await service.verify(second.access_token)


async def test_logging_out_everywhere_but_here(service):
    here, there = await service.issue("42"), await service.issue("42")
    other = await service.issue("43")
    alone = service.mint("42")
    await service.revoke_subject("42", keep=unverified(here.access_token)["sid"])

    await service.verify(here.access_token)
    await service.verify(other.access_token)
    for token in (there.access_token, alone):
        with pytest.raises(RevokedTokenError):
            await service.verify(token)
    assert len(await service.sessions("42")) == 1


async def test_after_a_breach_nothing_that_was_issued_is_good(service, clock):
    pairs = [await service.issue(str(user)) for user in range(3)]
    clock.advance(5)
    await service.revoke_all()

    for pair in pairs:
        with pytest.raises(RevokedTokenError):
            await service.verify(pair.access_token)
        with pytest.raises(RevokedTokenError):
            await service.refresh(pair.refresh_token)

    clock.advance(1)
    fresh = await service.issue("1")
    assert await service.verify(fresh.access_token)
    assert await service.refresh(fresh.refresh_token)


async def test_a_stolen_session_stays_dead_long_after_a_breach(service, clock):
    pair = await service.issue("42")
    clock.advance(5)
    await service.revoke_all()
    clock.advance(6 * DAY)

    with pytest.raises(RevokedTokenError):
        await service.refresh(pair.refresh_token)


async def test_the_oldest_session_makes_room(make, clock, heard):
    service = make(session_policy=SessionPolicy(max_sessions=2))
    pairs = []
    for _ in range(3):
        pairs.append(await service.issue("42"))
        clock.advance(1)

    assert len(await service.sessions("42")) == 2
    with pytest.raises(RevokedTokenError):
        await service.verify(pairs[0].access_token)
    await service.verify(pairs[1].access_token)
    await service.verify(pairs[2].access_token)
    await asyncio.sleep(0)
    assert heard.names().count("session.revoked") == 1


async def test_the_session_that_was_not_used_longest_makes_room(make, clock):
    service = make(session_policy=SessionPolicy(max_sessions=2))
    used = await service.issue("42")
    clock.advance(1)
    unused = await service.issue("42")
    clock.advance(1)
    used = await service.refresh(used.refresh_token)
    clock.advance(1)
    await service.issue("42")

    await service.verify(used.access_token)
    with pytest.raises(RevokedTokenError):
        await service.verify(unused.access_token)


async def test_a_subject_has_a_hundred_sessions_unless_somebody_says_otherwise(
    make, clock
):
    service = make()
    for _ in range(103):
        await service.issue("42")
        clock.advance(1)

    assert len(await service.sessions("42", limit=1000)) == 100
    unbounded = make(session_policy=SessionPolicy(max_sessions=None))
    for _ in range(3):
        await unbounded.issue("42")
    assert len(await service.sessions("42", limit=1000)) == 103


async def test_who_has_far_too_many_sessions_loses_a_page_at_each_log_in(make, clock):
    for _ in range(250):
        await make(session_policy=SessionPolicy(max_sessions=None)).issue("42")
        clock.advance(1)

    service = make(session_policy=SessionPolicy(max_sessions=10))
    left = []
    for _ in range(4):
        await service.issue("42")
        clock.advance(1)
        left.append(len(await service.sessions("42", limit=1000)))

    assert left == [151, 52, 10, 10]


async def test_sessions_come_in_pages(service, clock):
    for _ in range(5):
        await service.issue("42")
        clock.advance(1)

    first = await service.sessions("42", limit=3)
    rest = await service.sessions("42", after=first[-1].place, limit=3)
    assert [len(first), len(rest)] == [3, 2]
    assert [*first, *rest] == await service.sessions("42")


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_page_of_no_size_or_an_endless_one_is_refused(service, limit):
    with pytest.raises(ConfigurationError, match="1 to 1000"):
        await service.sessions("42", limit=limit)


async def test_all_sessions_of_a_subject_end_page_by_page(make, clock, heard):
    service = make(session_policy=SessionPolicy(max_sessions=None))
    pairs = []
    for _ in range(250):
        pairs.append(await service.issue("42"))
        clock.advance(0.001)
    kept = unverified(pairs[120].access_token)["sid"]
    sizes = count_pieces(service)

    await service.revoke_subject("42", keep=kept)

    assert [session.sid for session in await service.sessions("42")] == [kept]
    assert sizes == [100, 99, 50]
    await asyncio.sleep(0)
    assert heard.names().count("session.revoked") == 249


async def test_an_interrupted_end_of_all_sessions_can_be_repeated(make, clock):
    service = make(session_policy=SessionPolicy(max_sessions=None))
    for _ in range(250):
        await service.issue("42")
        clock.advance(0.001)
    sizes = count_pieces(service, fail_at=2)

    with pytest.raises(UnavailableError):
        await service.revoke_subject("42")
    assert len(await service.sessions("42", limit=1000)) == 150

    await service.revoke_subject("42")
    assert await service.sessions("42") == []
    assert sizes == [100, 100, 100, 50]


async def test_everything_ends_at_the_cost_of_one_entry(make, clock):
    service = make(session_policy=SessionPolicy(max_sessions=None))
    for number in range(300):
        await service.issue(str(number))
    published = []
    publish = service.store.publish

    async def note(entries, **options):
        published.append(len(entries))
        await publish(entries, **options)

    service.store.publish = note
    await service.revoke_all()
    assert published == [1]


def count_pieces(service, fail_at=0):
    """Note how many sessions the store is to close at a time, and fail once."""
    sizes, close = [], service.store.close

    async def counted(sids, **options):
        sizes.append(len(sids))
        if len(sizes) == fail_at:
            raise UnavailableError
        await close(sids, **options)

    service.store.close = counted
    return sizes


async def test_devices_are_listed_the_oldest_first(service, clock):
    for label in ("phone", "laptop"):
        await service.issue("42", device=Device(label=label, user_agent="x" * 600))
        clock.advance(1)

    sessions = await service.sessions("42")

    assert [session.device.label for session in sessions] == ["phone", "laptop"]
    assert len(sessions[0].device.user_agent) == 512


async def test_nothing_is_published_where_there_is_nothing_to_end(service, heard):
    version = service.revocations.version
    await service.revoke_subject("nobody")
    await asyncio.sleep(0)

    assert heard.events == []
    assert service.revocations.version == version + 1


@pytest.mark.parametrize("end", ["session", "refresh", "access"])
async def test_what_is_revoked_already_asks_no_store_and_makes_no_event(
    service, heard, end
):
    pair = await service.issue("42")

    async def revoke():
        if end == "session":
            await service.revoke_session(pair.session_id)
        else:
            await service.revoke(getattr(pair, f"{end}_token"))
        await asyncio.sleep(0)

    await revoke()
    version, names = service.revocations.version, heard.names()
    for verb in ("find", "publish", "close"):
        setattr(service.store, verb, None)  # Whoever calls it fails.

    for _ in range(3):
        await revoke()

    assert service.revocations.version == version
    assert heard.names() == names


async def test_a_token_without_an_id_of_its_own_is_passed_over(service, clock):
    now = int(clock())
    claims = {
        "iss": "https://api.example",
        "aud": "api",
        "sub": "42",
        "iat": now,
        "exp": now + 60,
        "type": "access",
    }
    token = Codec(KEYS).encode(claims, typ="at+jwt")

    await service.revoke(token)
    assert await service.verify(token)
