from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace

import pytest

from asgi_auth.accounts.users import attribute_of, is_disabled, names_of

SHAPES = [
    lambda **facts: facts,
    SimpleNamespace,
    lambda **facts: MappingProxyType(facts),
    lambda **facts: UserDict(facts),
]


@pytest.mark.parametrize("make", SHAPES)
def test_a_user_may_have_any_shape(make):
    user = make(id=7, roles=["editor"])
    assert attribute_of(user, "id") == 7
    assert attribute_of(user, "name", default="x") == "x"
    assert names_of(user, "roles") == {"editor"}
    assert names_of(user, "scopes") == frozenset()


@pytest.mark.parametrize("make", SHAPES)
@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, False),
        ({"disabled": False}, False),
        ({"disabled": True}, True),
        ({"disabled": 1}, True),
        ({"is_active": True}, False),
        ({"is_active": False}, True),
        ({"is_active": 0}, True),
        ({"is_active": True, "disabled": True}, True),
    ],
)
def test_who_may_not_log_in_is_seen_in_any_shape(make, facts, expected):
    assert is_disabled(make(**facts)) is expected


@pytest.mark.parametrize("make", SHAPES)
def test_one_text_is_one_role(make):
    assert names_of(make(roles="editor"), "roles") == {"editor"}
    assert names_of(make(roles=None), "roles") == frozenset()


def test_a_dictionary_has_no_attributes_of_its_own():
    assert attribute_of({"a": 1}, "items") is None
    assert isinstance(UserDict(), Mapping)
