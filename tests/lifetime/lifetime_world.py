"""What the tests of lifetimes share."""

from __future__ import annotations

EXPIRED = (3000, "token_expired")
REVOKED = (3000, "token_revoked")


async def echo(scope, receive, send):
    """Say what is said; note what came."""
    scope["seen"] = seen = []
    while (message := await receive())["type"] != "websocket.disconnect":
        seen.append(message["type"])
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})

    seen.append((message["code"], message.get("reason")))


class Recorder:
    """Keeps the scope that the app got."""

    def __init__(self, app=echo):
        self.app = app
        self.scope = None

    async def __call__(self, scope, receive, send):
        self.scope = scope
        await self.app(scope, receive, send)
