"""Text between two marks of a page, and Markdown tables to put there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def filled(page: str, parts: Mapping[str, str]) -> str:
    """Return a page with each part between its marks.

    Raises:
        ValueError: a part's marks aren't there once, or the page has marks that no part is for.
    """
    names = re.findall(r"<!-- ([\w -]+): begin -->", page)
    if sorted(names) != sorted(parts):
        raise ValueError(
            f"the page has marks for {sorted(names)}, and parts are {sorted(parts)}: put "
            f"{' and '.join(_marks(next(iter(parts), 'NAME')))} where each part belongs, once"
        )
    for name, text in parts.items():
        begin, end = _marks(name)
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{begin} has no {end} after it; add it")
        page = f"{before}{begin}\n{text.strip()}\n{end}{after}"
    return page


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def write(page: Path, parts: Mapping[str, str]) -> None:
    """Write each part between its marks on a page; a page that doesn't fit is left as it is.

    Raises:
        ValueError: as :func:`filled`.
    """
    page.write_text(filled(page.read_text(encoding="utf-8"), parts), encoding="utf-8")


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, right: bool = False) -> str:
    """Return a Markdown table; a cell's bars are escaped, its line breaks become blanks.

    With ``right`` every column but the first is ranged right, as numbers are.
    """
    rule = "|---" + ("|---:" if right else "|---") * (len(header) - 1) + "|"
    lines = [_line(header), rule, *(_line([_cell(value) for value in row]) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
