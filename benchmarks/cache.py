"""The table of verified tokens: hit rates, memory, and what an attack does to it."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from time import perf_counter
from typing import Any, Protocol

from asgi_auth import AuthenticationMiddleware, JWTBackend, TokenService
from asgi_auth.tokens.cache import Entry, VerifiedCache
from benchmarks.asgi import calls, requests
from benchmarks.contestants.plain import application
from benchmarks.material import AUDIENCE, ISSUER, Material, forge
from benchmarks.measure import Probe, interleave
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
        "bytes_per_entry": asyncio.run(_weigh()),
        "attacks": [asyncio.run(_attack(n, rounds)) for n in ("forged", "good")],
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
    columns = ["attack", "kept", "request µs", "after", "ratio", "µs each"]
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
        self._table: VerifiedCache[Entry] = VerifiedCache(_SIZE)
        self.get = self._table.get

    def put(self, key: bytes) -> None:
        self._table.put(key, Entry(), length=400)


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


class _Guarded:
    """An application behind the middleware, and what its table does."""

    def __init__(self) -> None:
        self.material = Material("HS256")
        tokens = TokenService(self.material.keys, issuer=ISSUER, audience=AUDIENCE)
        guarded = AuthenticationMiddleware(application("http"), JWTBackend(tokens))
        self.run = calls(guarded)
        self._stats = tokens.verifier.cache_stats

    @property
    def hits(self) -> int:
        return self._stats().hits

    async def send(self, tokens: Sequence[str]) -> float:
        """Send a request with each of *tokens*; return the seconds it took."""
        scopes = requests(tokens)(len(tokens))
        start = perf_counter()
        await self.run(scopes)
        return perf_counter() - start

    async def hit_us(self, token: str, rounds: int) -> float:
        """Return what a request with a token costs that is known."""
        probe = Probe(("hit",), self.run, requests([token]))
        await interleave([probe], rounds)
        return probe.best


async def _weigh() -> float:
    """Return what an entry costs: claims, principal, key and links."""
    guarded = _Guarded()
    tokens = guarded.material.tokens(_SIZE, dict)
    await guarded.send([guarded.material.token()])  # What is made once is there.
    tracemalloc.start()
    try:
        for first in range(0, _SIZE, 64):
            await guarded.send(tokens[first : first + 64])

        return tracemalloc.get_traced_memory()[0] / _SIZE
    finally:
        tracemalloc.stop()


async def _attack(name: str, rounds: int) -> dict[str, Any]:
    """Send tokens that are never seen again, while the users go on working.

    ``forged``: with somebody else's signature. ``good``: as if one client asked for
    new tokens all the time.
    """
    guarded = _Guarded()
    active = guarded.material.tokens(_ACTIVE, dict)
    storm = guarded.material.tokens(_ATTACK + 1, dict)
    if name == "forged":
        storm = [forge(one, other) for one, other in pairwise(storm)]

    await guarded.send(active)
    before = await guarded.hit_us(active[0], rounds)
    taken = 0.0
    for first in range(0, _ATTACK, 100):
        taken += await guarded.send(storm[first : first + 100])
        turn = first % _ACTIVE
        await guarded.send(active[turn : turn + 100])

    known = guarded.hits
    await guarded.send(active)
    kept = guarded.hits - known
    after = await guarded.hit_us(active[0], rounds)
    return {
        "attack": name,
        "tokens": _ATTACK,
        "active": _ACTIVE,
        "kept": kept,
        "hit_us_before": before,
        "hit_us_after": after,
        "hit_ratio": after / before,
        "us_each": taken / _ATTACK * 1e6,
    }
