"""What every test shares: processes, the event loop, a free port, no silent skips."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from tests.authorities import trust_nobody
from tests.examples import ON_CI, some_of
from tests.forks import can_fork, run
from tests.greenlets import keep_greenlets
from tests.order import in_units, is_alone
from tests.ports import free_port
from tests.untraced import (
    import_others_untraced,
    pytest_pycollect_makeitem,
    traced_if_measured,
)

__all__ = ["pytest_pycollect_makeitem"]
PLATFORM = "platform:"


# Most of a test's time it waits, for servers and browsers: more than there are cores.
PROCESSES = 4


def pytest_configure(config: pytest.Config) -> None:
    """Spare what no test is about: authorities, and examples for who waits."""
    trust_nobody()
    from hypothesis import settings

    # No example fails for a machine that is busy.
    if config.getoption("hypothesis_profile", None) is None:
        examples = some_of(settings().max_examples)
        settings.register_profile(
            "patient", settings(), deadline=None, max_examples=examples
        )
        settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the number of processes be chosen."""
    help_ = f"processes to run the tests in; all of them are run in {PROCESSES}"
    parser.addoption("--processes", type=int, help=help_)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in several processes; what is named runs in this one."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    options = config.option
    is_watched = options.usepdb or options.capture == "no"
    if is_watched or not can_fork():
        options.processes = 1
    elif options.processes is None:
        options.processes = PROCESSES if is_whole else 1
    if is_whole:
        # Hundreds of processes import the same: who comes first compiles it for all.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in several processes, and then those that must be alone in one."""
    options = session.config.option
    if options.processes == 1 or options.collectonly or session.testsfailed:
        return None

    session.config.pluginmanager.getplugin("terminalreporter").showfspath = False
    together = [item for item in session.items if not is_alone(item)]
    alone = [item for item in session.items if is_alone(item)]
    for units, processes in ((in_units(together), options.processes), ([alone], 1)):
        if run(session, units, processes):
            break

    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[object]:
    """Keep the garbage collector from what lives as long as this process does.

    A million objects of modules and tests are made here, and none of them goes: to look
    through them takes half a second, each time that a test collects garbage.
    """
    keep_greenlets()
    import_others_untraced()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Measure coverage only where that was asked for."""
    with traced_if_measured(item):
        return (yield)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio; what must run on trio parametrises this."""
    return "asyncio"


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """Find a TCP port of the loopback interface that nobody listens on."""
    return free_port()


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have hashers that are made from now on take no memory and no time.

    It is for tests of something else that make no hasher of their own.
    """
    from asgi_auth.passwords import hasher

    make = hasher._argon2_context
    cheap = {"memory_cost": 64, "time_cost": 1, "parallelism": 1}
    changes = {f"argon2__{name}": cost for name, cost in cheap.items()}
    monkeypatch.setattr(
        hasher, "_argon2_context", lambda **costs: make(**costs).copy(**changes)
    )


def _fault_of(longrepr: object) -> str | None:
    """Say what is wrong with a skip, if anything is."""
    reason = str(longrepr[2] if isinstance(longrepr, tuple) else longrepr)
    reason = reason.removeprefix("Skipped: ").strip()
    if reason in {"", "unconditional skip", "Skipped"}:
        return "a skip must state its reason"

    if ON_CI and not reason.startswith(PLATFORM):
        return f"skipped where everything must run: {reason}"

    return None


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip that nobody could explain on this machine."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return

    fault = _fault_of(report.longrepr)
    if fault is not None:
        report.outcome = "failed"
        report.longrepr = fault


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    _refuse_skip(report)
    return report
