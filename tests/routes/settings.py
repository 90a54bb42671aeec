"""Make log-in routes from one flat list of options, as tests like to write them."""

from __future__ import annotations

from dataclasses import fields, replace

from asgi_auth.routes import AuthRoutes, LogInMethods, RouteShape

METHODS = {field.name for field in fields(LogInMethods)}
SHAPE = {field.name for field in fields(RouteShape)}


def make_routes(tokens, accounts, *, cookies=None, **options) -> AuthRoutes:
    """Sort the options into the settings that take them."""
    methods = {name: options.pop(name) for name in METHODS & options.keys()}
    shape = {name: options.pop(name) for name in SHAPE & options.keys()}
    if methods:
        options["methods"] = LogInMethods(**methods)
    if shape:
        options["shape"] = RouteShape(**shape)
    if cookies is not None and options.get("delivery", "body") != "body":
        options["delivery"] = replace(cookies, in_body=options["delivery"] == "both")
    return AuthRoutes(tokens, accounts, **options)
