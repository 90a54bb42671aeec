"""Say what is wrong with a row that a database does not take: whose fault it is.

It never repeats what a driver says, which quotes the row.
"""

from __future__ import annotations

from typing import Any

from asgi_auth._drivers.sql import sa
from asgi_auth._drivers.sql_codes import broken_constraint, code_of
from asgi_auth.accounts.columns import fits
from asgi_auth.accounts.errors import DuplicateAccountError, InvalidFieldError
from asgi_auth.errors import ConfigurationError

__all__ = ["check_field", "row_fault"]

_BAD_VALUE = "22"


def check_field(name: str, value: Any, column: Any) -> None:
    """Check a further field of a registration against its column.

    Raises:
        InvalidFieldError: It does not fit.
    """
    is_missing = value is None and not column.nullable
    is_too_long = isinstance(value, str) and not fits(value, column.type)
    if is_missing or is_too_long:
        msg = f"the field {name!r} does not fit its column"
        raise InvalidFieldError(msg)


def row_fault(error: Exception, model: str, *, is_callers: bool) -> Exception | None:
    """Return what is raised in place of *error*; ``None``: it is not about a row.

    Args:
        error: As a driver has raised it, or SQLAlchemy; some fail on a value before
            they send it.
        model: The name of the class of users.
        is_callers: Values of the row are what a caller has sent.
    """
    code, broken = code_of(error), ""
    if isinstance(error, sa.exc.IntegrityError):
        broken = broken_constraint(code) or "unique"

    if broken == "unique":
        return DuplicateAccountError()

    if broken == "missing":
        msg = f"{model} has a column that must be given, and nobody gives it: let it "
        return ConfigurationError(msg + "have a default, or be null.")

    is_bad_value = isinstance(error, OverflowError | UnicodeEncodeError)
    if not (broken or is_bad_value or code.startswith(_BAD_VALUE)):
        return None

    if is_callers:
        return InvalidFieldError("a field of the registration does not fit the table")

    hint = (
        "rows hang on it: let their foreign keys cascade, or override delete_user()"
        if broken
        else "a value does not fit: bound what callers send"
    )
    return ConfigurationError(f"{model}: {hint}")
