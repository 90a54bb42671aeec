from __future__ import annotations

import pickle
import re
from http import HTTPStatus

import pytest

from asgi_auth import errors
from asgi_auth.errors import (
    AsgiAuthError,
    AuthError,
    InsufficientScopeError,
    InvalidTokenError,
    MissingExtraError,
    RateLimitedError,
    StepUpRequiredError,
    UnavailableError,
)

ALL = [getattr(errors, name) for name in errors.__all__]
REFUSALS = [error for error in ALL if issubclass(error, AuthError)]


def drawn_tree() -> dict[str, tuple[str | None, int | None]]:
    """Read the tree of the docstring: each name with its parent and its status."""
    found = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│ ├└─]*)(\w+Error)(?: +(\d{3}))?(?: |$)", line)
        if match is not None:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            status = int(match[3]) if match[3] else None
            found[match[2]] = (path[depth - 1] if depth else None, status)

    return found


def test_the_tree_in_the_docstring_is_the_real_one():
    drawn = drawn_tree()
    assert drawn.keys() == {error.__name__ for error in ALL}
    for error in ALL:
        parent, status = drawn[error.__name__]
        assert error is AsgiAuthError or error.__bases__[0].__name__ == parent
        assert status in {None, error.status}


@pytest.mark.parametrize("error", ALL)
def test_each_error_has_a_stable_word_and_a_public_sentence(error):
    assert re.fullmatch(r"[a-z_]+", error.code)
    assert re.fullmatch(r"[A-Z][^\"\\]*\.", error.public_message)
    assert HTTPStatus(error.status).phrase


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refusal_never_says_that_the_server_crashed(error):
    assert error.status != 500


def test_codes_tell_refusals_apart():
    codes = [error.code for error in REFUSALS if error is not AuthError]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", REFUSALS)
def test_the_inner_message_never_becomes_the_public_one(error):
    raised = error("the database at 10.0.0.1 said no")
    assert str(raised) == "the database at 10.0.0.1 said no"
    assert "10.0.0.1" not in raised.public_message


def test_without_a_message_the_public_one_stands_in():
    assert str(UnavailableError()) == UnavailableError.public_message


@pytest.mark.parametrize("error", [RateLimitedError, UnavailableError])
@pytest.mark.parametrize(
    ("asked", "told"), [(0, 1), (-5, 1), (0.2, 1), (1, 1), (1.01, 2), (59.5, 60)]
)
def test_waiting_times_are_whole_seconds_of_at_least_one(error, asked, told):
    assert error(retry_after=asked).retry_after == told


def test_a_missing_extra_is_an_import_error_too():
    with pytest.raises(ImportError):
        raise MissingExtraError


def test_demands_are_kept_as_tuples():
    scope = InsufficientScopeError(scopes=iter(["a", "b"]), roles=["c"])
    assert (scope.scopes, scope.roles) == (("a", "b"), ("c",))
    step_up = StepUpRequiredError(acr=iter(["mfa"]), max_age=60)
    assert (step_up.acr, step_up.max_age) == (("mfa",), 60)


def test_further_arguments_are_filled_in_when_somebody_reads_it():
    error = InvalidTokenError("the %s key %r", "HS256", "a")
    assert str(error) == "the HS256 key 'a'"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("args", [("100%", "a"), ("%d apples", "a"), ("none", 1)])
def test_other_arguments_of_an_applications_own_do_no_harm(args):
    assert str(AuthError(*args)) == args[0]
