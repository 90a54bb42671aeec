"""Roles that imply others."""

from __future__ import annotations

import copy
import pickle
from enum import Enum
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError, InsufficientScopeError, RoleHierarchy
from asgi_auth import requires as plain_requires
from tests.guards.callers import known, scope_of

STAFF = RoleHierarchy({"owner": "admin", "admin": ["editor", "auditor"]})
requires = partial(plain_requires, hierarchy=STAFF)


@pytest.mark.parametrize(
    ("held", "needed", "enough"),
    [
        ("owner", "owner", True),
        ("owner", "admin", True),
        ("owner", "editor", True),
        ("admin", "auditor", True),
        ("admin", "owner", False),
        ("editor", "admin", False),
        ("editor", "auditor", False),
        ("stranger", "editor", False),
        ("owner", "stranger", False),
        ("stranger", "stranger", True),
        ("Owner", "admin", False),
    ],
)
def test_a_role_is_good_for_all_that_it_implies(held, needed, enough):
    guard = requires(roles=needed)
    assert guard.allows(scope_of(known(roles=[held]))) is enough
    assert not guard.allows(scope_of(known(held)))  # A scope is no role.


def test_several_roles_may_come_from_one():
    guard = requires(roles=["editor", "auditor"])
    assert guard.allows(scope_of(known(roles=["admin"])))
    assert guard.allows(scope_of(known(roles=["editor", "auditor"])))
    assert not guard.allows(scope_of(known(roles=["editor"])))


def test_one_of_several_is_enough_where_it_is_said_so():
    guard = requires("a", roles="editor", any=True)
    assert guard.allows(scope_of(known(roles=["owner"])))
    assert guard.allows(scope_of(known("a")))
    assert not guard.allows(scope_of(known("owner", roles=["a"])))


def test_scopes_are_needed_beside_roles():
    guard = requires("a", roles="editor")
    assert guard.allows(scope_of(known("a", roles=["owner"])))
    assert not guard.allows(scope_of(known(roles=["owner"])))
    assert not guard.allows(scope_of(known("a")))


def test_a_refusal_names_the_role_that_was_asked_for():
    with pytest.raises(InsufficientScopeError) as caught:
        requires(roles="editor").check(scope_of(known()))
    assert caught.value.roles == ("editor",)


def test_without_a_hierarchy_no_role_implies_another():
    guard = plain_requires(roles="editor")
    assert not guard.allows(scope_of(known(roles=["owner"])))


def test_a_hierarchy_tells_both_ways():
    assert STAFF.expand(["owner"]) == {"owner", "admin", "editor", "auditor"}
    assert STAFF.expand(["editor", "guest"]) == {"editor", "guest"}
    assert STAFF.expand([]) == frozenset()
    assert STAFF.holders("editor") == {"editor", "admin", "owner"}
    assert STAFF.holders("owner") == {"owner"}
    assert STAFF.holders("guest") == {"guest"}


@pytest.mark.parametrize(
    "circle",
    [
        {"a": "a"},
        {"a": "b", "b": "a"},
        {"a": ["x", "b"], "b": ["c"], "c": ["a"], "x": []},
    ],
)
def test_a_circle_is_refused_and_named(circle):
    with pytest.raises(ConfigurationError, match="'a'"):
        RoleHierarchy(circle)


def test_a_circle_is_told_in_its_own_direction():
    with pytest.raises(ConfigurationError) as caught:
        RoleHierarchy({"a": "b", "b": "c", "c": "a"})
    told = str(caught.value)
    assert any(
        step in told
        for step in (
            "'a' implies 'b' implies",
            "'b' implies 'c' implies",
            "'c' implies",
        )
    )
    assert "'b' implies 'a'" not in told


def test_roads_that_meet_again_are_no_circle():
    diamond = RoleHierarchy({"a": ["b", "c"], "b": "d", "c": "d"})
    assert diamond.holders("d") == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    "wrong", [{"": "a"}, {"a": ""}, {"a": [""]}, {"a": 5}, {5: "a"}, {"a": [None]}]
)
def test_what_is_no_role_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="text"):
        RoleHierarchy(wrong)


def test_a_hierarchy_is_a_value_that_does_not_change():
    given_roles = {"owner": ["admin"], "admin": ["editor"]}
    made = RoleHierarchy(given_roles)
    again = RoleHierarchy({"admin": "editor", "owner": {"admin", "editor"}})
    given_roles["editor"] = ["owner"]
    given_roles["owner"].clear()
    assert made.holders("editor") == {"editor", "admin", "owner"}
    assert made == again
    assert hash(made) == hash(again)
    assert made != RoleHierarchy({})
    assert made != given_roles
    assert plain_requires(roles="a", hierarchy=made) == plain_requires(
        roles="a", hierarchy=again
    )
    assert repr(made) == (
        "RoleHierarchy({'admin': ['editor'], 'owner': ['admin', 'editor']})"
    )
    for name in ("_given", "extra"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(made, name, {})
    assert copy.copy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_long_ladder_does_not_exhaust_the_stack():
    ladder = RoleHierarchy({str(n): str(n + 1) for n in range(1100)})
    assert ladder.holders("1100") >= {"0", "1099", "1100"}


def test_members_of_an_enumeration_are_roles():
    class Role(str, Enum):  # noqa: UP042  (its str() is its name, not its value)
        OWNER = "owner"
        EDITOR = "editor"

    tree = RoleHierarchy({Role.OWNER: Role.EDITOR})
    guard = plain_requires(roles=Role.EDITOR, hierarchy=tree)
    assert guard.allows(scope_of(known(roles=["owner"])))
    assert guard.allows(scope_of(known(roles=["editor"])))


ROLES = st.sampled_from("abcdefgh")


@given(st.dictionaries(ROLES, st.sets(ROLES)), st.sets(ROLES), ROLES)
def test_a_hierarchy_agrees_with_a_walk_along_it(graph, held, needed):
    # Only downwards, so that there is no circle.
    graph = {role: {b for b in below if b > role} for role, below in graph.items()}
    tree = RoleHierarchy(graph)
    reached, rest = set(), list(held)
    while rest:
        role = rest.pop()
        reached.add(role)
        rest += graph.get(role, ())

    assert tree.expand(held) == reached
    guard = plain_requires(roles=needed, hierarchy=tree)
    assert guard.allows(scope_of(known(roles=held))) is (needed in reached)
    assert guard.allows(scope_of(known(roles=reached))) is (needed in reached)
