"""Sessions and revocations in Redis or Valkey, on one server or a cluster.

No verb takes two steps, and none searches for keys: each is one script on one slot,
and each key has an end. Needs asyncio, and Redis 6.2 or newer or any Valkey.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from typing import Final

from asgi_auth._drivers.redis import RedisClient, RedisLink
from asgi_auth.errors import ConfigurationError
from asgi_auth.stores import _redis_lua as lua
from asgi_auth.stores._redis_rows import (
    microseconds,
    moment,
    pack,
    pack_owner,
    pack_place,
    pack_revocation,
    text,
    unpack,
    unpack_revocations,
)
from asgi_auth.stores.records import (
    FEED_PAGE,
    SESSIONS_PAGE,
    Feed,
    NewSession,
    Place,
    Revocation,
    Rotation,
    Session,
    once_name,
    subject_tag,
)
from asgi_auth.stores.text import check_storable, is_storable

__all__ = ["RedisStore"]

_SID: Final = re.compile(r"([0-9a-f]{16})\.[!-~]{1,128}")
_CURSOR: Final = re.compile(r"|@\d{1,15}|\d{1,18}-\d{1,18}", re.ASCII)
_PREFIX: Final = re.compile(r"[!-z|~]{1,64}")

# Keys outlive what is in them, so that the verdict is by the time that counts.
_SLACK: Final = 60_000_000
_CHUNK: Final = 500
# An outage must show within 3 seconds also while nothing is expected to happen.
_LONGEST_WAIT: Final = 1.0
# A repeated rotation must find its first try within grace: this is the longest call.
_SAFE_GRACE: Final = 3.0


class RedisStore:
    """Keeps sessions and revocations in Redis or Valkey.

    A session takes about 700 bytes. Clients are made on first use in an event loop and
    closed with it.

    Args:
        url_or_client:
            ``redis://``, ``rediss://``, ``unix://`` or ``valkey://``; or a
            ``redis.asyncio.Redis`` or ``RedisCluster``, which is used as it is, with
            its own retries and timeouts, and stays yours to close.
        prefix: What all keys begin with.
        retention:
            Seconds that the stream of revocations goes back. It should be at least
            the longest life of an access token; what lives longer is kept besides.
        cluster: The URL leads to a cluster.

    Raises:
        MissingExtraError: redis-py is not installed.
        ConfigurationError: An argument is of no use; the message says what to do.
    """

    def __init__(
        self,
        url_or_client: str | RedisClient,
        *,
        prefix: str = "asgi_auth",
        retention: float = 3600.0,
        cluster: bool = False,
    ) -> None:
        if _PREFIX.fullmatch(prefix) is None:
            msg = "prefix must be 1 to 64 printable ASCII characters without braces"
            raise ConfigurationError(msg)

        if not retention > 0:
            msg = "retention must be a number of seconds above 0"
            raise ConfigurationError(msg)

        self._link = RedisLink(url_or_client, cluster=cluster, owner="RedisStore")
        self._prefix = prefix
        self._retention = retention
        self._stream = f"{prefix}:{{revocations}}"
        self._kept = f"{self._stream}:all"

    @classmethod
    def from_cluster(
        cls, url: str, *, prefix: str = "asgi_auth", retention: float = 3600.0
    ) -> RedisStore:
        """Make a store on a cluster, of which *url* names any node."""
        return cls(url, prefix=prefix, retention=retention, cluster=True)

    def __repr__(self) -> str:
        """Say nothing of the URL, which may hold a password."""
        return f"RedisStore(prefix={self._prefix!r}, cluster={self._link.cluster})"

    async def create(self, new: NewSession, *, now: float | None = None) -> Session:
        """Open a session; see :meth:`Store.create`.

        Raises:
            ValueError: The sid is taken or has no tag, or a string cannot be stored.
            TypeError: The claims are not JSON values.
        """
        new.check_storable()
        sid, tag = new.sid, _tag(new.sid)
        if tag is None:
            msg = "sid must be subject_tag(issuer, subject), a dot, and a random part"
            raise ValueError(msg)

        who = (new.issuer, new.subject, new.acr, list(new.amr), dict(new.claims))
        rest = pack(*who, device=new.device)
        ttls = microseconds(new.idle_ttl), microseconds(new.ttl)
        limits = (*ttls, moment(new.auth_time))
        args = (sid, *limits, rest, _SLACK, moment(now))
        keys = (self._row(sid), *self._indexes(tag))
        row = await self._link.run(lua.CREATE, keys, (*args, 0), again=(*args, 1))
        if row is None:
            msg = "a session with this sid exists"
            raise ValueError(msg)

        return unpack(sid, row)

    async def rotate(
        self,
        sid: str,
        seq: int,
        *,
        idle_ttl: float,
        grace: float,
        client: str | None = None,
        now: float | None = None,
    ) -> Rotation:
        """Advance the counter or say why not; see :meth:`Store.rotate`.

        One round trip. If the answer is lost it asks again, and gets ``retried`` with
        the same successor; with a grace too short for that it does not ask again.
        """
        tag = _tag(sid)
        if tag is None:
            return Rotation("refused")

        limits = (microseconds(idle_ttl), microseconds(grace), _SLACK)
        args = (sid, seq, *limits, moment(now), client or "-")
        keys = (self._row(sid), *self._indexes(tag))
        again = args if grace >= _SAFE_GRACE else None
        outcome, *row = await self._link.run(lua.ROTATE, keys, args, again=again)
        session = unpack(sid, row[0]) if row else None
        return Rotation(text(outcome), session)  # type: ignore[arg-type]

    async def find(self, sid: str, *, now: float | None = None) -> Session | None:
        """Return a live session, or ``None``; see :meth:`Store.find`."""
        if _tag(sid) is None:
            return None

        args = (moment(now),)
        row = await self._link.run(lua.FIND, [self._row(sid)], args, again=args)
        return None if row is None else unpack(sid, row)

    async def sessions(
        self,
        issuer: str,
        subject: str,
        *,
        after: Place | None = None,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[Session]:
        """Return a page of live sessions; see :meth:`Store.sessions`."""
        if after is not None and not is_storable(after.sid):
            return []

        tag = subject_tag(issuer, subject)
        place = "-" if after is None else f"({pack_place(after)}"
        args = (self._rows(tag), pack_owner(issuer, subject), moment(now), place, limit)
        keys = self._indexes(tag)
        answer = await self._link.run(lua.SESSIONS, keys, args, again=args)
        rows = zip(answer[::2], answer[1::2], strict=True)
        return [unpack(text(sid), row) for sid, row in rows]

    async def surplus(
        self,
        issuer: str,
        subject: str,
        *,
        keep: int,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[str]:
        """Name live sessions that are too many; see :meth:`Store.surplus`."""
        tag = subject_tag(issuer, subject)
        args = (self._rows(tag), pack_owner(issuer, subject), moment(now), keep, limit)
        keys = self._indexes(tag)
        sids = await self._link.run(lua.SURPLUS, keys, args, again=args)
        return [text(sid) for sid in sids]

    async def close(
        self,
        sids: Sequence[str],
        *,
        now: float | None = None,
    ) -> None:
        """End sessions for good; see :meth:`Store.close`."""
        by_tag: dict[str, list[str]] = {}
        for sid in sids:
            tag = _tag(sid)
            if tag is not None:
                by_tag.setdefault(tag, []).append(sid)

        for tag, members in by_tag.items():
            for start in range(0, len(members), _CHUNK):
                chunk = members[start : start + _CHUNK]
                keys = [*self._indexes(tag), *map(self._row, chunk)]
                await self._link.run(lua.CLOSE, keys, chunk, again=chunk)

    async def publish(
        self,
        entries: Sequence[Revocation],
        *,
        ttl: float,
        now: float | None = None,
    ) -> None:
        """Add revocations, all or none; see :meth:`Store.publish`.

        Raises:
            ValueError: A string cannot be stored.
        """
        for entry in entries:
            check_storable(issuer=entry.issuer, value=entry.value)

        if not entries:
            return

        texts = map(pack_revocation, entries)
        limits = (microseconds(ttl), microseconds(self._retention), _SLACK)
        args = (*limits, moment(now), *texts)
        keys = (self._stream, self._kept)
        await self._link.run(lua.PUBLISH, keys, args, again=args)

    async def feed(
        self, cursor: str | None, *, wait: float, now: float | None = None
    ) -> Feed:
        """Read a page after *cursor*; see :meth:`Store.feed`.

        With ``None`` it does not wait. An outage shows within 3 seconds, however long
        it was to wait.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            feed = await self._page(cursor or "", moment(now))
            rest = until - loop.time()
            is_answer = feed.entries or feed.more or feed.restarted
            if cursor is None or is_answer or rest <= 0:
                return feed

            cursor = feed.cursor
            await self._link.wait(self._stream, cursor, min(rest, _LONGEST_WAIT))

    async def once(
        self, space: str, key: str, *, ttl: float, now: float | None = None
    ) -> bool:
        """Use up a key; return whether it was there. See :meth:`Store.once`.

        One round trip. If the answer is lost it asks again, and gets the same one.
        """
        name = f"{self._prefix}:o:{once_name(space, key)}"
        # Only a caller with a time of their own needs it longer than by the server's.
        slack = 0 if now is None else _SLACK
        args = (microseconds(ttl), slack, secrets.token_hex(4), moment(now))
        return bool(await self._link.run(lua.ONCE, [name], args, again=args))

    async def ping(self) -> None:
        """See whether the server serves: for a readiness probe.

        Raises:
            UnavailableError: It is down, or may not be used.
        """
        await self._link.run("return 1", [self._stream], (), again=())

    async def aclose(self) -> None:
        """Close the connections of the running loop; a later verb opens new ones."""
        await self._link.aclose()

    async def _page(self, cursor: str, now: str) -> Feed:
        is_ours = _CURSOR.fullmatch(cursor) is not None
        args = (cursor if is_ours else "", FEED_PAGE, now)
        keys = (self._stream, self._kept)
        answer = await self._link.run(lua.FEED, keys, args, again=args, urgent=True)
        time, cursor, more, restarted, entries = answer
        present = int(time)
        return Feed(
            unpack_revocations(entries, now=present),
            text(cursor),
            present / 1e6,
            more=bool(more),
            restarted=bool(restarted) or not is_ours,
        )

    def _rows(self, tag: str) -> str:
        return f"{self._prefix}:{{{tag}}}:s:"

    def _row(self, sid: str) -> str:
        return self._rows(sid[:16]) + sid

    def _indexes(self, tag: str) -> tuple[str, str]:
        """Name what has a subject's sessions by their end, and by their beginning."""
        return f"{self._prefix}:{{{tag}}}:e", f"{self._prefix}:{{{tag}}}:b"


def _tag(sid: str) -> str | None:
    match = _SID.fullmatch(sid)
    return None if match is None else match[1]
