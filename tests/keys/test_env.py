"""Keys from the environment."""

from __future__ import annotations

import json
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key, KeySet
from asgi_auth.keys._env import KINDS, names_key

SECRET = secrets.token_urlsafe(64)
PAIR = ec.generate_private_key(ec.SECP256R1())
PRIVATE = PAIR.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = (
    PAIR.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
JWKS = json.dumps({"keys": [Key.from_pem(PRIVATE).to_jwk()]})


def read(**variables: str) -> KeySet:
    environ = {f"ASGI_AUTH_{name}": value for name, value in variables.items()}
    return KeySet.from_env(environ=environ | {"PATH": "/bin"})


def refusal(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(**variables)
    text = str(caught.value)
    assert not any(len(value) > 12 and value in text for value in variables.values())
    return text


def test_a_secret_comes_with_or_without_its_algorithm():
    assert read(SECRET_KEY=SECRET).signing_key == Key.from_secret(SECRET)
    keys = read(SECRET_KEY=SECRET, ALGORITHM="HS512")
    assert keys.signing_key.algorithm == "HS512"
    assert read(SECRET_KEY=SECRET, ALGORITHM="").signing_key.algorithm == "HS256"


@pytest.mark.parametrize("broken", [False, True])
def test_pem_text_may_have_its_line_breaks_written_out(broken):
    def form(pem):
        return pem.replace("\n", "\\n") if broken else pem

    signer = read(PRIVATE_KEY=form(PRIVATE))
    verifier = read(PUBLIC_KEY=form(PUBLIC))
    assert signer.signing_key.algorithm == "ES256"
    key = verifier.find(signer.signing_key.kid, "ES256")
    assert key.verify(b"m", signer.signing_key.sign(b"m"))


def test_the_algorithm_goes_with_an_rsa_key():
    pem = rsa.generate_private_key(65_537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    keys = read(PRIVATE_KEY=pem.decode(), ALGORITHM="PS256")
    assert keys.signing_key.algorithm == "PS256"


def test_a_jwk_set_is_read():
    assert [key.algorithm for key in read(JWKS=JWKS)] == ["ES256"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SECRET_KEY", SECRET),
        ("PRIVATE_KEY", PRIVATE),
        ("PUBLIC_KEY", PUBLIC),
        ("JWKS", JWKS),
    ],
    ids=["secret", "private key", "public key", "set"],  # No random text in a name.
)
def test_each_may_be_the_path_of_a_file(tmp_path, name, text):
    path = tmp_path / "key"
    path.write_text(text + "\n", encoding="utf-8")
    from_file = read(**{f"{name}_FILE": str(path)})
    assert list(from_file) == list(read(**{name: text}))


def test_the_process_environment_and_another_prefix_are_read(monkeypatch):
    monkeypatch.setenv("BILLING_SECRET_KEY", SECRET)
    assert KeySet.from_env("BILLING_").signing_key == Key.from_secret(SECRET)


@pytest.mark.parametrize("ending", ["", "_FILE"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_named_whether_it_is_good_or_not(monkeypatch, kind, ending):
    assert not names_key("BILLING_")
    monkeypatch.setenv("BILLING_ALGORITHM", "HS256")
    monkeypatch.setenv(f"BILLING_{kind}{ending}", "")
    assert not names_key("BILLING_")
    monkeypatch.setenv(f"BILLING_{kind}{ending}", "no key and no file")
    assert names_key("BILLING_")
    assert not names_key("SHIPPING_")


def test_nothing_set_is_refused_with_what_to_set():
    for variables in ({}, {"SECRET_KEY": ""}, {"ALGORITHM": "HS256"}):
        text = refusal(**variables)
        assert "exactly one of ASGI_AUTH_SECRET_KEY, ASGI_AUTH_PRIVATE_KEY" in text
        assert text.endswith('found: none. "asgi-auth keygen" makes a secret.')


def test_several_settings_are_refused_by_name():
    text = refusal(SECRET_KEY=SECRET, PRIVATE_KEY=PRIVATE)
    assert "ASGI_AUTH_SECRET_KEY and ASGI_AUTH_PRIVATE_KEY" in text
    text = refusal(JWKS=JWKS, JWKS_FILE="/run/secrets/jwks-file")
    assert "ASGI_AUTH_JWKS and ASGI_AUTH_JWKS_FILE" in text


def test_an_algorithm_beside_a_jwk_set_is_refused():
    assert "Unset ASGI_AUTH_ALGORITHM" in refusal(JWKS=JWKS, ALGORITHM="ES256")


def test_the_wrong_half_of_a_pair_is_refused():
    assert "ASGI_AUTH_PUBLIC_KEY: it holds the other half" in refusal(
        PUBLIC_KEY=PRIVATE
    )
    assert "ASGI_AUTH_PRIVATE_KEY: it holds the other half" in refusal(
        PRIVATE_KEY=PUBLIC
    )


def test_a_file_that_cannot_be_read_is_refused_without_its_value(tmp_path):
    text = refusal(SECRET_KEY_FILE=str(tmp_path / "missing-file"))
    assert "ASGI_AUTH_SECRET_KEY_FILE" in text
    assert "FileNotFoundError" in text
    assert "cannot be read" in refusal(SECRET_KEY_FILE=SECRET * 99)
    assert "cannot be read" in refusal(SECRET_KEY_FILE="a\0path-of-a-file")
    binary = tmp_path / "binary-file"
    binary.write_bytes(b"\xff\xfe\xfd" * 30)
    assert "UTF-8" in refusal(SECRET_KEY_FILE=str(binary))


def test_a_weak_secret_is_refused_here_too():
    assert "Make a good one" in refusal(SECRET_KEY="a-weak-secret-of-few")


@pytest.mark.parametrize(
    ("name", "text"),
    [("SECRET_KEY", SECRET), ("PRIVATE_KEY", PRIVATE), ("JWKS", JWKS)],
    ids=["secret", "private key", "set"],
)
@pytest.mark.parametrize(
    ("before", "after"), [("\ufeff", ""), ("", "\r\n"), ("", "\n\n")]
)
def test_what_editors_put_around_a_text_is_no_part_of_it(
    tmp_path, name, text, before, after
):
    whole = before + text + after
    path = tmp_path / "key"
    path.write_bytes(whole.encode())
    plain = list(read(**{name: text}))
    assert list(read(**{name: whole})) == plain
    assert list(read(**{f"{name}_FILE": str(path)})) == plain


@pytest.mark.parametrize("middle", ["\n", "\r\n", "\r"])
def test_a_secret_is_one_line(middle):
    assert "line break" in refusal(SECRET_KEY=SECRET + middle + SECRET)


PASSWORD = "correct horse battery staple"
ENCRYPTED = PAIR.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
).decode()


def test_an_encrypted_key_has_its_password_in_another_variable(tmp_path):
    plain = list(read(PRIVATE_KEY=PRIVATE))
    keys = read(PRIVATE_KEY=ENCRYPTED, PRIVATE_KEY_PASSWORD=PASSWORD)
    assert list(keys) == plain
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    keys = read(PRIVATE_KEY=ENCRYPTED, PRIVATE_KEY_PASSWORD_FILE=str(path))
    assert list(keys) == plain


def test_a_password_that_does_not_fit_is_told_of(tmp_path):
    assert "give its password" in refusal(PRIVATE_KEY=ENCRYPTED)
    text = refusal(PRIVATE_KEY=ENCRYPTED, PRIVATE_KEY_PASSWORD="wrong horse battery")
    assert "password is wrong" in text
    text = refusal(PRIVATE_KEY=PRIVATE, PRIVATE_KEY_PASSWORD=PASSWORD)
    assert "leave the password out" in text
    assert "beside" in refusal(SECRET_KEY=SECRET, PRIVATE_KEY_PASSWORD=PASSWORD)
    both = {"PRIVATE_KEY_PASSWORD": PASSWORD, "PRIVATE_KEY_PASSWORD_FILE": "/nowhere-x"}
    assert "beside" in refusal(PRIVATE_KEY=ENCRYPTED, **both)


def test_what_is_wrong_with_a_key_names_the_variable_that_holds_it(tmp_path):
    assert refusal(SECRET_KEY="short").startswith(
        "ASGI_AUTH_SECRET_KEY: The secret has"
    )
    assert refusal(JWKS="{}").startswith("ASGI_AUTH_JWKS: ")
    path = tmp_path / "key"
    path.write_text("no PEM")
    text = refusal(PRIVATE_KEY_FILE=str(path))
    assert text.startswith("ASGI_AUTH_PRIVATE_KEY_FILE: ")
