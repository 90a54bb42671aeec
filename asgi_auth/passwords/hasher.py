"""Hashes and checks passwords, in worker threads.

It never hashes on the event loop, never cuts a password, and never lets a stored
hash or a password into a message. Which passwords are good is decided by
:mod:`asgi_auth.passwords.policy`.
"""

from __future__ import annotations

import os
import secrets
import threading
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar, TypeVarTuple

from anyio import CapacityLimiter, fail_after, to_thread
from anyio.lowlevel import RunVar
from passlib.context import CryptContext

from asgi_auth._logs import package_logger
from asgi_auth.errors import (
    ConfigurationError,
    InvalidCredentialsError,
    UnavailableError,
)
from asgi_auth.passwords.foreign import FOREIGN_SCHEMES
from asgi_auth.passwords.load import hashing
from asgi_auth.passwords.match import PasswordMatch
from asgi_auth.passwords.policy import PasswordRefusedError, password_fault

__all__ = ["PasswordHasher"]

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")

_logger = package_logger(__name__)

# All hashers of one size share one limiter per event loop: two of them must not
# take twice the cores and twice the memory.
_limiters: RunVar[dict[int, CapacityLimiter]] = RunVar("asgi_auth_password_limiters")

_OLDER_SCHEMES = ("bcrypt", "bcrypt_sha256", "pbkdf2_sha256", "scrypt")
_CUT_SCHEMES = {"bcrypt", "django_bcrypt"}

# What the OWASP cheat sheet on password storage calls the least.
_LEAST_MEMORY_KIB = 19 * 1024
_LEAST_PASSES = 2


# Who waits longer has mostly gone, and tries again: hashing for them keeps all others
# waiting as well.
_PATIENCE = 4.0


