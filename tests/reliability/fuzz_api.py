"""Fuzz the public API, led by coverage: ``make fuzz``, or ``fuzz_api.py -max_total_time=600``.

Atheris (libFuzzer) instruments the package and looks for bytes that reach more of it; Hypothesis
turns the bytes into a session of ``anything.py``. It ends at the first exception that comes out, or
the first sum that doesn't add up; without one it runs until the time is over.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["ai_engine_quality"]):
    import ai_engine_quality  # noqa: F401  # instrumented before the session imports it

from anything import SESSIONS, play
from hypothesis import given, settings

SEEDS = 64
SEED_BYTES = 4_096
TELL_EVERY = 500

_done = {"sessions": 0, "steps": 0}


@settings(database=None, deadline=None)
@given(SESSIONS)
def session(steps: list[tuple[str, object, object]]) -> None:
    """Have a session of these steps."""
    play(steps)
    _done["sessions"] += 1
    _done["steps"] += len(steps)
    if _done["sessions"] % TELL_EVERY == 0:
        print(f"{_done['sessions']:,} sessions of {_done['steps']:,} steps", flush=True)  # noqa: T201


def main() -> None:
    """Fuzz, from bytes by chance: from nothing, it takes long to find a session of many steps."""
    random = Random(1)  # noqa: S311  # no secrets
    with tempfile.TemporaryDirectory() as corpus:
        for number in range(SEEDS):
            Path(corpus, str(number)).write_bytes(random.randbytes(SEED_BYTES))
        options = [f"-max_len={SEED_BYTES}", "-len_control=0", *sys.argv[1:], corpus]
        atheris.Setup([sys.argv[0], *options], session.hypothesis.fuzz_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
