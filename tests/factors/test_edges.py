"""What happens between the verbs of a store."""

from __future__ import annotations

import pyotp
import pytest

from asgi_auth import KeySet, TokenService, UnavailableError
from asgi_auth.accounts import Account
from asgi_auth.factors import (
    Factors,
    MemoryFactors,
    StaleFactorError,
)
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.keys import SealKeys
from asgi_auth.testing import FakeClock

SECRET = "0f4a9a7d3c2b1e8f6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c5b4a39281706"
ANN = Account(id="ann", email="ann@example.com")


class Busy(MemoryFactors):
    """A store in which something happens before each write."""

    lost = 0
    gone = False

    async def put(self, record):
        if self.gone:
            await self.remove(record.subject)
        if self.lost:
            self.lost -= 1
            raise StaleFactorError
        return await super().put(record)


class World:
    def __init__(self):
        self.clock, self.store = FakeClock(), Busy()
        self.factors = Factors(
            TokenService(KeySet.from_secret(SECRET)),
            self.store,
            SealKeys.from_secrets(SECRET),
            name="Shop",
            clock=self.clock,
        )

    async def set_up(self):
        enrolment = self.factors.begin_totp(ANN)
        self.app = pyotp.parse_uri(enrolment.uri)
        codes = await self.factors.confirm_totp(ANN, enrolment.token, self.code())
        self.clock.advance(60)
        return codes

    def code(self):
        return self.app.at(int(self.clock()))


@pytest.fixture
def world():
    return World()


async def test_a_code_waits_for_others_that_are_faster_and_not_for_ever(world):
    await world.set_up()
    world.store.lost = 19
    assert await world.factors.check(ANN, world.code()) == "totp"
    world.clock.advance(60)
    world.store.lost = 99
    with pytest.raises(UnavailableError):
        await world.factors.check(ANN, world.code())


@pytest.mark.parametrize("kind", ["totp", "recovery"])
async def test_a_factor_that_is_removed_meanwhile_lets_nobody_in(world, kind):
    codes = await world.set_up()
    world.store.gone = True
    code = world.code() if kind == "totp" else codes[0]
    with pytest.raises(InvalidCodeError):
        await world.factors.check(ANN, code)
    assert await world.factors.check(ANN, code) is None


async def test_a_code_of_another_kind_confirms_nothing(world):
    await world.set_up()
    for code in ("123456", "", "ABCDEFGH"):
        with pytest.raises(InvalidCodeError):
            await world.factors.confirm_email(ANN, code, attempt="x")


async def test_what_is_reset_twice_is_gone(world):
    await world.set_up()
    await world.factors.reset("ann")
    await world.factors.reset("ann")
    assert await world.factors.list("ann") == []
    assert await world.factors.remove(ANN, "totp") is False


async def test_users_without_an_address_are_named_in_their_apps(world):
    for account, name in [
        (Account(id="7", username="ann"), "ann"),
        (Account(id="7"), "7"),
    ]:
        enrolment = world.factors.begin_totp(account)
        assert pyotp.parse_uri(enrolment.uri).name == name
        assert enrolment.secret not in repr(enrolment)
    codes = await world.set_up()
    quiet = Account(id="ann")
    assert await world.factors.remove(quiet, "totp") is True
    assert len(codes) == 10
