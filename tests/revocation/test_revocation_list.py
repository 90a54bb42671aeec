from __future__ import annotations

import asyncio
import gc
from weakref import ref

import pytest

from asgi_auth import (
    ConfigurationError,
    Credential,
    JWTBackend,
    KeySet,
    MemoryStore,
    RevocationList,
    RevokedTokenError,
    TokenService,
    TokenVerifier,
    UnavailableError,
)
from asgi_auth.revocation.uptime import uptime
from asgi_auth.stores.records import FEED_PAGE, Revocation
from asgi_auth.testing import FakeClock

ISSUER = "https://api.example"


class RemoteStore:
    """A store of which only the feed tells, as SQL and Redis do."""

    def __init__(self, clock=None):
        self.memory = MemoryStore() if clock is None else MemoryStore(clock=clock)
        self.is_down = False
        self.is_stalled = False
        self.pace = 0.0
        self.pages_until_death = None
        self.reads = []

    async def publish(self, *entries, ttl=900):
        await self.memory.publish(entries, ttl=ttl)

    async def feed(self, cursor, *, wait, now=None):
        self.reads.append((cursor, wait))
        await asyncio.sleep(60 if self.is_stalled else self.pace)
        if self.pages_until_death is not None:
            self.pages_until_death -= 1
        if self.is_down or self.pages_until_death == -1:
            raise UnavailableError
        return await self.memory.feed(cursor, wait=wait, now=now)


def entry(kind, value="", issuer=ISSUER):
    return Revocation(kind=kind, issuer=issuer, value=value)


def missing(revocations, entries, *, ttl):
    """Name what it would be of use to publish, for it is not held for half of *ttl*."""
    return [each for each in entries if not revocations.holds(each, life=ttl / 2)]


def check(revocations, **facts):
    facts = {
        "session_id": "s",
        "token_id": "t",
        "subject": "42",
        "issued_at": 0,
        **facts,
    }
    revocations.check(facts.pop("issuer", ISSUER), **facts)


@pytest.fixture
async def store():
    return RemoteStore()


@pytest.fixture
async def revocations(store):
    made = RevocationList(store)
    yield made
    await made.aclose()


async def test_the_first_verdict_waits_for_the_whole_window(store, revocations):
    await store.publish(entry("sid", "s"))
    await revocations.ensure_fresh()

    assert store.reads[0][0] is None
    with pytest.raises(RevokedTokenError):
        check(revocations)


@pytest.mark.parametrize(
    ("revoked", "hit", "spared"),
    [
        (entry("jti", "t"), {}, {"token_id": "other"}),
        (entry("sid", "s"), {}, {"session_id": "other"}),
        (entry("subject", "42"), {"session_id": None}, {"session_id": "s"}),
        (entry("subject", "42"), {"session_id": None}, {"subject": "43"}),
        (entry("whole_subject", "42"), {"session_id": None}, {"subject": "43"}),
        (entry("whole_subject", "42"), {"session_id": "s"}, {"subject": "43"}),
        (entry("all"), {}, {"issuer": "https://other.example"}),
        (entry("sid", "s", issuer=""), {"issuer": None}, {"issuer": ISSUER}),
    ],
)
async def test_each_kind_hits_what_it_names(store, revocations, revoked, hit, spared):
    await store.publish(revoked)
    await revocations.ensure_fresh()

    with pytest.raises(RevokedTokenError):
        check(revocations, **hit)
    check(revocations, **{**hit, **spared})


@pytest.mark.parametrize("kind", ["subject", "whole_subject", "all"])
async def test_what_is_issued_later_is_spared(kind):
    clock = FakeClock(1000.0)
    store = RemoteStore(clock)
    revocations = RevocationList(store)
    await store.publish(entry(kind, "" if kind == "all" else "42"))
    await revocations.ensure_fresh()

    for issued_at in (0, 999, 1000):
        with pytest.raises(RevokedTokenError):
            check(revocations, session_id=None, issued_at=issued_at)
    check(revocations, session_id=None, issued_at=1001)
    await revocations.aclose()


