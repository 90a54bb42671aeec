"""What every store must do when a refresh token comes.

A part of the store contract; it does not test outages.
"""

# ruff: noqa: D102, PLR2004, S101  (These are tests: their names are sentences.)

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from asgi_auth.stores.base import Store
from asgi_auth.stores.records import Rotation
from asgi_auth.testing._samples import (
    GRACE,
    HOSTILE,
    IDLE,
    TTL,
    T,
    open_session,
    unique,
)

__all__ = ["RotationContract"]


@pytest.mark.anyio
class RotationContract:
    """Rotation, retry, reuse and refusal."""

    async def test_rotate_advances_the_current_counter(self, store: Store) -> None:
        session = await open_session(store, claims={"a": 1})
        rotation = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 60
        )
        assert rotation.outcome == "rotated"
        assert rotation.session == replace(
            session, seq=1, rotated_at=T + 60, idle_expires_at=T + 60 + IDLE
        )

    async def test_rotate_goes_on_and_on(self, store: Store) -> None:
        session = await open_session(store)
        for seq in range(20):
            rotation = await store.rotate(
                session.sid, seq, idle_ttl=IDLE, grace=GRACE, now=T + seq
            )
            assert rotation.outcome == "rotated"
            assert rotation.session is not None
            assert rotation.session.seq == seq + 1

    async def test_rotate_within_grace_is_a_retry_that_changes_nothing(
        self, store: Store
    ) -> None:
        session = await open_session(store)
        first = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 60
        )
        for later in (60, 75, 60 + GRACE):
            again = await store.rotate(
                session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + later
            )
            assert again.outcome == "retried"
            assert again.session == first.session

    async def test_a_clock_that_was_set_back_makes_no_retry_of_a_replay(
        self, store: Store
    ) -> None:
        session = await open_session(store)
        await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 100)

        async def again(at: float) -> str:
            rotation = await store.rotate(
                session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + at
            )
            return rotation.outcome

        assert await again(100 - GRACE) == "retried"
        assert await again(100 - GRACE - 1) == "reused"

    async def test_a_retry_from_another_client_is_reuse_that_changes_nothing(
        self, store: Store
    ) -> None:
        session = await open_session(store)

        async def rotate(seq: int, client: str | None) -> str:
            rotation = await store.rotate(
                session.sid, seq, idle_ttl=IDLE, grace=GRACE, client=client, now=T + 60
            )
            return rotation.outcome

        assert await rotate(0, "a1") == "rotated"
        assert await rotate(0, "b2") == "reused"
        assert await rotate(0, "a1") == "retried"
        assert await rotate(0, None) == "retried"
        # The next refresh says who is the client from now on.
        assert await rotate(1, "b2") == "rotated"
        assert await rotate(1, "a1") == "reused"
        assert await rotate(2, None) == "rotated"
        assert await rotate(2, "a1") == "retried"

    async def test_rotate_after_grace_is_reuse_that_changes_nothing(
        self, store: Store
    ) -> None:
        session = await open_session(store)
        first = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 60
        )
        late = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 60 + GRACE + 0.5
        )
        assert late.outcome == "reused"
        assert late.session == first.session
        after = await store.rotate(
            session.sid, 1, idle_ttl=IDLE, grace=GRACE, now=T + 95
        )
        assert after.outcome == "rotated"

    async def test_rotate_with_no_grace_retries_in_the_same_moment_only(
        self, store: Store
    ) -> None:
        session = await open_session(store)
        await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=0, now=T + 60)
        same = await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=0, now=T + 60)
        later = await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=0, now=T + 60.5)
        assert (same.outcome, later.outcome) == ("retried", "reused")

    async def test_rotate_of_an_older_counter_is_reuse_even_within_grace(
        self, store: Store
    ) -> None:
        session = await open_session(store)
        for seq in range(3):
            await store.rotate(session.sid, seq, idle_ttl=IDLE, grace=GRACE, now=T + 1)

        old = await store.rotate(session.sid, 1, idle_ttl=IDLE, grace=GRACE, now=T + 1)
        assert old.outcome == "reused"
        assert old.session is not None
        assert old.session.seq == 3

    @pytest.mark.parametrize("seq", [-1, 2**53, 2**63, 2**80])
    async def test_rotate_of_a_counter_that_never_was_is_refused(
        self, store: Store, seq: int
    ) -> None:
        session = await open_session(store)
        rotation = await store.rotate(
            session.sid, seq, idle_ttl=IDLE, grace=GRACE, now=T
        )
        assert rotation.outcome == "refused"
        after = await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T)
        assert after.outcome == "rotated"

    @pytest.mark.parametrize("seq", [1, 2, 2**31, 2**53 - 2])
    async def test_rotate_of_a_counter_ahead_brings_the_row_forward(
        self, store: Store, seq: int
    ) -> None:
        # Only a store that was put back has a row that is behind a signed token.
        session = await open_session(store)

        async def rotate(seq: int, at: float) -> Rotation:
            return await store.rotate(
                session.sid, seq, idle_ttl=IDLE, grace=GRACE, client="a1", now=T + at
            )

        rotation = await rotate(seq, 60)
        assert rotation.outcome == "restored"
        assert rotation.session == replace(
            session,
            seq=seq + 1,
            rotated_at=T + 60,
            rotated_by="a1",
            idle_expires_at=T + 60 + IDLE,
        )
        assert await store.find(session.sid, now=T + 60) == rotation.session
        assert (await rotate(seq, 61)).outcome == "retried"
        assert (await rotate(seq - 1, 61)).outcome == "reused"
        if seq < 2**53 - 2:
            assert (await rotate(seq + 1, 62)).outcome == "rotated"

    async def test_a_counter_ahead_revives_no_session(self, store: Store) -> None:
        closed, idle = await open_session(store), await open_session(store)
        await store.close([closed.sid], now=T + 1)
        for sid, now in ((closed.sid, T + 2), (idle.sid, T + IDLE)):
            rotation = await store.rotate(sid, 7, idle_ttl=IDLE, grace=GRACE, now=now)
            assert rotation.outcome == "refused"

    async def test_racing_counters_ahead_have_one_successor(
        self, store: Store, peer: Store
    ) -> None:
        session = await open_session(store)
        rotations = await asyncio.gather(
            *(
                one.rotate(session.sid, 5, idle_ttl=IDLE, grace=GRACE, now=T + 1)
                for one in [store, peer] * 10
            )
        )
        outcomes = sorted(rotation.outcome for rotation in rotations)
        assert outcomes == ["restored"] + ["retried"] * 19
        assert {r.session.seq for r in rotations if r.session is not None} == {6}

    async def test_rotate_of_an_unknown_session_is_refused(self, store: Store) -> None:
        rotation = await store.rotate(
            unique("sid"), 0, idle_ttl=IDLE, grace=GRACE, now=T
        )
        assert rotation.outcome == "refused"
        assert rotation.session is None

    @pytest.mark.parametrize("sid", HOSTILE)
    async def test_rotate_of_a_weird_sid_is_refused(
        self, store: Store, sid: str
    ) -> None:
        rotation = await store.rotate(sid, 0, idle_ttl=IDLE, grace=GRACE, now=T)
        assert rotation.outcome == "refused"
        assert rotation.session is None

    async def test_an_idle_session_ends_on_the_second(self, store: Store) -> None:
        session = await open_session(store)
        ended = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + IDLE
        )
        assert ended.outcome == "refused"
        last = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + IDLE - 1
        )
        assert last.outcome == "rotated"

    async def test_a_refreshed_session_ends_at_its_absolute_end(
        self, store: Store
    ) -> None:
        session = await open_session(store)
        seq, now = 0, T
        while now + IDLE - 1 < T + TTL:
            now += IDLE - 1
            rotation = await store.rotate(
                session.sid, seq, idle_ttl=IDLE, grace=GRACE, now=now
            )
            assert rotation.outcome == "rotated"
            assert rotation.session is not None
            assert rotation.session.idle_expires_at == min(now + IDLE, T + TTL)
            seq += 1

        ended = await store.rotate(
            session.sid, seq, idle_ttl=IDLE, grace=GRACE, now=T + TTL
        )
        assert ended.outcome == "refused"

    async def test_retry_and_reuse_of_an_expired_session_are_refused(
        self, store: Store
    ) -> None:
        session = await open_session(store, idle_ttl=10, ttl=20)
        await store.rotate(session.sid, 0, idle_ttl=10, grace=60, now=T + 5)
        for seq in (0, 1):
            ended = await store.rotate(
                session.sid, seq, idle_ttl=10, grace=60, now=T + 15
            )
            assert ended.outcome == "refused"

    async def test_fifty_racing_refreshes_have_one_successor(
        self, store: Store, peer: Store
    ) -> None:
        session = await open_session(store)
        rotations = await asyncio.gather(
            *(
                one.rotate(session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 1)
                for one in [store, peer] * 25
            )
        )
        outcomes = sorted(rotation.outcome for rotation in rotations)
        assert outcomes == ["retried"] * 49 + ["rotated"]
        first = rotations[0].session
        assert first is not None
        assert first.seq == 1
        assert all(rotation.session == first for rotation in rotations)

    async def test_the_store_ends_sessions_by_its_own_time(self, store: Store) -> None:
        session = await open_session(store, idle_ttl=0.3, now=None)
        assert len(await store.sessions(session.issuer, session.subject)) == 1
        await asyncio.sleep(0.4)
        assert len(await store.sessions(session.issuer, session.subject)) == 0
        rotation = await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=GRACE)
        assert rotation.outcome == "refused"
