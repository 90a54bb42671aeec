from __future__ import annotations

import tracemalloc
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    BearerHeader,
    ConfigurationError,
    Cookie,
    InvalidRequestError,
    InvalidTokenError,
    QueryParam,
    Subprotocol,
)
from asgi_auth.credentials.reader import MAX_TOKEN, CredentialReader, unfold
from asgi_auth.credentials.sources import Header
from tests.asgi import http_scope, websocket_scope
from tests.forge import b64

EVERYWHERE = (
    BearerHeader(),
    Cookie("access"),
    QueryParam("token", http=True),
    Subprotocol(),
)
READ = CredentialReader(EVERYWHERE).read
KUBERNETES = "base64url.bearer.authorization."
TOKEN_TEXT = st.text("abcXYZ019-_.~+/=", min_size=1, max_size=40)


def from_header(*values, name=b"authorization"):
    return READ(http_scope(headers=[(name, value) for value in values]))


def from_cookies(*values):
    return READ(http_scope(headers=[(b"cookie", value) for value in values]))


def from_query(query):
    return READ(http_scope(query=query))


def from_offer(*names):
    return READ(websocket_scope(subprotocols=names))


def token_of(credential):
    assert credential.error is None
    return credential.token


def is_refused(credential, error=InvalidRequestError):
    return type(credential.error) is error and credential.token == b""


# ----------------------------------------------------------- the Authorization header


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer tok.en",
        b"bearer tok.en",
        b"BEARER tok.en",
        b"bEaReR tok.en",
        b"Bearer  tok.en",
        b"bearer    tok.en",
    ],
)
@pytest.mark.parametrize("name", [b"authorization", b"Authorization", b"AUTHORIZATION"])
def test_scheme_and_header_are_read_without_regard_to_case(value, name):
    credential = from_header(value, name=name)
    assert token_of(credential) == b"tok.en"
    assert (credential.source, credential.scheme) == ("header", "bearer")
    assert credential.explicit


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"bearer",
        b"Bearer ",
        b"Bearer    ",
        b"Bearer\ttok",
        b"bearer\ttok",
        b"Bearer\x0btok",
        b"bearer tok en",
        b"bearer a, bearer b",
    ],
)
def test_a_bearer_header_without_exactly_one_token_is_malformed(value):
    assert is_refused(from_header(value))


@pytest.mark.parametrize(
    "value", [b"Bearer a b", b"Bearer a,b", b"Bearer a, Bearer b", b"Bearer a\tb"]
)
def test_a_joined_header_gives_nothing_that_could_be_a_token(value):
    credential = from_header(value)
    assert credential.error or set(credential.token) & set(b" \t,")


@pytest.mark.parametrize(
    "value",
    [
        b"Basic dXNlcjpwYXNz",
        b"Basic tok.en.x",
        b"Bearertok",
        b"Bearer,tok",
        b"Negotiate " + b"x" * 100_000,
        b"tok.en.x",
        b"",
        b" ",
        b"\xff\xfe",
        b"\x00",
        b"Bearer\xa0tok",
        b"B\xe9arer tok",
    ],
)
def test_another_scheme_is_not_ours(value):
    assert from_header(value) is None


@pytest.mark.parametrize(
    "token", [b"\xff", b"\x00", b"a\x00b", b"\xc3\xa9", b"%41", b'"a"']
)
def test_bytes_of_a_header_come_through_as_they_are(token):
    assert token_of(from_header(b"Bearer " + token)) == token


@pytest.mark.parametrize(
    "values",
    [
        (b"Bearer a", b"Bearer a"),
        (b"Bearer a", b"Basic b"),
        (b"Basic b", b"Bearer a"),
        (b"Basic b", b"Basic c"),
        (b"", b"Bearer a"),
        (b"Bearer a", b"Basic b", b"Bearer a"),
    ],
)
def test_two_authorization_headers_are_one_too_many(values):
    assert is_refused(from_header(*values))


def test_a_second_header_is_seen_behind_any_number_of_others():
    noise = [(b"x-%d" % number, b"y") for number in range(100)]
    headers = [(b"authorization", b"Bearer a"), *noise, (b"AuthorizatioN", b"Bearer b")]
    assert is_refused(READ(http_scope(headers=headers)))


