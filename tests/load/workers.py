"""The workers of a load run, each a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

from tests.load.wire import LostError

ROOT = Path(__file__).parents[2]
_WITHOUT_RIGHTS = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override"]
_STAMP = re.compile(r"^[\d-]+ [\d:,]+ ")


class Worker:
    """One uvicorn process, which can be killed, stopped and started again.

    Its socket listens for as long as the run lasts, so that no other process gets its
    port: who connects while it is down waits for the next one.
    """

    def __init__(self, url, secret, log, *, is_cluster):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self._listener.getsockname()[1]
        self.log = log
        self._variables = {"LOAD_STORE": url, "LOAD_SECRET": secret}
        self._variables |= {"LOAD_CLUSTER": "1"} if is_cluster else {}
        self.process = None

    def start(self, *, has_rights=True):
        """Start it.

        Args:
            has_rights: Root may write whatever the rights of a file are, as always.
        """
        number = self._listener.fileno()
        command = [sys.executable, "-m", "tests.load.application", str(number)]
        if not has_rights and os.geteuid() == 0:
            command = [*_WITHOUT_RIGHTS, *command]

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self._variables},
                pass_fds=[number],
                stderr=log,
            )

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.go_on()
        self.process.kill()
        self.process.wait()

    def end(self):
        """End it as a rolling restart does."""
        self.process.terminate()
        self.process.wait(60)

    def close(self):
        self.kill()
        self._listener.close()


@asynccontextmanager
async def serving(url, folder, wire, *, count, is_cluster=False):
    """Give workers on one store that all serve."""
    secret = secrets.token_urlsafe(48)
    workers = [
        Worker(url, secret, folder / f"worker-{number}.log", is_cluster=is_cluster)
        for number in range(count)
    ]
    try:
        for worker in workers:
            worker.start()

        for worker in workers:
            await until_up(wire, worker)

        yield workers
    finally:
        for worker in workers:
            worker.close()


async def until_up(wire, worker):
    async with asyncio.timeout(120):
        while True:
            try:
                answer = await wire.ask(worker.port, "/me", token="none")
            except (LostError, TimeoutError):
                answer = None

            if answer is not None and answer.status == 401:
                return

            assert worker.process.poll() is None, worker.log.read_text()
            await asyncio.sleep(0.1)


def logged(workers):
    """Count the lines that the workers wrote, without what differs from run to run."""
    lines = Counter()
    for worker in workers:
        for line in worker.log.read_text("utf-8", "replace").splitlines():
            text = _STAMP.sub("", line)
            lines[re.sub(r"\d+(\.\d+)?", "N", text)[:160]] += 1

    return lines


def faults_of(lines):
    """Return what no outage explains: tracebacks and errors."""
    # uvicorn, of each socket that is refused: github.com/Kludex/uvicorn/pull/3138
    spurious = "ASGI callable returned without completing handshake."
    signs = ("Traceback", "ERROR", "CRITICAL", "never retrieved", "was destroyed")
    return [
        line
        for line in lines
        if any(sign in line for sign in signs) and spurious not in line
    ]
