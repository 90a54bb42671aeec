from __future__ import annotations

import asyncio
import logging
import statistics
import subprocess
import sys
import threading
import time
import unicodedata

import anyio
import pytest
from passlib.context import CryptContext

from asgi_auth.errors import (
    ConfigurationError,
    InvalidCredentialsError,
    UnavailableError,
)
from asgi_auth.passwords import PasswordHasher, PasswordRefusedError

pytestmark = pytest.mark.anyio

GOOD = "correct horse battery"

# All of the password "legacy secret", made by other programs with these schemes.
LEGACY = {
    "bcrypt": {"rounds": 4},
    "bcrypt_sha256": {"rounds": 4},
    "pbkdf2_sha256": {"rounds": 10},
    "scrypt": {"rounds": 4},
}

# That password as bcrypt itself hashes it, with no library for passwords between.
OF_BCRYPT = {
    "bcrypt_sha256": (
        "$bcrypt-sha256$v=2,t=2b,r=4"
        "$39grhVU5c1tEseMfuBoPIe$dZuXsPLT78IAAh5YftyQ6nANtwZRSZC"
    ),
    "django_bcrypt_sha256": (
        "bcrypt_sha256$$2b$04$39grhVU5c1tEseMfuBoPIe9JZQD383ybIWGS7APplD7rL84n0s8Vu"
    ),
}
FIRST_LOG_IN = """
import asyncio, sys
from passlib.context import CryptContext
from asgi_auth.passwords import PasswordHasher
from asgi_auth.passwords.foreign import FOREIGN_SCHEMES
context = CryptContext(schemes=["argon2", "bcrypt_sha256", *FOREIGN_SCHEMES])
asyncio.run(PasswordHasher(context=context).verify("legacy secret", sys.argv[1]))
"""

MALFORMED = [
    "",
    "x",
    "plain text password",
    "$argon2id$v=19$m=64,t=1,p=1$abc",
    "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2Fs$!!!",
    "$argon2id$v=19$m=4294967295,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b/dWQ",
    "$2b$12$abc",
    "$2b$12$" + "é" * 53,
    "$scrypt$ln=40,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJx",
    "\ud800",
    "\0",
]


class Counting:
    """A context that counts what it is asked to do."""

    def __init__(self, context: CryptContext) -> None:
        self._context = context
        self.verified: list[str] = []
        self.hashed: list[str] = []
        self.threads: set[int] = set()

    def __getattr__(self, name: str):
        return getattr(self._context, name)

    def verify(self, secret: str, stored: str) -> bool:
        self.threads.add(threading.get_ident())
        self.verified.append(stored)
        return self._context.verify(secret, stored)

    def hash(self, secret: str) -> str:
        self.hashed.append(secret)
        return self._context.hash(secret)


@pytest.fixture
def counting(cheap_context) -> Counting:
    return Counting(cheap_context)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_password_matches_its_hash_and_no_other(hasher, anyio_backend):
    stored = await hasher.hash(GOOD)
    assert (await hasher.verify(GOOD, stored)).replacement is None
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify(GOOD + "!", stored)


async def test_new_hashes_are_argon2id_with_the_costs_of_the_rfc():
    stored = await PasswordHasher().hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("scheme", LEGACY)
async def test_an_older_scheme_is_verified_and_replaced(scheme, hasher, cheap_context):
    handler = cheap_context.handler(scheme).using(**LEGACY[scheme])
    stored = handler.hash("legacy secret")
    replacement = (await hasher.verify("legacy secret", stored)).replacement
    assert replacement is not None
    assert replacement.startswith("$argon2id$")
    assert (await hasher.verify("legacy secret", replacement)).replacement is None
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify("legacy secre", stored)


@pytest.mark.parametrize("scheme", OF_BCRYPT)
def test_the_first_password_of_a_process_is_matched_as_all_others_are(scheme):
    command = [sys.executable, "-c", FIRST_LOG_IN, OF_BCRYPT[scheme]]
    subprocess.run(command, check=True, capture_output=True)


