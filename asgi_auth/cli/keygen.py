"""Make a key, and say how strong it is.

The key goes to the standard output, or into the env file that is named: never to both.
"""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt import PyJWK

from asgi_auth.cli._env_file import (
    add_to_env_file,
    is_open_to_others,
    key_in_env_file,
)
from asgi_auth.cli._say import remark, say, say_json
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key

__all__ = ["add"]

_SECRET_BYTES = 64
"""Enough for any HMAC algorithm (RFC 7518, section 3.2)."""

_STRENGTHS = {
    "HS": "a guess is one in 2^512. Whoever has it can make tokens: for one service.",
    "RS": "about 112 bits with 2048, 128 with 3072: large tokens, slow to sign, "
    "understood everywhere.",
    "PS": "like RS, with a padding that is proven; some older services lack it.",
    "ES": "128 bits with ES256, 192 with ES384, 256 with ES512: small tokens.",
    "Ed": "128 bits: small tokens, fast to sign; not understood everywhere yet.",
}


def add(commands: Any) -> None:
    """Describe the command ``keygen``."""
    parser = commands.add_parser(
        "keygen",
        help="make a secret or a key pair",
        description="Make a key from the system's random source.",
        epilog="examples:\n"
        "  asgi-auth keygen --env-file .env\n"
        "  export ASGI_AUTH_SECRET_KEY=$(asgi-auth keygen)\n"
        "  asgi-auth keygen --algorithm ES256 > private.pem\n"
        "  asgi-auth keygen --algorithm EdDSA --format jwk\n"
        "  asgi-auth keygen --algorithm RS256 --bits 3072 --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--algorithm",
        default="HS256",
        help="HS256 (default), HS384, HS512, RS256, PS256, ES256, EdDSA, …",
    )
    parser.add_argument(
        "--format",
        choices=["secret", "pem", "jwk"],
        help="by default secret for HS algorithms, else pem",
    )
    parser.add_argument("--bits", type=int, help="size of an RSA key; 2048 by default")
    parser.add_argument("--kid", help="name of the key; by default its thumbprint")
    parser.add_argument(
        "--env-file",
        type=Path,
        metavar="FILE",
        help="write a secret into this file, if it has no key, and do not print it",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print algorithm, kid, the key, and the public half of a pair",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return _print(options) if options.env_file is None else _write(options)


def _print(options: argparse.Namespace) -> int:
    key, text = _make(options)
    form = options.format or ("secret" if key.is_symmetric else "pem")
    private, public = _halves(key, form, text)
    if options.json:
        say_json(_members_of(key, form, private, public))
    else:
        say_json(private) if isinstance(private, dict) else say(private.rstrip("\n"))

    remark(_strength_of(key))
    return 0


def _write(options: argparse.Namespace) -> int:
    """Put a secret into an env file that has no key yet."""
    path: Path = options.env_file
    if options.algorithm != "HS256" or options.format == "jwk" or options.kid:
        msg = (
            "--env-file is for an HS256 secret, which is one line. Keep a pair in a "
            "file of its own, and name that in ASGI_AUTH_PRIVATE_KEY_FILE."
        )
        raise ConfigurationError(msg)

    variable = key_in_env_file(path)
    if variable is not None:
        text = f"{path} has {variable} already: nothing was changed."
        _report(options, text, variable)
        return 0

    key, secret = _make(options)
    is_new = add_to_env_file(path, "ASGI_AUTH_SECRET_KEY", secret)
    text = f"{'Made' if is_new else 'Added to'} {path}: ASGI_AUTH_SECRET_KEY."
    _report(options, text, "ASGI_AUTH_SECRET_KEY")
    remark(_strength_of(key))
    remark(f"Keep it to yourself: write {path.name} into .gitignore.")
    if is_open_to_others(path):
        remark(f"Others on this machine can read {path}: chmod 600 {path}")

    return 0


def _report(options: argparse.Namespace, text: str, variable: str) -> None:
    if options.json:
        file = str(options.env_file)
        say_json({"file": file, "variable": variable, "result": text})
    else:
        say(text)


def _make(options: argparse.Namespace) -> tuple[Key, str]:
    """Return a key, and the text of a secret."""
    if options.algorithm.startswith("HS"):
        # A text, so that it can stand in a variable of the environment.
        text = secrets.token_urlsafe(_SECRET_BYTES)
        key = Key.from_secret(text, options.algorithm, kid=options.kid)
        if options.bits is not None:
            msg = "--bits is the size of an RSA key: leave it out."
            raise ConfigurationError(msg)
    else:
        text = ""
        key = Key.generate(options.algorithm, kid=options.kid, bits=options.bits)

    return key, text


def _strength_of(key: Key) -> str:
    return f"{key.algorithm}, kid {key.kid}: {_STRENGTHS[key.algorithm[:2]]}"


def _members_of(key: Key, form: str, private: Any, public: Any) -> dict[str, Any]:
    members = {
        "algorithm": key.algorithm,
        "kid": key.kid,
        "format": form,
        "key": private,
    }
    return members if key.is_symmetric else {**members, "public": public}


def _halves(key: Key, form: str, text: str) -> tuple[Any, Any]:
    """Return the key, and the public half of a pair, in the form asked for."""
    private = key.to_jwk(insecure_private=True)
    public = None if key.is_symmetric else key.to_jwk()
    if form == "jwk":
        return private, public

    if (form == "secret") is not key.is_symmetric:
        msg = "secret is the form of HS algorithms, pem that of all others; jwk of all."
        raise ConfigurationError(msg)

    return (text, None) if key.is_symmetric else _pem(private)


def _pem(jwk: dict[str, Any]) -> tuple[str, str]:
    pair = PyJWK(jwk).key
    private = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = pair.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()
