"""The rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "asgi_auth"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE = 350
LONGEST_SPINE = 2000
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# Where an optional library may be imported: rooms, as the beginning of their path.
DOORS = {
    "aiosmtplib": ("_drivers/smtp.py",),
    "aiosqlite": ("_drivers/sql.py",),
    "asyncpg": ("_drivers/sql.py",),
    "blacksheep": ("integrations/",),
    "channels": ("integrations/",),
    "django": ("integrations/",),
    "email_validator": ("routes/",),
    "falcon": ("integrations/",),
    "fastapi": ("integrations/",),
    "greenlet": ("_drivers/sql.py",),
    "hiredis": ("_drivers/redis.py",),
    "httpx": ("client/",),
    "httpx2": ("_drivers/http.py", "client/", "cli/"),
    "jinja2": ("pages/",),
    "limits": ("_drivers/limits.py",),
    "litestar": ("integrations/",),
    "mcp": ("integrations/",),
    "nexios": ("integrations/",),
    "ninja": ("integrations/",),
    "opentelemetry": ("metrics/",),
    "prometheus_client": ("metrics/",),
    "pydantic": ("pages/", "routes/"),
    "pytest": ("testing.py", "testing/"),
    "quart": ("integrations/",),
    "redis": ("_drivers/redis.py",),
    "rest_framework": ("integrations/",),
    "rich": ("cli/_say.py",),
    "segno": ("pages/",),
    "sqlalchemy": ("_drivers/sql.py",),
    "starlette": ("integrations/", "pages/", "routes/"),
    "trio": (),
    "uvicorn": ("cli/",),
    "webauthn": ("_drivers/webauthn.py",),
    "websockets": ("cli/",),
}

# Escaped, so that this file does not break its own rule.
FOREIGN_WORDS = [b"\x2fwork/", b"\x2froot/", b"pypi\x2eorg"]
AT_THE_TOP = ["*.md", "*.toml", "*.yaml", ".gitignore", "LICENSE"]
SHIPPED = [".ci", ".github", "asgi_auth", "benchmarks", "docs", "tests"]
GENERATED = {"__pycache__", "_build", ".hypothesis"}

INSTALL_DEMO = 'python -m pip install -e ".[demo]" && asgi-auth demo'
INSTALL_AND_TEST = 'python -m pip install -e ".[dev]" && python -m pytest'


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_bytes())


def imported_libraries(tree: ast.Module) -> set[str]:
    """Name the top-level packages that a module imports, late imports too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def written_files() -> list[Path]:
    """List what people wrote: no caches, no builds."""
    top = [path for pattern in AT_THE_TOP for path in ROOT.glob(pattern)]
    below = [path for room in SHIPPED for path in (ROOT / room).rglob("*")]
    return [
        path
        for path in [*top, *below]
        if path.is_file() and not GENERATED & set(path.relative_to(ROOT).parts)
    ]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_module_is_short(module):
    lines = len(module.read_text("utf-8").splitlines())
    assert lines <= LONGEST_MODULE, f"{lines} lines: which noun can move out?"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_module_says_what_it_is_for(module):
    assert ast.get_docstring(parsed(module))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_module_postpones_its_annotations(module):
    tree = parsed(module)
    if len(tree.body) <= 1:  # Nothing but the docstring.
        return

    assert any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and node.names[0].name == "annotations"
        for node in tree.body
    )


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_optional_libraries_come_through_their_door(module):
    here = module.relative_to(PACKAGE).as_posix()
    astray = [
        library
        for library in imported_libraries(parsed(module))
        if library in DOORS and not here.startswith(DOORS[library] or "\0")
    ]
    assert not astray, f"{here} imports {astray}; their doors are in this test"


def test_there_are_modules_to_judge():
    assert len(MODULES) > 5


def test_package_is_typed():
    assert (PACKAGE / "py.typed").is_file()


def test_no_file_speaks_of_the_machine_it_was_written_on():
    guilty = [
        f"{name_of(path)}: {word.decode()}"
        for path in written_files()
        for word in FOREIGN_WORDS
        if word in path.read_bytes()
    ]
    assert not guilty


def test_imports_keep_to_the_tower():
    command = Path(sys.executable).with_name("lint-imports")
    found = command if command.exists() else shutil.which("lint-imports")
    assert found, "import-linter is missing: install the dev extra"
    run = subprocess.run(
        [str(found), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_readme_and_ci_give_the_same_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert INSTALL_DEMO in readme
    assert INSTALL_AND_TEST in readme
    assert INSTALL_AND_TEST in (ROOT / ".ci" / "run").read_text("utf-8")


def test_readme_and_documentation_compare_alike():
    table = re.compile(r"<!-- what is in the box -->(.*)<!-- end of what", re.DOTALL)
    pages = ("README.md", "docs/explanation/comparison.md")
    tables = {table.findall((ROOT / page).read_text("utf-8"))[0] for page in pages}
    assert len(tables) == 1


def test_extras_that_messages_name_exist():
    named = {
        extra
        for path in [*MODULES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for names in re.findall(r"asgi-auth\[([\w,]+)\]", path.read_text("utf-8"))
        for extra in names.split(",")
    }
    assert named
    assert named <= set(PROJECT["optional-dependencies"])


def test_changelog_tells_of_the_version():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## {re.escape(PROJECT['version'])}\b", changelog, re.MULTILINE)


def test_whoever_reads_the_spine_is_through_in_twenty_minutes():
    page = (ROOT / "docs" / "explanation" / "house.md").read_text("utf-8")
    spine = re.findall(r"^\| `([a-z_/]+\.py)` \|", page, re.MULTILINE)
    assert len(spine) == 9
    lines = [len((PACKAGE / name).read_text("utf-8").splitlines()) for name in spine]
    assert sum(lines) < LONGEST_SPINE


# Fewer take settings, frozen and shared by those who need the same.
MOST_PARAMETERS = 10
# What is settings itself, with a default for each: nobody writes them all.
MOST_SETTINGS = 12
# A row of a table, or all that is known of a caller, has as many as it has.
RECORDS = {"APIKey", "Account", "Passkey", "Principal", "Session"}


def public_things() -> dict[str, Any]:
    """Return the classes and functions that are promised, by their names."""
    pinned = (ROOT / "tests" / "public_names.txt").read_text("utf-8").split()
    pairs = [name.rpartition(".") for name in pinned]
    things = [getattr(importlib.import_module(home), name) for home, _, name in pairs]
    ours = [
        each for each in things if inspect.isclass(each) or inspect.isfunction(each)
    ]
    return {
        thing.__name__: thing
        for thing in ours
        if thing.__module__.startswith("asgi_auth")
    }


def parameters_of(thing: Any) -> list[str]:
    """Name what a caller may hand in, but for ``*scopes`` and ``**options``."""
    try:
        parameters = inspect.signature(thing).parameters
    except ValueError:  # An exception without an __init__ of its own.
        return []

    return [
        name
        for name, parameter in parameters.items()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]


def test_no_public_name_takes_a_crowd_of_parameters():
    crowded = {}
    for name, thing in public_things().items():
        count = len(parameters_of(thing))
        most = MOST_SETTINGS if is_dataclass(thing) else MOST_PARAMETERS
        if count > most and name not in RECORDS:
            crowded[name] = count

    assert crowded == {}
