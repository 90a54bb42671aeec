"""What a store keeps, as values: nothing here does anything.

No record holds a usable token: a refresh token is signed, and a row has only its
session id and counter. Times are seconds since the Unix epoch, on the store's clock.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import isfinite
from typing import Any, Literal, NamedTuple, Self

from asgi_auth.stores.agents import device_name
from asgi_auth.stores.text import check_storable

__all__ = [
    "FEED_PAGE",
    "SESSIONS_PAGE",
    "Device",
    "Feed",
    "NewSession",
    "Place",
    "Revocation",
    "Rotation",
    "Session",
    "once_name",
    "subject_tag",
]


_LONGEST_AGENT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a log-in came from, for the user's list of devices.

    Attributes:
        label: A name that the user or the client gave.
        ip: The client's address, as text.
        user_agent: The User-Agent header, cut to 512 bytes of UTF-8.
        name: What people call it by its user agent, for instance ``Firefox on Linux``.
    """

    label: str | None = None
    ip: str | None = None
    user_agent: str | None = None

    def __post_init__(self) -> None:
        """Cut the user agent, which callers choose freely."""
        if self.user_agent is not None:
            cut = self.user_agent.encode("utf-8", "replace")[:_LONGEST_AGENT]
            object.__setattr__(self, "user_agent", cut.decode("utf-8", "ignore"))

    @property
    def name(self) -> str | None:
        """Name the device for people; nothing may be decided by it."""
        return device_name(self.user_agent)


