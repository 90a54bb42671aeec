"""The door to aiosmtplib: one message, one connection.

It knows nothing of accounts, and never sends in clear unless a setting allows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage

from asgi_auth.errors import MissingExtraError

try:
    import aiosmtplib
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = ["MailServer"]

_IMPLICIT_TLS = 465


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in.

    Attributes:
        host: Its name.
        port: 465 speaks TLS from the start; any other one has to offer STARTTLS.
        username: To log in with, or ``None``.
        password: To log in with, or ``None``.
        timeout: Seconds that the server may take for each step.
        plaintext: Speak without encryption.

    Raises:
        MissingExtraError: aiosmtplib is not installed.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    plaintext: bool = False

    def __post_init__(self) -> None:
        """Refuse to be made where nothing could be sent."""
        if not _INSTALLED:
            msg = 'SMTPSender needs aiosmtplib: python -m pip install "asgi-auth[smtp]"'
            raise MissingExtraError(msg)

    async def send(self, message: EmailMessage) -> None:
        """Hand in one message.

        Raises:
            OSError: The server cannot be reached.
            SMTPException: The server refused.
        """
        implicit = self.port == _IMPLICIT_TLS and not self.plaintext
        await aiosmtplib.send(
            message,
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            timeout=self.timeout,
            use_tls=implicit,
            start_tls=not implicit and not self.plaintext,
        )