# A field that nobody sends: with it, no reader takes a short cut.
LONG_WAY = Header("X-Nobody-Sends-This")


@given(
    st.lists(
        st.sampled_from([b"Bearer ", b"bearer ", b"Basic ", b""]).flatmap(
            lambda scheme: st.binary(max_size=8).map(
                lambda raw: scheme + b"ey" * (len(raw) % 2) + raw
            )
        ),
        max_size=3,
    )
)
def test_the_short_cut_for_plain_tokens_reads_what_the_long_way_does(values):
    headers = [(b"authorization", value) for value in values]
    short = CredentialReader([BearerHeader()])
    found = short.read(http_scope(headers=headers))
    same = CredentialReader([BearerHeader(), LONG_WAY]).read(
        http_scope(headers=headers)
    )
    if any(b" " in value[7:] for value in values if value.startswith(b"Bearer ey")):
        return  # Both are bad, for a reason that differs.

    assert (found is None) is (same is None)
    if found is not None:
        assert found[:4] == same[:4]
        assert type(found.error) is type(same.error)

    came = short.looker("http")(http_scope(headers=headers))
    assert unfold(came) == found or found.error is not None


def test_only_one_plain_token_is_left_as_its_bytes():
    look = CredentialReader([BearerHeader(), Cookie("access")]).looker("http")

    def came(*values):
        return look(http_scope(headers=[(b"authorization", v) for v in values]))

    assert came(b"Bearer eyJ.a.b") == b"eyJ.a.b"
    assert came(b"Bearer opaque").token == b"opaque"
    assert came(b"bearer eyJ.a.b").token == b"eyJ.a.b"
    assert is_refused(came(b"Bearer eyJ.a.b", b"Bearer eyJ.a.b"))
    assert is_refused(came(b"Bearer ey" + b"a" * MAX_TOKEN), InvalidTokenError)


def test_a_scheme_of_ones_own_is_told_apart():
    read = CredentialReader([BearerHeader(), BearerHeader("ApiKey")]).read
    credential = read(http_scope(headers=[(b"authorization", b"APIKEY secret")]))
    assert (token_of(credential), credential.scheme) == (b"secret", "apikey")
    only = CredentialReader([BearerHeader("ApiKey")]).read
    assert only(http_scope(headers=[(b"authorization", b"Bearer tok")])) is None


@pytest.mark.parametrize(
    "scheme", ["", "two words", "Bearer ", "ünder", "a,b", "x" * 65]
)
def test_a_scheme_that_no_client_could_send_is_a_mistake(scheme):
    with pytest.raises(ConfigurationError, match="scheme"):
        BearerHeader(scheme)


# -------------------------------------------------------------- a header of its own


READ_KEY = CredentialReader([BearerHeader(), Header("X-API-Key")]).read


def with_key(*values, name=b"x-api-key"):
    return READ_KEY(http_scope(headers=[(name, value) for value in values]))


@pytest.mark.parametrize("name", [b"x-api-key", b"X-Api-Key"])
def test_a_key_in_a_header_of_its_own_is_found(name):
    credential = with_key(b" s3cret\t", name=name)
    assert token_of(credential) == b"s3cret"
    assert (credential.source, credential.scheme) == ("header", "x-api-key")
    assert credential.explicit


@pytest.mark.parametrize(
    "values", [(b"",), (b"  ",), (b"a b",), (b"a", b"b"), (b"a", b"a")]
)
def test_anything_but_one_key_is_malformed(values):
    assert is_refused(with_key(*values))


def test_a_long_key_is_refused():
    assert is_refused(with_key(b"a" * 9000), InvalidTokenError)


def test_a_key_beside_a_token_is_one_too_many():
    headers = [(b"authorization", b"Bearer a"), (b"x-api-key", b"b")]
    assert is_refused(READ_KEY(http_scope(headers=headers)))
    assert READ_KEY(http_scope(headers=[(b"x-key", b"b")])) is None


@pytest.mark.parametrize(
    "name", ["", "Authorization", "COOKIE", "a b", "ä", "a:", "a\n"]
)
def test_a_header_that_cannot_hold_a_key_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match="header"):
        Header(name)


