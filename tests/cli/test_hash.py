from __future__ import annotations

import io
import json

import pytest

from asgi_auth.cli.main import main

pytestmark = pytest.mark.usefixtures("cheap_hashes")
BCRYPT = "$2b$04$8oS1TXfeHsxLS7GRtovKF.Y7gjXc9oXsZWmO9bVWTCmlOLmmwbTrC"


def run(monkeypatch, text, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return main(["hash", *arguments])


def test_a_password_is_hashed_and_fits_its_hash(monkeypatch, capsys):
    assert run(monkeypatch, "correct horse\n") == 0

    stored = capsys.readouterr().out.strip()
    assert stored.startswith("$argon2id$")
    assert run(monkeypatch, "correct horse", "--against", stored) == 0
    assert capsys.readouterr() == ("", "The password fits.\n")
    assert run(monkeypatch, "wrong horse", "--against", stored) == 1


def test_an_old_hash_gets_a_newer_one(monkeypatch, capsys):
    from passlib.hash import bcrypt

    old = bcrypt.using(rounds=4).hash("correct horse")
    assert run(monkeypatch, "correct horse", "--against", old) == 0

    out, err = capsys.readouterr()
    assert out.startswith("$argon2id$")
    assert "store this instead" in err


def test_programs_read_json(monkeypatch, capsys):
    assert run(monkeypatch, "correct horse", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["fits"] is None

    against = ["--against", made["hash"], "--json"]
    assert run(monkeypatch, "correct horse", *against) == 0
    assert json.loads(capsys.readouterr().out) == {"hash": None, "fits": True}
    assert run(monkeypatch, "wrong horse", *against) == 1
    assert json.loads(capsys.readouterr().out) == {"hash": None, "fits": False}


def test_no_password_is_status_2_and_a_refused_one_status_1(monkeypatch, capsys):
    assert run(monkeypatch, "\n") == 2
    assert run(monkeypatch, "x" * 2000) == 1
    assert "xxx" not in "".join(capsys.readouterr())


def test_at_a_terminal_it_is_asked_for_and_not_shown(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse")
    assert main(["hash"]) == 0
    assert capsys.readouterr().out.startswith("$argon2id$")


@pytest.mark.parametrize("stored", ["", "no hash", BCRYPT])
def test_what_is_no_hash_of_it_does_not_fit(monkeypatch, stored):
    assert run(monkeypatch, "other", "--against", stored) == 1
