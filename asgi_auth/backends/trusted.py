"""One issuer that is not us, and what makes a token of its own good here.

It verifies; whose token it might be is for the backend to find out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from asgi_auth._clock import Clock, system_clock
from asgi_auth._drivers.transport import Transport
from asgi_auth._frozen import FrozenDict
from asgi_auth.backends._notes import RefusalNotes
from asgi_auth.backends.discovery import discover
from asgi_auth.errors import (
    ConfigurationError,
    InvalidTokenError,
    UnavailableError,
)
from asgi_auth.keys import KeySet
from asgi_auth.keys._unknown import unknown_keys
from asgi_auth.keys.jwks import ASYMMETRIC, JWKSClient
from asgi_auth.keys.remote import RemoteKeys
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.tokens.claim_mapping import OAUTH, RFC9068, ClaimMapping
from asgi_auth.tokens.codec import Codec, Decoded, UnknownKeyError, peek
from asgi_auth.tokens.fast_path import Recall
from asgi_auth.tokens.foreign import is_empty, without_marks
from asgi_auth.tokens.form import COMPACT, TokenForm
from asgi_auth.tokens.verification import FOREIGN, Verification
from asgi_auth.tokens.verified import VerifiedToken
from asgi_auth.tokens.verifier import TokenVerifier

__all__ = ["TrustedIssuer"]

_ANY_TYPE = ("at+jwt", "jwt", "jose", "")
"""Many issuers do not mark their access tokens (RFC 9068, section 2.1).

