"""Ready pages for people: log in, register and the rest, as plain HTML.

Needs the extra ``pages``. The pages decide nothing: each asks the log-in routes, which
count, check and refuse as they do for any other client.
"""

from __future__ import annotations

from asgi_auth.errors import MissingExtraError

try:
    import jinja2
    import segno
except ImportError as _error:
    _msg = f'AuthPages needs {_error.name}: python -m pip install "asgi-auth[pages]"'
    raise MissingExtraError(_msg) from _error
else:
    del jinja2, segno

from asgi_auth.pages.app import AuthPages
from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["AuthPages", "Page", "Visit"]
