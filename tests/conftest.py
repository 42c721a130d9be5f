"""What all tests share: a registry of one's own, a clock that stands still, a monitor, calls."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from debian import needs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from written import PatientLogger

import ai_engine_quality as aeq
from ai_engine_quality.cli import cli

settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,  # the same calls in every run: a failure is never a matter of luck
    max_examples=60,
    # mutmut runs a class's test in one process again and again, each time by another instance.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.register_profile(
    "thorough", deadline=None, max_examples=3_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# A shell starts what it runs in the background with SIGINT ignored, and nohup with SIGHUP; children
# inherit that: the commands that these tests end by signals would go on for ever.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


LONGEST = (
    "tests/monitoring/test_a_day.py",
    "tests/monitoring/test_every_fault.py",
    "tests/monitoring/test_rules.py",
    "tests/reliability/",
)

# Whoever starts the tests may say how wide the terminal is, and pytest-xdist says so to its own
# processes: the commands would fold what the tests look for.
os.environ.pop("COLUMNS", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let simulated days and months begin first: where files are shared out, they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose ``system`` packages aren't installed; in CI it fails."""
    for mark in item.iter_markers("system"):
        needs(*mark.args)


class ManualClock:
    """Seconds that pass only when told to."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the present second."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry with nothing on it."""
    return CollectorRegistry()


@pytest.fixture
def clock() -> ManualClock:
    """Return a monotonic clock that stands still until it is advanced."""
    return ManualClock()


@pytest.fixture
def logger() -> PatientLogger:
    """Return a logger that remembers, in ``calls``, what it was told."""
    return PatientLogger()


@pytest.fixture
def quality(
    registry: CollectorRegistry, clock: ManualClock, logger: PatientLogger
) -> Iterator[aeq.QualityMonitor]:
    """Return a monitor on the test's own registry and clock; it logs no calls."""
    monitor = aeq.QualityMonitor(
        registry=registry,
        clock=clock,
        wall_clock=lambda: 1_761_532_874.0,
        log=False,
        logger=logger,
    )
    yield monitor
    monitor.close()


@pytest.fixture
def dropped(registry: CollectorRegistry) -> Callable[[str], float]:
    """Return a function from a reason to how often something was dropped for it."""

    def read(reason: str) -> float:
        return (
            registry.get_sample_value("ai_agent_quality_dropped_total", {"reason": reason}) or 0.0
        )

    return read


