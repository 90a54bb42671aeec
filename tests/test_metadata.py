from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import urlencode

import pytest
from joserfc import jwt as theirs
from joserfc.jwk import KeySet as TheirKeySet

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    InvalidTokenError,
    JWTBackend,
    Key,
    KeySet,
    MemoryStore,
    RevocationList,
    TokenService,
    UnavailableError,
    requires,
)
from asgi_auth.backends.discovery import discover
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys import Transport
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.metadata import (
    BackChannelLogout,
    JWKSDocument,
    ProtectedResource,
    ServerMetadata,
)
from asgi_auth.metadata.document import Document
from asgi_auth.testing.clock import FakeClock
from asgi_auth.tokens import TokenForm
from tests.asgi import Echo, bearer, run, websocket_scope
from tests.idp.issuer import new_key, provider
from tests.idp.serving import serving

# Documents


def document(**options):
    return Document(lambda: {"a": "ü"}, path="/a.json", **options)


async def test_a_document_may_be_cached_by_everybody():
    answer = await run(document(max_age=60), "/a.json")
    assert answer.status == 200
    assert answer.json() == {"a": "ü"}
    assert answer.header("content-type") == "application/json"
    assert answer.header("cache-control") == "public, max-age=60"
    assert answer.header("access-control-allow-origin") == "*"
    assert int(answer.header("content-length")) == len(answer.body)


@pytest.mark.parametrize("form", [b"%s", b"W/%s", b'"other", %s', b'"other",%s'])
async def test_who_has_the_document_is_told_so(form):
    tag = (await run(document())).header("etag").encode()
    answer = await run(document(), headers=[(b"If-None-Match", form % tag)])
    assert answer.status == 304
    assert answer.body == b""
    assert answer.header("etag").encode() == tag
    stale = await run(document(), headers=[(b"if-none-match", b'"old"')])
    assert stale.status == 200


async def test_head_has_no_body_and_other_methods_are_refused():
    head = await run(document(), method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.header("content-length")) > 0
    post = await run(document(), method="POST")
    assert post.status == 405
    assert post.header("allow") == "GET, HEAD"


async def test_a_preflight_for_a_document_is_answered():
    """The inspector of MCP asks with ``MCP-Protocol-Version``, from another origin."""
    origin = (b"origin", b"https://inspector.example")
    asks = [
        origin,
        (b"access-control-request-method", b"GET"),
        (b"access-control-request-headers", b"mcp-protocol-version"),
    ]
    answer = await run(document(), method="OPTIONS", headers=asks)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("access-control-allow-headers") == "*"
    assert "GET" in answer.header("access-control-allow-methods")
    plain = await run(document(), method="OPTIONS", headers=[origin])
    assert plain.status == 405
    assert plain.header("access-control-allow-origin") == "*"


async def test_what_is_beside_a_document_is_not_there_rather_than_forbidden():
    backend = JWTBackend(TokenService(KeySet.generate("ES256"), issuer="https://a"))
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    app = ProtectedResource(
        "https://api.example/mcp", issuers=["https://idp.example"]
    ).around(app)
    known = "/.well-known/oauth-protected-resource"
    assert (await run(app, f"{known}/mcp")).status == 200
    for path in (
        known,
        f"{known}/mcp/",
        f"{known}/other",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration/mcp",
    ):
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = await run(app, path, method=method)
            assert (answer.status, answer.body) == (404, b""), path
            assert answer.all("www-authenticate") == []

    assert (await run(app, known, method="POST")).status == 401
    assert (await run(app, known, headers=[bearer(b"a.b.c")])).status == 401
    for path in ("/mcp", "/.well-known", "/a/.well-known/b"):
        assert (await run(app, path)).status == 401

    # What the app has there, it serves.
    open_app = ProtectedResource("https://a.example", issuers=["https://b"]).around(
        Document(lambda: {"a": 1}, path="/.well-known/a")
    )
    assert (await run(open_app, "/.well-known/a")).json() == {"a": 1}


async def test_a_document_stands_before_an_app_at_its_path_only():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])
        if scope["type"] == "http":
            await document()(scope, receive, send)

    around = Document(lambda: {"b": 1}, path="/b").around(app)
    assert (await run(around, "/b")).json() == {"b": 1}
    assert (await run(around, "/c")).json() == {"a": "ü"}
    await around({"type": "lifespan"}, None, None)
    assert seen == ["http", "lifespan"]


