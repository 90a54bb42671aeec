"""Sees to it that what a request leaves behind goes without the garbage collector."""

from __future__ import annotations

import contextlib
import gc

from asgi_auth.principal import Principal
from asgi_auth.responses.state import RequestState


@contextlib.contextmanager
def no_circle():
    """Fail if a request made within is still there at the end."""
    gc.collect()
    gc.disable()
    # What is there before is set aside: only what is made within is looked through.
    gc.freeze()
    try:
        yield
        left = _of_requests()
        assert not left, [gc.get_referrers(each) for each in left]
    finally:
        gc.enable()


def _of_requests():
    """Return what is new and belongs to one request: its answer, or a failed caller."""
    # Types are compared: other people's lazy objects wake up when they are asked.
    return [
        each
        for each in gc.get_objects()
        if issubclass(type(each), RequestState)
        or (type(each) is Principal and each.error is not None)
    ]
