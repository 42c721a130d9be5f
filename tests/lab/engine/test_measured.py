"""The `measured` profile takes its numbers from real calls, and from nothing else."""

import json
from pathlib import Path
from statistics import mean

import pytest
from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine import HEALTHY, MEASURED, PROVIDERS
from ai_engine_lab.engine.measured import measured_calls, starving_share

SOURCE = Path(__file__).parents[4] / "shared" / "engine" / "real-calls.json"


def record(call_id):
    (call,) = [call for call in measured_calls() if call.call_id == call_id]
    return call


@pytest.mark.skipif(not SOURCE.exists(), reason="the source of the records is not here")
def test_the_records_agree_with_their_source():
    """Every number of the package's records stands in the source, and no call is left out."""
    source = {call["call_id"]: call for call in json.loads(SOURCE.read_text(encoding="utf-8"))}
    assert [call.call_id for call in measured_calls()] == list(source)
    for call in measured_calls():
        raw = source[call.call_id]
        latencies = raw.get("turn_latencies_s") or raw.get("turn_latencies_s_derived_from_log", [])
        assert list(call.latencies) == latencies
        assert (call.latency_mean or 0) * 1_000 == raw.get("turn_latency_avg_ms", 0)
        assert (call.latency_worst or 0) * 1_000 == raw.get("turn_latency_max_ms", 0)
        assert call.duration == raw.get("duration_s")
        assert call.turns == raw.get("turns")
        assert call.underflows == raw.get("underflows")
        assert call.frames_sent == raw.get("frames_sent")
        assert call.verdict == raw["verdict"]
        assert (call.provider is None) == ("provider" not in raw)


def test_recorded_latencies_are_drawn_as_they_are():
    """Where a call's turns were recorded, a turn has one of their latencies."""
    call, rng = record("1760657045.1507"), chance(1)
    assert {call.draw_latency(rng) for _ in range(200)} == {0.723, 1.072, 3.033}


def test_a_recorded_mean_and_worst_are_kept():
    """Where only mean and worst are known, the turns drawn have that mean and that worst."""
    call, rng = record("1781983621.117"), chance(1)
    drawn = [call.draw_latency(rng) for _ in range(5_000)]
    assert max(drawn) == 1.529
    assert mean(drawn) == pytest.approx(0.759, rel=0.03)


def test_the_share_of_fillers_in_bad_calls_is_the_recorded_one():
    """106 fillers in 300 frames: the one bad call whose frames were recorded."""
    assert starving_share(measured_calls()) == pytest.approx(106 / 300)


def test_calls_take_after_calls_of_their_own_provider(bench):
    """A Deepgram call behaves as a Deepgram call did; a provider never recorded, as any did."""
    timed = {call.provider for call in measured_calls() if call.has_latency}
    for name in timed & {"deepgram", "openai_realtime"}:
        plan = bench.plan(provider=name)
        for seed in range(200):
            drawn = MEASURED.behaviour(plan, chance(seed))
            assert drawn.latency_source.provider == name
            assert drawn.delivery_source.provider == name


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_has_a_measured_behaviour(bench, name):
    """Whatever was recorded of a provider, and if it was nothing, its calls can be answered."""
    for pipeline in (None, "local_hybrid"):
        for seed in range(50):
            drawn = MEASURED.behaviour(bench.plan(provider=name, pipeline=pipeline), chance(seed))
            assert drawn.response_latency() > 0
            assert drawn.delivery().pace > 0


def test_the_profiles_are_never_mixed(bench):
    """A healthy call draws nothing from the records, whatever its seed."""
    for seed in range(100):
        drawn = HEALTHY.behaviour(bench.plan(), chance(seed))
        assert drawn.delivery().pace > 2
        assert 0.1 <= drawn.response_latency() <= 0.48


@pytest.mark.parametrize(
    ("call_id", "share"), [("1761431178.2099", 106 / 300), ("1761355140.2007", 0.0)]
)
def test_starvation_is_as_recorded(bench, call_id, share):
    """A call that takes after a bad one has its share of fillers; one after a good one has none."""
    source = record(call_id)
    drawn = MEASURED.behaviour(bench.plan(), chance(1))
    drawn.latency_source, drawn.delivery_source = record("1761504353.2179"), source
    profile = bench.fixed()
    profile.given = drawn
    tally = bench.call(bench.plan("complex", duration=120.0), profile=profile).tally
    assert tally.fillers / (tally.fillers + tally.frames_sent) == pytest.approx(share, abs=0.03)
    assert tally.turn_latencies == pytest.approx([4.44] * len(tally.turn_latencies), abs=0.05)


def test_a_mixed_call_stalls_now_and_then(bench):
    """A call that takes after the one with 48 underflows has a few dozen, in short episodes."""
    drawn = MEASURED.behaviour(bench.plan(), chance(1))
    drawn.delivery_source = record("1761536451.2249")
    profile = bench.fixed()
    profile.given = drawn
    counts = []
    for seed in range(6):
        tally = bench.call(bench.plan("simple_qa", duration=45.0), profile=profile, seed=seed).tally
        counts.append(tally.fillers)
        assert tally.fillers <= 8 * tally.filler_episodes
    assert 15 < mean(counts) < 90
