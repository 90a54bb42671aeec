from __future__ import annotations

import asyncio
import logging

import pytest

from asgi_auth.accounts import Outbox
from asgi_auth.errors import ConfigurationError

pytestmark = pytest.mark.anyio


async def test_a_job_starts_after_its_caller_went_on():
    outbox = Outbox(delay=0)
    steps = []

    async def job():
        steps.append("job")

    outbox.put(job)
    steps.append("answer")
    await asyncio.sleep(0)
    await outbox.drain()
    assert steps == ["answer", "job"]


async def test_no_more_jobs_run_at_one_time_than_allowed():
    outbox = Outbox(delay=0, max_sending=2)
    running, most = 0, 0

    async def job():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    for _ in range(7):
        outbox.put(job)
    await outbox.drain()
    assert most == 2


async def test_what_does_not_fit_is_dropped_and_logged(caplog):
    outbox = Outbox(delay=0, max_waiting=2)
    done = []

    async def job():
        done.append(1)

    for _ in range(5):
        outbox.put(job)
    await outbox.drain()
    assert len(done) == 2
    assert caplog.text.count("the outbox is full") == 3
    outbox.put(job)
    await outbox.drain()
    assert len(done) == 3


async def test_a_job_that_hangs_is_given_up(caplog):
    outbox = Outbox(delay=0, timeout=0.02)

    async def hang():
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        outbox.put(hang)
        await outbox.drain()
    assert "TimeoutError" in caplog.text


def test_one_outbox_serves_one_event_loop_after_another():
    outbox = Outbox(delay=0, max_sending=1)
    done = []

    async def job():
        await asyncio.sleep(0)
        done.append(1)

    async def main():
        outbox.put(job)
        outbox.put(job)
        await outbox.drain()

    asyncio.run(main())
    asyncio.run(main())
    assert len(done) == 4
    assert len(outbox._jobs) == 0, "each loop takes its own along"


@pytest.mark.parametrize(
    "bounds",
    [{"max_waiting": 0}, {"max_sending": 0}, {"timeout": 0}, {"delay": -1}],
)
def test_bounds_out_of_range_are_refused(bounds):
    with pytest.raises(ConfigurationError):
        Outbox(**bounds)
