"""Hash a password as the library does, or check one against a hash."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from asgi_auth.cli._say import remark, say
from asgi_auth.cli._secrets import read_password
from asgi_auth.errors import AuthError, InvalidCredentialsError, UnavailableError
from asgi_auth.passwords import PasswordHasher

__all__ = ["add"]


def add(commands: Any) -> None:
    """Describe the command ``hash``."""
    parser = commands.add_parser(
        "hash",
        help="hash a password, or check one",
        description="Hash the password that comes on the standard input (Argon2id).",
        epilog="examples:\n"
        "  asgi-auth hash                        asks without showing it\n"
        "  asgi-auth hash < password.txt\n"
        "  asgi-auth hash --against '$2b$12$…'   exits with 1 if it does not fit",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--against",
        metavar="HASH",
        help="check the password; print a new hash if this one is out of date",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        return asyncio.run(_hash(read_password(), options.against))
    except UnavailableError:
        raise
    except AuthError as error:
        remark(f"asgi-auth: {error.public_message}")
        return 1


async def _hash(password: str, against: str | None) -> int:
    hasher = PasswordHasher()
    if against is None:
        say(await hasher.hash(password))
        return 0

    try:
        newer = await hasher.verify(password, against)
    except InvalidCredentialsError:
        remark("The password does not fit.")
        return 1

    remark("The password fits." if newer is None else "It fits; store this instead:")
    if newer is not None:
        say(newer)

    return 0
