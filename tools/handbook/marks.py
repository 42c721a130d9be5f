"""Text between two marks of a page, and Markdown tables to put there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence


def filled(page: str, parts: Mapping[str, str]) -> str:
    """Return a page with each part between its marks.

    Raises:
        ValueError: a part's marks aren't there once, or the page has marks that no part is for.
    """
    names = re.findall(r"<!-- ([\w-]+): begin -->", page)
    if sorted(names) != sorted(parts):
        raise ValueError(f"the page has marks for {sorted(names)}, and parts are {sorted(parts)}")
    for name, text in parts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{begin} has no {end} after it; add it")
        page = f"{before}{begin}\n{text.strip()}\n{end}{after}"
    return page


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; a cell's bars are escaped, its line breaks become blanks."""
    rule = "|---" * len(header) + "|"
    lines = [_line(header), rule, *(_line([_cell(value) for value in row]) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
