"""The users of an application that has a declarative model of SQLAlchemy for them.

It works on the application's own table, in its own sessions; it makes no table and no
column. Needs asyncio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from asgi_auth._drivers.sql import sa
from asgi_auth._drivers.sql_sessions import require
from asgi_auth.accounts.base import Account
from asgi_auth.accounts.columns import UserColumns, as_id, fits, since, text_of, time_of
from asgi_auth.accounts.errors import (
    DuplicateAccountError,
    InvalidEmailError,
    InvalidUsernameError,
    StaleAccountError,
)
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.accounts.row_faults import check_field
from asgi_auth.accounts.user_rows import Sessions, UserRows
from asgi_auth.accounts.users import names_of
from asgi_auth.errors import ConfigurationError

__all__ = ["SQLAlchemyUsers", "UserColumns"]

Model = TypeVar("Model")


class SQLAlchemyUsers(AuthManager[Model], Generic[Model]):
    """An :class:`AuthManager` that can do everything: give it to ``ManagedAccounts``.

    Override :meth:`account_of` to say more about users, for instance scopes.

    Args:
        model: The class of users.
        sessions: Opens sessions: an ``async_sessionmaker`` of the application.
        columns: What the attributes of *model* are called.

    Raises:
        ConfigurationError: The model has no such attribute.
        MissingExtraError: SQLAlchemy is not installed.
    """

    def __init__(
        self,
        model: type[Model],
        sessions: Sessions,
        columns: UserColumns = UserColumns(),
    ) -> None:
        require("SQLAlchemyUsers")
        mapped = self._mapped = sa.inspect(model).columns
        missing = [name for name in columns.names() if name not in mapped]
        if missing or (columns.email is None and columns.username is None):
            lacking = missing[0] if missing else "email or username"
            msg = (
                f"{model.__name__} has no {lacking!r}: say in UserColumns(...) what it "
                "is called, or None where there is no such thing."
            )
            raise ConfigurationError(msg)

        self._model: Any = model
        self._rows: UserRows[Model] = UserRows(model, sessions)
        self._columns = columns
        self.password_attribute: str = columns.password
        self._no_password = None if mapped[columns.password].nullable else "!"
        self.id_type: type[Any] = columns.id_type or mapped[columns.id].type.python_type

    @property
    def has_names(self) -> bool:
        """Whether there is a column, or a look-up of your own, for names."""
        own = type(self).get_user_by_login
        is_ours = own is SQLAlchemyUsers.get_user_by_login
        return not is_ours or self._columns.username is not None

    @property
    def has_addresses(self) -> bool:
        """Whether there is a column, or a look-up of your own, for addresses."""
        own = type(self).get_user_by_email
        is_ours = own is SQLAlchemyUsers.get_user_by_email
        return not is_ours or self._columns.email is not None

    async def ping(self) -> None:
        """See whether the database serves, with all columns: for a readiness probe.

        Raises:
            UnavailableError: It is down.
            ConfigurationError: The table or a column is missing.
        """
        await self._rows.ping(self._columns.names())

    async def get_user_by_email(self, email: str) -> Model | None:
        """Return the user with this address, in whatever case it is written."""
        name = self._columns.email
        if name is None or not email.isprintable():
            return None
        column = getattr(self._model, name)
        return await self._one(sa.func.lower(column) == email.lower())

    async def get_user_by_login(self, login: str) -> Model | None:
        """Return the user with this address, or with exactly this name."""
        name = self._columns.username
        by_email = await self.get_user_by_email(login) if "@" in login else None
        if name is None or not login.isprintable():
            return by_email
        # Asked in any case: else an address that is known would be known sooner.
        by_name = await self._one(getattr(self._model, name) == login)
        return by_name if by_email is None else by_email

    async def get_user_by_id(self, user_id: Any) -> Model | None:
        """Return the user with this id."""
        try:
            return await self._one(self._id == self._bound(user_id))
        except ValueError:
            return None

    def account_of(self, user: Model) -> Account:
        """Return a user as an account, by its columns."""
        columns = self._columns
        roles = set() if columns.roles is None else {*names_of(user, columns.roles)}
        roles |= {role for role, name in columns.flags.items() if getattr(user, name)}
        active = columns.active is None or getattr(user, columns.active)
        return Account(
            id=getattr(user, columns.id),
            email=text_of(user, columns.email) or "",
            username=text_of(user, columns.username),
            password_hash=self.stored_hash(user),
            roles=tuple(sorted(roles)),
            disabled=not active,
            verified_at=time_of(user, columns.verified),
        )

    def knows_verified(self, user: Model) -> bool:
        """Report whether there is a column for it, or an ``account_of`` of your own."""
        is_ours = type(self).account_of is SQLAlchemyUsers.account_of
        return not is_ours or self._columns.verified is not None

    async def add_user(self, account: Account) -> Model:
        """Add a user; further fields of a registration go into columns of their name.

        Raises:
            DuplicateAccountError: The address or the name is taken.
            InvalidFieldError: A further field does not fit its column.
            ConfigurationError: The model has no such column, or one that nobody gives.
        """
        self._check_places(account)
        values = {**self._data_of(account), **self._values_of(account)}
        user: Model = self._model(**values)

        async def work(session: Any) -> Model:
            await self._check_mail(session, account.email)
            session.add(user)
            await session.flush()
            await session.refresh(user)
            session.expunge(user)
            return user

        return await self._rows.write(work, is_callers=bool(account.data))

    async def save_user(self, user: Model, account: Account) -> None:
        """Write what has changed, and nothing else, if the user is as it was read.

        Raises:
            StaleAccountError: Another change was faster.
            DuplicateAccountError: The address is taken.
        """
        model, columns = self._model, self._columns
        user_id, changed = getattr(user, columns.id), self._changed_by(user, account)
        own_columns = (columns.password, columns.email, columns.active)
        same = [
            getattr(model, name).is_not_distinct_from(getattr(user, name))
            for name in own_columns
            if name is not None
        ]
        same_hash = account.password_hash or self._no_password
        statement = (
            sa.update(model)
            .where(self._id == user_id, *same)
            .values(changed or {columns.password: same_hash})
            .returning(self._id)
            .execution_options(synchronize_session=False)
        )

        async def work(session: Any) -> Sequence[Any]:
            if self._columns.email in changed:
                await self._check_mail(session, account.email, but=user_id)

            rows: Sequence[Any] = (await session.execute(statement)).all()
            return rows

        if not await self._rows.write(work):
            raise StaleAccountError

    async def delete_user(self, user: Model) -> None:
        """Delete a user.

        Raises:
            ConfigurationError: Other rows hang on it.
        """
        is_it = self._id == getattr(user, self._columns.id)
        statement = sa.delete(self._model).where(is_it)
        statement = statement.execution_options(synchronize_session=False)

        async def work(session: Any) -> None:
            await session.execute(statement)

        await self._rows.write(work)

    async def list_users(
        self, *, search: str, after: str, limit: int
    ) -> Sequence[Model]:
        """Return a page of users, ordered by their ids."""
        if not (search + after).isprintable():
            return []
        statement = sa.select(self._model).order_by(self._id).limit(limit)
        if after:
            try:
                statement = statement.where(self._id > self._bound(after))
            except ValueError:
                return []

        names = (self._columns.email, self._columns.username)
        if search:
            conditions = [
                getattr(self._model, name).icontains(search, autoescape=True)
                for name in names
                if name is not None
            ]
            statement = statement.where(sa.or_(*conditions))

        return await self._rows.read(statement)

    async def _one(self, condition: Any) -> Model | None:
        users = await self._rows.read(sa.select(self._model).where(condition).limit(2))
        if len(users) > 1:
            msg = (
                f"Two rows of {self._model.__name__} have this id, address or name: "
                "make it unique in the database, without regard to case."
            )
            raise ConfigurationError(msg)

        return users[0] if users else None

    @property
    def _id(self) -> Any:
        return getattr(self._model, self._columns.id)

    def _bound(self, user_id: Any) -> Any:
        """Return an id as databases take it.

        Raises:
            ValueError: No id looks like that.
        """
        made = as_id(user_id, self.id_type)
        return sa.literal(made, sa.BigInteger()) if type(made) is int else made

    async def _check_mail(self, session: Any, mail: str, *, but: Any = None) -> None:
        """See that nobody has an address, which the database may have in capitals.

        Raises:
            DuplicateAccountError: Somebody has.
        """
        name = self._columns.email
        if name is None or not mail:
            return

        same = sa.func.lower(getattr(self._model, name)) == mail.lower()
        others = sa.select(self._id).where(same).limit(2)
        found = (await session.execute(others)).scalars().all()
        if any(other != but for other in found):
            raise DuplicateAccountError

    def _changed_by(self, user: Model, account: Account) -> dict[str, Any]:
        """Return what *account* says of a user that was otherwise until now."""
        before, placed = self.account_of(user), self._columns.placed
        if before.roles == account.roles:  # They may come from elsewhere.
            account = replace(account, roles=placed(account.roles))
        before = replace(before, roles=placed(before.roles))
        old, new = self._values_of(before), self._values_of(account)
        return {n: v for n, v in new.items() if n not in old or v != old[n]}

    def _values_of(self, account: Account) -> dict[str, Any]:
        """Return what an account says, by the attributes of the model."""
        columns, roles = self._columns, set(account.roles)
        flags = {name: role in roles for role, name in columns.flags.items()}
        listed = sorted(roles - columns.flags.keys())
        if listed and columns.roles is None:
            msg = (
                f"{self._model.__name__} has no place for the role {listed[0]!r}: say "
                "in UserColumns(...) what roles or flags are called."
            )
            raise ConfigurationError(msg)

        values = {
            columns.email: account.email or None,
            columns.username: account.username,
            columns.password: account.password_hash or self._no_password,
            columns.active: not account.disabled,
            columns.verified: self._since(account.verified_at),
            columns.roles: listed,
        }
        if not self._fits(columns.email, account.email):
            raise InvalidEmailError
        if not self._fits(columns.username, account.username):
            raise InvalidUsernameError
        if columns.username is not None and account.username is None:
            del values[columns.username]

        return {name: value for name, value in values.items() if name} | flags

    def _fits(self, name: str | None, text: str | None) -> bool:
        return name is None or fits(text, self._mapped[name].type)

    def _since(self, verified_at: float | None) -> Any:
        name = self._columns.verified
        kind = None if name is None else self._mapped[name].type
        return None if kind is None else since(verified_at, kind)

    def _check_places(self, account: Account) -> None:
        """Refuse a new user of whom something would be lost in silence.

        Raises:
            ConfigurationError: There is no column for the name, or for the address.
        """
        columns = self._columns
        names = {"username": columns.username, "email": columns.email}
        for name, column in names.items():
            if column is None and getattr(account, name):
                msg = (
                    f"{self._model.__name__} has no place for {name}: say in "
                    f"UserColumns({name}=...) what it is called, or give none."
                )
                raise ConfigurationError(msg)

    def _data_of(self, account: Account) -> dict[str, Any]:
        """Return the further fields of a registration; none of them is a right."""
        own_names = set(self._columns.names())
        for name, value in account.data.items():
            if name in own_names or name not in self._mapped:
                msg = f"{self._model.__name__} takes no {name!r} from a registration."
                raise ConfigurationError(msg)

            check_field(name, value, self._mapped[name])

        return dict(account.data)
