"""Whatever a program may hand to the library, and a session that does so; for the fuzzers."""

from __future__ import annotations

import asyncio
import math
import tempfile
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

import ai_engine_quality as aeq
from ai_engine_quality.live.sections import SECTIONS

HUGE_TEXT = "x" * 10_000_000
"""A call id of 10 MB."""
HUGE_BYTES = HUGE_TEXT.encode()
"""Made once: a session that is full of it must not be what runs out of memory."""


class Treacherous:
    """Raises whatever is done with it, save that it can be shown."""

    def _raise(self, *_: object) -> None:
        raise RuntimeError("nothing can be done with it")

    def __repr__(self) -> str:
        """Return its name: a fuzzer wants to say what failed."""
        return "Treacherous()"

    __eq__ = __hash__ = __float__ = __index__ = __bool__ = __len__ = __str__ = _raise
    __getitem__ = __iter__ = __lt__ = __le__ = __gt__ = __ge__ = __format__ = _raise


LABEL_BREAKERS = ('a"} 1\nevil_metric 1\n#', "a\\", 'a",call_id="b', "a\nb", "\x1b[31ma", "a\x00")
LABEL_BREAKERS += ("\ud800", "\u202eb", "\N{ZERO WIDTH SPACE}", "{}", " # {", "é" * 256, "")

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.binary(max_size=40),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    st.sampled_from(LABEL_BREAKERS),
    st.sampled_from(
        [
            10**400,
            -(10**400),
            math.nan,
            math.inf,
            -math.inf,
            -0.0,
            5e-324,
            1e308,
            2**63,
            Decimal("NaN"),
            Decimal(1),
            Fraction(1, 3),
            np.float64("nan"),
            np.int64(-1),
            np.bool_(True),
            np.array([1.0, 2.0]),
            np.float32(0.5),
            object(),
            int,
            print,
            Ellipsis,
            memoryview(b"\x10" * 160),
            bytearray(320),
        ]
    ),
    # Made when drawn: a strategy is shown by what it holds.
    st.builds(Treacherous),
    st.builds(lambda: HUGE_TEXT),
    st.builds(lambda: HUGE_BYTES),
)

RIGHT_IDS = (
    "1761532874.2245",
    'quo"te',
    "back\\slash",
    "a,b={}",
    "\u00fc\u4e2d\U0001f642",
    "x" * 256,
)
IDS = st.one_of(st.sampled_from(RIGHT_IDS), st.sampled_from(RIGHT_IDS), ANYTHING)

SECONDS = st.floats(0, 300) | st.integers(0, 300) | ANYTHING
COUNTS = st.integers(0, 10**9) | ANYTHING
NAMES = st.sampled_from(["deepgram", "OpenAI Realtime", None]) | ANYTHING
WORDS = st.sampled_from(["transport-failure", "ulaw", "completed", ""]) | ANYTHING
STAGES = st.sampled_from(["provider_out", "transport_out", "transport_out:file", "transport_in"])
FRAMES = st.binary(max_size=64).map(lambda seed: (seed * 5_000)[: len(seed) * 80])
FORMATS = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from(["ulaw", "alaw", "slin16"]) | ANYTHING,
        "sample_rate": st.sampled_from([8_000, 16_000, 24_000]) | ANYTHING,
    }
)
NOTHING = st.just({})

OBSERVATIONS = {
    "turn_response": (st.tuples(SECONDS), NOTHING),
    "unanswered": (st.tuples(SECONDS), NOTHING),
    "frames_sent": (st.tuples(COUNTS), NOTHING),
    "underflow": (st.tuples(COUNTS, COUNTS), NOTHING),
    "fallback": (st.tuples(WORDS), NOTHING),
    "barge_in": (st.tuples(SECONDS), NOTHING),
    "codec_alignment": (st.tuples(st.booleans() | ANYTHING, WORDS), NOTHING),
    "audio_level": (
        st.tuples(STAGES | ANYTHING, st.floats(0, 40_000) | ANYTHING),
        st.fixed_dictionaries({}, optional={"seconds": SECONDS}),
    ),
    "audio": (st.tuples(STAGES | ANYTHING, FRAMES | ANYTHING), FORMATS),
    "call_updated": (st.tuples(NAMES, NAMES), NOTHING),
}
ENDS = st.fixed_dictionaries(
    {},
    optional={
        "provider": NAMES,
        "pipeline": NAMES,
        "outcome": WORDS,
        "failed": st.booleans() | ANYTHING,
        "duration": SECONDS,
    },
)

_OBSERVED = st.sampled_from(sorted(OBSERVATIONS)).flatmap(
    lambda name: st.tuples(st.just(name), *OBSERVATIONS[name])
)
STEPS = st.one_of(
    st.tuples(st.just("observe"), IDS, _OBSERVED),
    st.tuples(st.just("handle"), IDS, _OBSERVED),
    st.tuples(st.just("start"), IDS, st.tuples(NAMES, NAMES)),
    st.tuples(st.just("end"), IDS, ENDS),
    st.tuples(st.just("wait"), st.floats(0, 2_000), st.none()),
    st.tuples(st.just("tell"), ANYTHING, ANYTHING),
    st.tuples(st.just("hook"), st.sampled_from(["good", "broken", "cancelled", "gone"]), st.none()),
    st.tuples(st.just("interrupt"), IDS, ENDS),
    st.tuples(st.just("flush"), st.none(), st.none()),
    st.tuples(st.just("scrape"), st.none(), st.none()),
)
SESSIONS = st.lists(STEPS, max_size=30)


