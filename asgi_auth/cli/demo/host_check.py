"""Turn away browsers that another site leads to the demo.

It knows no caller. The demo listens on loopback, and any page may have a name of its
own resolve to that (DNS rebinding): what is asked for by such a name is not served.
"""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth.errors import AuthError
from asgi_auth.responses.deny import deny

__all__ = ["HostCheck"]

_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[0-9a-z._-]+))(?::[0-9]*)?")


class HostCheck:
    """Lets through what is asked for by an address, or by a name of this machine.

    Args:
        app: The application to protect.
        host: What the demo listens on.
    """

    __slots__ = ("_app", "_names")

    def __init__(self, app: ASGIApp, host: str) -> None:
        own = socket.gethostname().lower()
        self._app = app
        self._names = {host.lower(), own, f"{own}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse."""
        if scope["type"] == "lifespan" or self._knows(scope):
            await self._app(scope, receive, send)
        else:
            await deny(_MisdirectedError(), scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        match = _HOST.fullmatch(hosts[0].decode("latin-1").lower()) if hosts else None
        if match is None or len(hosts) > 1:
            return False

        name = match["six"] or match["name"].removesuffix(".")
        if name in self._names or name.endswith(".localhost"):
            return True

        # No foreign name server speaks for a name without a dot.
        return _is_address(name) or "." not in name


class _MisdirectedError(AuthError):
    """The name in Host is not one of this machine's (RFC 9110, section 15.5.20)."""

    code = "misdirected"
    status = 421
    public_message = "Ask for the demo by its address, or as localhost."


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False

    return True
