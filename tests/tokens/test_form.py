from __future__ import annotations

import json

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    ConfigurationError,
    Cookie,
    InvalidTokenError,
    JWTBackend,
    Key,
    KeySet,
    QueryParam,
    TokenService,
    extend,
)
from asgi_auth.backends import Client
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.reader import MAX_TOKEN, CredentialReader
from asgi_auth.credentials.sources import Header
from asgi_auth.keys import Transport
from asgi_auth.tokens.claim_mapping import ClaimMapping
from asgi_auth.tokens.codec import Codec, UnknownKeyError, peek
from asgi_auth.tokens.form import TokenForm, unpadded
from tests import forge
from tests.asgi import Echo, bearer, converse, cookie, http_scope, run
from tests.forge import (
    AUDIENCE,
    ISSUER,
    OTHER_SECRET,
    SECRET,
    b64,
    claims,
    family,
    fresh,
    header,
    sign,
)

LONG = TokenForm(max_token=32_768)
GROUPS = [f"{number:08x}-0000-0000-0000-000000000000" for number in range(300)]


def trust(algorithm="ES256", **options):
    made = {"audience": AUDIENCE, "keys": family(algorithm).keys, **options}
    return TrustedIssuer(ISSUER, **made)


def token(algorithm="ES256", head=None, **more):
    return sign(header(algorithm, **(head or {})), fresh(**more), family(algorithm).key)


async def ask(backend, raw):
    app = AuthenticationMiddleware(Echo(), backend)
    return (await run(app, headers=[bearer(raw)])).status


# ------------------------------------------------------------------------ long ones


async def test_a_token_with_300_groups_needs_a_limit_of_its_own():
    raw = token(groups=GROUPS)
    assert len(raw) > MAX_TOKEN
    assert await ask(IssuersBackend(trust()), raw) == 401
    assert await ask(IssuersBackend(trust(form=LONG)), raw) == 200
    assert await ask(IssuersBackend(trust(form=LONG)), token(groups=GROUPS * 3)) == 401


async def test_the_limit_is_for_headers_only():
    """Browsers take 4096 bytes of a cookie, and servers 8 KiB of a request line."""
    sources = [Cookie("access"), QueryParam("token", http=True)]
    backend = IssuersBackend(trust(form=LONG), sources=sources)
    guarded = AuthenticationMiddleware(Echo(), backend, required=True)
    raw = token(groups=GROUPS)
    ways = ({"headers": [cookie(raw)]}, {"query": b"token=" + raw})
    for way in ways:
        assert (await run(guarded, **way)).status == 401


async def test_a_socket_is_extended_by_tokens_as_long_as_those_that_open_one():
    codes = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        for size in (1, 3):
            try:
                await extend(scope, token(groups=GROUPS * size).decode())
            except InvalidTokenError as error:
                codes.append((size, error.code))

        await send({"type": "websocket.close"})

    app = AuthenticationMiddleware(app, IssuersBackend(trust(form=LONG)))
    await converse(app, headers=[bearer(token(groups=GROUPS))])
    assert codes == [(3, "invalid_token")]


async def test_the_limit_is_that_of_one_issuer():
    other = TrustedIssuer(
        "https://other.example",
        audience=AUDIENCE,
        keys=family("ES256").keys,
        form=LONG,
    )
    backend = IssuersBackend(trust(), other)
    assert await ask(backend, token(groups=GROUPS)) == 401
    named = token(groups=GROUPS, iss="https://other.example")
    assert await ask(backend, named) == 200


async def test_long_tokens_pass_beside_other_backends_in_a_chain():
    own = TokenService(family("ES256").keys, issuer="https://own.example")
    asked = []

    async def fetch(*question):
        asked.append(question)
        return 500, {}, b""

    opaque = IntrospectionBackend(
        IntrospectionEndpoint(
            "https://idp.example/introspect",
            client=Client(id="a", secret="b"),
            transport=Transport(fetch),
        ),
        issuer="https://idp.example",
        audience=None,
    )
    chain = BackendChain(
        JWTBackend(own), opaque, IssuersBackend(trust(form=LONG), name="partner")
    )
    assert await ask(chain, token(groups=GROUPS)) == 200
    assert await ask(chain, b"a" * (MAX_TOKEN + 1)) == 401
    assert not asked


