"""The revocations of one issuer, in about 100 bytes each.

A name is kept as bytes, which the garbage collector never walks, and its end as a
number that many names share. It reads no clock, and verifies no token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asgi_auth.errors import RevokedTokenError
from asgi_auth.stores.records import Revocation

__all__ = ["RevokedTable"]

_NEVER = float("-inf")

_WHY_REVOKED = (
    "revoked is the session {!r}, the token {!r}, all of the subject {!r}, or all of "
    "the issuer"
)

# A dict that grows copies itself. Many small ones copy themselves in less than a
# millisecond each, where one of a million names would stop the event loop.
_SHARDS = 128
# Not by the lowest bits of a hash, by which a dict finds the places of its own.
_SHIFT = 40

# The sids of this package begin with a tag in hexadecimal digits, and a dot.
_TAG = 16

_PREFIXES = {"jti": b"j", "sid": b"s", "subject": b"u", "whole_subject": b"w"}
_KINDS = {prefix: kind for kind, prefix in _PREFIXES.items()} | {b"S": "sid"}


class RevokedTable:
    """Names of one issuer, each with the tick at which it may be forgotten.

    A tick is a whole number of a clock that its owner chooses. Adding and sweeping
    need a lock around them; looking up does not.

    Attributes:
        all_at: When everything of the issuer was revoked the last time.
        full_at: As *all_at*, for the access tokens alone: names that did not fit.
        size: How many names there are.
    """

    __slots__ = (
        "_all_until",
        "_ends",
        "_full_until",
        "_times",
        "_whole_times",
        "all_at",
        "full_at",
        "size",
    )

    def __init__(self) -> None:
        self.all_at: float = _NEVER
        self.full_at: float = _NEVER
        self.size: int = 0
        self._all_until = self._full_until = 0
        self._ends: list[dict[bytes, int]] = [{} for _ in range(_SHARDS)]
        # When a subject was revoked, for only there that counts: but for its sessions,
        # and with them. An issuer that names the sessions which end has none of these.
        self._times: dict[bytes, float] = {}
        self._whole_times: dict[bytes, float] = {}

    def check(
        self,
        session_id: str | None,
        token_id: str | None,
        subject: str,
        issued_at: float,
        act: Any,
    ) -> None:
        """Check that no entry hits a token of the issuer.

        The arguments are those of ``RevocationList.check``.

        Raises:
            RevokedTokenError: An entry hits it.
        """
        hit = (
            issued_at <= self.all_at
            or issued_at <= self.full_at
            or (session_id is not None and self.has_session(session_id))
            or (token_id is not None and self.has_token(token_id))
            or (act is not None and self._is_over(act, issued_at))
        )
        if not hit and session_id is None:
            hit = issued_at <= self.subject_at(subject)
        elif not hit and self._whole_times:
            hit = issued_at <= self.whole_subject_at(subject)

        if hit:
            msg = _WHY_REVOKED.format(session_id, token_id, subject)
            raise RevokedTokenError(msg)

    def has_token(self, token_id: str) -> bool:
        """Report whether a ``jti`` is revoked."""
        return self._end_of(_pack("jti", token_id)) is not None

    def has_session(self, session_id: str) -> bool:
        """Report whether a ``sid`` is revoked."""
        return self._end_of(_pack("sid", session_id)) is not None

    def subject_at(self, subject: str) -> float:
        """Return up to when a subject is revoked, or minus infinity."""
        whole = self.whole_subject_at(subject)
        if not self._times:
            return whole

        return max(whole, self._times.get(_pack("subject", subject), _NEVER))

    def whole_subject_at(self, subject: str) -> float:
        """Return up to when it is revoked with its sessions, or minus infinity."""
        if not self._whole_times:
            return _NEVER

        return self._whole_times.get(_pack("whole_subject", subject), _NEVER)

    def end_of(self, entry: Revocation) -> int | None:
        """Return the tick up to which the name of *entry* is held, if it is."""
        return self._end_of(_pack(entry.kind, entry.value))

    def holds(self, entry: Revocation) -> bool:
        """Say whether *entry* takes no space: its name is there, or it has none."""
        return entry.kind == "all" or self.end_of(entry) is not None

    def add(self, entry: Revocation, end: int) -> bool:
        """Hold *entry* until the tick *end*; report whether it says anything new."""
        if entry.kind == "all":
            is_news = entry.at > self.all_at
            self.all_at = max(self.all_at, entry.at)
            self._all_until = max(self._all_until, end)
            return is_news

        name = _pack(entry.kind, entry.value)
        shard = self._ends[(hash(name) >> _SHIFT) % _SHARDS]
        old_end = shard.get(name)
        if old_end is None:
            self.size += 1
            shard[name] = end
        elif old_end < end:
            # Of two, neither the later time nor the longer life may be lost.
            shard[name] = end

        times = self._times_of(name)
        if times is None:
            return old_end is None

        is_news = entry.at > times.get(name, _NEVER)
        if is_news:
            times[name] = entry.at

        return is_news

    def add_to_all(self, entry: Revocation, end: int) -> None:
        """Refuse all access tokens from before *entry*, for which there is no space."""
        self.full_at = max(self.full_at, entry.at)
        self._full_until = max(self._full_until, end)

    def sweep(self, number: int, tick: int) -> int:
        """Forget what ended before *tick* in one of the :attr:`parts`.

        Returns:
            How many names it had to look at.
        """
        if self._all_until <= tick:
            self.all_at = _NEVER

        if self._full_until <= tick:
            self.full_at = _NEVER

        shard = self._ends[number]
        looked_at = len(shard)
        names = [name for name, end in shard.items() if end <= tick]
        self.size -= len(names)
        for times in filter(None, (self._times, self._whole_times)):
            for name in names:
                times.pop(name, None)

        if len(names) * 2 > looked_at:
            # A dict keeps its size when names leave it.
            self._ends[number] = {
                name: end for name, end in shard.items() if end > tick
            }
        else:
            for name in names:
                del shard[name]

        return looked_at

    @property
    def parts(self) -> range:
        """The numbers that :meth:`sweep` takes."""
        return range(_SHARDS)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is revoked."""
        return not self.size and max(self.all_at, self.full_at) == _NEVER

    def entries(self, issuer: str, *, tick: int) -> Iterator[tuple[Revocation, int]]:
        """Name what is held, each with the ticks that are left of its life."""
        if self._all_until > tick:
            entry = Revocation(kind="all", issuer=issuer, at=self.all_at)
            yield entry, self._all_until - tick

        for shard in self._ends:
            for name, end in [*shard.items()]:
                if end > tick:
                    at = (self._times_of(name) or {}).get(name, 0.0)
                    yield _unpack(name, issuer, at), end - tick

    def _is_over(self, act: Any, issued_at: float) -> bool:
        """Report whether who acts has logged out, of a session or of all."""
        if not isinstance(act, Mapping):
            return False

        sid, actor = act.get("sid"), act.get("sub")
        if isinstance(sid, str):
            return self.has_session(sid)

        # Of another issuer's users we do not hear.
        if not isinstance(actor, str) or "iss" in act:
            return False

        return issued_at <= self.subject_at(actor)

    def _times_of(self, name: bytes) -> dict[bytes, float] | None:
        prefix = name[:1]
        if prefix == b"u":
            return self._times

        return self._whole_times if prefix == b"w" else None

    def _end_of(self, name: bytes) -> int | None:
        return self._ends[(hash(name) >> _SHIFT) % _SHARDS].get(name)


def _pack(kind: str, value: str) -> bytes:
    # Whatever callers send: a lone surrogate is a name like any other.
    if kind != "sid" or value[_TAG : _TAG + 1] != ".":
        return _PREFIXES[kind] + value.encode("utf-8", "surrogatepass")

    tag = value[:_TAG]
    try:
        packed = bytes.fromhex(tag)
    except ValueError:
        packed = b""

    # Not upper case, nor spaces: two names must not become one.
    if packed.hex() != tag:
        return b"s" + value.encode("utf-8", "surrogatepass")

    return b"S" + packed + value[_TAG + 1 :].encode("utf-8", "surrogatepass")


def _unpack(name: bytes, issuer: str, at: float) -> Revocation:
    prefix, rest = name[:1], name[1:]
    if prefix == b"S":
        tag, rest = rest[: _TAG // 2].hex(), rest[_TAG // 2 :]
        value = f"{tag}.{rest.decode('utf-8', 'surrogatepass')}"
    else:
        value = rest.decode("utf-8", "surrogatepass")

    return Revocation(kind=_KINDS[prefix], issuer=issuer, value=value, at=at)  # type: ignore[arg-type]
