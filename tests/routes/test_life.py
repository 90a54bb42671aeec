"""The whole life of an account, over a real server, with real stores."""

from __future__ import annotations

import json
import time

import httpx2
import pytest

from tests.postgres import start_postgres, stop_postgres
from tests.routes.world import EMAIL, PASSWORD
from tests.servers.running import running, send_raw
from tests.stores.valkey import valkey_server

APP = "tests.routes.application:app"
COMMAND = ["uvicorn", "--port", "{port}", "--log-level", "info", APP]
NEW = "brass-kettle-77-moon"
PATIENCE = 10


@pytest.fixture(scope="module")
def databases():
    server = start_postgres()
    with valkey_server() as valkey:
        yield server.get_uri(), valkey.url
    stop_postgres(server)


@pytest.fixture(params=["sqlite", "postgres-valkey"])
def stores(request, tmp_path):
    if request.param == "sqlite":
        return {"database": f"sqlite:///{tmp_path / 'life.db'}", "redis": None}

    database, redis = request.getfixturevalue("databases")
    return {"database": database, "redis": redis}


@pytest.fixture(params=["body", "cookie"])
def life(request, stores, tmp_path, monkeypatch):
    mail = tmp_path / "mail"
    settings = {**stores, "mail": str(mail), "delivery": request.param}
    monkeypatch.setenv("LIFE_SETTINGS", json.dumps(settings))
    with running("life", COMMAND) as server:
        lived = Life(server, mail, request.param)
        yield lived
        for browser in lived.browsers:
            browser.http.close()


class Browser:
    """Keeps tokens as its delivery wants it: in a jar, or in its hand."""

    def __init__(self, url, delivery) -> None:
        self.http = httpx2.Client(base_url=url, trust_env=False, timeout=20)
        self.in_body = delivery == "body"
        self.pair = {}

    def post(self, path, **body):
        if self.in_body and path in {"refresh", "logout"}:
            body = {"refresh_token": self.pair.get("refresh_token")}
        answer = self.http.post(f"/auth/{path}", json=body, headers=self.headers())
        if answer.status_code == 200 and self.in_body:
            self.pair = answer.json() if "access_token" in answer.text else self.pair
        return answer

    def get(self, path):
        return self.http.get(path, headers=self.headers())

    def headers(self):
        if not self.in_body or not self.pair:
            return {}
        return {"Authorization": f"Bearer {self.pair['access_token']}"}


class Life:
    def __init__(self, server, mail, delivery) -> None:
        self.server = server
        self.mail = mail
        self.delivery = delivery
        # One address for each life: the databases are shared.
        self.email = f"{delivery}-{EMAIL}"
        self.browsers = []

    def browser(self) -> Browser:
        url = f"http://127.0.0.1:{self.server.port}"
        self.browsers.append(Browser(url, self.delivery))
        return self.browsers[-1]

    def token(self, wanted) -> str:
        """Wait for a message to this address: they are sent after the answer."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            lines = self.mail.read_text("utf-8") if self.mail.exists() else ""
            for kind, address, token in map(json.loads, lines.splitlines()[::-1]):
                if (kind, address) == (wanted, self.email):
                    return token
            time.sleep(0.02)
        raise AssertionError(f"no message {wanted}\n{self.server.log()}")


def test_the_whole_life_of_an_account(life):
    email = life.email
    phone, laptop = life.browser(), life.browser()
    assert phone.get("/notes").status_code == 401

    # Register and verify.
    answer = phone.post("register", email=email, password=PASSWORD)
    assert answer.status_code == 202, answer.text
    assert phone.post("login", email=email, password=PASSWORD).status_code == 403
    token = life.token("verify")
    assert phone.post("verify", token=token, password=PASSWORD).status_code == 200

    # Log in, call, refresh.
    for browser in (phone, laptop):
        assert browser.post("login", email=email, password=PASSWORD).status_code == 200
        assert browser.get("/notes").status_code == 200
        assert browser.post("refresh").status_code == 200
        assert browser.get("/notes").status_code == 200

    # Log out, and in again.
    assert laptop.post("logout").status_code == 204
    assert laptop.post("refresh").status_code == 401
    assert laptop.get("/notes").status_code == 401
    laptop.pair = {}
    assert laptop.post("login", email=email, password=PASSWORD).status_code == 200

    # List the sessions, and end one.
    sessions = phone.get("/auth/sessions").json()["sessions"]
    assert [session["current"] for session in sessions] == [True, False]
    ended = phone.http.delete(
        f"/auth/sessions/{sessions[1]['sid']}", headers=phone.headers()
    )
    assert ended.status_code == 204
    assert laptop.get("/notes").status_code == 401
    assert laptop.post("refresh").status_code == 401
    assert phone.get("/notes").status_code == 200

    # Log out everywhere.
    laptop.pair = {}
    assert laptop.post("login", email=email, password=PASSWORD).status_code == 200
    assert laptop.post("logout-all").status_code == 204
    for browser in (phone, laptop):
        assert browser.get("/notes").status_code == 401
        assert browser.post("refresh").status_code == 401

    # Forget and reset.
    phone.pair = laptop.pair = {}
    assert laptop.post("login", email=email, password=PASSWORD).status_code == 200
    # Tokens are dated by whole seconds: one of this second would count as issued
    # before everything was logged out.
    time.sleep(1.1)
    assert phone.post("password/forgot", email=email).status_code == 202
    token = life.token("reset")
    answer = phone.post("password/reset", token=token, password=NEW)
    assert answer.status_code == 204, answer.text
    assert laptop.get("/notes").status_code == 401
    assert phone.post("login", email=email, password=PASSWORD).status_code == 401
    assert phone.post("login", email=email, password=NEW).status_code == 200
    assert phone.get("/auth/me").json()["email"] == email

    # A body that is too long is refused before it comes.
    head = b"\r\n".join(
        [
            b"POST /auth/login HTTP/1.1",
            b"Host: 127.0.0.1",
            b"Content-Type: application/json",
            b"Content-Length: 10485760",
            b"",
            b"{",
        ]
    )
    answer = send_raw(life.server, head)
    assert answer.status == 413
    assert json.loads(answer.body)["code"] == "body_too_large"

    assert "Traceback" not in life.server.log()
    assert "500 Internal" not in life.server.log()
