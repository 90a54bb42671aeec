"""Authentication for HTTP clients of the httpx family, without any of them.

Each client library has a module that joins this with its own base class. Tokens go to
the origins that they are for, and nowhere else, also not by a redirect.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from asgi_auth._clock import Clock
from asgi_auth.client.clock import steady_clock
from asgi_auth.client.endpoint import RefreshEndpoint, origins_of
from asgi_auth.client.factor import SecondStep, afinish, finish
from asgi_auth.client.flow import BearerFlow, Step
from asgi_auth.client.grants import Grant, GrantEndpoint
from asgi_auth.client.preparation import adrive, drive, prepare
from asgi_auth.client.proofs import ProofFlows, Proofs, hear_from
from asgi_auth.client.renewer import Renewer, Save
from asgi_auth.client.sending import Send, asend, send
from asgi_auth.client.tokens import Tokens
from asgi_auth.dpop.signer import ProofSigner
from asgi_auth.errors import ConfigurationError

__all__ = ["BearerAuthFlows"]


class BearerAuthFlows:
    """Attach an access token to requests, and refresh it as needed.

    One object serves any number of clients, threads and event loops; however many
    requests find the access token expired, one refresh is made. It runs in a thread of
    its own, so that no request that is cancelled takes the new tokens with it.

    Args:
        refresh_url: Where tokens are refreshed: https, or http to this machine.
        tokens: What a log-in gave; ``None`` before it. Where no user logs in, what is
            asked for instead of refreshing: :class:`ClientCredentials` or a
            :class:`TokenExchange`.
        origins: URLs of other servers that may see the access token; the origin of
            ``refresh_url`` may. Requests to any other are sent without.
        form: Refresh by the form of RFC 6749, section 6, with these other fields, for
            instance ``{"client_id": "cli"}``; ``None``: by JSON, as ``AuthRoutes``
            reads it too.
        save: Called with new tokens before they are used, and with ``None`` when the
            log-in has ended. A plain function is called in the thread of the refresh,
            a coroutine function in the event loop of the request that needed it
            first. If it raises, that is logged, and the tokens are kept in memory.
        skew: Seconds before its end from which on an access token is refreshed; never
            more than half of its life.
        timeout: Seconds that a request waits for a refresh.
        client: Sends the refresh; an ``AsyncClient`` does so for asynchronous requests
            on asyncio only. ``None`` opens a ``Client`` for each refresh.
        dpop: Tokens are bound to a key (RFC 9449): one that is made now and never
            leaves the process, or that of a signer. Bearer tokens are refused then.
        clock: The local time, in seconds since the Unix epoch.

    Raises:
        ConfigurationError: A URL is not safe, or a number not positive.
    """

    _library: ClassVar[Any]
    _proof_auth: ClassVar[type[ProofFlows]]

    def __init__(
        self,
        refresh_url: str,
        tokens: Tokens | Grant | None = None,
        *,
        origins: Iterable[str] = (),
        form: Mapping[str, str] | None = None,
        save: Save | None = None,
        skew: float = 30.0,
        timeout: float = 10.0,
        client: Any = None,
        dpop: ProofSigner | bool = False,
        clock: Clock | None = None,
    ) -> None:
        if skew < 0 or timeout <= 0:
            msg = "BearerAuth needs a positive timeout, and a skew of 0 or more."
            raise ConfigurationError(msg)

        if isinstance(origins, str):
            msg = 'origins is a list of URLs: origins=["https://api.example"].'
            raise ConfigurationError(msg)

        self._clock = clock or steady_clock()
        signer = ProofSigner() if dpop is True else dpop or None
        self._proofs = None if signer is None else Proofs(signer, self._clock)
        if isinstance(tokens, Tokens | None):
            endpoint = RefreshEndpoint(refresh_url, form=form, proofs=self._proofs)
        elif form is None:
            endpoint = GrantEndpoint(refresh_url, tokens, proofs=self._proofs)
            tokens = Tokens()
        else:
            msg = (
                "form is for a refresh: ClientCredentials and the like have their own."
            )
            raise ConfigurationError(msg)

        self._origins = origins_of(origins) | {endpoint.origin}
        self._skew = skew
        self._refresh_url = refresh_url
        self._send = self._sender(client, timeout)
        self._renewer = Renewer(
            tokens,
            endpoint=endpoint,
            send=self._send,
            save=save,
            timeout=timeout,
            clock=self._clock,
        )
        self._text = f"{type(self).__name__}({refresh_url!r})"

    def __repr__(self) -> str:
        """Show where it refreshes."""
        return self._text

    @property
    def tokens(self) -> Tokens | None:
        """The present tokens; ``None`` before a log-in, and when it has ended."""
        return self._renewer.tokens

    @property
    def for_log_in(self) -> ProofFlows:
        """What a log-in itself is sent with, which is proofs of the key and no token.

        Raises:
            ConfigurationError: Without ``dpop`` there is no key.
        """
        if self._proofs is None:
            msg = "Only with dpop=True is there something to log in with."
            raise ConfigurationError(msg)

        return self._proof_auth(self._proofs)

    def replace(self, tokens: Tokens | None) -> None:
        """Take the tokens of another log-in, or forget them; ``save`` is not called.

        Args:
            tokens: What the log-in gave; ``None`` after a log-out.
        """
        self._renewer.replace(tokens)

    def confirm(self, refusal: Mapping[str, Any], code: str) -> Tokens:
        """Finish a log-in that was refused with ``second_factor_required``.

        The tokens are taken as by :meth:`replace`. Where the code of the error is
        ``invalid_code``, ask for another one, and confirm the same refusal.

        Args:
            refusal: The parsed answer to the log-in; it names the ``methods`` that
                the user has.
            code: Of any of them, as it was typed.

        Returns:
            The tokens, to be saved.

        Raises:
            ClientError: The code is wrong.
            LoggedOutError: It took more than ten minutes: log in anew.
            RefreshFailedError: There were too many tries, or the server is down.
            BadAnswerError: The refusal asks for no code, or the answer is no verdict.
            ConfigurationError: ``client`` is asynchronous.
        """
        step = SecondStep(self._refresh_url, code, proofs=self._proofs)
        tokens = finish(step, refusal, send=self._send, clock=self._clock)
        self.replace(tokens)
        return tokens

    async def aconfirm(self, refusal: Mapping[str, Any], code: str) -> Tokens:
        """Finish a log-in as :meth:`confirm` does."""
        step = SecondStep(self._refresh_url, code, proofs=self._proofs)
        tokens = await afinish(step, refusal, send=self._send, clock=self._clock)
        self.replace(tokens)
        return tokens

    def fresh_token(self) -> str:
        """Return an access token that lives, for instance for a WebSocket.

        Raises:
            LoggedOutError: There are no tokens, or the refresh token is refused.
            RefreshFailedError: They cannot be refreshed now.
        """
        return drive(self._renewer, prepare(self._begin(), self._clock))

    async def afresh_token(self) -> str:
        """Return an access token that lives, as :meth:`fresh_token` does."""
        return await adrive(self._renewer, prepare(self._begin(), self._clock))

    def auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send a request with a token; as :meth:`sync_auth_flow`."""
        return self.sync_auth_flow(request)

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send a request with a token, and again with another one if that is needed.

        Raises:
            LoggedOutError: There are no tokens, or the refresh token is refused.
            RefreshFailedError: They cannot be refreshed now.
        """
        if not self._is_for_us(request):
            yield request
            return

        flow = self._begin()
        drive(self._renewer, prepare(flow, self._clock))
        self._attach(request, flow)
        response = yield request
        if self._wants_another_proof(request, response):
            response.read()
            response = yield self._again(response, flow)

        if self._judge(flow, request, response) is Step.REFRESH:
            response.read()  # Its connection may be the one that the refresh needs.
            flow.renewed(self._renewer.renew(flow.tokens))
            yield self._again(response, flow)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Send a request with a token; as :meth:`sync_auth_flow`."""
        if not self._is_for_us(request):
            yield request
            return

        flow = self._begin()
        await adrive(self._renewer, prepare(flow, self._clock))
        self._attach(request, flow)
        response = yield request
        if self._wants_another_proof(request, response):
            await response.aread()
            response = yield self._again(response, flow)

        if self._judge(flow, request, response) is Step.REFRESH:
            await response.aread()
            flow.renewed(await self._renewer.arenew(flow.tokens))
            yield self._again(response, flow)

    def _begin(self) -> BearerFlow:
        return self._renewer.begin(self._skew)

    def _is_for_us(self, request: Any) -> bool:
        url = request.url
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
        return (url.scheme, url.raw_host.decode("ascii"), port) in self._origins

    def _judge(self, flow: BearerFlow, request: Any, response: Any) -> Step:
        """Decide about an answer; after redirects it is to another request."""
        last_request = response.request
        if not self._has_sent(flow, last_request):
            return Step.GIVE

        step = flow.answered(
            response.status_code,
            response.headers.get_list("www-authenticate"),
            self._clock(),
            repeatable=_is_repeatable(request, last_request),
            schemes=() if self._proofs is None else ("dpop",),
        )
        if step is Step.DROP:
            self._renewer.drop(flow.tokens)

        return step

    def _has_sent(self, flow: BearerFlow, last_request: Any) -> bool:
        field = last_request.headers.get("authorization")
        return field == self._field(flow.tokens) and self._is_for_us(last_request)

    def _wants_another_proof(self, request: Any, response: Any) -> bool:
        """Learn from an answer, and say whether to ask again with another proof."""
        last_request = response.request
        if self._proofs is None or not self._is_for_us(last_request):
            return False

        hear_from(self._proofs, response)
        lines = response.headers.get_list("www-authenticate")
        is_refused = self._proofs.are_refused(response.status_code, lines)
        return is_refused and _is_repeatable(request, last_request)

    def _field(self, tokens: Tokens) -> str:
        scheme = "Bearer" if self._proofs is None else "DPoP"
        return f"{scheme} {tokens.access_token}"

    def _attach(self, request: Any, flow: BearerFlow) -> None:
        request.headers["Authorization"] = self._field(flow.tokens)
        if self._proofs is not None:
            url, token = str(request.url), flow.tokens.access_token
            request.headers.update(self._proofs.fields(request.method, url, token))

    def _again(self, response: Any, flow: BearerFlow) -> Any:
        """Return the request that was refused, not the one redirected to it."""
        self._attach(response.request, flow)
        return response.request

    def _sender(self, client: Any, timeout: float) -> Send:
        if client is None:
            return partial(self._send_alone, timeout)

        if isinstance(client, self._library.AsyncClient):
            return partial(asend, client)

        if isinstance(client, self._library.Client):
            return partial(send, client)

        name = self._library.__name__
        msg = f"client must be a Client or an AsyncClient of {name}."
        raise ConfigurationError(msg)

    def _send_alone(
        self, timeout: float, url: str, headers: Mapping[str, str], body: bytes
    ) -> Any:
        with self._library.Client(timeout=timeout) as client:
            return send(client, url, headers, body)


def _is_repeatable(request: Any, last_request: Any) -> bool:
    """Say whether a body can be sent again, also one that a redirect took along."""
    if _is_buffered(last_request):
        return True

    return last_request.stream is request.stream and _is_buffered(request)


def _is_buffered(request: Any) -> bool:
    """Say whether a body can be sent again: a stream may have been used up."""
    try:
        return isinstance(request.content, bytes)
    except RuntimeError:  # RequestNotRead, of both libraries
        return False
