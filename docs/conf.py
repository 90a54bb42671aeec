"""How the documentation is built: Sphinx, MyST and furo, with every link checked."""

from __future__ import annotations

import builtins
import importlib.util
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "asgi-auth"
author = "the asgi-auth authors"
project_copyright = f"2026, {author}"
release = version = version_of("asgi-auth")

extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "faces",  # Below autodoc, whose events it hears.
    "emphasis",
    "whole",
    "searchwords",
    "tables",
    "llms",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"asgi-auth {release}"
html_static_path = ["_static"]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

# A click copies what one types: neither prompts nor what the command prints.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

add_module_names = False
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "exclude-members": "model_config",  # Pydantic's.
}
autodoc_mock_imports = [
    name
    for name in ("channels", "django", "fastapi", "litestar", "nexios", "quart")
    if importlib.util.find_spec(name) is None
]
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Every reference to a name of ours must resolve. Other people's inventories would
# have to be fetched, and a build must pass without a network.
_theirs = [
    *sys.stdlib_module_names,
    "_pytest",
    "annotated_types",
    "anyio",
    "cryptography",
    "django",
    "fastapi",
    "httpx2",
    "jwt",
    "litestar",
    "mcp",
    "nexios",
    "passlib",
    "pydantic",
    "quart",
    "redis",
    "rest_framework",
    "sqlalchemy",
    "starlette",
]
nitpick_ignore_regex = [
    (r"py:.*", rf"({'|'.join(map(re.escape, _theirs))})(\..*)?"),
    (r"py:.*", rf"({'|'.join(dir(builtins))})"),
    (r"py:.*", r"(Any|Callable|Literal|Mapping|Sequence|Self|optional)"),
    # What Pydantic writes into the signatures of models.
    (r"py:.*", r"(ConfigDict|FieldInfo|MaxLen|NoneType|tuple\[.*)"),
]
linkcheck_ignore = [r"https?://localhost", r"https?://[\w.]*\bexample\b"]
