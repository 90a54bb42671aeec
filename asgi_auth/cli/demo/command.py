"""Start the demo's server on loopback, and walk or wait."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator

from asgi_auth._asgi import ASGIApp
from asgi_auth.cli.demo.app import make_app, make_tokens
from asgi_auth.errors import ConfigurationError, MissingExtraError
from asgi_auth.sessions import TokenService

__all__ = ["run_demo"]


def run_demo(*, host: str, port: int, serve: bool) -> int:
    """Run the demo until it is through, or with *serve* until it is stopped.

    Returns:
        0, or 1 if a step was not as expected.

    Raises:
        ConfigurationError: The address cannot be had, or the extra is missing.
    """
    tokens = make_tokens()
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(
            _serve(tokens, host, port) if serve else _walk(tokens, host, port)
        )

    return 0


async def _walk(tokens: TokenService, host: str, port: int) -> int:
    # Imported here: --serve does without the clients that the walk needs.
    from asgi_auth.cli.demo.steps import make_steps  # noqa: PLC0415
    from asgi_auth.cli.demo.walk import walk  # noqa: PLC0415

    async with _running(make_app(tokens), host, port) as origin:
        _say(f"A protected app listens on http://{origin}; these are real sockets.\n")
        good, total = await walk(origin, await make_steps(tokens), _say)

    _say(f"\n{good} of {total} steps as expected.")
    return 0 if good == total else 1


async def _serve(tokens: TokenService, host: str, port: int) -> int:
    pair = await tokens.issue("ada", scopes=["orders:read"])
    async with _running(make_app(tokens), host, port) as origin:
        _say(f"A protected app listens on http://{origin}; Ctrl-C stops it. Try:\n")
        _say(f"curl -i http://{origin}/orders")
        _say(
            f"curl -i -H 'Authorization: Bearer {pair.access_token}' http://{origin}/orders"
        )
        await asyncio.Event().wait()

    return 0


@contextlib.asynccontextmanager
async def _running(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Run uvicorn for *app*; give its host and port."""
    try:
        import uvicorn  # noqa: PLC0415
    except ImportError as error:  # pragma: no cover - the tests have it
        msg = 'The demo needs a server: python -m pip install "asgi-auth[demo]"'
        raise MissingExtraError(msg) from error

    listener = _listen(host, port)
    config = uvicorn.Config(app, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        yield "{}:{}".format(*listener.getsockname()[:2])
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        msg = f"{host}:{port} cannot be listened on: {error.strerror}."
        raise ConfigurationError(msg) from error

    return listener


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
