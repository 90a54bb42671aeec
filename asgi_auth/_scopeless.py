"""Notice guards on functions that get no request, before anybody calls these.

Such a guard takes the request that is being served. Where nothing tracks that, it can
only fail; but when it is written, nobody knows yet whether anything will.
"""

from __future__ import annotations

__all__ = ["Scopeless", "scopeless"]

from asgi_auth._logs import package_logger

_logger = package_logger("asgi_auth.guards")


class Scopeless:
    """The guarded functions of a process that get no request.

    There are as many as are written in its code.
    """

    __slots__ = ("_is_served", "_is_tracked", "_places")

    def __init__(self) -> None:
        self._places: dict[str, None] = {}
        self._is_served = False
        self._is_tracked = False

    def expect(self, place: str) -> None:
        """Note that something at *place* needs a request that is tracked."""
        if not self._is_tracked:
            self._places[place] = None
            self._warn()

    def serve(self, *, tracks: bool) -> None:
        """Note that a middleware was made, and warn of those that it leaves alone."""
        self._is_served = True
        self._is_tracked = self._is_tracked or tracks
        if self._is_tracked:
            self._places.clear()

        self._warn()

    def _warn(self) -> None:
        if not self._is_served:
            return

        for place in self._places:
            _logger.warning(
                "%s is guarded, and gets no request: add the request to its "
                "parameters, or give AuthenticationMiddleware "
                "scope_policy=ScopePolicy(track_current=True)",
                place,
            )

        self._places.clear()


scopeless = Scopeless()
"""Of this process."""
