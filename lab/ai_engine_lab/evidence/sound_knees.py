"""Where the evidence puts the ceilings of what an agent sounds like, by the fitted samples alone.

One fault at a time, as :mod:`knees` does it for fillers and clipping: a ceiling stands where the
samples are heard as no better than its score, by the mean of PESQ and ViSQOL on the R scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from ai_engine_lab.evidence.hearing import HeardSample
from ai_engine_lab.evidence.knees import ceilings_of
from ai_engine_quality import toolkit
from ai_engine_quality.toolkit import HeardTrack


class _Fit(NamedTuple):
    """What a rule is fitted to."""

    kinds: tuple[str, ...]
    clean: float
    """Well over what clean speech of any fitted voice comes to: nothing is blamed below."""
    value: Callable[[HeardTrack], float | None]


HELD_SHARE: Final = 0.45
"""Of the frames: with fewer held ones a track is not held. In clean speech 0.12."""


def _times_held(track: HeardTrack) -> float:
    return (track.times_held or 0.0) if (track.sound.held or 0.0) >= HELD_SHARE else 0.0


_MISREAD: Final = (
    "u-law read as A-law",
    "A-law read as u-law",
    "u-law read as linear",
    "linear read as u-law",
    "bytes swapped",
)
_FITS: Final[dict[str, _Fit]] = {
    "noise_level": _Fit(("white noise", "pink noise", *_MISREAD), 0.014, lambda t: t.sound.noise),
    "noisy_seconds": _Fit(("corrupt seconds", "noisy seconds"), 0.01, lambda t: t.noisy_share),
    "held_samples": _Fit(("held samples", "straight lines"), 1.2, _times_held),
    "edges": _Fit(
        ("clicks at edges", "clicks at each second edge", "converter resets", "frames missing"),
        0.025,
        lambda t: t.sound.edges,
    ),
    "clicks": _Fit(("impulses", "bit errors", "wrap-around"), 0.1, lambda t: t.sound.clicks),
    "repeated": _Fit(("frames repeated",), 0.008, lambda t: t.share_of_frames(t.sound.repeated)),
    "cut_speech": _Fit(("frames silent",), 0.008, lambda t: t.cut),
    "narrow": _Fit(("low pass", "aliasing"), 40.0, lambda t: t.dullness),
    "thin": _Fit(("high pass",), 16.0, lambda t: t.thinness),
}


def proposed_sound(samples: Iterable[HeardSample]) -> dict[str, Any]:
    """Return the ceilings that the fitted samples propose, by rule."""
    fitted = [sample for sample in samples if sample.fitted]
    return {rule: _over(fit.clean, ceilings_of(_pairs(fitted, fit))) for rule, fit in _FITS.items()}


def _over(clean: float, steps: list[list[float]]) -> list[list[float]]:
    """Return the steps beyond what clean speech comes to, where the first of them begins."""
    below = [ceiling for value, ceiling in steps if value <= clean]
    first = [[clean, below[-1]]] if below else []
    return first + [step for step in steps if step[0] > clean]


def _pairs(samples: list[HeardSample], fit: _Fit) -> list[tuple[float, float]]:
    """Return (value, opinion) of every sample in which the fault, or nothing, is wrong."""
    pairs = []
    for sample in samples:
        track = toolkit.heard_track(sample.summary)
        value = None if track is None else fit.value(track)
        if sample.kind in ("clean", *fit.kinds) and value is not None:
            pairs.append((value, sample.heard_as))
    return pairs
