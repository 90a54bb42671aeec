"""Reads one key from PEM text (RFC 7468).

It refuses to choose among several keys, and to guess at other formats.
"""

from __future__ import annotations

import re
from base64 import b64decode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

from asgi_auth.errors import ConfigurationError

__all__ = ["load_chain", "load_pem"]

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_PRIVATE = {b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", b"RSA PRIVATE KEY"}
_PRIVATE |= {b"EC PRIVATE KEY"}
_PUBLIC = {b"PUBLIC KEY", b"RSA PUBLIC KEY"}


def load_pem(pem: str | bytes, password: str | bytes | None) -> object:
    """Return the key object that a PEM text holds; of a certificate, its public key.

    Raises:
        ConfigurationError: The text does not hold exactly one readable key.
    """
    data = _as_bytes(pem)
    secret = None if password is None else _as_bytes(password)
    label = _only_label(data)
    try:
        return _load(data, label, secret)
    except TypeError:
        msg = (
            "The PEM private key is encrypted: give its password."
            if password is None
            else "The PEM private key is not encrypted: leave the password out."
        )
    except (ValueError, UnsupportedAlgorithm):
        msg = (
            "The PEM text cannot be read: it is damaged, its type of key is not "
            "supported, or its password is wrong."
        )

    raise ConfigurationError(msg)


def load_chain(chain: object) -> object:
    """Return the public key of the first certificate of an ``x5c`` (RFC 7517, 4.7).

    Neither its dates nor who has signed it are looked at: what makes the key good is
    where it was found.

    Raises:
        ConfigurationError: There is no readable certificate.
    """
    first = chain[0] if isinstance(chain, list | tuple) and chain else None
    try:
        # Not base64url: with padding, and the other two characters.
        der = b64decode(first, validate=True) if isinstance(first, str) else b""
        return load_der_x509_certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm):
        msg = "The x5c of the JWK does not begin with a certificate in base64."

    raise ConfigurationError(msg)


def _as_bytes(text: object) -> bytes:
    if isinstance(text, bytes):
        return text

    if isinstance(text, str):
        return text.encode("utf-8", "replace")

    msg = f"PEM text and passwords are str or bytes, and not {type(text).__name__}."
    raise ConfigurationError(msg)


def _load(data: bytes, label: bytes, password: bytes | None) -> object:
    if label in _PRIVATE:
        return load_pem_private_key(data, password)

    if label in _PUBLIC:
        return load_pem_public_key(data)

    return load_pem_x509_certificate(data).public_key()


def _only_label(data: bytes) -> bytes:
    # OpenSSL's ecparam writes the curve in a block of its own before the key.
    blocks: list[bytes] = _BEGIN.findall(data)
    labels = [label for label in blocks if label != b"EC PARAMETERS"]
    if len(labels) != 1:
        msg = (
            f"The PEM text holds {len(labels)} blocks where exactly one key is needed: "
            "give the text of one private key, public key or certificate."
        )
        raise ConfigurationError(msg)

    if labels[0] not in _PRIVATE | _PUBLIC | {b"CERTIFICATE"}:
        msg = (
            "The PEM text is neither a private key, a public key nor a certificate; "
            "convert OpenSSH keys with: ssh-keygen -p -m PKCS8 -f FILE"
        )
        raise ConfigurationError(msg)

    return labels[0]
