"""What the users' ledger must notice, and what it must not: no server, and no time."""

from __future__ import annotations

import json
import random
import time

import pytest

from asgi_auth.testing import mint_token
from tests.load import crowd, ledger
from tests.load.crowd import GRACE, Pace, User
from tests.load.ledger import Ledger
from tests.load.sitting import Seat
from tests.load.wire import Answer, LostError

pytestmark = pytest.mark.anyio

GONE = (401, {"code": "token_revoked"})


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def a_quick_machine(monkeypatch):
    monkeypatch.setattr(ledger, "starves", lambda: False)
    monkeypatch.setattr(random, "random", lambda: 1.0)


class Wire:
    """Answers what it is given, and in this order; the last one for ever."""

    def __init__(self, *answers):
        self.answers = [*answers]

    async def ask(self, *_, **__):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, type):
            raise answer

        status, body, *lines = answer
        head = "\r\n".join([f"HTTP/1.1 {status} ", *lines]).encode()
        return Answer(head, json.dumps(body).encode())


def pair(subject="user-1", sid="one"):
    access = mint_token(subject=subject, claims={"sid": sid})
    return {"access": access, "refresh": "r"}


def user_of(*answers, allowed=()):
    user = User(1, [1], Wire(*answers), Ledger(), Pace(0.0))
    user.ledger.allowed = frozenset(allowed)
    user.pair = pair()
    return user


async def test_a_good_life_is_no_wrong():
    user = user_of((200, {"subject": "user-1"}), (200, pair()))
    await user.call()
    await user.refresh()
    await user.call_stale()
    assert user.ledger.wrongs == []
    assert user.ledger.to_json()["answers"] == {"/me 200": 1, "/refresh 200": 2}


@pytest.mark.parametrize(
    ("step", "answers", "wrong"),
    [
        ("call", [(200, {"subject": "user-2"})], "answered as user-2"),
        ("call", [GONE], "logged out without a cause"),
        ("call", [(500, {})], "/me was answered 500"),
        ("call", [(503, {}, "Retry-After: 1")], "answered 503 without a fault"),
        ("call", [LostError], "not answered, without a fault"),
        ("refresh", [(200, pair("user-2"))], "a token of another user"),
        ("refresh", [(200, pair()), GONE], "logged out without a cause"),
        ("log_in", [(503, {})], "503 without Retry-After"),
    ],
)
async def test_what_has_no_cause_is_a_wrong(step, answers, wrong):
    user = user_of(*answers)
    await getattr(user, step)()
    assert wrong in user.ledger.wrongs[0]


@pytest.mark.parametrize(
    ("step", "answers", "allowed"),
    [
        ("call", [(503, {}, "Retry-After: 1")], ["503"]),
        ("call", [LostError], ["lost"]),
        ("refresh", [GONE], ["forgotten"]),
        ("refresh", [TimeoutError, GONE], ["lost"]),
    ],
)
async def test_what_a_fault_is_allowed_to_cost_is_none(step, answers, allowed):
    user = user_of(*answers, allowed=allowed)
    await getattr(user, step)()
    assert user.ledger.wrongs == []


async def test_a_refresh_that_is_repeated_after_the_grace_has_a_cause():
    user = user_of(GONE)
    user.asked_at = time.monotonic() - GRACE
    await user.refresh()
    assert user.ledger.wrongs == []
    assert "repeated after the grace" in str(user.ledger.causes)


async def test_a_machine_that_starves_is_no_wrong():
    late = (503, {}, "Retry-After: 1", "X-Late: 2.50")
    user = user_of(late)
    await user.call()
    assert user.ledger.wrongs == []

    user.wire.answers = [TimeoutError]
    await user.call()
    user.ledger.close()
    assert user.ledger.wrongs == ["1 were never answered, and the machine was quick"]


async def test_who_is_let_in_after_the_staleness_is_a_wrong():
    user = user_of((200, {"subject": "user-1"}))
    await user._look_back(pair(), time.monotonic() - crowd.STALENESS)
    assert "s after a log-out" in user.ledger.wrongs[0]
    assert "refreshed after its log-out" in user.ledger.wrongs[1]


@pytest.mark.parametrize(("sid", "is_over"), [("one", True), ("two", False)])
async def test_a_log_out_is_held_against_sockets_of_its_session_alone(sid, is_over):
    """A session is given up when its refresh is answered 503, and its socket stays."""
    user = user_of((200, pair(sid=sid)), (200, {}))
    user.seat = Seat(user, pair(sid="one")["access"])
    # Nobody looks back, which takes seconds.
    user._send_out = lambda errand: errand.close()
    await user.log_out()
    assert (user.seat.revoked_at is not None) == is_over


async def test_a_socket_that_knows_better_and_writes_is_a_wrong():
    user = user_of(GONE)
    seat = Seat(user, pair()["access"])
    now = time.time()
    seat.revoked_at = now
    message = {"subject": "user-1", "now": now, "known": now - 1}
    for _ in range(5):
        seat.hear(message)

    assert user.ledger.wrongs == []
    for _ in range(2):
        seat.hear({**message, "known": now + 1})

    assert user.ledger.wrongs == ["a socket wrote after its worker knew of the log-out"]
    for _ in range(2):
        seat.hear({**message, "now": seat.ends_at + 1})

    assert user.ledger.wrongs[1] == "a socket wrote after its token had ended"
