"""The evidence's CSV files are read by their columns, all of which must be there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a file.

    Raises:
        ValueError: a column is missing, or is one too many.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if tuple(rows.fieldnames or ()) != tuple(columns):
            raise ValueError(f"{path} must have the columns {', '.join(columns)}; measure anew")
        return list(rows)
