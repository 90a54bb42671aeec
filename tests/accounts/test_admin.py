from __future__ import annotations

import asyncio

import pytest

from asgi_auth.accounts import (
    Account,
    AccountService,
    DuplicateAccountError,
    InvalidEmailError,
    MemoryAccounts,
    UnknownAccountError,
)
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys
from asgi_auth.errors import (
    ConfigurationError,
    RevokedTokenError,
    UnavailableError,
    UnknownSubjectError,
)
from asgi_auth.events import Events
from asgi_auth.passwords import PasswordRefusedError

pytestmark = pytest.mark.anyio

ANN = "ann@example.com"
GOOD = "violet-otter-42-lamp"


@pytest.fixture
def heard(world):
    events = []

    async def hear(event):
        events.append(event)

    world.tokens.events = Events(hear)
    return events


@pytest.fixture
def service(world, heard):
    return world.service()


async def test_an_account_is_made_without_mail_and_may_log_in(service, world, heard):
    made = await service.create(ANN.upper(), GOOD, roles=["editor"], by="root")
    assert (made.email, made.roles) == (ANN, ("editor",))
    assert (await service.authenticate(ANN, GOOD)).id == made.id
    await world.outbox.drain()
    assert world.mailbox.messages == []
    await asyncio.sleep(0)
    assert [(e.name, e.subject, dict(e.detail)) for e in heard] == [
        ("account.created", made.id, {"by": "root"})
    ]


async def test_an_account_without_a_password_sets_one_by_mail(service, world):
    await service.create(ANN)
    token = await world.forgot(service, ANN)
    await service.reset_password(token, GOOD)
    assert (await service.authenticate(ANN, GOOD)).email == ANN


async def test_bad_accounts_are_not_made(service):
    with pytest.raises(InvalidEmailError):
        await service.create("nobody")
    with pytest.raises(PasswordRefusedError):
        await service.create(ANN, "short")
    with pytest.raises(ConfigurationError):
        await service.create(ANN, scopes=["two words"])
    await service.create(ANN)
    with pytest.raises(DuplicateAccountError):
        await service.create(ANN)


@pytest.mark.parametrize("what", ["roles", "scopes"])
async def test_other_rights_end_the_sessions(service, world, heard, what):
    given = ["admin"]
    made = await service.create(ANN)
    pair = await world.tokens.issue(made.id)
    changed = await getattr(service, f"set_{what}")(made.id, given, by="root")
    assert list(changed.roles or changed.scopes) == given
    with pytest.raises(RevokedTokenError):
        await world.tokens.verify(pair.access_token)
    with pytest.raises(RevokedTokenError):
        await world.tokens.refresh(pair.refresh_token)
    await asyncio.sleep(0)
    (told,) = [e for e in heard if e.name == f"account.{what}_changed"]
    assert told.detail == {what: given, "before": [], "by": "root"}


async def test_a_disabled_account_is_shown_and_let_in_again(service, world, heard):
    made = await service.create(ANN, GOOD)
    pair = await world.tokens.issue(made.id)
    await service.disable(made.id)
    with pytest.raises(RevokedTokenError):
        await world.tokens.verify(pair.access_token)
    assert await service.find(made.id) is None
    assert (await service.show(made.id)).disabled
    assert (await service.show(ANN.upper())).disabled
    await service.enable(made.id)
    assert (await service.authenticate(ANN, GOOD)).id == made.id
    await asyncio.sleep(0)
    names = [e.name for e in heard if e.name.startswith("account.")]
    assert names == ["account.created", "account.disabled", "account.enabled"]


