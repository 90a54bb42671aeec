"""Name the pages that there are, in the order of the account's menu.

To add one: a module with a :class:`~asgi_auth.pages.page.Page` (its path, its texts and
its handler), a template of the page's name, and a line here.
"""

from __future__ import annotations

from typing import Final

from asgi_auth.pages.again import AGAIN
from asgi_auth.pages.factor import FACTOR
from asgi_auth.pages.factors import FACTORS
from asgi_auth.pages.log_in import LOG_IN
from asgi_auth.pages.log_out import LOG_OUT
from asgi_auth.pages.page import Page
from asgi_auth.pages.register import REGISTER

__all__ = ["PAGES"]

PAGES: Final[tuple[Page, ...]] = (LOG_IN, FACTOR, AGAIN, REGISTER, FACTORS, LOG_OUT)