async def test_a_hash_with_lower_costs_is_replaced(hasher):
    weak = CryptContext(
        schemes=["argon2"],
        argon2__memory_cost=32,
        argon2__time_cost=1,
        argon2__parallelism=1,
    )
    replacement = (await hasher.verify(GOOD, weak.hash(GOOD))).replacement
    assert replacement is not None
    assert "m=64,t=1" in replacement


@pytest.mark.parametrize("stored", [*MALFORMED, None])
async def test_a_malformed_hash_matches_nothing_and_costs_the_same(stored, counting):
    hasher = PasswordHasher(context=counting)
    with pytest.raises(InvalidCredentialsError) as caught:
        await hasher.verify(GOOD, stored)

    assert counting.verified[-1].startswith("$argon2id$v=19$m=64,t=1")
    assert caught.value.__context__ is None


async def test_a_malformed_hash_is_logged_without_the_hash(hasher, caplog):
    stored = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2Fs$!!!"
    with caplog.at_level(logging.ERROR), pytest.raises(InvalidCredentialsError):
        await hasher.verify(GOOD, stored)

    assert "cannot be read" in caplog.text
    assert "c29tZXNhbHRzb21lc2Fs" not in caplog.text
    assert GOOD not in caplog.text


@pytest.mark.parametrize(
    "password", ["a" * 1025, "x" * 1_000_000, "nul\0nul\0", "half \ud800 pair"]
)
async def test_what_cannot_be_a_password_is_refused_before_any_work(password, counting):
    hasher = PasswordHasher(context=counting)
    stored = counting._context.hash(GOOD)
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify(password, stored)
    with pytest.raises(PasswordRefusedError):
        await hasher.hash(password)
    await hasher.verify_dummy(password)
    assert not counting.verified
    assert not counting.hashed


async def test_a_long_password_against_bcrypt_is_wrong_and_never_cut(counting):
    stored = counting.handler("bcrypt").using(rounds=4).hash("a" * 72)
    hasher = PasswordHasher(context=counting)
    assert (await hasher.verify("a" * 72, stored)).replacement is not None
    counting.verified.clear()
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify("a" * 73, stored)
    # The work was done all the same.
    assert len(counting.verified) == 1
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify("é" * 37, stored)


async def test_a_scheme_that_cuts_refuses_to_hash_what_it_would_cut():
    context = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4)
    hasher = PasswordHasher(context=context)
    assert (
        await hasher.verify("a" * 72, await hasher.hash("a" * 72))
    ).replacement is None
    with pytest.raises(PasswordRefusedError) as caught:
        await hasher.hash("a" * 73)
    assert caught.value.reason == "too_long"


async def test_a_scheme_that_cuts_does_not_replace_one_that_does_not():
    context = CryptContext(
        schemes=["bcrypt", "pbkdf2_sha256"], deprecated="auto", bcrypt__rounds=4
    )
    hasher = PasswordHasher(context=context)
    long = "a" * 100
    stored = context.handler("pbkdf2_sha256").using(rounds=10).hash(long)
    assert (await hasher.verify(long, stored)).replacement is None
    assert (await hasher.verify(long, stored)).replacement is None


async def test_one_password_in_two_unicode_forms_is_one_password(hasher, cheap_context):
    composed = unicodedata.normalize("NFC", "pass-phrase é ö")
    decomposed = unicodedata.normalize("NFD", composed)
    stored = await hasher.hash(decomposed)
    assert (await hasher.verify(composed, stored)).replacement is None
    assert (await hasher.verify(decomposed, stored)).replacement is None

    foreign = cheap_context.hash(decomposed)
    replacement = (await hasher.verify(decomposed, foreign)).replacement
    assert replacement is not None
    assert (await hasher.verify(composed, replacement)).replacement is None


async def test_unknown_users_cost_one_verification(counting):
    hasher = PasswordHasher(context=counting)
    stored = await hasher.hash(GOOD)
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify("wrong password", stored)
    known = len(counting.verified)
    await hasher.verify_dummy("wrong password")
    assert len(counting.verified) == 2 * known == 2


async def test_hashing_leaves_the_event_loop(counting):
    hasher = PasswordHasher(context=counting)
    await hasher.verify_dummy(GOOD)
    assert counting.threads
    assert threading.get_ident() not in counting.threads


