"""A socket of a user, and whether it ends when it should.

A worker says with each message when it wrote it, and as of when it knew of all
log-outs. One that knows better and still writes is wrong, however slow the machine is.
"""

from __future__ import annotations

import asyncio
import time

from tests.load.wire import LostError, claims_of, open_socket

# What is under way when the end comes may be one message; two are not.
_AFTER = 2
# Seconds after which a socket that is over is taken for one that never ends.
_FOREVER = 60.0
_ENDED, _TOO_SLOW = 3000, (1008, 1009, 1013)


class Seat:
    """One socket.

    Attributes:
        sid: Of the session whose token it was opened with.
        is_leaving: Its user is logging out.
        revoked_at: When the log-out was answered.
    """

    def __init__(self, user, token):
        self.user, self.ledger = user, user.ledger
        claims = claims_of(token)
        self.ends_at, self.sid = claims["exp"], claims["sid"]
        self.is_leaving, self.revoked_at = False, None
        self.ended = asyncio.Event()
        self._late = self._wiser = 0

    def hear(self, message):
        if message.get("type") == "presence":
            return

        if message["subject"] != self.user.subject:
            self.ledger.blame("a socket was somebody else's")

        if message["now"] > self.ends_at:
            self._late += 1
            if self._late == _AFTER:
                self.ledger.blame("a socket wrote after its token had ended")

        if self.revoked_at is not None and message["known"] > self.revoked_at:
            self._wiser += 1
            if self._wiser == _AFTER:
                self.ledger.blame("a socket wrote after its worker knew of the log-out")

    @property
    def due(self):
        return min(self.ends_at, self.revoked_at or self.ends_at)


async def sit(user, token, port):
    """Open a socket, and stay until it is over."""
    ledger, allowed = user.ledger, user.ledger.allowed
    # Before it is open: its user may log out meanwhile.
    user.seat = seat = Seat(user, token)
    socket = None
    try:
        socket = await open_socket(port, token, seat.hear)
    except LostError:
        ledger.note_lost("/ws", allowed | ledger.allowed)
    except TimeoutError:
        ledger.note_given_up("/ws", allowed | ledger.allowed)

    if socket is not None:
        await _sit_on(socket, seat, allowed)

    seat.ended.set()


async def _sit_on(socket, seat, allowed):
    ledger = seat.ledger
    ledger.answers[f"/ws {socket.status}"] += 1
    if socket.status >= 500 and "503" not in allowed | ledger.allowed:
        ledger.causes[f"a socket refused with {socket.status}"] += 1

    if socket.status == 101:
        await _stay(seat, socket, allowed)


async def _stay(seat, socket, allowed):
    ledger = seat.ledger
    while not socket.ended.is_set():
        try:
            async with asyncio.timeout(1.0):
                await socket.ended.wait()
        except TimeoutError:
            if time.time() > seat.due + _FOREVER:
                ledger.blame("a socket did not end")
                socket.close()
                return

    late = time.time() - seat.due
    allowed |= ledger.allowed
    ledger.answers[f"socket ended with {socket.code}"] += 1
    if late >= 0:
        why = "its token" if seat.due == seat.ends_at else "its log-out"
        ledger.measure(f"a socket ended after {why}", late)
    elif socket.code in _TOO_SLOW:
        ledger.causes["sockets that were too slow"] += 1
    elif socket.code != _ENDED:
        if "lost" not in allowed:
            ledger.blame(f"a socket ended early with {socket.code}")
    elif not seat.is_leaving and late < -1:
        if seat.user.has_given_up or "forgotten" in allowed:
            ledger.causes["sockets ended early with their session"] += 1
        else:
            ledger.blame("a socket ended early")
