"""The site's hooks: what pages link to outside ``docs/`` becomes part of the site.

The README is its first page. A link ``../FILE`` of a page in ``docs/`` leads to a copy of that
file, so that the same links serve in a checkout and on the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    "index.md": "README.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}
"""Pages of the site that stand outside ``docs/``."""

_OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside ``docs/``, and the files that pages link to there."""
    for uri, name in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    linked = {
        name
        for page in files.documentation_pages()
        for name in _OUTSIDE.findall(page.content_string)
    }
    linked |= set(re.findall(r"\]\((?!docs/|https?:|#)([^)#]+)", (ROOT / "README.md").read_text()))
    for name in sorted(linked - set(PAGES.values())):
        files.append(File.generated(config, _copy_of(name), abs_src_path=str(ROOT / name)))
    return files


def _copy_of(name: str) -> str:
    return f"files/{name}"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  # MkDocs passes all four, by name
    """Let links lead to where their files stand on the site."""
    if page.file.src_uri in PAGES:
        markdown = re.sub(
            r"\]\((?!docs/|https?:|#)([^)#]+)", lambda found: f"]({_on_site(found[1])}", markdown
        )
        return markdown.replace("](docs/", "](")
    return _OUTSIDE.sub(lambda found: f"]({_on_site(found[1])}", markdown)


def _on_site(name: str) -> str:
    for uri, page in PAGES.items():
        if name == page:
            return uri
    return _copy_of(name)
