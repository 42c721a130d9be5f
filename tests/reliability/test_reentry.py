"""Ends that arrive within other ends: by the garbage collector, or by a signal handler.

Each runs in a process of its own, since what breaks this promise hangs it for ever.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

COMMON = """
    import gc, io, json, os, signal, sys, weakref
    from collections import Counter
    import structlog
    from prometheus_client import CollectorRegistry, generate_latest
    import ai_engine_quality as aeq

    registry, told = CollectorRegistry(), Counter()
    nowhere = open(os.devnull, "w")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(nowhere))
    engine_log = structlog.get_logger("engine")
    quality = aeq.QualityMonitor(
        registry=registry, records=sys.argv[1], per_call_series=False)

    @quality.on_call_end
    def tell(score):
        told[score.call_id] += 1

    def counted(name):
        return sum(s.value for m in registry.collect() for s in m.samples if s.name == name)

    def report(expected):
        quality.flush(60)
        stored = sum(isinstance(r, aeq.CallScore) for r in aeq.read_records(sys.argv[1]))
        ended = counted("ai_agent_calls_ended_total")
        lost = counted("ai_agent_quality_dropped_total")
        live, latest = counted("ai_agent_calls_active"), max(told.values())
        bands = counted("ai_agent_live_calls")
        quality.close()
        print(json.dumps([expected, len(told), latest, ended, stored, lost, live, bands]))
"""

COLLECTED = """
    class Session:
        def __init__(self, number):
            self.call_id, self.me = f"1761532874.{number}", self
            quality.call_started(self.call_id, provider=f"provider{number % 40}")
            quality.turn_response(self.call_id, 0.5)
            outcome = f"end-{'abc'[number % 3]}"
            weakref.finalize(self, quality.call_ended, self.call_id, outcome=outcome)

    gc.set_threshold(40, 5, 5)
    for number in range(int(sys.argv[2])):
        Session(number)
        if number % 50 == 0:
            engine_log.info("working", number=number)
            generate_latest(registry)
            quality.flush(60)  # no engine ends calls as fast as this
    gc.collect()
    report(int(sys.argv[2]))
"""

BY_SIGNAL = """
    many, waiting = int(sys.argv[2]), []

    def end_one(*_):
        if waiting:
            quality.call_ended(waiting.pop(), duration=60.0)

    def interrupt():
        signal.signal(signal.SIGALRM, end_one)
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)

    def end_the_rest():
        signal.setitimer(signal.ITIMER_REAL, 0)
        while waiting:
            end_one()
"""

SIGNALLED = (
    BY_SIGNAL
    + """
    def start(number):
        quality.call_started(f"1761532874.{number}", provider=f"provider{number % 40}")
        quality.call(f"1761532874.{number}").turn_response(0.5)
        quality.audio_level(f"1761532874.{number}", "provider_out", 900)

    interrupt()
    for number in range(many):
        start(number)
        waiting.append(f"1761532874.{number}")
        if number % 100 == 0:
            engine_log.info("working", number=number)
            generate_latest(registry)
            quality.flush(60)  # no engine ends calls as fast as this
        if number % 2:
            end_one()
    end_the_rest()
    report(many)
"""
)

HEARD = (
    BY_SIGNAL
    + """
    steady = [f"steady.{number}" for number in range(6)]
    for call_id in steady:
        quality.call_started(call_id)
    heard = [quality.call(call_id) for call_id in steady]
    frame = os.urandom(320)
    interrupt()
    for number in range(many):
        quality.call_started(f"1761532874.{number}")
        waiting.append(f"1761532874.{number}")
        for call in heard:
            call.audio("transport_in", frame, encoding="slin16", sample_rate=8000)
            call.audio("provider_out", frame, encoding="slin16", sample_rate=8000)
        if number % 100 == 0:
            quality.flush(60)
    end_the_rest()
    scores = [call.call_ended(duration=60.0) for call in heard]
    frames = min(s.summary.audio["provider_out"].frames for s in scores)
    if frames < 0.9 * many:  # each interruption may cost the frame that it came upon
        raise SystemExit(f"{frames} of {many} frames were measured")
    report(many + len(steady))
"""
)


def run(script, *arguments, environment=None):
    """Run a script in a process of its own; return what it printed, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(COMMON) + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("script", [COLLECTED, SIGNALLED], ids=["collector", "signal handler"])
def test_ends_within_ends_are_done_once_each(tmp_path, script):
    """20,000 calls that end within other ends, starts and scrapes: no hang, and none is lost."""
    many = 20_000
    found = run(script, str(tmp_path / "calls.jsonl"), str(many))
    assert found == [many, many, 1, many, many, 0, 0, 0]


def test_an_end_within_a_frame_costs_no_other_call_its_frames(tmp_path):
    """A signal handler ends calls amid raw frames: nothing goes wrong, and those frames count."""
    assert run(HEARD, str(tmp_path / "calls.jsonl"), "3000") == [3006, 3006, 1, 3006, 3006, 0, 0, 0]


@pytest.mark.parametrize("script", [COLLECTED, SIGNALLED], ids=["collector", "signal handler"])
def test_a_few_ends_within_ends(tmp_path, script):
    """The same with 1,500 calls, in a second or two."""
    found = run(script, str(tmp_path / "calls.jsonl"), "1500")
    assert found == [1500, 1500, 1, 1500, 1500, 0, 0, 0]
