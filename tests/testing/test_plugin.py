"""The kit as a whole: what it needs, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import asgi_auth.testing
from asgi_auth.testing import FakeClock, StoreContract

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONFTEST = 'pytest_plugins = ["asgi_auth.testing.plugin"]\n'
FIXTURES_WORK = """
    from asgi_auth.testing import FakeClock, FakeIssuer


    def test_clock(auth_clock):
        assert isinstance(auth_clock, FakeClock)
        before = auth_clock()
        assert auth_clock.advance(5) == before + 5


    def test_each_test_has_its_own(auth_clock, auth_issuer):
        assert auth_clock() == FakeClock()()
        assert isinstance(auth_issuer, FakeIssuer)
        assert auth_issuer.requests == []
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(textwrap.dedent(FIXTURES_WORK))
    return tmp_path


def pytest_in(folder, *arguments):
    """Run pytest apart from this run, whose options and measurement it must not get."""
    mine = ("PYTEST", "COV")
    rest = {n: v for n, v in os.environ.items() if not n.startswith(mine)}
    quick = ("-p", "no:cacheprovider", "-p", "pytest_cov", "-p", "anyio")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *quick, *arguments],
        cwd=folder,
        env={**rest, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_fixtures_work_and_a_measurement_of_coverage_begins_before(project):
    """Were it an entry point, no line that runs on import would count."""
    ran = pytest_in(project, "--cov=asgi_auth.principal", "--cov-report=json")
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr

    found = json.loads((project / "coverage.json").read_text())["files"]
    (principal,) = found.values()
    assert principal["summary"]["percent_covered"] > 50


def test_nobody_gets_them_unasked_for():
    assert "pytest11" not in PROJECT.get("entry-points", {})


WITHOUT_PYTEST = """
    import sys

    sys.modules["pytest"] = sys.modules["_pytest"] = None
    from asgi_auth.errors import MissingExtraError
    from asgi_auth.testing import FakeClock, FakeIssuer, as_user
    from asgi_auth.testing import authenticated, mint_token

    FakeIssuer().mint("ada")
    mint_token(fault="expired")
    try:
        from asgi_auth.testing import StoreContract
    except MissingExtraError as error:
        print(error)
"""


def test_all_but_the_contract_works_without_pytest():
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT_PYTEST)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout.strip() == (
        "StoreContract needs pytest: python -m pip install pytest anyio"
    )


def test_importing_the_kit_imports_no_pytest():
    program = "import sys, asgi_auth.testing; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_every_public_name_can_be_had():
    for name in asgi_auth.testing.__all__:
        assert getattr(asgi_auth.testing, name) is not None
    assert asgi_auth.testing.StoreContract is StoreContract
    with pytest.raises(AttributeError, match="has no attribute 'missing'"):
        asgi_auth.testing.missing  # noqa: B018


def test_pytest_collects_nothing_of_the_kit():
    names = asgi_auth.testing.__all__
    assert not [name for name in names if name.startswith(("test", "Test"))]


def test_the_clock():
    clock = FakeClock(10.0)
    assert clock.advance(5) == clock() == 15.0
    clock.set(1.0)
    assert repr(clock) == "FakeClock(1.0)"
