"""Authenticator apps: set up with a first code, and asked for a code from then on.

Until its first code, a secret is nowhere but with the user, in a sealed enrolment: an
app that was never set up locks nobody out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Final

from asgi_auth._clock import Clock
from asgi_auth._encoding import b64url_decode, b64url_encode, compact_json
from asgi_auth._logs import package_logger
from asgi_auth.errors import UnavailableError
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.factors.records import FactorRecord
from asgi_auth.factors.totp import new_secret, spell, step_of, uri_of
from asgi_auth.keys.sealing import SealedValueError, SealKeys

__all__ = ["Authenticators", "TOTPEnrolment"]

_logger = package_logger(__name__)

_ENROLMENT_TTL: Final = 600
_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class TOTPEnrolment:
    """What a user needs to set up an authenticator app.

    Attributes:
        secret: To be typed in, in base32.
        uri: The same as an ``otpauth`` URI, to be shown as a QR code.
        token: Comes back with the first code of the app, within ten minutes.
    """

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    token: str = field(repr=False)


class Authenticators:
    """Sets authenticator apps up, and checks their codes.

    Args:
        keys: Seal the secrets.
        issuer: What apps show beside the name.
        clock: Returns Unix seconds.
    """

    __slots__ = ("_clock", "_issuer", "_keys")

    def __init__(self, keys: SealKeys, *, issuer: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock

    def begin(self, subject: str, name: str) -> TOTPEnrolment:
        """Make a secret."""
        secret = new_secret()
        content = {
            "secret": b64url_encode(secret).decode(),
            "until": self._clock() + _ENROLMENT_TTL,
        }
        return TOTPEnrolment(
            secret=spell(secret),
            uri=uri_of(secret, issuer=self._issuer, name=name),
            token=self._keys.seal(
                compact_json(content), purpose=f"totp enrolment {subject}"
            ),
        )

    def confirm(self, subject: str, token: str, code: str) -> FactorRecord:
        """Return the record of an app that is set up; its first code is used up.

        Raises:
            InvalidCodeError: The code is wrong, or the enrolment is over or another's.
        """
        try:
            text = self._keys.unseal(token, purpose=f"totp enrolment {subject}")
        except SealedValueError as error:
            raise InvalidCodeError(str(error)) from None

        content: dict[str, Any] = json.loads(text)
        now = self._clock()
        if content["until"] <= now:
            msg = "the enrolment is over"
            raise InvalidCodeError(msg)

        secret = b64url_decode(content["secret"].encode())
        step = step_of(secret, code, now=now, after=_NEVER)
        if step is None:
            msg = "the first code of the app is wrong"
            raise InvalidCodeError(msg)

        data = {"secret": self._seal(subject, secret), "step": step}
        return FactorRecord(subject=subject, kind="totp", since=now, data=data)

    def use(self, record: FactorRecord | None, code: str) -> FactorRecord:
        """Return the record in which the step of a code is used up.

        Raises:
            InvalidCodeError: It is of no step that counts, or of one that was used.
            UnavailableError: The key that the secret is sealed with is gone.
        """
        if record is None:
            msg = "the user has no authenticator app"
            raise InvalidCodeError(msg)

        now = self._clock()
        sealed = record.data["secret"]
        secret = self._unseal(record.subject, sealed)
        step = step_of(secret, code, now=now, after=record.data["step"])
        if step is None:
            msg = "the code is of no step that counts, or of one that was used"
            raise InvalidCodeError(msg)

        if not self._keys.is_current(sealed):
            sealed = self._seal(record.subject, secret)

        return replace(record, used_at=now, data={"secret": sealed, "step": step})

    def _seal(self, subject: str, secret: bytes) -> str:
        return self._keys.seal(secret, purpose=f"totp {subject}")

    def _unseal(self, subject: str, sealed: str) -> bytes:
        try:
            return self._keys.unseal(sealed, purpose=f"totp {subject}")
        except SealedValueError as error:
            # The operator's to mend; until then, a recovery code logs the user in.
            _logger.error("a secret of an authenticator app: %s", error)  # noqa: TRY400
            raise UnavailableError(str(error), retry_after=60) from None
