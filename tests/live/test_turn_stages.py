"""Stages of turns, as an engine reports them, and their histogram."""

from __future__ import annotations

from typing import Any

import pytest

import ai_engine_quality as aeq


def test_they_are_counted_by_provider_and_stage(quality: aeq.QualityMonitor, registry: Any) -> None:
    """A stage without a provider of its own is the call's provider's."""
    quality.call_started("1.1", provider="deepgram")
    quality.turn_stage("1.1", "llm", 2.4, "Acme LLM")
    quality.call("1.1").turn_stage("stt", 0.2)
    for provider, stage, seconds in (("acme_llm", "llm", 2.4), ("deepgram", "stt", 0.2)):
        labels = {"provider": provider, "stage": stage}
        name = "ai_agent_turn_stage_seconds_sum"
        assert registry.get_sample_value(name, labels) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("stage", "seconds", "reason"),
    [("thinking", 1.0, "unknown_stage"), (7, 1.0, "wrong_type"), ("llm", -1.0, "negative")],
)
def test_what_is_wrong_is_dropped(
    quality: aeq.QualityMonitor, dropped: Any, stage: Any, seconds: float, reason: str
) -> None:
    """Stages have five names, and took 0 to 300 s; else they are dropped and counted."""
    quality.call_started("1.1")
    quality.turn_stage("1.1", stage, seconds)
    assert dropped(reason) == 1


def test_an_ended_call_takes_none(quality: aeq.QualityMonitor, dropped: Any) -> None:
    """What comes after the end is late, as any observation."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.call_ended()
    call.turn_stage("llm", 1.0)
    assert dropped("call_ended") == 1
