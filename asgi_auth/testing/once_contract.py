"""What every store must do with what may be used once.

A part of the store contract; it does not test outages.
"""

# ruff: noqa: D102, S101  (These are tests: their names are sentences.)

from __future__ import annotations

import asyncio

import pytest

from asgi_auth.stores.base import Store
from asgi_auth.testing._samples import HOSTILE, T, unique

__all__ = ["OnceContract"]

_TTL = 30.0


@pytest.mark.anyio
class OnceContract:
    """Using up keys."""

    async def test_a_key_is_used_once(self, store: Store, peer: Store) -> None:
        key = unique("key")
        assert await store.once("ticket", key, ttl=_TTL, now=T) is True
        for one in (store, peer):
            assert await one.once("ticket", key, ttl=_TTL, now=T) is False
            assert await one.once("ticket", key, ttl=_TTL, now=T + 29.9) is False

    async def test_fifty_racing_requests_use_a_key_once(
        self, store: Store, peer: Store
    ) -> None:
        key = unique("key")
        uses = [
            one.once("ticket", key, ttl=_TTL, now=T)
            for _ in range(25)
            for one in (store, peer)
        ]
        assert (await asyncio.gather(*uses)).count(True) == 1

    async def test_a_used_key_is_forgotten_after_its_time(
        self, store: Store, peer: Store
    ) -> None:
        key = unique("key")
        await store.once("ticket", key, ttl=_TTL, now=T)
        assert await peer.once("ticket", key, ttl=_TTL, now=T + _TTL) is True
        assert await store.once("ticket", key, ttl=_TTL, now=T + 59.9) is False

    async def test_a_later_use_makes_no_key_count_longer(self, store: Store) -> None:
        key = unique("key")
        await store.once("ticket", key, ttl=_TTL, now=T)
        await store.once("ticket", key, ttl=1000.0, now=T + 1)
        assert await store.once("ticket", key, ttl=_TTL, now=T + _TTL) is True

    async def test_no_time_only_looks(self, store: Store, peer: Store) -> None:
        key = unique("key")
        assert await store.once("ticket", key, ttl=0, now=T) is True
        assert await peer.once("ticket", key, ttl=0, now=T) is True
        assert await store.once("ticket", key, ttl=_TTL, now=T) is True
        assert await peer.once("ticket", key, ttl=0, now=T + 1) is False

    async def test_two_spaces_and_two_keys_stay_apart(self, store: Store) -> None:
        key = unique("key")
        for space, one in [("a", key), ("b", key), ("a", f"b{key}"), ("ab", key)]:
            assert await store.once(space, one, ttl=_TTL, now=T) is True

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_any_text_is_a_key(self, store: Store, text: str) -> None:
        key = text + unique("key")
        assert await store.once(text, key, ttl=_TTL, now=T) is True
        assert await store.once(text, key, ttl=_TTL, now=T) is False
        assert await store.once(text, key[:-1], ttl=_TTL, now=T) is True

    async def test_keys_count_by_the_time_of_the_store(
        self, store: Store, peer: Store
    ) -> None:
        short, long = unique("key"), unique("key")
        assert await store.once("ticket", short, ttl=0.05)
        assert await store.once("ticket", long, ttl=_TTL)
        await asyncio.sleep(0.1)
        assert await peer.once("ticket", short, ttl=_TTL) is True
        assert await peer.once("ticket", long, ttl=_TTL) is False
