"""Log in at identity providers: send browsers there, and take them back.

A browser is sent by a POST from an own page only, and taken back by the cookie that it
got then. Who it is, and which account it gets, is decided in ``asgi_auth.identities``.
"""

from __future__ import annotations

from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth._logs import package_logger
from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    MethodNotAllowedError,
    UnavailableError,
)
from asgi_auth.identities import Identities
from asgi_auth.identities.callback import ProviderAnswer
from asgi_auth.identities.provider import Prompt
from asgi_auth.identities.service import Outcome
from asgi_auth.principal import Principal
from asgi_auth.routes.binding import key_of
from asgi_auth.routes.body import Form, is_form
from asgi_auth.routes.completion import LogInCompletion
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.errors import UnknownPathError
from asgi_auth.routes.leap import leap
from asgi_auth.routes.models import TokenResponse
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.pending import Proof
from asgi_auth.routes.provider_cookies import AttemptCookies
from asgi_auth.routes.provider_models import (
    CallbackQuery,
    CallbackRequest,
    ProviderRequest,
    ProviderResponse,
    ProvidersResponse,
    RedirectResponse,
)
from asgi_auth.routes.query import read_query

__all__ = ["AMR", "ProviderRoutes"]

_logger = package_logger(__name__)

AMR: Final = ("fed",)
"""What a log-in at a provider has shown; RFC 8176 has no word for it, others do."""

_FORM: Final = Form()
_SEE_OTHER: Final = 303
_SAFE: Final = "/-._~!$&'()*+,=:@"


