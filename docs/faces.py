"""A Sphinx extension that describes what each public module promises.

It describes nothing itself: autodoc does, from the docstrings. A page names its module
in a comment, ``<!-- face: asgi_auth.stores -->``, and gets a table of its names and a
description of each.
"""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sphinx.pycode import ModuleAnalyzer
from values import shown_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

REFERENCE = Path(__file__).parent / "reference"
MARKER = re.compile(r"<!-- face: (?P<module>[\w.]+) -->")
IMPORT = re.compile(r"^ *from (asgi_auth[\w.]*) import (\([^)]*\)|.+)", re.MULTILINE)
FORMLESS = re.compile(r"<[^<>]*>")
MOST_EXAMPLES = 3
TOP = "asgi_auth"
ASGI = "asgi_auth._asgi"
# Autodoc would ask these proxies for what stands behind them.
PROXIES = {
    ("asgi_auth.integrations.quart", "current_principal"),
    ("asgi_auth.integrations.quart", "current_user"),
}


def write_faces(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the table and the descriptions in the place of each marker."""
    del app, docname
    source[0] = MARKER.sub(lambda match: face_of(match["module"]), source[0])


def face_of(module: str) -> str:
    """Write what a module promises."""
    names = importlib.import_module(module).__all__
    own = [name for name in names if page_of(module, name) == module]
    described = "\n".join(described_by(module, name) for name in own)
    return f"{table(module, names)}\n\n```{{eval-rst}}\n{described}\n```\n"


def table(module: str, names: list[str]) -> str:
    """Name everything, with one line each."""
    rows = (
        f"| {{py:obj}}`{name} <{page_of(module, name)}.{name}>` | "
        f"{first_line(module, name)} |"
        for name in names
    )
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def first_line(module: str, name: str) -> str:
    """Return the first sentence about a name, without roles."""
    text = text_of(module, name).strip().partition("\n\n")[0]
    text = re.sub(r":\w+:`~?([^`<]+)(?: <[^`]*)?`", shown, text.replace("\n", " "))
    return re.sub(r"`{2}", "`", text).replace("|", "\\|")


def shown(match: re.Match[str]) -> str:
    """Show a reference as code."""
    title = match[1].strip()
    return f"`{title.rpartition('.')[2] if match[0].count('~') else title}`"


def text_of(module: str, name: str) -> str:
    """Return what is written about a name, be it a class or a constant."""
    thing = getattr(importlib.import_module(module), name)
    if is_described_by_itself(module, name):
        return inspect.getdoc(thing) or ""

    return " ".join(
        ModuleAnalyzer.for_module(home(module, name)).find_attr_docs()["", name]
    )


def is_described_by_itself(module: str, name: str) -> bool:
    """Tell classes and functions from constants, types and proxies."""
    if (module, name) in PROXIES:
        return False

    thing = getattr(importlib.import_module(module), name)
    return inspect.isclass(thing) or inspect.isroutine(thing)


def described_by(module: str, name: str) -> str:
    """Have autodoc describe one name."""
    if not is_described_by_itself(module, name):
        text = text_of(module, name).strip()
        lines = "\n".join(f"   {line}".rstrip() for line in text.splitlines())
        return f".. py:data:: {module}.{name}\n\n{lines}\n"

    thing = getattr(importlib.import_module(module), name)
    kind = "function" if inspect.isroutine(thing) else "class"
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        kind = "exception"

    again = "" if module == first_of(thing, name) else "   :no-index:\n"
    head = f".. auto{kind}:: {module}.{name}\n{again}{from_inside(thing)}"
    return f"{head}\n{examples_of(module, name)}"


def examples_of(module: str, name: str) -> str:
    """Name the pages whose examples import a name, or else those that mention it."""
    pages_ = example_pages()
    shown = [page for page, names in pages_.items() if (module, name) in names]
    word = re.compile(rf"`[^`\n]*\b{name}\b[^`\n]*`")
    title = "Examples"
    if not shown:
        shown = [page for page in pages_ if word.search(text_of_page(page))]
        title = "Mentioned in"

    links = ", ".join(f":doc:`/{page}`" for page in shown[:MOST_EXAMPLES])
    line = f"   **{title}:** {links}\n" if shown else ""
    return values().get((module, name), "") + line


@cache
def values() -> dict[tuple[str, str], str]:
    """Return the examples of what names give back, by the page and name they are of."""
    shown = shown_values(REFERENCE / "values.md")
    return {(page_of(*whose), whose[1]): code for whose, code in shown.items()}


@cache
def text_of_page(page: str) -> str:
    """Return the source of a page."""
    return (REFERENCE.parent / f"{page}.md").read_text("utf-8")


@cache
def example_pages() -> dict[str, frozenset[tuple[str, str]]]:
    """Return what the examples of each page import, those with the fewest names first.

    A page that imports little is about it.
    """
    docs = REFERENCE.parent
    found = {
        page.relative_to(docs).with_suffix("").as_posix(): imports_of(page)
        for folder in ("tutorial", "how-to", "explanation")
        for page in sorted((docs / folder).glob("*.md"))
    }
    return dict(sorted(found.items(), key=lambda item: len(item[1])))


def imports_of(page: Path) -> frozenset[tuple[str, str]]:
    """Return module and name of all that the examples of a page import from us."""
    return frozenset(
        (page_of(module, name) if is_shown(module, name) else module, name)
        for module, names in IMPORT.findall(page.read_text("utf-8"))
        for name in re.findall(r"\w+", names)
    )


def is_shown(module: str, name: str) -> bool:
    """Tell whether a page of the reference describes a name."""
    return ".integrations" in module or any(name in n for n in pages().values())


def from_inside(thing: Any) -> str:
    """Have members described that a class has from one of ours which no page shows."""
    bases = thing.__mro__[1:] if inspect.isclass(thing) else ()
    shown = {name for names in pages().values() for name in names}
    inside = [
        b for b in bases if b.__module__.startswith(TOP) and b.__name__ not in shown
    ]
    if not inside:
        return ""

    others = ", ".join(base.__name__ for base in bases if base not in inside)
    return f"   :inherited-members: {others}\n"


def first_of(thing: Any, name: str) -> str:
    """Return the first module with a page that promises this very thing."""
    return next(
        module
        for module, names in pages().items()
        if name in names and getattr(importlib.import_module(module), name) is thing
    )


def home(module: str, name: str) -> str:
    """Return the module in which a constant is written down."""
    for candidate in (module, *submodules(importlib.import_module(module)), ASGI):
        with_docs = ModuleAnalyzer.for_module(candidate).find_attr_docs()
        if ("", name) in with_docs:
            return candidate

    msg = f"nothing is written about {module}.{name}"
    raise LookupError(msg)


def submodules(package: Any) -> Iterator[str]:
    """Name the modules of a package, and those that the top takes things from."""
    folder = Path(package.__file__).parent
    is_package = Path(package.__file__).name == "__init__.py"
    paths = folder.rglob("*.py") if is_package else ()
    for path in sorted(paths):
        relative = path.relative_to(
            folder.parent if package.__name__ == TOP else folder
        )
        prefix = "" if package.__name__ == TOP else f"{package.__name__}."
        yield prefix + ".".join(relative.with_suffix("").parts).removesuffix(
            ".__init__"
        )


@cache
def pages() -> dict[str, list[str]]:
    """Return the modules that pages describe, with their names; the top comes last."""
    found = {
        match["module"]: importlib.import_module(match["module"]).__all__
        for page in sorted(REFERENCE.glob("*.md"))
        for match in MARKER.finditer(page.read_text("utf-8"))
    }
    # Adapters use the same verbs as the core, which a bare name means.
    ordered = sorted(found, key=lambda m: (".integrations" in m, m == TOP, m))
    return {module: found[module] for module in ordered}


def page_of(module: str, name: str) -> str:
    """Return the module whose page describes a name that *module* exports."""
    if ".integrations" in module:
        return module

    return next(m for m, names in pages().items() if name in names)


def home_of(target: str) -> str | None:
    """Complete ``KeySet.generate``, or a name where it is defined, to a public one."""
    parts = target.removeprefix("asgi_auth.").split(".")
    for module, names in pages().items():
        if target.startswith(f"{module}.") and parts[-1] in names:
            return f"{module}.{parts[-1]}"

    for start, part in enumerate(parts):
        owner = next((m for m, names in pages().items() if part in names), None)
        if owner is not None:
            return ".".join([owner, part, *parts[start + 1 :]])

    return None


def is_inside(target: str) -> bool:
    """Tell whether something of ours has this full name, or this name in its module."""
    return any(exists(f"{module}.{target}") for module in modules()) or exists(target)


def exists(target: str) -> bool:
    """Tell whether a full name leads to anything of ours."""
    module, _, name = target.rpartition(".")
    while module.startswith(TOP):
        if module in modules():
            return hasattr(importlib.import_module(module), name)

        module, _, name = module.rpartition(".")

    return target in modules()


@cache
def modules() -> frozenset[str]:
    """Name all modules of the package that can be imported here."""
    return frozenset(
        filter(is_importable, [TOP, *submodules(importlib.import_module(TOP))])
    )


def is_importable(module: str) -> bool:
    """Tell whether everything that a module needs is installed."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False

    return True


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

    What a signature names but no page describes stays plain text: a type variable, or
    something that is not promised.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target:
        return None

    domain, page = env.domains["py"], home_of(target)
    if page is not None:
        found = domain.resolve_xref(
            env, node["refdoc"], app.builder, "obj", page, node, content
        )
        if found is not None:
            return found

    return content if is_inside(target) else None


def write_defaults(*described: Any) -> tuple[str, str | None] | None:
    """Show a default that has no form in Python as ``...``: a factory, a function.

    Sphinx cannot parse ``<factory>`` or ``<function ...>``, and would then split the
    whole signature at its commas.
    """
    signature, returns = described[-2:]
    if not signature or "<" not in signature:
        return None

    return FORMLESS.sub("...", signature), returns


def setup(app: Sphinx) -> dict[str, bool]:
    """Hook the functions above into the build."""
    app.connect("autodoc-process-signature", write_defaults)
    app.connect("missing-reference", resolve_home)
    app.connect("source-read", write_faces)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