async def test_news_arrive_without_being_asked_for(store, revocations):
    await revocations.ensure_fresh()
    await store.publish(entry("sid", "s"))

    async with asyncio.timeout(30):
        while revocations.version == 0:
            await asyncio.sleep(0.001)
    with pytest.raises(RevokedTokenError):
        check(revocations)


async def test_an_old_copy_is_caught_up_by_one_joint_read(store, revocations):
    await revocations.ensure_fresh()
    await revocations.aclose()
    await store.publish(entry("sid", "s"))
    store.reads.clear()
    # As after a minute in which the process was suspended.
    revocations.fresh_until = uptime() - 60

    await asyncio.gather(*(revocations.ensure_fresh() for _ in range(50)))

    assert [wait for _, wait in store.reads].count(0) == 1
    with pytest.raises(RevokedTokenError):
        check(revocations)


async def test_a_fresh_copy_is_not_read_again(store, revocations):
    await revocations.ensure_fresh()
    await revocations.aclose()
    store.reads.clear()

    await revocations.ensure_fresh()

    assert store.reads == []


async def test_an_answer_is_as_old_as_its_question(store):
    asked = uptime()
    revocations = RevocationList(store, max_staleness=5)
    await revocations.read()

    assert asked + 5 <= revocations.fresh_until <= uptime() + 5


async def test_while_the_store_is_down_there_is_no_verdict(store, revocations):
    store.is_down = True
    with pytest.raises(UnavailableError):
        await revocations.ensure_fresh()

    store.is_down = False
    await revocations.ensure_fresh()
    check(revocations)


async def test_a_store_that_stalls_is_given_up_within_a_second(store, revocations):
    store.is_stalled = True
    began = uptime()

    with pytest.raises(UnavailableError):
        await revocations.ensure_fresh()
    assert uptime() - began < 3


async def test_a_stalled_read_is_not_waited_for_for_ever(store, revocations):
    store.is_stalled = True
    with pytest.raises(UnavailableError):
        await revocations.ensure_fresh()
    store.is_stalled = False

    async with asyncio.timeout(10):
        while not revocations.ready:
            await asyncio.sleep(0.05)


async def test_stale_verdicts_must_be_asked_for_by_a_bad_name(store):
    lenient = RevocationList(store, insecure_accept_stale=True)
    await store.publish(entry("sid", "s"))
    await lenient.ensure_fresh()
    store.is_down = True
    lenient.fresh_until = 0

    await lenient.ensure_fresh()
    with pytest.raises(RevokedTokenError):
        check(lenient)
    await lenient.aclose()


async def test_after_an_outage_what_is_missing_is_read(store, revocations):
    await revocations.ensure_fresh()
    store.is_down = True
    await store.publish(entry("sid", "s"))
    store.reads.clear()
    async with asyncio.timeout(30):
        while len(store.reads) < 2:
            await asyncio.sleep(0.001)
    store.is_down = False

    async with asyncio.timeout(30):
        while revocations.version == 0:
            await asyncio.sleep(0.01)
    assert None not in {cursor for cursor, _ in store.reads}
    with pytest.raises(RevokedTokenError):
        check(revocations)


