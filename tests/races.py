"""Processes that race: forked from one that has imported all, and let go at once.

To import a store takes a process longer than to use it: four that began by themselves
would wait for one another, and no clock could say when all are there.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parent.parent


async def raced(program: str, *runs: list[object]) -> list[object]:
    """Return what ``main`` of *program* returns in a process for each of *runs*.

    It is called as ``await main(begin, *run)``, and awaits ``begin()`` where the others
    are to begin as well. A process that fails, fails the test.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races", program, json.dumps(runs)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


def _fork(main, runs) -> int:
    """Run all, and return how many have failed."""
    (ready, is_ready), (go, may_go) = os.pipe(), os.pipe()
    for run in runs:
        if os.fork() == 0:
            os.close(may_go)
            os._exit(_run(main, run, is_ready, go))

    os.close(is_ready)
    waiting = len(runs)
    # Who fails before it is ready is waited for no longer than it lives.
    while waiting and os.read(ready, 1):
        waiting -= 1

    os.close(may_go)
    return sum(os.wait()[1] != 0 for _ in runs)


def _run(main, run, is_ready, go) -> int:
    async def begin() -> None:
        os.write(is_ready, b".")
        os.close(is_ready)
        await asyncio.to_thread(os.read, go, 1)  # Its end says: go.

    try:
        # One write, so that no two lines mix.
        os.write(1, f"{json.dumps(asyncio.run(main(begin, *run)))}\n".encode())
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1

    return 0


if __name__ == "__main__":
    names: dict[str, object] = {"__name__": "program"}
    exec(sys.argv[1], names)
    sys.exit(_fork(names["main"], json.loads(sys.argv[2])))
