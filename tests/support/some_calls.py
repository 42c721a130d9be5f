"""A week of calls of three providers, as an engine would have recorded them, for reports."""

from __future__ import annotations

import random

from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

START = 1_761_523_200.0
"""27 October 2025, a Monday, 00:00 UTC."""
HOUR = 3_600.0
HOSTILE = '"><script>alert(1)</script>|*x*'
"""A call id as somebody might choose one to harm a reader's browser."""


def write_week(path, calls=300, seed=1):
    """Write a record file of so many calls over seven days; the last one's id is hostile."""
    rng = random.Random(seed)  # noqa: S311  # calls, not secrets
    now = [START]
    quality = aeq.QualityMonitor(
        registry=CollectorRegistry(), log=False, records=path, wall_clock=lambda: now[0]
    )
    for number in range(calls):
        now[0] = START + 7 * 24 * HOUR * number / calls
        last = number == calls - 1
        call_id = HOSTILE if last else f"{now[0]:.0f}.{number}"
        provider = rng.choice(["deepgram", "openai_realtime", "google_live"])
        quality.call_started(call_id, provider=provider, pipeline="default")
        _place(quality.call(call_id), rng, provider, slow=last)
    quality.close()
    return path


def _place(call, rng, provider, *, slow):
    kind = "ok" if slow else rng.choices(["ok", "short", "silent", "gaps"], [85, 5, 4, 6])[0]
    if kind == "short":
        call.call_ended(duration=4.0, outcome="caller_hangup")
        return
    usual = {"deepgram": 0.7, "openai_realtime": 0.9, "google_live": 1.3}[provider]
    for _ in range(rng.randint(3, 14)):
        call.turn_response(3.2 if slow else rng.lognormvariate(0, 0.45) * usual)
    call.frames_sent(rng.randint(600, 2_000))
    call.underflow(0)
    if kind == "silent":
        call.unanswered(waited=rng.uniform(5, 20))
    if kind == "gaps":
        call.underflow(rng.randint(10, 120), episodes=9)
        call.fallback(reason="transport-failure")
        call.barge_in(reaction=0.9)
    call.call_ended(duration=rng.uniform(40, 200), outcome="completed")
