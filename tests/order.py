"""Which file of tests a process of a whole run takes next."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final
from zlib import adler32

from xdist.scheduler import LoadFileScheduling

# They take seconds each, the longest first; all others are as long as they have tests.
# What begins last decides when the run ends. A name that is no longer there is passed
# over.
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
    "tests/test_turns.py",
    "tests/testing/test_plugin.py",
    "tests/docs/test_first_app.py",
    "tests/websocket/test_socket_bytes.py",
    "tests/docs/test_examples.py",
)


# Folders whose tests share a browser or servers, and in how many parts they are given.
SHARED: Final = {"tests/browser": 3, "tests/servers": 1}


ALONE: Final = "alone"
_MARKED: Final = re.compile(
    r"^@pytest\.mark\.alone\n(?:@.*\n)*(?:async )?def (\w+)"
    r"|^(pytestmark) = .*\bpytest\.mark\.alone\b",
    re.MULTILINE,
)


def is_alone_by_name(nodeid: str) -> bool:
    """Return whether a test is marked ``alone``, for who has nothing but its name."""
    file, _, test = nodeid.partition("::")
    names = _alone_in(Path(__file__).parents[1] / file)
    return "pytestmark" in names or test.partition("[")[0] in names


@cache
def _alone_in(file: Path) -> frozenset[str]:
    found = _MARKED.findall(file.read_text("utf-8"))
    return frozenset(name for pair in found for name in pair if name)


class LongestFirst(LoadFileScheduling):
    """Gives each process a file at a time, or those that share what they start."""

    def schedule(self) -> None:
        """Begin; where all have said which tests they have, it is asked for places."""
        for node, tests in self.registered_collections.items():
            self.registered_collections[node] = Places(tests)
        super().schedule()

    def mark_test_complete(
        self, node: Any, item_index: int, duration: float = 0
    ) -> None:
        """Note the end of a test, and forget a file that is done."""
        super().mark_test_complete(node, item_index, duration)
        # At each event it counts what is left, in all files that a process was given.
        given = self.assigned_work[node]
        file = self._split_scope(self.registered_collections[node][item_index])
        if all(given[file].values()):
            del given[file]

    def _split_scope(self, nodeid: str) -> str:
        """Return the file of a test, or what else one process runs in a row."""
        if is_alone_by_name(nodeid):
            return ALONE

        file = super()._split_scope(nodeid)
        folder, _, _ = file.rpartition("/")
        if folder not in SHARED:
            return file

        return f"{folder} {adler32(file.encode()) % SHARED[folder]}"

    def _assign_work_unit(self, node: Any) -> None:
        # All others have to stop for these: once, when little is left to stop.
        if ALONE in self.workqueue:
            self.workqueue.move_to_end(ALONE)
        longest = next((file for file in LONGEST if file in self.workqueue), None)
        if longest is not None:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)


class Places(list[str]):
    """Tests in their order, with the place of each: a list would search for it."""

    def __init__(self, tests: list[str]) -> None:
        super().__init__(tests)
        self._places = {test: place for place, test in enumerate(tests)}

    def index(self, test: str) -> int:
        return self._places[test]
