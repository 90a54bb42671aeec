"""Codes by e-mail: 8 characters, ten minutes, five tries, for one log-in only.

A code is good for the browser that asked for it: it is kept under the name of that
log-in. Nothing that opens a message can use it up, as it has to be sent back by POST.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from asgi_auth._clock import Clock
from asgi_auth._encoding import constant_time_equal
from asgi_auth.factors.codes import new_email_code, plain
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.factors.records import FactorRecord
from asgi_auth.keys.sealing import SealedValueError, SealKeys

__all__ = ["EmailCodes"]

_TTL: Final = 600
_TRIES: Final = 5
# More log-ins of one user than that do not wait for a message at once.
_MOST: Final = 10


class EmailCodes:
    """Makes codes, and checks them.

    Args:
        keys: Seal the codes, which are too short for a digest.
        clock: Returns Unix seconds.
    """

    __slots__ = ("_clock", "_keys")

    def __init__(self, keys: SealKeys, *, clock: Clock) -> None:
        self._clock = clock
        self._keys = keys

    def make(
        self, record: FactorRecord | None, *, subject: str, attempt: str, address: str
    ) -> tuple[FactorRecord, str]:
        """Return the record that waits for a code, and the code.

        Args:
            record: Of the user, if there is one.
            subject: The user.
            attempt: The log-in that the code is for; an older code of it is over.
            address: Where the code goes: another address makes it worthless.
        """
        now = self._clock()
        code = new_email_code()
        if record is None:
            record = FactorRecord(
                subject=subject, kind="email", since=now, data={"confirmed": False}
            )

        others = [
            entry for entry in self._live(record, now) if entry["attempt"] != attempt
        ]
        entry = {
            "attempt": attempt,
            "code": self._keys.seal(
                plain(code).encode(), purpose=_purpose(subject, attempt, address)
            ),
            "tries": 0,
            "until": now + _TTL,
        }
        return _with(record, [*others, entry][-_MOST:]), code

    def use(
        self, record: FactorRecord | None, code: str, *, attempt: str, address: str
    ) -> FactorRecord:
        """Return the record in which a code is used up, or a try: see :meth:`waits`.

        Raises:
            InvalidCodeError: No code waits for this log-in, or it has no try left.
        """
        now = self._clock()
        entries = [] if record is None else self._live(record, now)
        mine = [entry for entry in entries if entry["attempt"] == attempt]
        if record is None or not mine or mine[0]["tries"] >= _TRIES:
            msg = "no code by e-mail waits for this log-in"
            raise InvalidCodeError(msg)

        others = [entry for entry in entries if entry is not mine[0]]
        purpose = _purpose(record.subject, attempt, address)
        if self._is_right(mine[0]["code"], code, purpose):
            data = {**record.data, "confirmed": True}
            return _with(replace(record, used_at=now, data=data), others)

        counted = {**mine[0], "tries": mine[0]["tries"] + 1}
        return _with(record, [*others, counted])

    def waits(self, record: FactorRecord, attempt: str) -> bool:
        """Report whether a log-in still waits for a code: then none was right."""
        return any(entry["attempt"] == attempt for entry in record.data["waiting"])

    def _is_right(self, sealed: str, code: str, purpose: str) -> bool:
        try:
            expected = self._keys.unseal(sealed, purpose=purpose)
        except SealedValueError:
            # For the address that was, or under a key that is gone.
            return False

        return constant_time_equal(expected, code.encode())

    def _live(self, record: FactorRecord, now: float) -> list[Mapping[str, Any]]:
        entries: Sequence[Mapping[str, Any]] = record.data.get("waiting", ())
        return [entry for entry in entries if entry["until"] > now]


def _with(record: FactorRecord, entries: list[Mapping[str, Any]]) -> FactorRecord:
    return replace(record, data={**record.data, "waiting": entries})


def _purpose(subject: str, attempt: str, address: str) -> str:
    return f"code by e-mail {subject} {attempt} {address}"
