"""Turn claims into a compact JWS and back (RFC 7515, sections 3.1 and 5).

The hot module. It knows signatures and form, not meaning: claims are judged by
:mod:`asgi_auth.tokens.claims`. The keys know the algorithms; the parser is our own, and
stricter: it accepts nothing that PyJWT would refuse (RFC 8725).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hmac import compare_digest
from itertools import islice
from typing import Any, NamedTuple

from asgi_auth._encoding import (
    b64url_decode,
    b64url_encode,
    compact_json,
)
from asgi_auth._frozen import FrozenDict, parse_members, parse_object
from asgi_auth.credentials.credential import LARGEST_TOKEN, MAX_TOKEN
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.keys import Key, KeySet
from asgi_auth.tokens.form import COMPACT, TokenForm, unpadded

__all__ = ["Codec", "Decoded", "UnknownKeyError", "as_bytes", "peek"]

_HEADERS = 64
_LONGEST_HEADER = 2048
_LONGEST_KID = 256
_LONGEST_SHOWN = 80
_MOST_SHOWN = 8
_MISMATCH = "the signature does not match, with our %s key %r"

# Extensions change what the signature covers (RFC 7797), what the payload is
# (RFC 7516, section 4.1.3), or must be understood (RFC 7515, section 4.1.11).
_EXTENSIONS = frozenset({"crit", "b64", "zip", "enc"})


class UnknownKeyError(InvalidTokenError):
    """No key of the set has this ``kid`` and algorithm."""


class Decoded(NamedTuple):
    """A token whose signature is good.

    Attributes:
        typ: The header's media type, lower-case, without ``application/``.
        claims: The payload, read-only.
        generation: The key set's when it was checked.
    """

    typ: str
    claims: FrozenDict
    generation: int


class Codec:
    """Signs and checks tokens with the keys of one set.

    Args:
        keys: Sign with one, verify with all.
        algorithms: The only ones accepted, or ``None`` for all that the keys have.
        form: How the tokens look that are decoded.
    """

    __slots__ = (
        "_algorithms",
        "_form",
        "_generation",
        "_headers",
        "_longest",
        "_padded",
        "keys",
    )

    def __init__(
        self,
        keys: KeySet,
        *,
        algorithms: Collection[str] | None = None,
        form: TokenForm = COMPACT,
    ) -> None:
        self.keys: KeySet = keys
        self._form = form
        self._longest, self._padded = form.max_token, form.padded
        self._algorithms = None if algorithms is None else frozenset(algorithms)
        self._generation = keys.generation
        self._headers: dict[bytes, tuple[Key, str, bool]] = {}

    def encode(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Sign *claims*.

        Args:
            claims: JSON values.
            typ: The media type for the header (RFC 8725, section 3.11).

        Raises:
            ConfigurationError: The set has no key that signs, or the token is too
                long to be accepted anywhere.
            ValueError, TypeError: A claim has no strict JSON form.
        """
        key = self.keys.signing_key
        header = {"alg": key.algorithm, "typ": typ, "kid": key.kid}
        signed = b64url_encode(compact_json(header)) + b"."
        signed += b64url_encode(compact_json(claims))
        token = signed + b"." + b64url_encode(key.sign(signed))
        if len(token) > MAX_TOKEN:
            msg = f"The token has over {MAX_TOKEN} bytes, and nobody would take it."
            raise ConfigurationError(msg)

        return token.decode("ascii")

    def decode(self, token: bytes) -> Decoded:
        """Check the form and the signature of *token*, then parse its claims.

        Raises:
            UnknownKeyError: The set lacks the key.
            InvalidTokenError: The form or the signature is bad.
        """
        typ, claims, generation = self.open(token)
        return Decoded(typ, FrozenDict(claims), generation)

    def open(self, token: bytes) -> tuple[str, dict[str, Any], int]:
        """Do what :meth:`decode` does, for whoever freezes the claims in a way.

        Raises:
            UnknownKeyError: As there.
            InvalidTokenError: As there.
        """
        if len(token) > self._longest:
            msg = "too long"
            raise InvalidTokenError(msg)

        generation = self.keys.generation
        if generation != self._generation:
            self._headers, self._generation = {}, generation

        # More or fewer dots end up in a segment that does not decode.
        signed, _, signature = token.rpartition(b".")
        head, _, payload = signed.partition(b".")
        headers = self._headers
        entry = headers.get(head)
        key, typ, is_named = entry or self._resolve(head)
        if self._padded:
            signature, payload = unpadded(signature), unpadded(payload)

        if key.is_symmetric:
            # Our own MAC is encoded, not theirs decoded: one text, one value.
            good = compare_digest(b64url_encode(key.mac(signed)), signature)
        else:
            good = _is_good(key, signed, signature)

        # What nobody has signed fills half of it: the heads of good tokens have room.
        room = _HEADERS if good else _HEADERS // 2
        if entry is None and len(headers) < room:
            headers[head] = key, typ, is_named

        if not good:
            # A key that was guessed may not be the one that is meant.
            fault = InvalidTokenError if is_named else UnknownKeyError
            raise fault(_MISMATCH, key.algorithm, key.kid)

        try:
            claims = parse_members(b64url_decode(payload))
        except ValueError:
            msg = "the payload is not strict JSON"
            raise InvalidTokenError(msg) from None

        return typ, claims, generation

    def _resolve(self, head: bytes) -> tuple[Key, str, bool]:
        """Find the key that a header names; keys inside of it are never read.

        Returns:
            The key, the media type, and whether the key has the very name.
        """
        header = _parse_header(unpadded(head) if self._padded else head)
        self._form.check(header)
        algorithm, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
        if type(algorithm) is not str or not _allowed(algorithm, self._algorithms):
            accepted = ", ".join(sorted(self._algorithms or ())) or "what our keys have"
            text = repr(algorithm)[:_LONGEST_SHOWN]
            msg = f"the algorithm is not accepted: alg is {text}, expected {accepted}"
            raise InvalidTokenError(msg)

        if "kid" in header and (type(kid) is not str or len(kid) > _LONGEST_KID):
            msg = "kid is no short text"
            raise InvalidTokenError(msg)

        if "typ" in header and type(typ) is not str:
            msg = "typ is no text"
            raise InvalidTokenError(msg)

        key = self.keys.find(kid, algorithm)
        if key is None:
            msg = f"no such key: kid is {kid!r}, alg is {algorithm!r}; {self._names()}"
            raise UnknownKeyError(msg)

        media = (typ or "").lower().removeprefix("application/")
        return key, media, key.kid == kid

    def _names(self) -> str:
        """Say which keys there are, for the log."""
        names = [f"{k.kid!r} ({k.algorithm})" for k in islice(self.keys, _MOST_SHOWN)]
        left = len(self.keys) - len(names)
        return f"we have {', '.join(names)}{f' and {left} more' if left else ''}"