def test_every_source_says_how_its_credentials_show():
    sources = [*EVERYWHERE, BearerHeader("ApiKey"), Header("X-Key")]
    scopes = [
        http_scope(headers=[(b"authorization", b"Bearer a")]),
        http_scope(headers=[(b"cookie", b"access=a")]),
        http_scope(query=b"token=a"),
        websocket_scope(subprotocols=["bearer", "a"]),
        http_scope(headers=[(b"authorization", b"ApiKey a")]),
        http_scope(headers=[(b"x-key", b"a")]),
    ]
    for source, scope in zip(sources, scopes, strict=True):
        credential = CredentialReader([source]).read(scope)
        assert credential.way == source.way


# --------------------------------------------------------------------------- cookies


@pytest.mark.parametrize(
    "value",
    [
        b"access=tok.en",
        b"a=1; access=tok.en; b=2",
        b"a=1;access=tok.en;b=2",
        b"a=x=y==; access=tok.en",
        b"a; access=tok.en",
        b"=; ; ;;access=tok.en",
        b" access = tok.en ",
        b'access="tok.en"',
        b"Access=other; access=tok.en; ACCESS=other",
        b"xaccess=other; access=tok.en; accessx=other; access.x=other",
        b"access=; access=tok.en",
        b"a=\xff\x00; access=tok.en; b=\xfe",
        b'a="; access=tok.en',
    ],
)
def test_a_cookie_is_found_among_others(value):
    credential = from_cookies(value)
    assert token_of(credential) == b"tok.en"
    assert credential.source == "cookie"
    assert not credential.explicit


@pytest.mark.parametrize(
    "value",
    [b"", b"access", b"access=", b'access=""', b"accesstok=1", b"x=access=tok", b";"],
)
def test_without_a_value_there_is_no_cookie(value):
    assert from_cookies(value) is None


@pytest.mark.parametrize(
    "values",
    [
        (b"access=a; access=b",),
        (b"access=a;access=a",),
        (b"access=a", b"access=b"),
        (b"access=a; x=1", b"y=2; access=b"),
    ],
)
def test_two_cookies_of_one_name_are_bad_and_stay_ambient(values):
    credential = from_cookies(*values)
    assert is_refused(credential)
    assert not credential.explicit


def test_cookies_may_be_split_over_fields():
    assert token_of(from_cookies(b"a=1", b"access=tok.en", b"b=2")) == b"tok.en"
    assert from_cookies(b"acc", b"ess=tok.en") is None


def test_the_first_cookie_source_that_has_a_value_counts():
    read = CredentialReader([Cookie("new"), Cookie("old")]).read
    both = read(http_scope(headers=[(b"cookie", b"old=b; new=a")]))
    assert token_of(both) == b"a"
    old = read(http_scope(headers=[(b"cookie", b"old=b")]))
    assert token_of(old) == b"b"


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", 'a"', "ä", "a\n", "a,b"])
def test_a_cookie_that_no_client_could_send_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match="cookie name"):
        Cookie(name)


NAMES = st.text("abc", min_size=1, max_size=2)
VALUES = st.text("xyz019=.-_", max_size=8)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.sampled_from(["; ", ";"]))
def test_well_formed_cookies_are_read_as_the_standard_library_reads_them(pairs, joint):
    text = joint.join(f"{name}={value}" for name, value in pairs)
    read = CredentialReader([Cookie("a")]).read
    credential = read(http_scope(headers=[(b"cookie", text.encode())]))
    ours = [value for name, value in pairs if name == "a" and value]
    if len(ours) > 1:
        assert is_refused(credential)
    elif not ours:
        assert credential is None
    else:
        theirs = SimpleCookie()
        try:
            theirs.load(text)
        except CookieError:
            return

        assert token_of(credential).decode() == ours[0]
        if [name for name, _ in pairs].count("a") == 1 and "a" in theirs:
            assert theirs["a"].value == ours[0]


def naive_cookies(header: bytes, name: bytes) -> list[bytes]:
    values = []
    for part in header.split(b";"):
        key, equals, value = part.partition(b"=")
        if equals and key.strip(b" \t") == name:
            value = value.strip(b" \t")
            quoted = len(value) > 1 and value.startswith(b'"') and value.endswith(b'"')
            values.append(value[1:-1] if quoted else value)

    return [value for value in values if value]


