"""Users who log in, call, refresh from two tabs, sit on sockets, and log out.

What a worker answers and does is held against what is documented, by causes: nothing
here is wrong because it was slow.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from tests.load.sitting import sit
from tests.load.wire import LostError, claims_of

GRACE = 30.0
"""Seconds in which a refresh may be repeated."""

STALENESS = 5.0
"""Seconds after which a worker must know of a log-out, or answer 503."""

_STEPS = {"call": 12, "refresh": 3, "sit": 2, "call_stale": 1, "log_out": 1}
_THEFTS = 0.02
_LOOKS = (0.1, 0.3, 0.6, 1.0, 2.0)


@dataclass
class Pace:
    """How much all users do.

    Attributes:
        pause: Seconds between two things that one does, on average.
    """

    pause: float


class User:
    """One user with two tabs.

    Args:
        number: Names it.
        ports: Of the workers, of which any serves any request.
        wire: Sends.
        ledger: Hears of it.
        pace: Seconds between two things, on average; it may change.
    """

    def __init__(self, number, ports, wire, ledger, pace):
        self.subject = f"user-{number}"
        self.ports, self.wire, self.ledger, self.pace = ports, wire, ledger, pace
        self.pair = self.stale = self.seat = None
        self._errands = set()
        self._forget()

    def _forget(self):
        # When the present refresh token was first sent; when one was given up.
        self.asked_at = None
        self.has_given_up = self.is_robbed = False
        self.since = time.monotonic()

    async def live(self):
        # Not all at once: that is another test.
        await self._rest(random.uniform(0, 3))
        while not self.ledger.is_over:
            if self.pair is None:
                await self.log_in()
            else:
                (step,) = random.choices([*_STEPS], [*_STEPS.values()])
                await getattr(self, step)()

            await self._rest(random.expovariate(1))

        await asyncio.gather(*self._errands)

    async def _rest(self, pauses):
        began, ledger = time.monotonic(), self.ledger
        while not ledger.is_over:
            left = began + pauses * self.pace.pause - time.monotonic()
            if left <= 0:
                return

            await asyncio.sleep(min(left, 1.0))

    async def ask(self, path, *, body=None, token=None, port=None):
        """Return the status and the body; 0 and nothing if there was no answer."""
        ledger = self.ledger
        allowed, began = ledger.allowed, time.monotonic()
        port = port or random.choice(self.ports)
        try:
            answer = await self.wire.ask(port, path, body=body, token=token)
        except LostError:
            ledger.note_lost(path, allowed | ledger.allowed)
        except TimeoutError:
            ledger.note_given_up(path, allowed | ledger.allowed)
        else:
            took = time.monotonic() - began
            ledger.note(path, answer, took, allowed | ledger.allowed)
            return answer.status, answer.body

        return 0, {}

    async def log_in(self):
        status, body = await self.ask("/login", body={"subject": self.subject})
        if status == 200:
            self._forget()
            self._take(body)

    async def call(self):
        status, body = await self.ask("/me", token=self.pair["access"])
        if status == 200 and body["subject"] != self.subject:
            self.ledger.blame(f"{self.subject} was answered as {body['subject']}")

        if status == 401 and body.get("code") != "token_expired":
            self._note_log_out(f"its call was refused: {body}")
        elif status == 401:
            await self.refresh()

    async def call_stale(self):
        """Call with a token that has ended."""
        if self.stale is None or claims_of(self.stale)["exp"] > time.time() - 1:
            return

        status, _ = await self.ask("/me", token=self.stale)
        if status == 200:
            self.ledger.blame("a token that had ended was taken")

    async def refresh(self):
        """Refresh from two tabs at once, as browsers do."""
        pair = self.pair
        self.asked_at = self.asked_at or time.monotonic()
        asked = {"refresh": pair["refresh"]}
        answers = await asyncio.gather(
            self.ask("/refresh", body=asked), self.ask("/refresh", body=asked)
        )
        refused = [body for status, body in answers if status == 401]
        self.has_given_up |= any(status == 0 for status, _ in answers)
        if refused:
            self._note_log_out(f"its refresh was refused: {refused[0]}")
            return

        for status, body in answers:
            if status == 200:
                self.stale = pair["access"]
                self._take(body)

        if random.random() < _THEFTS and self.pair is not pair:
            await self._be_robbed(pair["refresh"])

    def _take(self, pair):
        if claims_of(pair["access"])["sub"] != self.subject:
            self.ledger.blame(f"{self.subject} got a token of another user")

        self.pair, self.asked_at = pair, None

    async def _be_robbed(self, old):
        """See that a replaced refresh token ends the session once it is old."""
        await self.refresh_once()
        if self.pair is None:
            return

        self.is_robbed = True
        self._mark_seat()
        status, _ = await self.ask("/refresh", body={"refresh": old})
        if status == 200:
            self.ledger.blame("a refresh token that was replaced twice was taken")

        if status == 401:
            # The session ends a moment after this answer, but not later.
            asked = {"refresh": self.pair["refresh"]}
            again, _ = await self.ask("/refresh", body=asked)
            if again == 200:
                self.ledger.blame("a session went on after a theft")

            self.ledger.causes["sessions ended by a theft"] += 1
            self.pair = None

    async def refresh_once(self):
        self.asked_at = self.asked_at or time.monotonic()
        asked = {"refresh": self.pair["refresh"]}
        status, body = await self.ask("/refresh", body=asked)
        self.has_given_up |= status == 0
        if status == 200:
            self._take(body)
        elif status == 401:
            self._note_log_out(f"its refresh was refused: {body}")
        else:
            self.pair = None

    def _note_log_out(self, text):
        """Find the cause of a log-out that the user did not want."""
        ledger, self.pair = self.ledger, None
        self._mark_seat()
        if self.is_robbed:
            ledger.causes["sessions ended by a theft"] += 1
        elif self.asked_at and time.monotonic() - self.asked_at >= GRACE:
            ledger.causes["logged out: a refresh repeated after the grace"] += 1
        elif self.has_given_up:
            ledger.causes["logged out: a refresh that was given up came late"] += 1
        elif ledger.may_have_forgotten(self.since):
            ledger.causes["logged out: the store had forgotten the session"] += 1
        else:
            ledger.blame(f"logged out without a cause: {text}")

    async def sit(self):
        """Open a socket, if there is none."""
        if self.seat is None or self.seat.ended.is_set():
            self._send_out(sit(self, self.pair["access"], random.choice(self.ports)))

    def _mark_seat(self):
        """Note that the socket may end before its token does, and return it."""
        if self.seat is not None:
            self.seat.is_leaving = True

        return self.seat

    def _send_out(self, errand):
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def log_out(self):
        """Log out with a token that lives on for a while."""
        await self.refresh_once()
        pair, self.pair = self.pair, None
        if pair is None:
            return

        seat = self._mark_seat()
        status, _ = await self.ask("/logout", body={"refresh": pair["refresh"]})
        if status == 200:
            # Its user may have given a session up since, which nobody has ended.
            if seat is not None and seat.sid == claims_of(pair["access"])["sid"]:
                seat.revoked_at = time.time()

            self._send_out(self._look_back(pair, time.monotonic()))

    async def _look_back(self, pair, left_at):
        """See until when each worker takes the token of a session that has ended."""
        looks = _LOOKS if random.random() < 0.1 else ()
        forgets = "forgotten" in self.ledger.allowed
        for look in (*looks, STALENESS):
            # Not earlier: at just this moment a worker may still be right.
            while (left := left_at + look + 0.01 - time.monotonic()) > 0:
                await asyncio.sleep(left)

            for port in [*self.ports]:
                sent_after = time.monotonic() - left_at
                status, _ = await self.ask("/me", token=pair["access"], port=port)
                if status == 200:
                    self.ledger.measure("let in after a log-out", sent_after)

                if status != 200 or look < STALENESS:
                    continue

                if forgets or "forgotten" in self.ledger.allowed:
                    self.ledger.causes["let in: the store forgot a log-out"] += 1
                else:
                    self.ledger.blame(f"let in {sent_after:.1f} s after a log-out")

        status, _ = await self.ask("/refresh", body={"refresh": pair["refresh"]})
        if status == 200:
            self.ledger.blame("a session was refreshed after its log-out")
