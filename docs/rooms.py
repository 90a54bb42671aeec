"""A Sphinx extension that describes every public module, and finds names in them.

It describes nothing itself: autodoc does, from the docstrings.
"""

from __future__ import annotations

import contextlib
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sphinx.pycode import ModuleAnalyzer

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PACKAGE = Path(__file__).parent.parent / "asgi_auth"
MARKER = "<!-- rooms -->"
# Two modules pass it on, and one describes it.
ELSEWHERE = {"asgi_auth.integrations.channels": ("RefusalMiddleware",)}
PROXIES = {"asgi_auth.integrations.quart": ("current_principal", "current_user")}


def name_of(path: Path) -> str:
    """Name a module by the path of its file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def is_private(name: str) -> bool:
    """Tell whether a full name has a part that begins with an underscore."""
    return any(part.startswith("_") for part in name.split("."))


def section_of(path: Path) -> str:
    """Write the section of one module; a package is described by its modules."""
    name = name_of(path)
    options = "   :no-members:\n" if path.name == "__init__.py" else ""
    proxies = PROXIES.get(name, ())
    left_out = (*proxies, *ELSEWHERE.get(name, ()))
    if left_out:
        options += f"   :exclude-members: {', '.join(left_out)}\n"

    described = "".join(described_by_hand(name, proxy) for proxy in proxies)
    rst = f".. automodule:: {name}\n{options}{described}"
    return f"## {name}\n\n```{{eval-rst}}\n{rst}```\n"


def described_by_hand(module: str, proxy: str) -> str:
    """Describe a proxy, which autodoc would ask for what stands behind it."""
    documented = ModuleAnalyzer.for_module(module).find_attr_docs()
    text = " ".join(documented["", proxy]).strip()
    return f"\n.. py:data:: {module}.{proxy}\n\n   {text}\n"


def write_rooms(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put a section for each public module in the place of the marker."""
    del app, docname
    if MARKER not in source[0]:
        return

    paths = [p for p in sorted(PACKAGE.rglob("*.py")) if not is_private(name_of(p))]
    source[0] = source[0].replace(MARKER, "\n".join(map(section_of, paths)))


@cache
def homes() -> dict[str, str]:
    """Map each name that a module exports to its full name, where it is defined."""
    found: dict[str, str] = {}
    # Adapters use the same verbs as the core, which a bare name means.
    paths = sorted(PACKAGE.rglob("*.py"), key=lambda p: ("integrations" in p.parts, p))
    for path in paths:
        if path.name == "__init__.py":
            continue

        with contextlib.suppress(ImportError):  # Autodoc complains of it.
            module = importlib.import_module(name_of(path))
            for name in getattr(module, "__all__", ()):
                found.setdefault(name, f"{module.__name__}.{name}")

    return found


def home_of(target: str) -> str | None:
    """Complete ``KeySet.generate`` or ``asgi_auth.KeySet`` to its full name."""
    parts = target.removeprefix("asgi_auth.").split(".")
    for start, part in enumerate(parts):
        if part in homes():
            return ".".join([homes()[part], *parts[start + 1 :]])

    return None


def is_type_variable(target: str) -> bool:
    """Tell whether a full name is that of a type variable, which has no description."""
    module, _, name = target.rpartition(".")
    try:
        return isinstance(getattr(importlib.import_module(module), name), TypeVar)
    except (ImportError, AttributeError, ValueError):
        return False


def resolve_home(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> Any:
    """Let a reference by a short name arrive where the thing is described.

    What a signature names but nobody describes, a private class or a type variable,
    stays plain text.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target:
        return None

    home = home_of(target)
    if is_type_variable(target) or is_private(home or target):
        return content

    if home is None:
        return None

    domain = env.domains["py"]
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", home, node, content
    )


def write_factories(*described: Any) -> tuple[str, str | None] | None:
    """Show the default of a dataclass's factory as ``...``.

    Sphinx cannot parse ``<factory>``, and would then split the whole signature at
    its commas.
    """
    signature, returns = described[-2:]
    if not signature or "<factory>" not in signature:
        return None

    return signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> dict[str, bool]:
    """Hook the functions above into the build."""
    app.connect("autodoc-process-signature", write_factories)
    app.connect("missing-reference", resolve_home)
    app.connect("source-read", write_rooms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
