from __future__ import annotations

import base64
import json

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from tests.browser.site import LOG_IN, Site


def token(payload: object) -> str:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return f"e30.{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}.c2ln"


NOT_TOKENS = [
    None,
    "",
    "a.b",
    "a.%%.c",
    "..",
    42,
    {},
    token("not json"),
    token("null"),
    token([]),
    token({}),
    token({"exp": "9999999999"}),
    token({"exp": None}),
    token('{"exp": 1e999}'),
    token({"exp": 1}),
]


async def test_what_is_no_token_has_expired(site, new_tab):
    tab = await new_tab(site.page())
    judge = "(token) => [client.isExpired(token), client.secondsLeft(token)]"
    verdicts = [await tab.evaluate(judge, odd) for odd in NOT_TOKENS]
    assert verdicts == [[True, 0]] * len(NOT_TOKENS)
    assert await tab.evaluate("client.isExpired()") is True


async def test_the_end_of_a_token_is_read(site, new_tab):
    tab = await new_tab(site.page())
    good = token({"exp": 1_900_000_060.5, "name": "Zoë ÿ>>>???"})
    left = "(token) => client.secondsLeft(token, 1900000000)"
    assert await tab.evaluate(left, good) == 60.5
    judge = """(token) => { Date.now = () => 1900000000000;
      return [0, 60, 61].map((skew) => client.isExpired(token, skew)); }"""
    assert await tab.evaluate(judge, good) == [False, False, True]


async def test_nothing_is_stored_and_no_policy_is_broken(site, new_tab):
    tabs = [await new_tab(site.page()) for _ in range(2)]
    await tabs[0].evaluate(LOG_IN)
    site.age()
    await tabs[1].evaluate("auth.fetch('/notes').then(() => {})")
    await tabs[1].evaluate("auth.connect('/ws').then(() => {})")
    stored = """(async () => [localStorage.length, sessionStorage.length,
      (await indexedDB.databases()).length, (await caches.keys()).length,
      document.cookie, history.state, window.name, violations])()"""
    for tab in tabs:
        assert await tab.evaluate(stored) == [0, 0, 0, 0, "", None, "", []]


async def test_a_listener_that_fails_takes_nobody_along(site, new_tab):
    tab = await new_tab(site.page())
    await tab.evaluate(
        """{
          window.heard = [];
          auth.subscribe(({ reason }) => {
            if (reason !== "new") throw new Error("mine");
          });
          auth.subscribe(({ reason }) => heard.push(reason));
          auth.subscribe(() => heard.push("gone"))();
        }"""
    )
    await tab.evaluate(LOG_IN)
    assert await tab.evaluate("heard") == ["new", "gone", "logged_in"]
    assert new_tab.faults == ["mine"]  # Told to the page as any other.
    new_tab.faults.clear()


async def test_a_closed_client_hears_nothing(site, new_tab):
    tabs = [await new_tab(site.page()) for _ in range(2)]
    await tabs[1].evaluate("auth.close()")
    await tabs[0].evaluate(LOG_IN)
    await tabs[0].evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
    assert await tabs[1].evaluate("states.length") == 1


async def test_another_storage_is_refused(site, new_tab):
    tab = await new_tab(site.page())
    make = "client.createClient({ storage: 'localStorage' })"
    with pytest.raises(Exception, match="storage must be"):
        await tab.evaluate(make)


async def test_the_client_finds_its_routes_by_itself(site, new_tab):
    tab = await new_tab(site.page())
    await tab.evaluate("{ window.auth = client.createClient(); }")
    assert (await tab.evaluate(LOG_IN))["authenticated"]


BY_TAG = """<script type="module" src="/auth/client.js" integrity="{hash}"></script>
<script type="module">import "/auth/client.js"; window.ran = true;</script>"""
BY_MAP = """<script type="importmap">{{"integrity": {{"/auth/client.js": "{hash}"}}}}
</script><script type="module">import "/auth/client.js"; window.ran = true;</script>"""


@pytest.mark.parametrize("tampered", [False, True])
@pytest.mark.parametrize("page", [BY_TAG, BY_MAP], ids=["tag", "map"])
async def test_the_hash_lets_only_this_module_run(serve, new_tab, page, tampered):
    routes = Site().world.routes
    named = f"sha384-{'A' * 64}" if tampered else routes.client_integrity

    async def home(request):
        return HTMLResponse(page.format(hash=named))

    origin = await serve(Starlette(routes=[Route("/", home), Mount("/auth", routes)]))
    tab = await new_tab(origin)
    assert await tab.evaluate("window.ran === true") is not tampered
