from __future__ import annotations

import pickle
from copy import copy

from asgi_auth import Challenge, ExpiredTokenError
from asgi_auth.responses.state import KEY, RequestState, make_state, state_of
from asgi_auth.responses.watch import UNWATCHED


def test_guards_of_one_request_share_its_exchange():
    scope = {KEY: make_state(RequestState)}
    state_of(scope).refusal = error = ExpiredTokenError()
    assert state_of(scope).refusal is error


def test_without_the_middleware_each_look_gives_a_new_one():
    scope = {}
    state_of(scope).refusal = ExpiredTokenError()
    assert state_of(scope).refusal is None
    assert not state_of(scope).started
    assert scope == {}


def test_a_strangers_value_under_our_name_is_not_taken_for_ours():
    assert state_of({KEY: {"refusal": None}}).refusal is None


def test_the_challenge_is_bearer_unless_somebody_says_otherwise():
    assert [c.scheme for c in make_state(RequestState).challenges] == ["Bearer"]
    challenge = Challenge("ApiKey")
    state = make_state(RequestState.seen_by(UNWATCHED, (challenge,)))
    assert state.challenges == (challenge,)
    (unpickled,) = pickle.loads(pickle.dumps(state)).challenges
    assert unpickled.scheme == "ApiKey"
    assert copy(state) is state
