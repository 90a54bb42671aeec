"""The contract must see through stores that break it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import Rotation
from asgi_auth.testing import FakeClock, StoreContract


class TwoSteps(MemoryStore):
    """Looks, and then writes: racing clients each get a successor."""

    async def rotate(self, sid, seq, **rest):
        row = self._rows[sid]
        current = row.session.seq == seq
        await asyncio.sleep(0)
        if current:
            row.advance(seq, rest["now"], rest["idle_ttl"])
            return Rotation("rotated", row.copy())
        return await super().rotate(sid, seq, **rest)


class EndlessGrace(MemoryStore):
    async def rotate(self, sid, seq, *, grace, **rest):
        return await super().rotate(sid, seq, grace=1e9, **rest)


class RetryThatRenews(MemoryStore):
    async def rotate(self, sid, seq, **rest):
        found = await super().rotate(sid, seq, **rest)
        if found.outcome == "retried":
            row = self._rows[sid]
            row.session = replace(row.session, rotated_at=rest["now"])
            return Rotation("retried", row.copy())
        return found


class NoAbsoluteEnd(MemoryStore):
    async def create(self, new, **rest):
        return await super().create(replace(new, ttl=1e9), **rest)


class Reviver(MemoryStore):
    async def close(self, sids, *, now=None):
        """Forget to."""


class Unlimited(MemoryStore):
    async def sessions(self, issuer, subject, *, limit=0, **rest):
        return await super().sessions(issuer, subject, limit=10**6, **rest)


class Unsteady(MemoryStore):
    """Finds its place by the time alone."""

    async def sessions(self, issuer, subject, *, after=None, **rest):
        after = after and after._replace(sid="\U0010ffff")
        return await super().sessions(issuer, subject, after=after, **rest)


class SmallPages(MemoryStore):
    """Leaves ended sessions out of a page that is read already."""

    async def sessions(self, issuer, subject, *, now=None, **rest):
        page = await super().sessions(issuer, subject, now=0, **rest)
        return [session for session in page if session.is_live(now)]


class OldestSurplus(MemoryStore):
    async def surplus(self, issuer, subject, *, keep, limit=100, now=None):
        page = await self.sessions(issuer, subject, now=now)
        return [session.sid for session in page[: max(len(page) - keep, 0)][:limit]]


class OneIssuer(MemoryStore):
    async def sessions(self, issuer, subject, *, now=None):
        return [
            row.copy()
            for row in self._rows.values()
            if row.session.subject == subject and row.ends_at > now
        ]


class Forgetful(MemoryStore):
    async def feed(self, cursor, *, wait, now=None):
        feed = await super().feed(cursor, wait=wait, now=now)
        return replace(feed, entries=feed.entries[1:])


class Immortal(MemoryStore):
    async def publish(self, entries, *, ttl, now=None):
        await super().publish(entries, ttl=1e9, now=now)


class Deaf(MemoryStore):
    async def feed(self, cursor, *, wait, now=None):
        await asyncio.sleep(min(wait, 1.5))
        return await super().feed(cursor, wait=0, now=now)


class ShortSighted(MemoryStore):
    async def feed(self, cursor, *, wait, now=None):
        feed = await super().feed(cursor, wait=wait, now=now)
        recent = tuple(one for one in feed.entries if one.at > feed.now - 300)
        return replace(feed, entries=recent)


class Unpaged(MemoryStore):
    async def feed(self, cursor, *, wait, now=None):
        page = await super().feed(cursor, wait=wait, now=now)
        entries = page.entries
        while page.more:
            page = await super().feed(page.cursor, wait=0, now=now)
            entries += page.entries
        return replace(page, entries=entries)


class Impatient(MemoryStore):
    """Says that there is no more while there is."""

    async def feed(self, cursor, *, wait, now=None):
        return replace(await super().feed(cursor, wait=wait, now=now), more=False)


class Trusting(MemoryStore):
    """Waits for what a cursor promises, though it has never given it out."""

    async def feed(self, cursor, *, wait, now=None):
        if cursor is not None and not cursor.startswith(self._feed._name):
            cursor = (await super().feed(None, wait=0, now=now)).cursor
        return await super().feed(cursor, wait=wait, now=now)


class Crashing(MemoryStore):
    async def rotate(self, sid, seq, **rest):
        sid.encode()
        seq.to_bytes(8, signed=True)
        return await super().rotate(sid, seq, **rest)


class Thoughtless(MemoryStore):
    """Looks, and then writes."""

    async def once(self, space, key, *, ttl, now=None):
        is_free = await super().once(space, key, ttl=0, now=now)
        await asyncio.sleep(0)
        await super().once(space, key, ttl=ttl, now=now)
        return is_free


class Prolonging(MemoryStore):
    async def once(self, space, key, *, ttl, now=None):
        is_free = await super().once(space, key, ttl=ttl, now=now)
        self._once._ends = dict.fromkeys(self._once._ends, now + ttl)
        return is_free


class Glued(MemoryStore):
    async def once(self, space, key, **times):
        return await super().once("", space + key, **times)


class Keeping(MemoryStore):
    async def once(self, space, key, *, ttl, now=None):
        return await super().once(space, key, ttl=1e9, now=now)


BROKEN = [
    (TwoSteps, "test_fifty_racing_refreshes_have_one_successor", {}),
    (EndlessGrace, "test_rotate_after_grace_is_reuse_that_changes_nothing", {}),
    (RetryThatRenews, "test_rotate_within_grace_is_a_retry_that_changes_nothing", {}),
    (NoAbsoluteEnd, "test_a_refreshed_session_ends_at_its_absolute_end", {}),
    (Reviver, "test_a_closed_session_is_refused", {}),
    (Reviver, "test_sessions_are_the_live_ones", {}),
    (Unlimited, "test_a_page_has_a_size_by_default", {}),
    (Unsteady, "test_pages_have_each_session_once_the_oldest_first", {}),
    (SmallPages, "test_full_pages_have_no_ended_sessions", {}),
    (OldestSurplus, "test_the_surplus_is_what_was_not_used_for_the_longest_time", {}),
    (OneIssuer, "test_sessions_of_two_issuers_stay_apart", {}),
    (Forgetful, "test_feed_goes_on_from_its_cursor", {}),
    (Immortal, "test_feed_leaves_out_what_expired", {}),
    (Deaf, "test_feed_wakes_within_a_second", {}),
    (ShortSighted, "test_the_window_reaches_back_as_far_as_entries_live", {}),
    (Unpaged, "test_no_page_has_more_than_its_size", {}),
    (Impatient, "test_no_page_has_more_than_its_size", {}),
    (Trusting, "test_a_cursor_that_is_not_known_begins_the_window", {"cursor": "x"}),
    (Thoughtless, "test_fifty_racing_requests_use_a_key_once", {}),
    (Prolonging, "test_a_later_use_makes_no_key_count_longer", {}),
    (Glued, "test_two_spaces_and_two_keys_stay_apart", {}),
    (Keeping, "test_a_used_key_is_forgotten_after_its_time", {}),
    (Keeping, "test_no_time_only_looks", {}),
    (Crashing, "test_rotate_of_a_weird_sid_is_refused", {"sid": "\ud800"}),
    (Crashing, "test_rotate_of_a_counter_that_never_was_is_refused", {"seq": 2**80}),
]


@pytest.mark.parametrize(("kind", "name", "arguments"), BROKEN)
def test_a_broken_store_does_not_pass(kind, name, arguments):
    test = getattr(StoreContract(), name)
    store = kind()
    if "peer" in test.__code__.co_varnames:
        arguments = arguments | {"peer": store}
    with pytest.raises((AssertionError, OverflowError, UnicodeEncodeError)):
        asyncio.run(test(store=store, **arguments))


def test_the_contract_is_not_collected_by_itself():
    assert not StoreContract.__name__.startswith("Test")
    assert len([name for name in dir(StoreContract) if name.startswith("test_")]) >= 40


def test_a_fake_clock_goes_only_when_it_is_told():
    clock = FakeClock()
    assert clock() == clock() == 1_700_000_000.0
    assert clock.advance(1.5) == clock() == 1_700_000_001.5
    clock.set(5.0)
    assert clock() == 5.0
    assert repr(FakeClock(1.0)) == "FakeClock(1.0)"