class TestLoading:
    """A fresh process in front of a long window."""

    @pytest.fixture
    async def full(self, store):
        entries = [entry("sid", f"sid-{number}") for number in range(5 * FEED_PAGE)]
        await store.publish(*entries, entry("sid", "s"))
        return store

    async def test_it_is_not_ready_and_says_so_until_all_is_read(self, full):
        full.pace = 0.3
        revocations = RevocationList(full)
        assert not revocations.ready

        with pytest.raises(UnavailableError, match="still being read"):
            await revocations.ensure_fresh()
        assert not revocations.ready

        async with asyncio.timeout(10):
            while not revocations.ready:
                await asyncio.sleep(0.05)
        # Six pages, each of them once: waiting has not begun it anew.
        cursors = [cursor for cursor, wait in full.reads if wait == 0]
        assert len(cursors) == len({*cursors}) == 6
        with pytest.raises(RevokedTokenError):
            check(revocations)
        await revocations.aclose()

    async def test_a_store_that_answers_a_page_and_dies_costs_one_page(self, full):
        full.pages_until_death = 2
        revocations = RevocationList(full)
        with pytest.raises(UnavailableError):
            await revocations.read()
        full.pages_until_death = None
        await revocations.read()

        assert [cursor is None for cursor, _ in full.reads] == [True] + 6 * [False]
        with pytest.raises(RevokedTokenError):
            check(revocations)
        await revocations.aclose()

    async def test_the_event_loop_goes_on_meanwhile(self, full):
        revocations = RevocationList(full)
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        await revocations.read()
        counting.cancel()
        assert turns >= 5 * FEED_PAGE / 500
        await revocations.aclose()

    async def test_who_leaves_while_it_loads_leaves_no_task(self, full):
        full.pace = 0.3
        revocations = RevocationList(full)
        before = asyncio.all_tasks()
        waiting = asyncio.create_task(revocations.ensure_fresh())
        await asyncio.sleep(0.1)
        await revocations.aclose()
        with pytest.raises(UnavailableError):
            await waiting
        assert asyncio.all_tasks() == before

    def test_a_loop_that_is_killed_while_loading_leaves_the_next_one_the_rest(self):
        store = RemoteStore()
        entries = [entry("sid", f"sid-{number}") for number in range(3 * FEED_PAGE)]
        asyncio.run(store.publish(*entries, entry("sid", "s")))
        store.pace = 0.2
        revocations = RevocationList(store)

        async def killed():
            reading = asyncio.create_task(revocations.ensure_fresh())
            await asyncio.sleep(0.5)
            reading.cancel()

        asyncio.run(killed())
        store.pace = 0.0
        asyncio.run(revocations.ensure_fresh())
        assert revocations.ready
        with pytest.raises(RevokedTokenError):
            check(revocations)


class TestClocks:
    """A clock may be set; what is revoked stays so."""

    async def test_one_that_jumps_ahead_and_back_forgets_nothing(self):
        clock = FakeClock()
        store = RemoteStore(clock)
        revocations = RevocationList(store)
        await store.publish(entry("sid", "s"))
        await revocations.read()
        for seconds in (86400, -86400):
            clock.advance(seconds)
            await sweep(revocations)
            with pytest.raises(RevokedTokenError):
                check(revocations)
        await revocations.aclose()

    async def test_what_a_clock_ahead_took_for_expired_is_read_when_it_is_set(self):
        clock = FakeClock()
        store = RemoteStore(clock)
        revocations = RevocationList(store)
        await store.publish(entry("sid", "s"))
        clock.advance(3600)
        await revocations.read()
        check(revocations)
        clock.advance(-3600)
        await revocations.read()
        with pytest.raises(RevokedTokenError):
            check(revocations)
        await revocations.aclose()

    async def test_a_given_clock_is_the_time_of_the_feed(self):
        clock = FakeClock(1000.0)
        store = RemoteStore()
        await store.memory.publish([entry("sid", "s")], ttl=900, now=1000.0)
        revocations = RevocationList(store, clock=clock)
        await revocations.read()
        with pytest.raises(RevokedTokenError):
            check(revocations)
        await revocations.aclose()


async def sweep(revocations):
    """Go over all entries, as happens within a minute."""
    for _ in range(200):
        revocations._register._next_sweep = 0
        await revocations.read()


async def test_a_bug_in_a_store_does_not_end_the_reading(store, revocations, caplog):
    await revocations.ensure_fresh()
    feed = store.feed

    async def broken(cursor, **options):
        raise ZeroDivisionError

    store.feed = broken
    await store.publish(entry("jti", "wakes the reader"))
    async with asyncio.timeout(30):
        while "reading the revocations failed" not in caplog.text:
            await asyncio.sleep(0.001)
    store.feed = feed

    await store.publish(entry("sid", "s"))
    revocations.fresh_until = 0
    await revocations.ensure_fresh()
    with pytest.raises(RevokedTokenError):
        check(revocations)


async def test_a_reload_removes_nothing(store, revocations):
    await store.publish(entry("sid", "s"))
    await revocations.ensure_fresh()
    store.memory = MemoryStore()

    await revocations.read()
    with pytest.raises(RevokedTokenError):
        check(revocations)


