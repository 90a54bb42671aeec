from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import statistics
import time
from dataclasses import replace

import pytest

from asgi_auth.accounts import (
    AccountDisabledError,
    AccountService,
    DuplicateAccountError,
    EmailNotVerifiedError,
    EmailPolicy,
    InvalidEmailError,
    MemoryAccounts,
    Outbox,
    StaleAccountError,
    UnknownAccountError,
)
from asgi_auth.errors import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidCredentialsError,
    InvalidTokenError,
    RevokedTokenError,
    UnavailableError,
    UnknownSubjectError,
)
from asgi_auth.passwords import PasswordHasher, PasswordRefusedError

pytestmark = pytest.mark.anyio

EMAIL = "alice@example.com"
GOOD = "correct horse battery"
NEW = "giraffe on a bicycle"


@pytest.fixture
def service(world) -> AccountService:
    return world.service()


@pytest.fixture
async def account(world, service):
    return await world.verified(service, EMAIL, GOOD)


async def test_a_user_registers_verifies_and_logs_in(world, service):
    assert await service.register("Alice@EXAMPLE.com", GOOD) is None
    await world.outbox.drain()
    assert world.mailbox.last() == ("verify", EMAIL)

    account = await service.verify_email(world.mailbox.token("verify"), GOOD)
    assert account.verified_at == world.clock()
    assert account.created_at == world.clock()
    assert await service.authenticate(" ALICE@example.COM ", GOOD) == account
    assert GOOD not in repr(account)
    assert "argon2" not in repr(account)


async def test_without_verification_the_account_comes_at_once(world):
    service = world.service(require_verified=False, send_message=None)
    account = await service.register(
        EMAIL, GOOD, roles=["editor"], scopes=["a:b"], data={"name": "Alice"}
    )
    assert account is not None
    assert await service.authenticate(EMAIL, GOOD) == account
    assert (account.roles, account.scopes) == (("editor",), ("a:b",))
    with pytest.raises(TypeError):
        account.data["name"] = "Mallory"
    with pytest.raises(DuplicateAccountError):
        await service.register("ALICE@example.com", NEW)


@pytest.mark.parametrize("email", ["", "alice", "a@b", "a\0@b.co", "ä@example.com"])
async def test_a_bad_address_is_refused_before_any_work(world, service, email):
    with pytest.raises(InvalidEmailError):
        await service.register(email, GOOD)
    with pytest.raises(InvalidEmailError):
        await service.forgot_password(email)
    with pytest.raises(InvalidCredentialsError):
        await service.authenticate(email, GOOD)


@pytest.mark.parametrize(
    "password", ["short", "password123", "alice1234!", "x" * 1_000_000, "nul\0" * 4]
)
async def test_a_bad_password_is_refused_before_hashing(world, service, password):
    with pytest.raises(PasswordRefusedError):
        await service.register(EMAIL, password)
    assert world.context.hashed == 0
    assert await world.accounts.find_by_email(EMAIL) is None


@pytest.mark.parametrize("password", ["x" * 1_000_000, "nul\0" * 4, "half \ud800", ""])
async def test_a_log_in_with_a_bad_password_is_just_wrong(service, account, password):
    with pytest.raises(InvalidCredentialsError):
        await service.authenticate(EMAIL, password)


async def test_registering_again_gives_the_same_answer_and_does_the_same_work(
    world, service
):
    await world.verified(service, EMAIL, GOOD)
    before = world.context.hashed
    assert await service.register(EMAIL, NEW) is None
    assert world.context.hashed == before + 1

    await world.outbox.drain()
    assert world.mailbox.kinds() == ["verify", "exists"]
    # The second one did not set a password; its owner may, with the mail.
    account = await service.reset_password(world.mailbox.token("exists"), NEW)
    assert account.verified_at is not None
    assert await service.authenticate(EMAIL, NEW) == account


async def test_of_many_registrations_at_once_one_wins(world):
    service = world.service(require_verified=False)
    answers = await asyncio.gather(
        *(service.register("Alice@example.com", GOOD) for _ in range(8)),
        return_exceptions=True,
    )
    lost = [answer for answer in answers if isinstance(answer, DuplicateAccountError)]
    assert len(lost) == 7


