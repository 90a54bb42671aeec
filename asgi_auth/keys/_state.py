"""What a key set is at one moment: checked once, then only read.

Nothing here changes; a rotation is another state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys.key import Key

__all__ = ["State", "build_state", "check_count", "named_key"]

_MAX_KEYS = 100


@dataclass(frozen=True, slots=True)
class State:
    """The keys of a set, with what readers ask for looked up in advance.

    Attributes:
        keys: In the order in which they were given.
        by_kid: Under each name, the first key that has it.
        by_name: Each key under its kid with each name of its algorithm.
        sole: Under each name of an algorithm, the key that alone has it.
        is_nameless: Whether all are one key, which was given no kid.
        signing: The key that signs, or ``None``.
        generation: How many states there were before.
    """

    keys: tuple[Key, ...]
    by_kid: Mapping[str, Key]
    by_name: Mapping[tuple[str, str], Key]
    sole: Mapping[str, Key]
    is_nameless: bool
    signing: Key | None
    generation: int


def build_state(
    keys: tuple[Key, ...],
    signing: Key | str | None,
    *,
    generation: int,
    adopt: bool = True,
) -> State:
    """Check the keys and make a state of them.

    Args:
        keys: The keys.
        signing: The key that signs, or its kid.
        generation: The number of the state.
        adopt: Whether the first key that can sign does, if none is named.

    Raises:
        ConfigurationError: The keys do not make a set.
    """
    _check(keys)
    by_kid = {key.kid: key for key in reversed(keys)}
    by_kid = {key.kid: by_kid[key.kid] for key in keys}
    names = Counter(name for key in keys for name in key.algorithm_names)
    return State(
        keys=keys,
        by_kid=by_kid,
        by_name={(key.kid, name): key for key in keys for name in key.algorithm_names},
        sole={
            name: key
            for key in keys
            for name in key.algorithm_names
            if names[name] == 1
        },
        is_nameless=len(by_kid) == 1 and not any(key.is_named for key in keys),
        signing=_signing(by_kid, signing, adopt=adopt),
        generation=generation,
    )


def _check(keys: tuple[Key, ...]) -> None:
    check_count(len(keys))
    if len({key.is_symmetric for key in keys}) > 1:
        msg = (
            "A key set never mixes HMAC secrets and key pairs: put them into two sets, "
            "each with its own issuer."
        )
        raise ConfigurationError(msg)

    by_kid: dict[str, list[Key]] = {}
    for key in keys:
        by_kid.setdefault(key.kid, []).append(key)

    for kid, same in by_kid.items():
        if len(same) > 1 and not _are_alternatives(same):
            msg = f"Two keys of the set have the kid {kid!r}: give each its own kid."
            raise ConfigurationError(msg)


def _are_alternatives(keys: list[Key]) -> bool:
    """Say whether public keys of one kid differ in their algorithm.

    Some issuers publish one key once for each (RFC 7517, section 4.5).
    """
    names = Counter(name for key in keys for name in key.algorithm_names)
    is_public = not any(key.is_private or key.is_symmetric for key in keys)
    return is_public and max(names.values()) == 1


def check_count(count: int) -> None:
    """Refuse a set without keys, or with more than anybody rotates."""
    if not 0 < count <= _MAX_KEYS:
        msg = f"A key set must hold 1 to {_MAX_KEYS} keys, and this one has {count}."
        raise ConfigurationError(msg)


def _signing(
    by_kid: Mapping[str, Key], choice: Key | str | None, *, adopt: bool
) -> Key | None:
    if choice is None:
        able = (key for key in by_kid.values() if key.is_private)
        return next(able, None) if adopt else None

    key = named_key(by_kid, choice if isinstance(choice, str) else choice.kid)
    if key.is_private:
        return key

    msg = f"The key {key.kid!r} can only verify: let a private key sign."
    raise ConfigurationError(msg)


def named_key(by_kid: Mapping[str, Key], kid: str) -> Key:
    """Look up a key that must be there."""
    key = by_kid.get(kid)
    if key is not None:
        return key

    msg = f"The set has no key {kid!r}: it has {', '.join(map(repr, by_kid))}."
    raise ConfigurationError(msg)
