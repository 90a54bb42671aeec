"""What the middleware refuses by itself, as it is chosen."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from asgi_auth import ConfigurationError, RefusalPolicy


@pytest.mark.parametrize("choice", ["invalid", "preflight"])
def test_a_misspelt_choice_is_a_mistake(choice):
    with pytest.raises(ConfigurationError, match=f"{choice} must be"):
        RefusalPolicy(**{choice: "?"})


def test_the_words_that_there_are_are_named():
    with pytest.raises(ConfigurationError, match="anonymous or refuse or refuse_clai"):
        RefusalPolicy(invalid="pass")


def test_nothing_words_refusals_unless_it_is_wanted():
    assert RefusalPolicy(invalid="anonymous").wording is None
    assert RefusalPolicy(login_url="/log-in").wording is not None
    assert RefusalPolicy(on_refusal=lambda error, scope: None).wording is not None


def test_a_policy_stays_as_it_is():
    policy = RefusalPolicy()
    with pytest.raises(FrozenInstanceError):
        policy.invalid = "anonymous"