async def test_an_unknown_user_costs_the_work_of_a_wrong_password(
    world, service, account
):
    await world.hasher.verify_dummy(GOOD)
    counts = []
    for email in (EMAIL, "nobody@example.com"):
        before = world.context.verified
        with pytest.raises(InvalidCredentialsError):
            await service.authenticate(email, "wrong password")
        counts.append(world.context.verified - before)
    assert counts == [1, 1]


async def test_unverified_and_disabled_are_told_only_after_the_right_password(
    world, service
):
    await service.register(EMAIL, GOOD)
    with pytest.raises(InvalidCredentialsError):
        await service.authenticate(EMAIL, NEW)
    with pytest.raises(EmailNotVerifiedError):
        await service.authenticate(EMAIL, GOOD)

    await world.outbox.drain()
    account = await service.verify_email(world.mailbox.token("verify"), GOOD)
    await service.disable(account.id)
    with pytest.raises(InvalidCredentialsError):
        await service.authenticate(EMAIL, NEW)
    with pytest.raises(AccountDisabledError):
        await service.authenticate(EMAIL, GOOD)

    await service.enable(account.id)
    assert (await service.authenticate(EMAIL, GOOD)).id == account.id


async def test_an_old_hash_is_replaced_at_log_in(world, service, account):
    old = world.context.handler("bcrypt").using(rounds=4).hash(GOOD)
    await world.accounts.update(replace(account, password_hash=old))
    upgraded = await service.authenticate(EMAIL, GOOD)
    assert upgraded.password_hash.startswith("$argon2id$")
    assert await world.accounts.find_by_email(EMAIL) == upgraded


class Failing(MemoryAccounts):
    """A store whose writes fail with a given error."""

    error: Exception | None = None

    async def update(self, account):
        if self.error is not None:
            raise self.error
        return await super().update(account)


@pytest.mark.parametrize("error", [StaleAccountError(), UnavailableError()])
async def test_a_log_in_works_although_the_hash_cannot_be_replaced(world, error):
    world.accounts = Failing()
    service = world.service(require_verified=False)
    account = await service.register(EMAIL, GOOD)
    old = world.context.handler("bcrypt").using(rounds=4).hash(GOOD)
    old_account = await world.accounts.update(replace(account, password_hash=old))
    world.accounts.error = error
    assert await service.authenticate(EMAIL, GOOD) == old_account


async def test_a_new_password_ends_the_other_sessions(world, service, account):
    here = await world.tokens.issue(account.id)
    there = await world.tokens.issue(account.id)
    sid = (await world.tokens.verify(here.access_token))["sid"]

    await service.change_password(account.id, GOOD, NEW, keep=sid)
    assert [s.sid for s in await world.tokens.sessions(account.id)] == [sid]
    await world.tokens.verify(here.access_token)
    with pytest.raises(RevokedTokenError):
        await world.tokens.verify(there.access_token)
    with pytest.raises(InvalidCredentialsError):
        await service.authenticate(EMAIL, GOOD)
    await service.authenticate(EMAIL, NEW)
    await world.outbox.drain()
    assert world.mailbox.last() == ("password_changed", EMAIL)


async def test_a_new_password_needs_the_old_one_and_must_be_good(
    world, service, account
):
    with pytest.raises(InvalidCredentialsError):
        await service.change_password(account.id, "wrong password", NEW)
    with pytest.raises(InvalidCredentialsError):
        await service.change_password("nobody", GOOD, NEW)
    with pytest.raises(PasswordRefusedError):
        await service.change_password(account.id, GOOD, "alice1234")
    assert await service.authenticate(EMAIL, GOOD) == account


class NoRevocation:
    """Tokens of an application's own, whose store is down."""

    async def revoke_subject(self, subject, *, keep=None):
        raise UnavailableError


async def test_when_sessions_cannot_be_ended_the_password_stays(world, account):
    world.tokens = NoRevocation()
    service = world.service()
    with pytest.raises(UnavailableError):
        await service.change_password(account.id, GOOD, NEW)
    assert await service.authenticate(EMAIL, GOOD) == account


