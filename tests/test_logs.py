from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import pytest

from asgi_auth._logs import escaped, package_logger

PACKAGE = Path(__file__).parent.parent / "asgi_auth"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("asgi_auth.tokens.verifier", "asgi_auth.tokens"),
        ("asgi_auth.backends.apikeys.service", "asgi_auth.backends"),
        ("asgi_auth._drivers.sql", "asgi_auth.drivers"),
        ("asgi_auth.middleware", "asgi_auth.middleware"),
    ],
)
def test_a_logger_is_named_after_its_package(module, name):
    assert package_logger(module).logger.name == name


def test_no_module_makes_a_logger_in_another_way():
    made = re.compile(r"getLogger\((?!\"aiosqlite\")")
    guilty = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.name != "_logs.py" and made.search(path.read_text("utf-8"))
    ]
    assert not guilty


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("a\nb\rc", "a\\nb\\rc"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x85\u2028\u202e", "\\x85\\u2028\\u202e"),
        ("\ud800", "\\ud800"),
        ("Zoë", "Zoë"),
    ],
)
def test_what_would_begin_a_line_is_escaped(text, line):
    assert escaped(text) == line


def test_arguments_are_escaped_and_numbers_stay_numbers(caplog):
    with caplog.at_level(logging.DEBUG, "asgi_auth.tokens"):
        package_logger("asgi_auth.tokens").debug("%s %d", ValueError("a\nb"), 3)

    (record,) = caplog.records
    assert record.getMessage() == "a\\nb 3"
    assert record.filename == "test_logs.py"


def test_below_its_level_nothing_is_made_into_text():
    class Dear:
        def __str__(self):
            raise AssertionError

    logging.getLogger("asgi_auth.tokens").setLevel(logging.WARNING)
    try:
        package_logger("asgi_auth.tokens").debug("%s", Dear())
    finally:
        logging.getLogger("asgi_auth.tokens").setLevel(logging.NOTSET)


def test_a_handler_that_raises_harms_nobody_and_shows_on_stderr(monkeypatch):
    class Broken(logging.Handler):
        def emit(self, record):
            raise RuntimeError("the disk is full")

    monkeypatch.setattr("sys.stderr", stderr := io.StringIO())
    logger = logging.getLogger("asgi_auth.tokens")
    logger.addHandler(handler := Broken())
    try:
        package_logger("asgi_auth.tokens").warning("careful")
    finally:
        logger.removeHandler(handler)

    assert "the disk is full" in stderr.getvalue()
