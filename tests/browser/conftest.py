"""A real Chromium, and real servers beside it in the test's own event loop.

``chromium`` is one browser for the tests of this folder, as long as they run in a row.
``new_tab`` opens tabs that share what the tabs of one person share; ``page`` is one of
them. ``serve`` starts any ASGI app on a port of its own, and gives its origin.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from websockets.exceptions import InvalidState

from tests.browser.site import Site

SWAGGER_UI = "static/drf_spectacular_sidecar/swagger-ui-dist"
# The shell has no window around its pages: it takes half of the processor time.
BROWSERS = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome", "google-chrome-stable"),
)
# What a person who looks at the window needs costs more than the pages themselves: two
# renderers for the suggestions below the address bar, and one in reserve. The others
# are what Playwright leaves out and a test could notice; the last list counts.
LEFT_OUT = [
    *["WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess"],
    *["HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "OptimizationHints"],
    *["AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose"],
    *["LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning"],
    *["AvoidCorsURLLoaderRestartOnRedirect", "NetworkTimeServiceQuerying"],
    *["AimEnabled", "PreconnectToSearch"],
]
SWITCHES = [
    f"--disable-features={','.join(LEFT_OUT)}",
    "--no-sandbox",  # Containers run as root, where Chromium cannot have one.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A host that is not this machine's own, so that http is no secure context.
    "--host-resolver-rules=MAP insecure.test 127.0.0.1",
]
PATIENCE_MS = 10_000


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{what}: install it where everything must run", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """Keep one event loop for all these tests: the browser belongs to it."""
    return "asyncio"


@pytest.fixture(scope="package")
async def chromium(anyio_backend):
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing("no Chromium is installed")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        missing("playwright is not installed")

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=SWITCHES)
        yield browser
        await browser.close()


@dataclass
class Tabs:
    """Opens tabs of one profile; keeps what went wrong in any of them."""

    context: object
    faults: list[str] = field(default_factory=list)

    async def __call__(self, url: str | None = None):
        tab = await self.context.new_page()
        tab.on("pageerror", lambda error: self.faults.append(str(error)))
        if url is not None:
            await tab.goto(url)
        return tab


@pytest.fixture
async def new_tab(chromium):
    """Open tabs: ``await new_tab(url)``. An error that no script catches fails."""
    context = await chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    tabs = Tabs(context)
    yield tabs
    await context.close()
    assert not tabs.faults


@pytest.fixture
async def page(new_tab):
    return await new_tab()


class Server(uvicorn.Server):
    """A server in the loop of a test: no signals, and no waits between two looks."""

    async def start(self) -> int:
        """Begin to listen, and return the port."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup()
        return self.servers[0].sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server_state.connections or self.server_state.tasks:
            # uvicorn may close a WebSocket that is closing already.
            with contextlib.suppress(InvalidState):
                await self.shutdown()
            return

        for server in self.servers:
            server.close()
        await self.lifespan.shutdown()


@contextlib.asynccontextmanager
async def serving(app):
    """Serve an ASGI app on a free port; yield its origin."""
    config = uvicorn.Config(
        app,
        port=0,
        log_level="error",
        ws="websockets-sansio",
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    port = await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


@pytest.fixture
async def serve(anyio_backend):
    """Start servers that end with the test: ``origin = await serve(app)``."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(app) -> str:
            return await stack.enter_async_context(serving(app))

        yield start


@pytest.fixture
async def open_site(serve):
    """Serve a :class:`Site` with one account: ``site = await open_site(...)``."""

    async def start(**routes) -> Site:
        site = Site(**routes)
        site.origin = await serve(site)
        await site.world.add()
        return site

    return start


@pytest.fixture
async def site(open_site):
    """A site that gives its tokens to scripts."""
    return await open_site()


@pytest.fixture
async def cookie_site(open_site):
    """A site that keeps its tokens in cookies."""
    return await open_site(delivery="cookie")


@pytest.fixture
def assets() -> Path:
    """Find Swagger UI: nothing is loaded from outside."""
    found = importlib.util.find_spec("drf_spectacular_sidecar")
    if found is None or found.origin is None:
        missing("drf-spectacular-sidecar is not installed")
    return Path(found.origin).parent / SWAGGER_UI
