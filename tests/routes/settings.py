"""Make log-in routes from one flat list of options, as tests like to write them."""

from __future__ import annotations

from asgi_auth.routes import AuthRoutes, LogInMethods, RouteModels

METHODS = ("factors", "second_factor", "passkeys", "identities")
MODELS = ("user_data", "camel_case", "max_body")


def make_routes(tokens, accounts, **options) -> AuthRoutes:
    """Sort the options into the settings that take them."""
    methods = {name: options.pop(name) for name in METHODS if name in options}
    models = {name: options.pop(name) for name in MODELS if name in options}
    if methods:
        options["methods"] = LogInMethods(**methods)
    if models:
        options["models"] = RouteModels(**models)
    return AuthRoutes(tokens, accounts, **options)
