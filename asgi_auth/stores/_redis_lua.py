"""The scripts of :class:`~asgi_auth.stores.redis.RedisStore`, one for each verb.

They are read once, and run elsewhere.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

__all__ = [
    "CLOSE",
    "CREATE",
    "FEED",
    "FIND",
    "ONCE",
    "PUBLISH",
    "ROTATE",
    "SESSIONS",
    "SURPLUS",
]

_FOLDER: Final = files("asgi_auth.stores") / "lua"

CREATE: Final = (_FOLDER / "create.lua").read_text("utf-8")
ROTATE: Final = (_FOLDER / "rotate.lua").read_text("utf-8")
SESSIONS: Final = (_FOLDER / "sessions.lua").read_text("utf-8")
SURPLUS: Final = (_FOLDER / "surplus.lua").read_text("utf-8")
FIND: Final = (_FOLDER / "find.lua").read_text("utf-8")
CLOSE: Final = (_FOLDER / "close.lua").read_text("utf-8")
PUBLISH: Final = (_FOLDER / "publish.lua").read_text("utf-8")
FEED: Final = (_FOLDER / "feed.lua").read_text("utf-8")
ONCE: Final = (_FOLDER / "once.lua").read_text("utf-8")
