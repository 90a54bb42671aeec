from __future__ import annotations

import re

import pytest

from asgi_auth.cli import _say
from asgi_auth.cli.main import main

HEAD = ("WHOSE", "SESSION")
SID = "1f0c" * 8
RED, GREEN = "\x1b[1;31m", "\x1b[32m"


@pytest.fixture(autouse=True)
def environ(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    return monkeypatch


@pytest.fixture
def in_a_terminal(environ):
    environ.setenv("FORCE_COLOR", "1")
    return environ


@pytest.mark.parametrize("is_installed", [True, False])
def test_a_pipe_gets_plain_columns(capsys, monkeypatch, is_installed):
    if not is_installed:
        monkeypatch.setattr(_say, "Console", None)

    _say.say_table(HEAD, [("ada", "s1"), ("bob@example.com", "s2")])
    _say.say_verdict("form", is_good=True)

    assert capsys.readouterr().out == (
        "WHOSE            SESSION\n"
        "ada              s1\n"
        "bob@example.com  s2\n"
        "ok    form\n"
    )


def test_without_rich_a_terminal_gets_plain_columns(capsys, in_a_terminal):
    in_a_terminal.setattr(_say, "Console", None)

    _say.say_table(HEAD, [("ada", "s1")])

    assert capsys.readouterr().out == "WHOSE  SESSION\nada    s1\n"


def test_a_terminal_shows_verdicts_in_colour(capsys, in_a_terminal):
    _say.say_verdict("form", is_good=True)
    _say.say_verdict("signature", is_good=False)

    good, bad = capsys.readouterr().out.splitlines()
    assert good.startswith(GREEN)
    assert bad.startswith(RED)
    assert good.endswith("form")
    assert bad.endswith("signature")


def test_no_color_is_heeded(capsys, in_a_terminal):
    in_a_terminal.setenv("NO_COLOR", "1")

    _say.say_verdict("form", is_good=False)
    _say.say_table(HEAD, [("ada", "s1")])

    out = capsys.readouterr().out
    assert "ada" in out
    # NO_COLOR is about colours: the heads may still be bold.
    assert not re.search(r"\x1b\[[\d;]*3\d", out)


def test_a_dumb_terminal_gets_plain_text(capsys, in_a_terminal):
    in_a_terminal.setenv("TERM", "dumb")

    _say.say_verdict("form", is_good=True)

    assert capsys.readouterr().out == "ok    form\n"


def test_a_narrow_terminal_loses_no_letter_of_an_id(capsys, in_a_terminal):
    in_a_terminal.setenv("COLUMNS", "20")

    _say.say_table(HEAD, [("ada", SID)])

    _, *lines = capsys.readouterr().out.splitlines()
    assert "".join(line.replace("ada", "").strip() for line in lines) == SID


@pytest.mark.parametrize("text", ["\x1b[31mred", "[bold]x[/bold]", ":smile:", "\r\n"])
def test_what_a_caller_chose_steers_no_terminal(capsys, in_a_terminal, text):
    _say.say_table(HEAD, [("who", text)])
    drawn = capsys.readouterr().out
    in_a_terminal.setattr(_say, "Console", None)
    _say.say_table(HEAD, [("who", text)])
    plain = capsys.readouterr().out

    shown = ascii(text)[1:-1]
    assert shown in drawn
    assert plain.endswith(f"{shown}\n")


@pytest.mark.parametrize("words", [[], ["token"], ["users"], ["sessions"]], ids=str)
def test_a_command_without_a_verb_shows_its_help_and_succeeds(capsys, words):
    assert main(words) == 0

    said, remarks = capsys.readouterr()
    assert said.startswith(" ".join(["usage: asgi-auth", *words]))
    assert remarks == ""


def test_a_verb_that_is_not_there_is_a_wrong_call(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["token", "steal"])

    assert stopped.value.code == 2
    assert "steal" in capsys.readouterr().err