def test_a_source_that_is_no_header_stays_as_it_is():
    sources = (BearerHeader(max_token=65_536), Header("X-Assertion"))
    backend = IssuersBackend(trust(form=LONG), sources=sources)
    assert [source.max_token for source in backend.sources] == [65_536, 32_768]


@pytest.mark.parametrize("size", [0, MAX_TOKEN - 1, 65_537])
@pytest.mark.parametrize(
    "make",
    [
        lambda size: TokenForm(max_token=size),
        lambda size: BearerHeader(max_token=size),
        lambda size: Header(max_token=size),
    ],
)
def test_a_limit_is_neither_below_ours_nor_above_what_servers_take(make, size):
    with pytest.raises(ConfigurationError, match="max_token"):
        make(size)


@pytest.mark.parametrize("kind", ["", None, 5, "a\n"])
def test_a_kind_of_token_has_a_name(kind):
    with pytest.raises(ConfigurationError, match="kind"):
        TokenForm(kind=kind)


@pytest.mark.parametrize(("kind", "other"), [("refresh", "access"), ("a b", None)])
def test_tokens_of_the_kind_that_is_named_are_taken_and_no_others(kind, other):
    verifier = forge.verifier(form=TokenForm(kind=kind))
    assert verifier.verify(forge.token(type=kind)).subject == "ada"
    with pytest.raises(InvalidTokenError, match="another kind"):
        verifier.verify(forge.token(type=other) if other else forge.token())


@pytest.mark.parametrize("name", [b"authorization", b"x-assertion"])
def test_a_reader_takes_as_much_as_its_source_allows(name):
    sources = (BearerHeader(max_token=10_000), Header("X-Assertion", max_token=9_000))
    read = CredentialReader(sources).read
    longest = 10_000 if name == b"authorization" else 9_000
    begin = b"Bearer ey" if name == b"authorization" else b"ey"
    for extra in (-2, -1):
        value = begin + b"a" * (longest + extra)
        found = read(http_scope(headers=[(name, value)]))
        assert (found.error is None) is (extra == -2)


# -------------------------------------------------------------------------- padding


def padded(raw):
    return b".".join(part + b"=" * (-len(part) % 4) for part in raw.split(b"."))


def sign_padded(said, algorithm="ES256", head=None):
    """Sign the text with its padding, as the load balancers of AWS do."""
    key = family(algorithm).key
    parts = (header(algorithm, **(head or {})), said)
    signed = b".".join(padded(b64(json.dumps(part).encode())) for part in parts)
    return signed + b"." + padded(b64(key.sign(signed)))


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
@pytest.mark.parametrize("filler", ["", "x", "xx"])
def test_padding_is_taken_where_the_form_says_so(algorithm, filler):
    keys = family(algorithm).keys
    raw = sign_padded(claims(x=filler), algorithm)
    assert Codec(keys, form=TokenForm(padded=True)).decode(raw).claims["x"] == filler
    assert peek(raw)[1]["x"] == filler
    with pytest.raises(InvalidTokenError):
        Codec(keys).decode(raw)


def test_padding_must_be_what_makes_a_segment_whole():
    codec = Codec(family("ES256").keys, form=TokenForm(padded=True))
    raw = sign_padded(claims())
    assert codec.decode(raw)
    for bad in (raw + b"=", raw.removesuffix(b"="), raw.replace(b"=", b"==", 1)):
        with pytest.raises(InvalidTokenError):
            codec.decode(bad)
    for text in (b"YQ=", b"YWI==", b"YQ===", b"="):
        assert unpadded(text) == text or text == b"YWI=="
    assert (unpadded(b"YQ=="), unpadded(b"YWI="), unpadded(b"YWJj")) == (
        b"YQ",
        b"YWI",
        b"YWJj",
    )


# ------------------------------------------------------------------------- headers


