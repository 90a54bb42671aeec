"""Which HMAC secrets are good enough, and what is wrong with the others.

It refuses what can be guessed, what is public anyway, and what was meant for another
algorithm. It never makes a secret, and never repeats one in an error.
"""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from itertools import pairwise

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
)
from cryptography.x509 import load_der_x509_certificate
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from asgi_auth.errors import ConfigurationError

__all__ = ["RECIPE", "check_secret"]

RECIPE = 'python -c "import secrets; print(secrets.token_urlsafe(64))"'
"""The command that error texts name: it prints a secret for any HMAC algorithm."""

_MIN_DISTINCT = 8
_MIN_STEPS = 4

# What is left of a text after its placeholder words are taken out must still be long
# enough to hold a secret: a random text loses next to nothing.
_MIN_REST = 8

_FAMOUS = frozenset(
    {
        b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        b"3456789876trfvbj8765rfvbnjurse4567890987ytgv",
        b"a-string-secret-at-least-256-bits-long",
        b"a-valid-string-secret-that-is-at-least-384-bits-long",
        b"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
        b"super-secret-key-that-is-long",
        b"your-256-bit-secret",
        b"your-384-bit-secret",
        b"your-512-bit-secret",
        b"thisisasamplekeythatisnotverysecret",
        b"this_is_a_very_long_secret_key_for_jwt",
        b"this is my custom secret key for authentication",
        b"thisismysupersecretkeythatnobodywillguess",
    }
)

_PLACEHOLDERS = re.compile(
    rb"application|authentication|authorization|password|passphrase|placeholder"
    rb"|production|development|signature|signing|default|example|replace|changeme"
    rb"|change|enough|insert|please|secret|secure|should|random|string|strong|sample"
    rb"|super|valid|token|value|which|least|hs256|hs384|hs512|bits|byte|here|jwt|key"
    rb"|long|must|need|safe|some|that|this|very|with|your|auth|256|384|512|app|bit|for"
    rb"|not|put|the|top|use|and|are|at|be|in|is|it|me|my|of|to"
)
_SEPARATORS = re.compile(rb"[\s_.,:;!?/+=-]+")

_PEM = re.compile(rb"-{4,5} ?(?:BEGIN|END) [A-Z0-9 ]+ ?-{4,5}", re.IGNORECASE)
_SSH = re.compile(
    rb"(?:\A|\s)(?:sk-)?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+)"
    rb"(?:@openssh\.com)?\s+AAAA"
)
_JWK = re.compile(rb'"kty"\s*:')
_BLANK = b" \t\r\n\v\f\0"
_BOM = b"\xef\xbb\xbf"


def check_secret(secret: bytes, *, minimum: int) -> None:
    """Refuse a secret that an HMAC must not be keyed with.

    Args:
        secret: The bytes of the key.
        minimum: Least length in bytes: the size of the hash (RFC 7518, section 3.2).

    Raises:
        ConfigurationError: The secret is blank, too short, famous, easy to guess, or
            a key of another kind; the text says how to make a good one.
    """
    bare = _bare(secret)
    fault = (
        _kind_fault(secret, bare)
        or _fame_fault(bare)
        or _length_fault(secret, bare, minimum)
        or _shape_fault(secret, minimum)
    )
    if fault is None:
        return

    msg = f"The secret {fault}. Make a good one with: {RECIPE}"
    raise ConfigurationError(msg)


def _bare(secret: bytes) -> bytes:
    """Take away what editors and files put around a text."""
    return secret.strip(_BLANK).removeprefix(_BOM).strip(_BLANK)


def _length_fault(secret: bytes, bare: bytes, minimum: int) -> str | None:
    if not bare:
        return "is blank"

    if len(secret) < minimum:
        return f"has {len(secret)} bytes, and this algorithm needs at least {minimum}"

    return None


def _fame_fault(bare: bytes) -> str | None:
    text = bare.lower()
    if text in _FAMOUS:
        return "is printed in a well-known tutorial, so everybody has it"

    joined = _SEPARATORS.sub(b"", text)
    if joined and len(_PLACEHOLDERS.sub(b"", joined)) < min(_MIN_REST, len(joined)):
        return "is a placeholder, made of words that everybody tries first"

    return None


def _shape_fault(secret: bytes, minimum: int) -> str | None:
    if len(set(secret)) < _MIN_DISTINCT:
        return f"has fewer than {_MIN_DISTINCT} different bytes"

    # A pattern is worth as much as its own length, however often it is repeated.
    for period in range(1, min(minimum - 1, len(secret) // 2) + 1):
        if secret[period:] == secret[:-period]:
            return "is a short pattern, repeated"

    steps = {(b - a) % 256 for a, b in pairwise(secret)}
    if len(steps) < _MIN_STEPS:
        return "is a run of consecutive characters"

    return None


def _kind_fault(secret: bytes, bare: bytes) -> str | None:
    """Find keys of other kinds: the text of a public key is no secret at all.

    A service that verifies HMACs under it would accept what anybody signs
    (CVE-2022-29217, CVE-2024-33663).
    """
    if _PEM.search(secret) or _SSH.search(bare):
        return (
            "is the text of an asymmetric key or certificate: load it with "
            "Key.from_pem, and keep HMAC for random secrets"
        )

    if _is_der(secret) or _is_der(_unarmored(bare)):
        return (
            "is an asymmetric key or certificate in DER form: convert it to PEM and "
            "load it with Key.from_pem, and keep HMAC for random secrets"
        )

    if _JWK.search(secret) or _is_json(bare):
        return "is JSON, as a JWK is: load it with Key.from_jwk or KeySet.from_jwks"

    if not (_passes_pyjwt(secret) and _passes_pyjwt(bare)):
        return "is a key of another kind: load it with Key.from_pem or Key.from_jwk"

    return None


def _unarmored(bare: bytes) -> bytes:
    """Decode a PEM body without its BEGIN line, as consoles of providers show it."""
    try:
        return a2b_base64(bare)
    except Base64Error:
        return b""


def _is_der(data: bytes) -> bool:
    for load in (load_der_public_key, load_der_x509_certificate, _load_der_private):
        try:
            load(data)
        except (TypeError, ValueError, UnsupportedAlgorithm):
            continue

        return True

    return False


def _load_der_private(data: bytes) -> None:
    try:
        load_der_private_key(data, password=None)
    except TypeError:
        # It asks for a password: an encrypted private key is one too.
        return


def _is_json(bare: bytes) -> bool:
    if not bare.startswith((b"{", b"[")):
        return False

    try:
        json.loads(bare)
    except ValueError:
        return False
    except RecursionError:
        return True

    return True


def _passes_pyjwt(secret: bytes) -> bool:
    """Ask PyJWT as well, so that we are never looser than it is."""
    if not secret:
        return True

    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except InvalidKeyError:
        return False

    return True
