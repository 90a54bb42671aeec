"""The tutorials run as pasted: each block in the file that the page names."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.docs.pasting import (
    LONGEST,
    blocks_of,
    environ,
    files_of,
    looks_like,
    run,
    serving,
)
from tests.stores.valkey import valkey_server

TOKEN = re.compile(r"Token \(verify\): (\S+)")
ANN = {"email": "ann@example.com", "password": "violet-otter-42-lamp"}


@pytest.fixture
def pasted(tmp_path):
    """Write the files of a page into a folder, and return it."""

    def write(page, addresses=()):
        for name, source in files_of(page).items():
            text = source
            for shown, real in addresses:
                text = text.replace(shown, real)
            (tmp_path / name).write_text(text, "utf-8")
        return tmp_path

    return write


def test_the_protected_app_runs_as_it_is_pasted(pasted):
    folder = pasted("protect-an-app.md")
    assert run("try_it.py", folder=folder) == "900\n"
    with serving("main:app", folder=folder) as (_, address):
        refused = httpx2.get(f"{address}/orders", trust_env=False, timeout=LONGEST)
        assert refused.status_code == 401
        (shown,) = blocks_of("protect-an-app.md", "text")
        first, *fields = shown.partition("\n\n")[0].splitlines()
        assert first == "HTTP/1.1 401 Unauthorized"
        answered = [f"{name}: {value}" for name, value in refused.headers.items()]
        assert looks_like(answered, fields)
        assert shown.endswith(f"\n\n{refused.text}\n")

        bearer = {"Authorization": "Bearer nonsense"}
        refused = httpx2.get(address, headers=bearer, trust_env=False, timeout=LONGEST)
        assert blocks_of("protect-an-app.md", "json") == [f"{refused.text}\n"]


def test_the_api_with_log_in_runs_as_it_is_pasted(pasted):
    folder = pasted("api-with-login.md")
    run("try_it.py", folder=folder)
    with (
        serving("main:app", folder=folder) as (server, address),
        httpx2.Client(base_url=address, trust_env=False, timeout=LONGEST) as client,
    ):
        assert client.get("/notes").status_code == 401
        answers = [client.post("/auth/register", json=ANN)]
        token = server.says(TOKEN)
        confirmation = {"token": token, "password": ANN["password"]}
        answers += [client.post("/auth/verify", json=confirmation)]
        answers += [client.post("/auth/login", json=ANN)]
        bearer = {"Authorization": f"Bearer {answers[-1].json()['access_token']}"}
        answers += [client.get("/notes", headers=bearer)]
        assert [answer.status_code for answer in answers] == [202, 200, 200, 200]
        shown = "".join(blocks_of("api-with-login.md", "json")).splitlines()
        assert looks_like([answer.text for answer in answers], shown)

        message, listed = blocks_of("api-with-login.md", "text")
        assert message.replace("eyJ…", token) in server.lines

        # "On the command line, beside the running application."
        command = ["users", "roles", ANN["email"], "--add", "admin"]
        printed = run(
            *("-m", "asgi_auth", *command, "--app", "main:service"), folder=folder
        )
        assert looks_like(printed.splitlines(), listed.splitlines())


def test_the_chat_runs_as_it_is_pasted_in_one_process_and_in_two(pasted):
    with valkey_server() as valkey:
        store = ("redis://127.0.0.1:6379/0", valkey.url)
        folder = pasted("chat.md", [store])
        env = environ(folder)
        # It asserts by itself, and says who has left.
        assert "ann has left" in run("try_chat.py", folder=folder, env=env)

        with (
            serving("chat:app", folder=folder, env=env) as (_, first),
            serving("chat:app", folder=folder, env=env) as (_, second),
        ):
            servers = [
                ("ws://localhost:8000", first.replace("http", "ws")),
                ("ws://localhost:8001", second.replace("http", "ws")),
            ]
            pasted("chat.md", [store, *servers])
            printed = run("talk.py", folder=folder, env=env)

    assert [printed] == blocks_of("chat.md", "text")


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("protect-an-app.md", ["main.py", "try_it.py"]),
        ("api-with-login.md", ["main.py", "try_it.py"]),
        ("chat.md", ["chat.py", "try_chat.py", "talk.py"]),
    ],
)
def test_a_page_says_where_each_block_goes(page, names):
    assert list(files_of(page)) == names


def test_a_page_that_names_no_file_fails(monkeypatch, tmp_path):
    monkeypatch.setattr("tests.docs.pasting.TUTORIAL", tmp_path)
    (tmp_path / "page.md").write_text("```python\nx = 1\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="before it says where"):
        files_of("page.md")
