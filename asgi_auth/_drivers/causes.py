"""Say in words why a server cannot be reached, for the log.

It repeats no text of an error but OpenSSL's own: others may hold an address with a
password.
"""

from __future__ import annotations

import socket
import ssl

__all__ = ["cause_of"]

_DEEPEST = 10
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its name is not known here"),
    (ConnectionRefusedError, "nothing listens there"),
    (ConnectionResetError, "the other side ended the connection"),
    (TimeoutError, "there was no answer in time"),
)


def cause_of(error: BaseException) -> str:
    """Return the type of *error*, and what is most likely wrong."""
    name = type(error).__name__
    for inner in _chain(error):
        words = _words(inner)
        if words:
            return f"{name}: {words}"

    return name


def _chain(error: BaseException) -> list[BaseException]:
    errors = [error]
    while len(errors) < _DEEPEST:
        inner = errors[-1].__cause__ or errors[-1].__context__
        if inner is None:
            break

        errors.append(inner)

    return errors


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); name a private "
            "authority in SSL_CERT_FILE"
        )

    if isinstance(error, ssl.SSLError):
        return f"TLS fails ({getattr(error, 'reason', None) or 'no reason given'})"

    if type(error).__name__ == "ProxyError":
        return (
            "a proxy (HTTPS_PROXY, ALL_PROXY) is on the way, and lets nothing through"
        )

    return next((words for kind, words in _WORDS if isinstance(error, kind)), "")
