from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from asgi_auth import KeySet, TokenService
from asgi_auth.accounts import AccountService, SQLAccounts
from asgi_auth.integrations.starlette import install, requires
from asgi_auth.pages import AuthPages
from asgi_auth.routes import AuthRoutes, Cookies
from asgi_auth.stores import SQLStore

store, users = SQLStore("sqlite:///site.db"), SQLAccounts("sqlite:///site.db")
tokens = TokenService(KeySet.from_env(), store=store)
accounts = AccountService(users, tokens, require_verified=False)
cookies = Cookies(path="/", samesite="lax")
routes = AuthRoutes(tokens, accounts, delivery=cookies)
templates, notes = Jinja2Templates("templates"), {}


@requires()
async def home(request):
    own = notes.setdefault(request.auth.subject, [])
    if request.method == "POST":
        own.append((await request.form())["text"])
        return RedirectResponse("/", 303)
    return templates.TemplateResponse(request, "home.html", {"notes": own})


@asynccontextmanager
async def lifespan(app):
    await store.create_schema()
    await users.create_schema()
    yield


app = Starlette(routes=[Route("/", home, methods=["GET", "POST"])], lifespan=lifespan)
install(app, tokens, routes=AuthPages(routes, brand="Notes"), renew=True)
