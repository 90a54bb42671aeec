"""Builds what the search of the documentation reads, and none of the pages.

The index is made of what Sphinx has read, so that it is that of the pages. The
reference stays away: no question is answered there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = {"exclude_patterns": ["_build", "reference/*"], "html_theme": "basic"}


class SearchBuilder(StandaloneHTMLBuilder):
    """Writes the index, and the scripts that read it."""

    name = "search"

    def write_doc(self, docname, doctree):
        """Write no page: it has been read for the index already."""

    def handle_page(self, *arguments, **options):
        """Write no list and no form either."""


class Search(Sphinx):
    """Sphinx, which knows the builder above, and looks for nothing in the reference."""

    def setup_extension(self, extname):
        if extname != "faces":
            super().setup_extension(extname)

    def preload_builder(self, name):
        self.add_builder(SearchBuilder)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    app = Search(
        *(DOCS, DOCS, folder, folder / "doctrees", SearchBuilder.name),
        confoverrides=SETTINGS,
        status=None,
        warning=None,  # Links to the reference lead nowhere.
    )
    app.build()
    sys.exit(app.statuscode)
