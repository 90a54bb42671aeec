from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import KeySet, TokenService
from asgi_auth.client import Tokens
from asgi_auth.client.flow import BearerFlow, Step
from asgi_auth.testing import FakeClock

NOW = 1_700_000_000.0
INVALID = ['Bearer error="invalid_token"']


def tokens(left=900.0, lifetime=900.0, **more):
    return Tokens("a", "r", expires_at=NOW + left, lifetime=lifetime, **more)


def jwt(at, ttl=900):
    service = TokenService(
        KeySet.generate("ES256"), issuer="https://a", clock=FakeClock(at)
    )
    return service.mint("ann", ttl=ttl)


def begin(held, **options):
    return BearerFlow(held, **options).begin(NOW)


@pytest.mark.parametrize(
    ("left", "step"),
    [
        (900, Step.SEND),
        (31, Step.SEND),
        (30, Step.REFRESH),
        (1, Step.REFRESH),
        (0, Step.REFRESH),
        (-5, Step.REFRESH),
    ],
)
def test_a_token_is_refreshed_before_it_ends(left, step):
    assert begin(tokens(left)) is step


def test_the_skew_never_takes_more_than_half_of_a_life():
    assert begin(tokens(left=11, lifetime=20)) is Step.SEND
    assert begin(tokens(left=10, lifetime=20)) is Step.REFRESH


def test_the_life_of_a_bare_token_is_read_off_it():
    assert begin(Tokens(jwt(NOW, ttl=20), "r")) is Step.SEND
    assert begin(Tokens(jwt(NOW - 10, ttl=20), "r")) is Step.REFRESH


def test_a_token_that_says_nothing_is_sent():
    assert begin(Tokens("opaque", "r")) is Step.SEND


def test_without_a_refresh_token_the_server_decides():
    flow = BearerFlow(Tokens("a", None, expires_at=NOW - 1))
    assert flow.begin(NOW) is Step.SEND
    assert flow.answered(401, INVALID, NOW, repeatable=True) is Step.GIVE


def test_a_refresh_token_alone_is_refreshed_first():
    assert begin(Tokens(None, "r")) is Step.REFRESH


def test_a_dead_token_cannot_stand_in_for_a_refresh_that_failed():
    alive, dead = BearerFlow(tokens(5)), BearerFlow(tokens(-5))
    assert alive.failed(NOW) is Step.SEND
    assert dead.failed(NOW) is None
    assert BearerFlow(Tokens(None, "r")).failed(NOW) is None


def test_a_failed_refresh_rests_while_the_token_lives():
    assert begin(tokens(10), failed_at=NOW - 1) is Step.SEND
    assert begin(tokens(10), failed_at=NOW - 6) is Step.REFRESH
    assert begin(tokens(10), failed_at=NOW + 99) is Step.REFRESH
    assert begin(tokens(0), failed_at=NOW - 1) is Step.REFRESH


@pytest.mark.parametrize(
    ("status", "lines", "step"),
    [
        (401, INVALID, Step.REFRESH),
        (401, ['Basic realm="x", Bearer error=invalid_token'], Step.REFRESH),
        (401, ["Bearer"], Step.GIVE),
        (401, [], Step.GIVE),
        (401, ['DPoP error="invalid_token"'], Step.GIVE),
        (401, ['Basic realm="invalid_token"'], Step.GIVE),
        (401, ['Bearer error="insufficient_user_authentication"'], Step.GIVE),
        (403, INVALID, Step.GIVE),
        (400, INVALID, Step.GIVE),
        (500, INVALID, Step.GIVE),
        (200, INVALID, Step.GIVE),
    ],
)
def test_only_an_invalid_token_is_a_reason_to_try_again(status, lines, step):
    flow = BearerFlow(tokens())
    assert flow.answered(status, lines, NOW, repeatable=True) is step


def test_a_request_is_never_sent_three_times():
    flow = BearerFlow(tokens())
    assert flow.answered(401, INVALID, NOW, repeatable=True) is Step.REFRESH
    assert flow.renewed(tokens()) is Step.SEND
    assert flow.answered(401, INVALID, NOW, repeatable=True) is Step.GIVE


def test_a_request_that_waited_for_a_refresh_makes_no_other():
    flow = BearerFlow(tokens(left=0))
    flow.begin(NOW)
    flow.renewed(tokens())
    assert flow.answered(401, INVALID, NOW, repeatable=True) is Step.GIVE


def test_what_cannot_be_repeated_drops_the_token():
    flow = BearerFlow(tokens())
    assert flow.answered(401, INVALID, NOW, repeatable=False) is Step.DROP
    assert flow.answered(403, INVALID, NOW, repeatable=False) is Step.GIVE


def test_a_server_that_refuses_every_token_causes_no_storm_of_refreshes():
    young, old = tokens(renewed_at=NOW - 1), tokens(renewed_at=NOW - 6)
    give = BearerFlow(young).answered(401, INVALID, NOW, repeatable=True)
    assert give is Step.GIVE
    again = BearerFlow(old).answered(401, INVALID, NOW, repeatable=True)
    assert again is Step.REFRESH


@pytest.mark.parametrize("ahead", [-7200, -600, 0, 600, 7200])
def test_the_servers_clock_causes_no_loop(ahead):
    """Whatever its clock says, a token that came is used until its life is over."""
    answer = {"access_token": jwt(NOW + ahead), "refresh_token": "r"}
    came = Tokens.from_answer(answer, received_at=NOW)
    assert begin(came) is Step.SEND
    assert BearerFlow(came).begin(NOW + 869) is Step.SEND
    assert BearerFlow(came).begin(NOW + 870) is Step.REFRESH


def test_what_looks_dead_on_arrival_from_a_refresh_is_used():
    held = Tokens(jwt(NOW - 7200), "r", renewed_at=NOW)
    assert begin(held) is Step.SEND
    assert begin(Tokens(held.access_token, "r")) is Step.REFRESH


@given(
    left=st.none() | st.floats(-100, 100),
    lifetime=st.none() | st.floats(0, 100),
    skew=st.floats(0, 60),
    refresh=st.none() | st.just("r"),
    answers=st.lists(
        st.tuples(st.sampled_from([200, 401, 403]), st.booleans()), max_size=5
    ),
)
def test_every_course_refreshes_once_at_most(left, lifetime, skew, refresh, answers):
    ends = None if left is None else NOW + left
    flow = BearerFlow(Tokens("a", refresh, ends, lifetime), skew=skew)
    steps = [flow.begin(NOW)]
    if steps[-1] is Step.REFRESH:
        flow.renewed(tokens())

    for status, invalid in answers:
        steps.append(
            flow.answered(status, INVALID if invalid else [], NOW, repeatable=True)
        )
        if steps[-1] is not Step.REFRESH:
            break
        flow.renewed(tokens())

    assert steps.count(Step.REFRESH) <= (1 if refresh else 0)
