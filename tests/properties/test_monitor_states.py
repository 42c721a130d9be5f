"""A monitor in any order of events: nothing raises, nothing is lost, and everything adds up."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from written import PatientLogger

import ai_engine_quality as aeq
from ai_engine_quality.live import upkeep

MAX_LIVE = 3
EXPIRE_AFTER = 100.0
REMEMBERED = 900.0
SHOWN = 1
SHOWN_SECONDS = 900.0
SEEN_SECONDS = 60.0

FRAME = b"\x10" * 160
IDS = st.sampled_from(["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"])
WRONG_IDS = st.sampled_from([("", "bad_call_id"), ("a\nb", "bad_call_id"), (None, "wrong_type")])

# (method, arguments, named arguments, reason for which a live call refuses it)
OBSERVATIONS = st.sampled_from(
    [
        ("turn_response", (0.4,), {}, None),
        ("turn_response", (12,), {}, None),
        ("turn_response", (math.nan,), {}, "not_finite"),
        ("turn_response", (-1.0,), {}, "negative"),
        ("turn_response", (300.5,), {}, "out_of_range"),
        ("turn_response", ("fast",), {}, "wrong_type"),
        ("unanswered", (6.0,), {}, None),
        ("unanswered", (None,), {}, "wrong_type"),
        ("frames_sent", (500,), {}, None),
        ("frames_sent", (0,), {}, None),
        ("frames_sent", (2.5,), {}, "wrong_type"),
        ("underflow", (1,), {}, None),
        ("underflow", (5, 2), {}, None),
        ("underflow", (1, 2), {}, "out_of_range"),
        ("fallback", ("transport-failure",), {}, None),
        ("fallback", (7,), {}, "wrong_type"),
        ("barge_in", (None,), {}, None),
        ("barge_in", (0.9,), {}, None),
        ("barge_in", (math.inf,), {}, "not_finite"),
        ("codec_alignment", (True,), {}, None),
        ("codec_alignment", (False,), {"detail": "ulaw"}, None),
        ("codec_alignment", ("yes",), {}, "wrong_type"),
        ("audio_level", ("provider_out", 1_830), {}, None),
        ("audio_level", ("nowhere", 1_830), {}, "unknown_stage"),
        ("audio_level", ("provider_out", 40_000), {}, "out_of_range"),
        ("audio", ("provider_out", FRAME), {"encoding": "ulaw", "sample_rate": 8_000}, None),
        ("audio", ("transport_in", FRAME), {"encoding": "ulaw", "sample_rate": 8_000}, None),
        ("audio", ("provider_out", b""), {"encoding": "ulaw", "sample_rate": 8_000}, "frame_empty"),
        ("audio", ("provider_out", FRAME), {"encoding": "opus", "sample_rate": 8_000},
         "unknown_encoding"),
        ("call_updated", ("OpenAI Realtime",), {}, None),
        ("call_updated", (7,), {}, "wrong_type"),
    ]
)  # fmt: skip  # a table: its rows are read side by side


class MonitorStates(RuleBasedStateMachine):
    """Does to a monitor whatever an engine may do, and keeps its own account of it."""

    @initialize()
    def begin(self):
        """Make a monitor with bounds that are soon reached, and an empty account."""
        self.now = 0.0
        self.registry = CollectorRegistry()
        self.logger = PatientLogger()
        self.quality = aeq.QualityMonitor(
            registry=self.registry,
            clock=lambda: self.now,
            logger=self.logger,
            max_live_calls=MAX_LIVE,
            expire_after=EXPIRE_AFTER,
            retention=aeq.Retention(max_calls=SHOWN),
        )
        # However busy the machine is, no hook is slow: that has tests of its own.
        self.quality._hooks._max_slow_runs = math.inf
        self.quality._hooks._timer = self.quality._own_hooks._timer = lambda: 0.0
        self.live: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.handles: list[tuple[aeq.CallHandle, tuple[str, float] | None, str]] = []
        self.started = 0
        self.finished: list[str] = []
        self.expired = 0
        self.drops: Counter[str] = Counter()
        self.failures = 0
        self.scores: list[aeq.CallScore] = []
        self.shown: dict[str, float] = {}
        self.meddling = False
        self.breaking = False
        self.quality.add_hook(self.keep)
        self.quality.add_hook(self.meddle)
        self.quality.add_hook(self.break_down)

    # Hooks.

    def keep(self, score):
        """Remember a score, and whose samples there is room for: the latest calls'."""
        self.scores.append(score)
        if score.score is None:
            return
        self.shown.pop(score.call_id, None)
        self.shown[score.call_id] = self.now
        if len(self.shown) > SHOWN:
            oldest = next(iter(self.shown))
            self.drops["sample_evicted"] += self.now - self.shown.pop(oldest) < SEEN_SECONDS

    def meddle(self, score):
        """Call the monitor from within, where that was switched on: all of it comes late."""
        if self.meddling:
            self.drops["call_ended"] += 2
            self.quality.turn_response(score.call_id, 0.4)
            assert self.quality.call_ended(score.call_id) is None

    def break_down(self, score):
        """Raise, where that was switched on."""
        if self.breaking:
            self.failures += 1
            raise RuntimeError(score.call_id)

    @rule(meddling=st.booleans(), breaking=st.booleans())
    def switch_hooks(self, meddling, breaking):
        """Let hooks meddle or raise from now on, or not."""
        self.meddling, self.breaking = meddling, breaking

    # What the account expects.

    def forget_and_expire(self):
        """Account for what each start and each scrape does first."""
        self.ended = {i: at for i, at in self.ended.items() if self.now - at < REMEMBERED}
        for call_id, at in list(self.live.items()):
            if self.now - at >= EXPIRE_AFTER:
                self.drops["expired_call"] += 1
                self.expired += 1
                self.finish(call_id)

    def finish(self, call_id):
        """Account for a call's end."""
        del self.live[call_id]
        self.ended[call_id] = self.now
        self.finished.append(call_id)

    def gone(self, call_id):
        """Return why a call that isn't live takes nothing."""
        return "call_ended" if call_id in self.ended else "unknown_call"

    # What an engine does.

    @rule(call_id=IDS, provider=st.sampled_from(["deepgram", "OpenAI Realtime", None]))
    def start(self, call_id, provider):
        """Start a call: new, live already, ended lately, or beyond the bound."""
        self.forget_and_expire()
        self.quality.call_started(call_id, provider=provider)
        if call_id in self.live:
            self.drops["already_started"] += 1
        elif call_id in self.ended:
            self.drops["call_ended"] += 1
        elif len(self.live) >= MAX_LIVE:
            self.drops["too_many_calls"] += 1
        else:
            self.live[call_id] = self.now
            self.started += 1

    @rule(wrong=WRONG_IDS)
    def start_wrongly(self, wrong):
        """Start a call with something that is no call id."""
        self.quality.call_started(wrong[0])
        self.drops[wrong[1]] += 1

    @rule(call_id=IDS, observation=OBSERVATIONS)
    def observe(self, call_id, observation):
        """Report something of a call, known or not, ended or not, right or wrong."""
        method, values, named, reason = observation
        assert getattr(self.quality, method)(call_id, *values, **named) is None
        refused = reason if call_id in self.live else self.gone(call_id)
        if refused:
            self.drops[refused] += 1

    @rule(call_id=IDS)
    def take_handle(self, call_id):
        """Ask for a handle, of a call that is live or not."""
        started = self.live.get(call_id)
        key = None if started is None else (call_id, started)
        gone = "call_ended" if key else self.gone(call_id)
        self.handles.append((self.quality.call(call_id), key, gone))

    @rule(which=st.integers(0, 20), observation=OBSERVATIONS)
    def observe_by_handle(self, which, observation):
        """Report something by a handle, however old it is."""
        if not self.handles:
            return
        handle, key, gone = self.handles[which % len(self.handles)]
        alive = key is not None and self.live.get(key[0]) == key[1]
        method, values, named, reason = observation
        assert getattr(handle, method)(*values, **named) is None
        assert handle.live is alive
        refused = reason if alive else gone
        if refused:
            self.drops[refused] += 1

    @rule(
        call_id=IDS,
        failed=st.booleans(),
        duration=st.sampled_from([None, 0.0, 5.0, 20.0, 60.0, 3_600.0]),
    )
    def end(self, call_id, failed, duration):
        """End a call, live or not."""
        live = call_id in self.live
        if live:
            self.finish(call_id)
        else:
            self.drops[self.gone(call_id)] += 1
        score = self.quality.call_ended(call_id, failed=failed, duration=duration)
        assert (score is not None) is live
        if score is not None:
            assert score.call_id == call_id
            assert replace(score, dropped={}) == aeq.score(score.summary)

    @rule(call_id=IDS)
    def end_with_a_wrong_duration(self, call_id):
        """End a call with a duration that can't be: only a live call gets to look at it."""
        if call_id in self.live:
            self.finish(call_id)
            self.drops["negative"] += 1
        else:
            self.drops[self.gone(call_id)] += 1
        self.quality.call_ended(call_id, duration=-1.0)

    @rule(seconds=st.sampled_from([0.02, 1.0, 30.0, 100.0, 899.0, 900.0, 5_000.0]))
    def advance(self, seconds):
        """Let time pass."""
        self.now += seconds

    @rule()
    def scrape(self):
        """Read the metrics, as Prometheus does, and compare them with the account."""
        self.forget_and_expire()
        self.check(generate_latest(self.registry).decode())

    # What must hold.

    def check(self, text):
        """Compare an exposition with the account."""
        totals: Counter[str] = Counter()
        dropped, shown = {}, set()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                totals[sample.name] += sample.value
                if sample.name == "ai_agent_quality_dropped_total":
                    dropped[sample.labels["reason"]] = sample.value
                if sample.name == "ai_agent_call_quality_score":
                    shown.add(sample.labels["call_id"])
        assert totals["ai_agent_calls_started_total"] == self.started
        assert totals["ai_agent_calls_ended_total"] == len(self.finished)
        assert totals["ai_agent_calls_active"] == len(self.live)
        assert self.started == len(self.finished) + len(self.live)
        assert totals["ai_agent_live_calls"] == len(self.live)
        scored = totals["ai_agent_calls_scored_total"]
        assert scored + totals["ai_agent_calls_unscored_total"] == len(self.finished)
        assert totals["ai_agent_call_scores_count"] == scored
        assert scored == sum(score.score is not None for score in self.scores)
        self.shown = {i: at for i, at in self.shown.items() if self.now - at < SHOWN_SECONDS}
        assert shown == self.shown.keys()
        assert totals["ai_agent_quality_series_retained"] == len(shown) <= SHOWN
        assert totals["ai_agent_quality_hook_failures_total"] == self.failures
        assert {reason: n for reason, n in dropped.items() if n} == dict(+self.drops)

    @invariant()
    def every_ended_call_was_told_once(self):
        """Every call that ended was scored, or told to be unscored, once, and in that order."""
        assert [score.call_id for score in self.scores] == self.finished
        for score in self.scores:
            assert (score.score is None) == (score.unscored_reason is not None)

    @invariant()
    def live_calls_are_live(self):
        """The monitor's live calls are those of the account, and never too many."""
        assert len(self.live) <= MAX_LIVE
        for call_id in self.live:
            assert self.quality.call(call_id).live

    def teardown(self):
        """Read the metrics once more, and close the monitor."""
        self.scrape()
        logged = [call for call in self.logger.calls if call.method_name == "info"]
        assert len(logged) == len(self.finished)
        self.quality.close()
        assert generate_latest(self.registry) == b""


@pytest.mark.slow
def test_a_monitor_survives_any_order_of_events(monkeypatch):
    """Whatever an engine does, nothing raises, each call ends once, and the counters add up."""
    # How many calls expire at once is bounded by time; here it stands still, so that all do.
    monkeypatch.setattr(upkeep, "time", SimpleNamespace(perf_counter=lambda: 0.0))
    run_state_machine_as_test(
        MonitorStates, settings=settings(max_examples=80, stateful_step_count=60)
    )
