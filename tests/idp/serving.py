"""Runs an ASGI app on a real socket for the time of a test."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


@contextmanager
def serving(make) -> Iterator[str]:
    """Serve what ``make(base_url)`` returns; the lifespan is run, too."""
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        make(base), lifespan="on", log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        assert server.started, "the app did not start"
        yield base
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
