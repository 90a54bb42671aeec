"""What every store of second factors must do, as tests to run on a store of your own.

They know nothing about how it keeps things, and do not test its outages. They need
pytest and asyncio.
"""

# ruff: noqa: S101  (These are tests: their names are sentences.)

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from asgi_auth.factors import FactorRecord, FactorStore, StaleFactorError
from asgi_auth.testing._samples import HOSTILE, T, unique

__all__ = ["FactorStoreContract"]


@pytest.mark.anyio
class FactorRules:
    """What is put, replaced and removed."""

    async def test_what_is_put_is_found_whole(
        self, store: FactorStore, peer: FactorStore
    ) -> None:
        subject = unique("subject")
        data = {"secret": "a.b", "step": 58_823_529, "tags": [{"x": None}, "\0\ud800✓"]}
        record = FactorRecord(
            subject=subject, kind="totp", since=T, used_at=T + 0.25, data=data
        )
        stored = await store.put(record)
        assert stored == replace(record, version=1)
        assert list(await peer.find(subject)) == [stored]

    async def test_a_user_has_one_record_of_each_kind(self, store: FactorStore) -> None:
        one, two = _record(), _record(kind="recovery")
        for record in (one, replace(two, subject=one.subject), two):
            await store.put(record)

        kinds = sorted(record.kind for record in await store.find(one.subject))
        assert kinds == ["recovery", "totp"]
        with pytest.raises(StaleFactorError):
            await store.put(one)

    async def test_only_the_present_version_is_replaced(
        self, store: FactorStore, peer: FactorStore
    ) -> None:
        first = await store.put(_record())
        second = await peer.put(replace(first, data={"step": 2}))
        assert second.version == first.version + 1
        for stale in (first, replace(second, version=0), replace(second, version=9)):
            with pytest.raises(StaleFactorError):
                await store.put(stale)

        assert list(await store.find(first.subject)) == [second]

    async def test_what_is_not_there_is_not_replaced(self, store: FactorStore) -> None:
        record = replace(_record(), version=1)
        with pytest.raises(StaleFactorError):
            await store.put(record)

        assert list(await store.find(record.subject)) == []

    async def test_of_fifty_racing_changes_one_wins(
        self, store: FactorStore, peer: FactorStore
    ) -> None:
        for record in (new := _record(), await store.put(_record())):
            answers = await asyncio.gather(
                *(
                    one.put(replace(record, data={"step": step}))
                    for step, one in enumerate([store, peer] * 25)
                ),
                return_exceptions=True,
            )
            won = [answer for answer in answers if isinstance(answer, FactorRecord)]
            lost = [each for each in answers if isinstance(each, StaleFactorError)]
            assert (len(won), len(lost)) == (1, 49)
            assert list(await peer.find(record.subject)) == won

        assert new.version == 0

    async def test_one_kind_is_removed_or_all(
        self, store: FactorStore, peer: FactorStore
    ) -> None:
        totp = await store.put(_record())
        codes = await store.put(replace(_record(kind="recovery"), subject=totp.subject))
        other = await store.put(_record())
        await store.remove(totp.subject, "email")
        await store.remove(totp.subject, "totp")
        assert list(await peer.find(totp.subject)) == [codes]
        await store.put(replace(totp, version=0))
        await peer.remove(totp.subject)
        await peer.remove(totp.subject)
        assert list(await store.find(totp.subject)) == []
        assert list(await store.find(other.subject)) == [other]

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_hostile_subjects_have_nothing(
        self, store: FactorStore, text: str
    ) -> None:
        subject = text + unique("subject")
        assert list(await store.find(subject)) == []
        await store.remove(subject)


class FactorStoreContract(FactorRules):
    """Subclass it, and give it a fixture ``store``.

    .. code-block:: python

        class TestMyFactors(FactorStoreContract):
            @pytest.fixture
            async def store(self):
                return MyFactors()

            @pytest.fixture
            async def peer(self, store):
                return MyFactors()

    ``store`` may be shared by the tests. ``peer`` is a second object over the same
    data, as another process has it; without the fixture it is the same object.
    """

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio."""
        return "asyncio"

    @pytest.fixture
    async def peer(self, store: FactorStore) -> FactorStore:
        """Stand in where a store has no second object over the same data."""
        return store


def _record(kind: str = "totp") -> FactorRecord:
    return FactorRecord(
        subject=unique("subject"),
        kind=kind,  # type: ignore[arg-type]
        since=T,
        data={"step": 1},
    )
