"""The contract of backends, over ours, and over some that break it."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path

import pytest
from passlib.context import CryptContext

from asgi_auth import (
    BackendChain,
    BearerHeader,
    Challenge,
    Cookie,
    Header,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    Principal,
    TokenService,
)
from asgi_auth.accounts import AuthManager
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.backends import apikey
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys.memory import MemoryAPIKeys
from asgi_auth.backends.apikeys.service import APIKeys
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.sources import WholeScope
from asgi_auth.passwords import PasswordHasher
from asgi_auth.revocation import RevocationList
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import Revocation
from asgi_auth.testing import BackendContract, BackendSample
from tests import forge
from tests.advisories.test_introspection_flood import Issuer
from tests.advisories.test_introspection_flood import backend as introspecting

GUIDE = Path(__file__).parents[2] / "docs/how-to/own-backend.md"


def authorization(token, scheme="Bearer"):
    token = token.encode() if isinstance(token, str) else token
    return [(b"authorization", scheme.encode() + b" " + token)]


def guide(part):
    """Run an example of the guide, and return what it defines."""
    found = {}
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    exec(compile(code[part], str(GUIDE), "exec"), found)
    return found


class TestJWT(BackendContract):
    @pytest.fixture(params=["header", "cookie"])
    async def sample(self, request):
        tokens = TokenService(KeySet.generate("HS256"), issuer="https://api.example")
        pair = await tokens.issue("ada")
        good, bad = pair.access_token, pair.refresh_token
        sources, way = [BearerHeader()], authorization
        if request.param == "cookie":
            sources = [Cookie("access")]

            def way(token):
                return [(b"cookie", b"access=" + token.encode())]

        return BackendSample(
            JWTBackend(tokens, sources=sources),
            subject="ada",
            good=way(good),
            bad=[way(bad), way(good[:-4] + "AAAA"), way(tokens.mint("ada", ttl=-60))],
            revoke=lambda: tokens.revoke_session(pair.session_id),
        )


class TestIssuers(BackendContract):
    @pytest.fixture
    def sample(self):
        store = MemoryStore()
        issuer = TrustedIssuer(
            forge.ISSUER,
            audience=forge.AUDIENCE,
            keys=KeySet([forge.family("ES256").key.public()]),
            revocations=RevocationList(store),
            clock=lambda: forge.NOW,
        )
        entry = Revocation(kind="sid", issuer=forge.ISSUER, value="s1")
        return BackendSample(
            IssuersBackend(issuer),
            subject="ada",
            good=authorization(forge.token("ES256", sid="s1")),
            bad=[authorization(forge.token("ES256", aud="other"))],
            revoke=lambda: store.publish([entry], ttl=1000),
        )


class TestIntrospection(BackendContract):
    @pytest.fixture
    async def sample(self):
        backend = introspecting(Issuer())
        yield BackendSample(
            backend,
            subject="ada",
            good=authorization("good"),
            bad=[authorization("a-bad-one"), authorization("a=b")],
        )
        await backend.aclose()


class TestAPIKeys(BackendContract):
    @pytest.fixture
    async def sample(self, monkeypatch):
        monkeypatch.setattr(apikey, "_ASKED_EVERY", 0.05)
        keys = APIKeys(MemoryAPIKeys())
        made, gone = await keys.generate("ada"), await keys.generate("ada")
        await keys.revoke(gone.record.id)
        return BackendSample(
            APIKeyBackend(keys, sources=[Header("X-API-Key")]),
            subject="ada",
            good=[(b"x-api-key", made.text.encode())],
            bad=[[(b"x-api-key", gone.text.encode())]],
            revoke=lambda: keys.revoke(made.record.id),
        )


class Users(AuthManager):
    # How dear a hash is says nothing about a backend.
    hasher = PasswordHasher(
        context=CryptContext(
            schemes=["argon2"],
            argon2__memory_cost=64,
            argon2__time_cost=1,
            argon2__parallelism=1,
        )
    )

    def __init__(self, user):
        self.user = user

    async def get_user_by_email(self, email):
        return self.user if email == "ada@example.org" else None

    async def get_user_by_id(self, user_id):
        return self.user


class TestBasic(BackendContract):
    @pytest.fixture
    async def sample(self):
        stored = await Users.hasher.hash("violet otter")

        def basic(pair):
            return authorization(base64.b64encode(pair.encode()), "Basic")

        return BackendSample(
            BasicBackend(Users({"id": "ada", "password_hash": stored})),
            subject="ada",
            good=basic("ada@example.org:violet otter"),
            bad=[basic("ada@example.org:wrong"), basic("eve@example.org:violet otter")],
        )


class TestChain(BackendContract):
    @pytest.fixture
    async def sample(self):
        store, keys = MemoryStore(), KeySet.generate("HS256")
        first = TokenService(keys, issuer="https://one.example", store=store)
        second = TokenService(keys, issuer="https://two.example", store=store)
        pair = await second.issue("ada")
        chain = BackendChain(JWTBackend(first), JWTBackend(second, name="second"))
        return BackendSample(
            Renamed(chain, "second"),
            subject="ada",
            good=authorization(pair.access_token),
            bad=[authorization(pair.refresh_token)],
            revoke=lambda: second.revoke_session(pair.session_id),
        )


class Renamed:
    """A chain whose callers are known by a member of it."""

    def __init__(self, inner, name):
        self.inner, self.name = inner, name
        self.sources, self.challenges = inner.sources, inner.challenges

    async def authenticate(self, credential, scope):
        return await self.inner.authenticate(credential, scope)

    def claims(self, credential):
        return self.inner.claims(credential)


# ---------------------------------------------------------------------- the guide's


class TestCookieSessions(BackendContract):
    @pytest.fixture
    def sample(self):
        async def find(session):
            return {"0123456789": "ada"}.get(session)

        return BackendSample(
            guide(0)["CookieSessions"](find),
            subject="ada",
            good=[(b"cookie", b"__Host-session=0123456789")],
            bad=[[(b"cookie", b"__Host-session=a-stranger")]],
        )


class TestCertificates(BackendContract):
    @pytest.fixture
    def sample(self):
        tls = {"client_cert_name": "CN=ada", "client_cert_error": None}
        return BackendSample(
            guide(1)["Certificates"](),
            subject="CN=ada",
            good=[],
            more={"extensions": {"tls": tls}},
        )


exec(
    compile(
        "\n".join(
            re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)[2:]
        ),
        str(GUIDE),
        "exec",
    )
)


# ------------------------------------------------------------- what the contract sees


class Kept:
    """A good backend to begin with."""

    name, sources, challenges = "kept", (BearerHeader(),), (Challenge(),)

    async def authenticate(self, credential, scope):
        if credential is None:
            return None
        if credential.token != b"good":
            raise InvalidTokenError
        return Principal("ada", backend=self.name, is_authenticated=True)

    def claims(self, credential):
        return True


class Lenient(Kept):
    async def authenticate(self, credential, scope):
        return Principal("ada", backend=self.name, is_authenticated=True)


class AlwaysThere(Lenient):
    sources = (BearerHeader(), WholeScope())


class Crashing(Kept):
    async def authenticate(self, credential, scope):
        credential.token.decode("ascii")
        return await super().authenticate(credential, scope)


class Misnamed(Kept):
    async def authenticate(self, credential, scope):
        found = await super().authenticate(credential, scope)
        return found and Principal("ada", backend="other", is_authenticated=True)


class Silent(Kept):
    claims = None


class Hasty(Kept):
    def recognise(self, token, source):
        return Principal("eve", backend=self.name, is_authenticated=True)

    async def authenticate(self, credential, scope):
        return await super().authenticate(credential, scope)


class Unending(Kept):
    pass


FAULTS = {
    Lenient: "test_a_bad_caller_is_refused_with_a_challenge",
    AlwaysThere: "test_nobody_is_nobody",
    Crashing: "test_junk_is_refused_and_breaks_nothing",
    Misnamed: "test_a_good_caller_is_known",
    Hasty: "test_a_quicker_way_says_what_the_long_way_says",
}


def sample_of(kind, **more):
    good, bad = authorization("good"), [authorization("another-one")]
    return BackendSample(kind(), subject="ada", good=good, bad=bad, **more)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.anyio
async def test_what_breaks_the_contract_is_seen(kind, caplog):
    sample = sample_of(kind)
    for case, test in ((Kept, FAULTS[kind]), (kind, FAULTS[kind])):
        sample = sample_of(case)
        values = {"sample": sample, "backend": sample.backend, "caplog": caplog}
        method = getattr(BackendContract(), test)
        taken = method.__code__.co_varnames[1 : method.__code__.co_argcount]
        run = method(**{name: values[name] for name in taken})
        if case is Kept:
            await run
        else:
            with pytest.raises((AssertionError, UnicodeDecodeError)):
                await run


@pytest.mark.anyio
async def test_a_socket_that_goes_on_is_seen(monkeypatch):
    from asgi_auth.testing import backend_contract

    monkeypatch.setattr(backend_contract, "_PATIENCE", 0.2)
    sample = sample_of(Unending, revoke=lambda: asyncio.sleep(0))
    with pytest.raises(TimeoutError):
        await BackendContract().test_a_socket_ends_with_what_it_rests_on(
            sample, sample.backend
        )


@pytest.mark.anyio
async def test_a_backend_that_claims_nothing_is_seen():
    class Mute:
        name, sources, challenges = "mute", (BearerHeader(),), (Challenge(),)
        authenticate = Kept.authenticate

    with pytest.raises(AssertionError, match="no claims"):
        await BackendContract().test_it_has_four_members(sample_of(Mute))
