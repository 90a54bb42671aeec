from __future__ import annotations

import json

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
