"""Queued log-ins wait outside of the hash: memory is bounded by the workers."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.alone

PROGRAM = """
import asyncio, resource, sys
from asgi_auth.passwords import PasswordHasher

MEMORY = 19 * 1024  # KiB for each hash

async def main(count):
    hasher = PasswordHasher(memory_kib=MEMORY, passes=2, lanes=1, workers=2)
    stored = await hasher.hash("correct horse battery")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await asyncio.gather(
        *(hasher.verify("correct horse battery", stored) for _ in range(count))
    )
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) / MEMORY)

asyncio.run(main(int(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="platform: ru_maxrss is in KiB")
def test_forty_queued_log_ins_take_the_memory_of_two():
    command = [sys.executable, "-c", PROGRAM, "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert float(done.stdout) < 2