async def test_a_document_is_no_websocket():
    sent = []

    async def send(message):
        sent.append(message)

    for app in (document(), backchannel(provider().realm(), MemoryStore())):
        await app(websocket_scope(), None, send)
        await app({"type": "lifespan"}, None, send)
    assert [message["type"] for message in sent] == ["websocket.close"] * 2


@pytest.mark.parametrize("options", [{"path": "a"}, {"path": ""}, {"max_age": -1}])
def test_a_document_needs_a_path(options):
    with pytest.raises(ConfigurationError):
        Document(dict, **{"path": "/a", **options})


# What an issuer publishes


async def test_only_public_keys_are_published():
    keys = KeySet.generate("ES256")
    answer = await run(JWKSDocument(keys))
    assert answer.header("content-type") == "application/jwk-set+json"
    (jwk,) = answer.json()["keys"]
    assert jwk["kid"] == keys.signing_key.kid
    assert "d" not in jwk


def test_secrets_are_not_published():
    keys = KeySet([Key.generate("HS256")])
    with pytest.raises(ConfigurationError, match="HMAC"):
        JWKSDocument(keys)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "Ed25519"])
async def test_others_verify_our_tokens_with_what_we_publish(algorithm):
    keys = KeySet.generate(algorithm)
    tokens = TokenService(keys, issuer="https://us.example", audience="api")
    published = (await run(JWKSDocument(keys))).json()
    found = theirs.decode(
        tokens.mint("ada"), TheirKeySet.import_key_set(published), [algorithm]
    )
    assert found.claims["sub"] == "ada"
    assert found.header["typ"] == "at+jwt"


def publish(keys):
    """Serve keys and metadata as an issuer does."""

    def make(base):
        app = JWKSDocument(keys, max_age=60)
        found.append(ServerMetadata(base, scopes=["read"]))
        return found[-1].around(app_with_lifespan(app))

    found = []
    return make


def app_with_lifespan(app):
    async def served(scope, receive, send):
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return served


async def test_keys_rotate_without_a_refused_token():
    keys, clock = KeySet.generate("ES256"), FakeClock(0)
    with serving(publish(keys)) as base:
        ours = TokenService(keys, issuer=base, audience="api")
        client = JWKSClient(f"{base}/.well-known/jwks.json", clock=clock)
        strict = TrustedIssuer(
            base, audience="api", keys=client, form=TokenForm(profile="rfc9068")
        )
        first = ours.mint("ada").encode()
        await strict.admit(first)
        old, new = keys.signing_key, Key.generate("ES256")
        keys.add(new)  # Published before it signs.
        clock.advance(61)
        await client.ready()
        await (await client._flights.get()).task
        keys.promote(new.kid)
        fetches = client.stats().fetches
        second = ours.mint("ada").encode()
        assert (await strict.admit(second)).subject == "ada"
        assert (await strict.admit(first)).subject == "ada"
        assert client.stats().fetches == fetches, "it was known before it signed"
        keys.remove(old.kid)
        clock.advance(61)
        await client.ready()
        await (await client._flights.get()).task
        assert (await strict.admit(second)).subject == "ada"
        with pytest.raises(InvalidTokenError):
            await strict.admit(first)


async def test_our_metadata_lead_to_our_keys():
    keys = KeySet.generate("ES256")
    with serving(publish(keys)) as base:
        found = await discover(base, transport=Transport(only_rfc_8414))
        assert found.jwks_uri == f"{base}/.well-known/jwks.json"
        assert found.document["scopes_supported"] == ("read",)
        ours = TokenService(keys, issuer=base, audience="api")
        trusted = TrustedIssuer(base, audience="api", keys=found.jwks_uri)
        assert (await trusted.admit(ours.mint("ada").encode())).subject == "ada"


async def only_rfc_8414(url, headers, body):
    import httpx2

    if "openid" in url:
        return 404, {}, b""
    async with httpx2.AsyncClient(timeout=20) as http:
        answer = await http.get(url)
    return answer.status_code, dict(answer.headers), answer.content


def test_metadata_of_an_issuer_with_a_path_lie_before_it():
    metadata = ServerMetadata("https://us.example/tenant/")
    assert metadata.path == "/.well-known/oauth-authorization-server/tenant"


