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
    before = {id(each) for each in _of_requests()}
    try:
        yield
        left = [each for each in _of_requests() if id(each) not in before]
        assert not left, [gc.get_referrers(each) for each in left]
    finally:
        gc.enable()


def _of_requests():
    """Return what belongs to one request: how it is answered, and a failed caller."""
    # Types are compared: other people's lazy objects wake up when they are asked.
    return [
        each
        for each in gc.get_objects()
        if issubclass(type(each), RequestState)
        or (type(each) is Principal and each.error is not None)
    ]
