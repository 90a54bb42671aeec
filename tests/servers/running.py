"""Starts real ASGI servers on the loopback interface, and talks to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
APP = "tests.servers.application:app"
PATIENCE = 20
SWITCHED = 101

UVICORN = ["uvicorn", "--port", "{port}", "--log-level", "info"]
HYPERCORN = ["hypercorn", "--bind", "127.0.0.1:{port}", "--access-logfile", "-"]
GRANIAN = ["granian", "--interface", "asgi", "--port", "{port}", "--access-log"]

SERVERS = {
    "uvicorn-websockets": [*UVICORN, "--ws", "websockets", "--http", "h11", APP],
    "uvicorn-sansio": [
        *UVICORN,
        "--ws",
        "websockets-sansio",
        "--http",
        "httptools",
        APP,
    ],
    "uvicorn-wsproto": [*UVICORN, "--ws", "wsproto", "--http", "h11", APP],
    "hypercorn": [*HYPERCORN, APP],
    "hypercorn-trio": [*HYPERCORN, "--worker-class", "trio", APP],
    "granian": [*GRANIAN, APP],
}


@dataclass
class Server:
    """A server that runs in a process of its own, and what it has printed so far."""

    name: str
    port: int
    output: Path

    def log(self) -> str:
        return self.output.read_text("utf-8", errors="replace")

    def log_with(self, word: str) -> str:
        """Wait for *word* in the log: servers write some lines after the answer."""
        deadline = time.monotonic() + PATIENCE
        while word not in (log := self.log()):
            assert time.monotonic() < deadline, f"no {word!r} in:\n{log}"
            time.sleep(0.01)

        return log


@contextlib.contextmanager
def running(name: str, command: list[str]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        server = Server(name, free_port(), Path(folder, "output"))
        words = [word.format(port=server.port) for word in command]
        with server.output.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Some have workers, which go with it.
            )
        try:
            wait_for(server, process)
            yield server
        finally:
            stop(process)


@contextlib.contextmanager
def running_all(
    name: str, before: str, commands: list[list[str]]
) -> Iterator[list[Server]]:
    """Run servers of one app, which is imported once: *before* is called to do so."""
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        output = Path(folder, "output")
        servers = [Server(name, free_port(), output) for _ in commands]
        lines = [
            [word.format(port=server.port) for word in words]
            for server, words in zip(servers, commands, strict=True)
        ]
        command = [sys.executable, "-m", "tests.servers.forked"]
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*command, before, json.dumps(lines)],
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        try:
            for server in servers:
                wait_for(server, process)
            yield servers
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

            stop(process)


def wait_for(server: Server, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port)).close()
            return

        time.sleep(0.02)

    raise AssertionError(f"{server.name} did not start:\n{server.log()}")


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

        process.wait()


@dataclass
class Answer:
    """What came back over a raw socket; status 0: the server hung up."""

    status: int = 0
    body: bytes = b""


def send_raw(server: Server, request: bytes, *, patience: float = PATIENCE) -> Answer:
    """Send bytes that no client library would."""
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, timeout=patience) as peer:
        with contextlib.suppress(OSError):
            peer.sendall(request)  # It may answer and leave before it has read all.

        response = HTTPResponse(peer)
        try:
            response.begin()
            body = b"" if response.status == SWITCHED else response.read()
            return Answer(response.status, body)
        except (HTTPException, OSError):
            return Answer()
        finally:
            response.close()


def get(path: bytes, *headers: bytes) -> bytes:
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: localhost", *headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def handshake(path: bytes, *headers: bytes) -> bytes:
    lines = [
        b"GET " + path + b" HTTP/1.1",
        b"Host: localhost",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    ]
    return b"\r\n".join([*lines, b"", b""])
