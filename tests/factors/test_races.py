"""Codes that many use at once, on every store: one wins."""

from __future__ import annotations

import asyncio
import itertools
import os

import pyotp
import pytest

from asgi_auth import KeySet, TokenService, UnavailableError
from asgi_auth.accounts import Account, Outbox
from asgi_auth.factors import Factors, MemoryFactors, SQLFactors
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.keys import SealKeys
from asgi_auth.testing import FakeClock

SECRET = "0f4a9a7d3c2b1e8f6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c5b4a39281706"
ANN = Account(id="ann", email="ann@example.com")
_numbers = itertools.count(1)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryFactors()
        return

    url = f"sqlite:///{tmp_path / 'factors.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    store = SQLFactors(url, table=f"r{os.getpid()}_{next(_numbers)}")
    await store.create_schema()
    yield store
    await store.aclose()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def mails():
    return []


@pytest.fixture
def factors(store, clock, mails):
    async def send_message(kind, account, token):
        mails.append(token)

    return Factors(
        TokenService(KeySet.from_secret(SECRET)),
        store,
        SealKeys.from_secrets(SECRET),
        name="Shop",
        send_message=send_message,
        outbox=Outbox(delay=0),
        clock=clock,
    )


async def race(factors, codes, **options) -> tuple[int, int]:
    """Return how many of the uses were let in, and how many refused.

    A busy machine may answer a few of them with an outage, which is a refusal too.
    """
    answers = await asyncio.gather(
        *(factors.check(ANN, code, **options) for code in codes),
        return_exceptions=True,
    )
    refusals = (InvalidCodeError, UnavailableError)
    wrong = [answer for answer in answers if isinstance(answer, refusals)]
    right = [answer for answer in answers if isinstance(answer, str)]
    assert len(right) + len(wrong) == len(codes), answers
    return len(right), len(wrong)


async def set_up(factors, clock):
    enrolment = factors.begin_totp(ANN)
    app = pyotp.parse_uri(enrolment.uri)
    code = app.at(int(clock()))
    codes = await factors.confirm_totp(ANN, enrolment.token, code)
    clock.advance(60)
    return app, codes


async def test_of_fifty_uses_of_one_code_one_is_right(factors, clock):
    app, codes = await set_up(factors, clock)
    assert await race(factors, [app.at(int(clock()))] * 50) == (1, 49)
    assert await race(factors, [codes[0]] * 50) == (1, 49)


async def test_ten_recovery_codes_at_once_are_all_right(factors, clock, store):
    _, codes = await set_up(factors, clock)
    assert await race(factors, codes) == (10, 0)
    assert await race(factors, codes) == (0, 10)
    kinds = {record.kind: record for record in await store.find(ANN.id)}
    assert kinds["recovery"].data["codes"] == ()


async def test_fifty_guesses_of_a_code_by_e_mail_use_five_tries_up(
    factors, clock, mails
):
    outbox = factors._notices._outbox
    await factors.send_code(ANN, attempt="a")
    await outbox.drain()
    await factors.confirm_email(ANN, mails[-1], attempt="a")
    await factors.send_code(ANN, attempt="b")
    await outbox.drain()
    code = mails[-1]
    wrong = "AAAAAAAA" if code != "AAAA-AAAA" else "BBBBBBBB"
    assert await race(factors, [wrong] * 50, attempt="b") == (0, 50)
    assert await race(factors, [code], attempt="b") == (0, 1)

    await factors.send_code(ANN, attempt="b")
    await outbox.drain()
    assert await race(factors, [mails[-1]] * 50, attempt="b") == (1, 49)


async def test_an_app_and_recovery_codes_are_set_up_once_by_many(factors, clock, store):
    enrolment = factors.begin_totp(ANN)
    code = pyotp.parse_uri(enrolment.uri).at(int(clock()))
    answers = await asyncio.gather(
        *(factors.confirm_totp(ANN, enrolment.token, code) for _ in range(8))
    )
    assert all(len(codes) in (0, 10) for codes in answers)
    assert {record.kind for record in await store.find(ANN.id)} == {"totp", "recovery"}


async def test_no_more_than_ten_log_ins_wait_for_a_message(factors, store):
    for number in range(14):
        await factors.send_code(ANN, attempt=str(number))
    (record,) = await store.find(ANN.id)
    attempts = [entry["attempt"] for entry in record.data["waiting"]]
    assert attempts == [str(number) for number in range(4, 14)]
