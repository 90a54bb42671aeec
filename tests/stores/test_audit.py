from __future__ import annotations

import asyncio
import secrets

import pytest

from asgi_auth import ConfigurationError, Event, KeySet, TokenService, UnavailableError
from asgi_auth.accounts import AccountService, MemoryAccounts
from asgi_auth.stores import SQLAuditLog

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgres"])
async def log(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'audit.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")

    # Listeners of earlier tests still hear of outages, and write to their own tables.
    log = SQLAuditLog(url, table=f"audit_{secrets.token_hex(4)}")
    await asyncio.gather(log.create_schema(), log.create_schema())
    yield log
    await log.prune(before=1e12)
    await log.aclose()


def event(name="login.failed", at=1.0, **more):
    return Event(name=name, at=at, **more)


async def names(log, **query):
    return [entry.event.name for entry in await log.entries(**query)]


async def test_what_happens_to_an_account_is_kept(log):
    heard = []

    async def listen(event):
        await log(event)
        heard.append(event)

    tokens = TokenService(KeySet.generate(), issuer="https://a", on_event=listen)
    accounts = AccountService(MemoryAccounts(), tokens, require_verified=False)
    ann = await accounts.create("ann@example.com", by="root")
    pair = await tokens.issue(ann.id)
    await tokens.refresh(pair.refresh_token)
    await accounts.set_roles(ann.id, ["admin"], by="root")
    async with asyncio.timeout(30):
        while len(heard) < 5:
            await asyncio.sleep(0.01)

    kept = await log.entries(subject=ann.id)
    assert {entry.event.name for entry in kept} == {
        "account.created",
        "session.created",
        "session.revoked",
        "account.roles_changed",
    }
    (changed,) = await log.entries(name="account.roles_changed")
    assert changed.event in heard
    assert changed.event.detail == {"roles": ["admin"], "before": [], "by": "root"}
    assert changed.event.issuer == "https://a"


async def test_entries_come_in_pages_and_old_ones_go(log):
    for number in range(5):
        await log(event(f"login.{number}", at=number, subject="ann"))
    page = await log.entries(limit=2)
    assert [entry.event.name for entry in page] == ["login.4", "login.3"]
    assert await names(log, before=page[-1].id) == ["login.2", "login.1", "login.0"]
    assert await log.prune(before=3.0, limit=2) == 2
    assert await log.prune(before=3.0) == 1
    assert await names(log) == ["login.4", "login.3"]
    assert await names(log, subject="bob") == []


async def test_a_detail_without_bounds_is_cut(log):
    await log(event(detail={"x": "y" * 5000}))
    await log(event(detail={"when": object}))
    odd, long = await log.entries()
    assert long.event.detail == {"cut": True}
    assert "object" in odd.event.detail["when"]


async def test_only_what_is_asked_for_is_kept(tmp_path):
    log = SQLAuditLog(f"sqlite:///{tmp_path}/a.db", only=["account."])
    await log.create_schema()
    await log(event("account.deleted"))
    await log(event("login.failed"))
    assert await names(log) == ["account.deleted"]
    with pytest.raises(ConfigurationError, match="limit"):
        await log.entries(limit=0)
    await log.aclose()


async def test_a_database_that_is_down_is_an_outage():
    log = SQLAuditLog("postgresql://u:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in repr(log)
    with pytest.raises(UnavailableError):
        await log(event())
    await log.aclose()


async def test_a_probe_sees_whether_the_table_is_there(tmp_path):
    log = SQLAuditLog(f"sqlite:///{tmp_path / 'audit.db'}")
    with pytest.raises(ConfigurationError, match="a table is missing"):
        await log.ping()
    await log.create_schema()
    await log.ping()
    await log.aclose()
