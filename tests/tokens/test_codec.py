from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError, InvalidTokenError, Key, KeySet
from asgi_auth._frozen import parse_members
from asgi_auth.tokens.codec import Codec, UnknownKeyError, as_bytes, peek
from tests import forge

VECTORS = [
    vector
    for name in ("rfc7515.json", "rfc7520.json", "rfc8037.json")
    for vector in json.loads((Path(__file__).parents[1] / "vectors" / name).read_text())
]
UNSIGNED = (
    b"eyJhbGciOiJub25lIn0"
    b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    b"."
)
CLAIMS = {"sub": "ada"}
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def codec(algorithm="HS256", **options):
    return Codec(forge.family(algorithm).keys, **options)


def signed(header=None, payload=CLAIMS, algorithm="HS256", key=None):
    header = forge.header(algorithm) if header is None else header
    return forge.sign(header, payload, key or forge.family(algorithm).key)


def refused(token, algorithm="HS256", match=None):
    with pytest.raises(InvalidTokenError, match=match) as caught:
        codec(algorithm).decode(token)
    return caught.value


# ------------------------------------------------------------- the RFCs' examples


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["source"])
def test_the_examples_of_the_rfcs_are_judged_as_printed(vector):
    judge = Codec(KeySet([Key.from_jwk(vector["jwk"], vector["algorithm"])]))
    text = f"{vector['signing_input']}.{vector['signature']}"
    payload = forge.unb64(vector["signing_input"].split(".")[1].encode())
    if payload.startswith(b"{"):
        claims = judge.decode(text.encode()).claims
        assert claims["iss"] == "joe"
        assert claims["http://example.com/is_root"] is True
    else:
        # Their payloads are prose: the signature is good, and claims they are not.
        with pytest.raises(InvalidTokenError, match="payload"):
            judge.decode(text.encode())

    forged = vector["signing_input"].encode() + b"." + b"A" * len(vector["signature"])
    with pytest.raises(InvalidTokenError, match="signature"):
        judge.decode(forged)


@pytest.mark.parametrize("algorithm", forge.ALGORITHMS)
def test_the_unsigned_example_is_refused_by_every_key(algorithm):
    refused(UNSIGNED, algorithm)


# ------------------------------------------------------------------- round trips


@pytest.mark.parametrize("algorithm", [*forge.ALGORITHMS, "PS256", "ES512", "HS512"])
def test_what_is_signed_here_is_understood_here_and_by_pyjwt(algorithm):
    claims = {"sub": "ada", "n": [1, 2.5, None, True], "deep": {"ü": "☃"}}
    token = codec(algorithm).encode(claims, typ="at+jwt")
    decoded = codec(algorithm).decode(token.encode())
    assert json.loads(json.dumps(decoded.claims)) == claims
    assert decoded.typ == "at+jwt"
    theirs = forge.family(algorithm).theirs
    assert jwt.decode(token, theirs, algorithms=[algorithm]) == claims


def test_a_public_key_cannot_sign():
    judge = Codec(KeySet([forge.family("ES256").key.public()]))
    with pytest.raises(ConfigurationError, match="verify"):
        judge.encode(CLAIMS, typ="at+jwt")


def test_a_secret_that_may_only_verify_verifies():
    jwk = forge.family("HS256").key.to_jwk(insecure_private=True)
    key = Key.from_jwk({**jwk, "key_ops": ["verify"]})
    assert not key.is_private
    assert Codec(KeySet([key])).decode(signed()).claims == CLAIMS


@pytest.mark.parametrize("length", [1, 256])
@pytest.mark.parametrize("letter", ["k", "☃", "🐍", '"', "\\"])
def test_a_key_of_any_name_signs_tokens_that_it_verifies(length, letter):
    judge = Codec(KeySet.from_secret(forge.SECRET, kid=letter * length))
    assert judge.decode(judge.encode(CLAIMS, typ="at+jwt").encode()).claims == CLAIMS


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_has_no_strict_json_form_is_not_signed(value):
    with pytest.raises(ValueError):
        codec().encode({"x": value}, typ="at+jwt")


