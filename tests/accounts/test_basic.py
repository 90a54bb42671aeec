from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    ConfigurationError,
    InvalidCredentialsError,
    JWTBackend,
    KeySet,
    TokenService,
)
from asgi_auth.accounts.basic import BasicBackend, read_pair
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.passwords import PasswordHasher
from tests.asgi import Echo, bearer, run

PASSWORD = "pä:ss:wörd with colons"


@dataclass
class User:
    id: int
    password_hash: str
    disabled: bool = False
    roles: tuple[str, ...] = ("editor",)
    scopes: tuple[str, ...] = ("read",)


class Users(AuthManager):
    def __init__(self, hasher, hashed):
        self.hasher = hasher
        self.users = {
            "ada@example.org": User(7, hashed),
            "gone@example.org": User(8, hashed, disabled=True),
        }

    async def get_user_by_email(self, email):
        return self.users.get(email)

    async def get_user_by_id(self, user_id):
        return None


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def manager():
    hasher = PasswordHasher(memory_kib=19 * 1024, passes=2, lanes=1)
    return Users(hasher, await hasher.hash(PASSWORD))


def basic(pair: str | bytes) -> tuple[bytes, bytes]:
    raw = pair.encode() if isinstance(pair, str) else pair
    return b"authorization", b"Basic " + base64.b64encode(raw)


async def ask(backend, header, echo=None):
    app = AuthenticationMiddleware(echo or Echo(), backend, required=True)
    return await run(app, headers=[header] if header else [])


async def test_name_and_password_with_colons_are_good(manager):
    echo = Echo()
    header = basic(f"ada@example.org:{PASSWORD}")
    assert (await ask(BasicBackend(manager), header, echo)).status == 200
    principal = echo.scopes[0]["auth"]
    assert principal.subject == "7"
    assert principal.roles == {"editor"}
    assert principal.scopes == {"authenticated", "read"}
    assert principal.backend == "basic"


@pytest.mark.parametrize("facts", [{"disabled": True}, {"is_active": False}])
async def test_a_disabled_user_is_refused_in_whatever_shape(manager, facts):
    hashed = manager.users["ada@example.org"].password_hash

    class Rows(Users):
        async def get_user_by_email(self, email):
            return {"id": 7, "password_hash": hashed, "roles": "editor", **user}

    header = basic(f"ada@example.org:{PASSWORD}")
    backend = BasicBackend(Rows(manager.hasher, hashed))
    user = facts
    assert (await ask(backend, header)).status == 401
    user = {}
    assert (await ask(backend, header, echo := Echo())).status == 200
    assert echo.scopes[0]["auth"].roles == {"editor"}


async def test_a_user_without_an_id_is_a_mistake(manager):
    hashed = manager.users["ada@example.org"].password_hash

    class Rows(Users):
        async def get_user_by_email(self, email):
            return {"password_hash": hashed}

    header = basic(f"ada@example.org:{PASSWORD}")
    with pytest.raises(ConfigurationError, match="subject="):
        await ask(BasicBackend(Rows(manager.hasher, hashed)), header)


async def test_who_is_not_known_is_challenged(manager):
    answer = await ask(BasicBackend(manager, realm="shop"), None)
    assert answer.status == 401
    challenge = answer.header("www-authenticate")
    assert challenge == 'Basic realm="shop", charset="UTF-8"'


@pytest.mark.parametrize(
    "pair",
    [
        "ada@example.org:wrong",
        "eve@example.org:" + PASSWORD,
        "gone@example.org:" + PASSWORD,
        "ada@example.org:",
        ":",
        ":" + PASSWORD,
        "ada@example.org",
        "ada@example.org:a\x00b",
        "ada@example.org:a\nb",
        b"ada@example.org:p\xe4ss",
        b"\xff\xfe",
        "a" * 5000 + ":b",
    ],
)
async def test_all_else_is_refused_alike(manager, pair):
    answer = await ask(BasicBackend(manager), basic(pair))
    assert answer.status == 401
    assert answer.json()["code"] == "invalid_credentials"
    assert "wrong" not in answer.header("www-authenticate")


@pytest.mark.parametrize(
    "raw", [b"Basic !!!", b"Basic YQ", b"Basic YTpi\xff", b"Basic"]
)
async def test_what_is_no_base64_is_refused(manager, raw):
    answer = await ask(BasicBackend(manager), (b"authorization", raw))
    assert answer.status in {400, 401}


def test_an_error_does_not_quote_what_was_sent():
    with pytest.raises(InvalidCredentialsError) as caught:
        read_pair(base64.b64encode(b"ada:\xffsecret"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("pair", ["a\x00:b", "a:b\n", "a:\x7f", "a:\x85", "ab", ""])
def test_control_characters_and_single_words_are_no_pair(pair):
    with pytest.raises(InvalidCredentialsError):
        read_pair(base64.b64encode(pair.encode()))


def test_a_pair_is_split_at_the_first_colon():
    assert read_pair(base64.b64encode("a:b:ç:".encode())) == ("a", "b:ç:")


async def test_a_chain_offers_both_schemes(manager):
    own = TokenService(KeySet.generate(), issuer="https://us", audience="api")
    chain = BackendChain(JWTBackend(own), BasicBackend(manager))
    header = basic(f"ada@example.org:{PASSWORD}")
    assert (await ask(chain, header)).json()["subject"] == "7"
    assert (await ask(chain, bearer(own.mint("eve")))).json()["subject"] == "eve"
    assert len((await ask(chain, None)).all("www-authenticate")) == 2
    token = own.mint("eve").encode()
    assert (await ask(chain, (b"authorization", b"Basic " + token))).status == 401


async def test_users_may_be_dictionaries_with_a_subject_of_their_own(manager):
    class Rows(Users):
        async def get_user_by_email(self, email):
            user = self.users.get(email)
            return {"id": "r7", "password_hash": user.password_hash} if user else None

    rows = Rows(manager.hasher, manager.users["ada@example.org"].password_hash)
    header = basic(f"ada@example.org:{PASSWORD}")
    assert (await ask(BasicBackend(rows), header)).json()["subject"] == "r7"
    named = BasicBackend(rows, subject=lambda row: row["id"].upper())
    assert (await ask(named, header)).json()["subject"] == "R7"
