"""The public names are a promise: adding or losing one is a decision, made here."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "asgi_auth"
PINNED = Path(__file__).with_name("public_names.txt")

# Below these nothing is promised: how they are used is.
NOT_IMPORTED = {"_drivers", "cli", "integrations"}
MODULES = ["asgi_auth.errors", "asgi_auth.events", "asgi_auth.typing"]
DOORS = [
    "asgi_auth.client.httpx",
    "asgi_auth.client.httpx2",
    *(
        f"asgi_auth.integrations.{path.stem}"
        for path in sorted((PACKAGE / "integrations").glob("[a-z]*.py"))
    ),
]
PACKAGES = [
    f"asgi_auth.{path.parent.name}"
    for path in sorted(PACKAGE.glob("*/__init__.py"))
    if path.parent.name not in NOT_IMPORTED
]
FACES = ["asgi_auth", *PACKAGES, *MODULES]
MOST = 250


def exported(module):
    return importlib.import_module(module).__all__


PUBLIC = [(module, name) for module in [*FACES, *DOORS] for name in exported(module)]
CLASSES = [
    thing
    for module, name in PUBLIC
    if inspect.isclass(thing := getattr(importlib.import_module(module), name))
    and thing.__module__.startswith("asgi_auth")
]


def test_public_names_are_the_promised_ones():
    """Write the file anew with ``python -m tests.test_public_names``."""
    assert PINNED.read_text("utf-8").split() == [f"{m}.{name}" for m, name in PUBLIC]


def test_there_are_few_of_them():
    things = {name for module, name in PUBLIC if module in FACES}
    assert len(things) < MOST


@pytest.mark.parametrize("module", [*FACES, *DOORS])
def test_public_names_are_said_once(module):
    names = exported(module)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_public_name_exists_and_is_documented(module, name):
    thing = getattr(importlib.import_module(module), name)
    assert not inspect.ismodule(thing), f"{name} is what the module of its name holds"
    documented = inspect.isclass(thing) or inspect.isroutine(thing)
    assert not documented or inspect.getdoc(thing), f"{name} has no docstring"


@pytest.mark.parametrize("thing", CLASSES, ids=lambda thing: thing.__qualname__)
def test_public_methods_are_documented(thing):
    bare = [
        attribute
        for attribute, value in vars(thing).items()
        if not attribute.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, property))
        and not inspect.getdoc(getattr(thing, attribute))
    ]
    assert not bare, f"{thing.__name__} has methods without a docstring: {bare}"


@pytest.mark.parametrize("module", PACKAGES)
def test_a_package_has_what_it_names_and_nothing_else(module):
    package = importlib.import_module(module)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


def test_no_driver_is_imported_before_somebody_asks_for_it():
    script = (
        "import sys, asgi_auth, asgi_auth.stores, asgi_auth.backends, asgi_auth.keys\n"
        "import asgi_auth.accounts, asgi_auth.ratelimit, asgi_auth.passkeys\n"
        "import asgi_auth.factors, asgi_auth.websocket, asgi_auth.metrics\n"
        "drivers = {'sqlalchemy', 'redis', 'httpx2', 'limits', 'aiosmtplib'}\n"
        "drivers |= {'webauthn', 'opentelemetry', 'prometheus_client'}\n"
        "print(sorted(drivers & sys.modules.keys()))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == "[]"


if __name__ == "__main__":
    PINNED.write_text("".join(f"{m}.{name}\n" for m, name in PUBLIC), "utf-8")