async def test_of_two_new_passwords_at_once_one_wins(world, service, account):
    answers = await asyncio.gather(
        service.change_password(account.id, GOOD, NEW),
        service.change_password(account.id, GOOD, "zebra up the ladder"),
        return_exceptions=True,
    )
    lost = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(lost) == 1
    assert isinstance(lost[0], StaleAccountError | InvalidCredentialsError)


async def test_a_forgotten_password_is_reset_once(world, service, account):
    pair = await world.tokens.issue(account.id)
    token = await world.forgot(service, EMAIL)
    await service.reset_password(token, NEW)
    await service.authenticate(EMAIL, NEW)
    assert list(await world.tokens.sessions(account.id)) == []
    with pytest.raises(RevokedTokenError):
        await world.tokens.verify(pair.access_token)

    with pytest.raises(InvalidTokenError):
        await service.reset_password(token, "zebra up the ladder")
    await service.authenticate(EMAIL, NEW)


async def test_of_many_resets_at_once_one_wins(world, service, account):
    token = await world.forgot(service, EMAIL)
    passwords = [f"zebra number {number}" for number in range(6)]
    answers = await asyncio.gather(
        *(service.reset_password(token, password) for password in passwords),
        return_exceptions=True,
    )
    won = [n for n, answer in enumerate(answers) if not isinstance(answer, Exception)]
    assert len(won) == 1
    assert sum(isinstance(answer, InvalidTokenError) for answer in answers) == 5
    await service.authenticate(EMAIL, passwords[won[0]])


async def test_a_reset_token_is_dead_after_a_change_of_password(
    world, service, account
):
    token = await world.forgot(service, EMAIL)
    world.clock.advance(1)
    await service.change_password(account.id, GOOD, NEW)
    with pytest.raises(InvalidTokenError):
        await service.reset_password(token, "zebra up the ladder")
    # And it stays dead where the store has forgotten what was revoked.
    changed = await service.change_password(account.id, NEW, GOOD)
    assert changed.password_hash != account.password_hash
    with pytest.raises(InvalidTokenError):
        await service.reset_password(token, "zebra up the ladder")


async def test_a_reset_token_is_bound_to_the_password_by_itself(world, service):
    """Without the help of the list of revocations, which another service has."""
    account = await world.verified(service, EMAIL, GOOD)
    token = await world.forgot(service, EMAIL)
    password_hash = await world.hasher.hash(NEW)
    await world.accounts.update(replace(account, password_hash=password_hash))
    with pytest.raises(InvalidTokenError):
        await service.reset_password(token, "zebra up the ladder")


async def test_a_reset_token_lives_fifteen_minutes(world, service, account):
    token = await world.forgot(service, EMAIL)
    world.clock.advance(901)
    with pytest.raises(ExpiredTokenError):
        await service.reset_password(token, NEW)
    with pytest.raises(ConfigurationError):
        world.service(email_policy=EmailPolicy(reset_ttl=901))


async def test_a_reset_token_survives_a_password_that_is_refused(
    world, service, account
):
    token = await world.forgot(service, EMAIL)
    with pytest.raises(PasswordRefusedError):
        await service.reset_password(token, "password123")
    await service.reset_password(token, NEW)


async def test_a_reset_token_does_not_say_the_hash(world, service, account):
    token = await world.forgot(service, EMAIL)
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["aud"] == "urn:asgi-auth:reset"
    assert account.password_hash not in json.dumps(claims)


async def test_tokens_of_one_kind_do_not_do_for_another(world, service, account):
    reset = await world.forgot(service, EMAIL)
    verify = world.mailbox.token("verify")
    await service.change_email(account.id, GOOD, "new@example.com")
    await world.outbox.drain()
    change = world.mailbox.token("change_email")
    access = (await world.tokens.issue(account.id)).access_token

    uses = {
        lambda token: service.verify_email(token, GOOD): verify,
        lambda token: service.confirm_email(token, GOOD): change,
        lambda token: service.reset_password(token, NEW): reset,
    }
    for use, right in uses.items():
        for token in {reset, verify, change, access, "", "x.y.z", "\ud800"} - {right}:
            with pytest.raises(InvalidTokenError):
                await use(token)


