from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from asgi_auth.cli.demo.one_time_codes import LIFETIME, OneTimeCodes
from asgi_auth.cli.main import main
from asgi_auth.testing import FakeClock
from tests.cli.demo_server import EMAIL, PASSWORD, running_demo
from tests.postgres import start_postgres, stop_postgres
from tests.stores.valkey import valkey_server

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "asgi_auth" / "cli" / "demo" / "page" / "style.css"
TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
ADA = {"email": "ada@example.com", "password": "otter-lamp-77-moss"}


@pytest.fixture(scope="module")
def demo():
    # A token is good for as long as these tests take.
    with running_demo("--access-ttl", "3600") as running:
        yield running


@pytest.fixture
def client(demo):
    with demo.client() as client:
        yield client


def log_in(client, email=EMAIL, password=PASSWORD, label="test"):
    body = {"email": email, "password": password, "device_label": label}
    answer = client.post("/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="module")
def caller(demo):
    """The header of one who has logged in: to do so is made to take time."""
    with demo.client() as client:
        return log_in(client)


def serve_in_vain(*arguments, before=""):
    """Run the command in a process of its own, which must end by itself."""
    code = (
        f"{before}\nimport sys\nfrom asgi_auth.cli.main import main\nsys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "demo", "--serve", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# ------------------------------------------------------------------------ the command


def test_the_commands_that_it_prints_work(demo, client):
    orders, login = (shlex.split(line) for line in demo.said.splitlines()[-2:])
    assert orders[:2] == ["curl", "-i"]
    assert client.get(orders[2]).status_code == 401

    form = dict(word.split("=") for word in login[3::2])
    token = client.post(login[1], data=form).json()["access_token"]
    answer = client.get(orders[2], headers={"authorization": f"Bearer {token}"})
    assert answer.json()["for"] == "demo"


def test_it_takes_its_port_and_leaves_no_file_after_a_sigterm(
    tmp_path, monkeypatch, free_port
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_demo("--port", str(free_port)) as demo:
        assert demo.origin == f"http://127.0.0.1:{free_port}"
        assert "Whoever" not in demo.said
        assert len([*tmp_path.glob("asgi-auth-demo-*/demo.db")]) == 1
        assert demo.stop() == 0

    assert [*tmp_path.iterdir()] == []


def test_it_says_so_when_others_can_reach_it():
    with running_demo("--host", "0.0.0.0") as demo, demo.client() as client:
        assert "Whoever can reach this machine" in demo.said
        result = client.post(
            "/api/attack", headers=log_in(client), json={"name": "foreign-origin"}
        )
        assert result.json()["refused"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--store", "mysql://root@db/x"], "not mysql://"),
        (["--store", "demo.db"], "--store takes sqlite:///file.db"),
        (["--store", "redis://db:port"], "not a URL"),
        (["--store", "sqlite:////no/such/folder/demo.db"], "cannot be used"),
        (["--store", "redis://127.0.0.1:1"], "Redis at 127.0.0.1:1 cannot be used"),
        (["--port", "70000"], "cannot be listened on"),
        (["--access-ttl", "0"], "access_ttl must be more than 0"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_status_2(capsys, arguments, sentence):
    assert main(["demo", "--serve", *arguments]) == 2

    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.startswith("asgi-auth: ")
    assert len(said.err.splitlines()) == 1


def test_the_password_in_a_url_is_never_repeated(capsys):
    url = "postgresql://ada:hidden@127.0.0.1:1/x"  # Nobody listens there.
    assert main(["demo", "--serve", "--store", url]) == 2

    said = capsys.readouterr().err
    assert "127.0.0.1:1/x cannot be used" in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("library", "arguments", "extra"),
    [
        ("sqlalchemy", [], "sql"),
        ("asyncpg", ["--store", "postgresql://ada@127.0.0.1/x"], "postgres"),
        ("redis", ["--store", "redis://127.0.0.1"], "redis"),
        ("pydantic", [], "routes"),
    ],
)
def test_a_missing_extra_is_a_sentence_that_says_how_to_get_it(
    library, arguments, extra
):
    done = serve_in_vain(
        *arguments, before=f"import sys; sys.modules[{library!r}] = None"
    )

    assert done.returncode == 2, done.stderr
    assert f'python -m pip install "asgi-auth[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------- the stores


def check_life(client):
    """Register, list, revoke: through the store."""
    assert client.post("/auth/register", json=ADA).status_code == 201
    first = log_in(client, **ADA, label="first")
    second = log_in(client, **ADA, label="second")
    sessions = client.get("/auth/sessions", headers=first).json()["sessions"]
    assert [s["device"]["label"] for s in sessions] == ["first", "second"]

    gone = client.delete(f"/auth/sessions/{sessions[1]['sid']}", headers=first)
    assert gone.status_code == 204
    refused = client.get("/api/orders", headers=second)
    assert refused.json()["code"] == "token_revoked"
    assert client.get("/api/orders", headers=first).status_code == 200


def test_sqlite_keeps_accounts_from_one_run_to_the_next(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/demo.db"
    with running_demo("--store", url) as demo, demo.client() as client:
        check_life(client)
        about = client.get("/api/about").json()
        assert about["store"] == {"name": "SQLite", "place": f"{tmp_path}/demo.db"}
        assert demo.stop() == 0

    with running_demo("--store", url) as demo, demo.client() as client:
        mine = client.get("/auth/sessions", headers=log_in(client, **ADA))
        assert len(mine.json()["sessions"]) == 1
        log_in(client)


def test_postgresql_keeps_sessions_and_accounts():
    server = start_postgres()
    try:
        with (
            running_demo("--store", server.get_uri()) as demo,
            demo.client() as client,
        ):
            check_life(client)
            about = client.get("/api/about").json()
            assert about["store"]["name"] == "PostgreSQL"
            assert about["accounts"] == ""
        found = server.psql("select email from asgi_auth_accounts order by email;")
        assert ADA["email"] in found
    finally:
        stop_postgres(server)


def test_valkey_keeps_sessions_and_says_where_accounts_are():
    with (
        valkey_server() as server,
        running_demo("--store", server.url) as demo,
        demo.client() as client,
    ):
        check_life(client)
        about = client.get("/api/about").json()
        assert about["store"]["place"] == f"127.0.0.1:{server.port}/0"
        assert about["accounts"] == "the memory of this process"
        with server.client() as valkey:
            assert valkey.keys("asgi_auth:*")


# --------------------------------------------------------------------------- the page


def test_the_page_may_run_its_own_scripts_only(client):
    for path in ("/", "/page/main.js", "/page/style.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_names_no_other_host_and_no_inline_code(client):
    page = client.get("/").text
    assert re.findall(r"""(?:src|href)="(?!/|#)""", page) == []
    assert re.findall(r"<script(?![^>]*src=)|<style| style=| on\w+=", page) == []


@pytest.mark.parametrize("path", ["/page/", "/page/../site.py", "/page/no", "/api/no"])
def test_what_is_not_there_is_404(client, path):
    raw = httpx2.Request("GET", client.base_url.join("/"))
    raw.url = raw.url.copy_with(raw_path=path.encode())
    answer = client.send(raw)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/orders"),
        ("GET", "/api/admin"),
        ("PUT", "/api/role"),
        ("POST", "/api/handover"),
        ("POST", "/api/attack"),
    ],
)
def test_nobody_gets_in_without_a_token(client, method, path):
    answer = client.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_ticket_logs_another_window_in_once(client, caller):
    ticket = client.post("/api/handover", headers=caller).json()["ticket"]
    body = {"email": EMAIL, "password": ticket}

    assert client.post("/auth/login", json=body).status_code == 200
    assert client.post("/auth/login", json=body).status_code == 401


def test_a_ticket_is_good_for_its_own_account_only(client, caller):
    ticket = client.post("/api/handover", headers=caller).json()["ticket"]
    body = {"email": "bob@example.com", "password": ticket}
    assert client.post("/auth/login", json=body).status_code == 401


def test_a_ticket_ends_by_itself():
    clock = FakeClock(1000)
    codes = OneTimeCodes(clock=clock)
    late, soon = codes.make("ada"), codes.make("ada")
    assert codes.redeem(soon) == "ada"
    clock.advance(LIFETIME)
    assert codes.redeem(late) is None


def test_tickets_do_not_pile_up():
    codes = OneTimeCodes()
    made = [codes.make("ada") for _ in range(150)]
    assert codes.redeem(made[0]) is None
    assert codes.redeem(made[-1]) == "ada"


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("expired", [401]),
        ("forged", [401]),
        ("none", [401]),
        ("refresh-as-access", [401]),
        ("reuse", [200, 200, 401, 401]),
        ("foreign-origin", [200, 403]),
    ],
)
def test_each_attack_is_made_over_a_socket_and_shows_no_usable_token(
    client, caller, name, statuses
):
    answer = client.post("/api/attack", headers=caller, json={"name": name})
    result = answer.json()

    assert result["refused"] is True
    assert [each["status"] for each in result["exchanges"]] == statuses
    assert all(" HTTP/1.1\n" in each["sent"] for each in result["exchanges"])
    assert "eyJ" in answer.text
    assert TOKEN.search(answer.text) is None


def test_attacks_leave_no_session_behind(client, caller):
    before = client.get("/auth/sessions", headers=caller).json()["sessions"]
    for name in ("reuse", "refresh-as-access"):
        client.post("/api/attack", headers=caller, json={"name": name})

    assert client.get("/auth/sessions", headers=caller).json()["sessions"] == before


@pytest.mark.parametrize("body", [b'{"name": "no"}', b"[]", b"{", b" " * 5000])
def test_an_unknown_attack_is_404(client, caller, body):
    answer = client.post("/api/attack", headers=caller, content=body)
    assert answer.status_code == 404


# ------------------------------------------------------------------------- the colours


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


TEXTS = [
    *(
        (text, ground)
        for text in ("ink", "soft")
        for ground in ("paper", "card", "sunken")
    ),
    *((text, "sunken") for text in ("head", "body", "sign")),
    *((text, ground) for text in ("accent", "bad") for ground in ("card", "sunken")),
    *((tone, f"{tone}-tint") for tone in ("good", "bad", "warn")),
    *((text, f"{tone}-tint") for tone in ("good", "bad") for text in ("ink", "soft")),
    ("on-accent", "accent"),
    ("paper", "ink"),
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(theme):
    pairs = re.findall(
        r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", STYLE.read_text("utf-8")
    )
    colours = {name: shades[theme] for name, *shades in pairs}
    # WCAG 2.2, 1.4.3; and 1.4.11 for the edges of controls.
    weak = [pair for pair in TEXTS if contrast(*(colours[n] for n in pair)) < 4.5]
    assert weak == []
    assert contrast(colours["edge"], colours["card"]) >= 3
