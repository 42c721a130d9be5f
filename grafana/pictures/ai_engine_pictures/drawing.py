"""Pictures: panels with their data in a layout of pixels, drawn by a headless Chromium.

The page in `src/` draws what it is handed, with Grafana's own components where there are any.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from ai_engine_pictures.cards import Card
from ai_engine_pictures.dashboards import (
    GRID_COLUMNS,
    Answer,
    Dashboard,
    Panel,
    TimeRange,
    ask,
    choose_variables,
    expanded,
    times,
)
from ai_engine_pictures.history import STEP_SECONDS
from ai_engine_pictures.prometheus import LocalPrometheus

HERE: Final = Path(__file__).parent.parent
ICONS: Final = HERE / "node_modules" / "@grafana" / "ui" / "dist" / "public" / "img" / "icons"

# Grafana's own measures, in pixels.
WIDTH: Final = 1_440
ROW: Final = 30
GAP: Final = 8
HEAD: Final = 44
"""For the picture's title."""
CARD_WIDTH: Final = 1_100
CARD_PANEL: Final = 296
CARD_STEP: Final = 28
COLOURS: Final = 256
"""The most that a palette holds. Fewer change the colours of legends."""


@dataclass(frozen=True)
class Box:
    """Where something stands, in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Part:
    """A panel with its data, or a heading."""

    box: Box
    heading: str | None = None
    panel: Panel | None = None
    answers: tuple[Answer, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """The variables as titles have them."""
    events: tuple[dict[str, Any], ...] = ()
    error: str | None = None
    """Why there is no data: Prometheus' own words."""


@dataclass(frozen=True)
class Drawing:
    """One picture."""

    name: str
    title: str
    time: TimeRange
    parts: list[Part]

    @property
    def height(self) -> int:
        """Pixels."""
        return max(part.box.y + part.box.height for part in self.parts) + GAP

    @property
    def width(self) -> int:
        """Pixels."""
        return max(part.box.x + part.box.width for part in self.parts) + GAP

    def remarks(self) -> str:
        """Return which panels had no data, or a wrong query."""
        panels = [(part, part.panel["title"]) for part in self.parts if part.panel]
        empty = [
            title
            for part, title in panels
            if part.answers and not any(answer.result for answer in part.answers)
        ]
        wrong = [f"{title}: {part.error}" for part, title in panels if part.error]
        return "".join(
            [f"; without data: {', '.join(empty)}"] * bool(empty)
            + [f"\n  wrong: {fault}" for fault in wrong]
        )

    def as_json(self) -> dict[str, Any]:
        """Return what the page reads; times in milliseconds."""
        return {
            "title": self.title,
            "from": self.time.start * 1_000,
            "to": self.time.end * 1_000,
            "width": self.width,
            "height": self.height,
            "parts": [_part_as_json(part) for part in self.parts],
        }


def _part_as_json(part: Part) -> dict[str, Any]:
    return {
        "box": vars(part.box),
        "heading": part.heading,
        "panel": part.panel,
        "answers": [vars(answer) for answer in part.answers],
        "texts": part.texts,
        "events": part.events,
        "error": part.error,
    }


class Source:
    """What a dashboard's panels get: its variables, and the answers to its queries."""

    def __init__(
        self,
        dashboard: Dashboard,
        server: LocalPrometheus,
        time: TimeRange,
        chosen: Mapping[str, str],
    ) -> None:
        self.dashboard = dashboard
        self._server, self._time = server, time
        self._variables = choose_variables(dashboard, server, time, chosen)

    def part(self, panel: Panel, box: Box) -> Part:
        """Return a panel with its data."""
        answers: list[Answer] = []
        error = None
        try:
            answers += ask(
                panel,
                self._variables,
                self._server,
                self._time,
                width=box.width,
                scrape_interval=STEP_SECONDS,
            )
        except ValueError as refused:
            error = str(refused)
        known = {**self._variables, **times(self._time, STEP_SECONDS, STEP_SECONDS)}
        texts = {name: value.interpolated("text") for name, value in known.items()}
        return Part(box, None, panel, tuple(answers), texts, self._events, error)

    @functools.cached_property
    def _events(self) -> tuple[dict[str, Any], ...]:
        """What the dashboard's annotations mark."""
        out: list[dict[str, Any]] = []
        for model in self.dashboard.model.get("annotations", {}).get("list", []):
            expression = model.get("expr") or model.get("target", {}).get("expr")
            if not model.get("enable", True) or not expression:
                continue
            step = max(STEP_SECONDS, self._time.seconds / 400)
            known = {**self._variables, **times(self._time, step, STEP_SECONDS)}
            found = self._server.query_range(
                expanded(expression, known), self._time.start, self._time.end, step
            )
            for result in found:
                out += _spans(model, result, step)
        return tuple(out)