``JOSE`` says no more than that it is a compact JWS (RFC 7515, section 4.1.9).
"""

_ORIGIN = re.compile(r"https?://[^/?#]+/?")


Translate = Callable[[FrozenDict], FrozenDict]
"""Puts the claims of an issuer under the names that are read here."""


class TrustedIssuer:
    """Verifies the access tokens of another issuer.

    Without *keys*, the issuer's metadata say where they are (OpenID Connect Discovery,
    RFC 8414), at the first token.

    Args:
        issuer: The exact ``iss``; ``None``: its tokens must have none, and the subject
            says whose they are (*claim_mapping* has a ``subject_prefix``).
        audience: What the issuer calls this service; a token must name one of these.
            An origin (``https://api.example``) has two forms, with a slash or without.
            ``None``: its tokens must have none, and their header says for whom they
            are (*form* has ``header_says``).
        keys: Where its keys are, as a URL (``jwks_uri``); or they themselves, or a
            client for them with limits of your own.
        algorithms: The accepted ones; by default all with public keys.
        claim_mapping: Which claims it says things in.
        form: How its tokens look: longer than usual, padded, with marks in the header,
            or as RFC 9068 has it.
        verification: How far times may be off, and how many tokens are remembered.
        revocations: What was revoked, for instance by back-channel log-outs.
        transport: How it is asked for its keys.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: The parts do not fit together.
        MissingExtraError: httpx2 is needed, and not installed.
    """

    def __init__(
        self,
        issuer: str | None,
        *,
        audience: str | Iterable[str] | None,
        keys: str | KeySet | RemoteKeys | None = None,
        algorithms: Sequence[str] | None = None,
        claim_mapping: ClaimMapping = OAUTH,
        form: TokenForm = COMPACT,
        verification: Verification = FOREIGN,
        revocations: RevocationList | None = None,
        transport: Transport = Transport(),
        clock: Clock = system_clock,
    ) -> None:
        _check_parties(issuer, audience, claim_mapping, form)
        if form.profile is not None:
            claim_mapping = _strict(claim_mapping)

        self.issuer = issuer
        self.form = form
        self.read: Translate = _reader(claim_mapping, revocations)
        self.notes: RefusalNotes = RefusalNotes(issuer or claim_mapping.subject_prefix)
        self._transport = transport
        self._algorithms = algorithms
        self.client: RemoteKeys | None = self._client_of(keys)
        self._codec: Codec | None = None
        given_keys = keys if isinstance(keys, KeySet) else None
        # What keys there are may be known later; what must hold for tokens is now.
        self._rules = TokenVerifier(
            given_keys or unknown_keys(),
            issuer=issuer,
            audience=_fixed(audience),
            types=_ANY_TYPE if form.profile is None else ("at+jwt",),
            algorithms=algorithms,
            verification=verification,
            revocations=revocations,
            translate=self.read,
            form=form,
            clock=clock,
        )
        self._verifier: TokenVerifier | None = self._rules if given_keys else None

    async def admit(
        self, token: bytes, source: str | None = None, backend: str | None = None
    ) -> VerifiedToken:
        """Verify one compact JWS, and see that it is not revoked.

        Waits for the issuer only where its keys are not at hand.

        Args:
            token: The token.
            source: Where it has come from, where that is known.
            backend: The name of the backend that asks.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, of another kind or party.
            UnavailableError: It cannot be known at the moment.
        """
        verifier = await self._ready()
        with self.notes:
            try:
                return await verifier.admit(token, source, backend)
            except UnknownKeyError:
                if self.client is None:
                    raise

            await self._seek(self.client, token)
            return await verifier.admit(token, source, backend)

    @property
    def verifier(self) -> TokenVerifier | None:
        """What verifies the tokens, or ``None`` until the keys are known."""
        return self._verifier

    def recaller(self, backend: str, *, confirmed: bool = False) -> Recall:
        """Return the fast lane for *backend*; see :mod:`asgi_auth.tokens.fast_path`.

        Args:
            backend: Its name.
            confirmed: It has callers prove next that they have the key of a bound one.
        """
        lane: Recall | None = None

        def recall(token: bytes, source: str = "header", /) -> Principal | None:
            nonlocal lane
            if self.client is not None and not self.client.is_fresh():
                return None

            if lane is None:
                if self._verifier is None:
                    return None

                lane = self._verifier.recaller(backend, confirmed=confirmed)

            return lane(token, source)

        return recall

    async def decode(self, token: bytes) -> Decoded:
        """Check form and signature only; what it says is for the caller to judge.

        Raises:
            InvalidTokenError: It is forged or malformed.
            UnavailableError: It cannot be known at the moment.
        """
        verifier = await self._ready()
        if self._codec is None:
            self._codec = Codec(
                verifier.keys, algorithms=self._algorithms, form=self.form
            )

        try:
            return self._codec.decode(token)
        except UnknownKeyError:
            if self.client is None:
                raise

        await self._seek(self.client, token)
        return self._codec.decode(token)

    async def warm_up(self) -> None:
        """Fetch the keys now, for instance when the application starts.

        Raises:
            UnavailableError: They cannot be had.
        """
        await self._ready()

    async def ready(self) -> bool:
        """Report whether tokens can be judged: by which keys, and what is revoked.

        Keys that were had once count while they may be used, whatever has become of
        their issuer: a worker that serves is not to be taken out of service.
        """
        try:
            await self.warm_up()
        except UnavailableError:
            return False

        return await self._rules.ready()

    async def _ready(self) -> TokenVerifier:
        if self.client is not None:
            keys = await self.client.ready()
            if self._verifier is None:
                self._verifier = self._rules.with_keys(keys)

        if self._verifier is None:  # pragma: no cover - there are keys or a client
            msg = "TrustedIssuer has neither keys nor a client."
            raise ConfigurationError(msg)

        return self._verifier

    async def _seek(self, client: RemoteKeys, token: bytes) -> None:
        parts = peek(token)
        if parts is not None:
            header = parts[0]
            await client.seek(header.get("kid"), header["alg"])

    async def _find_keys(self) -> str:
        metadata = await discover(self.issuer or "", transport=self._transport)
        return metadata.jwks_uri

    def _client_of(self, keys: str | KeySet | RemoteKeys | None) -> RemoteKeys | None:
        if not isinstance(keys, str | None):
            return None if isinstance(keys, KeySet) else keys

        if keys is None:
            self._transport.check_url(self.issuer or "", "issuer")
        else:
            self._transport.check_url(keys, "keys")

        return JWKSClient(
            self._find_keys if keys is None else keys,
            algorithms=self._algorithms or ASYMMETRIC,
            issuers=() if self.issuer is None else (self.issuer,),
            transport=self._transport,
        )


def _strict(claim_mapping: ClaimMapping) -> ClaimMapping:
    if claim_mapping.audience != "aud":
        msg = (
            "RFC 9068 has the audience in aud: leave the profile out, "
            "or the claim mapping."
        )
        raise ConfigurationError(msg)

    return replace(claim_mapping, needs=(*claim_mapping.needs, *RFC9068))


def _check_parties(
    issuer: str | None,
    audience: str | Iterable[str] | None,
    claim_mapping: ClaimMapping,
    form: TokenForm,
) -> None:
    """Refuse what would accept tokens of any issuer, or for any audience."""
    has_issuer = bool(issuer) or (issuer is None and claim_mapping.subject_prefix)
    if has_issuer and (audience or (audience is None and form.header_says)):
        return

    msg = "TrustedIssuer needs the issuer's iss and the audience of this service."
    raise ConfigurationError(msg)


def _fixed(audience: str | Iterable[str] | None) -> tuple[str, ...] | None:
    if audience is None:
        return None

    names = (audience,) if isinstance(audience, str) else audience
    return tuple(form for name in names for form in _forms_of(name))


def _forms_of(name: str) -> tuple[str, ...]:
    """Return an origin with and without a slash: it is one URL (RFC 3986, 6.2.3).

    Clients that normalise the ``resource`` of a request (RFC 8707) write it in.
    """
    if _ORIGIN.fullmatch(name) is None:
        return (name,)

    bare = name.removesuffix("/")
    return bare, f"{bare}/"


def _reader(
    claim_mapping: ClaimMapping, revocations: RevocationList | None
) -> Translate:
    """Return what reads the claims of this issuer."""

    def read(claims: FrozenDict) -> FrozenDict:
        translated = without_marks(claim_mapping.translate(claims), claim_mapping.says)
        if revocations is not None:
            _check_traces(claims, translated)

        return translated

    return read


def _check_traces(claims: FrozenDict, translated: FrozenDict) -> None:
    """Refuse a token that no log-out could find."""
    for name in ("sid", "jti"):
        if name not in translated and not is_empty(claims.get(name)):
            msg = f"{name} has a shape that cannot be revoked"
            raise InvalidTokenError(msg)
