from __future__ import annotations

import asyncio
import gc
import re
import secrets
import subprocess
import sys
import time
import uuid
import warnings
from importlib.resources import files

import pytest
import redis.asyncio

from asgi_auth.errors import ConfigurationError
from asgi_auth.stores import NewSession
from asgi_auth.stores.records import FEED_PAGE, Device, Revocation, subject_tag
from asgi_auth.stores.redis import RedisStore
from asgi_auth.testing import StoreContract
from asgi_auth.testing._samples import read_feed
from tests.races import raced
from tests.stores.valkey import monitor, valkey_server

ISSUER = "https://api.example.com"
LIVE = {"idle_ttl": 1000.0, "ttl": 5000.0}


@pytest.fixture(scope="module")
def server():
    with valkey_server() as server:
        yield server


@pytest.fixture
async def store(server):
    store = RedisStore(server.url, prefix=f"t-{secrets.token_hex(4)}")
    yield store
    await store.aclose()


def new_sid(subject: str, issuer: str = ISSUER) -> str:
    return f"{subject_tag(issuer, subject)}.{secrets.token_urlsafe(16)}"


async def log_in(store, subject="ada", now=None, **options):
    options = {**LIVE, **options}
    new = NewSession(sid=new_sid(subject), issuer=ISSUER, subject=subject, **options)
    return await store.create(new, now=now)


def keys_of(server, store):
    with server.client() as client:
        return {key: client.pttl(key) for key in client.keys(f"{store._prefix}:*")}


class TestContract(StoreContract):
    @pytest.fixture
    async def store(self, server):
        store = RedisStore(server.url, prefix=f"t-{secrets.token_hex(4)}")
        yield store
        await store.aclose()

    @pytest.fixture
    async def peer(self, server, store):
        peer = RedisStore(server.url, prefix=store._prefix)
        yield peer
        await peer.aclose()


async def use_all_verbs(store):
    subject = secrets.token_hex(4)
    session = await log_in(store, subject)
    assert (await store.rotate(session.sid, 0, idle_ttl=9, grace=30)).session.seq == 1
    assert len(await store.sessions(ISSUER, subject)) == 1
    assert await store.surplus(ISSUER, subject, keep=0) == [session.sid]
    cursor = (await store.feed(None, wait=0)).cursor
    await store.publish([Revocation(kind="sid", issuer=ISSUER, value="x")], ttl=60)
    assert len((await store.feed(cursor, wait=1)).entries) == 1
    await store.close([session.sid])
    assert await store.sessions(ISSUER, subject) == []


async def test_a_rotation_is_exactly_one_round_trip(server, store):
    session = await log_in(store)
    await store.rotate(session.sid, 0, idle_ttl=1000, grace=30)
    async with monitor(server.port) as seen:
        for seq in range(1, 6):
            await store.rotate(session.sid, seq, idle_ttl=1000, grace=30)

    assert [line.split()[0].upper() for line in seen] == ['"EVALSHA"'] * 5


async def test_scripts_come_back_after_a_script_flush(server, store):
    await use_all_verbs(store)
    with server.client() as client:
        client.script_flush()

    await use_all_verbs(store)


async def test_every_key_has_an_end_and_none_is_searched_for(server):
    store = RedisStore(server.url, prefix=f"t-{secrets.token_hex(4)}", retention=50)
    with server.client() as client:
        client.config_resetstat()
    short = await log_in(store, idle_ttl=10.0)
    await log_in(store, idle_ttl=600.0)
    await store.rotate(short.sid, 0, idle_ttl=20.0, grace=30)
    await store.publish([Revocation(kind="all", issuer=ISSUER)], ttl=700)
    await use_all_verbs(store)
    with server.client() as client:
        commands = set(client.info("commandstats"))

    ends = keys_of(server, store)
    assert len(ends) == 6
    assert all(end > 0 for end in ends.values())
    indexes = [end for key, end in ends.items() if key.endswith((":e", ":b"))]
    kept = next(end for key, end in ends.items() if key.endswith(":all"))
    assert len(indexes) == 2
    assert min(indexes) > 599_000
    assert kept > 699_000
    assert not {"cmdstat_keys", "cmdstat_scan"} & commands
    assert "cmdstat_evalsha" in commands
    await store.aclose()