@given(
    st.lists(
        st.sampled_from(
            [b"access", b"=", b";", b" ", b"\t", b'"', b"a", b"\xff", b"\x00"]
        ),
        max_size=25,
    )
)
def test_any_cookie_header_is_read_as_a_naive_parser_reads_it(parts):
    header = b"".join(parts)
    credential = from_cookies(header)
    expected = naive_cookies(header, b"access")
    if len(expected) == 1:
        assert token_of(credential) == expected[0]
    else:
        assert is_refused(credential) if expected else credential is None


# ----------------------------------------------------------------------------- query


@pytest.mark.parametrize(
    ("query", "blanked"),
    [
        (b"token=tok.en", b"token="),
        (b"a=1&token=tok.en&b=2", b"a=1&token=&b=2"),
        (b"xtoken=1&token=tok.en", b"xtoken=1&token="),
        (b"token=tok%2Een", b"token="),
        (b"?token=1&token=tok.en", b"?token=1&token="),
        (b"a&&token=tok.en&", b"a&&token=&"),
        (b"TOKEN=x&token=tok.en", b"TOKEN=x&token="),
    ],
)
def test_a_query_token_is_found_and_blanked_out(query, blanked):
    scope = http_scope(query=query)
    credential = READ(scope)
    assert token_of(credential) == b"tok.en"
    assert (credential.source, credential.explicit) == ("query", True)
    assert scope["query_string"] == blanked


@pytest.mark.parametrize(
    "query", [b"", b"token", b"a=token=1", b"tokens=1", b"a;token=1"]
)
def test_other_queries_are_left_alone(query):
    scope = http_scope(query=query)
    assert READ(scope) is None
    assert scope["query_string"] == query


def test_a_missing_query_is_no_query():
    scope = http_scope()
    del scope["query_string"]
    assert READ(scope) is None


def test_an_empty_query_token_is_what_an_outer_middleware_has_left_of_its_own():
    assert from_query(b"token=") is None


def test_a_repeated_query_token_is_malformed_and_blanked_out():
    scope = http_scope(query=b"token=a&x=1&token=b")
    assert is_refused(READ(scope))
    assert scope["query_string"] == b"token=&x=1&token="


@pytest.mark.parametrize("value", [b"%FF", b"%00", b"\xff", b"%", b"%zz", b"a+b"])
def test_bytes_of_a_query_token_come_through_decoded(value):
    expected = {b"%FF": b"\xff", b"%00": b"\x00"}.get(value, value)
    assert token_of(from_query(b"token=" + value)) == expected


def test_a_query_token_is_for_websockets_unless_asked_for():
    read = CredentialReader([QueryParam("token")]).read
    assert read(http_scope(query=b"token=a")) is None
    assert token_of(read(websocket_scope(query=b"token=a"))) == b"a"


@pytest.mark.parametrize("name", ["", "a b", "a&b", "a=b", "ä", "a%20", "a\n"])
def test_a_query_parameter_that_needs_encoding_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match="query"):
        QueryParam(name)


@given(
    st.lists(st.tuples(st.sampled_from(["token", "to", "x"]), TOKEN_TEXT), max_size=5)
)
def test_queries_are_read_as_the_standard_library_reads_them(pairs):
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
    scope = http_scope(query=query.encode())
    credential = READ(scope)
    expected = [value for name, value in parse_qsl(query) if name == "token"]
    left = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
    assert left == [(n, "" if n == "token" else v) for n, v in pairs]
    if len(expected) == 1:
        assert token_of(credential).decode() == expected[0]
    else:
        assert is_refused(credential) if expected else credential is None


# ---------------------------------------------------------------------- subprotocols


def test_the_pair_of_bearer_and_token_is_taken_out_of_the_offer():
    credential = from_offer("chat", "bearer", "tok.en", "v2")
    assert token_of(credential) == b"tok.en"
    assert (credential.source, credential.explicit) == ("subprotocol", True)
    assert credential.offer == (["chat", "v2"], "bearer")
    assert from_offer("BEARER", "tok.en").offer == ([], "BEARER")


@pytest.mark.parametrize("infix", ["", "k8s.io."])
def test_the_form_of_kubernetes_is_understood_beside_another_protocol(infix):
    name = f"{KUBERNETES}{infix}{b64(b'tok.en').decode()}"
    for names in ((name, "chat", "v2"), ("chat", name, "v2")):
        credential = from_offer(*names)
        assert token_of(credential) == b"tok.en"
        assert credential.offer == (["chat", "v2"], "chat")


