"""What happened to all users, by their own account.

It knows no server and no store. A slow machine is never a wrong: what is held against
us is what has no cause, whoever was late.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.load.wire import PATIENCE

# Seconds that a worker was late: it is starved, and so is what it waits for.
STARVED = 0.5
_KEPT = 200_000
# Of the last ten seconds, the percentage in which something waited for a core, or for
# the disk: see the kernel's Documentation/accounting/psi.rst.
_PRESSURE = {"cpu": 25.0, "io": 15.0}


def starves():
    """Report whether this machine has too much to do, whoever gave it that."""
    for what, limit in _PRESSURE.items():
        with suppress(OSError):
            line = Path("/proc/pressure", what).read_text().split()
            if float(line[1].partition("=")[2]) > limit:
                return True

    return False


@dataclass
class Ledger:
    """The account.

    Attributes:
        answers: How often each request got each status.
        causes: What was lost for a reason that is documented.
        wrongs: What must never happen, in words.
        latest: The longest that some things took, in seconds.
        allowed: What the present fault may lead to: ``503``, ``lost``, ``forgotten``.
        forgot_at: Until when a store has last forgotten sessions.
        kept_at: Sessions from before were not among these.
        is_over: Users are to do nothing any more.
    """

    answers: Counter = field(default_factory=Counter)
    causes: Counter = field(default_factory=Counter)
    wrongs: list[str] = field(default_factory=list)
    latest: dict[str, float] = field(default_factory=dict)
    allowed: frozenset = frozenset()
    forgot_at: float = float("-inf")
    kept_at: float = float("-inf")
    is_over: bool = False
    _times: list[float] = field(default_factory=list)
    _good: list[float] = field(default_factory=list)

    def blame(self, text):
        self.wrongs.append(text)

    def measure(self, what, seconds):
        self.latest[what] = round(max(seconds, self.latest.get(what, 0.0)), 2)

    def note(self, what, answer, took, allowed):
        """Take an answer down."""
        status = answer.status
        self.answers[f"{what} {status}"] += 1
        if len(self._times) < _KEPT:
            self._times.append(took)

        if status < 500:
            self._good.append(time.monotonic())
        elif status != 503:
            self.blame(f"{what} was answered {status}")
        elif not answer.has_retry_after:
            self.blame(f"{what} was answered 503 without Retry-After")
        elif "503" in allowed:
            pass
        elif answer.late > STARVED or starves():
            self.causes["503 of a machine that starved"] += 1
        else:
            self.blame(f"{what} was answered 503 without a fault")

    def note_lost(self, what, allowed):
        self.answers[f"{what} lost"] += 1
        if "lost" not in allowed:
            self.blame(f"{what} was not answered, without a fault")

    def note_given_up(self, what, allowed):
        self.answers[f"{what} given up"] += 1
        if "lost" not in allowed:
            self.causes["given up after 10 s"] += 1

    def rate(self, seconds):
        """Return how many answers a second were no outage, lately."""
        since = time.monotonic() - seconds
        self._good = [at for at in self._good if at > since - 60]
        return sum(at > since for at in self._good) / seconds

    def may_have_forgotten(self, since):
        """Say whether a store may have forgotten a session of that time."""
        is_forgetful = "forgotten" in self.allowed or since < self.forgot_at
        return is_forgetful and since >= self.kept_at

    def clear_up(self):
        """Take the fault for over."""
        if "forgotten" in self.allowed:
            self.forgot_at = time.monotonic()

        self.allowed = frozenset()

    def turn_page(self):
        """Begin anew; return the rate of the page that is done."""
        rate, self.kept_at = self.rate(5), float("-inf")
        for kept in (self.answers, self.causes, self.wrongs, self.latest, self._times):
            kept.clear()

        return rate

    def percentile(self, share):
        times = sorted(self._times)
        return round(times[int(len(times) * share)], 3) if times else None

    def close(self):
        """Blame what only the whole can show."""
        given_up = self.causes["given up after 10 s"]
        if given_up and (self.percentile(0.99) or 0.0) < PATIENCE / 4:
            self.blame(f"{given_up} were never answered, and the machine was quick")

    def to_json(self):
        """Return what is kept of it."""
        return {
            "answers": dict(sorted(self.answers.items())),
            "p50_s": self.percentile(0.5),
            "p99_s": self.percentile(0.99),
            "causes": dict(sorted(self.causes.items())),
            "latest_s": dict(sorted(self.latest.items())),
            "wrongs": len(self.wrongs),
            "wrong": [text for text, _ in Counter(self.wrongs).most_common(10)],
        }
