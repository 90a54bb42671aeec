"""The lines that pages highlight are there, and are highlighted."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in DOCS.rglob("*.md") if "<!-- mark:" in page.read_text("utf-8")]
PAGE = """# A page

<!-- mark: install(; b -->
```python
app = 1
install(app)
b = 2
```
"""


@pytest.fixture(scope="module")
def emphasis():
    spec = importlib.util.spec_from_file_location("emphasis", DOCS / "emphasis.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_mark_is_before_a_block_that_has_its_pieces(emphasis, page):
    source = page.read_text("utf-8")
    marks = [*emphasis.MARKED.finditer(source)]
    assert len(marks) == source.count("<!-- mark:")
    for mark in marks:
        numbers = emphasis.lines_with(mark["source"], mark["pieces"])
        # What is highlighted throughout is not highlighted.
        lines = [line for line in mark["source"].splitlines() if line.strip()]
        assert len(numbers) <= max(2, len(lines) // 2), mark["pieces"]


def test_the_pages_that_newcomers_read_have_marks():
    marked = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES}
    tutorials = {"first-app", "protect-an-app", "api-with-login", "chat"}
    assert {f"tutorial/{name}" for name in tutorials} <= marked
    assert len(marked) > 30


def test_a_mark_becomes_the_numbers_of_its_lines(emphasis):
    source = [PAGE]
    emphasis.write_marks(None, "page", source)
    assert '\n{emphasize-lines="2,3"}\n```python\n' in source[0]
    assert source[0].count("\n") == PAGE.count("\n")


def test_a_piece_that_is_gone_is_an_error(emphasis):
    with pytest.raises(emphasis.MarkError, match="uninstall"):
        emphasis.write_marks(None, "page", [PAGE.replace("install(;", "uninstall(;")])


def test_the_lines_are_highlighted_in_the_built_page(tmp_path):
    (tmp_path / "index.md").write_text(PAGE, "utf-8")
    conf = f"""import sys
sys.path.insert(0, {str(DOCS)!r})
extensions = ["myst_parser", "emphasis"]
myst_enable_extensions = ["attrs_block"]
html_theme = "basic"
"""
    (tmp_path / "conf.py").write_text(conf, "utf-8")
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-qnW", str(tmp_path), str(tmp_path / "out")],
        check=True,
        timeout=60,
    )
    html = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert html.count('class="hll"') == 2
