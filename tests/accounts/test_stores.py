"""What every account store must do, on every store there is."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from asgi_auth.accounts import (
    Account,
    DuplicateAccountError,
    MemoryAccounts,
    StaleAccountError,
)
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.errors import ConfigurationError, UnavailableError

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)

ALICE = Account(
    id="1",
    email="alice@example.com",
    password_hash="$argon2id$x",
    roles=("admin", "editor"),
    scopes=("orders:read",),
    verified_at=1_700_000_000.25,
    created_at=1_699_999_999.5,
    data={"name": "Alice \0 \ud800 ✓", "tags": ["a", {"b": None}]},
)
BOB = Account(id="2", email="bob@example.com")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def accounts(request, tmp_path):
    if request.param == "memory":
        yield MemoryAccounts()
        return

    url = f"sqlite:///{tmp_path / 'accounts.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    store = SQLAccounts(url, table=f"a{os.getpid()}_{next(_numbers)}")
    await store.create_schema()
    yield store
    await store.aclose()


async def test_what_is_added_is_found_whole(accounts):
    assert await accounts.add(ALICE) == ALICE
    assert await accounts.add(BOB) == BOB
    for found in (
        await accounts.find_by_email(ALICE.email),
        await accounts.find_by_id(ALICE.id),
    ):
        assert found == ALICE
    assert await accounts.find_by_id(BOB.id) == BOB


@pytest.mark.parametrize("text", ["", "nobody@example.com", "a\0b", "\ud800", "' or 1"])
async def test_nobody_is_not_found_and_no_error(accounts, text):
    await accounts.add(ALICE)
    assert await accounts.find_by_email(text) is None
    assert await accounts.find_by_id(text) is None


@pytest.mark.parametrize(
    "taken", [replace(BOB, email=ALICE.email), replace(BOB, id=ALICE.id)]
)
async def test_an_address_and_an_id_are_unique(accounts, taken):
    await accounts.add(ALICE)
    with pytest.raises(DuplicateAccountError) as caught:
        await accounts.add(taken)
    assert caught.value.__context__ is None
    assert await accounts.find_by_email(ALICE.email) == ALICE


async def test_of_many_with_one_address_exactly_one_is_added(accounts):
    answers = await asyncio.gather(
        *(accounts.add(replace(ALICE, id=str(number))) for number in range(12)),
        return_exceptions=True,
    )
    won = [answer for answer in answers if isinstance(answer, Account)]
    lost = [answer for answer in answers if isinstance(answer, DuplicateAccountError)]
    assert (len(won), len(lost)) == (1, 11)
    assert await accounts.find_by_email(ALICE.email) == won[0]


async def test_a_change_counts_the_version_up(accounts):
    await accounts.add(ALICE)
    edited = replace(ALICE, disabled=True, password_hash=None, data={})
    changed = await accounts.update(edited)
    assert changed == replace(edited, version=1)
    assert await accounts.find_by_id(ALICE.id) == changed


async def test_a_change_of_an_old_version_is_refused(accounts):
    await accounts.add(ALICE)
    changed = await accounts.update(replace(ALICE, roles=()))
    with pytest.raises(StaleAccountError):
        await accounts.update(replace(ALICE, disabled=True))
    assert await accounts.find_by_id(ALICE.id) == changed


async def test_a_change_of_nobody_is_refused(accounts):
    with pytest.raises(StaleAccountError):
        await accounts.update(ALICE)


async def test_of_many_changes_of_one_version_exactly_one_is_made(accounts):
    await accounts.add(ALICE)
    answers = await asyncio.gather(
        *(accounts.update(replace(ALICE, roles=(str(n),))) for n in range(12)),
        return_exceptions=True,
    )
    won = [answer for answer in answers if isinstance(answer, Account)]
    assert len(won) == 1
    assert sum(isinstance(answer, StaleAccountError) for answer in answers) == 11
    assert await accounts.find_by_id(ALICE.id) == won[0]


async def test_a_new_address_frees_the_old_one(accounts):
    await accounts.add(ALICE)
    await accounts.add(BOB)
    with pytest.raises(DuplicateAccountError):
        await accounts.update(replace(ALICE, email=BOB.email))

    moved = await accounts.update(replace(ALICE, email="new@example.com"))
    assert await accounts.find_by_email(ALICE.email) is None
    assert await accounts.find_by_email("new@example.com") == moved
    await accounts.add(replace(ALICE, id="3"))


async def test_accounts_come_in_pages_by_id_and_are_searched(accounts):
    for number in range(7):
        await accounts.add(Account(id=f"{number}", email=f"u{number}%@example.com"))
    await accounts.add(Account(id="7", email="other@example.com"))

    async def ids(search="", after="", limit=3):
        page = await accounts.page(search=search, after=after, limit=limit)
        return [account.id for account in page]

    assert await ids() == ["0", "1", "2"]
    assert await ids(after="5") == ["6", "7"]
    assert await ids(after="7") == []
    assert await ids("other") == ["7"]
    # A percent sign is a letter, and no pattern.
    assert await ids("%", after="4") == ["5", "6"]
    assert await ids("\0") == []


async def test_what_is_removed_is_gone_and_its_address_free(accounts):
    await accounts.add(ALICE)
    await accounts.remove(ALICE.id)
    await accounts.remove(ALICE.id)
    assert await accounts.find_by_id(ALICE.id) is None
    with pytest.raises(StaleAccountError):
        await accounts.update(ALICE)
    assert await accounts.add(replace(ALICE, id="9")) == replace(ALICE, id="9")


async def test_tables_can_be_made_again_and_at_once(tmp_path):
    store = SQLAccounts(f"sqlite:///{tmp_path / 'accounts.db'}")
    await asyncio.gather(*(store.create_schema() for _ in range(4)))
    await store.add(ALICE)
    await store.create_schema()
    assert await store.find_by_id(ALICE.id) == ALICE
    await store.aclose()


async def test_a_missing_table_says_what_to_do(tmp_path):
    store = SQLAccounts(f"sqlite:///{tmp_path / 'accounts.db'}")
    with pytest.raises(ConfigurationError, match="create_schema"):
        await store.find_by_id(ALICE.id)
    await store.aclose()


async def test_a_database_that_is_down_is_an_outage(free_port):
    store = SQLAccounts(f"postgresql://u:hunter2@127.0.0.1:{free_port}/x")
    assert "hunter2" not in repr(store)
    for call in (store.find_by_id("1"), store.add(ALICE), store.update(ALICE)):
        with pytest.raises(UnavailableError):
            await call
    await store.aclose()


def test_without_sqlalchemy_the_sentence_has_the_command():
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from asgi_auth.accounts.sql import SQLAccounts\n"
        "SQLAccounts('sqlite://')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (
        'SQLAccounts needs SQLAlchemy: python -m pip install "asgi-auth' in run.stderr
    )
