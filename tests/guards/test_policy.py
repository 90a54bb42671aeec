"""Policies: rules of the application about a known caller."""

from __future__ import annotations

import asyncio
import functools
import re
from functools import reduce
from operator import and_, or_

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    ANONYMOUS,
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    Principal,
    RoleHierarchy,
    StepUpRequiredError,
    UnavailableError,
    holds,
    policy,
    requires,
)
from asgi_auth.guards import Policy
from asgi_auth.responses.state import KEY
from tests import forge
from tests.asgi import Echo, bearer, converse, run
from tests.guards.callers import known, protected, request_of, scope_of


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@policy
def yes(principal):
    return True


@policy
def no(principal):
    return False


@policy
async def later_yes(principal):
    await anyio.lowlevel.checkpoint()
    return True


@policy
async def later_no(principal, scope):
    await anyio.lowlevel.checkpoint()
    return False


def hidden(principal):
    """Be async, which nobody can tell before the call."""
    return later_yes.rule(principal)


def asked(answer, seen):
    """Make a policy that remembers that it was asked."""

    def rule(principal):
        seen.append(answer)
        return answer

    return policy(rule)


# ------------------------------------------------------------------- a policy by itself


def test_a_policy_decides():
    assert requires(policy=yes).check(scope_of(known())).subject == "ada"
    assert requires(policy=yes).allows(scope_of(known()))
    scope = scope_of(known())
    with pytest.raises(AuthorizationError, match="no") as caught:
        requires(policy=no).check(scope)
    assert caught.type is AuthorizationError
    assert scope[KEY].refusal is caught.value
    assert not requires(policy=no).allows(scope_of(known()))


def test_a_policy_gets_the_principal_and_the_scope():
    def owns(principal, scope):
        return scope["path_params"]["user"] == principal.subject

    guard = requires(policy=owns)
    for connection in (
        scope_of(known(), path_params={"user": "ada"}),
        request_of(known(), path_params={"user": "ada"}),
    ):
        assert guard.allows(connection)
    assert not guard.allows(scope_of(known(), path_params={"user": "eve"}))


