"""Comparisons: is one set of calls better than another, and by what?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import ai_engine_quality as aeq
from ai_engine_quality.core.policy import FACTORS
from ai_engine_quality.history.comparison import MIN_CALLS, Conclusion, compare


def test_slower_calls_are_worse_and_latency_is_why(make_calls):
    """Where only latency differs, the score and latency are worse, and no other factor is."""
    effects = {effect.name: effect for effect in compare(make_calls(60), make_calls(60, 1.2))}
    assert list(effects) == ["score", *FACTORS]
    assert effects["score"].verdict is effects["latency"].verdict is Conclusion.WORSE
    assert effects["score"].low <= effects["score"].points <= effects["score"].high < 0
    assert effects["underflow"].verdict is Conclusion.NO_DIFFERENCE
    assert effects["barge_in"].verdict is Conclusion.TOO_FEW
    assert effects["latency"].a.median == pytest.approx(1.0, abs=0.1)


def test_the_other_way_round_is_the_opposite(make_calls):
    """What is worse one way is better the other way, by as much."""
    slow, fast = make_calls(60, 1.2), make_calls(60)
    there, back = compare(fast, slow)[0], compare(slow, fast)[0]
    assert (there.verdict, back.verdict) == (Conclusion.WORSE, Conclusion.BETTER)
    assert there.points == -back.points


def test_few_calls_allow_no_verdict(make_calls):
    """With fewer than 20 calls on a side the difference is shown, and nothing is concluded."""
    effect = compare(make_calls(MIN_CALLS - 1), make_calls(200, 3.0))[0]
    assert effect.verdict is Conclusion.TOO_FEW
    assert effect.points < -20
    assert effect.low is None


def test_calls_without_a_score_are_left_out(make_calls):
    """Calls that were not scored change no mean, and don't make a side large enough."""
    unscored = [replace(call, score=None, band=None) for call in make_calls(50)]
    effect = compare(make_calls(30) + unscored, unscored)[0]
    assert (effect.a.calls, effect.b.calls) == (30, 0)
    assert effect.points is None
    assert effect.verdict is Conclusion.TOO_FEW


@pytest.mark.no_cover
def test_equal_sets_rarely_differ(make_calls):
    """Of 100 pairs of sets of the same kind about one in twenty shows a difference by chance."""
    everything = make_calls(100 * 60)
    sets = [everything[at : at + 30] for at in range(0, len(everything), 30)]
    found = [compare(*sets[at : at + 2]) for at in range(0, len(sets), 2)]
    assert len(found) == 100
    differ = [effects for effects in found if effects[0].verdict is not Conclusion.NO_DIFFERENCE]
    assert 1 <= len(differ) <= 11
    other = [
        effects
        for effects in found
        if {effect.verdict for effect in effects[1:]} & {Conclusion.BETTER, Conclusion.WORSE}
    ]
    assert len(other) <= 11


class TestCommand:
    def test_it_says_which_is_better(self, run, write, make_calls):
        """The table has the score and each factor, and a sentence says what was found."""
        before = write(make_calls(40), "before.jsonl")
        after = write(make_calls(40, 1.2), "after.jsonl")
        result = run("compare", before, after)
        assert result.exit_code == 0, result.output
        assert "B is worse than A by" in result.output
        assert all(name in result.output for name in FACTORS)

    def test_one_file_gives_both_sides(self, run, write, make_calls):
        """Two providers of the same file are compared by their selections."""
        path = write(make_calls(40, 1.2) + make_calls(40, provider="grok"))
        result = run("compare", f"{path}?provider=deepgram", f"{path}?provider=grok", "--json")
        data = json.loads(result.output)
        assert (data["a"]["calls"], data["b"]["calls"]) == (40, 40)
        assert data["verdict"] == "better"
        assert data["effects"][0]["low"] > 0

    def test_sides_without_a_file_are_of_the_settings_file(
        self, run, write, make_calls, monkeypatch
    ):
        """The two sides of one deployment need no path: its record file is found."""
        path = write(make_calls(30) + make_calls(40, provider="grok"))
        monkeypatch.setenv("AI_ENGINE_QUALITY_RECORDS_PATH", str(path))
        data = json.loads(run("compare", "?provider=deepgram", "?provider=grok", "--json").output)
        assert [data[side]["calls"] for side in "ab"] == [30, 40]
        assert data["a"]["selection"] == f"{path}?provider=deepgram"

    @pytest.mark.parametrize(
        "case",
        [
            (40, 0.7, 0, 0),
            (40, 1.2, 3, 3),
            (40, 1.2, 60, 0),
            (40, 0.4, 0, 0),
            (10, 1.2, 3, 4),
        ],
        ids=["the same", "worse", "worse by less", "better", "too few"],
    )
    def test_it_is_a_gate_for_ci(self, run, write, make_calls, case):
        """With --fail-if-worse the exit code is 3 for worse, 4 for too few, 0 for anything else."""
        number, median, points, code = case
        before = write(make_calls(40, seed=2), "before.jsonl")
        after = write(make_calls(number, median, seed=3), "after.jsonl")
        assert run("compare", before, after).exit_code == 0
        assert run("compare", before, after, "--fail-if-worse", points).exit_code == code

    def test_scores_of_different_policies_are_not_compared(self, run, write, make_calls):
        """Calls scored by different policies are an error, unless all are scored again by one."""
        other = aeq.DEFAULT_POLICY.with_changes({"ceilings": {"noise": 10}})
        a = write(make_calls(30), "a.jsonl")
        b = write([aeq.score(call.summary, other) for call in make_calls(30)], "b.jsonl")
        refused = run("compare", a, b)
        assert refused.exit_code == 1
        assert "--policy VERSION" in refused.output
        assert "No difference seen" in run("compare", a, b, "--policy", "v1").output

    def test_an_empty_selection_is_exit_code_1(self, run, write, make_calls):
        """A selection that no call meets ends with 1 and its own words."""
        path = write(make_calls(1))
        result = run("compare", path, f"{path}?provider=grok")
        assert result.exit_code == 1
        assert "provider=grok holds no call" in result.output

    def test_a_wrong_selection_is_wrong_use(self, run, write, make_calls):
        """A condition that isn't one ends with 2 and the conditions that there are."""
        path = write(make_calls(1))
        result = run("compare", path, f"{path}?provder=grok")
        assert result.exit_code == 2
        assert "choose of provider" in result.output
