"""Reads key settings from the environment, or from the files that it names.

It refuses to choose when several are set, and repeats no value in an error: people
put secrets into the wrong variable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from asgi_auth.errors import ConfigurationError

__all__ = ["KINDS", "KeySetting", "names_key", "read_env"]

Kind: TypeAlias = Literal["SECRET_KEY", "PRIVATE_KEY", "PUBLIC_KEY", "JWKS"]
KINDS: tuple[Kind, ...] = ("SECRET_KEY", "PRIVATE_KEY", "PUBLIC_KEY", "JWKS")


@dataclass(frozen=True, slots=True)
class KeySetting:
    """What the environment says of the keys.

    Attributes:
        name: Of the variable.
        kind: Which of the settings it is.
        value: The text of the key or keys.
        algorithm: The algorithm, if one is named.
        password: Of an encrypted private key, if there is one.
    """

    name: str
    kind: Kind
    value: str = field(repr=False)
    algorithm: str | None
    password: str | None = field(repr=False)


def read_env(prefix: str, environ: Mapping[str, str] | None) -> KeySetting:
    """Find the one key setting under *prefix*; empty variables count as not set.

    Raises:
        ConfigurationError: None or several are set, or a file cannot be read.
    """
    source = os.environ if environ is None else environ
    variables = _variables(prefix, source)
    if len(variables) != 1:
        text = " and ".join(prefix + name for name in variables)
        text = text or 'none. "asgi-auth keygen" makes a secret'
        msg = (
            f"Set exactly one of {', '.join(prefix + kind for kind in KINDS)}, or the "
            f"path of a file in one of them with _FILE at its end; found: {text}."
        )
        raise ConfigurationError(msg)

    kind = next(kind for kind in KINDS if variables[0] in {kind, f"{kind}_FILE"})
    algorithm = source.get(f"{prefix}ALGORITHM") or None
    if kind == "JWKS" and algorithm is not None:
        msg = f"Unset {prefix}ALGORITHM: each key of {prefix}JWKS names its own in alg."
        raise ConfigurationError(msg)

    name = prefix + variables[0]
    password = _password(prefix, kind, source)
    return KeySetting(name, kind, _value(kind, name, source), algorithm, password)


def names_key(prefix: str = "ASGI_AUTH_") -> bool:
    """Say whether the environment names a key, good or bad, under *prefix*."""
    return bool(_variables(prefix, os.environ))


def _variables(prefix: str, source: Mapping[str, str]) -> list[str]:
    names = [name for kind in KINDS for name in (kind, f"{kind}_FILE")]
    return [name for name in names if source.get(prefix + name)]


def _value(kind: Kind, name: str, source: Mapping[str, str]) -> str:
    text = _text(name, source)
    if kind in {"PRIVATE_KEY", "PUBLIC_KEY"}:
        # Many hosts cannot store line breaks in a variable, so people write "\n".
        return text.replace("\\n", "\n")

    if kind == "SECRET_KEY" and ("\n" in text or "\r" in text):
        msg = f"{name} holds a line break within the secret: set it to one line."
        raise ConfigurationError(msg)

    return text


def _password(prefix: str, kind: Kind, source: Mapping[str, str]) -> str | None:
    """Read the password of an encrypted private key, where one is set."""
    name = f"{prefix}PRIVATE_KEY_PASSWORD"
    variables = [each for each in (name, f"{name}_FILE") if source.get(each)]
    if not variables:
        return None

    if len(variables) > 1 or kind != "PRIVATE_KEY":
        msg = f"Set {name} or {name}_FILE, and only beside {prefix}PRIVATE_KEY."
        raise ConfigurationError(msg)

    return _text(variables[0], source)


def _text(name: str, source: Mapping[str, str]) -> str:
    text = source[name]
    if name.endswith("_FILE"):
        text = _read(name, text)

    # Editors and `echo` end a text with a newline, and Windows begins it with a byte
    # order mark; neither is part of a secret, and no other service would sign with it.
    return text.removeprefix("\ufeff").rstrip("\r\n")


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = type(error).__name__

    msg = f"The file that {name} names cannot be read as UTF-8 text ({reason})."
    raise ConfigurationError(msg)
