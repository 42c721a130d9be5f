"""A call's timeline as HTML: who spoke when, who waited, what went wrong."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from ai_engine_quality.core.summary import Stretch
from ai_engine_quality.core.wording import clock, plural, seconds
from ai_engine_quality.palette import BLUE, GREY, ORANGE, PURPLE, SKY, VERMILLION, YELLOW
from ai_engine_quality.report.findings import Timeline
from ai_engine_quality.report.markup import Part, tag

LANES: Final = {
    "agent": ("agent", "hole"),
    "caller": ("caller", "wait", "unanswered"),
    "events": ("barge_in", "talk_over", "stall"),
}
"""What is drawn in which line; of one line, what stands later is drawn over the others."""

COLOURS: Final = {
    "agent": BLUE,
    "hole": VERMILLION,
    "caller": SKY,
    "wait": ORANGE,
    "unanswered": f"repeating-linear-gradient(45deg, {VERMILLION} 0 4px, #fff 4px 7px)",
    "barge_in": PURPLE,
    "talk_over": YELLOW,
    "stall": GREY,
}
WORDS: Final = {
    "agent": "agent speaks",
    "hole": "hole in its speech",
    "caller": "caller speaks",
    "wait": "caller waits",
    "unanswered": "no answer",
    "barge_in": "agent gives way",
    "talk_over": "both speak, and nothing stops",
    "stall": "nothing comes from the caller",
}

TICKS: Final = (5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600)
"""Seconds between two labels of the time; the least of which there are at most ten."""

STYLE: Final = """
.course { margin-top: 8px; } .course .lane { display: grid; grid-template-columns: 52px 1fr;
  gap: 8px; align-items: center; font-size: 12px; color: #555b66; }
.course .track { position: relative; height: 16px; margin: 1px 0; background: #eceef2;
  border-radius: 3px; overflow: hidden; }
.course .track div { position: absolute; top: 0; height: 100%; min-width: 2px; }
.course .times { position: relative; height: 16px; }
.course .times span { position: absolute; white-space: nowrap; }
"""


def course(found: Timeline) -> Element:
    """Return a timeline: a line for each side, one for what else happened, and the time."""
    lanes = [_lane(name, kinds, found) for name, kinds in LANES.items()]
    until = found.speech_until
    note = None if until is None else f"Of so long a call speech is kept until {clock(until)}."
    return tag(
        "div",
        *lanes,
        tag("div", tag("span"), tag("div", *_times(found.seconds), class_="times"), class_="lane"),
        tag("span", note, class_="note") if note else None,
        class_="course",
    )


def _lane(name: str, kinds: tuple[str, ...], found: Timeline) -> Part:
    stretches = [stretch for stretch in found.stretches if stretch.kind in kinds]
    if name == "events" and not stretches:
        return None
    drawn = sorted(stretches, key=lambda stretch: kinds.index(stretch.kind))
    boxes = [_box(stretch, found.seconds) for stretch in drawn]
    said = f"{name}: {plural(len(boxes), 'part')}"
    track = tag("div", *boxes, class_="track", role="img", aria_label=said)
    return tag("div", tag("span", name), track, class_="lane")


def _box(stretch: Stretch, length: float) -> Element:
    left, width = 100 * stretch.start / length, 100 * stretch.seconds / length
    return tag(
        "div",
        style=f"left:{left:.3f}%;width:{width:.3f}%;background:{COLOURS[stretch.kind]}",
        title=f"{clock(stretch.start)} {WORDS[stretch.kind]}, {seconds(round(stretch.seconds, 1))}",
    )


def _times(length: float) -> list[Element]:
    step = next((each for each in TICKS if length / each <= 10), TICKS[-1])
    places = range(0, max(1, int(length - step / 2)), step)
    return [tag("span", clock(at), style=f"left:{100 * at / length:.3f}%") for at in places]
