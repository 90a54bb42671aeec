"""Hash a password as the library does, or check one against a hash."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from asgi_auth.cli._say import remark, say, say_json
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
        "  asgi-auth hash --json < password.txt\n"
        "  asgi-auth hash --against '$2b$12$…'   exits with 1 if it does not fit",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--against",
        metavar="HASH",
        help="check the password; print a new hash if this one is out of date",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        result = asyncio.run(_hash(read_password(), options.against))
    except UnavailableError:
        raise
    except AuthError as error:
        remark(f"asgi-auth: {error.public_message}")
        return 1

    if options.json:
        say_json(result)
    elif result["hash"] is not None:
        say(result["hash"])

    return int(result["fits"] is False)


async def _hash(password: str, against: str | None) -> dict[str, Any]:
    """Return the hash to store, if any, and whether the password fits *against*."""
    hasher = PasswordHasher()
    if against is None:
        return {"hash": await hasher.hash(password), "fits": None}

    try:
        newer = (await hasher.verify(password, against)).replacement
    except InvalidCredentialsError:
        remark("The password does not fit.")
        return {"hash": None, "fits": False}

    remark("The password fits." if newer is None else "It fits; store this instead:")
    return {"hash": newer, "fits": True}