def test_a_token_that_came_as_text_is_ascii():
    assert as_bytes("a.b.c") == b"a.b.c"
    for text in ("tökén", "\ud800", "a\u2028"):
        with pytest.raises(InvalidTokenError):
            as_bytes(text)


# -------------------------------------------------------------------------- form


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t + b".",
        lambda t: b"." + t,
        lambda t: t + b".AAAA.AAAA",  # five parts, as a JWE has
        lambda t: t.rpartition(b".")[0],
        lambda t: t.replace(b".", b"", 1),
        lambda t: t.replace(b".", b"..", 1),
        lambda t: t + b"=",
        lambda t: t.replace(b".", b"=.", 1),
        lambda t: t + b"==",
        lambda t: t + b"\n",
        lambda t: b" " + t,
        lambda t: t.replace(b".", b" .", 1),
        lambda t: t.replace(b".", b"\r\n.", 1),
        lambda t: t + b"\x00",
        lambda t: t + b"\xff",
        lambda t: t + b"+",
        lambda t: t + b"/",
        lambda t: t + b"A",
        lambda t: b"\xef\xbb\xbf" + t,
        lambda t: b"Bearer " + t,
        lambda t: b"",
        lambda t: b"..",
        lambda t: b".",
        lambda t: json.dumps(
            dict(
                zip(
                    ("protected", "payload", "signature"),
                    t.decode().split("."),
                    strict=True,
                )
            )
        ).encode(),  # the JSON serialisation
    ],
)
@pytest.mark.parametrize("algorithm", forge.ALGORITHMS)
def test_only_the_compact_form_is_a_token(damage, algorithm):
    good = signed(algorithm=algorithm)
    assert codec(algorithm).decode(good).claims == CLAIMS
    refused(damage(good), algorithm)


@pytest.mark.parametrize("algorithm", forge.ALGORITHMS)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_spare_bits_of_a_last_character_do_not_make_a_second_token(algorithm, part):
    # Payloads of three lengths, so that each part meets each rest of a division by 4.
    seen = 0
    for filler in ("", "x", "xx"):
        header = forge.header(algorithm, cty=filler)
        token = signed(header, {"sub": f"ada{filler}"}, algorithm)
        parts = token.split(b".")
        last = ALPHABET.index(parts[part][-1:])
        for other in range(last + 1, last + 4):
            changed = [*parts]
            changed[part] = parts[part][:-1] + ALPHABET[other % 64 : other % 64 + 1]
            if forge.unb64(changed[part]) == forge.unb64(parts[part]):
                seen += 1
                refused(b".".join(changed), algorithm)

    assert seen or len(parts[2]) % 4 == 0


def test_a_token_over_8_kib_is_refused_whatever_it_is_worth():
    big = signed(payload={"sub": "ada", "pad": "x" * 6000})
    assert len(big) <= 8192
    assert codec().decode(big).claims["sub"] == "ada"
    bigger = signed(payload={"sub": "ada", "pad": "x" * 6100})
    assert len(bigger) > 8192
    refused(bigger, match="long")


# ------------------------------------------------------------------------ header


@pytest.mark.parametrize(
    "name",
    [
        "none",
        "None",
        "NONE",
        "nOnE",
        "none ",
        " none",
        "none\x00",
        "",
        "\uff4e\uff4f\uff4e\uff45",
        "n\u043ene",
    ],
)
@pytest.mark.parametrize("algorithm", forge.ALGORITHMS)
def test_none_does_not_exist_in_any_spelling(name, algorithm):
    head = forge.b64(forge.as_json(forge.header(name)))
    body = forge.b64(forge.as_json(CLAIMS))
    refused(head + b"." + body + b".", algorithm)
    refused(signed(forge.header(name), algorithm=algorithm), algorithm)


@pytest.mark.parametrize("name", [None, 1, True, ["HS256"], {"HS256": 1}, ["none"]])
def test_an_algorithm_that_is_no_text_is_refused(name):
    refused(signed({"alg": name, "kid": "one"}))
    refused(signed({"kid": "one"}))


