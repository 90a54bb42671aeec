"""Recovery codes: kept as digests, each used once.

Pure functions; the codes themselves are shown once, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asgi_auth._encoding import constant_time_equal
from asgi_auth.factors.codes import digest_of
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.factors.records import FactorRecord

__all__ = ["record_of", "use"]


def record_of(subject: str, codes: Sequence[str], *, now: float) -> FactorRecord:
    """Return what is kept of new codes."""
    digests = [digest_of(code, subject=subject) for code in codes]
    return FactorRecord(
        subject=subject, kind="recovery", since=now, data={"codes": digests}
    )


def use(record: FactorRecord | None, code: str, *, now: float) -> FactorRecord:
    """Return the record without a code.

    Raises:
        InvalidCodeError: It is none of them, or not any more.
    """
    digests = () if record is None else record.data["codes"]
    digest = digest_of(code, subject="" if record is None else record.subject)
    others = [
        other
        for other in digests
        if not constant_time_equal(other.encode(), digest.encode())
    ]
    if record is None or len(others) == len(digests):
        msg = "this is none of the recovery codes, or not any more"
        raise InvalidCodeError(msg)

    return replace(record, used_at=now, data={"codes": others})
