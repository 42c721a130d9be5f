"""Typical uses of the public API by an engine. Never run: ``mypy --strict`` checks it.

Where a line must not type-check it says so, and mypy fails should it type-check after all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

# A monitor: with nothing, with everything, by a settings file.

quality = aeq.QualityMonitor()

everything = aeq.QualityMonitor(
    policy=aeq.Policy.load("v1"),
    registry=CollectorRegistry(),
    clock=lambda: 0.0,
    wall_clock=lambda: 1_761_532_874.0,
    per_call_series=False,
    records=Path("records.jsonl"),
    log=False,
    logger=None,
    retention=aeq.Retention(max_seconds=600, max_calls=100),
    costs={"deepgram": aeq.CallCost(per_minute=0.0043, currency="USD")},
    max_live_calls=1_000,
    expire_after=3_600,
    sampling=aeq.Sampling(level_every=1, noise_every=1),
)

settings: aeq.Settings = aeq.load_settings("quality.toml", {"AI_ENGINE_QUALITY_LOG": "false"})
assert_type(aeq.QualityMonitor.from_settings(settings, records=None), aeq.QualityMonitor)

aeq.QualityMonitor(records="records.jsonl")
aeq.QualityMonitor(records=aeq.RecordFile("records.jsonl", max_bytes=1_000_000, files=2))
aeq.QualityMonitor(aeq.DEFAULT_POLICY)  # type: ignore[call-arg]  # all arguments are keyword-only
aeq.QualityMonitor(policy="v1")  # type: ignore[arg-type]
aeq.QualityMonitor(costs={"deepgram": 0.1})  # type: ignore[dict-item]


told: list[str] = []
scores: list[aeq.CallScore] = []

# Hooks: plain functions, methods and objects, of whatever they return.


@quality.on_call_end
def page_someone(score: aeq.CallScore) -> None:
    if score.band is aeq.Band.POOR and score.score is not None and score.score < 40:
        told.append(score.explain(full=True))


def page_again(score: aeq.CallScore) -> None:
    page_someone(score=score)  # the decorator returns what it was given
    page_someone("score")  # type: ignore[arg-type]


class Dashboard:
    def __init__(self) -> None:
        self.scores: list[int | None] = []

    def __call__(self, score: aeq.CallScore) -> int:
        self.scores.append(score.score)
        return len(self.scores)

    def show(self, score: aeq.CallScore) -> None:
        self.scores.append(score.score)


dashboard = Dashboard()
quality.add_hook(dashboard)
quality.add_hook(dashboard.show)
quality.add_hook(scores.append)
quality.remove_hook(dashboard)
a_hook: aeq.CallEndHook = page_someone


def of_something_else(score: str) -> None:
    told.append(score)


quality.add_hook(of_something_else)  # type: ignore[arg-type]
quality.add_hook(lambda: None)  # type: ignore[arg-type]
quality.add_hook("page_someone")  # type: ignore[arg-type]


# A call, by its id.


def engine_by_id(call_id: str, frame: bytes) -> aeq.CallScore | None:
    quality.call_started(call_id, provider="deepgram", pipeline="default")
    quality.call_started(call_id)
    quality.call_started(call_id, provider=None)
    quality.turn_response(call_id, 0.82)
    quality.turn_response(call_id, 1)
    quality.unanswered(call_id, waited=6.0)
    quality.frames_sent(call_id, 50)
    quality.underflow(call_id)
    quality.underflow(call_id, 3, episodes=1)
    quality.fallback(call_id, reason="transport-failure")
    quality.barge_in(call_id, reaction=0.21)
    quality.barge_in(call_id)
    quality.codec_alignment(call_id, aligned=True, detail="")
    quality.audio_level(call_id, "provider_out", rms=1830)
    quality.audio(call_id, "transport_out:stream", frame, encoding="ulaw", sample_rate=8000)
    quality.audio_level(call_id, "transport_in", 1830, seconds=0.2, at=12.5)
    quality.audio(call_id, "transport_in", frame, encoding="alaw", sample_rate=48_000, at=12.5)
    quality.audio_given(call_id, seconds=0.4, silent=0.0)
    quality.audio_given(call_id, 0.4)
    quality.sound_given(call_id, b"", encoding="ulaw", sample_rate=8000, at=1.0)
    quality.answer_complete(call_id)
    quality.turn_stage(call_id, "llm", 2.4, "openai", at=12.5)
    quality.answer_dropped(call_id)
    quality.answer_held(call_id)
    quality.answer_resumed(call_id)
    quality.words_spoken(call_id, characters=112)
    quality.packets_lost(call_id, 3, sent=900)
    quality.call_updated(call_id, provider="openai_realtime")
    return quality.call_ended(
        call_id,
        provider="deepgram",
        pipeline="default",
        outcome="completed",
        failed=False,
        duration=48.0,
    )


def wrong_by_id(call_id: str) -> None:
    quality.turn_response(call_id, "0.82")  # type: ignore[arg-type]
    quality.turn_response(0.82)  # type: ignore[call-arg, arg-type]
    quality.frames_sent(call_id, 0.5)  # type: ignore[arg-type]
    quality.codec_alignment(call_id, aligned="no")  # type: ignore[arg-type]
    quality.audio(call_id, "provider_out", "frame", encoding="ulaw", sample_rate=8000)  # type: ignore[arg-type]
    quality.audio(call_id, "provider_out", b"frame")  # type: ignore[call-arg]
    quality.packets_lost(call_id, 3, 900)  # type: ignore[call-arg]  # which is which?
    quality.words_spoken(call_id, "the words")  # type: ignore[arg-type]  # a number, never words
    quality.audio_level(call_id, "provider_out", 1830, 0.02, 12.5)  # type: ignore[call-arg]
    quality.call_ended(call_id, "deepgram")  # type: ignore[call-arg]


# A call, by its handle.


def engine_by_handle(call_id: str, frame: bytes) -> int:
    call: aeq.CallHandle = quality.call(call_id)
    call.turn_response(0.82)
    call.unanswered(6.0)
    call.frames_sent(50)
    call.underflow(2, 1)
    call.fallback("transport-failure")
    call.barge_in(0.21)
    call.codec_alignment(aligned=False, detail="ulaw@8000!=slin16@8000")
    call.audio_level("provider_out", 1830)
    call.audio("provider_out", frame, encoding="slin16", sample_rate=16_000)
    call.audio("transport_in", frame, encoding="slin16", sample_rate=16_000, at=12.5)
    call.audio_given(0.4, silent=0.1)
    call.sound_given(b"", encoding="ulaw", sample_rate=8000)
    call.answer_complete()
    call.turn_stage("tts", 0.2)
    call.answer_dropped()
    call.answer_held()
    call.answer_resumed()
    call.words_spoken(112)
    call.packets_lost(lost=3, sent=900)
    call.call_updated(pipeline="default")
    assert_type(call.call_id, str)
    assert_type(call.live, bool)
    call.turn_response(call_id, 0.82)  # type: ignore[call-arg, arg-type]
    score = call.call_ended(outcome="completed")
    return score.score  # type: ignore[union-attr, return-value]  # both may be None


# A score and what it was made from.


def read(score: aeq.CallScore) -> Iterator[str]:
    assert_type(score.call_id, str)
    assert_type(score.score, int | None)
    assert_type(score.raw, float)
    assert_type(score.band, aeq.Band | None)
    assert_type(score.factors, tuple[aeq.FactorScore, ...])
    assert_type(score.ceilings, tuple[aeq.Ceiling, ...])
    assert_type(score.deciding_ceiling, aeq.Ceiling | None)
    assert_type(score.without("latency", "call_failed"), int)
    assert_type(score.coverage, float)
    assert_type(score.turns, int)
    assert_type(score.unscored_reason, str | None)
    assert_type(score.policy_version, str)
    assert_type(score.summary, aeq.CallSummary)
    assert_type(score.to_dict(), dict[str, Any])
    assert_type(aeq.CallScore.from_dict(score.to_dict()), aeq.CallScore)
    for factor in score.factors:
        assert_type(factor.penalty, float)
        assert_type(factor.value, float | None)
        assert_type(factor.observed, bool)
        assert_type(factor.clock, str | None)
        yield f"{factor.name}: -{factor.penalty} of {factor.weight}, {factor.n}: {factor.evidence}"
    yield score.explain()
    score.score = 100  # type: ignore[misc]  # frozen
    score.summary.duration = 1.0  # type: ignore[misc]


def again(stored: Mapping[str, Any]) -> aeq.CallScore:
    summary = aeq.CallSummary.from_dict(stored)
    assert_type(summary, aeq.CallSummary)
    assert_type(summary.to_dict(), dict[str, Any])
    assert_type(summary.turn_latencies, tuple[float, ...] | None)
    assert_type(summary.underflow_episodes, int | None)
    assert_type(summary.audio, Mapping[str, aeq.StageLevels])
    policy = aeq.DEFAULT_POLICY.with_changes({"ceilings": {"call_failed": 10}})
    assert_type(policy, aeq.Policy)
    aeq.score("summary", policy)  # type: ignore[arg-type]
    return aeq.score(summary, policy)


assert_type(aeq.score(aeq.CallSummary(call_id="1761532874.2245", duration=60)), aeq.CallScore)
aeq.CallSummary("1761532874.2245")  # type: ignore[call-arg]  # keyword-only
aeq.CallSummary(duration=60)  # type: ignore[call-arg]


def read_all(path: Path) -> Iterator[aeq.CallScore]:
    for record in aeq.read_records(path):
        if isinstance(record, aeq.Unreadable):
            told.append(f"{record.path}:{record.line}: {record.reason}")
        else:
            assert_type(record, aeq.CallScore)
            yield record


# How far a score can be trusted.


def how_far(score: aeq.CallScore) -> str:
    assert_type(score.standing, aeq.Standing | None)
    assert_type(score.summary.silence_heard, aeq.HeardSilence | None)
    assert_type(score.summary.heard, aeq.HeardCall | None)
    assert_type(score.summary.is_heard("latency"), bool)
    assert_type(score.summary.agent_characters, int | None)
    late = assert_type(score.summary.late_clock(), aeq.LateClock | None)
    sure = assert_type(aeq.how_certain(score, aeq.DEFAULT_POLICY), aeq.Certainty | None)
    aeq.how_certain(score.summary)  # type: ignore[arg-type]  # a score, not what it is made from
    waited = f"{late.heard - late.reported:.1f} s late, " if late is not None else ""
    return waited + (f"{sure.bands[aeq.Band.FAIR]:.0%}, {sure}" if sure is not None else "")


# What can go wrong at the start.

try:
    aeq.load_settings(Path("quality.toml"))
    aeq.Policy.load("v2")
    aeq.CallSummary.from_dict({})
except (aeq.SettingsError, aeq.PolicyError, aeq.SummaryError) as error:
    a_value_error: ValueError = error

assert_type(aeq.__version__, str)
quality.close()
