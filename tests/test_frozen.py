from __future__ import annotations

import copy
import json
import operator
import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth._frozen import FrozenDict, freeze, parse_flat, parse_object

TEXT = (
    b'{"sub":"ada","roles":["user"],"address":{"city":"London","geo":[1,{"lat":2}]},'
    b'"teams":[{"name":"red","tags":["a"]}],"empty":{},"none":[]}'
)
PARSED = parse_object(TEXT)
FROZEN = freeze(json.loads(TEXT))

MUTATORS = {
    "setitem": lambda d: operator.setitem(d, "role", "admin"),
    "delitem": lambda d: operator.delitem(d, next(iter(d), "x")),
    "update": lambda d: d.update(role="admin"),
    "update with nothing": lambda d: d.update(),
    "setdefault": lambda d: d.setdefault("role", "admin"),
    "setdefault of a known": lambda d: d.setdefault(next(iter(d), "x")),
    "pop": lambda d: d.pop(next(iter(d), "x")),
    "pop with a default": lambda d: d.pop("unknown", None),
    "popitem": lambda d: d.popitem(),
    "clear": lambda d: d.clear(),
    "|=": lambda d: operator.ior(d, {"role": "admin"}),
}


def dicts_in(value):
    """Find every object in *value*, however deep."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from dicts_in(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from dicts_in(member)


def lists_in(value):
    if isinstance(value, dict):
        for member in value.values():
            yield from lists_in(member)
    elif isinstance(value, list | tuple):
        yield value
        for member in value:
            yield from lists_in(member)


@pytest.mark.parametrize("made", [PARSED, FROZEN], ids=["parsed", "frozen"])
@pytest.mark.parametrize("mutator", MUTATORS)
def test_no_mutator_changes_claims_at_any_level(made, mutator):
    found = [*dicts_in(made)]
    assert len(found) == 5
    for mapping in found:
        with pytest.raises(TypeError, match="read-only"):
            MUTATORS[mutator](mapping)

    assert json.loads(json.dumps(made)) == json.loads(TEXT)


@pytest.mark.parametrize("made", [PARSED, FROZEN], ids=["parsed", "frozen"])
def test_lists_are_tuples_at_every_level(made):
    found = [*lists_in(made)]
    assert len(found) == 5
    assert all(type(value) is tuple for value in found)


@pytest.mark.parametrize("made", [PARSED, FROZEN], ids=["parsed", "frozen"])
def test_attributes_cannot_be_hung_on(made):
    with pytest.raises(AttributeError):
        made.role = "admin"


@pytest.mark.parametrize("made", [PARSED, FROZEN], ids=["parsed", "frozen"])
def test_claims_are_plain_to_everybody_who_reads(made):
    plain = json.loads(TEXT)
    assert json.loads(json.dumps(made)) == plain
    assert dict(made).keys() == plain.keys()
    assert made["sub"] == "ada"
    assert made.get("unknown", 5) == 5
    assert {**made, "role": "x"}["role"] == "x"
    merged = made | {"role": "x"}
    assert merged["role"] == "x"
    assert "role" not in made
    assert "role" not in {**made.copy()}
    assert isinstance(made, dict)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_copy_is_equal_and_read_only_too(protocol):
    other = pickle.loads(pickle.dumps(PARSED, protocol))
    assert other == PARSED
    for mapping in dicts_in(other):
        with pytest.raises(TypeError):
            mapping["role"] = "admin"


def test_copies_are_read_only_too():
    for other in (copy.copy(PARSED), copy.deepcopy(PARSED), copy.deepcopy([PARSED])[0]):
        assert other == PARSED
        for mapping in dicts_in(other):
            with pytest.raises(TypeError):
                mapping["role"] = "admin"


def test_a_shallow_copy_for_writing_does_not_reach_back():
    own = dict(PARSED)
    own["role"] = "admin"
    assert "role" not in PARSED
    with pytest.raises(TypeError):
        own["address"]["city"] = "Paris"


def test_freezing_what_is_frozen_gives_it_back():
    assert freeze(PARSED) is PARSED
    assert freeze("text") == "text"
    assert freeze((1, [2])) == (1, (2,))


def test_what_it_was_made_of_can_change_without_harm():
    source = {"roles": ["user"], "deep": {"a": 1}}
    frozen = freeze(source)
    source["roles"].append("admin")
    source["deep"]["a"] = 2
    assert frozen == {"roles": ("user",), "deep": {"a": 1}}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"[]",
        b"null",
        b'"a"',
        b"1",
        b"{",
        b'{"a":1}}',
        b'{"a":1}x',
        b'{"a":1,}',
        b'{"a" 1}',
        b"{'a':1}",
        b'{"a":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":"x","a":"y"}',
        b'{"a":[],"a":["a"]}',
        b'{"":1,"":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":[{"b":1,"b":2}]}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":"b","a":"c","d":["e"]}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":[-Infinity]}',
        b'{"a":1e999}',
        b'{"a":-1e999}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":["\\ud800\\ud800"]}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\x00"}',
        b'{"a":"\t"}',
        b'\xef\xbb\xbf{"a":1}',
        b'\x00{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32-le"),
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":0x1}',
        b'{"a":' + b"1" * 5000 + b"}",
    ],
    ids=range(42),
)
def test_json_that_is_not_strict_is_refused(text):
    for parse in (parse_object, parse_flat):
        with pytest.raises(ValueError):
            parse(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"x,y","b":1}',
        b'{"a":["x,y",","],"b":"[","":[]}',
        b'{",":"," , "[":[ ],"c":["a" , "b"]}',
        b'{"a":"x:y","b":":"}',
    ],
)
def test_commas_within_texts_are_no_members(text):
    for parse in (parse_object, parse_flat):
        assert parse(text) == freeze(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"x,y","a":1}',
        b'{"a":[","],"a":"b"}',
        b'{"a":["b","c"],"a":["b"]}',
        b'{"a":[],"b":["x"],"a":[]}',
        b'{",":1,",":2}',
    ],
)
def test_commas_within_texts_hide_no_second_member(text):
    for parse in (parse_object, parse_flat):
        with pytest.raises(ValueError, match="twice"):
            parse(text)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_too_deep_is_refused_and_not_a_crash(opening):
    closing = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[opening]
    deep = b'{"x":' + opening * 100_000 + b"1" + closing * 100_000 + b"}"
    for parse in (parse_object, parse_flat):
        with pytest.raises(ValueError):
            parse(deep)


def test_nesting_is_frozen_once_and_not_at_each_level_again():
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    depth = 150
    text = b'{"a":[' * depth + b"1" + b"]}" * depth
    sys.setprofile(count)
    try:
        parse_object(text)
    finally:
        sys.setprofile(None)

    assert calls < 20 * depth


class DuplicateError(Exception):
    pass


def strict(text: bytes) -> dict:
    """Read JSON with the standard library, told to be strict: slow, and believed."""

    def unique(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise DuplicateError

        return dict(pairs)

    return json.loads(text.decode(), object_pairs_hook=unique)


FRAGMENTS = st.lists(
    st.sampled_from(['"a"', '"b"', '","', *":,:,{}[]1", "null", '"', "\\", " "]),
    max_size=14,
).map(lambda parts: ("{" + "".join(parts) + "}").encode())


@given(FRAGMENTS)
def test_texts_near_json_are_judged_as_the_standard_library_judges_them(text):
    try:
        expected = strict(text)
    except (ValueError, DuplicateError):
        for parse in (parse_object, parse_flat):
            with pytest.raises(ValueError):
                parse(text)
    else:
        assert parse_object(text) == parse_flat(text) == freeze(expected)


SCALARS = st.none() | st.booleans() | st.integers() | st.text('ab"\\ü,[{', max_size=3)


class Members(list):
    """The members of an object, of which one may be there twice."""


def written(value) -> str:
    if isinstance(value, Members):
        members = (f"{json.dumps(name)}:{written(v)}" for name, v in value)
        return "{" + ",".join(members) + "}"

    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"

    return json.dumps(value, ensure_ascii=False)


def members_of(inner):
    names = st.sampled_from(["a", "b", "c", "d", '"', "ü", ",", "["])
    return st.lists(st.tuples(names, inner), max_size=4).map(Members)


OBJECTS = members_of(
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | members_of(inner))
)


@given(OBJECTS)
def test_a_member_that_occurs_twice_is_found_at_any_level(value):
    text = written(value).encode()
    try:
        expected = strict(text)
    except DuplicateError:
        for parse in (parse_object, parse_flat):
            with pytest.raises(ValueError):
                parse(text)
    else:
        parsed = parse_object(text)
        assert parse_flat(text) == parsed
        assert type(parsed) is FrozenDict
        assert parsed == freeze(expected)
        assert all(type(mapping) is FrozenDict for mapping in dicts_in(parsed))
        assert all(type(member) is tuple for member in lists_in(parsed))