RACE = """
import asyncio
from asgi_auth.stores.redis import RedisStore

async def main(begin, url, prefix, sid, tries):
    store = RedisStore(url, prefix=prefix)
    await store.sessions("warm", "up")
    await begin()
    verbs = [store.rotate(sid, 0, idle_ttl=99, grace=30) for _ in range(tries)]
    answers = await asyncio.gather(*verbs)
    return [(a.outcome, a.session.seq, a.session.rotated_at) for a in answers]
"""


async def test_four_processes_with_one_token_get_one_successor(server, store):
    session = await log_in(store)
    common = [server.url, store._prefix, session.sid]
    outputs = await raced(RACE, *([*common, tries] for tries in (12, 12, 13, 13)))
    answers = [tuple(answer) for output in outputs for answer in output]

    assert len(answers) == 50
    assert sorted(outcome for outcome, _, _ in answers) == ["retried"] * 49 + [
        "rotated"
    ]
    assert len({(seq, at) for _, seq, at in answers}) == 1
    assert answers[0][1] == 1


async def test_without_grace_all_racers_but_one_are_reuses(store):
    session = await log_in(store)
    verbs = [store.rotate(session.sid, 0, idle_ttl=9, grace=0) for _ in range(50)]
    outcomes = [answer.outcome for answer in await asyncio.gather(*verbs)]

    assert sorted(outcomes) == ["reused"] * 49 + ["rotated"]


async def test_times_keep_their_microseconds(store):
    now = 1_700_000_000.123457
    session = await log_in(store, now=now, idle_ttl=0.000011, auth_time=1.000001)
    assert session.created_at == session.rotated_at == now
    assert session.idle_expires_at == 1_700_000_000.123468
    assert session.auth_time == 1.000001

    early = await store.rotate(
        session.sid, 0, idle_ttl=1, grace=1, now=1_700_000_000.123467
    )
    assert early.outcome == "rotated"
    late = await log_in(store, now=now, idle_ttl=0.000011)
    refused = await store.rotate(
        late.sid, 0, idle_ttl=1, grace=1, now=1_700_000_000.123468
    )
    assert refused.outcome == "refused"


async def test_the_time_is_the_servers_when_none_is_given(store):
    before = time.time()
    session = await log_in(store)
    assert before - 0.01 <= session.created_at <= time.time() + 0.01


async def test_grace_ends_at_its_microsecond(store):
    session = await log_in(store, now=1000.0)
    await store.rotate(session.sid, 0, idle_ttl=99, grace=30, now=1001.000001)
    last = await store.rotate(session.sid, 0, idle_ttl=99, grace=30, now=1031.000001)
    late = await store.rotate(session.sid, 0, idle_ttl=99, grace=30, now=1031.000002)
    assert (last.outcome, late.outcome) == ("retried", "reused")


async def test_a_subject_with_the_same_tag_is_not_shown(store):
    mine = await log_in(store, "ada")
    theirs = mine.sid[:17] + secrets.token_urlsafe(16)
    await store.create(NewSession(sid=theirs, issuer=ISSUER, subject="eve", **LIVE))
    assert [s.sid for s in await store.sessions(ISSUER, "ada")] == [mine.sid]
    assert await store.surplus(ISSUER, "ada", keep=0) == [mine.sid]
    assert (await store.rotate(theirs, 0, idle_ttl=9, grace=9)).outcome == "rotated"


