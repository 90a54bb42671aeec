"""Every Python block of the README and of the documentation runs as written.

The blocks of one page are one module: they share names and run in order. A block
may ``await`` at its top level; all of a page's blocks then share one event loop.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
import secrets
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pasting import looks_like

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if "_build" not in page.relative_to(ROOT).parts
    ),
]
BLOCK = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})python[ ]*\n(?P<source>.*?)^(?P=indent)(?P=fence)",
    re.DOTALL | re.MULTILINE,
)
VALUE = re.compile(r"  # → (.+)$")
CHECK = "_check_value"
IMPORT = re.compile(r"^ *from (asgi_auth[\w.]*) import (\([^)]*\)|.+)", re.MULTILINE)
PINNED = ROOT / "tests" / "public_names.txt"
# Ways to write Python that the pattern above would pass over.
ESCAPED = re.compile(
    r"^ *(?:~{3,}|`{3,})(?:python\S|py\b|pycon|\{(?:code-block|code)\}\s*py)"
    r"|^ *~{3,}python|^ *`{3,}python +\S",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One example, with the line of the page on which it begins."""

    source: str
    line: int


def blocks_of(text: str) -> list[Block]:
    return [
        Block(
            source=textwrap.dedent(match["source"]),
            line=text.count("\n", 0, match.start("source")),
        )
        for match in BLOCK.finditer(text)
    ]


def run_page(name: str, text: str, module: ModuleType) -> None:
    """Run all blocks of a page, with tracebacks that point into it."""
    vars(module)[CHECK] = check_value
    with asyncio.Runner() as runner:
        for block in blocks_of(text):
            code = compile(
                with_checks("\n" * block.line + block.source),
                name,
                "exec",
                flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                dont_inherit=True,
            )
            result = eval(code, vars(module))
            if code.co_flags & inspect.CO_COROUTINE:
                runner.run(result)


def with_checks(source: str) -> ast.Module:
    """Have each expression compared with what stands behind its arrow."""
    lines, tree = source.splitlines(), ast.parse(source)
    for number, line in enumerate(lines, 1):
        value = VALUE.search(line)
        if value is None:
            continue

        statement = next(each for each in tree.body if each.end_lineno == number)
        assert isinstance(statement, ast.Expr), f"line {number} gives no value: {line}"
        check = ast.parse(f"{CHECK}(None, {value[1]!r})", mode="eval").body
        check.args[0] = statement.value
        statement.value = check
        ast.copy_location(check, check.args[0])

    return ast.fix_missing_locations(tree)


def check_value(value: object, shown: str) -> None:
    """Compare what an example gives with what the page says that it does."""
    assert looks_like([repr(value)], [shown]), f"{value!r} is not {shown}"


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def module(monkeypatch, tmp_path):
    """Give a page a module, a key in the environment, and a directory to write to."""
    made = ModuleType("docs_page")
    # A page may say to save a block as one of these, and import it in the next.
    for name in (made.__name__, "chat", "main"):
        monkeypatch.setitem(sys.modules, name, made)
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", secrets.token_urlsafe(64))
    monkeypatch.chdir(tmp_path)
    levels = {name: logging.getLogger(name).level for name in ("", "asgi_auth")}
    yield made
    for name, level in levels.items():  # A page may say how to see more.
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("cheap_hashes")
@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_page_runs(page, module):
    run_page(str(page), page.read_text("utf-8"), module)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_no_example_escapes_the_run(page):
    found = ESCAPED.search(page.read_text("utf-8"))
    assert found is None, f"write ```python instead of {found and found[0]!r}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_examples_import_what_is_promised(page):
    imported = {
        f"{module}.{name.strip()}"
        for block in blocks_of(page.read_text("utf-8"))
        for module, names in IMPORT.findall(block.source)
        for name in names.strip("()").split(",")
        if name.strip()
    }
    assert imported <= {*PINNED.read_text("utf-8").split()}


def test_a_broken_example_fails(module):
    page = "# Title\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n"
    with pytest.raises(AssertionError):
        run_page("page.md", page, module)


def test_examples_may_await_and_share_names(module):
    page = (
        "```python\nimport asyncio\nseen = []\n```\n"
        "1. indented:\n"
        "   ```python\n   await asyncio.sleep(0)\n   seen.append(1)\n   ```\n"
    )
    run_page("page.md", page, module)
    assert module.seen == [1]


def test_a_value_behind_an_arrow_is_compared(module):
    run_page("page.md", "```python\n[1, 2]  # → [1, …]\n```\n", module)
    with pytest.raises(AssertionError, match=r"\[1, 2\] is not \[2"):
        run_page("page.md", "```python\n[1, 2]  # → [2, …]\n```\n", module)
    with pytest.raises(AssertionError, match="gives no value"):
        run_page("page.md", "```python\nx = 1  # → 1\n```\n", module)


def test_a_traceback_names_the_line_of_the_page(module):
    with pytest.raises(ZeroDivisionError) as caught:
        run_page("page.md", "text\n\n```python\n1 / 0\n```\n", module)
    assert caught.traceback[-1].lineno == 3  # Counted from zero.


@pytest.mark.parametrize(
    "fence", ["```py", "~~~python", "```pycon", "```{code-block} python", "```python3"]
)
def test_other_spellings_of_an_example_are_found(fence):
    assert ESCAPED.search(f"text\n\n{fence}\nx\n")