@pytest.mark.parametrize(
    ("issuer", "more"),
    [
        ("http://us.example", {}),
        ("https://us.example?a=1", {}),
        ("https://us.example#a", {}),
        ("https://us.example", {"token_endpoint": "http://us.example/token"}),
        ("https://us.example", {"token_endpoint": "/token"}),
    ],
)
def test_metadata_name_safe_urls_only(issuer, more):
    with pytest.raises(ConfigurationError):
        ServerMetadata(issuer, more=more)


# Protected resources


def resource(url="https://api.example/mcp", **options):
    return ProtectedResource(url, issuers=["https://idp.example"], **options)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://api.example", "/.well-known/oauth-protected-resource"),
        ("https://api.example/", "/.well-known/oauth-protected-resource"),
        ("https://api.example/mcp", "/.well-known/oauth-protected-resource/mcp"),
        ("https://api.example/a/b", "/.well-known/oauth-protected-resource/a/b"),
        ("https://api.example/mcp/", "/.well-known/oauth-protected-resource/mcp/"),
    ],
)
async def test_the_document_lies_between_host_and_path(url, path):
    made = resource(url, scopes=["a"], name="Orders", more={"jwks_uri": "x"})
    assert made.path == path
    assert made.url == f"https://api.example{path}"
    assert (await run(made, path)).json() == {
        "resource": url,
        "authorization_servers": ["https://idp.example"],
        "bearer_methods_supported": ["header"],
        "jwks_uri": "x",
        "scopes_supported": ["a"],
        "resource_name": "Orders",
    }


async def test_every_challenge_leads_to_the_document():
    realm = provider().realm()
    made = resource(scopes=["read"])
    trusted = TrustedIssuer(realm.issuer, audience="api", keys=realm.jwks_uri)
    backend = IssuersBackend(trusted, challenge=made.challenge)
    app = AuthenticationMiddleware(
        requires("read", "write", max_age=60)(Echo()), backend
    )
    app = made.around(app)
    where = f'resource_metadata="{made.url}"'

    async def challenge_of(*headers):
        return (await run(app, headers=headers)).header("www-authenticate")

    assert await challenge_of() == f'Bearer {where}, scope="read"'
    assert where in await challenge_of(bearer(realm.token(exp=1)))
    missing = await challenge_of(bearer(realm.token(scope="read")))
    assert where in missing
    assert 'scope="read write"' in missing
    step_up = await challenge_of(bearer(realm.token(scope="read write")))
    assert where in step_up
    assert 'error="insufficient_user_authentication"' in step_up
    assert 'max_age="60"' in step_up
    now = int(time.time())
    fresh = realm.token(scope="read write", auth_time=now)
    assert (await run(app, headers=[bearer(fresh)])).status == 200
    assert (await run(app, made.path)).status == 200


@pytest.mark.parametrize(
    ("url", "issuers"),
    [
        ("http://api.example", ["https://idp.example"]),
        ("https://api.example#a", ["https://idp.example"]),
        ("api", ["https://idp.example"]),
        ("https://api.example", []),
        ("https://api.example", ["http://idp.example"]),
    ],
)
def test_a_resource_names_safe_urls_only(url, issuers):
    with pytest.raises(ConfigurationError):
        ProtectedResource(url, issuers=issuers)


# Back-channel log-out

EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}


def backchannel(realm, store, **options):
    trusted = TrustedIssuer(realm.issuer, audience="api", keys=realm.jwks_uri)
    chosen = {"client_id": "web", "store": store, **options}
    return BackChannelLogout(trusted, **chosen)


def logout_token(realm, *, header=None, key=None, **more):
    now = int(time.time())
    said = {
        "iss": realm.issuer,
        "aud": "web",
        "iat": now,
        "exp": now + 120,
        "jti": f"l-{time.time_ns()}",
        "sid": "s1",
        "events": EVENT,
        **more,
    }
    claims = {name: value for name, value in said.items() if value is not None}
    return realm.sign(claims, key=key, **{"typ": "logout+jwt", **(header or {})})


async def post(app, token, *, name="logout_token", **scope):
    text = token.decode() if isinstance(token, bytes) else token
    return await run(app, method="POST", body=urlencode({name: text}).encode(), **scope)


@pytest.fixture
def realm():
    return provider().realm()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def logout(realm, store):
    return backchannel(realm, store)