async def test_forgetting_gives_the_same_answer_for_everybody(world, service, account):
    before = len(world.mailbox.messages)
    assert await service.forgot_password("nobody@example.com") is None
    await world.outbox.drain()
    assert len(world.mailbox.messages) == before
    assert await service.forgot_password(EMAIL) is None
    await world.outbox.drain()
    assert len(world.mailbox.messages) == before + 1


async def test_a_disabled_user_gets_no_mail_and_cannot_reset(world, service, account):
    token = await world.forgot(service, EMAIL)
    pair = await world.tokens.issue(account.id)
    await service.disable(account.id)
    with pytest.raises(RevokedTokenError):
        await world.tokens.verify(pair.access_token)

    before = len(world.mailbox.messages)
    await service.forgot_password(EMAIL)
    await world.outbox.drain()
    assert len(world.mailbox.messages) == before
    with pytest.raises(InvalidTokenError):
        await service.reset_password(token, NEW)
    assert await service.find(account.id) is None


async def test_a_disabled_user_cannot_refresh(world, service, account):
    pair = await world.tokens.issue(account.id)
    await world.accounts.update(replace(account, disabled=True))
    with pytest.raises(UnknownSubjectError):
        await world.tokens.refresh(pair.refresh_token)


async def test_a_refresh_takes_the_roles_of_the_account(world, service, account):
    pair = await world.tokens.issue(account.id)
    await world.accounts.update(replace(account, roles=("admin",), scopes=("a", "b")))
    renewed = await world.tokens.refresh(pair.refresh_token)
    claims = await world.tokens.verify(renewed.access_token)
    assert list(claims["roles"]) == ["admin"]
    assert claims["scope"] == "a b"


async def test_disabling_nobody_is_an_error(service):
    with pytest.raises(UnknownAccountError):
        await service.disable("nobody")


async def test_the_address_changes_when_its_new_owner_says_so(world, service, account):
    await service.change_email(account.id, GOOD, "New@Example.com")
    await world.outbox.drain()
    assert world.mailbox.last() == ("change_email", "new@example.com")
    assert (await service.authenticate(EMAIL, GOOD)).email == EMAIL

    reset = await world.forgot(service, EMAIL)
    token = world.mailbox.token("change_email")
    changed = await service.confirm_email(token, GOOD)
    assert changed.email == "new@example.com"
    assert changed.id == account.id
    await world.outbox.drain()
    assert world.mailbox.last() == ("email_changed", EMAIL)
    with pytest.raises(InvalidCredentialsError):
        await service.authenticate(EMAIL, GOOD)

    for late in (
        service.confirm_email(token, GOOD),
        service.reset_password(reset, NEW),
    ):
        with pytest.raises(InvalidTokenError):
            await late


async def test_a_new_address_needs_the_password(world, service, account):
    with pytest.raises(InvalidCredentialsError):
        await service.change_email(account.id, "wrong password", "new@example.com")
    await world.outbox.drain()
    assert world.mailbox.kinds() == ["verify"]


async def test_a_taken_address_gives_the_same_answer_and_no_mail(world, service):
    bob = await world.verified(service, "bob@example.com", GOOD)
    await world.verified(service, EMAIL, GOOD)
    assert await service.change_email(bob.id, GOOD, EMAIL) is None
    await world.outbox.drain()
    assert "change_email" not in world.mailbox.kinds()


async def test_an_address_that_was_taken_in_between_is_refused(world, service):
    bob = await world.verified(service, "bob@example.com", GOOD)
    await service.change_email(bob.id, GOOD, EMAIL)
    await world.verified(service, EMAIL, GOOD)
    with pytest.raises(DuplicateAccountError):
        await service.confirm_email(world.mailbox.token("change_email"), GOOD)


