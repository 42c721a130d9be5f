"""The engine with the real library: the healthy matrix keeps its promise, real latencies do not."""

import asyncio
import time
from statistics import mean

import pytest
from ai_engine_lab.engine import HEALTHY, MEASURED, plan_calls, run_matrix
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq


def scored(bench, profile, seed=20251026):
    """Run the matrix with a real monitor; return its results and the registry."""
    registry = CollectorRegistry()

    async def main():
        loop = asyncio.get_running_loop()
        quality = aeq.QualityMonitor(
            registry=registry, clock=loop.time, wall_clock=loop.wall_time, log=False
        )
        engine = bench.engine(quality=quality, registry=registry, profile=profile, seed=seed)
        results = await run_matrix(engine, plan_calls(seed=seed))
        return results, {
            sample.labels["call_id"]: sample.value
            for family in registry.collect()
            if family.name == "ai_agent_call_quality_score"
            for sample in family.samples
        }

    return bench.run(main)


@pytest.mark.parametrize("seed", [20251026, 1, 2, 3, 4])
def test_the_healthy_profile_meets_the_matrix(bench, seed):
    """All twenty calls score over what their row expects, whatever the seed, within a minute."""
    began = time.monotonic()
    results, samples = scored(bench, HEALTHY, seed)
    assert time.monotonic() - began < 60
    assert [result.plan.call_id for result in results if not result.as_expected] == []
    assert samples == {result.plan.call_id: result.score.score for result in results}
    assert mean(result.score.score for result in results) > 90


def test_healthy_speech_costs_no_points(bench):
    """Real or synthesised speech through both providers' codecs is speech to the library."""
    results, _ = scored(bench, HEALTHY)
    for result in results:
        penalties = {factor.name: factor.penalty for factor in result.score.factors}
        assert penalties["rms"] == 0
        assert penalties["codec"] == 0
        assert penalties["underflow"] == 0
        assert result.score.coverage >= 0.8


def test_measured_latencies_are_not_made_to_look_healthy(bench):
    """The measured profile shows what real calls were: some good, some poor, none hidden.

    Its latencies are those that the real engine told; callers hear half a second more of each.
    """
    results, _ = scored(bench, MEASURED)
    scores = [result.score.score for result in results]
    assert {result.profile for result in results} == {"measured"}
    assert min(scores) < 60
    assert max(scores) >= 80
    assert not all(result.as_expected for result in results)
