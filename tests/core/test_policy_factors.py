"""A policy scores the factors that it has weights for: a later one may know one more."""

from __future__ import annotations

import pytest

import ai_engine_quality as aeq


def changed_weights(**weights: float) -> dict:
    data = aeq.Policy.load("v1").to_dict()
    data["weights"] = {**data["weights"], **weights}
    data["weights"] = {name: weight for name, weight in data["weights"].items() if weight}
    data["knees"] = {**data["knees"], "codec": [[0, 0], [1, data["weights"]["codec"]]]}
    return {**data, "version": "fewer"}


FEWER = aeq.Policy.from_dict(changed_weights(rms=0, codec=20))
CALL = aeq.CallSummary(
    call_id="1", duration=60.0, turn_latencies=(0.4, 0.5, 0.7), frames_sent=900, underflows=0
)


def test_a_policy_scores_its_own_factors_only():
    """Without a weight a factor has no row, and the others are as they were."""
    scored = aeq.score(CALL, FEWER)
    v1 = aeq.Policy.load("v1")
    assert [factor.name for factor in scored.factors] == [n for n in v1.factors if n != "rms"]
    assert scored.factor("latency") == aeq.score(CALL).factor("latency")


def test_a_factor_that_the_policy_does_not_know_weighs_nothing():
    """Asked for it, a stored call says so; a name that no policy knows is a KeyError."""
    scored = aeq.CallScore.from_dict(aeq.score(CALL, FEWER).to_dict())
    unknown = scored.factor("rms")
    assert (unknown.weight, unknown.penalty, unknown.observed) == (0, 0, False)
    assert unknown.evidence == "not in policy fewer"
    with pytest.raises(KeyError):
        scored.factor("mood")


def test_it_is_explained_and_stored_like_any_other():
    """Records and both explanations work with fewer factors."""
    scored = aeq.score(CALL, FEWER)
    assert aeq.CallScore.from_dict(scored.to_dict()) == scored
    assert "latency" in scored.explain(full=True)
    assert "rms" not in scored.explain(full=True)


def test_latency_is_needed():
    """A policy without latency is refused, and the error says why."""
    with pytest.raises(aeq.PolicyError, match="must have latency"):
        aeq.Policy.from_dict(changed_weights(latency=0, codec=40))
