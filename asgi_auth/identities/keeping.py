"""Keep the tokens of providers, sealed, where that was chosen.

The store never sees them: not in its rows, its logs or its backups.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from asgi_auth._encoding import compact_json
from asgi_auth.errors import ConfigurationError
from asgi_auth.identities.records import Identity, IdentityStore
from asgi_auth.keys import SealedValueError, SealKeys

__all__ = ["TokenKeeper"]


@dataclass(frozen=True, slots=True)
class TokenKeeper:
    """Seals the tokens of an identity, and opens them again.

    Attributes:
        store: Keeps them.
        seal: Seals them; ``None`` where none are kept.
    """

    store: IdentityStore
    seal: SealKeys | None

    async def keep(self, identity: Identity, tokens: Mapping[str, Any]) -> None:
        """Replace the tokens of an identity.

        Raises:
            UnavailableError: The store is down.
        """
        if self.seal is None:  # pragma: no cover - Identities has seen to it
            return

        # Many providers send a refresh token with the first consent only.
        before: Mapping[str, Any] = {}
        if "refresh_token" not in tokens and identity.tokens is not None:
            with suppress(SealedValueError):
                before = self.open(identity)

        kept = {**tokens}
        if "refresh_token" in before:
            kept["refresh_token"] = before["refresh_token"]

        sealed = self.seal.seal(compact_json(kept), purpose=_place_of(identity))
        await self.store.save_tokens(replace(identity, tokens=sealed))

    def open(self, identity: Identity) -> Mapping[str, Any]:
        """Return the tokens of an identity.

        Raises:
            SealedValueError: Their key is not there any more.
            ConfigurationError: There are no keys to read them with.
        """
        if self.seal is None:
            msg = "Kept tokens need seal=SealKeys(...) to be read."
            raise ConfigurationError(msg)

        text = self.seal.unseal(identity.tokens or "", purpose=_place_of(identity))
        tokens: Mapping[str, Any] = json.loads(text)
        return tokens


def _place_of(identity: Identity) -> str:
    """Name the row: sealed tokens that are moved to another one do not open."""
    parts = ["identity", identity.issuer, identity.subject, identity.account_id]
    return compact_json(parts).decode()
