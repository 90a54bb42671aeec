"""Pastes the blocks of a tutorial into the files that the page names.

A page says "Save this as `x.py`" or "Add this to `x.py`"; that holds for the blocks
below until it says otherwise.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
PIECE = re.compile(
    r"(?P<place>(?:[Ss]ave|[Aa]dd|go)\b[^.`]*`(?P<file>\w+\.py)`)"
    r"|^```(?P<kind>\w+)\n(?P<source>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
RUNNING = re.compile(r"Uvicorn running on (http://[\d.:]+)")
LONGEST = 45


def files_of(page):
    """Return what each file holds whose blocks were pasted one below the other."""
    files, current = {}, None
    for match in PIECE.finditer((TUTORIAL / page).read_text("utf-8")):
        current = match["file"] or current
        if match["kind"] == "python":
            assert current is not None, f"{page} shows code before it says where to"
            files[current] = files.get(current, "") + match["source"] + "\n"

    return files


def blocks_of(page, kind):
    """Return the blocks of one kind, in their order."""
    pieces = PIECE.finditer((TUTORIAL / page).read_text("utf-8"))
    return [piece["source"] for piece in pieces if piece["kind"] == kind]


def looks_like(said, expected):
    """Compare line by line; what nobody can know before stands as dots."""
    patterns = [".*".join(map(re.escape, line.split("…"))) for line in expected]
    return len(said) == len(expected) and all(
        re.fullmatch(pattern, line)
        for pattern, line in zip(patterns, said, strict=True)
    )


def environ(folder):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{ROOT}:{folder}",
        "PYTHONUNBUFFERED": "1",
        "ASGI_AUTH_SECRET_KEY": secrets.token_urlsafe(64),
    }


def run(*arguments, folder, env=None):
    """Run Python in the folder until it ends, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=env or environ(folder),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Server:
    """A server, and the lines that it has printed."""

    def __init__(self, process):
        self.process = process
        self.lines = ""
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines += line
                self.news.notify_all()

    def stop(self):
        """End the process, and read what it has left to say."""
        self.process.terminate()
        try:
            self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()

        self.reader.join()

    def says(self, pattern):
        """Wait until a line fits, and return what is in its parentheses."""
        with self.news:
            self.news.wait_for(lambda: pattern.search(self.lines), timeout=LONGEST)
            match = pattern.search(self.lines)

        assert match is not None, self.lines
        return match[1]


@contextmanager
def serving(app, *, folder, env=None):
    """Run uvicorn over an app of a file, and yield the server and its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", app, "--port", "0"],
        cwd=folder,
        env=env or environ(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        server = Server(process)
        try:
            yield server, server.says(RUNNING)
        finally:
            server.stop()
