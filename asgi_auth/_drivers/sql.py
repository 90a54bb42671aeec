"""The only door to SQLAlchemy: one database, for every event loop that asks.

It knows no table, and hides no mistake of ours: only an outage becomes an
:class:`~asgi_auth.errors.UnavailableError`. It needs asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from asgi_auth._drivers.calls import observed
from asgi_auth._drivers.outages import Outage
from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._drivers.postgres import connect_arguments, is_pooled, split_url_query
from asgi_auth._drivers.sql_codes import ONLY_READS, POOLER, code_of
from asgi_auth._drivers.sql_faults import fault_of, place_of
from asgi_auth._drivers.sql_life import CONNECTIONS, Life
from asgi_auth._drivers.sql_logging import under_own_name, without_rows
from asgi_auth._drivers.sql_pool import probe_idle
from asgi_auth._drivers.sql_urls import check_dialect, check_driver, read_url
from asgi_auth._drivers.sqlite import open_connection
from asgi_auth._drivers.statement_task import StatementTask
from asgi_auth._logs import package_logger
from asgi_auth.errors import MissingExtraError, UnavailableError

_INSTALLED = True
try:
    import greenlet  # noqa: F401  (SQLAlchemy would miss it at the first query only)
    import sqlalchemy as sa
    from sqlalchemy.dialects.postgresql import JSONB
    from sqlalchemy.dialects.postgresql import insert as postgres_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
    from sqlalchemy.schema import CreateIndex, CreateTable
except ImportError:
    _INSTALLED = False
    if not TYPE_CHECKING:
        sa = JSONB = AsyncConnection = AsyncEngine = None  # type: ignore[misc]

__all__ = ["JSONB", "AsyncEngine", "Database", "insert_for", "sa"]

_logger = package_logger(__name__)

_T = TypeVar("_T")
_Work = Callable[["AsyncConnection"], Awaitable[_T]]

# A verb answers within 3 seconds. SQLite and asyncpg give up first and by themselves,
# which leaves their connection usable; then we give up; then we no longer wait.
_DRIVER_TIMEOUT = 2.0
_VERB_TIMEOUT = 2.2
_CLEAN_UP = 0.3
_DEADLINE = 2.8


class Database:
    """A database, by URL or as an engine.

    By URL each event loop has a pool of connections of its own, made at the first use
    and closed when the loop shuts down. Statements run by themselves (autocommit):
    what must be atomic is one statement.

    Args:
        source: ``sqlite:///file`` or ``postgresql://...``, or an engine, which is used
            as it is and belongs to one event loop.
        owner: Who asks, for the sentences of errors.
        schema: Where its tables are to be, if not where the server puts them.

    Raises:
        ConfigurationError: It is neither SQLite nor PostgreSQL, or not asynchronous.
        MissingExtraError: SQLAlchemy or the driver is not installed.
    """

    def __init__(
        self,
        source: str | sa.URL | AsyncEngine,
        *,
        owner: str = "SQLStore",
        schema: str | None = None,
    ) -> None:
        if not _INSTALLED:
            msg = f'{owner} needs SQLAlchemy: python -m pip install "asgi-auth[sql]"'
            raise MissingExtraError(msg)

        self._foreign = source if isinstance(source, AsyncEngine) else None
        self.url: sa.URL = (
            source.url
            if isinstance(source, AsyncEngine)
            else read_url(sa, source, owner)
        )
        self.dialect: str = self.url.get_backend_name()
        check_dialect(self.dialect, owner, schema)
        self.outage: Outage = Outage("store", place_of(self.url))
        self._pooled = False
        # For a driver of our own choice; None where the user has made the engine.
        self._arguments: dict[str, Any] | None = None
        if self._foreign is None:
            check_driver(sa, self.url)
            if self.dialect == "postgresql":
                self._read_query()

        self._lives = PerLoop(self._live, self._end)

    def __repr__(self) -> str:
        """Show where it is, without the password."""
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    async def fetch(
        self,
        statement: sa.Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        write: bool = False,
        urgent: bool = False,
    ) -> Sequence[sa.Row[Any]]:
        """Run one statement by itself and return its rows, if it has any.

        Args:
            statement: What to run; it is committed when it is done.
            parameters: Its bound values.
            write: It changes something: writers of a SQLite file queue up here.
            urgent: It goes before all that wait for a connection.

        Raises:
            UnavailableError: The database is down, locked or slow, or too many wait.
        """

        async def work(connection: AsyncConnection) -> Sequence[sa.Row[Any]]:
            result = await connection.execute(statement, parameters)
            rows = result.all() if result.returns_rows else ()
            if self._pooled:
                await connection.commit()

            return rows

        verb = str(getattr(statement, "__visit_name__", "statement")).upper()
        with observed(self.dialect, verb, self.outage.place):
            return await self._run(work, write=write, urgent=urgent)

    async def create(self, metadata: sa.MetaData) -> None:
        """Make the tables and indexes that are not there yet.

        Raises:
            UnavailableError: The database is down, locked or slow.
        """

        async def work(connection: AsyncConnection) -> None:
            if self.dialect == "postgresql":
                await _lock_schema(connection)

            for table in metadata.sorted_tables:
                await connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    await connection.execute(CreateIndex(index, if_not_exists=True))

            await connection.commit()

        await self._run(work, write=True)

    async def aclose(self) -> None:
        """Close the running loop's connections; a given engine is its owner's."""
        await self._lives.aclose()

    async def _run(self, work: _Work[_T], *, write: bool, urgent: bool = False) -> _T:
        life = await self._lives.get()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _DEADLINE
        # Who is cancelled while they wait leaves no work behind; what has begun keeps
        # its place until its end, whoever still waits for it.
        gate = life.writing if write else life.reading
        await gate.enter(urgent=urgent)
        verb = StatementTask(self._attempt(life, work), loop=loop)
        life.verbs.add(verb)
        verb.add_done_callback(life.forget)
        verb.add_done_callback(lambda _: gate.leave())
        if self.dialect != "sqlite":
            timer = loop.call_later(_VERB_TIMEOUT, verb.expire)
            verb.add_done_callback(lambda _: timer.cancel())

        # A driver that cleans up slowly after an outage does not hold anybody up.
        limit = min(_VERB_TIMEOUT + _CLEAN_UP, deadline - loop.time())
        await asyncio.wait({verb}, timeout=limit)
        if verb.done() and not verb.cancelled():
            return verb.result()

        cause = f"there was no answer within {_VERB_TIMEOUT:g} seconds"
        self.outage.down(cause)
        msg = f"{self.outage.place}: {cause}"
        raise UnavailableError(msg)

    async def _attempt(self, life: Life, work: _Work[_T]) -> _T:
        engine = life.engine
        try:
            connection = await engine.connect()
            # Not "async with": that closes in a task which can be cancelled.
            try:
                result = await work(connection)
            except Exception as error:
                if code_of(error).startswith(ONLY_READS):
                    await connection.invalidate()

                raise
            else:
                self.outage.up()
                return result
            finally:
                await connection.close()
        except Exception as error:
            if code_of(error) in POOLER and self._arguments is not None:
                # Nothing was run: the statement was not there under its name.
                await self._adapt_to_pooler(life, engine)
                if engine is not life.engine:
                    return await self._attempt(life, work)

            fault = self._fault_of(error)
            if fault is None:
                raise

            raise fault from error

    def _fault_of(self, error: Exception) -> Exception | None:
        lost = (OSError, sa.exc.TimeoutError, sa.exc.OperationalError)
        fault = fault_of(error, self.outage.place, lost=lost)
        if fault is not None:
            self.outage.down(str(fault).removeprefix(self.outage.place).lstrip(": "))

        return fault

    async def _adapt_to_pooler(self, life: Life, engine: AsyncEngine) -> None:
        if engine is not life.engine or life.is_adapted:
            return

        _logger.warning(
            "a pooler in transaction mode is between us and PostgreSQL: each statement "
            "now takes a transaction; pgbouncer=true in the URL says so from the start"
        )
        self._pooled = life.is_adapted = True
        life.engine = self._postgres_engine()
        await engine.dispose()

    def _read_query(self) -> None:
        """Take from the URL what the driver is to get in another way."""
        self._pooled = is_pooled(self.url.query)
        query, self._arguments = split_url_query(
            self.url.query, self.url.get_driver_name()
        )
        self.url = self.url.set(query=query)

    def _live(self) -> Life:
        if self._foreign is not None:
            engine = self._foreign.execution_options(isolation_level="AUTOCOMMIT")
            # Ours alone: what its owner's statements log, or raise, stays as it is.
            under_own_name(engine)
            kind = Life.of_file if self.dialect == "sqlite" else Life.of_server
            return kind(engine, _places_of(engine))

        if self.dialect == "sqlite":
            return Life.of_file(_sqlite_engine(self.url))

        return Life.of_server(self._postgres_engine(), is_adapted=self._pooled)

    def _postgres_engine(self) -> AsyncEngine:
        driver = self.url.get_driver_name()
        engine = create_async_engine(
            self.url,
            isolation_level="READ COMMITTED" if self._pooled else "AUTOCOMMIT",
            hide_parameters=True,
            logging_name="asgi_auth",
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=not (self._pooled or driver == "asyncpg"),
            pool_use_lifo=True,
            pool_timeout=_DRIVER_TIMEOUT,
            connect_args=connect_arguments(
                driver, _DRIVER_TIMEOUT, self._arguments or {}, pooled=self._pooled
            ),
        )
        if driver == "asyncpg" and not self._pooled:
            probe_idle(engine, sa)

        return without_rows(engine)

    async def _end(self, life: Life) -> None:
        # What a cancelled caller left on its way would give its connection back to a
        # pool that is gone.
        if life.verbs:
            await asyncio.wait([*life.verbs], timeout=_VERB_TIMEOUT + _CLEAN_UP)

        if self._foreign is None:
            await life.engine.dispose()


def insert_for(dialect: str, table: sa.Table) -> Any:
    """Insert in the words of a database, which have ``on_conflict_do_update``."""
    insert = postgres_insert if dialect == "postgresql" else sqlite_insert
    return insert(table)


async def _lock_schema(connection: AsyncConnection) -> None:
    # CREATE TABLE IF NOT EXISTS in two sessions at once is an error on PostgreSQL.
    # Any number will do that is the same in every release.
    await connection.execution_options(isolation_level="READ COMMITTED")
    lock = sa.func.pg_advisory_xact_lock(
        sa.literal(0x617367695F617574, sa.BigInteger())
    )
    await connection.execute(sa.select(lock))


def _places_of(engine: AsyncEngine) -> int:
    """Return how many connections we may use of a pool that is the user's."""
    pool = engine.pool
    return pool.size() if isinstance(pool, sa.QueuePool) else CONNECTIONS


def _sqlite_engine(url: sa.URL) -> AsyncEngine:
    driver: Any = url.get_dialect(_is_async=True).import_dbapi()
    connect = partial(open_connection, driver.aiosqlite.connect, _DRIVER_TIMEOUT)
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        logging_name="asgi_auth",
        # Given back last, taken first: the others need not be opened at all.
        pool_use_lifo=True,
        connect_args={"async_creator_fn": connect},
    )
    return without_rows(engine)
