"""``make handbook``: write the generated parts of the handbook's pages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from handbook import evidence_page, faults_page, metrics_page, monitoring_page, scoring_page
from handbook.marks import filled, write

DOCS = Path(__file__).parent.parent.parent / "docs"

PAGES: Mapping[str, Callable[[], dict[str, str]]] = {
    "Evidence.md": evidence_page.parts,
    "Metrics.md": metrics_page.parts,
    "Monitoring-Guide.md": monitoring_page.parts,
    "Reference-Engine.md": faults_page.parts,
    "Scoring.md": scoring_page.parts,
}


def page(name: str) -> str:
    """Return a page as it must be: what is written by hand, and its generated parts anew."""
    return filled((DOCS / name).read_text(encoding="utf-8"), PAGES[name]())


def main() -> None:
    """Write every page that has generated parts."""
    for name in PAGES:
        write(DOCS / name, PAGES[name]())
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
