"""What every store must do with sessions, but for their rotation.

A part of the store contract; it does not test outages.
"""

# ruff: noqa: D102, S101  (These are tests: their names are sentences.)

from __future__ import annotations

from typing import Any

import pytest

from asgi_auth.stores.base import Store
from asgi_auth.stores.records import Device
from asgi_auth.testing._samples import (
    GRACE,
    HOSTILE,
    IDLE,
    TTL,
    T,
    open_session,
    unique,
)

__all__ = ["SessionContract"]


@pytest.mark.anyio
class SessionContract:
    """Opening, listing and closing sessions."""

    async def test_create_gives_a_session_with_counter_0(self, store: Store) -> None:
        session = await open_session(store)
        assert session.seq == 0
        assert session.created_at == session.rotated_at == session.auth_time == T
        assert session.idle_expires_at == T + IDLE
        assert session.expires_at == T + TTL
        assert session.revoked_at is None

    async def test_create_never_idles_past_the_absolute_end(self, store: Store) -> None:
        session = await open_session(store, idle_ttl=TTL + 100)
        assert session.idle_expires_at == session.expires_at == T + TTL

    async def test_create_keeps_what_the_log_in_says(self, store: Store) -> None:
        device = Device(label="Büro 🖥", ip="2001:db8::1", user_agent="Mozilla/5.0")
        claims = {
            "roles": ["editor", "größe"],
            "nested": {"日本": [1, 2.5, None, True, {"": "\u2028"}]},
            "big": 2**53,
            "null": None,
        }
        new = await open_session(
            store,
            issuer="",
            subject="Zoë 用户 🔐",
            auth_time=T - 50.5,
            acr="urn:mfa",
            amr=["pwd", "otp"],
            claims=claims,
            device=device,
        )
        page = (await store.rotate(new.sid, 0, idle_ttl=IDLE, grace=0, now=T)).session
        assert page is not None
        for session in (new, page):
            assert session.claims == claims
            assert session.device == device
            assert session.amr == ("pwd", "otp")
            assert (session.acr, session.auth_time) == ("urn:mfa", T - 50.5)
            assert (session.issuer, session.subject) == ("", "Zoë 用户 🔐")

    async def test_create_has_empty_defaults(self, store: Store) -> None:
        session = await open_session(store)
        assert session.claims == {}
        assert session.device == Device()
        assert session.amr == ()
        assert session.acr is None

    async def test_claims_that_a_caller_changes_stay_as_they_were(
        self, store: Store
    ) -> None:
        claims: dict[str, Any] = {"roles": ["reader"]}
        session = await open_session(store, claims=claims)
        claims["roles"].append("admin")
        rotation = await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=0, now=T)
        assert rotation.session is not None
        assert rotation.session.claims == {"roles": ["reader"]}

    async def test_find_returns_a_session_while_it_lives(self, store: Store) -> None:
        session = await open_session(store)
        assert await store.find(session.sid, now=T + 1) == session
        assert await store.find(session.sid, now=T + IDLE) is None
        await store.close([session.sid], now=T + 2)
        assert await store.find(session.sid, now=T + 3) is None

    async def test_find_knows_no_session_that_was_never_opened(
        self, store: Store
    ) -> None:
        for sid in (unique("sid"), *HOSTILE):
            assert await store.find(sid, now=T) is None

    async def test_a_closed_session_is_refused(self, store: Store) -> None:
        session = await open_session(store)
        await store.rotate(session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 1)
        await store.close([session.sid], now=T + 2)
        for seq in (0, 1, 2):
            rotation = await store.rotate(
                session.sid, seq, idle_ttl=IDLE, grace=GRACE, now=T + 3
            )
            assert rotation.outcome == "refused"

    async def test_close_again_and_of_unknown_sessions_changes_nothing(
        self, store: Store
    ) -> None:
        session = await open_session(store)
        await store.close([])
        await store.close([session.sid], now=T + 2)
        await store.close(
            [unique("sid"), session.sid, session.sid, *HOSTILE], now=T + 9
        )
        rotation = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 10
        )
        assert rotation.outcome == "refused"
        if rotation.session is not None:
            assert rotation.session.revoked_at == T + 2

    async def test_close_ends_only_the_named_sessions(self, store: Store) -> None:
        subject = unique("subject")
        sessions = [await open_session(store, subject=subject) for _ in range(3)]
        await store.close([sessions[0].sid, sessions[2].sid], now=T + 1)
        issuer = sessions[0].issuer
        assert await store.sessions(issuer, subject, now=T + 1) == [sessions[1]]

    async def test_close_takes_many_sessions(self, store: Store) -> None:
        subject = unique("subject")
        sessions = [await open_session(store, subject=subject) for _ in range(60)]
        sids = [session.sid for session in sessions]
        await store.close(sids + [unique("sid") for _ in range(2000)], now=T + 1)
        assert list(await store.sessions(sessions[0].issuer, subject, now=T + 1)) == []

    async def test_sessions_come_oldest_first(self, store: Store) -> None:
        subject = unique("subject")
        ages = [30, 10, 20]
        sessions = [
            await open_session(store, subject=subject, now=T - age) for age in ages
        ]
        page = await store.sessions(sessions[0].issuer, subject, now=T)
        assert list(page) == [sessions[0], sessions[2], sessions[1]]

    async def test_sessions_are_the_live_ones(self, store: Store) -> None:
        subject = unique("subject")
        live = await open_session(store, subject=subject)
        await open_session(store, subject=subject, idle_ttl=10)
        closed = await open_session(store, subject=subject)
        await store.close([closed.sid], now=T + 1)
        assert list(await store.sessions(live.issuer, subject, now=T + 10)) == [live]

    async def test_sessions_show_the_last_refresh(self, store: Store) -> None:
        session = await open_session(store)
        rotation = await store.rotate(
            session.sid, 0, idle_ttl=IDLE, grace=GRACE, now=T + 9
        )
        page = await store.sessions(session.issuer, session.subject, now=T + 9)
        assert list(page) == [rotation.session]

    async def test_sessions_of_two_issuers_stay_apart(self, store: Store) -> None:
        subject = unique("subject")
        ours = await open_session(store, subject=subject, issuer="https://a.example")
        theirs = await open_session(store, subject=subject, issuer="https://b.example")
        bare = await open_session(store, subject=subject, issuer="")
        for one in (ours, theirs, bare):
            assert list(await store.sessions(one.issuer, subject, now=T)) == [one]

    async def test_issuer_and_subject_do_not_run_together(self, store: Store) -> None:
        word = unique("a")
        session = await open_session(store, issuer=f"{word}:b", subject="c")
        assert list(await store.sessions(word, "b:c", now=T)) == []
        assert list(await store.sessions(f"{word}:b", "c", now=T)) == [session]

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_hostile_strings_are_kept_or_refused(
        self, store: Store, text: str
    ) -> None:
        assert list(await store.sessions(unique("issuer"), text, now=T)) == []
        issuer = unique("issuer")
        try:
            session = await open_session(store, issuer=issuer, subject=text)
        except ValueError:
            assert list(await store.sessions(issuer, text, now=T)) == []
            return

        assert session.subject == text
        assert list(await store.sessions(issuer, text, now=T)) == [session]
