"""Mail through a real server; and what must never be sent."""

from __future__ import annotations

import asyncio
import io
import ssl
import subprocess
import sys
from email import message_from_bytes, policy

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP

from asgi_auth.accounts import Account, ConsoleSender
from asgi_auth.accounts.smtp import SMTPSender
from asgi_auth.errors import ConfigurationError

pytestmark = pytest.mark.anyio

ALICE = Account(id="1", email="alice@example.com")
LINKS = {
    kind: f"https://app.example/{kind}#{{token}}"
    for kind in ("verify", "reset", "exists", "change_email")
}


class Inbox:
    """What a mail server does with mail."""

    def __init__(self) -> None:
        self.messages = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.messages.append((envelope.rcpt_tos, message))
        return "250 OK"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def port(inbox):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(inbox, hostname="mail.example", loop=loop), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


def sender(port: int, **options) -> SMTPSender:
    return SMTPSender(
        "127.0.0.1",
        port=port,
        **{"sender": "App <app@app.example>", "links": LINKS, **options},
    )


async def test_a_message_arrives_with_its_link(inbox, port):
    await sender(port, insecure_plaintext=True)("reset", ALICE, "a.b-_.c{token}")
    (recipients, message), *rest = inbox.messages
    assert not rest
    assert recipients == ["alice@example.com"]
    assert message["From"] == "App <app@app.example>"
    assert message["Subject"] == "Choose a new password"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "https://app.example/reset#a.b-_.c{token}" in message.get_content()


async def test_a_notice_has_no_link(inbox, port):
    await sender(port, insecure_plaintext=True)("password_changed", ALICE, None)
    assert "https://" not in inbox.messages[0][1].get_content()


async def test_nothing_is_sent_in_clear_unless_asked_for(inbox, port):
    with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError)):
        await sender(port)("reset", ALICE, "t")
    assert not inbox.messages


async def test_an_address_cannot_add_headers(inbox, port):
    evil = Account(id="1", email="a@b.co\r\nBcc: eve@evil.example")
    with pytest.raises(ValueError):
        await sender(port, insecure_plaintext=True)("reset", evil, "t")
    assert not inbox.messages


async def test_a_server_that_is_gone_is_an_error_of_the_sender(free_port):
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await sender(free_port, insecure_plaintext=True)("reset", ALICE, "t")


@pytest.mark.parametrize(
    "link", ["", "https://app.example/reset", "http://app.example/#{token}", "{token}"]
)
def test_a_link_must_be_safe_and_take_the_token(link):
    with pytest.raises(ConfigurationError, match="reset"):
        sender(25, links={**LINKS, "reset": link})


def test_a_link_to_this_machine_may_be_plain():
    assert sender(25, links={**LINKS, "reset": "http://localhost:8000/#{token}"})


def test_the_password_of_the_server_never_prints():
    assert "hunter2" not in repr(sender(25, username="u", password="hunter2")._server)


def test_without_aiosmtplib_the_sentence_has_the_command():
    code = (
        "import sys; sys.modules['aiosmtplib'] = None\n"
        "from asgi_auth.accounts.smtp import SMTPSender\n"
        "links = dict.fromkeys(\n"
        "    ('verify', 'reset', 'exists', 'change_email'), 'https://a/#{token}'\n"
        ")\n"
        "SMTPSender('localhost', sender='a@b.co', links=links)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert 'python -m pip install "asgi-auth[smtp]"' in run.stderr


async def test_the_console_shows_the_token(capsys):
    stream = io.StringIO()
    await ConsoleSender(stream=stream)("reset", ALICE, "t.o.k")
    assert "alice@example.com" in stream.getvalue()
    assert "t.o.k" in stream.getvalue()
    await ConsoleSender()("password_changed", ALICE, None)
    assert "Your password was changed" in capsys.readouterr().err
