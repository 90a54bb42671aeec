"""What all adapters have in common: the same verbs, the same words, and little code."""

from __future__ import annotations

import inspect
import typing
from importlib import import_module
from pathlib import Path

import pytest

from asgi_auth import requires
from asgi_auth.integrations import _common
from asgi_auth.integrations._common import Demands

FOLDER = Path(_common.__file__).parent
ADAPTERS = ["channels", "django", "fastapi", "litestar", "nexios", "quart", "starlette"]
VERBS = {"current_principal", "current_user", "install", "optional_user", "requires"}
BESIDE = {"django_rest", "mcp", "sentry", "user_header"}
"""What is for a framework or a tool, and stands in place of no middleware of its."""
NEEDS = {"channels": "django"}


def test_there_is_no_other_adapter():
    there = {path.stem for path in FOLDER.glob("[a-z]*.py")}
    assert there == {*ADAPTERS, *BESIDE}


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_has_the_same_verbs(name):
    pytest.importorskip(NEEDS.get(name, name), reason=f"platform: there is no {name}")
    adapter = import_module(f"asgi_auth.integrations.{name}")

    assert set(adapter.__all__) >= VERBS


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_is_a_page_or_three(name):
    text = (FOLDER / f"{name}.py").read_text("utf-8")
    assert len(text.splitlines()) <= 160


def test_guards_of_adapters_take_what_guards_take():
    taken = inspect.signature(requires).parameters
    assert typing.get_type_hints(Demands).keys() == taken.keys() - {"scopes"}