@pytest.mark.parametrize("name", ["hs256", "HS256 ", "HS384", "RS256", "A128KW", "dir"])
def test_a_key_works_with_its_one_algorithm(name):
    refused(signed(forge.header(name)))


def test_another_signature_scheme_of_the_same_rsa_key_is_refused():
    jwk = forge.family("RS256").key.to_jwk(insecure_private=True)
    pss = Key.from_jwk({**jwk, "alg": "PS256"})
    refused(signed(forge.header("PS256"), algorithm="RS256", key=pss), "RS256")


def test_the_allowed_algorithms_bind_even_where_a_key_is_there():
    token = signed(algorithm="ES256")
    assert codec("ES256", algorithms=["ES256"]).decode(token)
    with pytest.raises(InvalidTokenError, match="algorithm"):
        codec("ES256", algorithms=["RS256"]).decode(token)
    with pytest.raises(InvalidTokenError, match="algorithm"):
        codec("ES256", algorithms=[]).decode(token)


@pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
def test_both_names_of_ed25519_are_understood(name):
    token = signed(forge.header(name), algorithm="EdDSA")
    assert codec("EdDSA").decode(token).claims == CLAIMS


@pytest.mark.parametrize(
    "extension",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"crit": ["b64"], "b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
    ],
    ids=str,
)
def test_an_extension_is_refused_even_under_a_good_signature(extension):
    refused(signed({**forge.header(), **extension}), match="extension")


def stranger_token(**more):
    """Sign with a stranger's key, and bring that key along."""
    stranger = forge.family("ES256").stranger
    return signed(forge.header("ES256", **more), algorithm="ES256", key=stranger)


@pytest.mark.parametrize(
    "bait",
    [
        {"jwk": True},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/chain.pem"},
        {"x5c": ["MIIB"]},
    ],
    ids=lambda bait: next(iter(bait)),
)
def test_a_key_that_a_token_brings_along_is_never_used(bait):
    if "jwk" in bait:
        bait = {"jwk": forge.family("ES256").stranger.public().to_jwk()}

    refused(stranger_token(**bait), "ES256", match="signature")
    refused(stranger_token(**bait, kid=None), "ES256", match="signature")
    # Where the signature is ours, it does no harm either: nobody reads it.
    good = signed({**forge.header("ES256"), **bait}, algorithm="ES256")
    assert codec("ES256").decode(good).claims == CLAIMS


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/etc/passwd",
        "one' OR '1'='1",
        "one\x00",
        "ONE",
        "one ",
        "",
        "x" * 300,
        "http://evil.example/key",
        "\ud800",
    ],
)
def test_a_name_of_a_key_is_looked_up_and_nothing_else(kid):
    error = refused(signed(forge.header(kid=kid)))
    assert len(kid) > 256 or kid == "\ud800" or isinstance(error, UnknownKeyError)


@pytest.mark.parametrize("kid", [None, 1, 1.5, True, ["one"], {"one": 1}])
def test_a_name_of_a_key_is_a_text(kid):
    refused(signed({**forge.header(), "kid": kid}), match="kid")


def test_without_a_name_the_only_key_of_the_algorithm_is_meant():
    assert codec().decode(signed(forge.header(kid=None))).claims == CLAIMS
    two = Codec(
        KeySet([forge.family("HS256").key, Key.from_secret(forge.OTHER_SECRET)])
    )
    with pytest.raises(UnknownKeyError):
        two.decode(signed(forge.header(kid=None)))


