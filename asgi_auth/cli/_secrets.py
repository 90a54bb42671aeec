"""Read what must not stand in the list of processes: keys, tokens, passwords.

They come from the standard input, a file or the environment, never as an argument.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import KeySet
from asgi_auth.keys._env import names_key

__all__ = ["add_key_options", "has_keys", "read_keys", "read_password", "read_token"]


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """Describe where keys come from."""
    group = parser.add_argument_group(
        "key",
        "One of the variables ASGI_AUTH_SECRET_KEY, ASGI_AUTH_PRIVATE_KEY, "
        "ASGI_AUTH_PUBLIC_KEY and ASGI_AUTH_JWKS (or one of them with _FILE), or:",
    )
    group.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="a secret, a PEM key, a JWK or a JWK set",
    )
    group.add_argument(
        "--algorithm", help="of a secret or a PEM key, for instance HS512 or PS256"
    )


def has_keys(options: argparse.Namespace) -> bool:
    """Say whether the options or the environment name keys, good or bad ones."""
    return options.key_file is not None or names_key()


def read_keys(options: argparse.Namespace) -> KeySet:
    """Read the keys that the options or the environment name.

    Raises:
        ConfigurationError: There are none, or they are not good enough.
    """
    if options.key_file is None:
        return KeySet.from_env()

    text = _read_file(options.key_file).strip()
    if text.startswith("{"):
        return KeySet.from_jwks(text) if '"keys"' in text else KeySet.from_jwk(text)

    if text.startswith("-----BEGIN"):
        return KeySet.from_pem(text, options.algorithm)

    return KeySet.from_secret(text, options.algorithm or "HS256")


def read_token() -> str:
    """Read one token from the standard input.

    Raises:
        ConfigurationError: There is none.
    """
    if sys.stdin.isatty():
        sys.stderr.write("Paste the token, then press Enter:\n")

    token = sys.stdin.readline().strip().removeprefix("Bearer ")
    if not token:
        msg = "No token came on the standard input, for instance from a file: < token"
        raise ConfigurationError(msg)

    return token


def read_password() -> str:
    """Read one password, without showing it.

    Raises:
        ConfigurationError: It is empty.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")

    if not password:
        msg = "No password came on the standard input."
        raise ConfigurationError(msg)

    return password


def _read_file(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read as UTF-8 text ({type(error).__name__})."
        raise ConfigurationError(msg) from None
