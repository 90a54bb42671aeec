"""Users who log in, call, refresh from two tabs, and log out; and a ledger of all that.

The ledger is the clients' own: what a worker said and did is held against what it had
promised. It knows no server and no store.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

# A log-out is known everywhere within a second; where a worker gets no time to read of
# it, tokens are still accepted for the 5 seconds of max_staleness.
KNOWN_WITHIN = 6.0
# Seconds: two tabs of which one is served so much later are no repeat any more.
LATE = 5.0


@dataclass
class Ledger:
    """What happened to all users.

    Attributes:
        answers: How often each request got each status.
        faults: What must never happen, in words.
        faulty: There is a fault at the moment: outages are allowed.
        over: Users are to do nothing any more.
        served: When an answer was good.
    """

    answers: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    faulty: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    served: list[float] = field(default_factory=list)

    def note(self, what, status):
        self.answers[f"{what} {status}"] += 1
        if status == 200:
            self.served.append(time.monotonic())
        elif status >= 500 and not self.faulty:
            self.faults.append(f"{what} was answered {status} without a fault")

    def blame(self, text):
        self.faults.append(text)

    def rate(self, seconds):
        """Return how many answers a second were good lately."""
        since = time.monotonic() - seconds
        return sum(at > since for at in self.served) / seconds


class User:
    """One user with two tabs.

    Args:
        number: Names it.
        workers: The addresses, of which any serves any request.
        client: Sends.
        ledger: Hears of it.
        pause: Seconds between two things, on average.
    """

    def __init__(self, number, workers, client, ledger, pause):
        self.subject = f"user-{number}"
        self.workers, self.client, self.ledger = workers, client, ledger
        self.pause = pause
        self.pair = None
        # An answer of this session was lost, or came late: what the store has done
        # then, the client repeats after the grace, which is reuse.
        self.is_late = False

    async def live(self):
        # Not all at once: that is another test.
        await asyncio.sleep(random.uniform(0, 5 * self.pause))
        while not self.ledger.over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(random.expovariate(1 / self.pause)):
                    await self.ledger.over.wait()
                    return
            if self.pair is None:
                await self.log_in()
            else:
                steps = [self.call, self.refresh, self.log_out]
                await random.choices(steps, [16, 4, 1])[0]()

    async def ask(self, path, *, body=None, token=None):
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        try:
            answer = await self.client.post(
                random.choice(self.workers) + path, json=body or {}, headers=headers
            )
        except httpx.HTTPError as error:
            # A worker that is killed: nobody can answer for it.
            self.is_late = True
            self.ledger.answers[f"{path} lost"] += 1
            if not self.ledger.faulty:
                name = type(error).__name__
                self.ledger.blame(f"{path} was not answered, without a fault: {name}")
            return 0, {}
        self.is_late |= answer.status_code == 503
        self.is_late |= answer.elapsed.total_seconds() > LATE
        self.ledger.note(path, answer.status_code)
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.ledger.blame(f"{path} was answered 503 without Retry-After")
        return answer.status_code, answer.json()

    async def log_in(self):
        status, body = await self.ask("/login", body={"subject": self.subject})
        self.pair = body if status == 200 else None
        self.is_late = False

    async def call(self):
        pair = self.pair
        status, body = await self.ask("/me", token=pair["access"])
        if status == 200 and body["subject"] != self.subject:
            self.ledger.blame(f"{self.subject} was answered as {body['subject']}")
        if status == 401:
            if body.get("code") != "token_expired" and not self.is_late:
                self.ledger.blame(f"{self.subject} was refused: {body}")
            await self.refresh()

    async def refresh(self):
        """Refresh from two tabs at once, as browsers do."""
        asked = {"refresh": self.pair["refresh"]}
        answers = await asyncio.gather(
            self.ask("/refresh", body=asked), self.ask("/refresh", body=asked)
        )
        for status, body in answers:
            if status == 200:
                self.pair = body
            elif status == 401:
                if self.is_late:
                    self.ledger.answers["logged out after a lost or late answer"] += 1
                else:
                    self.ledger.blame(f"{self.subject} was logged out: {body}")
                self.pair = None
                return

    async def log_out(self):
        pair, self.pair = self.pair, None
        status, _ = await self.ask("/logout", body={"refresh": pair["refresh"]})
        if status != 200:
            return

        await asyncio.sleep(KNOWN_WITHIN)
        was_faulty = self.ledger.faulty
        status, _ = await self.ask("/me", token=pair["access"])
        if status == 200 and not was_faulty:
            self.ledger.blame(f"{self.subject} got in after a log-out")
        status, _ = await self.ask("/refresh", body={"refresh": pair["refresh"]})
        if status == 200:
            self.ledger.blame(f"{self.subject} refreshed after a log-out")
