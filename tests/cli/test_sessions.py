from __future__ import annotations

import json
import time

import anyio
import pytest

from asgi_auth import (
    Device,
    KeySet,
    RevocationList,
    RevokedTokenError,
    TokenService,
)
from asgi_auth.backends import TrustedIssuer
from asgi_auth.cli.main import main
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from asgi_auth.tokens.codec import Codec
from tests.stores.valkey import valkey_server

ISSUER = "https://api.example"


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "valkey"])
async def store_url(request, tmp_path):
    if request.param == "valkey":
        server = request.getfixturevalue("valkey")
        with server.client() as client:
            client.flushall()

        return server.url

    url = f"sqlite:///{tmp_path}/app.db"
    store = SQLStore(url)
    await store.create_schema()
    await store.aclose()
    return url


@pytest.fixture
async def tokens(store_url):
    kind = SQLStore if store_url.startswith("sqlite") else RedisStore
    store = kind(store_url)
    service = TokenService(KeySet.generate(), store=store, issuer=ISSUER)
    yield service
    await service.aclose()
    await store.aclose()


@pytest.fixture
def run(store_url, capsys):
    async def run(*arguments):
        more = ["--store", store_url, "--issuer", ISSUER]
        status = await anyio.to_thread.run_sync(
            lambda: main(["sessions", *arguments, *more])
        )
        return status, *capsys.readouterr()

    return run


async def test_sessions_are_listed_with_their_devices(tokens, run):
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    device = Device(label="phone", ip="192.0.2.1", user_agent=agent)
    await tokens.issue("bob", device=Device(user_agent="\x1b[2JBrowser"))
    assert "\x1b" not in (await run("list", "bob"))[1]
    await tokens.issue("ada", device=device)
    await tokens.issue("ada")
    status, out, err = await run("list", "ada")

    lines = out.splitlines()
    assert status == 0
    assert len(lines) == 3
    assert lines[0].split() == [
        "WHOSE", "USED", "ENDS", "DEVICE", "ADDRESS", "SESSION"
    ]  # fmt: skip
    assert lines[1].startswith("ada")
    assert "phone / Firefox on Linux" in lines[1]
    assert "192.0.2.1" in lines[1]
    assert "\x1b" not in out
    assert "in 6 d" in lines[2]
    assert "unknown" in lines[2]
    assert err == "2 sessions.\n"


async def test_a_long_list_is_shown_page_by_page(tokens, run):
    for _ in range(3):
        await tokens.issue("ada")
    _, first, err = await run("list", "ada", "--limit", "2")
    place = err.partition("--after '")[2].partition("'")[0]
    _, rest, err = await run("list", "ada", "--limit", "2", "--after", place)

    shown, others = ({*page.splitlines()[1:]} for page in (first, rest))
    assert (len(shown), len(others)) == (2, 1)
    assert not shown & others
    assert err == "1 session.\n"


async def test_a_page_that_cannot_be_is_refused(run):
    status, _, err = await run("list", "ada", "--limit", "0")
    assert (status, "1 to 1000" in err) == (2, True)


def test_a_place_that_cannot_be_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["sessions", "list", "ada", "--store", "sqlite:///x.db", "--after", "x"])
    assert "place of a session" in capsys.readouterr().err


async def test_sessions_are_listed_as_json(tokens, run):
    pair = await tokens.issue("ada", device=Device(label="phone"))
    _, out, _ = await run("list", "ada", "--json")

    told = json.loads(out)
    assert [session["device"]["label"] for session in told] == ["phone"]
    assert told[0]["refreshes"] == 0
    assert pair.refresh_token not in out


async def test_one_session_is_revoked_and_the_application_hears_of_it(tokens, run):
    lost, kept = await tokens.issue("ada"), await tokens.issue("ada")
    await tokens.verify(lost.access_token)
    sid = (await tokens.sessions("ada"))[0].sid
    status, _, err = await run("revoke", "--session", sid)

    assert status == 0
    assert "within a second" in err
    with anyio.fail_after(30):
        while True:
            try:
                await tokens.verify(lost.access_token)
            except RevokedTokenError:
                break
            await anyio.sleep(0.05)

    await tokens.verify(kept.access_token)
    assert len(await tokens.sessions("ada")) == 1


async def test_all_of_a_subject_and_everything_are_revoked(tokens, run):
    await tokens.issue("ada")
    pair = await tokens.issue("bob")
    assert (await run("revoke", "--subject", "ada"))[0] == 0
    assert await tokens.sessions("ada") == []
    assert len(await tokens.sessions("bob")) == 1

    assert (await run("revoke", "--all"))[0] == 0
    with pytest.raises(RevokedTokenError):
        await tokens.refresh(pair.refresh_token)


async def test_what_was_revoked_is_told_as_json(tokens, run):
    await tokens.issue("ada")
    _, out, _ = await run("revoke", "--subject", "ada", "--json")

    assert json.loads(out) == {
        "issuer": ISSUER,
        "session": None,
        "subject": "ada",
        "all": False,
    }
    assert await tokens.sessions("ada") == []


def test_what_to_revoke_must_be_said(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["sessions", "revoke", "--store", "sqlite:///x.db"])

    assert stopped.value.code == 2
    assert "is required" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["mysql://root:pass-word@host/x", "nonsense", ""])
def test_no_store_is_a_sentence_without_the_url(capsys, url):
    assert main(["sessions", "list", "ada", "--store", url]) == 2

    err = capsys.readouterr().err
    assert "A store is one of" in err
    assert "pass-word" not in err


def test_an_outage_is_status_2(capsys, free_port):
    url = f"redis://:pass-word@127.0.0.1:{free_port}"
    assert main(["sessions", "list", "ada", "--store", url]) == 2
    assert "pass-word" not in capsys.readouterr().err


def test_an_empty_issuer_is_a_wrong_call(tmp_path):
    url = f"sqlite:///{tmp_path}/app.db"
    arguments = ["sessions", "list", "ada", "--store", url, "--issuer", ""]
    assert main(arguments) == 2


async def test_the_tokens_of_another_issuers_user_are_revoked_with_their_sessions(
    store_url, run
):
    kind = SQLStore if store_url.startswith("sqlite") else RedisStore
    store = kind(store_url)
    revocations = RevocationList(store)
    keys, now = KeySet.generate(), time.time()
    trusted = TrustedIssuer(ISSUER, audience="api", keys=keys, revocations=revocations)
    claims = {"iss": ISSUER, "aud": "api", "iat": now - 1, "exp": now + 60}
    token, other = (
        Codec(keys)
        .encode({**claims, "sub": sub, "sid": f"of {sub}"}, typ="JWT")
        .encode()
        for sub in ("ada", "bob")
    )
    await trusted.admit(token)
    assert (await run("revoke", "--subject", "ada"))[0] == 0
    await revocations.read()
    with pytest.raises(RevokedTokenError):
        await trusted.admit(token)
    await trusted.admit(other)
    await revocations.aclose()
    await store.aclose()
