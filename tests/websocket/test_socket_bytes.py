"""An open socket holds little: what it takes is counted, whatever the server."""

from __future__ import annotations

import pytest

from benchmarks.socket_bytes import bytes_of_a_socket

pytestmark = pytest.mark.anyio

SOCKETS = 200
# Above the application's own, with what is remembered of its token.
MOST = 6 * 1024


async def test_an_open_socket_takes_at_most_6_kb():
    sizes = await bytes_of_a_socket(SOCKETS)
    assert sizes.keys() == {"guarded", "in a room"}
    # Something was counted, and the room is not for nothing.
    assert 500 < sizes["guarded"] < sizes["in a room"] <= MOST
