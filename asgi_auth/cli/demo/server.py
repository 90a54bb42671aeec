"""Run uvicorn for the demo, on a socket that is bound before the app is made."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from asgi_auth._asgi import ASGIApp
from asgi_auth.errors import ConfigurationError, MissingExtraError

__all__ = ["listen", "running"]

_PATIENCE = 2


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Args:
        host: A name, or an address of IPv4 or IPv6.
        port: 0 takes a free one.

    Raises:
        ConfigurationError: It cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        msg = f"{host}:{port} cannot be listened on: {reason}."
        raise ConfigurationError(msg) from error

    return listener


@contextlib.asynccontextmanager
async def running(
    app: ASGIApp, listener: socket.socket
) -> AsyncIterator[asyncio.Task[None]]:
    """Run uvicorn; give the task that ends with it.

    Raises:
        MissingExtraError: uvicorn is not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415
    except ImportError as error:  # pragma: no cover - the tests have it
        msg = 'The demo needs a server: python -m pip install "asgi-auth[demo]"'
        raise MissingExtraError(msg) from error

    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan="on",
        timeout_graceful_shutdown=_PATIENCE,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        yield task
    finally:
        server.should_exit = True
        await task
