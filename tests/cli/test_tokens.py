from __future__ import annotations

import io
import json
import secrets

import pytest

from asgi_auth import KeySet, TokenService
from asgi_auth.cli.main import main
from asgi_auth.stores.sql import SQLStore

SECRET = secrets.token_urlsafe(64)
API = ["--issuer", "https://api.example", "--audience", "api"]


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", SECRET)


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments, text=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        status = main(["token", *arguments])
        return status, *capsys.readouterr()

    return run


def issued(run, *arguments):
    status, out, _ = run("issue", "ada", *API, *arguments)
    assert status == 0
    return out.strip()


def test_an_issued_token_is_verified_and_says_what_it_was_told(run):
    more = ["--scope", "orders:read", "--scope", "orders:write", "--role", "admin"]
    claims = ["--claim", "tier=3", "--claim", "team=red"]
    token = issued(run, *more, *claims, "--ttl", "60")
    status, out, err = run("verify", *API, "--json", text=token)

    told = json.loads(out)
    assert status == 0
    assert told["verified"] is True
    assert told["not_checked"] == ["revocation"]
    assert told["claims"]["scope"] == "orders:read orders:write"
    assert told["claims"]["tier"] == 3
    assert told["claims"]["team"] == "red"
    assert told["claims"]["exp"] - told["claims"]["iat"] == 60
    assert "NOT checked: whether it is revoked" in err


def test_an_issued_token_is_told_as_json(run):
    told = json.loads(issued(run, "--json"))

    assert told["claims"]["sub"] == "ada"
    assert run("verify", *API, text=told["token"])[0] == 0


def test_what_was_checked_is_said_each_time(run):
    _, _, err = run("verify", *API, text=issued(run))

    assert "Good: signature, times, kind access, issuer https://api.example" in err
    assert "audience api." in err
    assert "exp: in 1" in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--issuer", "https://api.example"], "audience"),
        (["--audience", "api"], "issuer"),
        ([*API, "--kind", "refresh"], ""),
        (["--issuer", "https://evil.example", "--audience", "api"], "issuer"),
    ],
)
def test_a_token_for_somebody_else_is_refused(run, arguments, reason):
    status, out, err = run("verify", *arguments, "--json", text=issued(run))

    assert status == 1
    assert json.loads(out)["verified"] is False
    assert reason in err


def test_a_token_of_another_key_is_refused(run, monkeypatch):
    token = issued(run)
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", secrets.token_urlsafe(64))
    status, out, err = run("verify", *API, text=token)

    assert (status, out) == (1, "")
    assert token not in err


def test_looking_into_a_token_says_that_nothing_was_verified(run, monkeypatch):
    token = issued(run)
    monkeypatch.delenv("ASGI_AUTH_SECRET_KEY")
    status, out, err = run("inspect", text=f"Bearer {token}\n")

    assert status == 0
    assert json.loads(out)["claims"]["sub"] == "ada"
    assert "Nothing was verified" in err
    assert json.loads(run("inspect", "--json", text=token)[1])["verified"] is False


def test_a_claim_cannot_steer_the_terminal(run):
    token = issued(run, "--claim", "name=\x1b[2J\x9b")
    _, out, err = run("inspect", text=token)

    assert "\x1b" not in out + err
    assert "\x9b" not in out + err


@pytest.mark.parametrize("text", ["x.y.z", "not a token", "e30.e30.e30.e30", "\udcff"])
def test_what_is_no_token_is_status_1(run, text):
    text = text.encode("utf-8", "replace").decode()

    assert run("inspect", text=text)[0] == 1
    assert run("verify", *API, text=text)[0] == 1


def test_no_token_at_all_is_status_2(run):
    assert run("verify", *API)[0] == 2
    assert run("inspect", text="\n")[0] == 2


def test_a_token_is_never_an_argument(run):
    with pytest.raises(SystemExit) as stopped:
        run("verify", issued(run))

    assert stopped.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--claim", "sub=eve"],
        ["--claim", "no-value"],
        ["--scope", "two words"],
        ["--ttl", "86401"],
        ["--ttl", "-1"],
    ],
)
def test_what_cannot_go_into_a_token_is_status_2(run, arguments):
    status, out, err = run("issue", "ada", *API, *arguments)

    assert (status, out) == (2, "")
    assert err.startswith("asgi-auth: ")


def test_without_an_audience_a_remark_says_who_accepts_it(run):
    assert "any service that has the key" in run("issue", "ada")[2]


@pytest.mark.parametrize("form", ["pem", "jwk", "jwks", "secret"])
def test_keys_come_from_a_file_as_well(run, tmp_path, monkeypatch, capsys, form):
    monkeypatch.delenv("ASGI_AUTH_SECRET_KEY")
    path = tmp_path / "key"
    algorithm = "HS256" if form == "secret" else "ES256"
    shape = "jwk" if form == "jwks" else form
    assert main(["keygen", "--algorithm", algorithm, "--format", shape]) == 0
    text = capsys.readouterr().out
    path.write_text(f'{{"keys": [{text}]}}' if form == "jwks" else text, "utf-8")
    token = issued(run, "--key-file", str(path))

    assert run("verify", *API, "--key-file", str(path), text=token)[0] == 0


def test_a_file_that_is_not_there_or_no_key_at_all_is_status_2(run, monkeypatch):
    assert run("issue", "ada", "--key-file", "/no/such/file")[0] == 2
    monkeypatch.delenv("ASGI_AUTH_SECRET_KEY")
    assert "Set exactly one of" in run("issue", "ada")[2]


async def test_with_a_store_a_revoked_token_is_refused(tmp_path, run):
    import anyio

    url = f"sqlite:///{tmp_path}/app.db"
    store = SQLStore(url)
    await store.create_schema()
    tokens = TokenService(
        KeySet.from_secret(SECRET),
        store=store,
        issuer="https://api.example",
        audience="api",
    )
    pair = await tokens.issue("ada")

    async def verify():
        return await anyio.to_thread.run_sync(
            lambda: run("verify", *API, "--store", url, text=pair.access_token)
        )

    status, _, err = await verify()
    assert status == 0
    assert "NOT checked" not in err

    await tokens.revoke(pair.refresh_token)
    status, _, err = await verify()
    assert status == 1
    assert "revoked" in err
    await tokens.aclose()
    await store.aclose()