class PasswordHasher:
    """Argon2id for new hashes; older schemes are verified and replaced at log-in.

    Passwords are brought to Unicode form NFC first, so that one password typed on
    two systems is one password (RFC 8265, section 4.2.2); a hash that was made of
    another form is still matched, and replaced.

    Args:
        memory_kib: Memory of one hash, in KiB (RFC 9106, section 4: 64 MiB).
        passes: Passes over that memory (RFC 9106, section 4: 3).
        lanes: Parallel lanes of one hash (RFC 9106, section 4: 4).
        context:
            Your own context, for other schemes or costs; the three above are unused
            then. Its first scheme makes the new hashes.
        workers: Hashes at one time per event loop; the number of cores if ``None``.
        max_waiting:
            Calls that may wait for a worker, for 4 seconds each. Beyond, a call is
            refused at once.
        insecure_cut_bcrypt:
            Of a password over 72 bytes, compare only these with a bcrypt hash: older
            libraries hashed no more, and said nothing. Whoever knows them gets in,
            until the owner logs in and has a whole hash.

    Raises:
        ConfigurationError: The costs are below what is safe today.
    """

    def __init__(
        self,
        *,
        memory_kib: int = 64 * 1024,
        passes: int = 3,
        lanes: int = 4,
        context: CryptContext | None = None,
        workers: int | None = None,
        max_waiting: int = 256,
        insecure_cut_bcrypt: bool = False,
    ) -> None:
        if context is None:
            context = _argon2_context(memory_kib=memory_kib, passes=passes, lanes=lanes)

        self._context = context
        self._workers = _cores() if workers is None else workers
        self._max_waiting = max_waiting
        self._cuts = insecure_cut_bcrypt
        if insecure_cut_bcrypt:
            _logger.warning(
                "insecure_cut_bcrypt: of a long password only the first 72 bytes count"
            )

        self._lock = threading.Lock()
        self._dummy: str | None = None

        if self._workers < 1 or max_waiting < 0:
            msg = "PasswordHasher needs workers >= 1 and max_waiting >= 0."
            raise ConfigurationError(msg)

    async def hash(self, password: str) -> str:
        """Hash a new password.

        Raises:
            PasswordRefusedError:
                No hash may be made of it: longer than 1024 characters, not Unicode,
                with a NUL, or longer than the scheme reads (72 bytes with bcrypt).
            UnavailableError: Too many calls wait, or there is no memory.
        """
        fault = password_fault(password)
        if fault is not None:
            raise PasswordRefusedError(fault)

        return await self._in_worker(self._hash, _forms(password)[0])

    async def verify(self, password: str, stored: str | None) -> PasswordMatch:
        """Check a password, and hash it anew where the stored hash is out of date.

        Args:
            password: As the caller sent it.
            stored: The hash, or ``None`` for an account that has no password.

        Returns:
            That it is right, which is always true, and what to store from now on.

        Raises:
            InvalidCredentialsError:
                The password is wrong, or the stored hash cannot be read.
            UnavailableError: Too many calls wait, or there is no memory.
        """
        if password_fault(password) is not None:
            raise InvalidCredentialsError

        return await self._in_worker(self._verify, _forms(password), stored)

    async def verify_dummy(self, password: str) -> None:
        """Do the work that a wrong password costs, for a user that does not exist.

        Raises:
            UnavailableError: Too many calls wait, or there is no memory.
        """
        with suppress(InvalidCredentialsError):
            await self.verify(password, None)

    async def _in_worker(self, work: Callable[[*_Args], _T], *args: *_Args) -> _T:
        limiter = self._limiter()
        if limiter.statistics().tasks_waiting >= self._max_waiting:
            msg = "too many passwords wait to be hashed"
            raise UnavailableError(msg)

        turn = object()
        with hashing.waiting:
            try:
                with fail_after(_PATIENCE):
                    await limiter.acquire_on_behalf_of(turn)
            except TimeoutError:
                msg = "passwords are not hashed fast enough"
                raise UnavailableError(msg) from None

        try:
            with hashing.running:
                # The turn counts, so that the thread needs none.
                return await to_thread.run_sync(work, *args, limiter=CapacityLimiter(1))
        finally:
            limiter.release_on_behalf_of(turn)

    def _limiter(self) -> CapacityLimiter:
        try:
            limiters = _limiters.get()
        except LookupError:
            limiters = {}
            _limiters.set(limiters)

        if self._workers not in limiters:
            limiters[self._workers] = CapacityLimiter(self._workers)

        return limiters[self._workers]

    # From here on, everything runs in a worker thread.

    def _hash(self, text: str) -> str:
        if not self._reads_whole(text, self._dummy_hash()):
            reason: Final = "too_long"
            raise PasswordRefusedError(reason)

        return self._work(text)

    def _verify(self, texts: tuple[str, ...], stored: str | None) -> PasswordMatch:
        dummy = self._dummy_hash()
        match = next((text for text in texts if self._is_match(text, stored)), None)
        if match is None:
            msg = "the password is wrong"
            raise InvalidCredentialsError(msg)

        text = texts[0]
        if match == text and not self._context.needs_update(stored, secret=text):
            return PasswordMatch()

        # A scheme that reads less than the old one must not replace it.
        is_whole = self._reads_whole(text, dummy)
        return PasswordMatch(self._work(text) if is_whole else None)

    def _is_match(self, text: str, stored: str | None) -> bool:
        try:
            if stored is not None and self._may_compare(text, stored):
                return bool(self._context.verify(self._cut(text, stored), stored))
        except Exception as error:  # noqa: BLE001  # backends raise what they like
            # Only the type: the messages of passlib quote the hash.
            name = type(error).__name__
            _logger.error(  # noqa: TRY400
                "a stored password hash cannot be read (%s)", name
            )

        dummy = self._dummy_hash()
        self._work(self._cut(text, dummy), against=dummy)
        return False

    def _may_compare(self, text: str, stored: str) -> bool:
        if self._cuts and self._context.identify(stored) in _CUT_SCHEMES:
            return True

        return self._reads_whole(text, stored)

    def _reads_whole(self, text: str, stored: str) -> bool:
        """Say whether the scheme of a hash takes in the password to its end."""
        limit = self._limit(stored)
        return limit is None or len(text.encode()) <= limit

    def _cut(self, text: str, stored: str) -> str | bytes:
        """Return as much as the scheme of a hash reads, which may end in a letter."""
        limit = self._limit(stored)
        return text if self._reads_whole(text, stored) else text.encode()[:limit]

    def _limit(self, stored: str) -> int | None:
        scheme = self._context.identify(stored)
        if scheme is None:
            return None

        # Of "django_bcrypt" the handler is a wrapper, which does not say so itself.
        handler = self._context.handler(scheme)
        handler = getattr(handler, "wrapped", handler)
        return getattr(handler, "truncate_size", None)

    def _dummy_hash(self) -> str:
        # Every first call makes it, so that it says nothing about who exists.
        with self._lock:
            if self._dummy is None:
                self._dummy = self._work(secrets.token_urlsafe(16))

            return self._dummy

    def _work(self, text: str | bytes, *, against: str | None = None) -> str:
        """Hash a text, or compare it with a hash that is known to be sound."""
        try:
            if against is None:
                return str(self._context.hash(text))

            self._context.verify(text, against)
        except (ValueError, MemoryError) as error:
            fault = type(error).__name__
        else:
            return against

        # Outside the handler: the error of passlib must not hang on as the context.
        msg = f"passwords cannot be hashed at the moment ({fault})"
        raise UnavailableError(msg)


def _argon2_context(*, memory_kib: int, passes: int, lanes: int) -> CryptContext:
    if memory_kib < _LEAST_MEMORY_KIB or passes < _LEAST_PASSES or lanes < 1:
        msg = (
            "Argon2id needs at least memory_kib=19456, passes=2 and lanes=1; "
            "for tests, give a cheap CryptContext as context=."
        )
        raise ConfigurationError(msg)

    return CryptContext(
        schemes=["argon2", *_OLDER_SCHEMES, *FOREIGN_SCHEMES],
        deprecated="auto",
        argon2__type="ID",
        argon2__memory_cost=memory_kib,
        argon2__time_cost=passes,
        argon2__parallelism=lanes,
    )


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1) if affinity is None else len(affinity(0))


def _forms(password: str) -> tuple[str, ...]:
    """Return the form that is hashed today, and the one as sent where it differs."""
    return tuple(dict.fromkeys((unicodedata.normalize("NFC", password), password)))
