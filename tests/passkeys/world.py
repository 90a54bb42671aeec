"""Log-in routes with passkeys, and short ways through them."""

from __future__ import annotations

import asyncio

from asgi_auth.passkeys import Passkeys
from tests.passkeys.authenticator import ORIGIN, RP_ID, Authenticator
from tests.routes.world import World, bearer, log_in

__all__ = ["PasskeyWorld", "add_passkey", "ask", "bearer", "log_in", "show"]


class PasskeyWorld(World):
    """A :class:`World` whose users may have passkeys."""

    def __init__(self, *, passkeys=None, origins=(ORIGIN,), **routes) -> None:
        self.passkeys = Passkeys(RP_ID, list(origins), **(passkeys or {}))
        super().__init__(
            accounts={"send_message": None, "require_verified": False},
            passkeys=self.passkeys,
            **routes,
        )

    async def reported(self, prefix: str) -> list[str]:
        """Return the names of events, once the listener has them all."""
        async with asyncio.timeout(10):
            while self.tokens.events._tasks:
                await asyncio.sleep(0)
        return self.heard(prefix)


async def add_passkey(client, pair, authenticator=None, **more):
    """Add a passkey, and return its authenticator."""
    authenticator = authenticator or Authenticator()
    asked = await client.post("/passkeys/options", headers=bearer(pair))
    assert asked.status_code == 200, asked.text
    question = asked.json()
    answer = await client.post(
        "/passkeys",
        headers=bearer(pair),
        json={
            "credential": authenticator.make(question["options"]),
            "ceremony": question["ceremony"],
            **more,
        },
    )
    assert answer.status_code == 201, answer.text
    return authenticator


async def ask(client, **more):
    """Ask for the question of a log-in."""
    answer = await client.post("/passkeys/login/options", json=more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def show(client, authenticator, question=None, path="/passkeys/login", **more):
    """Answer with a passkey."""
    question = question or await ask(client)
    headers = more.pop("headers", None)
    content = {
        "credential": authenticator.sign(question["options"]),
        "ceremony": question["ceremony"],
        **more,
    }
    return await client.post(path, json=content, headers=headers)
