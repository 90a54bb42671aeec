"""A log-in that is too old or too weak (RFC 9470)."""

from __future__ import annotations

import pytest

from asgi_auth import (
    AuthenticationError,
    ConfigurationError,
    InsufficientScopeError,
    Principal,
    StepUpRequiredError,
    requires,
)
from asgi_auth.testing.clock import FakeClock
from tests.asgi import http_scope


def scope_of(**more):
    known = Principal(subject="ada", is_authenticated=True, **more)
    return {**http_scope(), "auth": known, "user": known}


def test_a_log_in_may_be_as_old_as_it_says():
    clock = FakeClock(1000)
    guard = requires(max_age=300, clock=clock)
    assert guard.allows(scope_of(auth_time=700))
    with pytest.raises(StepUpRequiredError) as caught:
        guard.check(scope_of(auth_time=699))
    assert caught.value.max_age == 300
    assert caught.value.status == 401


def test_max_age_0_demands_a_log_in_just_now():
    guard = requires(max_age=0, clock=FakeClock(1000))
    assert guard.allows(scope_of(auth_time=1000))
    assert not guard.allows(scope_of(auth_time=999))


def test_an_unknown_time_is_too_long_ago():
    assert not requires(max_age=10**9).allows(scope_of())


@pytest.mark.parametrize("wanted", ["mfa", ["mfa", "phr"]])
def test_one_of_the_classes_is_needed(wanted):
    guard = requires(acr=wanted)
    assert guard.allows(scope_of(acr="mfa"))
    for held in ("pwd", None, ""):
        with pytest.raises(StepUpRequiredError) as caught:
            guard.check(scope_of(acr=held))
        assert caught.value.acr[0] == "mfa"


def test_any_is_about_scopes_and_roles_only():
    guard = requires("a", "b", any=True, max_age=60, clock=FakeClock(1000))
    assert guard.allows(scope_of(scopes=frozenset({"a"}), auth_time=990))
    assert not guard.allows(scope_of(scopes=frozenset({"a"}), auth_time=1))


def test_who_may_not_at_all_is_not_sent_to_log_in_again():
    guard = requires("a", max_age=60, acr="mfa")
    with pytest.raises(InsufficientScopeError):
        guard.check(scope_of())


def test_nobody_is_asked_to_log_in_first():
    with pytest.raises(AuthenticationError) as caught:
        requires(max_age=60).check({**http_scope(), "auth": Principal()})
    assert type(caught.value) is AuthenticationError


@pytest.mark.parametrize("max_age", ["300", -1, 1.5, float("nan"), True])
def test_an_age_that_no_log_in_could_have_is_refused(max_age):
    with pytest.raises(ConfigurationError, match="max_age"):
        requires(max_age=max_age)


@pytest.mark.parametrize("acr", [None, [1], "", ["mfa", ""]])
def test_context_classes_that_no_token_could_have_are_refused(acr):
    with pytest.raises(ConfigurationError, match="acr"):
        requires(acr=acr)


@pytest.mark.parametrize("scope", ["a b", " a", "a\n", "\t"])
def test_two_scopes_in_one_text_are_refused(scope):
    with pytest.raises(ConfigurationError, match="spaces"):
        requires(scope)
