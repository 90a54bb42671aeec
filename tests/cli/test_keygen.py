from __future__ import annotations

import json
import stat

import pytest

from asgi_auth import Key, KeySet
from asgi_auth.cli.main import main


def test_by_default_it_is_a_secret_for_the_environment(capsys):
    assert main(["keygen"]) == 0

    out, err = capsys.readouterr()
    assert len(out.strip()) == 86
    keys = KeySet.from_env(environ={"ASGI_AUTH_SECRET_KEY": out.strip()})
    assert keys.signing_key.kid in err
    assert "one in 2^512" in err
    assert out.strip() not in err


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA", "RS256", "PS384"])
def test_a_pair_is_a_pem_text_that_comes_back(capsys, algorithm):
    assert main(["keygen", "--algorithm", algorithm]) == 0

    key = Key.from_pem(capsys.readouterr().out, algorithm)
    assert key.is_private
    assert key.algorithm == algorithm


def test_json_has_the_public_half_beside_the_private_one(capsys):
    assert main(["keygen", "--algorithm", "ES256", "--kid", "k1", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    private, public = Key.from_pem(told["key"]), Key.from_pem(told["public"])
    assert told["algorithm"], told["kid"] == ("ES256", "k1")
    assert private.thumbprint() == public.thumbprint()
    assert not public.is_private


@pytest.mark.parametrize("algorithm", ["HS512", "ES512", "EdDSA"])
def test_a_jwk_comes_back_with_its_name(capsys, algorithm):
    arguments = ["--algorithm", algorithm, "--format", "jwk", "--kid", "k1"]
    assert main(["keygen", *arguments]) == 0

    key = Key.from_jwk(json.loads(capsys.readouterr().out))
    assert (key.kid, key.algorithm, key.is_private) == ("k1", algorithm, True)


def test_the_json_of_a_secret_has_no_public_half(capsys):
    assert main(["keygen", "--json"]) == 0
    assert "public" not in json.loads(capsys.readouterr().out)


def test_the_size_of_an_rsa_key_is_heard(capsys):
    assert main(["keygen", "--algorithm", "RS256", "--bits", "3072"]) == 0
    assert len(capsys.readouterr().out) > 2000


@pytest.mark.parametrize(
    "arguments",
    [
        ["--algorithm", "none"],
        ["--algorithm", "HS256", "--format", "pem"],
        ["--algorithm", "ES256", "--format", "secret"],
        ["--algorithm", "RS256", "--bits", "1024"],
        ["--bits", "2048"],
    ],
)
def test_what_makes_no_good_key_is_a_sentence_and_status_2(capsys, arguments):
    assert main(["keygen", *arguments]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("asgi-auth: ")


def test_an_env_file_is_made_for_its_owner_alone_and_no_secret_is_shown(
    capsys, tmp_path
):
    path = tmp_path / ".env"
    assert main(["keygen", "--env-file", str(path)]) == 0

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = path.read_text().splitlines()
    name, _, secret = line.partition("=")
    keys = KeySet.from_env(environ={name: secret})
    out, err = capsys.readouterr()
    assert out == f"Made {path}: ASGI_AUTH_SECRET_KEY.\n"
    assert keys.signing_key.kid in err
    assert "write .env into .gitignore" in err
    assert "chmod" not in err
    assert secret not in out + err


@pytest.mark.parametrize("before", ["DATABASE_URL=sqlite://\n", "A=1\n\nB='2'", ""])
def test_a_line_is_added_below_what_an_env_file_has(capsys, tmp_path, before):
    path = tmp_path / "local.env"
    path.write_text(before)
    path.chmod(0o644)
    assert main(["keygen", "--env-file", str(path)]) == 0

    text = path.read_text()
    assert text.startswith(before)
    assert text.count("ASGI_AUTH_SECRET_KEY=") == 1
    assert text.splitlines()[-1].startswith("ASGI_AUTH_SECRET_KEY=")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    out, err = capsys.readouterr()
    assert out.startswith("Added to ")
    assert f"chmod 600 {path}" in err


@pytest.mark.parametrize(
    "line",
    [
        "ASGI_AUTH_SECRET_KEY=kept",
        "  export ASGI_AUTH_SECRET_KEY = 'kept'",
        "ASGI_AUTH_SECRET_KEY_FILE=/run/secrets/key",
        "ASGI_AUTH_PRIVATE_KEY_FILE=private.pem",
        "ASGI_AUTH_JWKS={}",
    ],
)
def test_a_key_that_an_env_file_has_stays_the_only_one(capsys, tmp_path, line):
    path = tmp_path / ".env"
    path.write_text(f"A=1\n{line}\n")
    assert main(["keygen", "--env-file", str(path), "--json"]) == 0

    assert path.read_text() == f"A=1\n{line}\n"
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["variable"] in line
    assert "nothing was changed" in told["result"]
    assert "kept" not in out + err


@pytest.mark.parametrize(
    "line", ["# ASGI_AUTH_SECRET_KEY=old", "MY_ASGI_AUTH_SECRET_KEY=x", "A=ASGI_AUTH_"]
)
def test_what_only_looks_like_a_key_is_none(tmp_path, line):
    path = tmp_path / ".env"
    path.write_text(line)
    assert main(["keygen", "--env-file", str(path)]) == 0
    assert path.read_text().startswith(f"{line}\nASGI_AUTH_SECRET_KEY=")


@pytest.mark.parametrize("value", ["", "''", '""', "  "])
def test_an_empty_value_is_not_doubled(capsys, tmp_path, value):
    path = tmp_path / ".env"
    path.write_text(f"ASGI_AUTH_SECRET_KEY={value}\n")
    assert main(["keygen", "--env-file", str(path)]) == 2
    assert path.read_text() == f"ASGI_AUTH_SECRET_KEY={value}\n"
    assert "without a value" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--algorithm", "ES256"], ["--algorithm", "HS512"], ["--format", "jwk"]],
)
def test_what_is_no_single_line_goes_into_no_env_file(capsys, tmp_path, arguments):
    path = tmp_path / ".env"
    assert main(["keygen", "--env-file", str(path), *arguments]) == 2
    assert not path.exists()
    assert "ASGI_AUTH_PRIVATE_KEY_FILE" in capsys.readouterr().err


def test_an_env_file_that_cannot_be_is_a_sentence(capsys, tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path, tmp_path / "binary", tmp_path / "nowhere" / ".env"):
        assert main(["keygen", "--env-file", str(path)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"asgi-auth: {path} cannot be ")
