"""Which tests of a whole run come first, and which one process runs in a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from zlib import adler32

import pytest

# They take seconds each, the longest first; all others are as long as they have tests.
# What begins last decides when the run ends.
LONGEST: Final = (
    "tests/servers 0",
    "tests/browser 0",
    "tests/browser 1",
    "tests/browser 2",
    "tests/sessions/test_processes.py",
    "tests/docs/test_questions.py",
    "tests/cli/test_demo_serve.py",
    "tests/docs/test_tutorials.py",
    "tests/routes/test_openapi.py",
    "tests/advisories/test_root_path.py",
    "tests/stores/test_redis_faults.py",
    "tests/revocation/test_table.py",
    "tests/stores/test_sql_outages.py",
    "tests/websocket/test_fanout.py",
    "tests/stores/test_sql_postgres.py",
    "tests/stores/test_sql.py",
    "tests/stores/test_redis_real.py",
    "tests/stores/test_overload.py",
    "tests/cli/test_demo.py",
    "tests/stores/test_sql_concurrency.py",
    "tests/stores/test_redis_cluster.py",
    "tests/stores/test_once.py",
    "tests/stores/test_tickets.py",
    "tests/websocket/test_scale.py",
    "tests/stores/test_growth.py",
    "tests/websocket/test_servers.py",
    "tests/sessions/test_outages.py",
    "tests/tokens/test_differential.py",
    "tests/routes/test_life.py",
    "tests/seeds/test_chat.py",
    "tests/testing/test_plugin.py",
    "tests/docs/test_first_app.py",
    "tests/websocket/test_socket_bytes.py",
    "tests/docs/test_examples.py",
)


# Folders whose tests share a browser or servers, and in how many parts they are given.
SHARED: Final = {"tests/browser": 3, "tests/servers": 1}


def is_alone(item: pytest.Item) -> bool:
    """Return whether a test is to have the machine for itself."""
    return item.get_closest_marker("alone") is not None


def in_units(items: Iterable[pytest.Item]) -> list[list[pytest.Item]]:
    """Divide tests into what one process runs in a row: the longest first."""
    units: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        units[_unit_of(item.nodeid)].append(item)

    ranks = {name: rank for rank, name in enumerate(LONGEST)}

    def order(name: str) -> tuple[int, int]:
        return ranks.get(name, len(ranks)), -len(units[name])

    return [units[name] for name in sorted(units, key=order)]


def _unit_of(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    folder, _, _ = file.rpartition("/")
    if folder not in SHARED:
        return file

    return f"{folder} {adler32(file.encode()) % SHARED[folder]}"