class Session:
    """A monitor to which anything is done, and the account that it must agree with."""

    def __init__(self) -> None:
        self.now = 0.0
        self.registry = CollectorRegistry()
        self._folder = tempfile.TemporaryDirectory()
        self._records = aeq.RecordFile(
            Path(self._folder.name) / "calls.jsonl", max_bytes=8_000, files=1_000
        )
        self._hooks: list[aeq.CallEndHook] = []
        self._logged = 0
        self.quality = aeq.QualityMonitor(
            registry=self.registry,
            clock=lambda: self.now,
            records=self._records,
            logger=self,
            expire_after=1_000.0,
        )
        self.told: list[aeq.CallScore] = []
        self.quality.add_hook(self.told.append)
        for call_id in RIGHT_IDS[:4]:
            self.quality.call_started(call_id)

    def warning(self, event: str, **fields: object) -> None:
        """Log nothing, but make the text that a log would have."""
        repr((event, fields))

    def info(self, event: str, **fields: object) -> None:
        """Count a call that is logged."""
        self.warning(event, **fields)
        self._logged += 1

    def do(self, kind: str, first: object, second: object) -> None:
        """Do one step; nothing may come out of it."""
        quality = self.quality
        if kind == "observe":
            name, args, named = second
            assert getattr(quality, name)(first, *args, **named) is None
        elif kind == "handle":
            name, args, named = second
            assert getattr(quality.call(first), name)(*args, **named) is None
        elif kind == "start":
            assert quality.call_started(first, *second) is None
        elif kind == "end":
            score = quality.call_ended(first, **second)
            assert score is None or score is self.told[-1]
        elif kind == "interrupt":
            before = len(self.told)
            with SECTIONS:
                assert quality.call_ended(first, **second) is None
                assert len(self.told) == before
        elif kind == "hook":
            self.change_hooks(first)
        elif kind == "flush":
            assert quality.flush(60)
        elif kind == "wait":
            self.now += first
        elif kind == "tell":
            self.tell(first, second)
        else:
            self.scrape()

    def tell(self, first: object, second: object) -> None:
        """Say what the engine is, in whatever there is."""
        self.quality.engine_info(version=first, audio_transport=second)
        self.quality.hook_live(first, live=second, clock=second)

    def change_hooks(self, kind: object) -> None:
        """Add a hook of a kind, or remove the oldest."""
        if kind == "gone":
            if self._hooks:
                self.quality.remove_hook(self._hooks.pop(0))
            return

        def hook(score: aeq.CallScore) -> None:
            if kind == "cancelled":
                raise asyncio.CancelledError
            if kind == "broken":
                raise Treacherous  # no exception at all: a TypeError
            self.quality.call_ended(score.call_id)

        self._hooks.append(hook)
        self.quality.add_hook(hook)

    def scrape(self) -> dict[str, float]:
        """Read the metrics in both formats; return each family's sum, by sample name."""
        openmetrics.generate_latest(self.registry).decode()
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(generate_latest(self.registry).decode()):
            for sample in family.samples:
                assert sample.name.startswith("ai_agent_")
                assert "evil" not in sample.name
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def check(self) -> None:
        """Compare the metrics with what hooks were told."""
        sums = self.scrape()
        ended = len(self.told)
        scored = sum(score.score is not None for score in self.told)
        assert sums.get("ai_agent_calls_ended_total", 0) == ended
        assert sums.get("ai_agent_calls_scored_total", 0) == scored
        assert sums.get("ai_agent_calls_unscored_total", 0) == ended - scored
        active = sums["ai_agent_calls_active"]
        assert sums.get("ai_agent_calls_started_total", 0) == ended + active
        assert all(0 <= score.score <= 100 for score in self.told if score.score is not None)
        errors = {"reason": "internal_error"}
        assert self.registry.get_sample_value("ai_agent_quality_dropped_total", errors) == 0
        self.check_stop()

    def check_stop(self) -> None:
        """Compare what was logged and recorded with what hooks were told, the stop's ends too."""
        live = len(self.quality._live)
        before = len(self.told)
        self.quality.close()
        assert [score.summary.outcome for score in self.told[before:]] == ["interrupted"] * live
        assert self._logged == len(self.told)
        with suppress(FileNotFoundError):
            stored = list(aeq.read_records(self._records.path))
            assert [one.call_id for one in stored] == [score.call_id for score in self.told]
            self.told.clear()
        assert self.told == []
        self._folder.cleanup()


def play(steps: list[tuple[str, object, object]]) -> None:
    """Have a session, and check it."""
    session = Session()
    for step in steps:
        session.do(*step)
    session.check()
