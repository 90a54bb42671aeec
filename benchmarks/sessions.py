"""Sessions, store against store: rotations, round trips, and how fast a log-out is.

The servers are real and local: on a network, each round trip costs its time more.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from asgi_auth import MissingExtraError, TokenService, UnavailableError
from benchmarks.backing import STORES, Backing
from benchmarks.listener import verifier_on, wait_for_refusal
from benchmarks.material import AUDIENCE, ISSUER, Material
from benchmarks.measure import Probe, interleave
from benchmarks.report import number, table

__all__ = ["revocation_cost", "run", "show"]

_SECONDS = 1.0
_CLIENTS = 16
_COUNTED = 200


def run(rounds: int) -> dict[str, Any]:
    """Put each store to work, one after the other."""
    rows, skipped = [], []
    for name, open_backing in STORES.items():
        try:
            rows.append(asyncio.run(_measure(name, open_backing, rounds)))
        except (ImportError, MissingExtraError) as error:
            skipped.append(f"{name}: {error}")

    return {"rounds": rounds, "skipped": skipped, "rows": rows}


def show(result: dict[str, Any]) -> str:
    """Lay out a line for each store."""
    head = ["store", "refresh/s", f"by {_CLIENTS}", "µs", "round trips", "verify/s"]
    head += ["round trips", "revoked after ms", "p99", "hit: check on/off"]
    rows = [
        [
            row["store"],
            f"{row['refresh_per_second']:.0f}",
            f"{row['refresh_per_second_together']:.0f}",
            number(row["refresh_us"]),
            number(row["refresh_round_trips"]),
            f"{row['verify_per_second']:.0f}",
            number(row["verify_round_trips"]),
            number(row["revoked_after_ms"]),
            number(row["revoked_after_ms_p99"]),
            number(row["check_ratio"]),
        ]
        for row in result["rows"]
    ]
    return table(head, rows)


async def _measure(
    name: str, open_backing: Callable[[], Any], rounds: int
) -> dict[str, Any]:
    async with open_backing() as backing:
        alone = await _refresh_for(backing, 1)
        together = await _refresh_for(backing, _CLIENTS)
        latencies = sorted(await _latencies(backing, rounds))
        off, on = await revocation_cost(backing.store, rounds)
        last = min(len(latencies) - 1, int(len(latencies) * 0.99))
        refreshed, verified = await _count_round_trips(backing)
        return {
            "store": name,
            "refresh_per_second": len(alone) / _SECONDS,
            "refresh_us": min(alone) * 1e6,
            "refresh_per_second_together": len(together) / _SECONDS,
            "refresh_round_trips": refreshed,
            "verify_per_second": await _verify_for(backing),
            "verify_round_trips": verified,
            "revocations_timed": len(latencies),
            "revoked_after_ms": statistics.median(latencies) / 1e6,
            "revoked_after_ms_p99": latencies[last] / 1e6,
            "hit_us_check_off": off,
            "hit_us_check_on": on,
            "check_ratio": on / off,
        }


def _service(store: Any) -> TokenService:
    return TokenService(
        Material("HS256").keys, store=store, issuer=ISSUER, audience=AUDIENCE
    )


async def _refresh_for(backing: Backing, clients: int) -> list[float]:
    """Refresh for a second with each client; return the seconds of every refresh."""
    service = _service(backing.store)
    until = time.perf_counter() + _SECONDS
    taken = []

    async def client(number: int) -> None:
        pair = await service.issue(f"user-{number}", roles=("reader", "editor"))
        while (start := time.perf_counter()) < until:
            pair = await service.refresh(pair.refresh_token)
            taken.append(time.perf_counter() - start)

    try:
        await asyncio.gather(*map(client, range(clients)))
    finally:
        await service.aclose()

    return taken


async def _verify_for(backing: Backing) -> float:
    """Return the verifications of one token per second."""
    service = _service(backing.store)
    token = (await service.issue("user")).access_token
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + _SECONDS / 2:
        for _ in range(100):
            await service.verify(token)

        count += 100
        await asyncio.sleep(0)

    await service.aclose()
    return count / (time.perf_counter() - start)


async def _count_round_trips(backing: Backing) -> tuple[float | None, float | None]:
    """Return the round trips of a refresh, and of a verification."""
    if backing.proxy is None:
        return None, None

    service = _service(backing.counted)
    pair = await service.issue("user")
    pair = await service.refresh(pair.refresh_token)
    before = backing.proxy.count
    for _ in range(_COUNTED):
        pair = await service.refresh(pair.refresh_token)

    between = backing.proxy.count
    for _ in range(_COUNTED):
        await service.verify(pair.access_token)
        await asyncio.sleep(0)

    after = backing.proxy.count
    await service.aclose()
    return (between - before) / _COUNTED, (after - between) / _COUNTED


async def _latencies(backing: Backing, count: int) -> list[int]:
    """Return the ns from revoking to the refusal elsewhere, *count* times."""
    service = _service(backing.store)
    try:
        if backing.url:
            return await _latencies_elsewhere(service, backing.url, count)

        verifier = verifier_on(backing.store, service.keys)
        return [await _latency(service, verifier_waits(verifier)) for _ in range(count)]
    finally:
        await service.aclose()


def verifier_waits(verifier: Any) -> Callable[[str], Awaitable[Awaitable[int]]]:
    """Let *verifier* wait in this process; it is ready when this returns."""

    async def wait(token: str) -> Awaitable[int]:
        await verifier.admit(token.encode())
        return wait_for_refusal(verifier, token.encode())

    return wait


async def _latency(
    service: TokenService, wait: Callable[[str], Awaitable[Awaitable[int]]]
) -> int:
    token = service.mint("user")
    refused = await wait(token)
    # The feeds of SQL stores look at fixed intervals: come at no fixed time.
    await asyncio.sleep((time.monotonic_ns() % 997) / 2000)
    start = time.monotonic_ns()
    await service.revoke(token)
    return await refused - start


async def _latencies_elsewhere(
    service: TokenService, url: str, count: int
) -> list[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.listener",
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines, answers = process.stdin, process.stdout

    async def answer() -> int:
        return int(await answers.readline())

    async def wait(token: str) -> Awaitable[int]:
        lines.write(token.encode() + b"\n")
        if await answers.readline() != b"ready\n":
            msg = "the other process has failed"
            raise UnavailableError(msg)

        return answer()

    try:
        return [await _latency(service, wait) for _ in range(count)]
    finally:
        lines.close()
        await process.wait()


async def revocation_cost(store: Any, rounds: int) -> tuple[float, float]:
    """Return the µs of a request with a known token, without and with the check."""
    from asgi_auth import AuthenticationMiddleware, JWTBackend, TokenVerifier
    from benchmarks.asgi import calls, requests
    from benchmarks.contestants.plain import application

    material = Material("HS256")
    token = material.token()
    checking = verifier_on(store, material.keys)
    trusting = TokenVerifier(material.keys, issuer=ISSUER, audience=AUDIENCE)
    await checking.admit(token.encode())
    app = application("http")
    probes = [
        Probe((name,), calls(wrapped), requests([token]))
        for name, wrapped in (
            ("bare", app),
            ("off", AuthenticationMiddleware(app, JWTBackend(trusting))),
            ("on", AuthenticationMiddleware(app, JWTBackend(checking))),
        )
    ]
    await interleave(probes, rounds)
    bare, off, on = (probe.best for probe in probes)
    return off - bare, on - bare
