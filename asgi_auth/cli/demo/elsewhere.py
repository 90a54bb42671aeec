"""The walk's log-in at an identity provider, which is played here.

It signs ID tokens with a key of its own, in this process: no network is asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from asgi_auth._encoding import compact_json
from asgi_auth.accounts import AccountService
from asgi_auth.cli.demo.step import Answer, Step
from asgi_auth.identities import (
    Client,
    Identities,
    IDTokenPolicy,
    MemoryIdentities,
    OIDCProvider,
)
from asgi_auth.keys import KeySet, Transport
from asgi_auth.routes.provider_cookies import AttemptCookies
from asgi_auth.sessions import TokenService
from asgi_auth.tokens.codec import Codec

__all__ = ["PUBLIC_URL", "make_identities"]

PUBLIC_URL: Final = "http://localhost"
"""The walk's own origin, as its provider knows it."""

_ISSUER: Final = "https://provider.example"
_CLIENT: Final = "demo"
_CALLBACK: Final = "/auth/providers/elsewhere/callback"


class _Provider:
    """Gives ID tokens for codes, and forgets nothing."""

    def __init__(self) -> None:
        self._keys = KeySet.generate("ES256")
        self.nonces: dict[str, str] = {}

    async def fetch(
        self, url: str, _: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Answer what a provider is asked."""
        if url.endswith("/keys"):
            content: Mapping[str, Any] = self._keys.to_jwks()
        elif body is not None:
            code = parse_qs(body.decode())["code"][0]
            content = {"access_token": "unused", "id_token": self._id_token(code)}
        else:
            content = {
                "issuer": _ISSUER,
                "jwks_uri": f"{_ISSUER}/keys",
                "authorization_endpoint": f"{_ISSUER}/authorize",
                "token_endpoint": f"{_ISSUER}/token",
            }

        return 200, {}, compact_json(content)

    def _id_token(self, code: str) -> str:
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "aud": _CLIENT,
            "sub": "248289761001",
            "nonce": self.nonces[code],
            "iat": now,
            "exp": now + 300,
            "email": "fay@example.com",
            "email_verified": True,
        }
        return Codec(self._keys).encode(claims, typ="JWT")


async def make_identities(
    tokens: TokenService, accounts: AccountService
) -> tuple[Identities, list[Step]]:
    """Return a provider to log in at, and the steps of who comes back from it.

    Args:
        tokens: Sign what a browser keeps.
        accounts: Those of the walk.
    """
    provider = _Provider()
    identities = Identities(
        OIDCProvider(
            "elsewhere",
            _ISSUER,
            Client(id=_CLIENT, secret="secret"),  # noqa: S106  (of a demo)
            id_token_policy=IDTokenPolicy(trust_addresses=True),
            transport=Transport(provider.fetch),
        ),
        tokens=tokens,
        accounts=accounts,
        store=MemoryIdentities(),
        callback_page="/back",
    )
    return identities, await _log_in(identities, provider.nonces)


async def _log_in(identities: Identities, nonces: dict[str, str]) -> list[Step]:
    """Return the steps of a log-in that has gone to the provider already.

    Args:
        identities: Know the provider.
        nonces: Gets that of the log-in, as the provider knows it.
    """
    start = await identities.begin("elsewhere", redirect_uri=f"{PUBLIC_URL}/back")
    query = parse_qs(urlsplit(start.url).query)
    nonces["a-code"] = query["nonce"][0]
    state = query["state"][0]
    kept = f"{AttemptCookies(PUBLIC_URL).name_of(state)}={start.token}"
    body = json.dumps({"code": "a-code", "state": state})
    asked = {"content-type": "application/json"}

    def back(title: str, status: int, headers: Mapping[str, str]) -> Step:
        answer = Answer(status)
        shown = "/auth/…/callback"
        return Step(title, answer, "POST", _CALLBACK, shown, headers, body=body)

    own = {**asked, "cookie": kept}
    return [
        back("a provider's answer, other browser", 400, asked),
        back("a log-in at an identity provider", 200, own),
        back("the same answer once more", 400, own),
    ]