class Weekday:
    """A rule that is an object."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, principal, scope, *, strict=True, **more):
        return self.answer

    def method(self, principal, extra=None):
        return self.answer

    async def later(self, principal):
        return self.answer


@pytest.mark.parametrize(
    "rule",
    [
        lambda principal: True,
        lambda principal, scope: True,
        lambda principal, limit=5: limit == 5,
        lambda principal, *rest: rest == (),
        functools.partial(lambda flag, principal: flag, True),
        functools.partial(lambda principal, scope, flag: flag, flag=True),
        Weekday(True),
        Weekday(True).method,
    ],
)
def test_a_rule_is_whatever_is_called_with_one_or_two_arguments(rule):
    assert requires(policy=rule).allows(scope_of(known()))
    assert requires(policy=policy(rule)).allows(scope_of(known()))


@pytest.mark.parametrize(
    "rule",
    [
        lambda: True,
        lambda a, b, c: True,
        lambda *arguments: True,
        lambda principal, *, extra: True,
        bool,
        Principal,
        min,
        True,
        "owner",
    ],
)
def test_anything_else_is_no_rule(rule):
    with pytest.raises(ConfigurationError, match="one or two arguments"):
        policy(rule)
    with pytest.raises(ConfigurationError, match="one or two arguments"):
        requires(policy=rule)


def test_a_policy_of_a_policy_is_that_policy():
    assert policy(yes) is yes
    assert isinstance(yes, Policy)


def test_guards_of_the_same_policy_are_equal():
    assert requires(policy=yes & ~no) == requires(policy=yes & ~no)
    assert len({requires(policy=yes), requires(policy=yes), requires()}) == 2
    assert requires(policy=yes) != requires(policy=no)


def test_a_policy_has_a_name_for_the_log():
    rule = (yes & ~no) | holds("a", roles="x") | policy(Weekday(True))
    assert str(rule) == "((yes & ~no) | holds(a, x) | Weekday)"


def test_a_guard_is_no_policy():
    with pytest.raises(ConfigurationError, match="holds"):
        requires(policy=requires("a"))


# ---------------------------------------------------------------------- safe by default


NOBODIES = [
    ANONYMOUS,
    Principal(error=ExpiredTokenError()),
    Principal(error=StepUpRequiredError()),
    Principal("ada", scopes=frozenset({"authenticated"})),
]


@pytest.mark.parametrize("nobody", NOBODIES)
@pytest.mark.parametrize("turn", [lambda rule: rule, lambda rule: ~rule])
async def test_no_policy_is_asked_about_nobody(nobody, turn):
    seen = []
    for answer in (True, False):
        guard = requires(policy=turn(asked(answer, seen)))
        with pytest.raises(AuthenticationError) as caught:
            guard.check(scope_of(nobody))
        assert caught.value.status == 401
        with pytest.raises(AuthenticationError):
            await guard.verify(scope_of(nobody))
        assert not guard.allows(scope_of(nobody))
        assert not await guard.permits(scope_of(nobody))
    assert seen == []


def test_a_policy_is_asked_of_who_has_the_rights_and_before_a_new_log_in():
    seen = []
    guard = requires("a", max_age=10, policy=asked(False, seen), clock=lambda: 1000)
    with pytest.raises(InsufficientScopeError):
        guard.check(scope_of(known()))
    with pytest.raises(AuthenticationError):
        requires(backend="keys", policy=asked(True, seen)).check(scope_of(known()))
    assert seen == []
    with pytest.raises(AuthorizationError):
        guard.check(scope_of(known("a", auth_time=1)))
    allowed = requires("a", max_age=10, policy=yes, clock=lambda: 1000)
    with pytest.raises(StepUpRequiredError):
        allowed.check(scope_of(known("a", auth_time=1)))
    assert allowed.allows(scope_of(known("a", auth_time=995)))


@pytest.mark.parametrize(
    "answer", [None, 1, 0, "yes", "", [True], object(), NotImplemented, yes, ANONYMOUS]
)
async def test_only_a_bool_is_an_answer(answer):
    async def later(principal):
        return answer

    for rule in (policy(lambda principal: answer), policy(later)):
        for made in (rule, ~rule, rule | yes, no | rule, yes & rule, ~(rule & yes)):
            with pytest.raises(ConfigurationError, match="True or False"):
                await requires(policy=made).verify(scope_of(known()))


async def test_a_coroutine_that_nobody_awaited_is_no_answer():
    async def inner():
        return True

    async def outer(principal):
        return inner()

    for turn in (policy(outer), ~policy(outer)):
        with pytest.raises(ConfigurationError, match="coroutine"):
            await requires(policy=turn).verify(scope_of(known()))


@pytest.mark.parametrize("made", [ZeroDivisionError, KeyError, StopIteration])
async def test_a_bug_in_a_policy_is_a_bug(made):
    @policy
    def broken(principal):
        raise made

    @policy
    async def broken_later(principal):
        raise made

    expected = RuntimeError if made is StopIteration else made
    for rule in (broken, ~broken, broken | yes, no | broken, ~(broken & yes)):
        for verb in (requires(policy=rule).check, requires(policy=rule).allows):
            with pytest.raises(expected):
                verb(scope_of(known()))
    for rule in (broken, broken_later, ~broken_later, broken_later | yes):
        for verb in (requires(policy=rule).verify, requires(policy=rule).permits):
            scope = scope_of(known())
            with pytest.raises(expected):
                await verb(scope)
            assert scope[KEY].refusal is None


REFUSALS = [UnavailableError(retry_after=7), StepUpRequiredError(acr=["mfa"])]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("grouped", [False, True])
async def test_a_refusal_of_a_policy_goes_out_as_it_is(refusal, grouped):
    raised = ExceptionGroup("of tasks", [refusal]) if grouped else refusal

    @policy
    def down(principal):
        raise raised

    @policy
    async def down_later(principal):
        raise raised

    for rule in (down, ~down, down | yes, yes & down, no | down):
        scope = scope_of(known())
        with pytest.raises(type(refusal)) as caught:
            requires(policy=rule).check(scope)
        assert caught.value is scope[KEY].refusal is refusal
        assert not requires(policy=rule).allows(scope_of(known()))
    for rule in (down, down_later, ~down_later, down_later | yes):
        scope = scope_of(known())
        with pytest.raises(type(refusal)):
            await requires(policy=rule).verify(scope)
        assert scope[KEY].refusal is refusal
        assert not await requires(policy=rule).permits(scope_of(known()))


async def test_a_group_with_a_bug_in_it_is_a_bug():
    def broken(principal):
        raise ExceptionGroup("of tasks", [UnavailableError(), ZeroDivisionError()])

    guard = requires(policy=broken)
    with pytest.raises(ExceptionGroup):
        guard.check(scope_of(known()))
    with pytest.raises(ExceptionGroup):
        await guard.verify(scope_of(known()))


# ------------------------------------------------------------------------- put together


def test_the_second_is_asked_only_where_the_first_does_not_decide():
    for sign, first, asks in (
        (and_, True, 2),
        (and_, False, 1),
        (or_, True, 1),
        (or_, False, 2),
    ):
        seen = []
        rule = sign(asked(first, seen), asked(True, seen))
        requires(policy=rule).allows(scope_of(known()))
        assert len(seen) == asks


@pytest.mark.parametrize("sign", [and_, or_])
def test_many_in_a_row_are_asked_from_left_to_right(sign):
    seen = []
    rules = [asked(sign is and_, seen) for _ in range(1500)]
    seen_in_order = []

    def noting(number):
        def rule(principal):
            seen_in_order.append(number)
            return sign is and_

        return policy(rule)

    assert requires(policy=reduce(sign, rules)).allows(scope_of(known())) is (
        sign is and_
    )
    assert len(seen) == 1500
    left_leaning = sign(sign(noting(1), noting(2)), noting(3))
    right_leaning = sign(noting(4), sign(noting(5), noting(6)))
    requires(policy=sign(left_leaning, right_leaning)).allows(scope_of(known()))
    assert seen_in_order == [1, 2, 3, 4, 5, 6]


def test_words_do_not_put_policies_together():
    for slip in (
        lambda: yes and no,
        lambda: yes or no,
        lambda: not yes,
        lambda: 1 if yes else 2,
    ):
        with pytest.raises(ConfigurationError, match=re.escape("&, | and ~")):
            slip()


@pytest.mark.parametrize("other", [True, None, lambda principal: True, requires("a")])
def test_only_policies_are_put_together(other):
    for sign in (and_, or_):
        with pytest.raises(TypeError):
            sign(yes, other)
        with pytest.raises(TypeError):
            sign(other, yes)


LEAVES = st.sampled_from(
    [(yes, True), (no, False), (later_yes, True), (later_no, False)]
)
RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda rule: (~rule[0], not rule[1])),
        st.tuples(inner, inner).map(
            lambda two: (two[0][0] & two[1][0], two[0][1] and two[1][1])
        ),
        st.tuples(inner, inner).map(
            lambda two: (two[0][0] | two[1][0], two[0][1] or two[1][1])
        ),
    ),
)


@given(RULES)
def test_policies_obey_the_rules_of_logic(made):
    rule, truth = made
    guard = requires(policy=rule)
    assert asyncio.run(guard.permits(scope_of(known()))) is truth
    if not rule.is_async:
        assert guard.allows(scope_of(known())) is truth
    assert not asyncio.run(guard.permits(scope_of(ANONYMOUS)))


# ------------------------------------------------------------------------ scopes, roles


def test_scopes_and_roles_make_policies():
    roles = RoleHierarchy({"owner": "admin"})
    rule = holds("orders:read", wildcards="jwt") & ~holds(roles="suspended") | holds(
        roles="admin", hierarchy=roles
    )
    guard = requires(policy=rule)
    assert guard.allows(scope_of(known("orders:read")))
    assert guard.allows(scope_of(known("orders:*")))
    assert guard.allows(scope_of(known(roles=["owner", "suspended"])))
    assert not guard.allows(scope_of(known("orders:read", roles=["suspended"])))
    assert not guard.allows(scope_of(known("orders:write")))
    assert not rule.is_async
    some = requires(policy=holds("a", roles="x", any=True))
    assert some.allows(scope_of(known("a")))
    assert not some.allows(scope_of(known("x")))


@pytest.mark.parametrize("options", [{}, {"any": True}, {"roles": []}])
def test_to_hold_nothing_is_no_policy(options):
    with pytest.raises(ConfigurationError):
        holds(**options)


# ---------------------------------------------------------------------- sync and async


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (yes, True),
        (no, False),
        (later_yes, True),
        (later_no, False),
        (Weekday(True).later, True),
        (functools.partial(later_yes.rule), True),
        (hidden, True),
        (~later_no & (no | later_yes), True),
    ],
)
async def test_an_async_policy_is_awaited(rule, allowed):
    guard = requires(policy=rule)
    assert await guard.permits(scope_of(known())) is allowed
    if allowed:
        assert (await guard.verify(request_of(known()))).subject == "ada"
    else:
        scope = scope_of(known())
        with pytest.raises(AuthorizationError) as caught:
            await guard.verify(scope)
        assert scope[KEY].refusal is caught.value


async def test_without_a_policy_the_async_verbs_do_the_same():
    guard = requires("a", max_age=10, clock=lambda: 1000)
    fresh = known("a", auth_time=995)
    assert await guard.verify(scope_of(fresh)) is fresh
    assert await guard.permits(scope_of(fresh))
    with pytest.raises(InsufficientScopeError):
        await guard.verify(scope_of(known()))
    with pytest.raises(StepUpRequiredError):
        await guard.verify(scope_of(known("a", auth_time=1)))
    for verb in (guard.verify, guard.permits):
        with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
            await verb({"type": "http"})
        with pytest.raises(ConfigurationError, match="request"):
            await verb(None)


@pytest.mark.parametrize(
    "rule",
    [
        later_yes,
        yes | later_no,  # Also where the first would answer.
        ~later_no,
        hidden,
        lambda principal: anyio.lowlevel.checkpoint(),
    ],
)
def test_an_async_policy_cannot_be_asked_without_waiting(rule):
    guard = requires(policy=rule)
    for verb in (guard.check, guard.allows):
        with pytest.raises(ConfigurationError, match=r"await guard\.verify"):
            verb(scope_of(known()))


def test_an_awaitable_that_is_no_coroutine_is_not_waited_for_either():
    class Promise:
        def __await__(self):
            yield

    with pytest.raises(ConfigurationError, match="async"):
        requires(policy=lambda principal: Promise()).check(scope_of(known()))


def test_a_sync_handler_with_an_async_policy_is_refused_when_it_is_made():
    with pytest.raises(ConfigurationError, match="orders is not async"):

        @requires(policy=later_yes)
        def orders(request): ...


def test_a_sync_handler_with_a_hidden_async_policy_lets_nobody_pass():
    calls = []
    guarded = requires(policy=hidden)(calls.append)
    with pytest.raises(ConfigurationError, match="await"):
        guarded(request_of(known()))
    assert calls == []


async def test_handlers_are_guarded_by_policies():
    @requires("a", policy=later_no)
    async def closed(request):
        raise AssertionError("reached")

    @requires(policy=later_yes & yes)
    async def opened(request, *, item):
        return item

    @requires(policy=yes)
    def plain(request):
        return "done"

    assert await opened(request_of(known()), item=5) == 5
    assert plain(request_of(known())) == "done"
    with pytest.raises(AuthorizationError):
        await closed(request_of(known("a")))
    for handler in (closed, opened):
        with pytest.raises(AuthenticationError):
            await handler(
                request_of(ANONYMOUS), **{"item": 1} if handler is opened else {}
            )


async def test_apps_and_sockets_are_guarded_by_policies():
    inner = Echo()
    headers = [bearer(forge.token())]
    closed = protected(requires(policy=~later_yes)(inner))
    answer = await run(closed, headers=headers)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert answer.all("www-authenticate") == []
    assert (await run(closed)).status == 401
    assert await converse(closed, headers=headers) == [
        {"type": "websocket.close", "code": 3003}
    ]
    assert inner.calls == 0
    opened = protected(requires(policy=~later_no)(inner))
    assert (await run(opened, headers=headers)).status == 200


async def test_an_outage_behind_a_policy_is_a_503():
    async def down(principal):
        raise UnavailableError(retry_after=7)

    answer = await run(
        protected(requires(policy=~policy(down))(Echo())),
        headers=[bearer(forge.token())],
    )
    assert (answer.status, answer.header("retry-after")) == (503, "7")


async def test_a_policy_may_be_cancelled():
    @policy
    async def endless(principal):
        await anyio.sleep_forever()
        return True

    with anyio.move_on_after(0.05) as patience:
        await requires(policy=yes & endless).verify(scope_of(known()))
    assert patience.cancelled_caught
