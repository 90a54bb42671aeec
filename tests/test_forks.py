"""A run in several processes ends as one in a single process would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forks import can_fork

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(
    not can_fork(), reason="platform: tests run in one process here"
)
DIVIDED = """
import pytest
from tests.forks import run

def pytest_runtestloop(session):
    return run(session, [[item] for item in session.items], 2) or True
"""
DIVIDED_IN_HALVES = """
from tests.forks import run

def pytest_runtestloop(session):
    return run(session, [session.items[::2], session.items[1::2]], 2) or True
"""
TESTS = """
import os, signal, warnings, pytest

def test_passes(tmp_path):
    print("nobody sees this")
    warnings.warn("everybody sees this", FutureWarning)

def test_fails():
    print("this is seen")
    assert {"a": 1} == {"a": 2}

def test_dies():
    os.kill(os.getpid(), signal.SIGKILL)

def test_is_left_out():
    pytest.skip("why not")

@pytest.mark.xfail(reason="as it should")
def test_fails_as_it_should():
    raise ValueError

@pytest.fixture
def broken():
    raise ValueError("broken")

def test_never_begins(broken): pass

@pytest.fixture(scope="session")
def shared(request):
    yield os.getpid()
    with open("ended", "a") as ended:
        print(os.getpid(), file=ended)

@pytest.mark.parametrize("number", range(8))
def test_shares(shared, number):
    with open("began", "a") as began:
        print(shared, number, file=began)
"""


def run_tests(folder: Path, conftest: str, *arguments: str) -> str:
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text(TESTS)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "COVERAGE_FILE": str(folder / "coverage"),  # Not that of the run outside.
    }
    command = [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [*command, *arguments, "test_it.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.parametrize("conftest", [DIVIDED, DIVIDED_IN_HALVES])
def test_every_test_is_run_once_and_told_of(tmp_path, conftest):
    said = run_tests(tmp_path, conftest)
    closing = "2 failed, 9 passed, 1 skipped, 1 xfailed, 1 warning, 1 error in"
    assert said.splitlines()[-1].startswith(closing)
    assert "FAILED test_it.py::test_dies - its process ended with status -9" in said
    assert "FAILED test_it.py::test_fails - AssertionError: assert {'a': 1}" in said
    assert "ERROR test_it.py::test_never_begins - ValueError: broken" in said
    assert "why not" in said
    assert "this is seen" in said
    assert "FutureWarning: everybody sees this" in said
    assert "nobody sees this" not in said

    began = (tmp_path / "began").read_text().splitlines()
    assert sorted(line.split()[1] for line in began) == [*map(str, range(8))]
    ended = (tmp_path / "ended").read_text().split()
    assert sorted(ended) == sorted({line.split()[0] for line in began})


def test_a_fault_of_a_plugin_is_told(tmp_path):
    fault = """
def pytest_runtest_logstart(nodeid):
    if nodeid.endswith("[3]"):
        raise RuntimeError("a plugin is broken")
"""
    said = run_tests(tmp_path, DIVIDED + fault)
    assert re.search(r"FAILED test_it.py::test_shares\[3\] - its process ended", said)
    assert "RuntimeError: a plugin is broken" in said


def test_it_stops_when_it_is_told_to(tmp_path):
    said = run_tests(tmp_path, DIVIDED_IN_HALVES, "-x")
    assert "stopping after" in said
    assert len(re.findall(r"^(?:FAILED|ERROR) ", said, re.MULTILINE)) in {1, 2}
    assert "9 passed" not in said


def test_coverage_is_measured_in_all_processes(tmp_path):
    pytest.importorskip("pytest_cov")
    measure = ["-p", "pytest_cov", "--cov=.", "--cov-report=term", "--cov-config=none"]
    (tmp_path / "none").write_text("[run]\nomit = conftest.py\n")
    said = run_tests(tmp_path, DIVIDED, *measure, "--deselect=test_it.py::test_dies")
    (line,) = re.findall(r"^test_it.py .*$", said, re.MULTILINE)
    assert line.split()[2] == "1"  # In the test that is left out here.
