"""What every store must do with the list of a subject's sessions.

A part of the store contract; it does not test outages.
"""

# ruff: noqa: D102, S101  (These are tests: their names are sentences.)

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from asgi_auth.stores.base import Store
from asgi_auth.stores.records import SESSIONS_PAGE, Place, Session
from asgi_auth.testing._samples import GRACE, HOSTILE, IDLE, T, open_session, unique

__all__ = ["ListingContract"]


@pytest.mark.anyio
class ListingContract:
    """Pages of sessions, and those that are too many."""

    async def test_pages_have_each_session_once_the_oldest_first(
        self, store: Store
    ) -> None:
        subject = unique("subject")
        # Most of them begin at one moment, as with a clock that is coarse.
        logins = [
            await open_session(store, subject=subject, now=T + age // 5 * 0.000001)
            for age in range(13)
        ]
        expected = sorted(logins, key=lambda session: session.place)
        for limit in (1, 2, 5, 12, 13, 14):
            pages = await _pages(store, logins[0], limit=limit)
            assert [session for page in pages for session in page] == expected
            assert all(len(page) == limit for page in pages[:-1])

    async def test_a_page_has_a_size_by_default(self, store: Store) -> None:
        subject = unique("subject")
        logins = [
            await open_session(store, subject=subject, now=T + second)
            for second in range(SESSIONS_PAGE + 1)
        ]
        page = await store.sessions(logins[0].issuer, subject, now=T)
        assert [session.sid for session in page] == _sids(logins[:-1])

    async def test_pages_go_on_behind_a_session_that_is_gone(
        self, store: Store
    ) -> None:
        subject = unique("subject")
        logins = [
            await open_session(store, subject=subject, now=T + second)
            for second in range(6)
        ]
        page = await store.sessions(logins[0].issuer, subject, limit=2, now=T + 6)
        await store.close(_sids(logins[:3]), now=T + 7)
        await open_session(store, subject=subject, now=T - 1)
        rest = await store.sessions(
            logins[0].issuer, subject, after=page[-1].place, now=T + 7
        )
        assert list(rest) == logins[3:]

    async def test_full_pages_have_no_ended_sessions(self, store: Store) -> None:
        subject = unique("subject")
        logins = [
            await open_session(
                store, subject=subject, now=T + n, idle_ttl=20 if n % 3 else IDLE
            )
            for n in range(12)
        ]
        await store.close([logins[3].sid], now=T + 12)
        listed = await store.sessions(logins[0].issuer, subject, limit=3, now=T + 60)
        assert list(listed) == [logins[0], logins[6], logins[9]]

    async def test_a_refresh_moves_no_session_to_another_page(
        self, store: Store
    ) -> None:
        subject = unique("subject")
        logins = [
            await open_session(store, subject=subject, now=T + second)
            for second in range(4)
        ]
        await store.rotate(logins[0].sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 9)
        pages = await _pages(store, logins[0], limit=2, now=T + 9)
        assert [_sids(page) for page in pages] == [
            _sids(logins[:2]),
            _sids(logins[2:]),
            [],
        ]

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_a_hostile_place_is_somewhere_or_nowhere(
        self, store: Store, text: str
    ) -> None:
        session = await open_session(store)
        for time in (0.0, T, 4e9):
            listed = await store.sessions(
                session.issuer, session.subject, after=Place(time, text), now=T
            )
            assert list(listed) in ([], [session])

    async def test_the_surplus_is_what_was_not_used_for_the_longest_time(
        self, store: Store
    ) -> None:
        subject = unique("subject")
        logins = [
            await open_session(store, subject=subject, now=T + second)
            for second in range(6)
        ]
        issuer = logins[0].issuer
        for session in (logins[0], logins[2]):
            await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 9)

        order = _sids(logins[n] for n in (1, 3, 4, 5))
        for keep in range(2, 8):
            listed = await store.surplus(issuer, subject, keep=keep, now=T + 9)
            assert list(listed) == order[: max(6 - keep, 0)]

        some = await store.surplus(issuer, subject, keep=2, limit=3, now=T + 9)
        assert list(some) == order[:3]
        assert len(await store.sessions(issuer, subject, now=T + 9)) == len(logins)

    async def test_ended_sessions_are_no_surplus(self, store: Store) -> None:
        subject = unique("subject")
        logins = [await open_session(store, subject=subject, now=T) for _ in range(4)]
        issuer = logins[0].issuer
        await open_session(store, subject=subject, now=T, idle_ttl=1)
        await store.close([logins[1].sid], now=T + 1)
        assert list(await store.surplus(issuer, subject, keep=3, now=T + 2)) == []
        rest = await store.surplus(issuer, subject, keep=1, now=T + 2)
        assert set(rest) < {logins[0].sid, logins[2].sid, logins[3].sid}

    async def test_the_surplus_is_of_one_subject_and_issuer(self, store: Store) -> None:
        subject = unique("subject")
        for issuer in ("https://a.example", "https://b.example", ""):
            await open_session(store, subject=subject, issuer=issuer)

        await open_session(store, issuer="https://a.example")
        assert list(await store.surplus("", subject, keep=1, now=T)) == []
        assert list(await store.surplus("", unique("subject"), keep=1, now=T)) == []
        for text in HOSTILE:
            listed = await store.surplus(unique("issuer"), text, keep=1, now=T)
            assert list(listed) == []

    async def test_log_ins_at_once_agree_on_the_surplus(self, store: Store) -> None:
        subject = unique("subject")

        async def log_in() -> tuple[Session, Sequence[str]]:
            session = await open_session(store, subject=subject, now=T)
            return session, await store.surplus(session.issuer, subject, keep=2, now=T)

        answers = await asyncio.gather(*(log_in() for _ in range(8)))
        order = sorted(
            (session for session, _ in answers), key=lambda session: session.place
        )
        surplus = {sid for _, sids in answers for sid in sids}
        assert surplus == set(_sids(order[:-2]))


async def _pages(
    store: Store, one: Session, *, limit: int, now: float = T + 1
) -> list[Sequence[Session]]:
    pages: list[Sequence[Session]] = []
    after = None
    while True:
        page = await store.sessions(
            one.issuer, one.subject, after=after, limit=limit, now=now
        )
        pages.append(page)
        if len(page) < limit:
            return pages

        after = page[-1].place


def _sids(sessions: Iterable[Session]) -> list[str]:
    return [session.sid for session in sessions]