@pytest.mark.parametrize(
    ("typ", "read"),
    [
        ("at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("Application/AT+jwt", "at+jwt"),
        ("JWT", "jwt"),
        ("", ""),
        ("application/application/at+jwt", "application/at+jwt"),
    ],
)
def test_media_types_are_read_without_regard_to_case_and_prefix(typ, read):
    assert codec().decode(signed(forge.header(typ=typ))).typ == read


@pytest.mark.parametrize("typ", [None, 1, True, ["at+jwt"], {"a": 1}])
def test_a_media_type_is_a_text(typ):
    refused(signed({**forge.header(), "typ": typ}), match="typ")


def test_a_missing_media_type_is_empty():
    assert codec().decode(signed(forge.header(typ=None))).typ == ""


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"HS256","alg":"HS256","kid":"one"}',
        b'{"alg":"none","alg":"HS256","kid":"one"}',
        b'{"alg":"HS256","a\\u006cg":"none","kid":"one"}',
        b'["alg","HS256"]',
        b'"HS256"',
        b"null",
        b"",
        b"{",
        b'{"alg":"HS256","kid":"one"}{}',
        b'\xef\xbb\xbf{"alg":"HS256","kid":"one"}',
        '{"alg":"HS256","kid":"one"}'.encode("utf-16"),
        b'{"alg":"HS256","kid":"one","x":"\xff"}',
        b'{"alg":"HS256","kid":"one","x":NaN}',
        b'{"alg":"HS256","kid":"one","x":1e999}',
        b'{"alg":"HS256","kid":"one","x":"\\ud800"}',
        b'{"alg":"HS256","kid":"one","x":' + b"9" * 5000 + b"}",
        b'{"alg":"HS256","kid":"one","x":' + b"[" * 200 + b"}",
        b'{"alg":"HS256","kid":"one","pad":"' + b"x" * 3000 + b'"}',
    ],
    ids=range(18),
)
def test_a_header_that_two_parsers_could_read_differently_is_refused(header):
    refused(signed(header))


def test_deeply_nested_json_in_a_header_costs_no_stack():
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * 350 + b"1" + closing * 350
        header = b'{"alg":"HS256","kid":"one","x":' + deep + b"}"
        with suppress(InvalidTokenError):
            codec().decode(signed(header))


def test_forged_headers_fill_half_of_what_is_remembered_and_good_ones_the_rest():
    judge = codec()
    stranger = forge.family("HS256").stranger
    for number in range(100):
        with pytest.raises(InvalidTokenError):
            judge.decode(signed(forge.header(cty=str(number)), key=stranger))

    assert len(judge._headers) == 32
    for number in range(100, 200):
        judge.decode(signed(forge.header(cty=str(number))))

    assert len(judge._headers) == 64
    # A head that was forged at first is no better and no worse for it.
    with pytest.raises(InvalidTokenError):
        judge.decode(signed(forge.header(cty="0"), key=stranger))

    assert judge.decode(signed(forge.header(cty="0"))).claims == CLAIMS
    # Those that found no room are judged all the same.
    assert judge.decode(signed(forge.header(cty="99"))).claims == CLAIMS


def test_a_remembered_header_is_forgotten_with_its_key():
    keys = KeySet([forge.family("ES256").key])
    judge = Codec(keys)
    token = signed(algorithm="ES256")
    assert judge.decode(token).generation == 0
    new = Key.generate("ES256", kid="two")
    keys.add(new)
    keys.promote("two")
    assert judge.decode(token).generation == 2
    keys.remove("one")
    with pytest.raises(UnknownKeyError):
        judge.decode(token)


