"""The tables of the reference hold what the code holds; the drawings are up to date."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from asgi_auth._event_kinds import EVENT_KINDS
from asgi_auth.cli._stores import _VARIABLE
from asgi_auth.keys._env import KINDS
from benchmarks.drawings import DRAWINGS, THEMES, files

DOCS = Path(__file__).parents[2] / "docs"
NAMES = (DOCS.parent / "tests" / "public_names.txt").read_text("utf-8").split()


@pytest.fixture(scope="module")
def tables():
    sys.path.insert(0, str(DOCS))
    try:
        yield importlib.import_module("tables")
    finally:
        sys.path.remove(str(DOCS))


def test_each_table_has_a_page_and_each_marker_a_table(tables):
    used = {
        match["name"]
        for page in DOCS.rglob("*.md")
        for match in tables.MARKER.finditer(page.read_text("utf-8"))
    }
    assert used == tables.TABLES.keys()


def test_every_event_is_in_its_table(tables):
    assert all(f"| `{name}` |" in tables.events() for name in EVENT_KINDS)


def test_every_code_of_a_refusal_is_in_its_table(tables):
    text = tables.problems()
    for code in ("token_expired", "insufficient_scope", "rate_limited", "unavailable"):
        assert f"| `{code}` |" in text

    assert "cookie_too_large" in text  # Of the routes.
    assert "invalid_dpop_proof" in text  # Of a room that the core does not know.


def test_lines_of_the_log_are_read_from_the_calls(tables):
    calls = tables.log_calls()
    assert ("asgi_auth.responses", "DEBUG") in {call[:2] for call in calls}
    assert any("is down" in text for _, _, text in calls)


def test_every_setting_is_explained(tables):
    for module, names in tables.CONFIGURED.items():
        for name in names:
            thing = getattr(importlib.import_module(module), name)
            for setting, default, meaning in tables.settings_of(thing):
                assert meaning, f"{name}.{setting} is not in the docstring"
                assert default


def test_every_variable_of_the_environment_is_explained(tables):
    text = tables.environment()
    named = [f"ASGI_AUTH_{kind}" for kind in KINDS] + [_VARIABLE]
    assert all(f"| `{name}` |" in text for name in named)


def test_every_extra_says_what_it_is_for(tables):
    rows = tables.extras().splitlines()[2:]
    assert len(rows) > 10
    assert all(row.split(" | ")[1] for row in rows)


def test_every_public_name_has_a_page(tables):
    pages = importlib.import_module("faces").pages()
    shown = {name for names in pages.values() for name in names}
    assert {name.rpartition(".")[2] for name in NAMES} <= shown


def test_docstrings_become_markdown(tables):
    assert tables.plain(":class:`~a.B` or ``c``") == "`a.B` or `c`"


def test_the_drawings_are_those_of_the_command():
    assert len(files()) == len(DRAWINGS) * len(THEMES)
    for path, picture in files().items():
        assert path.read_text("utf-8") == picture, "python -m benchmarks.drawings"


@pytest.mark.parametrize("name", DRAWINGS)
def test_words_stay_within_their_boxes(name):
    for box in DRAWINGS[name].boxes:
        longest = max(map(len, box.text))
        assert longest * 6.5 <= box.width - 12, box.text