@pytest.fixture
def service(realm, store):
    trusted = TrustedIssuer(
        realm.issuer,
        audience="api",
        keys=realm.jwks_uri,
        revocations=RevocationList(store),
    )
    return AuthenticationMiddleware(Echo(), IssuersBackend(trusted), required=True)


async def test_a_log_out_elsewhere_ends_the_session_here(realm, logout, service):
    mine, other = realm.token(sid="s1"), realm.token(sid="s2")
    assert (await run(service, headers=[bearer(mine)])).status == 200
    answer = await post(logout, logout_token(realm))
    assert answer.status == 200
    assert answer.header("cache-control") == "no-store"
    assert (await run(service, headers=[bearer(mine)])).status == 401
    assert (await run(service, headers=[bearer(other)])).status == 200


async def test_a_log_out_of_the_subject_ends_all_its_sessions(realm, logout, service):
    tokens = [realm.token(sid="s1"), realm.token(sid="s2"), realm.token()]
    eve = realm.token(sub="eve", sid="s3")
    answer = await post(logout, logout_token(realm, sid=None, sub="ada"))
    assert answer.status == 200
    for token in tokens:
        assert (await run(service, headers=[bearer(token)])).status == 401
    assert (await run(service, headers=[bearer(eve)])).status == 200
    later = realm.token(sid="s4", iat=int(time.time()) + 2)
    assert (await run(service, headers=[bearer(later)])).status == 200


async def test_a_repeated_log_out_token_ends_nothing_new(realm, logout, store):
    token = logout_token(realm, sid=None, sub="ada")
    assert (await post(logout, token)).status == 200
    before = (await store.feed(None, wait=0)).entries
    await asyncio.sleep(0.01)
    assert (await post(logout, token)).status == 200
    assert (await store.feed(None, wait=0)).entries == before


async def test_a_log_out_token_that_is_played_to_another_worker_ends_nothing_newer(
    realm, store
):
    issuer = TrustedIssuer(realm.issuer, audience="api", keys=realm.jwks_uri)
    workers = [
        BackChannelLogout(issuer, client_id="web", store=store) for _ in range(2)
    ]
    token = logout_token(realm, sid=None, sub="ada", iat=int(time.time()) - 100)
    for worker in workers:
        assert (await post(worker, token)).status == 200

    revoked = (await store.feed(None, wait=0)).entries
    assert len(revoked) == 1
    assert all(entry.at <= time.time() - 99 for entry in revoked)
    assert all(entry.expires_at > time.time() for entry in revoked)


@pytest.mark.parametrize(
    ("more", "ended"),
    [
        ({"sid": 5, "sub": "ada"}, ("sid", "5")),
        ({"sid": None, "sub": 7}, ("whole_subject", "7")),
        ({"sid": "", "sub": "ada"}, ("whole_subject", "ada")),
        ({"jti": 12}, ("sid", "s1")),
        ({"nonce": ""}, ("sid", "s1")),
    ],
)
async def test_ids_are_read_as_in_the_tokens_of_the_issuer(
    realm, logout, store, more, ended
):
    assert (await post(logout, logout_token(realm, **more))).status == 200
    published = (await store.feed(None, wait=0)).entries
    assert [(entry.kind, entry.value) for entry in published] == [ended]


@pytest.mark.parametrize("typ", ["logout+jwt", "application/logout+jwt", "JWT", None])
async def test_the_usual_types_of_log_out_tokens_are_taken(realm, logout, typ):
    assert (await post(logout, logout_token(realm, header={"typ": typ}))).status == 200


