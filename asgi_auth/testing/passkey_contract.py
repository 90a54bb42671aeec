"""What every store of passkeys must do, as tests to run on a store of your own.

They know nothing about how it keeps things, and do not test its outages. They need
pytest and asyncio.
"""

# ruff: noqa: S101  (These are tests: their names are sentences.)

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from asgi_auth.passkeys import DuplicatePasskeyError, Passkey, PasskeyStore
from asgi_auth.testing._samples import HOSTILE, T, unique

__all__ = ["PasskeyStoreContract"]


def _passkey(**facts: object) -> Passkey:
    return replace(
        Passkey(
            id=unique("passkey"),
            subject=unique("user"),
            handle="aGFuZGxl",
            public_key=bytes(range(77)),
            sign_count=5,
            name="Key ring \u2713 \0 \ud800",
            aaguid="00000000-0000-0000-0000-000000000000",
            transports=("usb", "nfc"),
            created_at=T,
        ),
        **facts,  # type: ignore[arg-type]
    )


@pytest.mark.anyio
class _Verbs:
    """What is tried, with each verb."""

    async def test_what_is_added_is_found_whole(self, passkeys: PasskeyStore) -> None:
        passkey = _passkey(is_synced=True, is_backed_up=True)
        await passkeys.add(passkey)
        assert await passkeys.find(passkey.id) == passkey
        assert await passkeys.list(passkey.subject) == [passkey]
        assert await passkeys.find(unique("passkey")) is None
        assert list(await passkeys.list(unique("user"))) == []

    async def test_an_id_is_taken_once(self, passkeys: PasskeyStore) -> None:
        passkey = _passkey()
        calls = [
            passkeys.add(replace(passkey, subject=f"{passkey.subject}-{number}"))
            for number in range(20)
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers.count(None) == 1
        refusals = [answer for answer in answers if answer is not None]
        assert {type(refusal) for refusal in refusals} == {DuplicatePasskeyError}

    async def test_they_are_listed_by_age(self, passkeys: PasskeyStore) -> None:
        subject = unique("user")
        ages = [_passkey(subject=subject, created_at=T + n) for n in (2, 0, 1)]
        for each in ages:
            await passkeys.add(each)
        names = [each.id for each in await passkeys.list(subject)]
        assert names == [ages[1].id, ages[2].id, ages[0].id]

    async def test_a_higher_counter_is_written(self, passkeys: PasskeyStore) -> None:
        passkey = _passkey()
        await passkeys.add(passkey)
        used = await passkeys.use(passkey.id, sign_count=6, is_backed_up=True, at=T + 9)
        assert used is True
        expected = replace(passkey, sign_count=6, is_backed_up=True, last_used_at=T + 9)
        assert await passkeys.find(passkey.id) == expected

    @pytest.mark.parametrize("count", [0, 4, 5])
    async def test_a_counter_that_does_not_rise_changes_nothing(
        self, passkeys: PasskeyStore, count: int
    ) -> None:
        passkey = _passkey()
        await passkeys.add(passkey)
        facts = {"sign_count": count, "is_backed_up": True, "at": T + 9}
        assert await passkeys.use(passkey.id, **facts) is False  # type: ignore[arg-type]
        assert await passkeys.find(passkey.id) == passkey

    async def test_who_has_no_counter_is_passed(self, passkeys: PasskeyStore) -> None:
        passkey = _passkey(sign_count=0)
        await passkeys.add(passkey)
        for _ in range(2):
            assert await passkeys.use(
                passkey.id, sign_count=0, is_backed_up=False, at=T + 1
            )

    async def test_any_counter_is_written_down_where_that_is_asked_for(
        self, passkeys: PasskeyStore
    ) -> None:
        passkey = _passkey()
        await passkeys.add(passkey)
        facts = {"sign_count": 3, "is_backed_up": True, "at": T - 9, "any_count": True}
        assert await passkeys.use(passkey.id, **facts) is True  # type: ignore[arg-type]
        found = await passkeys.find(passkey.id)
        # The highest stays: what the other authenticator shows next is not new.
        assert found == replace(passkey, is_backed_up=True, last_used_at=T - 9)
        unknown = unique("passkey")
        assert await passkeys.use(unknown, **facts) is False  # type: ignore[arg-type]

    async def test_the_latest_use_stays(self, passkeys: PasskeyStore) -> None:
        passkey = _passkey(sign_count=0, last_used_at=T + 5)
        await passkeys.add(passkey)
        await passkeys.use(passkey.id, sign_count=0, is_backed_up=False, at=T + 1)
        found = await passkeys.find(passkey.id)
        assert found is not None
        assert found.last_used_at == T + 5

    async def test_fifty_racing_uses_of_one_counter_write_one(
        self, passkeys: PasskeyStore
    ) -> None:
        passkey = _passkey()
        await passkeys.add(passkey)
        calls = [
            passkeys.use(passkey.id, sign_count=6, is_backed_up=False, at=T)
            for _ in range(50)
        ]
        assert (await asyncio.gather(*calls)).count(True) == 1

    async def test_only_its_owner_names_it(self, passkeys: PasskeyStore) -> None:
        passkey = _passkey()
        await passkeys.add(passkey)
        name = "\0 \ud800 \u2713"
        assert await passkeys.rename(passkey.id, unique("user"), name) is False
        assert await passkeys.find(passkey.id) == passkey
        assert await passkeys.rename(passkey.id, passkey.subject, name) is True
        assert await passkeys.find(passkey.id) == replace(passkey, name=name)

    async def test_only_its_owner_removes_it(self, passkeys: PasskeyStore) -> None:
        passkey = _passkey()
        await passkeys.add(passkey)
        assert await passkeys.remove(passkey.id, unique("user")) is False
        calls = [passkeys.remove(passkey.id, passkey.subject) for _ in range(10)]
        assert (await asyncio.gather(*calls)).count(True) == 1
        assert await passkeys.find(passkey.id) is None

    async def test_all_of_a_user_are_removed_and_no_others(
        self, passkeys: PasskeyStore
    ) -> None:
        subject, other = unique("user"), _passkey()
        for each in (_passkey(subject=subject), _passkey(subject=subject), other):
            await passkeys.add(each)
        assert await passkeys.remove(None, subject) is True
        assert await passkeys.remove(None, subject) is False
        assert list(await passkeys.list(subject)) == []
        assert await passkeys.find(other.id) == other

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_any_text_may_be_asked_for(
        self, passkeys: PasskeyStore, text: str
    ) -> None:
        text += unique("passkey")
        facts = {"sign_count": 1, "is_backed_up": False, "at": T}
        assert await passkeys.find(text) is None
        assert list(await passkeys.list(text)) == []
        assert await passkeys.use(text, **facts) is False  # type: ignore[arg-type]
        assert await passkeys.rename(text, text, text) is False
        assert await passkeys.remove(text, text) is False
        assert await passkeys.remove(None, text) is False


class PasskeyStoreContract(_Verbs):
    """Subclass it, and give it a fixture ``passkeys``: the store.

    .. code-block:: python

        class TestMyPasskeys(PasskeyStoreContract):
            @pytest.fixture
            async def passkeys(self):
                store = MyPasskeys()
                yield store
                await store.aclose()

    Async tests and fixtures run by the pytest plugin of anyio.
    """

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio."""
        return "asyncio"