async def test_entries_go_when_no_token_can_be_left(monkeypatch):
    clock = FakeClock(1000.0)
    for module in ("revocation_list", "reader", "register"):
        monkeypatch.setattr(f"asgi_auth.revocation.{module}.uptime", clock)
    store = RemoteStore(clock)
    revocations = RevocationList(store)
    await store.publish(entry("sid", "s"), entry("jti", "t"), entry("subject", "42"))
    await store.publish(entry("all", issuer="i"), ttl=900)
    await revocations.read()
    clock.advance(899)
    await store.publish(entry("sid", "later"), ttl=900)
    await sweep(revocations)
    with pytest.raises(RevokedTokenError):
        check(revocations)
    # Within a tick of ten seconds.
    clock.advance(11)
    await sweep(revocations)

    check(revocations)
    check(revocations, session_id=None)
    assert revocations.all_before("i") == float("-inf")
    assert [*revocations._tables] == [ISSUER]
    with pytest.raises(RevokedTokenError):
        check(revocations, session_id="later")


class TestFlood:
    """What one caller can make grow has a bound, and is never forgotten."""

    async def test_beyond_the_bound_all_tokens_of_the_issuer_have_to_be_renewed(
        self, caplog
    ):
        clock = FakeClock(1000.0)
        store = RemoteStore(clock)
        revocations = RevocationList(store, max_entries=3)
        await store.publish(*(entry("sid", str(number)) for number in range(10)))
        await revocations.read()

        for number in range(10):
            with pytest.raises(RevokedTokenError):
                check(revocations, session_id=str(number), issued_at=1000)
        with pytest.raises(RevokedTokenError):
            check(revocations, session_id="innocent", issued_at=1000)
        check(revocations, session_id="innocent", issued_at=1001)
        check(revocations, issuer="another", issued_at=1000)
        # Sessions go on: only access tokens are refused.
        assert revocations.all_before(ISSUER) == float("-inf")
        assert caplog.text.count("3 revocations are held") == 1
        assert revocations._register.size == 3

    async def test_100_000_of_one_caller_grow_no_list_beyond_its_bound(self):
        many, most = 100_000, 20_000
        clock = FakeClock(1000.0)
        store = RemoteStore(clock)
        revocations = RevocationList(store, max_entries=most)
        await revocations.read()
        await store.publish(entry("sid", "first"))
        turns = 0

        async def others():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        for start in range(0, many, 10_000):
            numbers = range(start, start + 10_000)
            await store.publish(*(entry("sid", str(number)) for number in numbers))
            await revocations.read()
        task.cancel()

        assert revocations.size == most
        assert turns >= many / 500
        # Each of them is refused, and whoever refreshes is not.
        for name in ("first", "0", str(many - 1), "innocent"):
            with pytest.raises(RevokedTokenError):
                check(revocations, session_id=name, issued_at=1000)
        check(revocations, session_id="innocent", issued_at=1001)
        await revocations.aclose()

    async def test_what_has_a_place_keeps_it(self):
        store = RemoteStore(FakeClock(1000.0))
        revocations = RevocationList(store, max_entries=1)
        for kind in ("sid", "sid", "all"):
            await store.publish(entry(kind, "" if kind == "all" else "s"))
            await revocations.read()
        check(revocations, issued_at=1001, session_id="other")
        assert revocations._tables[ISSUER].full_at == float("-inf")

    def test_there_is_no_list_without_room(self):
        with pytest.raises(ConfigurationError, match="max_entries"):
            RevocationList(MemoryStore(), max_entries=0)

    @pytest.mark.parametrize("kind", ["jti", "sid"])
    async def test_what_is_held_need_not_be_published_again(
        self, store, revocations, kind
    ):
        one, other = entry(kind, "s"), entry(kind, "other")
        await store.publish(one, ttl=900)
        await revocations.ensure_fresh()
        assert missing(revocations, [one, other], ttl=900) == [other]
        assert missing(revocations, [one], ttl=1700) == []
        # It must then live longer: for instance because its row could not be closed.
        assert missing(revocations, [one], ttl=30 * 86400) == [one]

    async def test_what_counts_by_its_time_is_always_published(
        self, store, revocations
    ):
        entries = [entry("subject", "42"), entry("all"), entry("sid", "s", issuer="x")]
        await store.publish(*entries[:2])
        await revocations.ensure_fresh()
        assert missing(revocations, entries, ttl=900) == entries


