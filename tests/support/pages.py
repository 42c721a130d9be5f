"""The handbook's pages as a reader meets them: headings, links, and blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent.parent
PAGES = tuple(
    sorted(
        [
            *(ROOT / "docs").glob("*.md"),
            *(ROOT / f"{n}.md" for n in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
        ]
    )
)


@dataclass(frozen=True)
class Page:
    """One page, parsed."""

    path: Path
    headings: tuple[str, ...]
    links: tuple[str, ...]
    """Targets of links and pictures, as they are written."""
    blocks: tuple[tuple[str, str], ...]
    """Each block of code: its language and its text."""

    @property
    def anchors(self):
        """Its headings' anchors, as GitHub and the site make them; a second one is numbered."""
        seen, out = {}, []
        for heading in self.headings:
            slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            count = seen[slug] = seen.get(slug, -1) + 1
            out.append(f"{slug}-{count}" if count else slug)
        return out

    def code(self, language):
        """Return the texts of the blocks in a language."""
        return [text for info, text in self.blocks if info == language]

    def section(self, heading):
        """Return the text under a heading, to the next one of the same or a higher level."""
        found = re.search(
            rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,3}} |\Z)",
            self.path.read_text(),
            re.MULTILINE | re.DOTALL,
        )
        return found[2]


@cache
def page(path):
    """Return a page, parsed."""
    headings, links, blocks = [], [], []
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text())
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            headings.append(_plain(tokens[index + 1]))
        if token.type == "fence":
            blocks.append((token.info.strip(), token.content))
        for child in token.children or ():
            if child.type == "link_open":
                links.append(child.attrs["href"])
            elif child.type == "image":
                links.append(child.attrs["src"])
    return Page(path, tuple(headings), tuple(links), tuple(blocks))


def _plain(inline):
    return "".join(c.content for c in inline.children if c.type in ("text", "code_inline"))


def named(name):
    """Return a page of docs/ by its name."""
    return page(ROOT / "docs" / name)


def everywhere():
    """Return every page."""
    return [page(path) for path in PAGES]


def commands():
    """Yield (page, command line) of every console block, continued lines joined."""
    for found in everywhere():
        for text in found.code("console"):
            for line in text.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    yield found, line[2:].split("  #")[0].strip()