async def test_verification_is_sent_again_only_while_there_is_reason(world, service):
    await service.register(EMAIL, GOOD)
    await service.resend_verification(EMAIL)
    await service.resend_verification("nobody@example.com")
    await world.outbox.drain()
    assert world.mailbox.kinds() == ["verify", "verify"]

    account = await service.verify_email(world.mailbox.token("verify"), GOOD)
    world.clock.advance(5)
    again = await service.verify_email(world.mailbox.token("verify"), GOOD)
    assert again.verified_at == account.verified_at
    await service.resend_verification(EMAIL)
    await world.outbox.drain()
    assert world.mailbox.kinds() == ["verify", "verify"]


async def test_a_verification_of_an_old_address_is_void(world, service, account):
    token = world.mailbox.token("verify")
    await world.accounts.update(replace(account, email="new@example.com"))
    with pytest.raises(InvalidTokenError):
        await service.verify_email(token, GOOD)


async def test_a_sender_that_fails_or_hangs_changes_no_answer(world, caplog):
    secrets = []

    async def fail(kind, account, token):
        secrets.append(token)
        msg = f"550 {account.email} {token}"
        raise RuntimeError(msg)

    service = world.service(send_message=fail)
    with caplog.at_level(logging.DEBUG):
        assert await service.register(EMAIL, GOOD) is None
        await world.outbox.drain()

    assert "RuntimeError" in caplog.text
    assert EMAIL not in caplog.text
    assert secrets[0] not in caplog.text

    given_up = []

    async def hang(*_):
        try:
            await asyncio.Event().wait()
        finally:
            given_up.append(EMAIL)

    outbox = Outbox(delay=0, timeout=0.5)
    service = world.service(send_message=hang, outbox=outbox)
    await service.forgot_password(EMAIL)
    assert given_up == []
    await outbox.drain()
    assert given_up == [EMAIL]


async def test_what_needs_mail_says_so(world):
    with pytest.raises(ConfigurationError):
        world.service(send_message=None)
    service = world.service(send_message=None, require_verified=False)
    with pytest.raises(ConfigurationError):
        await service.forgot_password(EMAIL)
    account = await service.register(EMAIL, GOOD)
    await service.change_password(account.id, GOOD, NEW)


class Forgetful(MemoryAccounts):
    """A store from which an account goes away after a number of look-ups."""

    left = 1000

    async def find_by_id(self, account_id):
        self.left -= 1
        return await super().find_by_id(account_id) if self.left >= 0 else None


@pytest.mark.parametrize("left", [0, 1])
async def test_a_token_of_an_account_that_is_gone_is_not_good(world, left):
    world.accounts = Forgetful()
    service = world.service()
    await world.verified(service, EMAIL, GOOD)
    token = await world.forgot(service, EMAIL)
    world.accounts.left = left
    with pytest.raises(InvalidTokenError):
        await service.reset_password(token, NEW)


async def test_a_change_is_tried_again_but_not_for_ever(world):
    world.accounts = Failing()
    service = world.service(require_verified=False)
    account = await service.register(EMAIL, GOOD)
    world.accounts.error = StaleAccountError()
    with pytest.raises(StaleAccountError):
        await service.disable(account.id)


@pytest.mark.slow
async def test_nobody_can_time_who_has_an_account(world):
    service = world.service(hasher=PasswordHasher())
    await world.verified(service, EMAIL, GOOD)
    calls = {
        "log in, known": lambda _: service.authenticate(EMAIL, "wrong password"),
        "log in, unknown": lambda _: service.authenticate("no@example.com", GOOD),
        "register, known": lambda _: service.register(EMAIL, NEW),
        "register, unknown": lambda n: service.register(f"u{n}@example.com", NEW),
    }
    times = {name: [] for name in calls}
    for number in range(25):
        for name, call in calls.items():
            begin = time.perf_counter()
            with contextlib.suppress(InvalidCredentialsError):
                await call(number)
            times[name].append(time.perf_counter() - begin)
            await world.outbox.drain()

    for verb in ("log in", "register"):
        known = statistics.median(times[f"{verb}, known"])
        unknown = statistics.median(times[f"{verb}, unknown"])
        assert unknown == pytest.approx(known, rel=0.1)
