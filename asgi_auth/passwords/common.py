"""Recognises the passwords that are guessed first.

It knows roots and rules, not millions of lines: ``P4ssw0rd!2024`` is ``password``
with dress on. It never looks a password up anywhere else.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

__all__ = ["is_common", "is_mostly"]

_DRESS = string.digits + string.punctuation + string.whitespace

# The digit one stands for two letters, so there are two readings.
_READINGS = (
    str.maketrans("0134578@$!+", "oieastbasit"),
    str.maketrans("0134578@$!+", "oleastbaslt"),
)

# Paths on which fingers walk, forwards and backwards.
_FORWARDS = (
    "01234567890",
    "0123456789abcdef",
    string.ascii_lowercase,
    "qwertyuiop[]",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl;",
    "qsdfghjklm",
    "zxcvbnm,./",
    "wxcvbn",
    "!@#$%^&*()",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "qazwsxedcrfvtgbyhnujmikolp",
    "12qwaszx34erdfcv",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "147258369",
    "159753",
    "a1b2c3d4e5f6g7h8i9",
)
_PATHS = "\n".join([*_FORWARDS, *(path[::-1] for path in _FORWARDS)])

_SHORTEST_STEP = 3
_SHORTEST_UNIT = 5
_LONGEST_PAIR = 24
_LEAST_REST = 4

# Shorter ones are dates and telephones.
_SHORTEST_NUMBER = 12


def is_common(folded: str) -> bool:
    """Say whether a folded password is a root in dress, a walk, or a repetition."""
    if folded.isdecimal() and len(folded) < _SHORTEST_NUMBER:
        return True

    bare = folded.strip(_DRESS)
    if _is_idle(folded) or (2 * len(bare) >= len(folded) and _is_idle(bare)):
        return True

    return any(_is_root(form) for form in _undressed(folded))


def is_mostly(folded: str, word: str) -> bool:
    """Say whether hardly a letter is left of a password without a given word."""
    return any(
        word in form and len(form.replace(word, "").strip(_DRESS)) < _LEAST_REST
        for form in _undressed(folded)
    )


def _undressed(text: str) -> Iterator[str]:
    """Yield a text without what people put on to please a rule."""
    for whole in dict.fromkeys((text, _unit(text))):
        yield whole
        bare = whole.strip(_DRESS)
        for reading in _READINGS:
            yield from (bare.translate(reading), _unit(bare).translate(reading))
            late = whole.translate(reading).strip(_DRESS)
            yield from (late, _unit(late))


def _is_idle(text: str) -> bool:
    """Say whether fingers could type a text on their own."""
    unit = _unit(text)
    return len(unit) < _SHORTEST_UNIT or _is_walk(unit)


def _is_root(form: str) -> bool:
    roots = _roots()
    if form in roots or form[::-1] in roots:
        return True

    if len(form) > _LONGEST_PAIR:
        return False

    return any(form[:at] in roots and form[at:] in roots for at in range(3, len(form)))


def _is_walk(text: str) -> bool:
    """Say whether a text is nothing but steps along keyboard, alphabet or digits."""
    text = _without_doubles(text)
    at = 0
    while at < len(text):
        step = _step(text, at)
        if step < _SHORTEST_STEP and at + step < len(text):
            return False

        at += step

    return True


def _step(text: str, at: int) -> int:
    length = 1
    while at + length < len(text) and text[at : at + length + 1] in _PATHS:
        length += 1

    return length


def _without_doubles(text: str) -> str:
    return "".join(
        character for at, character in enumerate(text) if text[at - 1 : at] != character
    )


def _unit(text: str) -> str:
    """Return the shortest text that, repeated, makes up this one."""
    return text[: (text + text).find(text, 1)]


@cache
def _roots() -> frozenset[str]:
    lines = files("asgi_auth.passwords").joinpath("common.txt").read_text("utf-8")
    words = (line for line in lines.splitlines() if not line.startswith("#"))
    return frozenset(word for line in words for word in line.split())