def _spans(model: dict[str, Any], result: dict[str, Any], step: float) -> list[dict[str, Any]]:
    """Return when a series was over 0, as spans of milliseconds."""
    spans: list[dict[str, Any]] = []
    for at, value in result["values"]:
        if not float(value) > 0:
            continue
        if spans and at * 1_000 - spans[-1]["to"] <= step * 1_500:
            spans[-1]["to"] = at * 1_000
        else:
            spans.append({"from": at * 1_000, "to": at * 1_000, "color": model["iconColor"]})
    return spans


def dashboard_parts(dashboard: Dashboard, data: Source) -> list[Part]:
    """Return a dashboard's panels in its grid."""
    column = (WIDTH - GAP) / GRID_COLUMNS
    parts = []
    for placed in dashboard.placed():
        box = Box(
            round(GAP + placed.x * column),
            HEAD + placed.y * (ROW + GAP),
            round(placed.width * column) - GAP,
            placed.height * (ROW + GAP) - GAP,
        )
        if placed.panel["type"] == "row":
            parts.append(Part(box, heading=placed.panel["title"]))
        else:
            parts.append(data.part(placed.panel, box))
    return parts


def card_parts(card: Card, data: Mapping[str, Source]) -> list[Part]:
    """Return a card's panels, step below step."""
    parts, top = [], HEAD
    for number, step in enumerate(card.steps, 1):
        if step.dashboard not in data:
            known = ", ".join(data)
            raise KeyError(f"card {card.name}: no dashboard {step.dashboard!r}; there are {known}")
        source = data[step.dashboard]
        heading = f"{number} · {source.dashboard.model['title']}: {step.says}"
        parts.append(Part(Box(GAP, top, CARD_WIDTH - 2 * GAP, CARD_STEP), heading=heading))
        top += CARD_STEP
        width = (CARD_WIDTH - GAP) / len(step.panels)
        for index, title in enumerate(step.panels):
            box = Box(round(GAP + index * width), top, round(width) - GAP, CARD_PANEL)
            parts.append(source.part(source.dashboard.titled(title), box))
        top += CARD_PANEL + GAP
    return parts


class Browser:
    """A Chromium that takes pictures of the page; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = {name: _program(name) for name in ("chromium", "pngquant")}
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(_Files, folder)
        )

    def __enter__(self) -> Self:
        bundle = HERE / "build"
        if not (bundle / "page.js").exists():
            raise FileNotFoundError("the page isn't built: make pictures does it (npm run build)")
        for path in bundle.iterdir():
            shutil.copy(path, self._folder)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def draw(self, drawing: Drawing, picture: Path) -> int:
        """Draw, and return the picture's size in bytes."""
        (self._folder / "drawing.json").write_text(json.dumps(drawing.as_json()))
        raw = self._folder / "raw.png"
        raw.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as profile:
            said = subprocess.run(
                [
                    self._programs["chromium"],
                    "--headless=new",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--accept-lang=en-GB",
                    # Without it a canvas is missing now and then.
                    "--run-all-compositor-stages-before-draw",
                    "--hide-scrollbars",
                    "--force-device-scale-factor=1",
                    "--lang=en-GB",
                    "--enable-logging=stderr",
                    "--v=0",
                    f"--user-data-dir={profile}",
                    f"--window-size={drawing.width},{drawing.height}",
                    # Virtual time: the picture is taken when the page has nothing left to do.
                    "--virtual-time-budget=20000",
                    f"--screenshot={raw}",
                    f"http://127.0.0.1:{self._server.server_port}/page.html",
                ],
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
        _, fault, stack = said.stderr.partition("PICTURE-ERROR")
        if fault or not raw.exists():
            raise RuntimeError(f"{drawing.name}: {stack[:2_000] or said.stderr[-2_000:]}")
        subprocess.run(
            [
                self._programs["pngquant"],
                "--force",
                "--speed=1",
                "--strip",
                "--nofs",
                f"--output={picture}",
                str(COLOURS),
                str(raw),
            ],
            check=True,
        )
        return picture.stat().st_size


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is missing: apt-get install {name}")
    return found


class _Files(http.server.SimpleHTTPRequestHandler):
    """The page's files; icons where Grafana's components look for them."""

    def __init__(self, folder: Path, *args: Any) -> None:
        self._folder = folder
        super().__init__(*args, directory=str(folder))

    def translate_path(self, path: str) -> str:
        """Return the file for a path."""
        prefix = "/public/build/img/icons/"
        if path.startswith(prefix):
            return str(ICONS / path.removeprefix(prefix).partition("?")[0])
        return super().translate_path(path)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
