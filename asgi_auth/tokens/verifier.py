"""Verify tokens: form, signature, kind and claims, in this order.

Revocation is asked last, of a local copy. The application's own users come after.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from copy import copy
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Self

from asgi_auth._clock import Clock, system_clock
from asgi_auth._frozen import FrozenDict
from asgi_auth.errors import InvalidTokenError
from asgi_auth.keys import KeySet
from asgi_auth.revocation import RevocationList
from asgi_auth.revocation.uptime import uptime
from asgi_auth.revocation.validity import Renew, Validity
from asgi_auth.tokens.cache import CacheStats, VerifiedCache
from asgi_auth.tokens.claims import ClaimsRules, audience_names
from asgi_auth.tokens.codec import Codec, as_bytes
from asgi_auth.tokens.fast_path import Recall, make_recall
from asgi_auth.tokens.form import COMPACT, TokenForm
from asgi_auth.tokens.shared import share
from asgi_auth.tokens.verification import Verification
from asgi_auth.tokens.verified import VerifiedToken, kind_of, warn_of_unconfirmed

__all__ = ["TokenVerifier"]

ACCESS_TYPES = ("at+jwt",)
"""The media type of an access token (RFC 9068, section 2.1)."""


class TokenVerifier:
    """Verifies tokens of one issuer, of one kind.

    Args:
        keys: The keys of the issuer.
        issuer: The exact ``iss``; ``None``: tokens must not have one.
        audience: This service; ``aud`` must name one of these. ``None``: tokens must
            not have one.
        types: Accepted ``typ`` headers, lower-case, without ``application/``.
        algorithms: The only ones accepted, or ``None`` for all that the keys have.
        verification: How far times may be off, and how many good tokens are remembered.
        revocations: What is revoked, or ``None``: these tokens cannot be revoked.
        translate: Puts the issuer's own claims under the names that are read here;
            the principal's ``claims`` stay as they were.
        form: How the tokens look, where that is not the usual way, and of which kind
            they are, where they are no access tokens.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: The cache size is negative, or *issuer* is no text.
    """

    __slots__ = (
        "_cache",
        "_cache_size",
        "_clock",
        "_codec",
        "_ignore_confirmation",
        "_keys",
        "_make_codec",
        "_revocations",
        "_rules",
        "_translate",
        "_types",
        "_validity",
    )

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        types: Collection[str] = ACCESS_TYPES,
        algorithms: Collection[str] | None = None,
        verification: Verification = Verification(),
        revocations: RevocationList | None = None,
        translate: Callable[[FrozenDict], FrozenDict] | None = None,
        form: TokenForm = COMPACT,
        clock: Clock = system_clock,
    ) -> None:
        self._ignore_confirmation = verification.insecure_ignore_confirmation
        warn_of_unconfirmed(ignore_confirmation=self._ignore_confirmation)
        self._validity = Validity(clock, revocations)
        self._translate = translate
        self._clock = clock
        self._revocations = revocations
        self._types = frozenset(types)
        self._make_codec = partial(Codec, algorithms=algorithms, form=form)
        self._cache_size = verification.cache_size
        self._rules = ClaimsRules(
            issuer=issuer,
            audience=audience_names(audience),
            kind=form.kind,
            tolerance=verification,
            is_addressed=bool(form.header_says),
        )
        self._hold(keys)

    def with_keys(self, keys: KeySet) -> Self:
        """Return one that differs in its keys, and has verified nothing yet."""
        twin = copy(self)
        twin._hold(keys)  # noqa: SLF001  (of its own class)
        return twin

    def _hold(self, keys: KeySet) -> None:
        self._keys = keys
        self._codec = self._make_codec(keys)
        size = self._cache_size
        self._cache = VerifiedCache[VerifiedToken](size) if size else None

    @property
    def issuer(self) -> str | None:
        """Whose tokens are accepted."""
        return self._rules.issuer

    @property
    def rules(self) -> ClaimsRules:
        """What must hold for the claims."""
        return self._rules

    @property
    def types(self) -> frozenset[str]:
        """The accepted ``typ`` headers, lower-case, without ``application/``."""
        return self._types

    @property
    def validity(self) -> Validity:
        """What may end the principals of its tokens."""
        return self._validity

    def renew_by(self, renew: Renew) -> None:
        """Ask *renew* from now on where a session outlives its token."""
        self._validity = replace(self._validity, renew=renew)

    @property
    def keys(self) -> KeySet:
        """What signatures are checked with."""
        return self._keys

    async def admit(
        self, token: bytes | str, source: str | None = None, backend: str | None = None
    ) -> VerifiedToken:
        """Verify one compact JWS, and see that it is not revoked.

        No I/O happens here as long as the copy of the revocations is fresh.

        Args:
            token: The token.
            source: Where it has come from, where that is known.
            backend: The name of the backend that asks.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, of another kind or party.
            UnavailableError: It cannot be known whether it is revoked.
        """
        return await self._cleared(self.verify(token, None, source, backend))

    async def ready(self) -> bool:
        """Report whether verdicts can be given: see ``RevocationList.load``."""
        return self._revocations is None or await self._revocations.load()

    async def admit_claims(
        self, claims: FrozenDict, source: str, backend: str
    ) -> VerifiedToken:
        """Admit what a token says that was verified before, as :meth:`admit` does.

        Args:
            claims: Of a token that this has verified once.
            source: Where the caller's credential has come from.
            backend: The name of the backend that asks.

        Raises:
            ExpiredTokenError: It has ended meanwhile.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is of another kind or party.
            UnavailableError: It cannot be known whether it is revoked.
        """
        window = self._rules.check(claims, self._clock())
        return await self._cleared(
            VerifiedToken(claims, window, None, 0, self._validity, source, backend)
        )

    async def _cleared(self, token: VerifiedToken) -> VerifiedToken:
        """Return a token that is not revoked, as far as is known just now."""
        revocations = self._revocations
        if revocations is not None:
            if uptime() > revocations.fresh_until:
                await revocations.ensure_fresh()

            token.clear(revocations)

        return token

    def recaller(
        self, backend: str, *, decides: bool = False, confirmed: bool = False
    ) -> Recall:
        """Return the fast lane for *backend*; see :mod:`asgi_auth.tokens.fast_path`.

        Args:
            backend: Its name.
            decides: It verifies new tokens as well, wherever it need not wait.
            confirmed: It has callers prove next that they have the key of a bound one.
        """
        return make_recall(
            self._cache,
            self._keys,
            self._revocations,
            clock=self._clock,
            backend=backend,
            verify=self.verify if decides else None,
            confirmed=confirmed,
        )

    def verify(
        self,
        token: bytes | str,
        digest: bytes | None = None,
        source: str | None = None,
        backend: str | None = None,
    ) -> VerifiedToken:
        """Verify one compact JWS anew, without asking whether it is revoked.

        Args:
            token: The token.
            digest: Its SHA-256, where the caller has it already.
            source: Where it has come from, where that is known.
            backend: The name of the backend that asks.

        Raises:
            ExpiredTokenError: It was good once.
            InvalidTokenError: It is forged, malformed, of another kind or party.
        """
        if isinstance(token, str):
            token = as_bytes(token)

        typ, claims, generation = self._codec.open(token)
        if typ not in self._types:
            msg = f"the token is of another type: typ is {typ[:99]!r}"
            msg = f"{msg}, expected {' or '.join(sorted(self._types)) or 'none'}"
            raise InvalidTokenError(msg)

        kind = VerifiedToken
        if "cnf" in claims:
            kind = kind_of(claims, ignore_confirmation=self._ignore_confirmation)

        payload, group = share(claims)
        if self._translate is not None:
            claims, group = self._translate(payload), None

        now, rules = self._clock(), self._rules
        if group is not None and group.rules is rules:
            # What it has in common with others was good already.
            window = rules.check_own(claims, group.texts, now)
        else:
            window = rules.check(claims, now)
            if group is not None:
                group.rules = rules

        verified = kind(
            claims, window, payload, generation, self._validity, source, backend
        )
        if self._cache is not None:
            digest = digest or sha256(token).digest()
            self._cache.put(digest, verified, len(token))

        return verified

    def cache_stats(self) -> CacheStats:
        """Return hits, misses and size of the table of verified tokens."""
        return CacheStats(0, 0, 0) if self._cache is None else self._cache.stats()
