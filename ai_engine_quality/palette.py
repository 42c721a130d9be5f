"""Okabe and Ito's palette ("Color Universal Design", 2008), which the colour-blind can tell apart.

Terminal, plots and dashboards all draw with it. Wherever one of its colours means something, a
word stands beside it.
"""

from __future__ import annotations

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
