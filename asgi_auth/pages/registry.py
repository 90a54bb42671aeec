"""Name the pages that there are, in the order of the account's menu.

To add one: a module with a :class:`~asgi_auth.pages.page.Page` (its path, its texts and
its handler), a template of the page's name, and a line here.
"""

from __future__ import annotations

from typing import Final

from asgi_auth.pages.account import ACCOUNT
from asgi_auth.pages.confirm import CONFIRM
from asgi_auth.pages.delete import DELETE
from asgi_auth.pages.devices import DEVICES
from asgi_auth.pages.email import CONFIRM_EMAIL, EMAIL
from asgi_auth.pages.factor import FACTOR
from asgi_auth.pages.factors import FACTORS
from asgi_auth.pages.forgot import FORGOT, RESET
from asgi_auth.pages.log_in import LOG_IN
from asgi_auth.pages.log_out import LOG_OUT
from asgi_auth.pages.page import Page
from asgi_auth.pages.passkeys import PASSKEYS
from asgi_auth.pages.password import PASSWORD
from asgi_auth.pages.register import REGISTER
from asgi_auth.pages.verify import RESEND, VERIFY

__all__ = ["PAGES"]

PAGES: Final[tuple[Page, ...]] = (
    LOG_IN,
    FACTOR,
    REGISTER,
    VERIFY,
    RESEND,
    FORGOT,
    RESET,
    ACCOUNT,
    PASSWORD,
    EMAIL,
    CONFIRM_EMAIL,
    FACTORS,
    PASSKEYS,
    DEVICES,
    CONFIRM,
    DELETE,
    LOG_OUT,
)
