"""Run benchmarks: ``python -m benchmarks [suite] [--rounds N] [--json FILE]``."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import warnings
from pathlib import Path

from benchmarks.report import save

SUITES = {
    "library": "verify one token, library against library",
    "asgi": "what authentication adds to a request, middleware against middleware",
    "adapters": "what each framework's adapter adds over the middleware alone",
    "behaviour": "what everybody answers to odd and hostile requests; nothing is timed",
    "stack": "behind uvicorn and granian, under load",
    "cache": "hit rates, memory, and an attack on the table of verified tokens",
    "sessions": "rotate, verify and revoke, store against store",
    "feed": "what is revoked, as it grows: loading, memory, sweeps and floods",
    "growth": "every verb of every store, as what is stored grows",
    "plans": "how databases run every statement, with a million rows in each table",
    "at_rest": "what a row of each SQL store takes on the disk",
    "dpop": "bound tokens: what a new proof costs",
    "websocket": "thousands of sockets: memory, broadcasts, punctual ends",
    "passwords": "what hashing does to the event loop",
    "instructions": "what a request executes, function by function",
    "goals": "each goal of the design: measured, passed or failed",
    "chart": "draw the last results of asgi",
    "pages": "write the last results into the pages that show them",
}


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    warnings.simplefilter("ignore")  # What peers deprecate is not our news.
    options = _parser().parse_args(arguments)
    if options.suite == "all":
        return _run_all(options.rounds)

    suite = importlib.import_module(f"benchmarks.{options.suite}")
    result = suite.run(options.rounds)
    for reason in result.get("skipped", ()):
        print(f"skipped: {reason}")

    print(suite.show(result))
    if options.suite not in {"chart", "pages"}:
        save(options.suite, result, options.json)

    return int(result.get("failed", 0) > 0)


def _run_all(rounds: int) -> int:
    """Run each suite in a process of its own, so that none inherits a full heap."""
    status = 0
    for suite, title in SUITES.items():
        print(f"\n== {suite}: {title}", flush=True)
        command = [sys.executable, "-m", "benchmarks", suite, "--rounds", str(rounds)]
        status |= subprocess.run(command, check=False).returncode

    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:13} {title}" for name, title in SUITES.items()),
    )
    parser.add_argument("suite", nargs="?", default="all", choices=["all", *SUITES])
    parser.add_argument("--rounds", type=int, default=25, help="25 unless told")
    parser.add_argument("--json", type=Path, help="instead of benchmarks/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