class Place(NamedTuple):
    """Where a session stands in the list of its subject's sessions, the oldest first.

    It stays good when the session is gone. As text it can go through a URL.

    Attributes:
        created_at: When the session began.
        sid: Its id.
    """

    created_at: float
    sid: str

    def __str__(self) -> str:
        """Write it so that :meth:`parse` reads it."""
        return f"{self.created_at!r}~{self.sid}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` has written.

        Raises:
            ValueError: It is something else.
        """
        time, tilde, sid = text.partition("~")
        # An exponent has no place in it, nor has what float() passes over.
        is_plain = time.isascii() and time.replace(".", "", 1).isdigit()
        if not tilde or not is_plain or not isfinite(float(time)):
            msg = "this is not the place of a session"
            raise ValueError(msg)

        return cls(float(time), sid)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a session begins with.

    Attributes:
        sid: A new id; the caller has made it unguessable.
        issuer: Who issues its tokens.
        subject: Whose session it is.
        idle_ttl: Seconds that it lives without a refresh, at most *ttl*.
        ttl: Seconds that it lives in any case.
        auth_time: When the user logged in; the time of the store if ``None``.
        acr: Authentication context class.
        amr: Authentication methods.
        claims: JSON values for each access token.
        device: Where the log-in came from.
    """

    sid: str
    issuer: str
    subject: str
    idle_ttl: float
    ttl: float
    auth_time: float | None = None
    acr: str | None = None
    amr: Sequence[str] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    device: Device = Device()

    def check_storable(self) -> None:
        """Pass what every store can hold.

        Raises:
            ValueError: A text has a NUL, a lone surrogate, or more than 1000 bytes.
        """
        texts = {"sid": self.sid, "issuer": self.issuer, "subject": self.subject}
        check_storable(**texts, acr=self.acr or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One log-in on one device.

    Attributes:
        sid: ``<tag>.<random>``; the tag is shared by all sessions of a subject.
        issuer: Who issued the tokens; empty where tokens have no ``iss``.
        subject: The user's id, unique together with *issuer* only.
        seq: Counts rotations; the refresh token that carries it is the current one.
        created_at: When the session began.
        rotated_at: When *seq* last went up; at first equal to *created_at*.
        idle_expires_at: When it ends unless it is refreshed.
        expires_at: When it ends in any case.
        auth_time: When the user last proved who they are (RFC 9470).
        acr: Authentication context class (RFC 9470).
        amr: Authentication methods (RFC 8176).
        claims: What goes into each access token: scope, roles and custom claims.
        device: Where the log-in came from.
        revoked_at: When it was revoked, or ``None``.
        rotated_by: A digest of the client that refreshed last, where that is known.
    """

    sid: str
    issuer: str
    subject: str
    seq: int
    created_at: float
    rotated_at: float
    idle_expires_at: float
    expires_at: float
    auth_time: float
    acr: str | None = None
    amr: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    device: Device = Device()
    revoked_at: float | None = None
    rotated_by: str | None = None

    @property
    def place(self) -> Place:
        """Where the list of sessions goes on behind it."""
        return Place(self.created_at, self.sid)

    def is_live(self, now: float) -> bool:
        """Return whether it is neither revoked nor at its end.

        Args:
            now: Unix seconds.
        """
        ends_at = min(self.idle_expires_at, self.expires_at)
        return self.revoked_at is None and now < ends_at


@dataclass(frozen=True, slots=True)
class Rotation:
    """What :meth:`~asgi_auth.stores.Store.rotate` found, and did.

    Attributes:
        outcome:
            ``rotated``: the counter went up. ``restored``: it was behind the token's,
            because the store has forgotten, and went up beyond it. ``retried``: the
            previous token came back within grace, from the same client; nothing
            changed. ``reused``: an older one, too late, or from another client;
            nothing changed.
            ``refused``: unknown, revoked, expired, or no counter; nothing changed.
        session: The session as it is now, or ``None`` where it is unknown.
    """

    outcome: Literal["rotated", "restored", "retried", "reused", "refused"]
    session: Session | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One entry of the list of what is revoked.

    Attributes:
        kind:
            ``jti``: one token. ``sid``: the tokens of one session. ``subject``:
            tokens without a ``sid`` of one subject, issued at or before *at*.
            ``whole_subject``: those with one as well, where the end of the sessions
            is not reported one by one.
            ``all``: everything of the issuer issued at or before *at*.
        issuer: Whose tokens; empty where tokens have no ``iss``.
        value: The jti, sid or subject; empty for ``all``.
        at: When it was revoked.
        expires_at: When the last token that it could hit has expired.
    """

    kind: Literal["jti", "sid", "subject", "whole_subject", "all"]
    issuer: str
    value: str = ""
    at: float = 0.0
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Feed:
    """One page of what :meth:`~asgi_auth.stores.Store.feed` reads.

    Attributes:
        entries: At most 2 000, in no particular order; an entry may come
            more than once.
        cursor: Where to go on from.
        now: The store's time when it was read.
        more: There is more to read at once, from *cursor*.
        restarted: The store does not know the cursor that it was given, for instance
            because it has gone back to a backup: this page begins the whole window.
    """

    entries: Sequence[Revocation]
    cursor: str
    now: float
    more: bool = False
    restarted: bool = False


FEED_PAGE = 2000
"""How many entries a page of a feed has at most."""


SESSIONS_PAGE = 100
"""How many sessions a page has by default."""


def subject_tag(issuer: str, subject: str) -> str:
    """Name the group that all sessions of a subject share: 16 hex digits.

    It is the hash tag of the subject's keys on a cluster, and part of every sid, so
    it must never change. Two subjects may share one: compare issuer and subject too.
    """
    return _digest(issuer, subject).hex()[:16]


def once_name(space: str, key: str) -> str:
    """Name what may be used once: 32 characters of ASCII, whatever the texts hold.

    A store that keeps it, and not the key, takes keys of any length and content, and
    has none to give away.
    """
    return urlsafe_b64encode(_digest(space, key)[:24]).decode("ascii")


def _digest(*texts: str) -> bytes:
    digest = sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        # With its length in front, no two pairs of texts read the same.
        digest.update(len(data).to_bytes(8, "big") + data)

    return digest.digest()
