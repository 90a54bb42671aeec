from __future__ import annotations

import io
import json
import sys
from types import ModuleType

import anyio
import pytest

from asgi_auth import KeySet, RevokedTokenError, TokenService
from asgi_auth.accounts import AccountService, MemoryAccounts
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.cli.main import main
from asgi_auth.stores.sql import SQLStore

pytestmark = pytest.mark.usefixtures("cheap_hashes")

ISSUER = "https://api.example"
ANN = "ann@example.com"


@pytest.fixture
async def url(tmp_path):
    url = f"sqlite:///{tmp_path}/app.db"
    for kind in (SQLStore, SQLAccounts):
        store = kind(url)
        await store.create_schema()
        await store.aclose()
    return url


@pytest.fixture
async def tokens(url):
    store = SQLStore(url)
    tokens = TokenService(KeySet.generate(), store=store, issuer=ISSUER)
    yield tokens
    await tokens.aclose()
    await store.aclose()


@pytest.fixture
def run(url, capsys, monkeypatch):
    async def run(*arguments, password="violet-otter-42-lamp", more=None):
        monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
        where = ["--store", url, "--issuer", ISSUER] if more is None else more
        status = await anyio.to_thread.run_sync(
            lambda: main(["users", *arguments, *where])
        )
        return status, *capsys.readouterr()

    return run


async def ids(run):
    _, out, _ = await run("list", "--json")
    return {account["email"]: account["id"] for account in json.loads(out)}


async def test_an_account_is_made_listed_and_shown(run):
    status, out, _ = await run("create", ANN, "--role", "editor", "--scope", "a:b")
    assert status == 0
    assert out.splitlines()[1].split()[1:] == [ANN, "editor", "a:b", "-"]
    await run("create", "bob@example.com", "--no-password")
    _, out, err = await run("list")
    assert len(out.splitlines()) == 3
    _, out, err = await run("list", "--limit", "1")
    assert "There may be more: --after '" in err
    _, out, _ = await run("list", "--search", "bob")
    assert out.splitlines()[1].split()[1:] == ["bob@example.com", "-", "-", "-"]
    _, out, _ = await run("show", ANN, "--json")
    assert json.loads(out)["roles"] == ["editor"]
    assert "violet" not in out


async def test_what_cannot_be_done_is_said(run):
    await run("create", ANN)
    for arguments, said in [
        (["create", ANN], "exists"),
        (["create", "x"], "e-mail"),
        (["show", "nobody@example.com"], "no such account"),
    ]:
        status, _, err = await run(*arguments)
        assert (status, said in err) == (1, True), err
    status, _, err = await run("create", "eve@example.com", password="short")
    assert status == 1


async def test_roles_are_given_and_the_last_one_is_missed(run, tokens):
    await run("create", ANN)
    number = (await ids(run))[ANN]
    pair = await tokens.issue(number)
    await tokens.verify(pair.access_token)
    status, out, err = await run("roles", ANN, "--add", "admin")
    assert (status, "admin" in out) == (0, True)
    assert "The sessions are ended" in err
    with anyio.fail_after(30):
        while True:
            try:
                await tokens.verify(pair.access_token)
            except RevokedTokenError:
                break
            await anyio.sleep(0.05)

    _, out, err = await run("roles", ANN)
    assert ("admin" in out, err) == (True, "")
    await run("create", "bob@example.com", "--role", "admin")
    _, _, err = await run("roles", "bob@example.com", "--remove", "admin")
    assert "Warning" not in err
    _, _, err = await run("disable", ANN)
    assert "Warning: no account has the role 'admin' any more." in err
    await run("enable", ANN)
    _, _, err = await run("roles", ANN, "--remove", "admin")
    assert "Warning: no account has the role 'admin' any more." in err


async def test_an_account_is_deleted_only_with_yes(run, tokens):
    await run("create", ANN)
    number = (await ids(run))[ANN]
    await tokens.issue(number)
    _, out, _ = await run("sessions", ANN)
    assert number in out.splitlines()[1]
    status, _, err = await run("delete", ANN)
    assert (status, "say --yes" in err) == (1, True)
    status, _, _ = await run("delete", number, "--yes")
    assert status == 0
    assert await ids(run) == {}
    assert await tokens.sessions(number) == []


async def test_the_accounts_of_an_application_are_taken(run, tmp_path, monkeypatch):
    module = tmp_path / "shop_of_users.py"
    module.write_text(
        "from tests.cli.test_users import shop\naccounts = shop()\nother = 1\n"
    )
    monkeypatch.chdir(tmp_path)
    more = ["--app", "shop_of_users:accounts"]
    status, _, _ = await run("create", ANN, more=more)
    assert status == 0
    _, out, _ = await run("list", more=more)
    assert ANN in out
    status, _, err = await run("list", more=["--app", "shop_of_users:other"])
    assert (status, "no AccountService" in err) == (2, True)
    sys.modules.pop("shop_of_users")


async def test_without_a_place_it_says_what_is_missing(run, monkeypatch):
    monkeypatch.delenv("ASGI_AUTH_STORE", raising=False)
    for more in ([], ["--store", "redis://localhost"]):
        status, _, err = await run("list", more=more)
        assert (status, "--app module:accounts" in err) == (2, True)


def shop() -> AccountService:
    tokens = TokenService(KeySet.generate("HS256"))
    return AccountService(MemoryAccounts(), tokens, require_verified=False)


async def test_second_factors_are_reset(run, url):
    from asgi_auth.factors import FactorRecord, SQLFactors

    await run("create", ANN)
    account_id = (await ids(run))[ANN]
    store = SQLFactors(url)
    await store.create_schema()
    record = FactorRecord(subject=account_id, kind="totp", since=0.0)
    await store.put(record)
    status, _, remark = await run("reset-factors", ANN)
    assert (status, "no codes" in remark) == (0, True)
    assert await store.find(account_id) == []
    await store.aclose()


async def test_second_factors_of_an_application_are_reset_by_its_own(run, monkeypatch):
    from asgi_auth.factors import Factors, MemoryFactors
    from asgi_auth.keys import SealKeys

    heard = []

    async def hear(event):
        heard.append((event.name, event.detail["by"]))

    module = ModuleType("shop_of_factors")
    tokens = TokenService(KeySet.generate(), on_event=hear)
    keys = SealKeys({"a": b"1" * 32})
    module.factors = Factors(tokens, MemoryFactors(), keys, name="Shop")
    module.other = object()
    monkeypatch.setitem(sys.modules, "shop_of_factors", module)
    await run("create", ANN)
    status, *_ = await run("reset-factors", ANN, "--factors", "shop_of_factors:factors")
    assert (status, heard) == (0, [("factor.reset", "asgi-auth")])
    status, _, fault = await run(
        "reset-factors", ANN, "--factors", "shop_of_factors:other"
    )
    assert (status, "no Factors" in fault) == (2, True)