class ProviderRoutes:
    """The handlers about log-ins at providers.

    Args:
        context: The settings.
        completion: Opens the sessions.
        identities: Knows the providers.
        public_url: The application's own origin, as the providers know it.

    Raises:
        ConfigurationError: The parts do not fit together; the text says why.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_completion", "_context", "_cookies", "_identities", "_public_url")

    def __init__(
        self,
        context: RouteContext,
        completion: LogInCompletion,
        identities: Identities,
        public_url: str | None,
    ) -> None:
        if public_url is None:
            msg = "Identities need site=Site(public_url=...): providers must know it."
            raise ConfigurationError(msg)

        self._context = context
        self._completion = completion
        self._identities = identities
        self._public_url = public_url.rstrip("/")
        self._cookies = AttemptCookies(public_url)
        posting = [p.name for p in identities.providers if p.posts]
        if posting and not self._cookies.is_secure:
            msg = f"The provider {posting[0]} posts its answer: that needs https."
            raise ConfigurationError(msg)

        if context.cookies is None and identities.callback_page is None:
            msg = (
                "Tokens in bodies need Identities(callback_page=...): a page that "
                "posts the provider's answer, and gets them."
            )
            raise ConfigurationError(msg)

    @operations.add(
        part="providers",
        method="GET",
        path="/providers",
        summary="List the identity providers",
        answers={200: ProvidersResponse},
        cookies=False,
    )
    async def list_providers(self, request: Request) -> Response:
        """Say at which providers users can log in."""
        providers = [
            ProviderResponse(name=provider.name, label=provider.label)
            for provider in self._identities.providers
        ]
        return self._context.answer(ProvidersResponse(providers=providers))

    @operations.add(
        part="providers",
        method="POST",
        path="/providers/{provider}/start",
        summary="Begin to log in at an identity provider",
        body=ProviderRequest,
        form=_FORM,
        optional=True,
        answers={200: RedirectResponse, 303: None},
        refusals=(400, 403, 404, 429),
    )
    async def start_log_in(self, request: Request) -> Response:
        """Send the browser to a provider, to log in."""
        return await self._begin(request, None)

    @operations.add(
        part="providers",
        method="POST",
        path="/providers/{provider}/link",
        summary="Begin to link a log-in at an identity provider to the account",
        body=ProviderRequest,
        form=_FORM,
        optional=True,
        answers={200: RedirectResponse, 303: None},
        refusals=(400, 403, 404, 429),
        guarded=True,
    )
    async def start_link(self, request: Request) -> Response:
        """Send the browser to a provider, to link what it is there to the account."""
        return await self._begin(request, await self._context.owner(request))

    @operations.add(
        part="providers",
        method="GET",
        path="/providers/{provider}/callback",
        summary="Where the provider sends the browser back",
        query=CallbackQuery,
        answers={200: None},
        refusals=(401, 403, 404, 409),
    )
    async def finish_log_in(self, request: Request) -> Response:
        """Take the browser back."""
        if request.method != "GET":
            # A look ahead must not use the answer up.
            raise MethodNotAllowedError(allow=["GET", "POST"])

        return await self._finish_in_browser(
            request, read_query(request, CallbackQuery)
        )

    @operations.add(
        part="providers",
        method="POST",
        path="/providers/{provider}/callback",
        summary="Pass the answer of a provider on, to get tokens",
        body=CallbackRequest,
        form=_FORM,
        answers={200: TokenResponse, 204: None},
        refusals=(401, 403, 404, 409, 500),
        cookies=False,
    )
    async def pass_answer_on(self, request: Request) -> Response:
        """Take an answer that a page posts: an own one, or that of a provider."""
        if is_form(request):
            # From a page of the provider, as Apple's: the state is what protects it.
            if self._context.cookies is not None:
                self._context.cookies.check_host(request.scope)

            answer = await self._context.read(request, CallbackQuery, form=_FORM)
            return await self._finish_in_browser(request, answer)

        self._context.check_origin(request.scope)
        self._context.origins.check(request.scope)
        body = await self._context.read(request, CallbackRequest)
        return await self._finish_for_page(request, body)

    async def _begin(self, request: Request, caller: Principal | None) -> Response:
        context = self._context
        # Also where tokens are in bodies: the attempt is in a cookie all the same.
        context.origins.check(request.scope)
        await context.count("log_in_address", context.network(request))
        body = await context.read(request, ProviderRequest, form=_FORM, optional=True)
        name = request.path_params["provider"]
        start = await self._identities.begin(
            name,
            redirect_uri=self._redirect_uri(request, name),
            next=body.next,
            prompt=Prompt(prompt=body.prompt, login_hint=body.login_hint),
            fresh=body.fresh,
            link_to=caller,
        )
        if is_form(request):
            headers = {"location": start.url, "cache-control": "no-store"}
            response = Response(status_code=_SEE_OTHER, headers=headers)
        else:
            response = context.answer(RedirectResponse(url=start.url))

        is_posted = self._identities.provider(name).posts
        self._cookies.set(
            response, request.scope, start.attempt, start.token, is_posted=is_posted
        )
        return response

    def _redirect_uri(self, request: Request, name: str) -> str:
        """Return where the provider sends browsers, each provider to another place.

        So no answer of one can be taken for another's (RFC 9700, section 4.4.2.2).
        """
        page = self._identities.callback_page
        if page is not None:
            return f"{self._public_url}{page.rstrip('/')}/{name}"

        mount = quote(request.scope["root_path"], safe=_SAFE)
        return f"{self._public_url}{mount}/providers/{name}/callback"

    async def _finish_in_browser(
        self, request: Request, answer: CallbackQuery
    ) -> Response:
        if self._context.cookies is None:
            # A page of the application takes the answer, and posts it.
            raise UnknownPathError

        target: str | None = None
        try:
            outcome = await self._finish(request, answer)
            target = outcome.attempt.next
            form = CallbackRequest(delivery="cookie")
            delivered = await self._deliver(request, outcome, form)
        except AuthError as error:
            if self._identities.error_page is None:
                raise

            query = {
                "error": error.code,
                **({} if target is None else {"next": target}),
            }
            page = self._identities.error_page
            path = f"{page}{'&' if '?' in page else '?'}{urlencode(query)}"
            response = leap(path, error.headers)
        else:
            fields = () if delivered is None else delivered.raw_headers
            response = leap(target, fields)

        self._cookies.clear(response, answer.state)
        return response

    async def _finish_for_page(
        self, request: Request, body: CallbackRequest
    ) -> Response:
        outcome = await self._finish(request, body)
        delivered = await self._deliver(request, outcome, body)
        response = self._context.done() if delivered is None else delivered
        self._cookies.clear(response, body.state)
        return response

    async def _finish(self, request: Request, answer: CallbackQuery) -> Outcome:
        facts = answer.model_dump(include={"state", "code", "iss", "error"})
        token = self._cookies.read(request.scope, answer.state)
        name = request.path_params["provider"]
        try:
            return await self._identities.finish(name, ProviderAnswer(**facts), token)
        except UnavailableError:
            raise
        except AuthError as error:
            # Where browsers are sent on, nothing else writes it down.
            _logger.debug("a log-in at a provider is refused: %s", error)
            device = self._context.device(request)
            where = {"ip": device.ip, "user_agent": device.user_agent}
            about = {"reason": error.code, "account": None}
            self._context.tell("login.failed", detail={**where, **about})
            raise

    async def _deliver(
        self, request: Request, outcome: Outcome, body: CallbackRequest
    ) -> Response | None:
        """Open a session; ``None`` for a user who has linked, and has one."""
        if outcome.attempt.account_id is not None:
            return None

        context = self._context
        proof = Proof(
            account=outcome.account,
            amr=AMR,
            medium=body.delivery,
            label=body.device_label,
            key=await key_of(context, request, body.delivery),
            auth_time=self._auth_time(outcome),
        )
        return await self._completion.complete(request, proof)

    def _auth_time(self, outcome: Outcome) -> float | None:
        """Return when the user logged in there: a fresh log-in here is no older one."""
        if outcome.auth_time is None:
            return None

        return min(max(outcome.auth_time, 0.0), self._context.clock())
