"""The chapter on deployment, followed step by step on four workers."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import jwt
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.test_examples import BLOCK, ROOT
from tests.ports import free_port
from tests.postgres import start_postgres, stop_postgres
from tests.servers.running import stop
from tests.stores.valkey import valkey_server

PAGE = ROOT / "docs" / "how-to" / "deploy.md"
PATIENCE = 30
LOG_IN = {"email": "ada@example.com", "password": "violet-otter-42-lamp"}

pytestmark = pytest.mark.slow


def until(ask):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if (found := ask()) is not None:
                return found

        time.sleep(0.05)

    raise AssertionError("it did not come about in time")


def new_key():
    return {"kty": "oct", "alg": "HS256", "k": secrets.token_urlsafe(64)}


class Worker:
    """One process with the app of the chapter, on a port of its own."""

    def __init__(self, folder: Path, environ: dict[str, str], number: int) -> None:
        self.port = free_port()
        self.output = folder / f"worker-{number}.log"
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.port)],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
            )

    def is_ready(self):
        status = self.client.get("/readyz").status_code
        return True if status == 204 else None

    def orders(self, token):
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.get("/orders", headers=headers).status_code

    def records(self):
        lines = self.output.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self):
        self.client.close()
        stop(self.process)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orders")
    blocks = BLOCK.finditer(PAGE.read_text("utf-8"))
    program = "\n\n".join(block["source"] for block in blocks)
    (folder / "app.py").write_text(program, "utf-8")
    (folder / "jwks").write_text(json.dumps({"keys": [new_key()]}), "utf-8")
    return folder


@pytest.fixture(scope="module")
def cache():
    with valkey_server() as server:
        yield server


@pytest.fixture(scope="module")
def environ(folder, cache):
    postgres = start_postgres()
    (folder / "database").write_text(postgres.get_uri() + "\n", "utf-8")
    names = {
        "ORDERS_JWKS_FILE": str(folder / "jwks"),
        "DATABASE_URL_FILE": str(folder / "database"),
        "REDIS_URL": cache.url,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    yield {**os.environ, **names}
    stop_postgres(postgres)


@pytest.fixture(scope="module")
def workers(folder, environ):
    made = [Worker(folder, environ, number) for number in range(4)]
    yield made
    for worker in made:
        worker.stop()


def run_python(folder, environ, text):
    command = [sys.executable, *text]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def pair_of(answer):
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


@pytest.mark.timeout(240)
def test_the_chapter_works_step_by_step(folder, environ, workers, cache):
    # Without tables nobody is ready, and the doctor says why.
    until(lambda: workers[0].client.get("/readyz").status_code)
    assert workers[0].client.get("/readyz").status_code == 503
    doctor = ["-m", "asgi_auth", "doctor", "app:app", "--workers", "4"]
    options = ["--behind-proxy", "--connect"]
    status, said = run_python(folder, environ, [*doctor, *options])
    assert status == 1
    assert "a table is missing" in said
    assert said.count("store-unready") == 1

    # Make the tables first.
    make = "import app, asyncio; asyncio.run(app.people.create_schema())"
    status, said = run_python(folder, environ, ["-c", make])
    assert status == 0, said
    assert all(until(worker.is_ready) for worker in workers)
    status, said = run_python(folder, environ, [*doctor, *options])
    assert status == 0, said

    # A log-in on one worker is known to all.
    first, second, third, fourth = workers
    registered = first.client.post("/auth/register", json=LOG_IN)
    assert registered.status_code == 201, registered.text
    pair = pair_of(first.client.post("/auth/login", json=LOG_IN))
    old = pair["access_token"]
    assert [worker.orders(old) for worker in workers] == [200] * 4

    # New keys, without a restart; the old one stays in the file.
    known = json.loads((folder / "jwks").read_text())["keys"]
    (folder / "jwks").write_text(json.dumps({"keys": [new_key(), *known]}))
    for worker in workers:
        worker.process.send_signal(signal.SIGHUP)

    for worker in workers:
        until(lambda worker=worker: replaced(worker) or None)

    assert [worker.orders(old) for worker in workers] == [200] * 4
    renewed = pair_of(
        second.client.post(
            "/auth/refresh", json={"refresh_token": pair["refresh_token"]}
        )
    )
    new = renewed["access_token"]
    assert (
        jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    )
    assert [worker.orders(new) for worker in workers] == [200] * 4

    # Half a file logs nobody out.
    whole = (folder / "jwks").read_text()
    (folder / "jwks").write_text(whole[:40])
    third.process.send_signal(signal.SIGHUP)
    until(lambda: "the keys were not replaced" in third.output.read_text() or None)
    assert third.orders(new) == 200
    (folder / "jwks").write_text(whole)

    # Workers are replaced one by one, each when the one before is ready.
    workers[3] = Worker(folder, environ, 4)
    assert until(workers[3].is_ready)
    fourth.stop()
    assert workers[3].orders(new) == 200

    # A log-out is seen by all within a second.
    headers = {"Authorization": f"Bearer {new}"}
    answer = first.client.post(
        "/auth/logout",
        json={"refresh_token": renewed["refresh_token"]},
        headers=headers,
    )
    assert answer.status_code in {200, 204}, answer.text
    began = time.monotonic()
    for worker in workers:
        until(lambda worker=worker: worker.orders(new) == 401 or None)

    assert time.monotonic() - began < 10

    # Refusals are counted, in the words of Prometheus.
    scraped = third.client.get("/metrics/").text
    names = {family.name for family in text_string_to_metric_families(scraped)}
    assert {"asgi_auth_requests_refused", "asgi_auth_ready"} <= names
    assert 'code="token_revoked"' in scraped

    # Without Redis: 503, one warning, one line for the end.
    cache.kill()
    until(lambda: first.is_ready() is None or None)
    assert first.client.post("/auth/login", json=LOG_IN).status_code == 503
    cache.start()
    until(first.is_ready)
    until(lambda: any("is back after" in r["text"] for r in first.records()) or None)
    ours = [r for r in first.records() if r["logger"] == "asgi_auth.drivers"]
    downs = [
        r["text"] for r in ours if "Redis at" in r["text"] and "is down" in r["text"]
    ]
    assert len(downs) == 1, downs


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def replaced(worker):
    return any(record["text"] == "keys replaced" for record in worker.records())