async def test_the_later_of_two_entries_counts():
    clock = FakeClock(1000.0)
    store = RemoteStore(clock)
    revocations = RevocationList(store)
    await store.publish(entry("all"))
    await revocations.read()
    clock.advance(100)
    await store.publish(entry("all"))
    await revocations.read()
    version = revocations.version
    revocations._reader._cursor = None
    await revocations.read()

    assert revocations.all_before(ISSUER) == 1100
    assert revocations.version == version


async def test_listeners_hear_of_each_entry_once(store, revocations):
    heard = []
    stop = revocations.subscribe(heard.extend)
    await store.publish(entry("sid", "s"))
    await revocations.read()
    revocations._reader._cursor = None
    await revocations.read()
    stop()
    await store.publish(entry("sid", "other"))
    await revocations.read()

    assert [heard_of.value for heard_of in heard] == ["s"]


def test_two_loops_one_after_the_other(monkeypatch):
    store = RemoteStore()
    revocations = RevocationList(store)

    async def serve():
        revocations.fresh_until = 0
        await revocations.ensure_fresh()
        await revocations.aclose()

    asyncio.run(serve())
    asyncio.run(serve())
    assert len([1 for _, wait in store.reads if wait == 0]) == 2


async def test_a_list_that_nobody_holds_is_not_held_by_its_store():
    store = MemoryStore()
    gone = ref(RevocationList(store))
    gc.collect()
    await store.publish([entry("sid", "s")], ttl=900)

    assert gone() is None


class TestThroughTheBackend:
    KEYS = KeySet.generate("ES256")

    def make(self, store, **options):
        options = {"issuer": ISSUER, "audience": "api", "store": store, **options}
        return TokenService(self.KEYS, **options)

    async def test_a_cached_token_learns_of_its_revocation(self):
        tokens = self.make(MemoryStore())
        backend = JWTBackend(tokens)
        pair = await tokens.issue("42")
        credential = Credential(pair.access_token.encode(), "header")
        principal = await backend.authenticate(credential, {})
        assert backend.recognise(credential.token, "header") is principal

        await tokens.revoke(pair.access_token)
        with pytest.raises(RevokedTokenError):
            backend.recognise(credential.token, "header")

    async def test_two_services_on_one_store_learn_from_each_other(self):
        store = MemoryStore()
        one, two = self.make(store), self.make(store)
        pair = await one.issue("42")
        await two.verify(pair.access_token)
        await one.revoke_subject("42")

        with pytest.raises(RevokedTokenError):
            await two.verify(pair.access_token)

    async def test_a_service_that_only_verifies_needs_a_list_and_keys_alone(self):
        store = MemoryStore()
        tokens = self.make(store)
        verifier = TokenVerifier(
            self.KEYS,
            issuer=ISSUER,
            audience="api",
            revocations=RevocationList(store),
        )
        pair = await tokens.issue("42")
        assert (await verifier.admit(pair.access_token.encode())).subject == "42"

        await tokens.revoke(pair.refresh_token)
        with pytest.raises(RevokedTokenError):
            await verifier.admit(pair.access_token.encode())

    async def test_an_unrelated_revocation_leaves_a_cached_token_known(self):
        tokens = self.make(MemoryStore())
        backend = JWTBackend(tokens)
        credential = Credential(tokens.mint("42").encode(), "header")
        known = await backend.authenticate(credential, {})
        await tokens.revoke_session("somebody.else")

        assert backend.recognise(credential.token, "header") is known


async def test_reading_ends_even_if_a_driver_swallows_the_cancellation(store):
    """As happens where a time-out of the driver and the shutdown meet."""
    feed = store.feed
    waiting = asyncio.Event()

    async def swallowing(cursor, **options):
        if options["wait"]:
            waiting.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise UnavailableError from None
        return await feed(cursor, **options)

    store.feed = swallowing
    revocations = RevocationList(store)
    await revocations.ensure_fresh()
    await waiting.wait()

    async with asyncio.timeout(30):
        await revocations.aclose()
