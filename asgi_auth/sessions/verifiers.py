"""One verifier for each kind of token, so that none is taken for another (RFC 8725)."""

from __future__ import annotations

from typing import Any, Literal

from asgi_auth.keys import KeySet
from asgi_auth.tokens.issuer import KINDS
from asgi_auth.tokens.verifier import TokenVerifier

__all__ = ["make_verifiers"]


def make_verifiers(
    keys: KeySet,
    refresh_keys: KeySet,
    *,
    audience: str | tuple[str, ...] | None,
    cache: Literal["memory"] | None,
    **options: Any,
) -> dict[str, TokenVerifier]:
    """Return a verifier for each of :data:`~asgi_auth.tokens.issuer.KINDS`.

    Args:
        keys: Of access tokens.
        refresh_keys: Of all other tokens.
        audience: Of access tokens; the other kinds have their own.
        cache: Of access tokens: the others come once, and are not worth a place.
        options: What all verifiers share.
    """
    return {
        kind.name: TokenVerifier(
            keys if kind.name == "access" else refresh_keys,
            audience=kind.audience or audience,
            types=(kind.typ,),
            kind=kind.name,
            cache=cache if kind.name == "access" else None,
            **options,
        )
        for kind in KINDS.values()
    }