async def test_a_deleted_account_takes_sessions_and_keys_along(service, world, heard):
    keys = APIKeys(MemoryAPIKeys(), on_event=world.tokens.events, clock=world.clock)
    service.also_end(keys.revoke_subject)
    made = await service.create(ANN, GOOD)
    pair = await world.tokens.issue(made.id)
    key = await keys.generate(made.id, label="laptop")
    await keys.admit(key.text.encode())
    await keys.admit(key.text.encode())
    await service.delete(made.id)
    with pytest.raises(RevokedTokenError):
        await world.tokens.verify(pair.access_token)
    with pytest.raises(RevokedTokenError):
        await keys.admit(key.text.encode())
    with pytest.raises(UnknownAccountError):
        await service.show(made.id)
    assert (await service.create(ANN)).id != made.id
    await keys.revoke(key.record.id)
    await asyncio.sleep(0)
    names = [e.name for e in heard if not e.name.startswith("session.")]
    assert names == [
        "account.created",
        "api_key.created",
        "api_key.used",
        "api_key.revoked",
        "account.deleted",
        "account.created",
    ]


async def test_nothing_is_deleted_while_its_keys_cannot_be_ended(service, world):
    async def fail(_):
        raise UnavailableError

    service.also_end(fail)
    made = await service.create(ANN, GOOD)
    for call in (service.delete, service.disable):
        with pytest.raises(UnavailableError):
            await call(made.id)
    assert not (await service.show(made.id)).disabled


async def test_a_refresh_during_a_deletion_leaves_no_session(service, world):
    made = await service.create(ANN, GOOD)
    pair = await world.tokens.issue(made.id)
    results = await asyncio.gather(
        service.delete(made.id),
        *(world.tokens.refresh(pair.refresh_token) for _ in range(5)),
        return_exceptions=True,
    )
    assert results[0] is None
    fresh = [r for r in results[1:] if not isinstance(r, Exception)]
    for pair in fresh:
        with pytest.raises(RevokedTokenError):
            await world.tokens.verify(pair.access_token)
    assert await world.tokens.sessions(made.id) == []
    with pytest.raises((RevokedTokenError, UnknownSubjectError)):
        await world.tokens.refresh(pair.refresh_token)


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.set_roles("no", ["x"]),
        lambda s: s.disable("no"),
        lambda s: s.enable("no"),
        lambda s: s.delete("no"),
        lambda s: s.show("no"),
        lambda s: s.show("no@example.com"),
    ],
)
async def test_an_unknown_account_is_said(service, call):
    with pytest.raises(UnknownAccountError):
        await call(service)


async def test_ten_thousand_accounts_are_listed_in_pages(service, world):
    for number in range(10_000):
        await world.accounts.add(
            Account(id=f"{number:05}", email=f"u{number}@example.com")
        )
    seen, after = 0, ""
    while page := await service.list(after=after, limit=1000):
        seen, after = seen + len(page), page[-1].id
    assert seen == 10_000
    (one,) = await service.list(search=" U777@ ")
    assert one.id == "00777"
    for limit in (0, 1001):
        with pytest.raises(ConfigurationError, match="limit"):
            await service.list(limit=limit)


async def test_a_store_without_a_directory_says_what_it_lacks(world):
    class Small:
        find_by_id = MemoryAccounts.find_by_id

    world.accounts = Small()
    service = world.service()
    assert "delete" not in service.can
    with pytest.raises(ConfigurationError, match="Small has no page"):
        await service.list()


class Handing:
    """A wrapper that hands on what it does not have itself."""

    def __init__(self, inner, names):
        self._inner, self._names = inner, names

    def __getattr__(self, name):
        if name not in self._names:
            raise AttributeError(name)
        return getattr(self._inner, name)


async def test_a_wrapper_that_hands_on_is_a_directory_on_each_python(world):
    whole = Handing(MemoryAccounts(), {"add", "find_by_id", "page", "remove"})
    assert AccountService(whole, world.tokens, require_verified=False).has_directory
    half = Handing(MemoryAccounts(), {"add", "find_by_id", "page"})
    bare = AccountService(half, world.tokens, require_verified=False)
    assert not bare.has_directory
    with pytest.raises(ConfigurationError, match="remove"):
        await bare.list()