class Slow(Counting):
    """A context that notes how many work at one time, and waits to be let go."""

    def __init__(self, context: CryptContext) -> None:
        super().__init__(context)
        self.gate = threading.Event()
        self.at_once = 0
        self.most = 0
        self._lock = threading.Lock()

    def verify(self, secret: str, stored: str) -> bool:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.gate.wait(5)
        with self._lock:
            self.at_once -= 1
        return super().verify(secret, stored)


async def wait_for(condition) -> None:
    """Poll what worker threads change; there is no event between them and us."""
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.01)


async def test_no_more_hashes_run_than_there_are_workers(cheap_context):
    slow = Slow(cheap_context)
    hashers = [PasswordHasher(context=slow, workers=3) for _ in range(2)]
    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(hashers[number % 2].verify_dummy, GOOD)
        await wait_for(lambda: slow.most == 3)
        await anyio.sleep(0.05)
        slow.gate.set()

    assert slow.most == 3
    assert len(slow.verified) == 12


async def test_a_queue_that_is_too_long_is_an_outage_and_no_verdict(cheap_context):
    slow = Slow(cheap_context)
    hasher = PasswordHasher(context=slow, workers=1, max_waiting=1)
    async with anyio.create_task_group() as group:
        group.start_soon(hasher.verify_dummy, GOOD)
        group.start_soon(hasher.verify_dummy, GOOD)
        await wait_for(lambda: slow.at_once == 1)
        with pytest.raises(UnavailableError):
            await hasher.verify_dummy(GOOD)
        slow.gate.set()


async def test_who_waits_too_long_is_refused_and_costs_no_hash(
    cheap_context, monkeypatch
):
    monkeypatch.setattr("asgi_auth.passwords.hasher._PATIENCE", 0.02)
    slow = Slow(cheap_context)
    hasher = PasswordHasher(context=slow, workers=1)
    async with anyio.create_task_group() as group:
        group.start_soon(hasher.verify_dummy, GOOD)
        await wait_for(lambda: slow.at_once == 1)
        for _ in range(3):
            with pytest.raises(UnavailableError, match="fast enough"):
                await hasher.verify_dummy(GOOD)
        slow.gate.set()

    # It goes on as soon as there is a worker.
    await hasher.verify_dummy(GOOD)


async def test_a_backend_without_memory_is_an_outage_and_no_verdict(counting):
    hasher = PasswordHasher(context=counting)
    stored = await hasher.hash(GOOD)

    def fail(*_):
        raise MemoryError

    counting.verify = fail
    with pytest.raises(UnavailableError):
        await hasher.verify(GOOD, stored)
    counting.hash = fail
    with pytest.raises(UnavailableError):
        await hasher.hash(GOOD)


def test_one_hasher_works_in_one_event_loop_after_another(hasher):
    stored = asyncio.run(hasher.hash(GOOD))
    assert asyncio.run(hasher.verify(GOOD, stored)).replacement is None


@pytest.mark.parametrize(
    "settings",
    [
        {"memory_kib": 1024},
        {"passes": 1},
        {"lanes": 0},
        {"workers": 0},
        {"max_waiting": -1},
    ],
)
def test_unsafe_settings_are_refused(settings):
    with pytest.raises(ConfigurationError):
        PasswordHasher(**settings)


@pytest.mark.slow
async def test_known_and_unknown_users_take_the_same_time():
    hasher = PasswordHasher()
    stored = await hasher.hash(GOOD)
    known, unknown, unreadable = [], [], []
    for _ in range(25):
        for times, against in (
            (known, stored),
            (unknown, None),
            (unreadable, "$argon2id$x"),
        ):
            begin = time.perf_counter()
            with pytest.raises(InvalidCredentialsError):
                await hasher.verify("wrong password", against)
            times.append(time.perf_counter() - begin)

    expected = statistics.median(known)
    assert statistics.median(unknown) == pytest.approx(expected, rel=0.1)
    assert statistics.median(unreadable) == pytest.approx(expected, rel=0.1)
