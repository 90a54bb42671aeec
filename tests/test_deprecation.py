from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import warnings

import pytest

from asgi_auth import KeySet, TokenService
from asgi_auth._deprecation import deprecated, renamed
from asgi_auth._lazy import lazily

TEXT = r"old\(\) is deprecated since asgi-auth 0.3: use new\(\)\."


class Thing:
    @deprecated(since="0.3", use="new()")
    def old(self, number: int, *, of: str = "x") -> str:
        """Do it."""
        return of * number

    @deprecated(since="0.3", use="new()")
    async def old_async(self) -> int:
        return 7

    @classmethod
    @deprecated(since="0.3", use="new()")
    def made(cls) -> type:
        return cls


def test_an_old_method_still_works_and_says_what_to_use():
    with pytest.warns(DeprecationWarning, match=TEXT) as caught:
        assert Thing().old(2, of="ab") == "abab"

    assert [warning.filename for warning in caught] == [__file__]


def test_it_looks_as_before():
    assert Thing.old.__doc__ == "Do it."
    assert [*inspect.signature(Thing.old).parameters] == ["self", "number", "of"]
    with pytest.warns(DeprecationWarning, match="made"):
        assert Thing.made() is Thing


def test_an_old_coroutine_warns_where_it_is_awaited():
    async def ask():
        return await Thing().old_async()

    assert inspect.iscoroutinefunction(Thing.old_async)
    with pytest.warns(DeprecationWarning, match="old_async") as caught:
        assert asyncio.run(ask()) == 7

    assert [warning.filename for warning in caught] == [__file__]


def test_an_old_name_gives_the_new_thing():
    give = renamed("asgi_auth", {"Keys": "asgi_auth.keys.KeySet"}, since="0.3")

    with pytest.warns(DeprecationWarning, match="use asgi_auth.keys.KeySet") as caught:
        assert give("Keys") is KeySet

    assert [warning.filename for warning in caught] == [__file__]
    with pytest.raises(AttributeError, match="'asgi_auth' has no attribute 'Key5'"):
        give("Key5")


def test_all_other_names_are_given_as_before():
    lazy = lazily("asgi_auth.sessions", {"service": "TokenService"})
    give = renamed("asgi_auth.sessions", {}, since="0.3", otherwise=lazy)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert give("TokenService") is TokenService

    with pytest.raises(AttributeError, match=r"'asgi_auth\.sessions' has no attribute"):
        give("TokenServant")


def test_each_place_is_warned_once():
    program = (
        "from asgi_auth._deprecation import deprecated\n"
        "@deprecated(since='0.3', use='new()')\n"
        "def old(): pass\n"
        "for _ in range(3):\n"
        "    old()\n"
        "old()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stderr.count("use new()") == 2
