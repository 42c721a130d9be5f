"""The dashboards' colours: bands, marks and series are told apart, by the colour-blind too."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ai_engine_dashboards import colours

from ai_engine_quality import Band, palette
from ai_engine_quality.cli.output import BAND_STYLES
from ai_engine_quality.report.page import BAND_COLOURS
from ai_engine_quality.toolkit import FACTORS

LEAST = 15.0
"""CIE 1976: 2.3 is just noticeable side by side; lines and legends stand apart."""

SEEN_BY = {
    "all cones": np.eye(3),
    "protanopes": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopes": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopes": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""Linear RGB as each sees it: Machado, Oliveira and Fernandes 2009, severity 1."""

TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
WHITE = (0.95047, 1.0, 1.08883)


def lab(colour, cones):
    """Return a colour in CIE 1976 L*a*b*, as somebody with these cones sees it."""
    encoded = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio = np.array(TO_XYZ) @ np.clip(np.array(cones) @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def least_difference(wanted, cones):
    """Return the two most similar of some colours, and how much they differ."""
    pairs = itertools.combinations(wanted, 2)
    return min((np.linalg.norm(lab(a, cones) - lab(b, cones)), a, b) for a, b in pairs)


@pytest.mark.parametrize("cones", SEEN_BY)
def test_no_two_of_bands_marks_and_series_look_alike(cones):
    """Whoever looks, a provider's line is no band, and neither is an alert's mark."""
    wanted = [*colours.BANDS.values(), colours.ALERT_MARK, colours.RESTART_MARK, *colours.SERIES]
    assert len(set(wanted)) == len(wanted)
    assert least_difference(wanted, SEEN_BY[cones])[0] >= LEAST


def test_every_band_and_factor_has_its_colour():
    """In their order, as legends show them."""
    assert list(palette.BANDS) == [band.value for band in Band]
    assert list(palette.FACTORS) == list(FACTORS)


@pytest.mark.parametrize("band", Band)
def test_a_band_has_one_colour_wherever_it_is_drawn(band):
    """Excellent was blue in Grafana, and green in a terminal and in reports."""
    drawn = {BAND_STYLES[band].split()[-1], BAND_COLOURS[band], colours.BANDS[band]}
    assert drawn == {palette.BANDS[band]}


@pytest.mark.parametrize("cones", SEEN_BY)
def test_excellent_is_farthest_from_poor(cones):
    """A glance tells a good day from a bad one: green and vermillion differ by 37 at worst."""
    best, worst = palette.BANDS["excellent"], palette.BANDS["poor"]
    assert least_difference([best, worst], SEEN_BY[cones])[0] > 90


def test_what_looks_alike_is_found():
    """So that the test before means something: red and green are one to protanopes."""
    assert least_difference(["#A05000", "#507800"], SEEN_BY["all cones"])[0] > LEAST
    assert least_difference(["#A05000", "#507800"], SEEN_BY["protanopes"])[0] < LEAST


@pytest.mark.parametrize("named", ["PROVIDERS", "QUANTILES", "STAGES"])
def test_what_is_neither_good_nor_bad_has_no_bands_colour(named):
    """Providers, quantiles and stages have colours of the series, each its own."""
    found = list(getattr(colours, named).values())
    assert set(found) <= set(colours.SERIES)
    assert len(set(found)) == len(found)


def test_only_faults_among_the_end_reasons_have_a_faults_colour():
    """`end-of-stream` is how a segment should end, and blue."""
    bad = {colours.BROKEN, colours.BANDS["fair"]}
    assert {name for name, colour in colours.END_REASONS.items() if colour in bad} == {
        "transport-failure",
        "keepalive-timeout",
    }
    assert colours.END_REASONS["end-of-stream"] == colours.FINE
