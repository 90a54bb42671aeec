"""Ask a provider: bounded requests, strict answers, one outage for all of them.

What an answer means is for the modules that ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from asgi_auth._drivers.calls import observed
from asgi_auth._drivers.http import HTTPAnswer, Remote
from asgi_auth._drivers.outages import Outage
from asgi_auth._drivers.transport import Transport
from asgi_auth._drivers.urls import place_in
from asgi_auth._frozen import FrozenDict, parse_object
from asgi_auth.errors import UnavailableError

__all__ = ["Endpoint", "JSONAnswer"]

_MAX_BYTES: Final = 256 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_BUSY: Final = 429
_BROKEN: Final = 500
_RETRY_AFTER: Final = 5.0


class JSONAnswer(NamedTuple):
    """What a provider answered.

    Attributes:
        status: The HTTP status, below 500.
        content: The JSON in it, read-only; an empty object where there was none.
    """

    status: int
    content: Any

    @property
    def members(self) -> FrozenDict:
        """The object, empty where it was none."""
        return self.content if isinstance(self.content, FrozenDict) else FrozenDict()


class Endpoint:
    """The endpoints of one provider.

    Args:
        name: The provider's, for the log.
        transport: How it is asked.

    Raises:
        MissingExtraError: httpx2 is needed, and not installed.
    """

    def __init__(self, name: str, transport: Transport) -> None:
        self._remote = Remote("An identity provider", transport, max_bytes=_MAX_BYTES)
        self.outage: Outage = Outage("provider", f"the identity provider {name}")

    async def get(self, url: str, token: str | None = None) -> JSONAnswer:
        """Get JSON, with the provider's access token where one is given.

        Raises:
            UnavailableError: There is no answer, in time and within the limits.
        """
        headers = {"accept": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"

        return await self._ask("GET", url, headers, None)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> JSONAnswer:
        """Post a form.

        Raises:
            UnavailableError: There is no answer, in time and within the limits.
        """
        # GitHub answers with a form unless it is asked for JSON.
        headers = {"accept": "application/json", "content-type": _FORM, **headers}
        return await self._ask("POST", url, headers, urlencode(form).encode("ascii"))

    def down(self, cause: str) -> UnavailableError:
        """Note that the provider does not do what it must, and return the error.

        Args:
            cause: Why, without a secret.
        """
        self.outage.down(cause)
        msg = f"{self.outage.place}: {cause}"
        return UnavailableError(msg, retry_after=_RETRY_AFTER)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> JSONAnswer:
        place = place_in(url)
        try:
            with observed("http", method, place):
                answer = await self._remote.send(url, headers, body)
        except UnavailableError as error:
            raise self.down(str(error)) from error

        if answer.status >= _BROKEN or answer.status == _BUSY:
            cause = f"{place} answered {answer.status}"
            raise self.down(cause)

        self.outage.up()
        return JSONAnswer(answer.status, _content(answer))

    async def aclose(self) -> None:
        """Close the connections of the running loop, if they are ours."""
        await self._remote.aclose()


def _content(answer: HTTPAnswer) -> Any:
    # A list is read as the member of an object, by the same strict rules.
    is_list = answer.body.lstrip()[:1] == b"["
    body = b'{"list":' + answer.body + b"}" if is_list else answer.body
    try:
        content = parse_object(body)
    except ValueError:
        return FrozenDict()

    return content["list"] if is_list else content
