"""Draw the dashboards and the diagnosis cards, from live data, into docs/img.

`make pictures` runs this: reference engines with traffic and faults, a real Prometheus, and
Grafana's own components in a headless Chromium. It takes some minutes. With arguments only the
named pictures are drawn. `--keep FILE` keeps the history there, and takes it from there when it
exists.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ai_engine_lab.engine import Generation

from ai_engine_pictures.cards import Card, read_cards
from ai_engine_pictures.dashboards import Dashboard, TimeRange, read_dashboards
from ai_engine_pictures.drawing import Browser, Drawing, Source, card_parts, dashboard_parts
from ai_engine_pictures.history import STEP_SECONDS, EngineHistory, Series, record
from ai_engine_pictures.prometheus import LocalPrometheus, read_rules

ROOT: Final = Path(__file__).parent.parent.parent.parent
OUT: Final = ROOT / "docs" / "img"
RULES: Final = [
    ROOT / "monitoring" / name
    for name in ("rules/ai-engine.yml", "rules/call-report.yml", "alerts/ai-engine.yml")
]

UNTIL: Final = 1_764_064_920.0
"""25 November 2025, 10:02 UTC: always the same, so that pictures differ only where they should."""
SECONDS: Final = 2 * 3_600.0
CARD_LOOKBACK: Final = 20 * 60.0
ENGINES: Final[dict[str, tuple[Generation, float, int]]] = {
    "voice-1:15000": ("2026-08", 120.0, 7),
    "voice-2:15000": ("2025-10", 60.0, 8),
}
"""Generation of the metrics, calls an hour, and seed. Old metrics grow with every call."""
WORST_CALL: Final = (
    'bottomk(1, last_over_time(ai_agent_call_quality_score{instance="voice-2:15000"}[1h]))'
)
"""Whose call the drill-down shows: only the old engine has metrics of its own for each call."""


def main() -> None:
    """Draw what is asked for."""
    options = _options()
    cards = read_cards()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        series = _history(cards, options.keep)
        server = stack.enter_context(LocalPrometheus(folder))
        _say("writing the history into Prometheus, and working out the rules")
        server.write(series)
        server.work_out(read_rules(RULES, STEP_SECONDS), UNTIL - SECONDS, UNTIL)
        browser = stack.enter_context(Browser(folder))
        OUT.mkdir(parents=True, exist_ok=True)
        for drawing in _drawings(read_dashboards(), cards, server):
            if not options.names or drawing.name in options.names:
                size = browser.draw(drawing, OUT / f"{drawing.name}.png")
                _say(f"{drawing.name}.png: {size / 1_000:.0f} kB{drawing.remarks()}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw dashboards and cards into docs/img.")
    parser.add_argument(
        "names", nargs="*", metavar="PICTURE", help="e.g. call-quality or card-jitter"
    )
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the history in this file")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _history(cards: list[Card], kept: Path | None) -> Series:
    if kept is not None and kept.exists():
        series: Series = pickle.loads(kept.read_bytes())  # noqa: S301  # written by this program, below
        return series
    _say(f"{SECONDS / 3_600:g} hours of {len(ENGINES)} engines, in virtual time: a minute or two")
    series = record(
        [
            EngineHistory(
                instance,
                generation,
                calls,
                seed,
                UNTIL,
                SECONDS,
                tuple(card.incident for card in cards if card.incident.engine == instance),
            )
            for instance, (generation, calls, seed) in ENGINES.items()
        ]
    )
    if kept is not None:
        kept.write_bytes(pickle.dumps(series))
    return series


def _drawings(
    dashboards: dict[str, Dashboard], cards: list[Card], server: LocalPrometheus
) -> Iterator[Drawing]:
    for dashboard in dashboards.values():
        when = TimeRange(UNTIL - min(dashboard.lookback, SECONDS), UNTIL)
        worst = server.query(WORST_CALL, UNTIL)
        source = Source(dashboard, server, when, {"call_id": worst[0]["metric"]["call_id"]})
        parts = dashboard_parts(dashboard, source)
        yield Drawing(
            dashboard.uid.removeprefix("ai-engine-"), dashboard.model["title"], when, parts
        )
    for card in cards:
        at = UNTIL - SECONDS + card.seen_at
        when = TimeRange(at - CARD_LOOKBACK, at)
        chosen = {"instance": card.incident.engine} if card.alone else {}
        sources = {
            uid: Source(dashboard, server, when, chosen) for uid, dashboard in dashboards.items()
        }
        yield Drawing(f"card-{card.name}", card.title, when, card_parts(card, sources))


if __name__ == "__main__":
    main()
