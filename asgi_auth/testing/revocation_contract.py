"""What every store must do to pass on what is revoked.

A part of the store contract; it does not test outages.
"""

# ruff: noqa: D102, PLR2004, S101  (These are tests: their names are sentences.)

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace

import pytest

from asgi_auth.stores.base import Store
from asgi_auth.stores.records import FEED_PAGE, Revocation
from asgi_auth.testing._samples import (
    GRACE,
    IDLE,
    T,
    entry,
    open_session,
    read_feed,
    unique,
    words,
)

__all__ = ["RevocationContract"]


@pytest.mark.anyio
class RevocationContract:
    """Publishing and reading the feed."""

    async def test_feed_without_a_cursor_gives_the_whole_window(
        self, store: Store, peer: Store
    ) -> None:
        entries = [entry(kind) for kind in ("jti", "sid", "subject", "whole_subject")]
        entries.append(Revocation(kind="all", issuer=unique("issuer")))
        await store.publish(entries, ttl=900, now=T)
        feed = await read_feed(peer, None, now=T + 1)
        assert words(entries) <= words(feed.entries)
        assert feed.now == T + 1

    async def test_the_window_reaches_back_as_far_as_entries_live(
        self, store: Store, peer: Store
    ) -> None:
        old = [entry() for _ in range(3)]
        for number, one in enumerate(old):
            await store.publish([one], ttl=900, now=T + number * 200)

        feed = await read_feed(peer, None, now=T + 899)
        assert words(old) <= words(feed.entries)
        feed = await read_feed(peer, None, now=T + 1000)
        assert words(old) & words(feed.entries) == words(old[1:])

    async def test_publish_stamps_the_entries(self, store: Store) -> None:
        stale = replace(entry(), at=1.0, expires_at=2.0)
        await store.publish([stale], ttl=900, now=T)
        feed = await read_feed(store, None, now=T)
        (stamped,) = [one for one in feed.entries if one.value == stale.value]
        assert stamped == replace(stale, at=T, expires_at=T + 900)

    async def test_feed_goes_on_from_its_cursor(self, store: Store) -> None:
        old, new = entry(), entry()
        await store.publish([old], ttl=900, now=T)
        before = await read_feed(store, None, now=T)
        await store.publish([new], ttl=900, now=T + 60)
        after = await read_feed(store, before.cursor, now=T + 60)
        assert words([new]) <= words(after.entries)
        # It may come more than once, but not for ever.
        for later in (120, 180, 240):
            after = await read_feed(store, after.cursor, now=T + later)

        assert not after.entries

    async def test_cursor_of_one_store_serves_another(
        self, store: Store, peer: Store
    ) -> None:
        before = await read_feed(store, None, now=T)
        new = entry()
        await store.publish([new], ttl=900, now=T + 1)
        feed = await read_feed(peer, before.cursor, now=T + 1)
        assert words([new]) <= words(feed.entries)

    async def test_two_readers_do_not_take_from_each_other(self, store: Store) -> None:
        start = (await read_feed(store, None, now=T)).cursor
        new = entry()
        await store.publish([new], ttl=900, now=T + 1)
        for _ in range(2):
            feed = await read_feed(store, start, now=T + 1)
            assert words([new]) <= words(feed.entries)

    async def test_nothing_is_missed_while_many_publish(
        self, store: Store, peer: Store
    ) -> None:
        cursor = (await read_feed(peer, None)).cursor
        entries = [entry() for _ in range(40)]
        # Fewer at once than a pool has connections: this is no test of its queue.
        at_once = asyncio.Semaphore(8)

        async def publish(one: Revocation) -> None:
            async with at_once:
                await store.publish([one], ttl=900)

        writers = [asyncio.create_task(publish(one)) for one in entries]
        marks: set[tuple[str, str, str]] = set()
        deadline = time.monotonic() + 5
        while not words(entries) <= marks and time.monotonic() < deadline:
            feed = await peer.feed(cursor, wait=0.5)
            cursor = feed.cursor
            marks |= words(feed.entries)

        await asyncio.gather(*writers)
        assert words(entries) <= marks

    async def test_feed_wakes_within_a_second(self, store: Store, peer: Store) -> None:
        cursor = (await read_feed(peer, None)).cursor
        new = entry()
        reader = asyncio.create_task(peer.feed(cursor, wait=10))
        await asyncio.sleep(0.2)
        assert not reader.done()
        await store.publish([new], ttl=900)
        published = time.monotonic()
        feed = await reader
        assert time.monotonic() - published < 1
        assert words([new]) <= words(feed.entries)

    async def test_feed_waits_no_longer_than_asked(self, store: Store) -> None:
        await store.publish([entry()], ttl=900)
        cursor = (await read_feed(store, None)).cursor
        started = time.monotonic()
        feed = await store.feed(cursor, wait=0.3)
        assert 0.2 < time.monotonic() - started < 1.3
        assert not feed.entries

    async def test_a_cancelled_reader_leaves_nothing_behind(self, store: Store) -> None:
        cursor = (await read_feed(store, None)).cursor
        reader = asyncio.create_task(store.feed(cursor, wait=10))
        await asyncio.sleep(0.1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

        new = entry()
        await store.publish([new], ttl=900)
        assert words([new]) <= words((await store.feed(cursor, wait=1)).entries)

    async def test_feed_leaves_out_what_expired(self, store: Store) -> None:
        start = (await read_feed(store, None, now=T)).cursor
        short, long = entry(), entry()
        await store.publish([short], ttl=5, now=T)
        await store.publish([long], ttl=900, now=T)
        for cursor in (None, start):
            feed = await read_feed(store, cursor, now=T + 5)
            assert words([long]) <= words(feed.entries)
            assert not words([short]) & words(feed.entries)

    async def test_publish_of_a_bad_entry_adds_none(self, store: Store) -> None:
        good, bad = entry(), entry(value=unique("a") + "\0")
        try:
            await store.publish([good, bad, entry()], ttl=900, now=T)
        except ValueError:
            expected: set[tuple[str, str, str]] = set()
        else:
            expected = words([good, bad])

        published = words((await read_feed(store, None, now=T)).entries)
        assert published & words([good, bad]) == expected

    async def test_no_page_has_more_than_its_size(
        self, store: Store, peer: Store
    ) -> None:
        start = (await read_feed(store, None, now=T)).cursor
        many = [entry() for _ in range(2 * FEED_PAGE + FEED_PAGE // 2)]
        await store.publish(many, ttl=900, now=T)
        for cursor in (None, start):
            marks: set[tuple[str, str, str]] = set()
            page = await peer.feed(cursor, wait=1, now=T)
            while page.more:
                assert len(page.entries) <= FEED_PAGE
                marks |= words(page.entries)
                # One that is asked to wait does not, while there is more.
                page = await peer.feed(page.cursor, wait=1, now=T)

            assert len(page.entries) <= FEED_PAGE
            assert words(many) <= marks | words(page.entries)

    async def test_what_is_published_between_two_pages_is_not_missed(
        self, store: Store, peer: Store
    ) -> None:
        await store.publish([entry() for _ in range(2 * FEED_PAGE)], ttl=900, now=T)
        marks: set[tuple[str, str, str]] = set()
        new: list[Revocation] = []
        page = await peer.feed(None, wait=0, now=T)
        while page.more:
            marks |= words(page.entries)
            if len(new) < 4:  # Some that expire sooner, some later.
                new.append(entry())
                await store.publish(new[-1:], ttl=10 ** len(new), now=T)

            page = await peer.feed(page.cursor, wait=0, now=T)

        assert words(new) <= marks | words(page.entries)

    @pytest.mark.parametrize("cursor", ["", "x", "0", "9" * 30, "٣", "@x", "a\0b"])
    async def test_a_cursor_that_is_not_known_begins_the_window(
        self, store: Store, cursor: str
    ) -> None:
        new = entry()
        await store.publish([new], ttl=900, now=T)
        feed = await read_feed(store, cursor, now=T)
        assert words([new]) <= words(feed.entries)
        following = await read_feed(store, feed.cursor, now=T)
        assert not following.restarted

    async def test_the_first_window_is_no_restart(self, store: Store) -> None:
        assert not (await read_feed(store, None, now=T)).restarted

    async def test_publish_takes_nothing_and_much(self, store: Store) -> None:
        await store.publish([], ttl=900, now=T)
        many = [entry(value=unique("größe 🔐")) for _ in range(700)]
        await store.publish(many, ttl=900, now=T)
        published = words((await read_feed(store, None, now=T)).entries)
        assert words(many) <= published

    async def test_the_store_has_a_time_of_its_own(self, store: Store) -> None:
        before = time.time()
        first = await open_session(store, now=None)
        rotation = await store.rotate(first.sid, 0, idle_ttl=IDLE, grace=GRACE)
        new = entry()
        await store.publish([new], ttl=900)
        feed = await read_feed(store, None)
        after = time.time()
        (stamped,) = [one for one in feed.entries if one.value == new.value]
        session = rotation.session
        assert session is not None
        times = [
            before,
            first.created_at,
            session.rotated_at,
            stamped.at,
            feed.now,
            after,
        ]
        # Some clocks count milliseconds.
        assert all(b - a > -0.01 for a, b in itertools.pairwise(times))
