"""What attackers try, done to the demo itself over real sockets.

A page cannot do most of it: browsers set Origin and Cookie themselves, and only the
issuer can sign a token that has expired. Nothing here goes to any other server.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from asgi_auth._encoding import b64url_decode, b64url_encode, compact_json
from asgi_auth.cli.demo.wire import Answer, Wire
from asgi_auth.principal import Principal
from asgi_auth.sessions import TokenService
from asgi_auth.stores.records import Device

__all__ = ["ATTACKS", "COOKIE", "Attack", "Attacker", "find_attack"]

GUARDED = "/api/orders"
COOKIE = "demo"
_EVIL = "https://evil.example"
_REFUSED = 400

_Tried = tuple[str, list[Answer]]
"""The token, and what came back."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One thing that is tried.

    Attributes:
        name: In the path of its route.
        title: For the button.
        story: One or two sentences on what happens.
        status: What the last answer must be.
    """

    name: str
    title: str
    story: str
    status: int


ATTACKS = (
    Attack(
        "expired",
        "Expired token",
        "Signed by the right key, for you, and a minute too old.",
        401,
    ),
    Attack(
        "forged",
        "Forged signature",
        "A good token with a role added to its payload: the signature does not fit.",
        401,
    ),
    Attack(
        "none",
        "alg: none",
        "Your claims, and a header that says that no signature is needed.",
        401,
    ),
    Attack(
        "refresh-as-access",
        "Refresh token as access token",
        "A good token of the wrong kind: it is for renewing, never for calling.",
        401,
    ),
    Attack(
        "reuse",
        "Stolen refresh token",
        "A thief replays a refresh token that was replaced before. It cannot be told "
        "who is the thief, so the session ends for both.",
        401,
    ),
    Attack(
        "foreign-origin",
        "Request from a foreign page",
        "Another site makes the browser send your cookie along. The cookie is good; "
        "the Origin is not.",
        403,
    ),
)


class Attacker:
    """Tries what ``ATTACKS`` names.

    Args:
        tokens: Signs what only the issuer can sign.
        wire: Where the demo listens.
    """

    __slots__ = ("_tokens", "_wire")

    def __init__(self, tokens: TokenService, wire: Wire) -> None:
        self._tokens = tokens
        self._wire = wire

    async def run(self, attack: Attack, caller: Principal) -> dict[str, Any]:
        """Try one, on behalf of *caller*, who is the victim.

        Returns:
            What went over the wire, and whether it was refused as it must be.
        """
        token, answers = await self._methods()[attack.name](caller)
        refusals = [answer for answer in answers if answer.status >= _REFUSED]
        shown_answer = refusals[0] if refusals else answers[-1]
        return {
            "name": attack.name,
            "title": attack.title,
            "status": shown_answer.status,
            "refused": shown_answer.status == attack.status,
            "challenge": shown_answer.headers.get("www-authenticate"),
            "problem": shown_answer.body,
            "token": _read(token),
            "exchanges": [answer.shown() for answer in answers],
        }

    def _methods(self) -> dict[str, Callable[[Principal], Awaitable[_Tried]]]:
        return {
            "expired": self._expired,
            "forged": self._forged,
            "none": self._none,
            "refresh-as-access": self._refresh_as_access,
            "reuse": self._reuse,
            "foreign-origin": self._foreign_origin,
        }

    async def _expired(self, caller: Principal) -> _Tried:
        return await self._call(self._mint(caller, ttl=-60))

    async def _forged(self, caller: Principal) -> _Tried:
        token = self._mint(caller)
        head, _, signature = token.split(".")
        payload = _segment({**_read(token)["payload"], "roles": ["admin"]})
        return await self._call(f"{head}.{payload}.{signature}")

    async def _none(self, caller: Principal) -> _Tried:
        head = _segment({"alg": "none", "typ": "at+jwt"})
        return await self._call(f"{head}.{_segment(caller.claims)}.")

    async def _refresh_as_access(self, caller: Principal) -> _Tried:
        pair = await self._tokens.issue(caller.subject, device=Device(label="Attack"))
        tried = await self._call(pair.refresh_token)
        await self._tokens.revoke(pair.refresh_token)
        return tried

    async def _reuse(self, caller: Principal) -> _Tried:
        # A session of its own, so that the visitor stays logged in.
        device = Device(label="Stolen phone")
        first = (await self._tokens.issue(caller.subject, device=device)).refresh_token
        answers = [await self._refresh(first)]
        answers.append(await self._refresh(answers[0].body["refresh_token"]))
        # The token before last: a repeat of the last one could be a lost answer.
        answers.append(await self._refresh(first))
        answers.append(await self._refresh(answers[1].body["refresh_token"]))
        return first, answers

    async def _foreign_origin(self, caller: Principal) -> _Tried:
        token = self._mint(caller)
        answers = [
            await self._wire.send(
                "POST", GUARDED, {"Cookie": f"{COOKIE}={token}", "Origin": origin}
            )
            for origin in (self._wire.origin, _EVIL)
        ]
        return token, answers

    async def _call(self, token: str) -> _Tried:
        bearer = {"Authorization": f"Bearer {token}"}
        return token, [await self._wire.send("GET", GUARDED, bearer)]

    async def _refresh(self, token: str) -> Answer:
        body = {"refresh_token": token}
        return await self._wire.send("POST", "/auth/refresh", {}, body)

    def _mint(self, caller: Principal, *, ttl: float | None = None) -> str:
        return self._tokens.mint(
            caller.subject,
            ttl=ttl,
            scopes=["orders:read"],
            claims={"name": caller.display_name},
        )


def _segment(claims: Any) -> str:
    return b64url_encode(compact_json(claims)).decode()


def _read(token: str) -> dict[str, Any]:
    """Return what a token says, without its signature."""
    head, payload, _ = token.split(".")
    return {
        "header": json.loads(b64url_decode(head.encode())),
        "payload": json.loads(b64url_decode(payload.encode())),
    }


def find_attack(name: str) -> Attack | None:
    """Return the attack of this name, if there is one."""
    return next((attack for attack in ATTACKS if attack.name == name), None)
