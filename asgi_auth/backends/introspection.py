"""Recognise callers by opaque tokens, which only their issuer can read (RFC 7662).

It asks the issuer, once for all who bring the same token at the same time, and
believes nothing that the answer does not say. It needs asyncio.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Sequence
from hashlib import sha256
from urllib.parse import urlencode

from asgi_auth._asgi import Scope
from asgi_auth._clock import Clock, system_clock
from asgi_auth._drivers.http import Remote
from asgi_auth._drivers.outages import Outage
from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._drivers.urls import place_in
from asgi_auth._frozen import FrozenDict, parse_members
from asgi_auth.backends._answers import Answer
from asgi_auth.backends._confirmations import Confirmations
from asgi_auth.backends._flights import Flights
from asgi_auth.backends._notes import RefusalNotes
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.credentials.reader import MAX_TOKEN, Credential
from asgi_auth.credentials.sources import BearerHeader, Source
from asgi_auth.errors import ConfigurationError, InvalidTokenError, UnavailableError
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import BEARER, Challenge
from asgi_auth.revocation.validity import Validity
from asgi_auth.tokens.cache import VerifiedCache
from asgi_auth.tokens.claim_mapping import OAUTH, ClaimMapping
from asgi_auth.tokens.claims import ClaimsRules, audience_names
from asgi_auth.tokens.codec import peek
from asgi_auth.tokens.foreign import as_text, is_empty, without_marks
from asgi_auth.tokens.shared import share
from asgi_auth.tokens.verification import FOREIGN, Verification
from asgi_auth.tokens.verified import (
    VerifiedToken,
    kind_of,
    warn_of_unconfirmed,
)
from asgi_auth.typing import Confirmation

__all__ = ["IntrospectionBackend"]

_UNSAID = 3600
"""Seconds after which a socket has to come back whose token names no end."""

_REFUSED_FOR = 10.0
_MOST_REFUSED = 4096
_NOT_ACTIVE = "the issuer says that the token is not active"
_SHAPE = re.compile(rb"[A-Za-z0-9._~+/-]+=*")

_MAX_BYTES = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
_OK = 200
_NO_JSON = "it is not strict JSON"
_NO_VERDICT = "active is neither true nor false"


class IntrospectionBackend:
    """Knows callers by what the issuer says of their tokens.

    A compact JWS is left to others: it can be verified without asking.

    Args:
        endpoint: Where the issuer is asked, as whom, and how often.
        issuer: Whose subjects these are; an ``iss`` in the answer must equal it.
        audience: This service; ``aud`` of the answer must name one of these.
            ``None``: the answer must not have one.
        claim_mapping: Which members of the answer say what; a ``subject`` of its own
            counts instead of ``sub``.
        verification: How far times may be off, and how many answers are remembered.
        sources: Where tokens may come from.
        name: What ``principal.backend`` and ``requires(backend=...)`` call it.
        challenge: What a refusal asks the client to send.
        confirmations: See to it that who sends a token bound to a key has that key, for
            instance :class:`~asgi_auth.dpop.DPoP`. Without any such tokens are refused.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: The parts do not fit together.
        MissingExtraError: httpx2 is needed, and not installed.
    """

    def __init__(
        self,
        endpoint: IntrospectionEndpoint,
        *,
        issuer: str,
        audience: str | Iterable[str] | None,
        claim_mapping: ClaimMapping = OAUTH,
        verification: Verification = FOREIGN,
        sources: Sequence[Source] = (BearerHeader(),),
        name: str = "introspection",
        challenge: Challenge = BEARER,
        confirmations: Sequence[Confirmation] = (),
        clock: Clock = system_clock,
    ) -> None:
        if not issuer or not sources:
            msg = (
                "IntrospectionBackend needs an issuer, and a source like "
                "BearerHeader()."
            )
            raise ConfigurationError(msg)

        self._url = endpoint.url
        place = f"the introspection endpoint {place_in(endpoint.url)}"
        self._outage = Outage("introspection", place)
        self._has_answered = False
        self._remote = Remote(
            "IntrospectionBackend",
            endpoint.transport,
            max_bytes=_MAX_BYTES,
            pooled=True,
        )
        self._client = endpoint.client
        self._claim_mapping = claim_mapping
        self._ttl = endpoint.cache_ttl
        self._ignore_confirmation = verification.insecure_ignore_confirmation
        warn_of_unconfirmed(ignore_confirmation=self._ignore_confirmation)
        self._rules = ClaimsRules(
            issuer=issuer, audience=audience_names(audience), tolerance=verification
        )
        self._cache = VerifiedCache[Answer](verification.cache_size)
        self._flights = PerLoop(Flights[VerifiedToken], Flights.cancel)
        self._refused: dict[bytes, tuple[float, InvalidTokenError | None]] = {}
        self._clock = clock
        self._validity = Validity(clock)
        self._notes = RefusalNotes(issuer)
        self.name: str = name
        self._confirmations = confirmed = Confirmations(confirmations)
        self._recall = confirmed.lane(self._confirmed, self._plain)
        self.sources: tuple[Source, ...] = confirmed.sources(sources)
        self._schemes = {"bearer", *(each.scheme.lower() for each in confirmations)}
        self.challenges: tuple[Challenge, ...] = confirmed.challenges(challenge)
        self.issuers: frozenset[str | None] = frozenset({issuer})

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Ask the issuer about an opaque token; anything else is not ours.

        Raises:
            ExpiredTokenError: It was good once.
            InvalidTokenError: It is not active, or not meant for us.
            UnavailableError: The issuer cannot be asked, or answers in riddles.
            AuthError: The caller does not have the key that it is bound to.
        """
        if credential is None or credential.scheme not in self._schemes:
            return None

        if not self.claims(credential):
            return None

        if _SHAPE.fullmatch(credential.token) is None:
            msg = "a bearer token has other characters (RFC 6750, section 2.1)"
            raise InvalidTokenError(msg)

        if len(credential.token) > MAX_TOKEN:
            # Another backend takes longer ones from the same source.
            msg = "too long"
            raise InvalidTokenError(msg)

        source, confirmations = credential.source, self._confirmations
        token = self._cached_token(credential.token) if confirmations else None
        if token is None:
            with self._notes:
                token = await self._ask_once(credential.token)

        if not confirmations:
            return token.principal(source, self.name)

        principal = token.confirmed(source, self.name)
        await confirmations.check(principal, credential, scope)
        return principal

    def recognise(self, token: bytes, source: str) -> Principal | None:
        """Return the principal of a token that the issuer was asked about just now."""
        return self._recall(token, source)

    def claims(self, credential: Credential) -> bool:
        """Say whether a token is opaque, by its shape: it is no compact JWS."""
        return peek(credential.token) is None

    async def ready(self) -> bool:
        """Report whether the issuer has answered us: it need not do so again.

        It is asked about no token that anybody could have.
        """
        try:
            if not self._has_answered:
                await self._answer(secrets.token_urlsafe(32).encode())
        except UnavailableError:
            return False

        return True

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._remote.aclose()

    def _cached_token(self, token: bytes) -> VerifiedToken | None:
        answer = self._cache.get(sha256(token).digest())
        return answer.token if answer and answer.holds(self._clock()) else None

    def _plain(self, token: bytes, source: str) -> Principal | None:
        answer = self._cached_token(token)
        return None if answer is None else answer.principal(source, self.name)

    def _confirmed(self, token: bytes, source: str) -> Principal | None:
        answer = self._cached_token(token)
        return None if answer is None else answer.confirmed(source, self.name)

    async def _ask_once(self, token: bytes) -> VerifiedToken:
        digest = sha256(token).digest()
        refused_until, refusal = self._refused.get(digest, (0.0, None))
        if refusal is not None and time.monotonic() < refused_until:
            raise type(refusal)(*refusal.args)

        flights = await self._flights.get()
        is_known = digest in self._cache.table
        return await flights.ask(
            digest, lambda: self._ask(token, digest), known=is_known
        )

    async def _ask(self, token: bytes, digest: bytes) -> VerifiedToken:
        response = await self._answer(token)
        if response.get("active") is False:
            error = InvalidTokenError(_NOT_ACTIVE)
            self._remember_refusal(digest, error)
            raise error

        if response.get("active") is not True:
            raise self._puzzled(_NO_VERDICT)

        now = self._clock()
        try:
            claims = self._claim_mapping.translate(self._completed(response, now))
            claims = without_marks(claims, self._claim_mapping.says)
            window = self._rules.check(claims, now)
        except InvalidTokenError as error:
            self._remember_refusal(digest, error)
            raise

        kind = kind_of(response, ignore_confirmation=self._ignore_confirmation)
        verified_token = kind(claims, window, response, validity=self._validity)
        if self._ttl > 0:
            answer = Answer(verified_token, now, now + self._ttl)
            self._cache.put(digest, answer, length=0)

        return verified_token

    def _remember_refusal(self, digest: bytes, error: InvalidTokenError) -> None:
        """Spare the issuer the same question for a while; the table has a bound."""
        if self._ttl > 0:
            while len(self._refused) >= _MOST_REFUSED:
                del self._refused[next(iter(self._refused))]

            ttl = min(self._ttl, _REFUSED_FOR)
            # Without its traceback, which would keep the frames.
            refusal = type(error)(*error.args)
            self._refused[digest] = time.monotonic() + ttl, refusal

    async def _answer(self, token: bytes) -> FrozenDict:
        shown, members = self._client.shown()
        headers = {"accept": "application/json", "content-type": _FORM, **shown}
        form = {"token": token.decode("ascii"), "token_type_hint": "access_token"}
        body = urlencode({**form, **members}).encode("ascii")
        try:
            answer = await self._remote.send(self._url, headers, body)
        except UnavailableError as error:
            self._outage.down(str(error))
            raise

        if answer.status != _OK:
            # That of 401 is ours: our secret is wrong, not the caller's token.
            ours = "; is the client_secret right?" if answer.status == 401 else ""  # noqa: PLR2004
            fault = f"the status is {answer.status}{ours}"
            raise self._puzzled(fault)

        try:
            response, _ = share(parse_members(answer.body))
        except ValueError:
            raise self._puzzled(_NO_JSON) from None

        self._outage.up()
        self._has_answered = True
        return response

    def _completed(self, response: FrozenDict, now: float) -> FrozenDict:
        """Add what may be left out (RFC 7662, section 2.2), and is known otherwise."""
        claims = dict(response)
        subject = self._claim_mapping.subject
        if subject != "sub":
            claims["sub"] = as_text(response.get(subject))

        for name, value in (("iss", self._rules.issuer), ("exp", now + _UNSAID)):
            if is_empty(claims.get(name)):
                claims[name] = value

        return FrozenDict(claims)

    def _puzzled(self, why: str) -> UnavailableError:
        self._outage.down(f"its answer cannot be understood: {why}")
        msg = f"{self._outage.place} cannot be understood: {why}"
        return UnavailableError(msg)
