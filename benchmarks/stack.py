"""Behind real servers, under load: requests a second, and CPU time a request.

Every server runs one worker on one core, the load generator (wrk, else our own) on
another. All are started first and loaded in turns.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.material import HEADERS, Material
from benchmarks.report import number, table
from benchmarks.stack_apps import NAMES

__all__ = ["run", "show"]

_SECONDS = 2.0
_CONNECTIONS = 32
_ROOT = Path(__file__).parent.parent

SERVERS = {
    "uvicorn": ["--lifespan", "off"],
    "granian": ["--interface", "asginl", "--workers", "1"],
}


def run(rounds: int) -> dict[str, Any]:
    """Load each application behind each server; a round here takes 2 s for each."""
    rounds = max(2, rounds // 5)
    skipped = [f"{name}: not installed" for name in SERVERS if not find_spec(name)]
    if find_spec("psutil") is None:
        return {"rounds": 0, "rows": [], "skipped": ["stack: psutil is not installed"]}

    if shutil.which("wrk") is None:
        skipped.append("wrk: not installed, the own generator is used instead")

    token = Material("HS256").token()
    sent = [f"{name.decode()}: {value.decode()}" for name, value in HEADERS[1:]]
    sent.append(f"Authorization: Bearer {token}")
    with ExitStack() as stack:
        runs = [
            _Run(server, app, stack.enter_context(_served(server, app)))
            for server in SERVERS
            if find_spec(server)
            for app in NAMES
        ]
        for each in runs:
            each.load(sent, 0.5)
            each.loads.clear()

        for _ in range(rounds):
            for each in runs:
                each.load(sent, _SECONDS)

    return {
        "rounds": rounds,
        "generator": "wrk" if shutil.which("wrk") else "benchmarks.loadgen",
        "connections": _CONNECTIONS,
        "seconds": _SECONDS,
        "skipped": skipped,
        "rows": [*_rows(runs)],
    }


def show(result: dict[str, Any]) -> str:
    """Lay out one line for each server and application."""
    head = ["server, application", "requests/s", "share", "CPU µs", "ratio", "p99 ms"]
    rows = [
        [
            f"{row['server']}, {row['contestant']}",
            f"{row['per_second']:.0f}",
            f"{row['share']:.0%}",
            number(row["cpu_us"]),
            number(row["cpu_ratio"]),
            number(row["p99_ms"]),
        ]
        for row in result["rows"]
    ]
    return f"{table(head, rows)}\nload: {result.get('generator')}"


@dataclass
class _Load:
    per_second: float
    cpu_us: float
    p99_ms: float


@dataclass
class _Run:
    server: str
    app: str
    process: tuple[int, int]
    loads: list[_Load] = field(default_factory=list)

    def load(self, sent: list[str], seconds: float) -> None:
        """Load it once."""
        pid, port = self.process
        before = _cpu_seconds(pid)
        with _on_core(1):
            requests, per_second, p99 = _generate(port, sent, seconds)

        cpu = (_cpu_seconds(pid) - before) / requests * 1e6
        self.loads.append(_Load(per_second, cpu, p99))


def _rows(runs: list[_Run]) -> Iterator[dict[str, Any]]:
    bare: dict[str, tuple[float, float]] = {}
    for each in runs:
        rps = max(load.per_second for load in each.loads)
        cpu = min(load.cpu_us for load in each.loads)
        bare.setdefault(each.server, (rps, cpu))
        most, least = bare[each.server]
        yield {
            "server": each.server,
            "contestant": NAMES[each.app] or "no authentication",
            "per_second": rps,
            "share": rps / most,
            "cpu_us": cpu,
            "cpu_ratio": cpu / least,
            "p99_ms": statistics.median(load.p99_ms for load in each.loads),
        }


@contextmanager
def _served(server: str, app: str) -> Iterator[tuple[int, int]]:
    """Run a server; yield its process id and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    command = [sys.executable, "-m", server, *SERVERS[server], "--no-access-log"]
    command += ["--log-level", "warning", "--host", "127.0.0.1", "--port", str(port)]
    with _on_core(0):
        process = subprocess.Popen(
            [*command, f"benchmarks.stack_apps:{app}"],
            cwd=_ROOT,
            stdout=subprocess.DEVNULL,
        )

    try:
        _wait_for(port, process)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return

    msg = f"the server on port {port} did not come up"
    raise RuntimeError(msg)


@contextmanager
def _on_core(number: int) -> Iterator[None]:
    """Let what is started here run on one core, where there are several."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        yield
        return

    os.sched_setaffinity(0, {cores[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _cpu_seconds(pid: int) -> float:
    import psutil

    server = psutil.Process(pid)
    times = [p.cpu_times() for p in (server, *server.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def _generate(port: int, sent: list[str], seconds: float) -> tuple[int, float, float]:
    """Return the number of requests, their number a second, and p99 in ms."""
    if shutil.which("wrk") is None:
        return _generate_by_hand(port, sent, seconds)

    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    command += ["--latency", *(f"-H{header}" for header in sent)]
    said = _output([*command, f"http://127.0.0.1:{port}/"])
    if "Non-2xx" in said:
        msg = f"a server refused its good token: {said}"
        raise RuntimeError(msg)

    requests = int(_find(r"(\d+) requests in", said))
    per_second = float(_find(r"Requests/sec:\s+([\d.]+)", said))
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    return requests, per_second, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def _generate_by_hand(
    port: int, sent: list[str], seconds: float
) -> tuple[int, float, float]:
    command = [sys.executable, "-m", "benchmarks.loadgen", str(port)]
    command += ["--seconds", str(seconds), "--connections", str(_CONNECTIONS)]
    found = json.loads(_output([*command, *(f"--header={header}" for header in sent)]))
    if found["bad"]:
        msg = f"a server refused its good token {found['bad']} times"
        raise RuntimeError(msg)

    return found["requests"], found["per_second"], found["p99_ms"]


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=_ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        msg = f"no {pattern} in {text}"
        raise RuntimeError(msg)

    return match[1]