@pytest.mark.parametrize("infix", ["", "k8s.io."])
def test_the_form_of_kubernetes_alone_is_malformed_and_never_shown(infix):
    credential = from_offer(f"{KUBERNETES}{infix}{b64(b'tok.en').decode()}")
    assert is_refused(credential)
    assert credential.offer == ([], None)


@pytest.mark.parametrize(
    "names",
    [
        ("bearer",),
        ("chat", "bearer"),
        ("bearer", ""),
        ("bearer", "tök"),
        ("bearer", "\udcff"),
        ("chat", KUBERNETES),
        ("chat", KUBERNETES + "!!"),
        ("chat", KUBERNETES + "QUJ="),
        ("chat", KUBERNETES + "A"),
        ("chat", KUBERNETES + "\xff"),
        ("chat", KUBERNETES + "\udcff"),
    ],
)
def test_an_offer_without_a_token_is_malformed(names):
    credential = from_offer(*names)
    assert is_refused(credential)
    assert not any("bearer" in name for name in credential.offer.names)


def test_two_tokens_in_one_offer_are_one_too_many():
    kubernetes = KUBERNETES + b64(b"b").decode()
    for names in (("bearer", "a", "bearer", "b"), ("bearer", "a", kubernetes)):
        credential = from_offer("chat", *names)
        assert is_refused(credential)
        assert credential.offer.names == ["chat"]


@pytest.mark.parametrize(
    "names", [None, [], ["chat"], ["bearers", "tok"], ["\xff", "\x00"]]
)
def test_an_offer_without_our_names_is_left_alone(names):
    assert READ({**websocket_scope(), "subprotocols": names}) is None


def test_bytes_that_are_no_text_come_through_the_form_of_kubernetes():
    name = KUBERNETES + b64(b"\xff\x00").decode()
    assert token_of(from_offer(name, "chat")) == b"\xff\x00"


OFFERS = st.lists(
    st.sampled_from(["bearer", "Bearer", "chat", "tok", "", "\xff"])
    | st.binary(max_size=6).map(lambda raw: KUBERNETES + b64(raw).decode())
    | st.text(max_size=5),
    max_size=6,
)


@given(OFFERS)
def test_no_offer_breaks_the_reader_and_what_held_a_token_is_never_left(names):
    credential = from_offer(*names)
    ours = [n for n in names if n.lower() == "bearer" or n.startswith(KUBERNETES)]
    if not ours:
        assert credential is None
        return

    assert credential.error or credential.token
    left = credential.offer.names
    assert not [n for n in left if n.lower() == "bearer" or n.startswith(KUBERNETES)]
    assert credential.offer.answer in {None, *left} or (
        credential.offer.answer.lower() == "bearer"
    )


# ---------------------------------------------------------------------- several ways


GOOD_HEADER = (b"authorization", b"Bearer a")
GOOD_COOKIE = (b"cookie", b"access=c")


def test_explicit_beats_ambient_whichever_is_bad():
    assert token_of(READ(http_scope(headers=[GOOD_COOKIE, GOOD_HEADER]))) == b"a"
    bad_cookie = (b"cookie", b"access=c; access=d")
    assert token_of(READ(http_scope(headers=[bad_cookie, GOOD_HEADER]))) == b"a"
    bad_header = (b"authorization", b"Bearer")
    assert READ(http_scope(headers=[GOOD_COOKIE, bad_header])).source == "header"


def test_another_scheme_does_not_mask_a_good_cookie():
    basic = (b"authorization", b"Basic x")
    assert token_of(READ(http_scope(headers=[basic, GOOD_COOKIE]))) == b"c"


def test_two_explicit_credentials_are_one_too_many():
    scope = http_scope(headers=[GOOD_HEADER], query=b"token=b")
    assert is_refused(READ(scope))
    assert scope["query_string"] == b"token="
    scope = websocket_scope(headers=[GOOD_HEADER], subprotocols=["chat", "bearer", "b"])
    credential = READ(scope)
    assert is_refused(credential)
    assert credential.offer == (["chat"], "bearer")
    scope = websocket_scope(query=b"token=b", subprotocols=["bearer", "b"])
    assert is_refused(READ(scope))


