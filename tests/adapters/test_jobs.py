"""Scores that leave a job's process: its parent shows and records them, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.adapters import jobs, shared_monitor
from ai_engine_quality.adapters.jobs import JobMonitor

JOB = """\
import sys, time
from ai_engine_quality.adapters.shared_monitor import shared_monitor
quality = shared_monitor.join()
quality.call_started("job-1", provider="acme", pipeline="default")
call = quality.call("job-1")
for _ in range(20):
    call.turn_response(0.4)
    call.turn_stage("llm", 0.25, "thinker")
call.frames_sent(1200)
call.underflow(0)
print("answered", flush=True)
if "ends" in sys.argv:
    call.call_ended(outcome="completed", duration=60.0)
else:
    time.sleep(60)
"""


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return what the parent is scraped by."""
    return CollectorRegistry()


@pytest.fixture
def collector(registry: CollectorRegistry, tmp_path: Path) -> Iterator[aeq.JobCollector]:
    """Return the parent's collector."""
    monitor = aeq.QualityMonitor(registry=registry, log=False, records=tmp_path / "calls.jsonl")
    found = aeq.collect_jobs(monitor)
    yield found
    found.close()
    monitor.close()


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a job, and wait until its call is under way."""
    command = [sys.executable, "-c", JOB, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "answered\n"
        yield job


def until(ready: Callable[[], Any]) -> None:
    """Wait for a state; a test that waits in vain fails by its own time limit."""
    while not ready():
        time.sleep(0.01)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return a sample of the parent's."""
    return registry.get_sample_value(f"ai_agent_{name}", labels)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_job_s_score_is_its_parent_s(
    collector: aeq.JobCollector, registry: CollectorRegistry, tmp_path: Path
) -> None:
    """The call's sample, its turns and stages are scraped in the parent, and recorded once."""
    with started("ends") as job:
        assert job.wait(30) == 0
    until(lambda: value(registry, "call_quality_score", call_id="job-1") is not None)
    assert value(registry, "call_quality_score", call_id="job-1") == 100
    assert value(registry, "calls_active") == 0
    assert value(registry, "calls_ended_total", provider="acme", outcome="completed") == 1
    labels = {"provider": "acme", "pipeline": "default"}
    assert value(registry, "call_turn_response_seconds_count", **labels) == 20
    assert value(registry, "turn_stage_seconds_count", provider="thinker", stage="llm") == 20
    collector.monitor.close()
    (record,) = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert '"job-1"' in record


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_leaves_nothing_live(
    collector: aeq.JobCollector, registry: CollectorRegistry, how: signal.Signals
) -> None:
    """Its call is live while it goes on; then it is interrupted, and no gauge stays of it."""
    assert collector.path
    with started() as job:
        until(lambda: value(registry, "calls_active") == 1)
        job.send_signal(how)
        job.wait(30)
    until(lambda: value(registry, "calls_active") == 0)
    assert value(registry, "calls_ended_total", provider="acme", outcome="interrupted") == 1
    if how is signal.SIGKILL:  # of which nothing is known but that it began
        assert value(registry, "call_quality_score", call_id="job-1") is None


def test_a_parent_hands_nothing_to_itself(collector: aeq.JobCollector) -> None:
    """An engine in the parent's own process is scored there; other processes find the socket."""
    assert jobs.parent_socket() is None
    others = {jobs.VARIABLE: f"{os.getpid() + 1}:{collector.path}"}
    assert jobs.parent_socket(others) == collector.path


def test_there_is_one_collector(collector: aeq.JobCollector) -> None:
    """Who asks again gets the same; after its end nothing is left of it."""
    assert aeq.collect_jobs() is collector
    folder = Path(collector.path).parent
    assert folder.stat().st_mode & 0o077 == 0
    collector.close()
    collector.close()
    assert not folder.exists()
    assert jobs.VARIABLE not in os.environ
    assert shared_monitor._collector == []


@pytest.mark.timeout(60)
def test_what_no_job_would_say_is_dropped(
    collector: aeq.JobCollector, registry: CollectorRegistry
) -> None:
    """A message of another version is counted, and the others are still heard."""
    way = jobs._Parent(collector.path)
    way.tell({"something": "else"})
    way.tell(["x"])
    way.tell({"started": ["job-2", None, None]})
    until(lambda: value(registry, "calls_active") == 1)
    assert value(registry, "quality_dropped_total", reason="internal_error") == 2
    way.close()
    until(lambda: value(registry, "calls_active") == 0)


def test_a_job_without_its_parent_goes_on(tmp_path: Path) -> None:
    """A parent that has gone loses the score, and no more: nothing raises into the job."""
    monitor = JobMonitor(str(tmp_path / "gone"))
    monitor.call_started("1.1")
    score = monitor.call_ended("1.1")
    monitor.close()
    assert score is not None
