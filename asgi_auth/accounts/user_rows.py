"""Read and write the rows of an application's users, in sessions of its own.

It knows no column. What it raises never quotes a row: neither the text of an error nor
what the error came from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

from asgi_auth._drivers.sql import sa
from asgi_auth._drivers.sql_sessions import session_fault, warn_of_values
from asgi_auth.accounts.row_faults import row_fault

__all__ = ["Sessions", "UserRows"]

Model = TypeVar("Model")
_T = TypeVar("_T")

Sessions = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens an ``AsyncSession``: an ``async_sessionmaker``."""

_Work = Callable[[Any], Awaitable[_T]]


class UserRows(Generic[Model]):
    """The rows of one model.

    Args:
        model: The class of users.
        sessions: Opens sessions of the application.
    """

    __slots__ = ("_is_looked_at", "_model", "_sessions")

    def __init__(self, model: type[Model], sessions: Sessions) -> None:
        self._model = model
        self._sessions = sessions
        self._is_looked_at = False

    async def read(self, statement: Any) -> Sequence[Model]:
        """Return the users that a statement selects, detached from their session.

        Raises:
            UnavailableError: The database is down.
            ConfigurationError: It lacks a table or a column, or refuses the statement.
        """

        async def work(session: Any) -> Sequence[Model]:
            result = await session.execute(statement)
            users: Sequence[Model] = result.unique().scalars().all()
            session.expunge_all()
            return users

        return await self._run(work, lambda _: None)

    async def ping(self, names: Iterable[str]) -> None:
        """Ask for all that is loaded of a user, and for some columns, but for no row.

        Args:
            names: Of attributes, which may be loaded later than the others.

        Raises:
            UnavailableError: The database is down.
            ConfigurationError: It lacks the table or a column.
        """
        columns = [getattr(self._model, name) for name in names]
        await self.read(sa.select(self._model, *columns).where(sa.false()))

    async def write(self, work: _Work[_T], *, is_callers: bool = False) -> _T:
        """Run *work* in a session, commit, and return what it returns.

        Args:
            work: Gets the session.
            is_callers: Values of the row are what a caller has sent.

        Raises:
            UnavailableError: The database is down.
            DuplicateAccountError: The row is there already.
            InvalidFieldError: A value of the caller does not fit.
            ConfigurationError: Anything else is wrong with the table, or the row.
        """

        async def committed(session: Any) -> _T:
            result = await work(session)
            await session.commit()
            return result

        name = self._model.__name__
        return await self._run(
            committed, lambda error: row_fault(error, name, is_callers=is_callers)
        )

    async def _run(
        self, work: _Work[_T], fault_of_row: Callable[[Exception], Exception | None]
    ) -> _T:
        session: Any = None
        try:
            async with self._sessions() as session:
                self._look_at(session)
                return await work(session)
        except (
            OSError,
            OverflowError,
            UnicodeEncodeError,
            sa.exc.SQLAlchemyError,
        ) as error:
            fault = fault_of_row(error) or session_fault(error, session, self._model)
            if fault is None:
                raise

        # Out here: what the driver says quotes the row.
        raise fault

    def _look_at(self, session: Any) -> None:
        """See once what the engine logs: it is known by its sessions only."""
        if not self._is_looked_at:
            self._is_looked_at = True
            warn_of_values(session, self._model)