def as_bytes(token: str) -> bytes:
    """Return the bytes of a token that came as text.

    Raises:
        InvalidTokenError: It is not ASCII.
    """
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        msg = "a token is ASCII"
        raise InvalidTokenError(msg) from None


def peek(token: bytes) -> tuple[FrozenDict, FrozenDict] | None:
    """Return header and claims of a compact JWS unverified, or ``None``.

    Good for nothing but asking whose token it might be.
    """
    if len(token) > LARGEST_TOKEN or token.count(b".") != 2:  # noqa: PLR2004
        return None

    head, payload = map(unpadded, token.split(b".")[:2])
    try:
        return _parse_header(head), parse_object(b64url_decode(payload))
    except (ValueError, InvalidTokenError):
        return None


def _is_good(key: Key, signed: bytes, signature: bytes) -> bool:
    try:
        return key.verify(signed, b64url_decode(signature))
    except ValueError:
        return False


def _parse_header(head: bytes) -> FrozenDict:
    if len(head) > _LONGEST_HEADER:
        msg = "the header is too long"
        raise InvalidTokenError(msg)

    try:
        header = parse_object(b64url_decode(head))
    except ValueError:
        msg = "the header is not strict JSON"
        raise InvalidTokenError(msg) from None

    if not _EXTENSIONS.isdisjoint(header):
        msg = "the header asks for an extension"
        raise InvalidTokenError(msg)

    return header


def _allowed(algorithm: str, algorithms: frozenset[str] | None) -> bool:
    return algorithms is None or algorithm in algorithms
