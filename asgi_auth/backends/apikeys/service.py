"""Makes API keys, judges them, and ends them.

It keeps no key in a form that could be used: only a hash, which is enough because
keys are long and random.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from asgi_auth._clock import Clock, system_clock
from asgi_auth._encoding import constant_time_equal
from asgi_auth.backends.apikeys.records import APIKey, APIKeyStore, NewAPIKey
from asgi_auth.backends.apikeys.text import check_prefix, make_text, read_text
from asgi_auth.errors import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    RevokedTokenError,
    UnavailableError,
)
from asgi_auth.events import Event, Events, Listener
from asgi_auth.tokens.claims import UserId, subject_of

__all__ = ["APIKeys"]

_NOTED_EVERY = 60.0
_NOBODY = "0" * 64


class APIKeys:
    """The API keys of an application.

    Args:
        store: Keeps them.
        prefix: What keys begin with, so that people and scanners know them.
        on_event: Gets an :class:`~asgi_auth.events.Event` for each key that is made,
            used for the first time, or revoked; for instance ``tokens.events``.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: Keys cannot begin with the prefix.
    """

    def __init__(
        self,
        store: APIKeyStore,
        *,
        prefix: str = "key",
        on_event: Listener | Events | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.prefix: str = check_prefix(prefix)
        self._store = store
        self._events: Events = Events.of(on_event)
        self._clock = clock

    @property
    def clock(self) -> Clock:
        """What the ends of keys are measured with."""
        return self._clock

    async def generate(
        self,
        subject: UserId,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        ttl: float | None = None,
        label: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> NewAPIKey:
        """Make a key; its text is not to be had again.

        Args:
            subject: Whose key it is.
            scopes: What it allows.
            roles: The roles that it gives.
            ttl: Seconds that it lives; ``None``: until it is revoked.
            label: What its owner calls it.
            data: Whatever else is to be kept, JSON values.

        Raises:
            ConfigurationError: The subject is no short, plain text, or the key would
                be dead at once.
            UnavailableError: The store is down.
        """
        owner = subject_of(subject)
        if ttl is not None and ttl <= 0:
            msg = "A key needs time to live: ttl must be positive, or None."
            raise ConfigurationError(msg)

        text, key_id = make_text(self.prefix)
        now = self._clock()
        record = APIKey(
            id=key_id,
            digest=read_text(self.prefix, text.encode("ascii")).digest,
            subject=owner,
            label=label,
            scopes=tuple(scopes),
            roles=tuple(roles),
            created_at=now,
            expires_at=None if ttl is None else now + ttl,
            data=data or {},
        )
        await self._store.add(record)
        self._tell("api_key.created", record)
        return NewAPIKey(text, record)

    async def admit(self, text: bytes) -> APIKey:
        """Return the key with this text, and note that it was used.

        Raises:
            ExpiredTokenError: Its time is over.
            RevokedTokenError: It was revoked.
            InvalidTokenError: There is no such key.
            UnavailableError: The store is down.
        """
        key_id, digest = read_text(self.prefix, text)
        key = await self._store.find(key_id)
        expected = _NOBODY if key is None else key.digest
        same = constant_time_equal(digest.encode("ascii"), expected.encode("ascii"))
        if key is None or not same:
            msg = "there is no such API key"
            raise InvalidTokenError(msg)

        now = self._clock()
        _check(key, now)
        if key.last_used_at is None or now - key.last_used_at >= _NOTED_EVERY:
            # Not to know when a key was used is no reason to refuse it.
            with suppress(UnavailableError):
                await self._store.mark(key_id, used_at=now)
                if key.last_used_at is None:
                    self._tell("api_key.used", key)

        return key

    async def find(self, key_id: str) -> APIKey:
        """Return a key that is still good, by its id.

        Raises:
            ExpiredTokenError: Its time is over.
            RevokedTokenError: It was revoked, or is gone.
            UnavailableError: The store is down.
        """
        key = await self._store.find(key_id)
        if key is None:
            msg = f"there is no key {key_id!r}"
            raise RevokedTokenError(msg)

        _check(key, self._clock())
        return key

    async def list(self, subject: UserId) -> Sequence[APIKey]:
        """List the keys of a subject, the oldest first, ended ones included.

        Raises:
            UnavailableError: The store is down.
        """
        return await self._store.list(subject_of(subject))

    async def revoke(self, key_id: str) -> None:
        """End a key, from its next use on; an unknown id is passed over.

        Raises:
            UnavailableError: The store is down.
        """
        key = await self._store.find(key_id)
        if key is not None and key.revoked_at is None:
            await self._end(key)

    async def revoke_subject(self, subject: UserId) -> None:
        """End all keys of a subject, from their next use on.

        Give it to ``AccountService.also_end``, and keys end
        with their account.

        Raises:
            UnavailableError: The store is down.
        """
        for key in await self.list(subject):
            if key.revoked_at is None:
                await self._end(key)

    async def _end(self, key: APIKey) -> None:
        await self._store.mark(key.id, revoked_at=self._clock())
        self._tell("api_key.revoked", key)

    def _tell(self, name: str, key: APIKey) -> None:
        detail = {"id": key.id, "label": key.label}
        event = Event(name=name, at=self._clock(), subject=key.subject, detail=detail)
        self._events.emit(event)


def _check(key: APIKey, now: float) -> None:
    if key.revoked_at is not None:
        msg = f"the key {key.id!r} was revoked"
        raise RevokedTokenError(msg)

    if key.expires_at is not None and key.expires_at <= now:
        msg = f"the key {key.id!r} ended {now - key.expires_at:.0f} seconds ago"
        raise ExpiredTokenError(msg)