def test_only_the_named_sources_are_looked_at():
    scope = websocket_scope(
        headers=[GOOD_HEADER, GOOD_COOKIE],
        query=b"token=b",
        subprotocols=["bearer", "d"],
    )
    assert CredentialReader([]).read({**scope}) is None
    assert CredentialReader([Cookie("access")]).read({**scope}).token == b"c"
    assert CredentialReader([QueryParam()]).read({**scope}).token == b"b"
    assert CredentialReader([Subprotocol()]).read({**scope}).token == b"d"
    assert CredentialReader([BearerHeader()]).read({**scope}).token == b"a"


def test_a_source_named_twice_is_a_mistake():
    with pytest.raises(ConfigurationError, match="twice"):
        CredentialReader([Cookie("a"), BearerHeader(), Cookie("a")])


def test_a_credential_does_not_show_its_token():
    for credential in (from_header(b"Bearer s3cret"), from_cookies(b"access=s3cret")):
        assert "s3cret" not in repr(credential)
        assert "s3cret" not in str(credential)


# --------------------------------------------------------------------- what is too long


def everywhere(token: bytes):
    name = KUBERNETES + b64(token).decode()
    return {
        "header": from_header(b"Bearer " + token),
        "other case": from_header(b"bearer " + token),
        "spaces": from_header(b"Bearer" + b" " * 60 + token),
        "cookie": from_cookies(b"access=" + token),
        "query": from_query(b"token=" + token),
        "encoded": from_query(b"token=" + token.replace(b"a", b"%61")),
        "pair": from_offer("bearer", token.decode()),
        "kubernetes": from_offer("chat", name),
    }


def test_a_token_of_8_kib_is_read_wherever_it_comes_from():
    for where, credential in everywhere(b"a" * MAX_TOKEN).items():
        if where != "spaces":
            assert len(token_of(credential)) == MAX_TOKEN, where


@pytest.mark.parametrize("size", [MAX_TOKEN + 1, 100 * 1024, 1024 * 1024])
def test_a_longer_one_is_refused_wherever_it_comes_from(size):
    for where, credential in everywhere(b"a" * size).items():
        assert is_refused(credential, InvalidTokenError), where
        assert credential.explicit is (where != "cookie")


@pytest.mark.parametrize("prefix", [b"Bearer ", b"bearer ", b"Bearer  ", b"Basic "])
def test_a_long_header_costs_no_memory_of_its_own_length(prefix):
    headers = [(b"authorization", prefix + b"a" * 1024 * 1024)]
    tracemalloc.start()
    CredentialReader([BearerHeader("x"), Cookie("c")]).read(http_scope(headers=headers))
    READ(http_scope(headers=headers))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"token", b"Token", b"other", b"tok"]),
            st.sampled_from([b"=", b"", b"==", b"%3D"]),
            st.binary(max_size=6) | st.sampled_from([b"%61", b"a.b", b""]),
        ).map(b"".join),
        max_size=3,
    )
)
def test_the_short_cut_for_queries_reads_what_the_long_way_does(parts):
    query = b"&".join(parts)
    short, long = websocket_scope(query=query), websocket_scope(query=query)
    found = CredentialReader([QueryParam("token")]).read(short)
    same = CredentialReader([QueryParam("token"), LONG_WAY]).read(long)
    assert short["query_string"] == long["query_string"]
    assert (found is None) is (same is None)
    if found is not None:
        assert found[:4] == same[:4]
        assert type(found.error) is type(same.error)
        assert found.name == same.name


# -------------------------------------------------------------------------- no crash


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"authorization", b"cookie", b"Cookie", b"x"]),
            st.binary(max_size=30)
            | st.binary(max_size=10).map(lambda raw: b"Bearer " + raw)
            | st.binary(max_size=10).map(lambda raw: b"access=" + raw),
        ),
        max_size=4,
    ),
    st.binary(max_size=30) | st.binary(max_size=9).map(lambda raw: b"token=" + raw),
    OFFERS,
)
def test_no_bytes_break_the_reader(headers, query, names):
    scope = websocket_scope(headers=headers, query=query, subprotocols=names)
    credential = READ(scope)
    if credential is not None:
        assert (credential.error is None) is (credential.token != b"")
        assert len(credential.token) <= MAX_TOKEN
