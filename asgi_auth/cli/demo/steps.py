"""The steps of the walk: good tokens from every source, and bad ones of every kind."""

from __future__ import annotations

from asgi_auth.cli.demo.app import ISSUER
from asgi_auth.cli.demo.step import Answer, Step
from asgi_auth.keys import KeySet
from asgi_auth.sessions import TokenService

__all__ = ["make_steps"]

_ADA = Answer(200, "ada")
_INVALID = Answer(401, challenge='error="invalid_token"')
_NO_TOKEN = Answer(401, challenge="Bearer")


async def make_steps(tokens: TokenService) -> list[Step]:
    """Return the steps, with tokens that *tokens* has issued or would refuse."""
    pair = await tokens.issue("ada", scopes=["orders:read"])
    return [
        *_good(pair.access_token, tokens.mint("bob")),
        *_bad(pair.refresh_token, tokens),
        *_sockets(pair.access_token),
        _preflight(),
    ]


def _good(token: str, poor: str) -> list[Step]:
    bob_lacks = Answer(403, challenge='scope="orders:read"')
    return [
        Step("no token", Answer(200, "anonymous")),
        Step("good token in the header", _ADA, headers=_bearer(token)),
        Step("good token in a cookie", _ADA, headers={"cookie": f"access={token}"}),
        Step("scope at hand", _ADA, path="/orders", headers=_bearer(token)),
        Step("scope missing", bob_lacks, path="/orders", headers=_bearer(poor)),
        Step("token missing", _NO_TOKEN, path="/orders"),
    ]


def _bad(refresh: str, tokens: TokenService) -> list[Step]:
    expired = tokens.mint("ada", ttl=-60)
    other = TokenService(KeySet.generate("ES256"), issuer=ISSUER, audience="demo")
    twice = {"authorization": "Bearer a", "Authorization": "Bearer b"}
    description = Answer(401, challenge="The token has expired")
    malformed = Answer(400, challenge='error="invalid_request"')
    return [
        Step("expired token", description, headers=_bearer(expired)),
        Step("token of a stranger's key", _INVALID, headers=_bearer(other.mint("ada"))),
        Step("refresh token as access token", _INVALID, headers=_bearer(refresh)),
        Step("token cut short", _INVALID, headers=_bearer(refresh[:-9])),
        Step("two Authorization headers", malformed, headers=twice),
        Step(
            "expired token in a cookie",
            Answer(200, "anonymous"),
            headers={"cookie": f"access={expired}"},
        ),
    ]


def _sockets(token: str) -> list[Step]:
    accepted = Answer(101, "ada")
    return [
        Step(
            "WebSocket, token in the query",
            accepted,
            "WS",
            f"/?token={token}",
            shown="/?token=...",
        ),
        Step(
            "WebSocket, token as a subprotocol",
            accepted,
            "WS",
            subprotocols=("bearer", token),
        ),
        Step("WebSocket without a token", _NO_TOKEN, "WS"),
        Step(
            "WebSocket, foreign page with a cookie",
            Answer(403),
            "WS",
            headers={"cookie": f"access={token}", "origin": "https://evil.example"},
        ),
    ]


def _preflight() -> Step:
    headers = {
        "origin": "https://app.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    return Step("CORS preflight", Answer(200), "OPTIONS", "/", headers=headers)


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
