"""What every test shares: processes, the event loop, a free port, no silent skips."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.authorities import trust_nobody
from tests.examples import ON_CI, some_of
from tests.greenlets import keep_greenlets
from tests.ports import free_port
from tests.turns import put_alone_first, turn_of
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


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in several processes; what is named runs in this one."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    options = config.option
    is_one_of_them = hasattr(config, "workerinput")
    # Coverage is measured in several only where that was said before it began.
    is_measured = config.pluginmanager.hasplugin("_cov")
    is_watched = options.usepdb or options.collectonly or is_measured
    if is_whole and options.numprocesses is None and not (is_watched or is_one_of_them):
        options.numprocesses = PROCESSES
        options.dist = "loadfile"
    if is_whole and not is_one_of_them:
        # Hundreds of processes import the same: who comes first compiles it for all.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if is_measured and options.numprocesses and not is_one_of_them:
        # It runs no test: the others do, and measure themselves.
        sys.settrace(None)
        threading.settrace(None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Begin with the files that take longest."""
    from tests.order import LongestFirst

    return LongestFirst(config, log) if config.option.dist == "loadfile" else None


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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that are marked ``alone`` follow one another."""
    put_alone_first(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Iterator[object]:
    """Let what is marked ``alone`` have the machine for itself."""
    with turn_of(item, nextitem), traced_if_measured(item):
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
