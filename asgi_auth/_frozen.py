"""Read-only JSON: what was signed cannot be changed by a handler that got it.

A cached token's claims are shared by every request that carries it: one handler that
appended a role would raise everybody. Objects stay dictionaries and lists become
tuples, so ``json.dumps`` needs no help.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

__all__ = [
    "FrozenDict",
    "freeze",
    "parse_flat",
    "parse_json",
    "parse_members",
    "parse_object",
]


class FrozenDict(dict[str, Any]):
    """A dictionary that cannot be changed."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        msg = "claims are read-only; make a copy with dict(claims)"
        raise TypeError(msg)

    __setitem__: Any = _refuse
    __delitem__: Any = _refuse
    __ior__: Any = _refuse
    clear: Any = _refuse
    pop: Any = _refuse
    popitem: Any = _refuse
    setdefault: Any = _refuse
    update: Any = _refuse

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, _: object) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


_LISTS = (list, tuple)  # A union would be made anew for each question.


def freeze(value: Any) -> Any:
    """Return *value* with dictionaries and lists read-only, to the last level."""
    if type(value) is FrozenDict:
        return value

    if isinstance(value, dict):
        return FrozenDict({name: freeze(member) for name, member in value.items()})

    if isinstance(value, _LISTS):
        return tuple(map(freeze, value))

    return value


def parse_object(data: bytes) -> FrozenDict:
    """Parse one JSON object, strictly and read-only.

    Raises:
        ValueError: It is not UTF-8, not JSON, not an object, has a member twice, a
            number that is not finite, a lone surrogate, or is nested too deeply.
    """
    return FrozenDict(parse_members(data))


def parse_members(data: bytes) -> dict[str, Any]:
    """Parse one JSON object as :func:`parse_object` does, for whoever freezes it.

    Only the object itself is not read-only yet.

    Raises:
        ValueError: As there.
    """
    text = data.decode("utf-8")
    try:
        return _parse_plain(text) or dict(_parse_strictly(text))
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None


def parse_flat(data: bytes) -> dict[str, Any]:
    """Parse one JSON object of texts and numbers, as strictly as :func:`parse_object`.

    What holds nothing else, and is not kept, is read in half the time.

    Raises:
        ValueError: As there; or it is another object.
    """
    text = data.decode("utf-8")
    if "\\" in text or "[" in text or text[:1] != "{" or text.find("{", 1) > 0:
        return parse_object(data)

    members: dict[str, Any]
    try:
        members, end = _scan(text, 0)
    except StopIteration:
        return parse_object(data)

    # As below, where there are lists as well.
    is_strict = len(members) - 1 == text.count(",") or _has_each_once(members, text)
    return members if is_strict and end == len(text) else parse_object(data)


def _parse_plain(text: str) -> dict[str, Any] | None:
    """Parse the common case fast; ``None`` sends all else the long way.

    An object without escapes and inner objects has a comma fewer than members, and so
    has each list. What else there is, in a text or with a member that is there twice,
    makes more of them. Mostly there is nothing, and no member need be looked at.
    """
    if "\\" in text or text.find("{", 1) > 0:
        return None

    value: Any
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return None

    if type(value) is not dict or end != len(text):
        return None

    commas = len(value) - 1
    if "[" in text:
        for name, member in value.items():
            if type(member) is list:
                try:
                    "".join(member)  # The fastest way to see that they are all texts.
                except TypeError:
                    return None

                commas += len(member) - 1 if member else 0
                value[name] = tuple(member)

    is_strict = commas == text.count(",") or _has_each_once(value, text)
    return value if is_strict else None


def _has_each_once(members: Mapping[str, Any], text: str) -> bool:
    """Report whether no member of an object as above is there twice.

    Each two quotes are one string: the name of a member, a value or one in a list.
    """
    strings = len(members)
    for member in members.values():
        if type(member) is tuple:
            strings += len(member)
        elif type(member) is str:
            strings += 1

    return 2 * strings == text.count('"')


def _parse_strictly(text: str) -> FrozenDict:
    value = _strict_decoder.decode(text)
    if "\\u" in text:
        # An escaped lone surrogate would break every later encode.
        json.dumps(value, ensure_ascii=False).encode("utf-8")

    if type(value) is not FrozenDict:
        msg = "not a JSON object"
        raise ValueError(msg)

    return value


def _object(pairs: list[tuple[str, Any]]) -> FrozenDict:
    value = FrozenDict((name, freeze(member)) for name, member in pairs)
    if len(value) != len(pairs):
        msg = "a member occurs twice"
        raise ValueError(msg)

    return value


def _constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:  # Infinity from 1e999; JSON has no such number.
        _constant("an overflowing number")

    return number


def parse_json(
    text: str,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """Read JSON with the numbers that JSON has: no NaN, and none that overflows.

    Raises:
        ValueError: It is no such JSON.
        RecursionError: It is nested too deeply.
    """
    return json.loads(
        text,
        object_pairs_hook=object_pairs_hook,
        parse_constant=_constant,
        parse_float=_finite,
    )


_decoder: Any = json.JSONDecoder(parse_constant=_constant, parse_float=_finite)
_scan = _decoder.scan_once  # ``raw_decode`` is a call into Python around it.
_strict_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
)
