"""Runs ``asgi-auth demo --serve`` in a process of its own, as a person does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

EMAIL = "demo@example.com"
PASSWORD = "violet-otter-42-lamp"


@dataclass
class Demo:
    """A demo that runs, and what it has said."""

    origin: str
    said: str
    process: subprocess.Popen

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.origin, timeout=10, trust_env=False)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextlib.contextmanager
def running_demo(*arguments: str) -> Iterator[Demo]:
    command = [sys.executable, "-m", "asgi_auth", "demo", "--serve", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder, "errors")
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        demo = Demo("", "", process)
        try:
            while not demo.said.rstrip().endswith(PASSWORD) or "curl" not in demo.said:
                line = process.stdout.readline()
                assert line, f"it ended: {demo.said}{errors.read_text('utf-8')}"
                demo.said += line
            demo.origin = demo.said.split("The demo is at ")[1].split("/  (")[0]
            yield demo
        finally:
            demo.stop()
            process.stdout.close()
