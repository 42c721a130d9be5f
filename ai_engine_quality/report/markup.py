"""HTML as a tree: whatever stands in it is escaped when it is written, without exception."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, tostring  # only writes: nothing is parsed

from ai_engine_quality.core.wording import printable

Part = Element | str | None

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The page loads nothing and runs nothing, and says so to the browser."""


def tag(name: str, /, *parts: Part, **attributes: str) -> Element:
    """Return an element. A trailing underscore in an attribute's name is left out: ``class_``."""
    names = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    element = Element(name, names)
    for part in parts:
        if isinstance(part, Element):
            element.append(part)
        elif part is not None:
            _append_text(element, part)
    return element


def _append_text(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def document(title: str, style: str, *body: Part) -> str:
    """Return a whole page, in UTF-8.

    Args:
        title: Also what a browser's tab shows.
        style: CSS of the program's own: HTML has no way to escape it.
        body: What is in it.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", style),
    )
    page = tag("html", head, tag("body", *body), lang="en")
    return "<!DOCTYPE html>\n" + printable(tostring(page, encoding="unicode", method="html")) + "\n"
