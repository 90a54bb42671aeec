"""Brings e-mail addresses to the one form by which accounts are found.

It knows syntax only, and fewer forms than RFC 5321 allows: no quotes, no comments, no
IP addresses. Two texts that a mail server may treat as different never become the
address of one account unless they differ in case alone.
"""

from __future__ import annotations

import re
import unicodedata

import idna

from asgi_auth.accounts.errors import InvalidEmailError

__all__ = ["email_words", "normalise_email"]

# RFC 5321, section 4.5.3.1: 64 octets before the @-sign; a path of 256 with its
# angle brackets.
_LONGEST = 254
_LONGEST_LOCAL = 64

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*", re.ASCII)

_UNICODE_ATOM = r"(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]|[^\W\x00-\x7f])+"
_UNICODE_LOCAL = re.compile(rf"{_UNICODE_ATOM}(?:\.{_UNICODE_ATOM})*")


def normalise_email(text: str, *, unicode_local: bool = False) -> str:
    """Return the form by which an account is found: lower case, with an ASCII domain.

    Args:
        text: As the caller sent it; ASCII white space around it is dropped.
        unicode_local:
            Accept other letters than ASCII before the @-sign (RFC 6531). Many of them
            look alike, so it is off unless you ask for it.

    Raises:
        InvalidEmailError: It is not an address that we deliver to.
    """
    # A domain in Unicode is shorter in characters than in its ASCII form.
    if len(text) > 2 * _LONGEST:
        raise InvalidEmailError

    local, at, domain = text.strip(" \t\r\n").rpartition("@")
    if not at:
        raise InvalidEmailError

    address = f"{_local_part(local, unicode_local=unicode_local)}@{_domain(domain)}"
    if len(address.encode()) > _LONGEST:
        raise InvalidEmailError

    return address


def email_words(address: str) -> tuple[str, ...]:
    """Return the parts of an address that must not make up its owner's password."""
    local, _, domain = address.rpartition("@")
    parts = re.split(r"[^\w]|_", local)
    return (local, *parts, domain.split(".")[0])


def _local_part(local: str, *, unicode_local: bool) -> str:
    if not local.isascii():
        local = _unicode_part(local) if unicode_local else ""

    local = local.lower()
    pattern = _UNICODE_LOCAL if unicode_local else _LOCAL
    if pattern.fullmatch(local) is None or len(local.encode()) > _LONGEST_LOCAL:
        raise InvalidEmailError

    return local


def _unicode_part(local: str) -> str:
    """Return one of the spellings that Unicode holds for equal; not look-alikes."""
    composed = unicodedata.normalize("NFC", local)
    # A full-width "admin" must not become "admin", nor a Kelvin sign a "k".
    stable = unicodedata.normalize("NFKC", composed) == composed
    if composed.isascii() or not stable:
        raise InvalidEmailError

    return unicodedata.normalize("NFC", composed.lower())


def _domain(domain: str) -> str:
    try:
        encoded = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        encoded = ""

    # All top-level domains end in a letter; IPv4 addresses end in a digit.
    if "." not in encoded or not encoded[-1].isalpha():
        raise InvalidEmailError

    return encoded.lower()
