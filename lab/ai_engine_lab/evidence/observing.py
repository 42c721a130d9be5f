"""What the scorer learns of a sample, through the public API, as an engine would tell it."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry

from ai_engine_lab.basics.audio_formats import LINEAR
from ai_engine_lab.engine.events import CallEvent, FellBack, FrameSent, SegmentEnded
from ai_engine_lab.evidence.impairments import Impairment
from ai_engine_lab.evidence.line import Played
from ai_engine_quality import CallHandle, CallSummary, QualityMonitor, Sampling

STAGE: Final = "transport_out"

EVERY_FRAME: Final = Sampling(level_every=1, noise_every=1)
"""A sample of some ten seconds stands for a call of minutes, of which fewer frames are enough."""

QUICK_TURNS: Final = (0.4,) * 20
"""Latencies that cost nothing: what is left of the score is its audio part."""


def observe(name: str, impairment: Impairment, played: Played) -> CallSummary:
    """Return the summary of a call whose agent said just this."""
    quality = QualityMonitor(
        registry=CollectorRegistry(), log=False, per_call_series=False, sampling=EVERY_FRAME
    )
    quality.call_started(name)
    call = quality.call(name)
    for seconds in QUICK_TURNS:
        call.turn_response(seconds)
    call.codec_alignment(aligned=not impairment.reported)
    for event in played.events:
        _report(call, event)
    score = call.call_ended(duration=played.seconds)
    if score is None:
        raise RuntimeError(f"call {name} was lost")
    return score.summary


def _report(call: CallHandle, event: CallEvent) -> None:
    match event:
        case FrameSent():
            call.audio(STAGE, event.frame, encoding="slin16", sample_rate=LINEAR.sample_rate)
        case SegmentEnded():
            call.frames_sent(event.frames_sent)
            call.underflow(event.fillers, episodes=event.filler_episodes)
        case FellBack():
            call.fallback(event.reason)
        case _:
            pass