@pytest.mark.parametrize(
    "sid",
    [
        "",
        "x",
        "0123456789abcdef",
        "0123456789abcdef.",
        "0123456789ABCDEF.x",
        "{0123456789abcd}.x",
        "0123456789abcdef.a b",
        "0123456789abcdef.\ud800",
        "0123456789abcdef.\n",
        "0123456789abcdef." + "x" * 1000,
        "\uff10123456789abcdef.x",
    ],
)
async def test_a_sid_of_another_shape_is_unknown(store, sid):
    answer = await store.rotate(sid, 0, idle_ttl=9, grace=9)
    assert (answer.outcome, answer.session) == ("refused", None)
    await store.close([sid])
    with pytest.raises(ValueError, match="sid"):
        await store.create(NewSession(sid=sid, issuer=ISSUER, subject="ada", **LIVE))


async def test_hostile_texts_come_back_as_they_were(store):
    device = Device(label="\ud800 \0 \n' 7", ip="::1", user_agent="ü 1 2 3")
    claims = {"scope": "a b", "roles": [], "n": 1e300, "big": 2**70, "o": {}}
    session = await log_in(store, "o' {x} \n ü", device=device, claims=claims)
    [found] = await store.sessions(ISSUER, "o' {x} \n ü")
    assert found == session
    assert found.device == device
    assert found.claims == claims
    assert await store.sessions("\ud800", "\0") == []


async def test_sessions_are_listed_by_age_and_ended_ones_are_not(store):
    young = await log_in(store, now=1002.0)
    old = await log_in(store, now=1001.0)
    await log_in(store, now=1000.0, idle_ttl=3.0)
    shown = await store.sessions(ISSUER, "ada", now=1003.0)
    assert [session.sid for session in shown] == [old.sid, young.sid]


async def test_an_index_forgets_rows_that_are_gone(server, store):
    """Each log-in takes some away: also those that a crash or an eviction has left."""
    for second in range(20):
        await log_in(store, now=1000.0 + second, idle_ttl=2.0)
    keys = keys_of(server, store)
    with server.client() as client:
        client.delete(*(key for key in keys if ":s:" in key))
        for second in range(3):
            await log_in(store, now=1021.0 + second, idle_ttl=20.0)
        for key in keys:
            if key.endswith((":e", ":b")):
                assert client.zcard(key) == 3


async def test_a_clock_that_is_ahead_makes_no_index_forget_a_session(store):
    kept = await log_in(store, now=1000.0, idle_ttl=600.0)
    await log_in(store, now=9000.0, idle_ttl=600.0)
    shown = await store.sessions(ISSUER, "ada", now=1001.0)
    assert kept.sid in {session.sid for session in shown}


async def test_a_cursor_of_an_empty_stream_misses_nothing(store):
    empty = await store.feed(None, wait=0)
    assert empty.entries == ()
    entry = Revocation(kind="jti", issuer=ISSUER, value="1")
    await store.publish([entry], ttl=60)
    [found] = (await store.feed(empty.cursor, wait=0)).entries
    assert (found.kind, found.value) == ("jti", "1")


async def test_a_window_of_many_pages_is_read_whole(store):
    first = await store.feed(None, wait=0)
    values = {str(number) for number in range(2500)}
    entries = [Revocation(kind="jti", issuer=ISSUER, value=v) for v in values]
    await store.publish(entries, ttl=60)
    for cursor in (None, first.cursor):
        feed = await read_feed(store, cursor)
        assert {entry.value for entry in feed.entries} == values
        assert (await store.feed(feed.cursor, wait=0)).entries == ()
        assert not feed.restarted


async def test_a_window_of_kept_entries_is_read_in_pages_as_well(server):
    prefix = f"t-{secrets.token_hex(4)}"
    store = RedisStore(server.url, prefix=prefix, retention=1)
    values = {str(number) for number in range(2500)}
    entries = [Revocation(kind="jti", issuer=ISSUER, value=v) for v in values]
    for start in range(0, 2500, 500):
        await store.publish(entries[start : start + 500], ttl=60 + start)
    with server.client() as client:
        client.delete(store._stream)

    page, seen = await store.feed(None, wait=0), set()
    while page.more:
        assert len(page.entries) <= FEED_PAGE
        seen |= {entry.value for entry in page.entries}
        await store.publish([Revocation(kind="all", issuer=ISSUER)], ttl=9000)
        page = await store.feed(page.cursor, wait=0)
    assert seen | {entry.value for entry in page.entries} >= values
    await store.aclose()


