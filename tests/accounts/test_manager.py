from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from passlib.context import CryptContext

from asgi_auth import ConfigurationError, KeySet, TokenService, UnknownSubjectError
from asgi_auth.accounts import Account, AuthManager, ManagedAccounts, grants_of
from asgi_auth.passwords import PasswordHasher

pytestmark = pytest.mark.anyio

EMAIL = "user@example.com"
GOOD = "correct horse battery"


@dataclass
class Row:
    id: int
    email: str
    password_hash: str | None


class Users(AuthManager[Row]):
    """The least that a subclass must write."""

    def __init__(self, *rows: Row) -> None:
        self.rows = rows
        self.lookups = 0

    async def get_user_by_email(self, email):
        self.lookups += 1
        return next((row for row in self.rows if row.email == email), None)

    async def get_user_by_id(self, user_id):
        return next((row for row in self.rows if row.id == user_id), None)


class KeepingUsers(Users):
    async def save_password_hash(self, user, password_hash):
        user.password_hash = password_hash


@pytest.fixture
def context(world):
    return world.context


@pytest.fixture
def users(world, context) -> Users:
    users = KeepingUsers(Row(42, EMAIL, context.context.hash(GOOD)))
    users.hasher = world.hasher
    return users


async def test_the_right_password_gives_the_user(users):
    assert (await users.authenticate(EMAIL, GOOD)).id == 42
    assert (await users.get_user_by_id(42)).email == EMAIL


async def test_wrong_password_and_unknown_user_give_none_for_the_same_work(
    users, context
):
    await users.hasher.verify_dummy(GOOD)
    work = []
    for email in (EMAIL, "nobody@example.com"):
        verified, lookups = context.verified, users.lookups
        assert await users.authenticate(email, "wrong password") is None
        work.append((context.verified - verified, users.lookups - lookups))
    assert work == [(1, 2), (1, 2)]


@pytest.mark.parametrize("email", ["", "a\0@b.co", "\ud800@b.co", "x" * 400, "a\n"])
async def test_an_address_that_no_database_takes_is_unknown(users, context, email):
    verified = context.verified
    assert await users.authenticate(email, GOOD) is None
    assert context.verified == verified + 1


@pytest.mark.parametrize("password", ["x" * 1_000_000, "a\0b", "\ud800", ""])
async def test_a_password_that_no_hash_takes_is_wrong(users, password):
    assert await users.authenticate(EMAIL, password) is None


async def test_a_user_without_a_password_cannot_log_in(users):
    users.rows[0].password_hash = None
    assert await users.authenticate(EMAIL, GOOD) is None
    assert await users.authenticate(EMAIL, "") is None


async def test_an_old_hash_is_handed_over_for_saving(users, context):
    old = context.handler("bcrypt").using(rounds=4).hash(GOOD)
    users.rows[0].password_hash = old
    assert await users.authenticate(EMAIL, GOOD) is not None
    assert users.rows[0].password_hash.startswith("$argon2id$")
    assert await users.authenticate(EMAIL, GOOD) is not None


async def test_an_old_hash_keeps_working_where_nobody_saves(users, context, world):
    old = context.handler("bcrypt").using(rounds=4).hash(GOOD)
    plain = Users(Row(1, EMAIL, old))
    plain.hasher = world.hasher
    assert await plain.authenticate(EMAIL, GOOD) is not None
    assert plain.rows[0].password_hash == old


class OwnSchemeUsers(AuthManager[dict]):
    """A subclass with a hash of its own, that answers None for unknown users."""

    def __init__(self, hasher) -> None:
        self.hasher = hasher
        self.context = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4)
        self.user = {"id": "42", "password_hash": self.context.hash(GOOD)}

    async def get_user_by_email(self, email):
        return self.user if email == EMAIL else None

    async def get_user_by_id(self, user_id):
        return self.user if user_id == "42" else None

    async def verify_password(self, email, password):
        user = await self.get_user_by_email(email)
        return user and self.context.verify(password, user["password_hash"])


async def test_a_subclass_may_check_passwords_itself(world):
    users = OwnSchemeUsers(world.hasher)
    assert await users.authenticate(EMAIL, GOOD) is users.user
    assert await users.authenticate(EMAIL, "wrong password") is None
    assert await users.authenticate(EMAIL, "nul\0") is None
    before = world.context.verified
    assert await users.authenticate("nobody@example.com", GOOD) is None
    assert world.context.verified > before


class DictUsers(OwnSchemeUsers):
    verify_password = AuthManager.verify_password


async def test_users_may_be_dictionaries(world):
    users = DictUsers(world.hasher)
    assert await users.authenticate(EMAIL, GOOD) is users.user
    assert await users.authenticate(EMAIL, "wrong password") is None


class HasherUsers(OwnSchemeUsers):
    async def verify_password(self, email, password):
        user = await self.get_user_by_email(email)
        await self.hasher.verify(password, user["password_hash"])
        return True


async def test_a_hasher_that_raises_means_no(world):
    users = HasherUsers(world.hasher)
    assert await users.authenticate(EMAIL, GOOD) is users.user
    assert await users.authenticate(EMAIL, "wrong password") is None


def test_the_look_ups_must_be_written():
    with pytest.raises(ConfigurationError, match="get_user_by_email"):
        AuthManager()

    class Half(AuthManager):
        async def get_user_by_login(self, login):
            return None

    with pytest.raises(TypeError, match="get_user_by_id"):
        Half()


class Named(AuthManager):
    """Users of another library, whose column has another name."""

    def __init__(self, hasher, user):
        self.hasher, self.user = hasher, user

    async def get_user_by_email(self, email):
        return self.user

    async def get_user_by_id(self, user_id):
        return self.user


@pytest.mark.usefixtures("cheap_hashes")
@pytest.mark.parametrize("shape", [dict, SimpleNamespace])
async def test_a_user_without_the_attribute_is_a_mistake_and_no_wrong_password(shape):
    hasher = PasswordHasher()
    user = shape(id=1, hashed_password=await hasher.hash(GOOD))
    with pytest.raises(ConfigurationError, match="password_attribute"):
        await Named(hasher, user).authenticate("ann@example.com", GOOD)

    class Cured(Named):
        password_attribute = "hashed_password"

    assert await Cured(hasher, user).authenticate("ann@example.com", GOOD) is user
    assert await Cured(hasher, user).authenticate("ann@example.com", "wrong") is None


async def test_the_rights_of_managed_accounts_are_renewed_at_each_refresh():
    rows = {"1": {"roles": ("editor",), "disabled": False}}

    class Rows(Named):
        async def get_user_by_id(self, user_id):
            return rows.get(user_id)

        def account_of(self, user):
            return Account(id="1", email="ann@example.com", **user)

    accounts = ManagedAccounts(Rows(None, None))
    tokens = TokenService(KeySet.generate("HS256"), claims_loader=grants_of(accounts))
    pair = await tokens.issue("1", roles=["admin"])
    pair = await tokens.refresh(pair.refresh_token)
    assert (await tokens.verify(pair.access_token))["roles"] == ("editor",)
    rows["1"]["disabled"] = True
    with pytest.raises(UnknownSubjectError):
        await tokens.refresh(pair.refresh_token)
    assert await tokens.sessions("1") == []
