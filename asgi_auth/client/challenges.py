"""Read ``WWW-Authenticate``: what a server wants to see (RFC 9110, section 11.6.1).

Nothing is guessed: a field that breaks the grammar says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = [
    "ReceivedChallenge",
    "errors_of",
    "parse_challenges",
    "says_invalid_token",
]

_LONGEST = 8192
_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"'
_SCHEME = re.compile(_NAME)
_PARAM = re.compile(rf"({_NAME})[ \t]*=[ \t]*(?:({_NAME})|{_QUOTED})")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|\Z))")
_SPACES = re.compile(r" +")
_BETWEEN = re.compile(r"[ \t]*(?:,[ \t]*)*")
_END = re.compile(r"[ \t]*(?:,|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class ReceivedChallenge:
    """One scheme that the server accepts.

    Attributes:
        scheme: Its name, in lower case.
        params: Its parameters; names in lower case.
        token68: What stands in their place, for instance for Negotiate.
    """

    scheme: str
    params: dict[str, str] = field(default_factory=dict)
    token68: str | None = None


def parse_challenges(text: str) -> list[ReceivedChallenge]:
    """Read one field line, which may hold several challenges.

    Raises:
        ValueError: It breaks the grammar, gives a parameter twice, or is longer than
            8192 characters.
    """
    if len(text) > _LONGEST:
        msg = "the field is too long"
        raise ValueError(msg)

    challenges: list[ReceivedChallenge] = []
    place = _skip(_BETWEEN, text, 0)
    while place < len(text):
        place = _read_element(text, place, challenges)
        if _END.match(text, place) is None:
            msg = "a comma is missing"
            raise ValueError(msg)

        place = _skip(_BETWEEN, text, place)

    return challenges


def says_invalid_token(lines: Iterable[str], *schemes: str) -> bool:
    """Say whether a challenge calls the token invalid (RFC 6750, 3.1; RFC 9449, 7.1).

    Args:
        lines: The field lines, each as it came.
        schemes: Whose challenges count beside those of Bearer, in lower case.
    """
    return "invalid_token" in errors_of(lines, "bearer", *schemes)


def errors_of(lines: Iterable[str], *schemes: str) -> set[str]:
    """Return what the challenges of some schemes say is wrong.

    Args:
        lines: The field lines, each as it came.
        schemes: In lower case.
    """
    challenges = (each for each in _readable(lines) if each.scheme in schemes)
    return {each.params["error"] for each in challenges if "error" in each.params}


def _readable(lines: Iterable[str]) -> Iterable[ReceivedChallenge]:
    for line in lines:
        try:
            yield from parse_challenges(line)
        except ValueError:
            continue


def _read_element(text: str, place: int, challenges: list[ReceivedChallenge]) -> int:
    """Read what stands between two commas: a parameter, or how a challenge begins."""
    if challenges and challenges[-1].token68 is None and _PARAM.match(text, place):
        return _read_param(text, place, challenges[-1])

    scheme = _SCHEME.match(text, place)
    if scheme is None:
        msg = "there is no scheme"
        raise ValueError(msg)

    challenge = ReceivedChallenge(scheme[0].lower())
    challenges.append(challenge)
    spaces = _SPACES.match(text, scheme.end())
    if spaces is None:
        return scheme.end()

    token68 = _TOKEN68.match(text, spaces.end())
    if token68 is not None:
        challenge.token68 = token68[0]
        return token68.end()

    return _read_param(text, spaces.end(), challenge)


def _read_param(text: str, place: int, challenge: ReceivedChallenge) -> int:
    param = _PARAM.match(text, place)
    if param is None:
        return place  # "Bearer ,": what follows decides whether that was right.

    name, plain, quoted = param.groups()
    if name.lower() in challenge.params:
        msg = "a parameter is there twice"
        raise ValueError(msg)

    value = plain if quoted is None else _ESCAPE.sub(r"\1", quoted)
    challenge.params[name.lower()] = value
    return param.end()


def _skip(pattern: re.Pattern[str], text: str, place: int) -> int:
    matched = pattern.match(text, place)
    return place if matched is None else matched.end()
