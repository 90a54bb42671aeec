"""What the tutorials say to save as ``main.py`` runs on a server as it was pasted."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
RUNNING = re.compile(r"Uvicorn running on (http://[\d.:]+)")
TOKEN = re.compile(r"Token \(verify\): (\S+)")
ANN = {"email": "ann@example.com", "password": "violet-otter-42-lamp"}
LONGEST = 45


def pasted(page):
    """Return the blocks above "Try it", but for those that only show a pair."""
    text = (TUTORIAL / page).read_text("utf-8")
    above = re.split(r"^## .*Try it", text, flags=re.MULTILINE)[0]
    return "\n".join(block for block in BLOCK.findall(above) if "pair = " not in block)


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


def environ(folder):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{TUTORIAL.parents[1]}:{folder}",
        "PYTHONUNBUFFERED": "1",
        "ASGI_AUTH_SECRET_KEY": secrets.token_urlsafe(64),
    }


@contextmanager
def serving(page, folder):
    (folder / "main.py").write_text(pasted(page), "utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "main:app", "--port", "0"],
        cwd=folder,
        env=environ(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        server = Server(process)
        try:
            with httpx2.Client(
                base_url=server.says(RUNNING), trust_env=False, timeout=LONGEST
            ) as client:
                yield server, client
        finally:
            server.stop()


def test_the_api_with_log_in_runs_as_it_is_pasted(tmp_path):
    with serving("api-with-login.md", tmp_path) as (server, client):
        assert client.get("/notes").status_code == 401
        assert client.post("/auth/register", json=ANN).status_code == 202
        confirmation = {"token": server.says(TOKEN), "password": ANN["password"]}
        assert client.post("/auth/verify", json=confirmation).is_success
        pair = client.post("/auth/login", json=ANN).json()
        bearer = {"Authorization": f"Bearer {pair['access_token']}"}
        assert client.get("/notes", headers=bearer).status_code == 200

        # "On the command line, beside the running application."
        done = subprocess.run(
            [
                *(sys.executable, "-m", "asgi_auth", "users", "roles", ANN["email"]),
                *("--add", "admin", "--app", "main:service", "--json"),
            ],
            cwd=tmp_path,
            env=environ(tmp_path),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["roles"] == ["admin"]


def test_the_protected_app_runs_as_it_is_pasted(tmp_path):
    with serving("protect-an-app.md", tmp_path) as (_, client):
        assert client.get("/").json() == {"hello": "stranger"}
        refused = client.get("/orders")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("page", ["api-with-login.md", "protect-an-app.md"])
def test_there_is_an_app_to_paste(page):
    assert "app = AuthenticationMiddleware(" in pasted(page)
