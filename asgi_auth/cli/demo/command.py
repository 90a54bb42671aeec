"""Start the demo's server, and walk or wait."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from ipaddress import ip_address

from asgi_auth.cli.demo.app import make_app, make_tokens
from asgi_auth.cli.demo.server import listen, running

__all__ = ["run_demo"]


def run_demo(
    *,
    host: str,
    port: int,
    serve: bool,
    store: str | None = None,
    access_ttl: float = 60,
) -> int:
    """Run the demo until it is through, or with *serve* until it is stopped.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        serve: Serve the page, instead of walking through the steps.
        store: URL of where the page keeps sessions; ``None``: a temporary file.
        access_ttl: Seconds that an access token of the page lives.

    Returns:
        0, or 1 if a step was not as expected.

    Raises:
        ConfigurationError: The address or the store cannot be had, or an extra is
            missing.
    """
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(
            _serve(host, port, store, access_ttl) if serve else _walk(host, port)
        )

    return 0


async def _walk(host: str, port: int) -> int:
    # Imported here: --serve does without the clients that the walk needs.
    from asgi_auth.cli.demo.steps import make_steps  # noqa: PLC0415
    from asgi_auth.cli.demo.walk import walk  # noqa: PLC0415

    tokens = make_tokens()
    listener = listen(host, port)
    origin = "{}:{}".format(*listener.getsockname()[:2])
    async with running(make_app(tokens), listener):
        _say(f"A protected app listens on http://{origin}; these are real sockets.\n")
        good, total = await walk(origin, await make_steps(tokens))

    _say(f"\n{good} of {total} steps as expected.")
    return 0 if good == total else 1


async def _serve(host: str, port: int, store: str | None, access_ttl: float) -> int:
    # Imported here: the walk does without the database that the page needs.
    from asgi_auth.cli.demo.host_check import HostCheck  # noqa: PLC0415
    from asgi_auth.cli.demo.people import EMAIL, PASSWORD  # noqa: PLC0415
    from asgi_auth.cli.demo.site import open_site  # noqa: PLC0415
    from asgi_auth.cli.demo.storage import open_storage  # noqa: PLC0415
    from asgi_auth.cli.demo.wire import Wire  # noqa: PLC0415

    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(listen(host, port)))
        wire = Wire(*_reachable(listener.getsockname()))
        storage = await stack.enter_async_context(open_storage(store))
        site = open_site(storage, wire, access_ttl=access_ttl)
        app = await stack.enter_async_context(site)
        await stack.enter_async_context(_until_told())
        served = running(HostCheck(app, host), listener)
        ended = await stack.enter_async_context(served)
        _say(f"The demo is at {wire.origin}/  (Ctrl-C stops it)\n")
        _say(f"Log in as {EMAIL} with the password {PASSWORD}, or register.")
        _say(f"Sessions are kept in {storage.name}: {storage.place}.\n")
        if not ip_address(listener.getsockname()[0]).is_loopback:
            _say("Whoever can reach this machine can log in and become an admin.\n")

        _say("Without a browser:")
        _say(f"curl -i {wire.origin}/api/orders")
        _say(
            f"curl {wire.origin}/auth/login -d username={EMAIL} -d password={PASSWORD}"
        )
        await ended

    return 0


def _reachable(address: tuple[str, int]) -> tuple[str, int]:
    """Return how this machine reaches what listens on *address*."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    host, port = address[:2]
    return everywhere.get(host, host), port


@contextlib.asynccontextmanager
async def _until_told() -> AsyncIterator[None]:
    """Let a SIGTERM end the server, which hears of it too, and then clean up."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows has no such handlers.
        loop.add_signal_handler(signal.SIGTERM, lambda: None)

    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
