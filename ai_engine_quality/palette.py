"""Okabe and Ito's palette ("Color Universal Design", 2008), which the colour-blind can tell apart.

Terminal, plots and dashboards all draw with it. Wherever one of its colours means something, a
word stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
ORANGE: Final = "#E69F00"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
BLACK: Final = "#000000"
GREY: Final = "#999999"
"""Not theirs: for what is neither good nor bad, and for lines that guide the eye."""

BANDS: Final[Mapping[str, str]] = {
    "excellent": BLUE,
    "good": SKY,
    "fair": ORANGE,
    "poor": VERMILLION,
}
"""A band's colour, wherever it is drawn: blue on one side, orange on the other.

Green as the best one comes closer to vermillion than blue does: in CIE 1976 they differ by 37 and
53 as seen by protanopes and deuteranopes, blue and vermillion by 92 and 108."""

FINE: Final = BANDS["excellent"]
BROKEN: Final = BANDS["poor"]
"""Of what has two states."""

FACTORS: Final[Mapping[str, str]] = {
    "latency": BLUE,
    "underflow": SKY,
    "fallback": GREEN,
    "barge_in": ORANGE,
    "codec": PURPLE,
    "rms": VERMILLION,
}
"""Likewise a factor's, where factors stand side by side."""
