"""Read tokens out of the subprotocols that a browser offers for a WebSocket.

There is no other header that its scripts can set. What holds a token is never echoed.
"""

from __future__ import annotations

from collections.abc import Sequence

from asgi_auth._encoding import b64url_decode
from asgi_auth.credentials.credential import (
    AMBIGUOUS,
    MAX_TOKEN,
    Credential,
    Offer,
    checked,
    malformed,
    too_long,
)

__all__ = ["from_subprotocols"]

_KUBE = "base64url.bearer.authorization."
_KUBERNETES = (f"{_KUBE}k8s.io.", _KUBE)

_MOST_PROTOCOLS = 64
_NONE = Offer([], None)


def from_subprotocols(names: Sequence[str]) -> list[Credential]:
    """Take tokens out of *names*; what holds one is never echoed."""
    credentials: list[Credential] = []
    rest: list[str] = []
    answer: str | None = None
    waiting = iter(names[:_MOST_PROTOCOLS])
    for name in waiting:
        if len(credentials) == AMBIGUOUS:
            break  # What is left is dropped: it may hold tokens as well.

        prefix = next((p for p in _KUBERNETES if name.startswith(p)), None)
        if name.lower() == "bearer":
            answer = name
            credentials.append(_from_text(next(waiting, "")))
        elif prefix is not None:
            credentials.append(_from_kubernetes(name[len(prefix) :]))
        else:
            rest.append(name)

    if not credentials and len(names) > _MOST_PROTOCOLS:
        # Not looked at, and not handed on: there may be tokens among the rest.
        return [malformed("subprotocol", "too many protocols")._replace(offer=_NONE)]

    if not credentials:
        return []

    offer = Offer(rest, answer or next(iter(rest), None))
    if offer.answer is None:
        credentials = [malformed("subprotocol", "no protocol beside the token")]

    return [credential._replace(offer=offer) for credential in credentials]


def _from_text(token: str) -> Credential:
    if not token or not token.isascii():
        return malformed("subprotocol", "no token after bearer")

    return checked(Credential(token.encode("ascii"), "subprotocol"))


def _from_kubernetes(encoded: str) -> Credential:
    if len(encoded) > 2 * MAX_TOKEN:
        return too_long("subprotocol")

    try:
        token = b64url_decode(encoded.encode("ascii"))
    except ValueError:
        return malformed("subprotocol", "not base64url")

    if not token:
        return malformed("subprotocol", "an empty token")

    return checked(Credential(token, "subprotocol"))
