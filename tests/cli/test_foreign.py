"""``token verify`` for the tokens of other issuers."""

from __future__ import annotations

import io
import json
import time

import pytest

from asgi_auth.cli import _foreign
from asgi_auth.cli.main import main
from tests.idp.issuer import new_key, provider

RULES = [
    "form",
    "signature",
    "type",
    "mapping",
    "issuer",
    "audience",
    "kind",
    "subject",
    "end",
    "beginning",
]


@pytest.fixture
def realm():
    return provider().realm()


@pytest.fixture
def run(monkeypatch, capsys, realm):
    def run(token, *arguments, named=True):
        parties = ("--issuer", realm.issuer, "--audience", "api") if named else ()
        monkeypatch.setattr("sys.stdin", io.StringIO(token))
        status = main(["token", "verify", *parties, *arguments])
        return status, *capsys.readouterr()

    return run


def broken(out):
    return [line.split()[1] for line in out.splitlines() if line.startswith("FAIL")]


def test_each_rule_is_explained_for_a_good_token(run, realm):
    token = realm.token(scope="read write", roles=["admin"]).decode()
    status, out, err = run(token, "--discover")
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["ok", name] for name in RULES
    ]
    assert "sub: 'ada'" in err
    assert "roles: ('admin',)" in err
    assert "Good." in err
    assert "NOT checked: whether it is revoked" in err


def test_an_issuer_is_asked_for_its_keys_where_there_are_none_of_ours(
    run, realm, monkeypatch
):
    token = realm.token().decode()
    status, out, _ = run(token)
    assert status == 0
    assert "made with a key of the issuer" in out
    own = (("--store", "memory:"), ("--kind", "refresh"))
    for arguments in own:
        status, _, err = run(token, *arguments)
        assert status == 2
        assert "ASGI_AUTH_SECRET_KEY" in err or "store" in err

    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", "k" * 8 + "0123456789abcdefghijklmnop")
    status, out, err = run(token)
    assert status == 1
    assert "Refused: " in err
    assert not out
    assert run(token, "--discover")[0] == 0


def test_all_broken_rules_are_told_and_not_only_the_first(run, realm):
    token = realm.token(
        aud="orders",
        nonce="n",
        exp=5,
        sub=7,
        nbf=int(time.time()) + 9999,
        auth_time="2026-11-26",
        header={"typ": "rt+jwt"},
    ).decode()
    status, out, err = run(token, "--discover")
    assert status == 1
    assert broken(out) == ["type", "audience", "kind", "subject", "end", "beginning"]
    assert "aud is 'orders', expected ['api']" in out
    assert "seconds ago" in out
    assert "auth_time has an odd shape" in err
    assert "Refused." in err


def test_a_foreign_key_is_told_of_with_those_of_the_issuer(run, realm):
    token = realm.token(key=new_key(kid="stranger")).decode()
    status, out, _ = run(token, "--jwks", realm.jwks_uri)
    assert status == 1
    assert broken(out) == ["signature"]
    assert "kid 'stranger'" in out
    assert realm.key.kid in out


def test_keys_may_be_in_a_file(run, realm, tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(realm.jwks))
    status, out, _ = run(realm.token().decode(), "--jwks", str(path), "--json")
    told = json.loads(out)
    assert status == 0
    assert told["verified"] is True
    assert [rule["name"] for rule in told["rules"]] == RULES
    assert told["claims"]["sub"] == "ada"
    missing = str(tmp_path / "missing.json")
    assert run(realm.token().decode(), "--jwks", missing)[0] == 2


@pytest.mark.parametrize("text", ["opaque", "a.b.c", "\x1b[31m.a.b"])
def test_what_is_no_jwt_is_told_at_once(run, text):
    status, out, _ = run(text, "--discover")
    assert status == 1
    assert out.split()[:2] == ["FAIL", "form"]


def test_no_claim_steers_the_terminal(run, realm):
    token = realm.token(sub="\x1b[31m", aud="é\x1b", roles=["\x1b[2J"]).decode()
    status, out, err = run(token, "--discover")
    assert status == 1
    assert "\x1b" not in out + err
    assert (out + err).isascii()


def test_a_preset_is_asked_with_its_arguments(run, realm):
    base, _, name = realm.issuer.rpartition("/")
    realm.issuer = f"{base}/realms/{name}"
    realm.metadata = {"issuer": realm.issuer, "jwks_uri": realm.jwks_uri}
    keycloak = (
        "--preset",
        "keycloak",
        "--set",
        f"url={base}",
        "--set",
        f"realm={name}",
    )
    token = realm.token(typ="Bearer").decode()
    status, out, _ = run(token, *keycloak, "--audience", "api", named=False)
    assert status == 0, out
    status, out, _ = run(realm.token(typ="ID").decode(), *keycloak, "--audience", "api")
    assert status == 2  # It takes no issuer beside its url.
    status, out, _ = run(
        realm.token(typ="ID").decode(), *keycloak, "--audience", "api", named=False
    )
    assert status == 1
    assert "mapping" in broken(out)
    assert "marks its access tokens otherwise: typ is 'ID', expected 'Bearer'" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset", "keycloak"), "missing"),
        (
            (
                "--preset",
                "okta",
                "--set",
                "domain=x",
                "--set",
                "moon=1",
                "--audience",
                "a",
            ),
            "unexpected keyword",
        ),
        (("--preset", "okta", "--set", "domain"), "NAME=VALUE"),
        (("--set", "realm=shop"), "--preset"),
        (("--discover",), "--issuer and --audience"),
        (("--discover", "--issuer", "http://idp.example", "--audience", "a"), "https"),
        (("--preset", "entra", "--set", "tenant=x", "--audience", "a"), "GUID"),
    ],
)
def test_a_wrong_call_says_what_to_write(run, capsys, arguments, words):
    status, _, err = run("a.b.c", *arguments, named=False)
    assert status == 2
    assert words in err


def test_http_to_an_inner_name_needs_its_flag(run, realm):
    inner = ("--jwks", "http://keycloak:1/keys")
    assert run(realm.token().decode(), *inner)[0] == 2
    status, _, err = run(realm.token().decode(), *inner, "--insecure-http")
    assert status == 2
    assert "cannot be had" in err


def test_every_preset_of_the_backends_has_a_name():
    from asgi_auth.backends import assertions, machines, providers, user_platforms

    made = {
        name
        for module in (assertions, machines, providers, user_platforms)
        for name in module.__all__
        if name.islower()
    }
    assert {preset.__name__ for preset in _foreign.PRESETS.values()} == made