@pytest.mark.parametrize(
    ("more", "header"),
    [
        ({"events": None}, {}),
        ({"events": {}}, {}),
        ({"events": "logout"}, {}),
        ({"events": {next(iter(EVENT)): True}}, {}),
        ({"events": {"other": {}}}, {}),
        ({"nonce": "n"}, {}),
        ({"aud": "api"}, {}),
        ({"aud": "api web"}, {}),
        ({"aud": None}, {}),
        ({"aud": 7}, {}),
        ({"iss": "https://another.example"}, {}),
        ({"iss": None}, {}),
        ({"sid": None}, {}),
        ({"sid": ""}, {}),
        ({"sid": True}, {}),
        ({"sid": 7.5}, {}),
        ({"sid": None, "sub": ["ada"]}, {}),
        ({"jti": None}, {}),
        ({"iat": None}, {}),
        ({"iat": "now"}, {}),
        ({"iat": 1}, {}),
        ({"iat": int(time.time()) + 3600}, {}),
        ({"exp": None}, {}),
        ({"exp": 1}, {}),
        ({"iat": 10**400}, {}),
        ({"exp": 10**400}, {}),
        ({"exp": -(10**400), "iat": -(10**400)}, {}),
        ({}, {"typ": "at+jwt"}),
        ({}, {"kid": "unknown"}),
    ],
)
async def test_what_is_no_log_out_token_is_refused(realm, logout, store, more, header):
    answer = await post(logout, logout_token(realm, **more, header=header))
    assert answer.status == 400
    assert answer.json() == {"error": "invalid_request"}
    assert (await store.feed(None, wait=0)).entries == ()


async def test_forged_and_foreign_tokens_are_refused(realm, logout):
    stranger = provider().realm()
    for bad in (
        logout_token(realm, key=new_key(kid=realm.key.kid)),
        logout_token(stranger),
        realm.token(sid="s1"),
        b"a.b.c",
        b"",
        "ü",
    ):
        assert (await post(logout, bad)).status == 400


async def test_malformed_requests_are_refused(realm, logout):
    token = logout_token(realm).decode()
    assert (await run(logout, method="GET")).status == 405
    assert (await post(logout, token, name="token")).status == 400
    twice = urlencode([("logout_token", token)] * 2).encode()
    assert (await run(logout, method="POST", body=twice)).status == 400
    for body in (b"", b"\xff", b"x" * 20_000, b"&".join([b"a=1"] * 50)):
        assert (await run(logout, method="POST", body=body)).status == 400


async def test_an_outage_asks_the_provider_to_try_again(realm, logout):
    realm.fault = "500"
    assert (await post(logout, logout_token(realm))).status == 503
    realm.fault = None


async def test_a_store_that_is_down_asks_the_provider_to_try_again(realm):
    class Down(MemoryStore):
        async def publish(self, entries, *, ttl, now=None):
            raise UnavailableError

    logout = backchannel(realm, Down())
    token = logout_token(realm)
    assert (await post(logout, token)).status == 503
    assert (await post(logout, token)).status == 503, "it was not taken as repeated"


async def test_a_log_out_that_met_an_outage_is_passed_on_at_the_next_try(realm):
    class Faulty(MemoryStore):
        verbs = ("once", "publish")

        async def publish(self, entries, **times):
            self.fail("publish")
            await super().publish(entries, **times)

        async def once(self, space, key, **times):
            self.fail("once")
            return await super().once(space, key, **times)

        def fail(self, verb):
            if verb in self.verbs:
                self.verbs = tuple(one for one in self.verbs if one != verb)
                raise UnavailableError

    store = Faulty()
    workers = [backchannel(realm, store) for _ in range(3)]
    token = logout_token(realm)
    answers = [(await post(worker, token)).status for worker in workers]
    assert answers == [503, 503, 200]
    (entry,) = (await store.feed(None, wait=0)).entries
    assert entry.value == "s1"


async def test_a_log_out_token_is_known_for_as_long_as_it_could_come(realm):
    clock = FakeClock(float(int(time.time())))
    logout = backchannel(realm, store := MemoryStore(clock=clock), clock=clock)
    ahead = int(clock()) + 60
    token = logout_token(realm, iat=ahead, exp=ahead + 999)
    assert (await post(logout, token)).status == 200
    before = (await store.feed(None, wait=0)).cursor
    clock.advance(360)
    assert (await post(logout, token)).status == 200
    assert not (await store.feed(before, wait=0)).entries
    clock.advance(1)
    assert (await post(logout, token)).status == 400


@pytest.mark.parametrize("options", [{"client_id": ""}, {"ttl": 0}])
def test_an_endpoint_needs_a_client(realm, store, options):
    with pytest.raises(ConfigurationError):
        backchannel(realm, store, **options)


def test_an_endpoint_needs_an_issuer(store):
    with pytest.raises(ConfigurationError):
        BackChannelLogout(client_id="web", store=store)


def test_published_documents_are_plain_json():
    made = resource(scopes=["a"])
    assert (
        json.loads(json.dumps(made._content()))["resource"]
        == made._content()["resource"]
    )