async def test_a_cursor_from_the_future_begins_anew(store):
    await store.publish([Revocation(kind="jti", issuer=ISSUER, value="1")], ttl=60)
    feed = await store.feed("99999999999999-0", wait=5)
    assert [entry.value for entry in feed.entries] == ["1"]
    assert feed.restarted


async def test_a_callers_clock_that_jumps_ahead_forgets_nothing_that_is_kept(server):
    prefix = f"t-{secrets.token_hex(4)}"
    store = RedisStore(server.url, prefix=prefix, retention=1)
    now = time.time()
    await store.publish([Revocation(kind="all", issuer=ISSUER)], ttl=500)
    other = Revocation(kind="all", issuer="other")
    await store.publish([other], ttl=500, now=now + 30 * 86400)
    with server.client() as client:
        client.delete(store._stream)
    issuers = {entry.issuer for entry in (await store.feed(None, wait=0)).entries}
    assert issuers == {ISSUER, "other"}
    await store.aclose()


async def test_what_outlives_the_retention_is_kept_without_its_stream(server):
    prefix = f"t-{secrets.token_hex(4)}"
    store = RedisStore(server.url, prefix=prefix, retention=100)
    await store.publish([Revocation(kind="all", issuer=ISSUER)], ttl=500, now=1000.0)
    short = [Revocation(kind="jti", issuer=ISSUER, value="1")]
    await store.publish(short, ttl=50, now=1000.0)
    cursor = (await store.feed(None, wait=0, now=1001.0)).cursor
    with server.client() as client:
        client.delete(store._stream)

    again = await store.feed(cursor, wait=0, now=1002.0)
    assert [entry.kind for entry in again.entries] == ["all"]
    assert (await store.feed(again.cursor, wait=0, now=1002.0)).entries == ()
    [entry] = (await store.feed(None, wait=0, now=1499.9)).entries
    assert (entry.kind, entry.at, entry.expires_at) == ("all", 1000.0, 1500.0)
    assert (await store.feed(None, wait=0, now=1500.0)).entries == ()
    await store.aclose()


async def test_the_stream_is_trimmed_by_the_servers_clock(server):
    store = RedisStore(server.url, prefix=f"t-{secrets.token_hex(4)}", retention=0.2)
    many = [Revocation(kind="jti", issuer=ISSUER, value=str(n)) for n in range(1000)]
    await store.publish(many, ttl=0.1, now=5_000_000_000.0)
    await asyncio.sleep(0.3)
    await store.publish(many[:1], ttl=0.1, now=5.0)
    with server.client() as client:
        assert client.xlen(store._stream) <= 150
    assert len((await store.feed(None, wait=0, now=5.0)).entries) >= 1
    await store.aclose()


async def test_a_cursor_whose_entry_was_trimmed_reads_the_whole_window(server, store):
    entries = [Revocation(kind="jti", issuer=ISSUER, value=v) for v in "abc"]
    await store.publish(entries[:1], ttl=60)
    cursor = (await store.feed(None, wait=0)).cursor
    await store.publish(entries[1:], ttl=60)
    with server.client() as client:
        client.xdel(store._stream, cursor)
    found = await store.feed(cursor, wait=0)
    assert {entry.value for entry in found.entries} == {"b", "c"}


async def test_a_waiting_feed_wakes_up_and_holds_no_place_in_the_pool(server):
    prefix = f"t-{secrets.token_hex(4)}"
    store = RedisStore(f"{server.url}?max_connections=1", prefix=prefix)
    cursor = (await store.feed(None, wait=0)).cursor
    waiting = asyncio.create_task(store.feed(cursor, wait=10))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    session = await asyncio.wait_for(log_in(store), 5)
    await store.publish(
        [Revocation(kind="sid", issuer=ISSUER, value=session.sid)], ttl=60
    )
    feed = await asyncio.wait_for(waiting, 5)
    assert [entry.value for entry in feed.entries] == [session.sid]
    await store.aclose()


