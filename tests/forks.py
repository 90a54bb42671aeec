"""Runs tests in several processes, which are forked when all tests are collected.

To import all that is tested takes longer than most tests do, and is done once. Each of
the processes is pytest as it was before, but takes a few tests at a time from a common
queue until that is empty, and tells the first process what became of them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import IO, Any

import pytest

__all__ = ["Unit", "can_fork", "run"]

# Tests that one process runs in a row.
Unit = Sequence[pytest.Item]

_END = "end"
_NUMBER = 4


def can_fork() -> bool:
    """Return whether what libraries of the system have begun survives it here."""
    return sys.platform == "linux"


def run(session: pytest.Session, units: Sequence[Unit], processes: int) -> bool:
    """Run tests; those of a process that dies go on in a new one.

    Returns:
        Whether this is one of the processes, at its end: it has nothing more to do.
    """
    names = [[item.nodeid for item in unit] for unit in units]
    left = {name: item for unit in units for name, item in _by_name(unit)}
    while left and not _reason_to_stop(session):
        rest = [[left[name] for name in unit if name in left] for unit in names]
        done = _run_some(session, [unit for unit in rest if unit], processes)
        if done is None:
            return True

        if not done and not _reason_to_stop(session):
            raise session.Failed("the processes ended before they ran a test")

        for name in done:
            del left[name]

    _stop_if_asked(session)
    return False


def _by_name(unit: Unit) -> Iterator[tuple[str, pytest.Item]]:
    return ((item.nodeid, item) for item in unit)


def _reason_to_stop(session: pytest.Session) -> str | bool:
    return session.shouldfail or session.shouldstop


def _stop_if_asked(session: pytest.Session) -> None:
    if session.shouldfail:
        raise session.Failed(session.shouldfail)

    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def _run_some(
    session: pytest.Session, units: Sequence[Unit], processes: int
) -> set[str] | None:
    """Fork, and return the names of the tests that ran; or ``None`` in a process."""
    queue = _queue_of(len(units))
    workers: dict[Connection, _Worker] = {}
    try:
        for _ in range(min(processes, len(units))):
            worker = _fork()
            if isinstance(worker, _Place):
                _work(session, _taken(units, queue), worker)
                return None

            workers[worker.reports] = worker
        return _listen(session, workers, queue)
    finally:
        os.close(queue)


def _queue_of(length: int) -> int:
    """Return a file that all processes read numbers from, each of which comes once."""
    queue, end = os.pipe()
    os.write(end, b"".join(number.to_bytes(_NUMBER) for number in range(length)))
    os.close(end)
    return queue


def _taken(units: Sequence[Unit], queue: int) -> Iterator[pytest.Item]:
    """Give the tests of one unit after the other, which nobody else takes then."""
    while number := os.read(queue, _NUMBER):
        yield from units[int.from_bytes(number)]


# -------------------------------------------------------------------- the first process


@dataclass
class _Worker:
    """Another process, as the first one sees it."""

    pid: int
    reports: Connection
    errors: IO[bytes]
    test: str = ""
    place: tuple[str, int | None, str] = ("", None, "")

    def wait(self) -> int:
        """Return how it ended."""
        self.reports.close()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def last_words(self) -> str:
        """Return the end of what it wrote to its errors, and no test caught."""
        with self.errors as errors:
            errors.seek(0)
            return errors.read().decode("utf-8", "replace")[-4000:]


def _fork() -> _Worker | _Place:
    """Return the other process; or in that, where it may write to."""
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is read at its end
    reports, sender = Pipe(duplex=False)
    sys.stdout.flush()
    with warnings.catch_warnings():
        # Libraries of the system have threads, which wait.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        reports.close()
        return _Place(sender, errors)

    sender.close()
    return _Worker(pid, reports, errors)


def _listen(
    session: pytest.Session, workers: dict[Connection, _Worker], queue: int
) -> set[str]:
    """Report what the processes tell, until all have ended."""
    done: set[str] = set()
    while workers:
        for reports in wait(workers):
            try:
                name, given = reports.recv()
            except EOFError:
                name, given = _END, {}
            worker = workers[reports]
            if name == _END:
                del workers[reports]
                done |= _end(session, worker, is_well="is_well" in given)
            else:
                done |= _hear(session, worker, name, given)

        if _reason_to_stop(session):
            while os.read(queue, 4096):
                pass

    return done


def _hear(
    session: pytest.Session, worker: _Worker, name: str, given: dict[str, Any]
) -> set[str]:
    """Report one thing; return the test that has ended by that, if any."""
    hook = session.config.hook
    if name == "pytest_runtest_logstart":
        worker.test, worker.place = given["nodeid"], given["location"]
        return set()

    if name == "pytest_runtest_logfinish":
        hook.pytest_runtest_logfinish(**given)
        worker.test = ""
        return {given["nodeid"]}

    if name == "pytest_warning_recorded":
        hook.pytest_warning_recorded.call_historic(kwargs=given)
    else:
        report = hook.pytest_report_from_serializable(config=session.config, **given)
        hook.pytest_runtest_logreport(report=report)
    return set()


def _end(session: pytest.Session, worker: _Worker, *, is_well: bool) -> set[str]:
    """Wait for the end of a process; return the test that it died of, if any."""
    status, words = worker.wait(), worker.last_words()
    if is_well:
        return set()

    if not worker.test:
        raise session.Failed(f"a process ended with status {status}:\n{words}")

    report = pytest.TestReport(
        nodeid=worker.test,
        location=worker.place,
        keywords={},
        outcome="failed",
        longrepr=f"its process ended with status {status}:\n{words}",
        when="call",
    )
    session.config.hook.pytest_runtest_logreport(report=report)
    return {worker.test}


# -------------------------------------------------------------------- one of the others


class _Reporter:
    """Tells the first process what this one would show."""

    def __init__(self, config: pytest.Config, sender: Connection) -> None:
        self._config = config
        self._sender = sender
        self._has_begun = False

    @pytest.hookimpl
    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:
        self._has_begun = True
        given = {"nodeid": nodeid, "location": location}
        self._sender.send(("pytest_runtest_logstart", given))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(
            config=self._config, report=report
        )
        self._sender.send(("pytest_runtest_logreport", {"data": data}))

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid: str, location: object) -> None:
        given = {"nodeid": nodeid, "location": location}
        self._sender.send(("pytest_runtest_logfinish", given))

    @pytest.hookimpl
    def pytest_internalerror(self, excrepr: object) -> None:
        sys.stderr.write(f"{excrepr}\n")  # The last words of this process.

    @pytest.hookimpl
    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: str,
        nodeid: str,
        location: object,
    ) -> None:
        if not self._has_begun:  # These came before, and are told to whoever asks.
            return

        given = {"when": when, "nodeid": nodeid, "location": location}
        given["warning_message"] = warnings.WarningMessage(
            str(warning_message.message),
            warning_message.category,
            warning_message.filename,
            warning_message.lineno,
        )
        self._sender.send(("pytest_warning_recorded", given))


@dataclass
class _Place:
    """Where another process writes."""

    sender: Connection
    errors: IO[bytes]

    def take(self, config: pytest.Config) -> None:
        """Show nothing, and catch what tests write apart from all others."""
        capturing = config.pluginmanager.getplugin("capturemanager")
        capturing.stop_global_capturing()
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        os.dup2(self.errors.fileno(), 2)
        capturing.start_global_capturing()
        capturing.suspend_global_capture()


def _work(session: pytest.Session, items: Iterable[pytest.Item], place: _Place) -> None:
    """Run tests, and be no first process from now on."""
    config = session.config
    config.workerinput = {}  # type: ignore[attr-defined]  # As plugins ask.
    place.take(config)
    config.pluginmanager.register(_Reporter(config, place.sender))
    for item, following in pairwise(chain(items, [None])):
        config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if _reason_to_stop(session):
            break

    _save_coverage(config)
    place.sender.send((_END, {"is_well": True}))


def _save_coverage(config: pytest.Config) -> None:
    """Write what this process measured where the first one looks for it."""
    plugin = config.pluginmanager.getplugin("_cov")
    if plugin is None or plugin.cov_controller is None:
        return

    measured, plugin.cov_controller = plugin.cov_controller.cov, None
    measured.stop()
    measured.save()