# ----------------------------------------------------------------------- payload


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"ada","sub":"root"}',
        b'{"sub":"ada","s\\u0075b":"root"}',
        b'{"sub":"ada","x":{"a":1,"a":2}}',
        b'{"sub":"ada","x":[{"a":1,"a":2}]}',
        b'{"sub":"ada","":1,"":2}',
        b'[{"sub":"ada"}]',
        b'"ada"',
        b"17",
        b"null",
        b"true",
        b"",
        b"{",
        b'{"sub":"ada"} x',
        b'{"sub":"ada",}',
        b"{'sub':'ada'}",
        b'\xef\xbb\xbf{"sub":"ada"}',
        '{"sub":"ada"}'.encode("utf-16"),
        b'{"sub":"\xff"}',
        b'{"sub":"\xed\xa0\x80"}',
        b'{"sub":"\\ud800"}',
        b'{"sub":["\\udc00x"]}',
        b'{"sub":"ada","x":NaN}',
        b'{"sub":"ada","x":-Infinity}',
        b'{"sub":"ada","x":1e400}',
        b'{"sub":"ada","x":[-1e400]}',
        b'{"sub":"ada","x":' + b"9" * 5000 + b"}",
        b'{"sub":"ada","x":"\x00"}',
        b'{"sub":"ada","x":"' + b"\n" + b'"}',
        b'{"sub":"ada","x":' + b"[" * 5000 + b"]" * 900 + b"}",
    ],
    ids=range(29),
)
@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_a_payload_that_is_not_strict_json_is_refused(payload, algorithm):
    refused(signed(payload=payload, algorithm=algorithm), algorithm, match="payload")


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"sub": "ada"}',
        b' {"sub":"ada"} ',
        b'\t{"sub":\r\n"ada"}\n',
        b'{"s\\u0075b":"\\u2603 \\ud83d\\ude00"}',
        b'{"sub":"a\\"b","x":["\\\\", {"y": []}]}',
        b'{"x":{"y":{"z":[[1],[{"a":"b"}]]}}}',
        b'{"x":["a","b",1,null,{}]}',
        b'{"x":' + b"9" * 4000 + b"}",
        b'{"x":1e308,"y":-0.0,"z":12e-5}',
    ],
    ids=range(10),
)
def test_every_other_object_is_read_as_the_standard_library_reads_it(payload):
    claims = codec().decode(signed(payload=payload)).claims
    assert json.loads(json.dumps(claims)) == json.loads(payload)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    ),
    st.booleans(),
)
def test_any_json_that_is_signed_comes_back(value, ascii_only):
    text = json.dumps({"x": value}, ensure_ascii=ascii_only)
    try:
        payload = text.encode()
    except UnicodeEncodeError:
        return

    try:
        claims = codec().decode(signed(payload=payload)).claims
    except InvalidTokenError:
        # Infinity and lone surrogates are no JSON.
        assert "Infinity" in text or "\\ud" in text
    else:
        assert json.loads(json.dumps(claims)) == json.loads(payload)


def test_a_payload_is_not_parsed_before_its_signature_is_good(monkeypatch):
    seen = []
    parse = "asgi_auth.tokens.codec.parse_members"
    monkeypatch.setattr(parse, lambda data: seen.append(data) or parse_members(data))
    judge = codec()
    with pytest.raises(InvalidTokenError):
        judge.decode(signed(payload=b"a bomb", key=forge.family("HS256").stranger))

    assert b"a bomb" not in seen
    with pytest.raises(InvalidTokenError):
        judge.decode(signed(payload=b"a bomb"))

    assert b"a bomb" in seen


# -------------------------------------------------------------------------- peek


def test_peeking_reads_unverified_tokens_of_good_form_only():
    token = signed(key=forge.family("HS256").stranger)
    header, payload = peek(token)
    assert (header, payload) == (forge.header(), CLAIMS)
    for bad in (
        b"",
        b"opaque",
        b"a.b",
        b"a.b.c.d",
        b"=" + token,
        b"x" * 9000 + b".x.x",
        forge.b64(b"[]") + b".AAAA.AAAA",
        forge.b64(b"{}") + b".AAAA.AAAA",
        token.partition(b".")[0] + b".B.AAAA",
        signed({**forge.header(), "crit": []}),
    ):
        assert peek(bad) is None


def test_peeking_into_nested_json_costs_no_more_than_reading_it():
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    depth = 700
    payload = b'{"a":[' * depth + b"1" + b"]}" * depth
    token = signed(payload=payload)
    assert len(token) <= 8192
    sys.setprofile(count)
    try:
        peek(token)
    finally:
        sys.setprofile(None)

    assert calls < 20 * depth


@given(st.binary(max_size=300))
def test_no_bytes_break_the_codec(data):
    for token in (
        data,
        data + b"..",
        b"." + data + b".",
        b".".join([forge.b64(data)] * 3),
    ):
        peek(token)
        with pytest.raises(InvalidTokenError):
            codec().decode(token)