async def test_a_feed_waits_as_long_as_it_was_told(store):
    cursor = (await store.feed(None, wait=0)).cursor
    waits = []
    # Never too short; a busy machine may be late, but not each time.
    while len(waits) < 3 and not (waits and waits[-1] <= 1.9):
        start = time.monotonic()
        assert (await store.feed(cursor, wait=1.3)).entries == ()
        waits.append(time.monotonic() - start)
        assert waits[-1] >= 1.2

    assert waits[-1] <= 1.9, waits


async def test_callers_queue_for_a_small_pool(server):
    prefix = f"t-{secrets.token_hex(4)}"
    store = RedisStore(f"{server.url}?max_connections=2", prefix=prefix)
    sessions = await asyncio.gather(*(log_in(store, str(n)) for n in range(200)))
    assert len({session.sid for session in sessions}) == 200
    await store.aclose()


def test_one_store_serves_two_loops_and_leaves_nothing_open(server):
    store = RedisStore(server.url, prefix=f"t-{secrets.token_hex(4)}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            asyncio.run(use_all_verbs(store))
            assert len(store._link._rooms) == 0
        gc.collect()

    assert [str(warning.message) for warning in caught] == []


def test_a_loop_that_was_never_shut_down_is_forgotten(server):
    store = RedisStore(server.url, prefix=f"t-{secrets.token_hex(4)}")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(use_all_verbs(store))
    room = loop.run_until_complete(store._link._rooms.get())
    loop.run_until_complete(room.client.aclose())
    loop.close()
    asyncio.run(use_all_verbs(store))
    assert len(store._link._rooms) == 0


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [False, True])
async def test_a_given_client_is_used_as_it_is_and_not_closed(server, protocol, decode):
    client = redis.asyncio.Redis(
        port=server.port, protocol=protocol, decode_responses=decode
    )
    store = RedisStore(client, prefix=f"t-{secrets.token_hex(4)}")
    await use_all_verbs(store)
    await store.aclose()
    [connection] = client.connection_pool._available_connections
    assert connection.is_connected
    assert await client.ping()
    await client.aclose()


async def test_a_closed_store_opens_again(store):
    await use_all_verbs(store)
    await store.aclose()
    await store.aclose()
    await use_all_verbs(store)


async def test_a_valkey_url_is_as_good(server):
    url = server.url.replace("redis:", "valkey:")
    store = RedisStore(url, prefix=f"t-{secrets.token_hex(4)}")
    await use_all_verbs(store)
    await store.aclose()


async def test_mistakes_are_not_taken_for_outages(server, store):
    session = await log_in(store)
    with server.client() as client:
        client.set(f"{store._prefix}:{{{session.sid[:16]}}}:b", "no index")
        client.set(store._stream, "no stream")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await store.sessions(ISSUER, "ada")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await store.feed(None, wait=0)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "http://u:hunter2@localhost",
        "redis://u:hunter2@localhost:port/0",
        "redis://u:hunter#2@localhost",
        "redis://u:hunter2@localhost?socket_timeout=hunter2",
        "redis://u:hunter2@localhost?hunter2=1",
        "redis://u:hunter2@[::1/0",
        "redis://u:hunter2@localhost/abc",
        "redis://u:hunter2@localhost/1/2",
        "valkey://u:hunter2@localhost/-1",
        "redis:/hunter2",
        "redis:hunter2",
    ],
)
@pytest.mark.parametrize("cluster", [False, True])
def test_a_wrong_url_is_refused_without_repeating_it(url, cluster):
    with pytest.raises(ConfigurationError, match="redis://") as caught:
        RedisStore(url, cluster=cluster)
    error = caught.value
    assert "hunter" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("url", ["redis://localhost/1", "unix:///tmp/x"])
