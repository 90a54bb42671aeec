"""A thief must not share a session unseen by replaying each token within the grace."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import (
    ConfigurationError,
    Device,
    KeySet,
    MemoryStore,
    ReusedTokenError,
    RevokedTokenError,
    SessionPolicy,
    TokenService,
)
from asgi_auth.testing import FakeClock
from tests.routes.world import World, log_in

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"
PHONE = Device(ip="198.51.100.7", user_agent="Firefox on a phone")
TRAIN = Device(ip="203.0.113.9", user_agent="Firefox on a phone")
NEXT_DOOR = Device(ip="2001:db8:1:2::7", user_agent="Firefox on a phone")
NEXT_ROOM = Device(ip="2001:db8:1:2::8", user_agent="Firefox on a phone")
THIEF = Device(ip="203.0.113.66", user_agent="curl/8")


def service(**options):
    heard = []

    async def hear(event):
        heard.append(event)

    keys = KeySet.from_secret(SECRET)
    clock = FakeClock()
    made = TokenService(keys, clock=clock, on_event=hear, **options)
    return made, clock, heard


async def test_a_replay_from_another_client_ends_the_session_and_names_both_sides():
    tokens, clock, heard = service()
    pair = await tokens.issue("ann", device=PHONE)
    await tokens.refresh(pair.refresh_token, device=PHONE)
    clock.advance(1)
    with pytest.raises(ReusedTokenError):
        await tokens.refresh(pair.refresh_token, device=THIEF)

    assert await tokens.sessions("ann") == []
    await asyncio.sleep(0)
    (event,) = [event for event in heard if event.name == "session.reused"]
    assert event.detail["opened_by"]["ip"] == PHONE.ip
    assert event.detail["shown_by"] == {
        "label": None,
        "ip": THIEF.ip,
        "user_agent": THIEF.user_agent,
    }


async def test_a_thief_who_comes_first_is_found_out_by_the_owner():
    tokens, _, _ = service()
    pair = await tokens.issue("ann", device=PHONE)
    for _ in range(5):
        thiefs = await tokens.refresh(pair.refresh_token, device=THIEF)
        with pytest.raises(ReusedTokenError):
            await tokens.refresh(pair.refresh_token, device=PHONE)
        assert await tokens.sessions("ann") == []
        assert thiefs.refresh_token
        pair = await tokens.issue("ann", device=PHONE)


@pytest.mark.parametrize(
    ("retry_from", "first", "second", "is_good"),
    [
        ("user_agent", PHONE, PHONE, True),
        ("user_agent", PHONE, TRAIN, True),
        ("user_agent", PHONE, THIEF, False),
        ("user_agent", PHONE, None, True),
        ("user_agent", None, THIEF, True),
        ("network", PHONE, PHONE, True),
        ("network", PHONE, TRAIN, False),
        ("network", NEXT_DOOR, NEXT_ROOM, True),
        ("network", PHONE, THIEF, False),
        ("anywhere", PHONE, THIEF, True),
    ],
)
async def test_how_strict_a_retry_is_judged_can_be_said(
    retry_from, first, second, is_good
):
    tokens, _, _ = service(session_policy=SessionPolicy(retry_from=retry_from))
    pair = await tokens.issue("ann", device=PHONE)
    expected = await tokens.refresh(pair.refresh_token, device=first)
    if is_good:
        again = await tokens.refresh(pair.refresh_token, device=second)
        assert again.refresh_token == expected.refresh_token
        return

    with pytest.raises(ReusedTokenError):
        await tokens.refresh(pair.refresh_token, device=second)


def test_another_way_to_judge_is_a_mistake():
    with pytest.raises(ConfigurationError, match="retry_from"):
        service(session_policy=SessionPolicy(retry_from="planet"))


async def test_over_http_the_user_agent_counts():
    world = World()
    await world.add()
    async with world.client(headers={"User-Agent": "Firefox"}) as owner:
        pair = await log_in(owner)
        token = {"refresh_token": pair["refresh_token"]}
        assert (await owner.post("/refresh", json=token)).status_code == 200
        assert (await owner.post("/refresh", json=token)).status_code == 200
    async with world.client(headers={"User-Agent": "curl/8"}) as thief:
        assert (await thief.post("/refresh", json=token)).status_code == 401
    await asyncio.sleep(0)
    assert world.heard("session.reused") == ["session.reused"]


NAMELESS = Device(ip="203.0.113.66")


@pytest.mark.parametrize("retry_from", ["user_agent", "network"])
@pytest.mark.parametrize(("first", "second"), [(PHONE, NAMELESS), (NAMELESS, PHONE)])
async def test_who_sends_no_user_agent_is_another_client(first, second, retry_from):
    tokens, _, _ = service(session_policy=SessionPolicy(retry_from=retry_from))
    pair = await tokens.issue("ann", device=first)
    await tokens.refresh(pair.refresh_token, device=first)
    with pytest.raises(ReusedTokenError):
        await tokens.refresh(pair.refresh_token, device=second)


async def test_who_never_sends_a_user_agent_may_try_again():
    tokens, _, _ = service()
    pair = await tokens.issue("ann", device=NAMELESS)
    await tokens.refresh(pair.refresh_token, device=NAMELESS)
    assert await tokens.refresh(pair.refresh_token, device=NAMELESS)


async def test_the_address_counts_by_itself_where_the_network_does():
    tokens, _, _ = service(session_policy=SessionPolicy(retry_from="network"))
    pair = await tokens.issue("ann", device=NAMELESS)
    await tokens.refresh(pair.refresh_token, device=NAMELESS)
    with pytest.raises(ReusedTokenError):
        await tokens.refresh(pair.refresh_token, device=Device(ip="198.51.100.7"))


async def test_when_a_session_was_used_is_told_coarsely():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        world.clock.advance(1234.5)
        token = {"refresh_token": pair["refresh_token"]}
        pair = (await client.post("/refresh", json=token)).json()
        who = {"Authorization": f"Bearer {pair['access_token']}"}
        (session,) = (await client.get("/sessions", headers=who)).json()["sessions"]

    assert session["last_used_at"] % 300 == 0
    assert 0 <= world.clock() - session["last_used_at"] < 300


async def test_a_store_that_has_forgotten_logs_no_one_out_and_hides_no_thief():
    store = MemoryStore()
    tokens, clock, heard = service(store=store)
    pair = await tokens.issue("ann", device=PHONE)
    (row,) = store._rows.values()
    backup = row.session
    stolen = (await tokens.refresh(pair.refresh_token, device=PHONE)).refresh_token
    newest = stolen
    for _ in range(2):
        newest = (await tokens.refresh(newest, device=PHONE)).refresh_token

    row.session = backup
    clock.advance(60)
    thiefs = await tokens.refresh(stolen, device=THIEF)
    owners = await tokens.refresh(newest, device=PHONE)
    await asyncio.sleep(0)
    names = [event.name for event in heard]
    assert names.count("session.restored") == 2
    with pytest.raises(ReusedTokenError):
        await tokens.refresh(thiefs.refresh_token, device=THIEF)
    with pytest.raises(RevokedTokenError):
        await tokens.refresh(owners.refresh_token, device=PHONE)