def _optional(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


# Values lie on and around the policy's own thresholds more often than chance would have it.
_SECONDS = st.floats(0, 6) | st.sampled_from(
    [0.0, 0.3, 0.5, 0.8, 0.999, 1.0, 1.2, 1.999, 2.0, 2.999, 3.0, 4.999, 5.0, 20.0, 300.0]
)
_DURATIONS = st.floats(0, 4_000) | st.sampled_from([0.0, 9.99, 10.0, 29.99, 30.0, 60.0, 14_400.0])
_LEVELS = st.floats(200, 32_768) | st.sampled_from(
    [325.0, 326.0, 650.0, 652.0, 1_299.0, 1_300.0, 2_600.0, 5_200.0, 5_201.0, 6_000.0, 20_000.0]
)
_STAGES = ("provider_out", "transport_out", "transport_out:stream", "transport_in", "provider_in")


@st.composite
def _stage_levels(draw: st.DrawFn) -> aeq.StageLevels:
    frames = draw(st.integers(0, 600) | st.sampled_from([49, 50, 51, 100, 150]))
    few = st.sampled_from([0, frames // 100, frames // 50, frames])
    active = min(frames, draw(st.integers(0, frames) | few))
    noise = active >= 20 and draw(st.booleans())
    return aeq.StageLevels(
        frames=frames,
        active=active,
        rms=draw(_LEVELS) if active else None,
        spread_db=draw(_optional(st.floats(0, 25))) if active >= 200 else None,
        clipped=draw(st.floats(0, 1)) if noise else None,
        dc=draw(st.floats(-6_000, 6_000)) if noise else None,
        flatness=draw(st.floats(0, 1) | st.just(0.10)) if noise else None,
    )


_TIMES = st.lists(st.integers(0, 30_000), min_size=1, max_size=3).map(
    lambda some: tuple(at / 20 for at in sorted(some * 2))
)
_COURSES = st.dictionaries(
    st.sampled_from(["agent", "caller", "wait", "unanswered", "barge_in", "hole", "stall"]),
    _TIMES,
    max_size=3,
)


@st.composite
def _heard(draw: st.DrawFn) -> aeq.HeardCall:
    shares = st.sets(st.sampled_from(["latency", "barge_in", "underflow"]))
    holes = draw(_optional(st.integers(0, 9)))
    stalls = draw(_optional(st.integers(0, 2)))
    return aeq.HeardCall(
        factors=tuple(sorted(draw(shares))),
        cannot_hear=draw(st.sampled_from([None, "the caller's track was not seen"])),
        resolution=draw(_optional(st.sampled_from([0.02, 0.187]))),
        first_word=draw(_optional(_SECONDS)),
        caller_voice=draw(_optional(_SECONDS)),
        caller_dead=draw(_optional(st.booleans())),
        answers=draw(_optional(st.integers(0, 9))),
        ended_in_answer=draw(_optional(st.booleans())),
        holes=holes,
        hole_seconds=draw(_SECONDS) if holes else None if holes is None else 0.0,
        longest_hole=draw(_SECONDS) if holes else None if holes is None else 0.0,
        stalls=stalls,
        longest_stall=draw(_SECONDS) if stalls else None if stalls is None else 0.0,
        echo=draw(_optional(st.floats(0.1, 1.0))),
        told_latency=draw(_optional(_SECONDS)),
        told_turns=draw(_optional(st.integers(1, 30))),
        course=draw(_COURSES),
    )


@st.composite
def _summaries(draw: st.DrawFn) -> aeq.CallSummary:
    underflows = draw(_optional(st.integers(0, 60)))
    known_runs = draw(_optional(st.integers(0, underflows))) if underflows else None
    checks = draw(_optional(st.integers(1, 20)))
    kinds = draw(st.sets(st.sampled_from(_STAGES)))
    if "transport_out:stream" in kinds:
        kinds.discard("transport_out")  # one way to the caller at a time
    reactions = tuple(draw(st.lists(_SECONDS, max_size=5))) or None
    heard_of = draw(_optional(st.integers(len(reactions or ()), 9)))
    return aeq.CallSummary(
        call_id="1761532874.2245",
        provider=draw(st.sampled_from([None, "deepgram", "openai_realtime"])),
        pipeline=draw(st.sampled_from([None, "default"])),
        outcome=draw(st.sampled_from([None, "completed"])),
        failed=draw(st.sampled_from([False] * 9 + [True])),
        started_at=draw(_optional(st.just(1_761_532_874.0))),
        duration=draw(_DURATIONS),
        turn_latencies=tuple(draw(st.lists(_SECONDS, max_size=30))) or None,
        frames_sent=draw(_optional(st.integers(0, 4_000) | st.sampled_from([0, 1, 49, 50]))),
        underflows=underflows,
        underflow_episodes=known_runs,
        fallbacks=draw(_optional(st.integers(1, 7))),
        barge_ins=heard_of,
        barge_in_reactions=reactions,
        unanswered=tuple(draw(st.lists(_SECONDS, max_size=3))) or None,
        codec_checks=checks,
        codec_misaligned=draw(st.integers(0, checks)) if checks else None,
        audio={stage: draw(_stage_levels()) for stage in sorted(kinds)},
        heard=draw(_optional(_heard())),
        agent_characters=draw(_optional(st.integers(0, 4_000))),
        packets_sent=draw(_optional(st.integers(0, 4_000))),
        packets_lost=draw(_optional(st.integers(0, 900))),
    )


@pytest.fixture(scope="session")
def summaries() -> st.SearchStrategy[aeq.CallSummary]:
    """Return a strategy for calls of every kind: short, silent, broken, unobserved, ordinary."""
    return _summaries()


@pytest.fixture
def run() -> Callable[..., Result]:
    """Return a function that runs a command as a shell would, and gives its result."""

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Return a record file with a perfect call, a slow one and one that can't be scored."""
    path = tmp_path / "calls.jsonl"
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, records=path)
    for call_id, latencies in (("100.1", [0.4] * 20), ("100.2", [0.8, 0.9, 2.6]), ("100.3", [])):
        quality.call_started(call_id, provider="deepgram")
        call = quality.call(call_id)
        for seconds in latencies:
            call.turn_response(seconds)
        if latencies:
            call.frames_sent(1_000)
        call.call_ended(duration=60.0)
    quality.close()
    return path