def test_a_cluster_has_neither_a_db_nor_a_path(url):
    with pytest.raises(ConfigurationError, match="cluster"):
        RedisStore.from_cluster(url)


@pytest.mark.parametrize(
    "arguments",
    [
        {"prefix": ""},
        {"prefix": "a{b}"},
        {"prefix": "a b"},
        {"prefix": "ä"},
        {"retention": 0},
        {"retention": float("nan")},
        {"url_or_client": object()},
        {"url_or_client": redis.Redis()},
    ],
)
def test_useless_arguments_are_refused(arguments):
    with pytest.raises(ConfigurationError):
        RedisStore(**{"url_or_client": "redis://localhost", **arguments})


def test_a_repr_holds_no_password():
    store = RedisStore("redis://user:hunter2@localhost:1/0")
    assert "hunter2" not in repr(store) + repr(store._link) + repr(vars(store))


def test_without_redis_py_the_error_says_what_to_install():
    program = (
        "import sys; sys.modules['redis'] = None\n"
        "from asgi_auth.errors import MissingExtraError\n"
        "from asgi_auth.stores.redis import RedisStore\n"
        "try: RedisStore('redis://localhost')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (
        done.stdout.strip()
        == 'RedisStore needs redis: python -m pip install "asgi-auth[redis]"'
    )


async def test_scripts_use_no_command_that_is_newer_than_redis_6_2(server):
    lua = files("asgi_auth.stores") / "lua"
    text = "\n".join(file.read_text() for file in lua.iterdir())
    commands = sorted(set(re.findall(r"redis\.call\('(\w+)'", text)))
    assert len(commands) > 8
    connection = redis.asyncio.Connection(
        port=server.port, protocol=3, decode_responses=True
    )
    await connection.send_command("COMMAND", "DOCS", *commands)
    docs = await connection.read_response()
    await connection.disconnect()
    since = {
        name: tuple(map(int, doc["since"].split("."))) for name, doc in docs.items()
    }
    assert set(since) == {command.lower() for command in commands}
    assert max(since.values()) <= (6, 2, 0)
    # These came with Redis 7, as options of older commands.
    assert not re.search(r"'(?:PEXPIRE|EXPIRE)'[^\n]*'(?:NX|XX|GT|LT)'", text)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_session_takes_at_most_600_bytes(capsys):
    count = 100_000
    claims = {"scope": "orders:read orders:write", "roles": ["editor", "billing"]}
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140"
    device = Device(ip="203.0.113.195", user_agent=agent)
    with valkey_server() as server, server.client() as client:
        store = RedisStore(server.url)
        before = client.info("memory")["used_memory_dataset"]
        sids = []
        for _ in range(count // 250):
            batch = [str(uuid.uuid4()) for _ in range(250)]
            made = await asyncio.gather(
                *(log_in(store, s, claims=claims, device=device) for s in batch)
            )
            sids += [session.sid for session in made]
        after = client.info("memory")["used_memory_dataset"]

        sample = sids[:1000]
        rows = [client.memory_usage(store._row(sid), samples=0) for sid in sample]
        indexes = [
            sum(client.memory_usage(key, samples=0) for key in store._indexes(sid[:16]))
            for sid in sample
        ]
        start = time.monotonic()
        for first in range(0, 20_000, 50):
            await asyncio.gather(
                *(
                    store.rotate(sid, 0, idle_ttl=1000, grace=30)
                    for sid in sids[first : first + 50]
                )
            )
        speed = 20_000 / (time.monotonic() - start)
        await store.aclose()

    with capsys.disabled():
        sys.stdout.write(
            f"\n{count} sessions of as many subjects: a row {max(rows)} bytes, "
            f"the indexes {max(indexes)} bytes by MEMORY USAGE; "
            f"{(after - before) / count:.0f} bytes of data set for all; "
            f"{speed:.0f} rotations/s from one process\n"
        )
    assert max(rows) <= 600
