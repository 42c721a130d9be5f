"""What share of an engine's processor time is the library's, by the samples of py-spy.

    py-spy record --pid ENGINE --duration 75 --rate 1000 --format raw --output samples.txt
    python -m ai_engine_lab.real_calls.samples samples.txt

Whole runs of the same engine differ by ten per cent and more from one process to the next, and a
share of a few per cent can't be read off them; samples of one process tell it apart from the rest.
A sample belongs to whoever's code is innermost, the library's or the engine's: what either calls,
as numpy or a log, is theirs. py-spy stops the process for each sample, so that what is short and
frequent costs a little more than without it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

LIBRARY: Final = re.compile(r"\((?:.*/)?(ai_engine_quality/[^:]*):")
ENGINE: Final = re.compile(r"\((?:.*/)?src/[^:]*:")


@dataclass(slots=True)
class Samples:
    """How many samples there are, and how many are the library's."""

    total: int = 0
    library: int = 0
    modules: Counter[str] = field(default_factory=Counter)
    """The library's, by the file of the innermost frame."""

    @property
    def share(self) -> float:
        """What the library adds to all else, as a share of that."""
        return self.library / (self.total - self.library)


def count(lines: Iterable[str]) -> Samples:
    """Return what lines of "frame;frame;frame number" hold, the innermost frame last."""
    samples = Samples()
    for line in lines:
        stack, _, number = line.rpartition(" ")
        samples.total += int(number)
        for frame in reversed(stack.split(";")):
            if found := LIBRARY.search(frame):
                samples.library += int(number)
                samples.modules[found[1]] += int(number)
            elif not ENGINE.search(frame):
                continue
            break
    return samples


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(path: Path) -> None:
    """Print the library's share of the samples in a file, and which of its modules they are in."""
    try:
        samples = count(path.read_text().splitlines())
    except ValueError:
        samples = Samples()
    if not samples.total:
        raise click.ClickException(f"{path} isn't what py-spy writes: give it --format raw")
    click.echo(
        f"{samples.library} of {samples.total} samples are the library's: it adds"
        f" {100 * samples.share:.1f} % to what the engine uses"
    )
    for module, number in samples.modules.most_common():
        click.echo(f"{100 * number / samples.library:5.1f} %  {module}")


if __name__ == "__main__":
    main()
