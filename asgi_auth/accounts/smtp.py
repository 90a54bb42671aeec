"""Sends the messages of accounts by mail.

One message is one connection: it is for sign-ups and forgotten passwords, not for
newsletters.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from typing import Final
from urllib.parse import urlsplit

from asgi_auth._drivers.smtp import MailServer
from asgi_auth._logs import package_logger
from asgi_auth.accounts.base import Account, MessageKind
from asgi_auth.accounts.messages import WORDS
from asgi_auth.errors import ConfigurationError

_logger = package_logger(__name__)

__all__ = ["SMTPSender"]

_WITH_TOKEN: Final[tuple[MessageKind, ...]] = (
    "verify",
    "reset",
    "exists",
    "change_email",
)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SMTPSender:
    """Sends messages through a mail server, always encrypted.

    Args:
        host: The server.
        sender: What stands after ``From:``.
        links:
            For each kind of message that has a token, the page that takes it, with
            ``{token}`` in it. Put it after a ``#``, so that it stays out of logs.
        port: 587 for STARTTLS, 465 for TLS from the start.
        username: To log in with, where the server asks for that.
        password: To log in with.
        timeout: Seconds that the server may take.
        insecure_plaintext: Send without encryption, as test servers do.

    Raises:
        MissingExtraError: aiosmtplib is not installed.
        ConfigurationError: A link is missing, is not ``https``, or lacks ``{token}``.
    """

    def __init__(
        self,
        host: str,
        *,
        sender: str,
        links: Mapping[MessageKind, str],
        port: int = 587,
        username: str | None = None,
        password: str | None = None,
        timeout: float = 10.0,
        insecure_plaintext: bool = False,
    ) -> None:
        for kind in _WITH_TOKEN:
            _check_link(kind, links.get(kind, ""))

        if insecure_plaintext:
            _logger.warning("insecure_plaintext: mail, with its links, goes in clear")

        self._links = dict(links)
        self._sender = sender
        self._server = MailServer(
            host=host,
            port=port,
            username=username,
            password=password,
            timeout=timeout,
            plaintext=insecure_plaintext,
        )

    async def __call__(
        self, kind: MessageKind, account: Account, token: str | None
    ) -> None:
        """Send one message.

        Raises:
            OSError: The server cannot be reached.
            SMTPException: The server refused.
        """
        subject, words = WORDS[kind]
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = account.email
        message["Subject"] = subject
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid()
        message["Auto-Submitted"] = "auto-generated"
        if token is not None:
            # A code is typed in, and needs no link.
            link = self._links.get(kind, "{token}")
            words += "\n\n" + link.replace("{token}", token)

        message.set_content(words + "\n")
        await self._server.send(message)


def _check_link(kind: MessageKind, link: str) -> None:
    url = urlsplit(link)
    safe = url.scheme == "https" or url.hostname in _LOOPBACK
    if not safe or "{token}" not in link:
        msg = (
            f"SMTPSender needs links[{kind!r}], an https URL with {{token}} in it, "
            f"like 'https://app.example/{kind}#{{token}}'."
        )
        raise ConfigurationError(msg)
