"""The table of verified tokens: hit rates, memory, and what an attack does to it."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from time import perf_counter
from typing import Any, Protocol

from asgi_auth import JWTBackend, KeySet, TokenVerifier
from asgi_auth.credentials import Credential
from asgi_auth.errors import InvalidTokenError
from asgi_auth.tokens.cache import VerifiedCache
from benchmarks.material import AUDIENCE, ISSUER, Material, forge
from benchmarks.measure import interleave, of_function
from benchmarks.report import number, table

__all__ = ["run", "show"]

_SIZE = 4096
_USERS = 32_768
_REQUESTS = 300_000
_ATTACK = 20_000
_ACTIVE = 1000


def run(rounds: int) -> dict[str, Any]:
    """Play the loads, weigh the entries, attack."""
    return {
        "rounds": rounds,
        "size": _SIZE,
        "hit_rates": [*_hit_rates()],
        "bytes_per_entry": _weigh(),
        "attacks": [_attack(name, rounds) for name in ("forged", "good")],
    }


def show(result: dict[str, Any]) -> str:
    """Lay out three tables."""
    rates = [
        [row["load"], f"{row['ours']:.1%}", f"{row['lru']:.1%}"]
        for row in result["hit_rates"]
    ]
    attacks = [
        [
            f"{row['tokens']} unique {row['attack']} tokens",
            f"{row['kept']} of {row['active']}",
            number(row["hit_us_before"]),
            number(row["hit_us_after"]),
            number(row["hit_ratio"]),
            number(row["us_each"]),
        ]
        for row in result["attacks"]
    ]
    head = [f"hit rate, {result['size']} entries for {_USERS} users", "ours", "LRU"]
    columns = ["attack", "kept", "hit µs", "after", "ratio", "µs each"]
    weight = f"bytes an entry: {result['bytes_per_entry']:.0f}"
    return "\n\n".join([table(head, rates), weight, table(columns, attacks)])


class _Table(Protocol):
    def get(self, key: bytes) -> Any: ...

    def put(self, key: bytes) -> None: ...


class _LRU:
    """What most people would write."""

    def __init__(self) -> None:
        self._table: OrderedDict[bytes, bool] = OrderedDict()

    def get(self, key: bytes) -> bool | None:
        found = self._table.get(key)
        if found is not None:
            self._table.move_to_end(key)

        return found

    def put(self, key: bytes) -> None:
        self._table[key] = True
        if len(self._table) > _SIZE:
            self._table.popitem(last=False)


class _Ours:
    def __init__(self) -> None:
        self._table: VerifiedCache[str] = VerifiedCache(_SIZE)
        self.get = self._table.get

    def put(self, key: bytes) -> None:
        self._table.put(key, "good", length=400)


def _hit_rates() -> Iterator[dict[str, Any]]:
    for exponent, one_shot in ((0.7, 0.0), (1.0, 0.0), (1.0, 0.5)):
        load = _load(exponent, one_shot)
        name = f"zipf {exponent}" + (f" + {one_shot:.0%} one-shot" if one_shot else "")
        yield {"load": name, "ours": _play(_Ours(), load), "lru": _play(_LRU(), load)}


def _load(exponent: float, one_shot: float) -> list[bytes]:
    """Return the keys of requests: few users come often, many seldom."""
    chance = random.Random(20_000)  # The same load each time.
    users = [chance.randbytes(32) for _ in range(_USERS)]
    weights = [*accumulate((rank + 1) ** -exponent for rank in range(_USERS))]
    keys = chance.choices(users, cum_weights=weights, k=_REQUESTS)
    return [chance.randbytes(32) if chance.random() < one_shot else k for k in keys]


def _play(cache: _Table, keys: Sequence[bytes]) -> float:
    """Return the hit rate over all requests but the first fifth, which warms up."""
    hits, warm = 0, len(keys) // 5
    for turn, key in enumerate(keys):
        if cache.get(key) is None:
            cache.put(key)
        elif turn >= warm:
            hits += 1

    return hits / (len(keys) - warm)


def _verifier(keys: KeySet, size: int = _SIZE) -> TokenVerifier:
    return TokenVerifier(keys, issuer=ISSUER, audience=AUDIENCE, cache_size=size)


def _weigh() -> float:
    """Return what an entry costs: claims, principal, key and links."""
    material = Material("HS256")
    tokens = [t.encode() for t in material.tokens(_SIZE, dict)]
    backend = JWTBackend(_verifier(material.keys))

    async def fill() -> None:
        for token in tokens:
            await backend.authenticate(Credential(token, "header"), {})

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    asyncio.run(fill())
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown / _SIZE


def _attack(name: str, rounds: int) -> dict[str, Any]:
    """Send tokens that are never seen again, while the users go on working.

    ``forged``: with somebody else's signature. ``good``: as if one client asked for
    new tokens all the time.
    """
    material = Material("HS256")
    active = [t.encode() for t in material.tokens(_ACTIVE, dict)]
    others = material.tokens(_ATTACK + 1, dict)
    if name == "forged":
        others = [forge(one, other) for one, other in pairwise(others)]

    storm = [t.encode() for t in others[:_ATTACK]]
    verifier = _verifier(material.keys)
    for token in active:
        verifier.verify(token)

    before = _hit_us(verifier.verify, active, rounds)
    each = _storm(verifier.verify, storm, active)
    known = verifier.cache_stats().hits
    for token in active:
        verifier.verify(token)

    kept = verifier.cache_stats().hits - known
    after = _hit_us(verifier.verify, active, rounds)
    return {
        "attack": name,
        "tokens": len(storm),
        "active": len(active),
        "kept": kept,
        "hit_us_before": before,
        "hit_us_after": after,
        "hit_ratio": after / before,
        "us_each": each,
    }


def _storm(
    verify: Callable[[bytes], Any], tokens: Sequence[bytes], active: Sequence[bytes]
) -> float:
    """Return the microseconds that one of the *tokens* costs.

    After each hundred of them, a hundred active users come by.
    """
    taken = 0.0
    for first in range(0, len(tokens), 100):
        start = perf_counter()
        for token in tokens[first : first + 100]:
            with suppress(InvalidTokenError):
                verify(token)

        taken += perf_counter() - start
        turn = first % len(active)
        for token in active[turn : turn + 100]:
            verify(token)

    return taken / len(tokens) * 1e6


def _hit_us(
    verify: Callable[[bytes], Any], tokens: Sequence[bytes], rounds: int
) -> float:
    probe = of_function(("hit",), verify, tokens[0])
    asyncio.run(interleave([probe], rounds))
    return probe.best
