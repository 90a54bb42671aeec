from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from asgi_auth import AuthConfig, ConfigurationError, TokenService
from tests.forge import SECRET

LONG = SECRET[:96]


def from_env(**variables):
    environ = {f"ASGI_AUTH_{name}": value for name, value in variables.items()}
    return AuthConfig.from_env(environ={"ASGI_AUTH_SECRET_KEY": SECRET, **environ})


def test_a_secret_is_enough_and_the_rest_is_safe():
    config = AuthConfig(secret_key=SECRET)
    assert config.algorithm == "HS256"
    assert config.cookie_secure
    assert config.cookie_httponly
    assert config.cookie_samesite == "strict"
    assert (config.access_token_expire_minutes, config.refresh_token_expire_days) == (
        15,
        7,
    )


def test_the_secret_never_shows():
    assert SECRET not in repr(AuthConfig(secret_key=SECRET))
    with pytest.raises(ConfigurationError) as caught:
        AuthConfig(secret_key="hunter2-hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "secret", "x" * 31, "x" * 64, "changeme" * 8])
def test_a_weak_secret_is_refused_before_a_token_is_signed(secret):
    with pytest.raises(ConfigurationError):
        AuthConfig(secret_key=secret)


@pytest.mark.parametrize("algorithm", ["none", "RS256", "hs256", "", "HS1"])
def test_an_algorithm_that_does_not_go_with_a_secret_is_refused(algorithm):
    with pytest.raises(ConfigurationError):
        AuthConfig(secret_key=SECRET, algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_secret_makes_a_key_set(algorithm):
    config = AuthConfig(secret_key=SECRET, algorithm=algorithm)
    assert config.key_set().signing_key.algorithm == algorithm


@pytest.mark.parametrize("value", [0, -1, 1441, 1.5, "15", True, None])
def test_a_lifetime_of_access_tokens_out_of_bounds_is_refused(value):
    with pytest.raises(ConfigurationError, match="access_token_expire_minutes"):
        AuthConfig(secret_key=SECRET, access_token_expire_minutes=value)


@pytest.mark.parametrize("value", [0, -1, 367, 1.5, "7", True, None])
def test_a_lifetime_of_sessions_out_of_bounds_is_refused(value):
    with pytest.raises(ConfigurationError, match="refresh_token_expire_days"):
        AuthConfig(secret_key=SECRET, refresh_token_expire_days=value)


@pytest.mark.parametrize("policy", ["Strict", "", "x", None])
def test_an_unknown_samesite_policy_is_refused(policy):
    with pytest.raises(ConfigurationError, match="samesite"):
        AuthConfig(secret_key=SECRET, cookie_samesite=policy)


def test_cookies_for_all_sites_need_https():
    with pytest.raises(ConfigurationError, match="cookie_secure"):
        AuthConfig(secret_key=SECRET, cookie_samesite="none", cookie_secure=False)
    assert AuthConfig(secret_key=SECRET, cookie_samesite="none").cookie_secure


def test_it_does_not_change():
    with pytest.raises(FrozenInstanceError):
        AuthConfig(secret_key=SECRET).secret_key = "x"


def test_the_environment_is_read_by_name():
    config = from_env(
        SECRET_KEY=LONG,
        ALGORITHM="HS384",
        ACCESS_TOKEN_EXPIRE_MINUTES=" 5 ",
        REFRESH_TOKEN_EXPIRE_DAYS="30",
        ISSUER="https://me.example",
        COOKIE_SECURE="Off",
        COOKIE_HTTPONLY="yes",
        COOKIE_SAMESITE="lax",
        UNKNOWN="ignored",
    )
    assert config == AuthConfig(
        secret_key=LONG,
        algorithm="HS384",
        access_token_expire_minutes=5,
        refresh_token_expire_days=30,
        issuer="https://me.example",
        cookie_secure=False,
        cookie_samesite="lax",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "soon"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", ""),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "1.5"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "9" * 5000),
        ("COOKIE_SECURE", "maybe"),
        ("COOKIE_SECURE", ""),
        ("COOKIE_HTTPONLY", "2"),
    ],
)
def test_a_value_that_does_not_parse_is_named(name, value):
    with pytest.raises(ConfigurationError, match=f"ASGI_AUTH_{name}"):
        from_env(**{name: value})


def test_a_missing_secret_is_named(monkeypatch):
    with pytest.raises(ConfigurationError, match="MY_SECRET_KEY"):
        AuthConfig.from_env("MY_", environ={})
    monkeypatch.delenv("ASGI_AUTH_SECRET_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="ASGI_AUTH_SECRET_KEY"):
        AuthConfig.from_env()


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", SECRET)
    assert AuthConfig.from_env().secret_key == SECRET


def test_a_service_is_made_from_settings():
    config = AuthConfig(
        secret_key=SECRET,
        issuer="me",
        audience="api",
        access_token_expire_minutes=5,
        refresh_token_expire_days=60,
    )
    assert (config.access_ttl, config.refresh_ttl) == (300, 60 * 86400)
    service = TokenService.from_config(config)
    assert (service.issuer, service.access_ttl) == ("me", 300)