async def test_a_header_says_for_whom_a_token_is_where_it_has_no_audience():
    form = TokenForm(header_says={"signer": "arn:1"})
    issuer = trust(audience=None, form=form)
    good = token(aud=None, head={"signer": "arn:1"})
    assert (await issuer.admit(good)).subject == "ada"
    for head in ({}, {"signer": "arn:2"}, {"signer": ["arn:1"]}):
        with pytest.raises(InvalidTokenError, match="signer"):
            await issuer.admit(token(aud=None, head=head))
    with pytest.raises(InvalidTokenError):
        await issuer.admit(token(head={"signer": "arn:1"}))


@pytest.mark.parametrize(
    "options",
    [
        {"audience": None},
        {"audience": ""},
        {"audience": []},
        {"audience": "", "form": TokenForm(header_says={"signer": "arn"})},
    ],
)
def test_an_issuer_without_an_audience_is_refused(options):
    with pytest.raises(ConfigurationError, match="audience"):
        trust(**options)


@pytest.mark.parametrize("issuer", [None, ""])
def test_an_issuer_without_a_name_is_refused(issuer):
    with pytest.raises(ConfigurationError, match="iss"):
        TrustedIssuer(issuer, audience=AUDIENCE, keys=family("ES256").keys)


async def test_tokens_without_iss_are_told_by_their_subject():
    mapping = ClaimMapping(subject_prefix="spiffe://shop.example/")
    workload = TrustedIssuer(
        None, audience=AUDIENCE, keys=family("ES256").keys, claim_mapping=mapping
    )
    backend = IssuersBackend(trust(), workload)
    assert backend.issuers == {ISSUER, None}
    good = token(iss=None, sub="spiffe://shop.example/cart")
    assert await ask(backend, good) == 200
    assert await ask(backend, token(iss=None)) == 401
    assert await ask(backend, token(sub="spiffe://shop.example/cart")) == 200
    null = sign(header("ES256"), {**fresh(), "iss": None}, family("ES256").key)
    assert await ask(IssuersBackend(workload), null) == 401
    assert await workload.admit(good)
    assert backend.verifier_for(None) is workload.verifier


async def test_tokens_without_iss_need_to_be_told_where_the_keys_are():
    mapping = ClaimMapping(subject_prefix="spiffe://shop.example/")
    with pytest.raises(ConfigurationError, match="issuer"):
        TrustedIssuer(None, audience=AUDIENCE, claim_mapping=mapping)


@pytest.mark.parametrize("typ", ["JOSE", "jose", "application/at+jwt", "JWT", None])
async def test_a_type_that_says_nothing_is_taken(typ):
    assert (await trust().admit(token(head={"typ": typ}))).subject == "ada"


# ---------------------------------------------------------------------- key names


@pytest.mark.parametrize("kid", ["theirs", "", "1", None])
def test_a_key_that_nobody_named_is_found_under_each_name(kid):
    head = {"alg": "HS256", "typ": "JWT", **({} if kid is None else {"kid": kid})}
    raw = sign(head, claims(), Key.from_secret(SECRET))
    assert Codec(KeySet.from_secret(SECRET)).decode(raw).claims == claims()
    if kid is not None:
        with pytest.raises(UnknownKeyError):
            Codec(KeySet.from_secret(SECRET, kid="ours")).decode(raw)

    with pytest.raises(InvalidTokenError):
        Codec(KeySet.from_secret(OTHER_SECRET)).decode(raw)
    two = KeySet([Key.from_secret(SECRET), Key.from_secret(OTHER_SECRET)])
    with pytest.raises(UnknownKeyError):
        Codec(two).decode(raw)


def test_the_algorithm_of_a_nameless_key_is_its_own():
    raw = sign({"alg": "HS512", "kid": "x"}, claims(), Key.from_secret(SECRET, "HS512"))
    with pytest.raises(UnknownKeyError):
        Codec(KeySet.from_secret(SECRET)).decode(raw)


def test_a_guessed_key_that_does_not_fit_may_be_an_old_one():
    new = Key.generate("ES256")
    raw = sign({"alg": "ES256"}, claims(), new)
    with pytest.raises(UnknownKeyError):
        Codec(KeySet([family("ES256").key])).decode(raw)
    named = sign(header("ES256"), claims(), new)
    with pytest.raises(InvalidTokenError) as caught:
        Codec(KeySet([family("ES256").key])).decode(named)
    assert caught.type is InvalidTokenError
