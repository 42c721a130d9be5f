"""What a score says of itself, what it would be without a cause, and how it is stored."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq

V1 = aeq.Policy.load("v1")
"""The numbers below are those of version one."""

DATA = Path(__file__).parent / "data"

# Nine turns of which the seventh is the slowest: p95 = 0.9 + 0.6 * 2.2 = 2.22 s, 21.32 points.
# 12 fillers of unknown episodes to 1,088 frames: 1.0909 %, 8.318 points. 100 - 29.638 = 70.362.
SLOW = aeq.CallSummary(
    call_id="1761532874.2245",
    provider="deepgram",
    pipeline="default",
    duration=90.0,
    turn_latencies=(0.9,) * 6 + (3.1,) + (0.9,) * 2,
    frames_sent=1_088,
    underflows=12,
)
FAULTLESS = aeq.CallSummary(
    call_id="1761532874.2246", duration=60.0, turn_latencies=(0.4,) * 6 + (0.45,), frames_sent=1_000
)


class TestOneLine:
    def test_it_begins_with_the_score_and_its_band(self):
        """The line begins with the score and its band, and is one line."""
        line = aeq.score(SLOW, V1).explain()
        assert line.startswith("70, fair: ")
        assert "\n" not in line

    def test_it_names_the_factors_in_order_of_cost(self):
        """What cost most comes first, each with its points."""
        line = aeq.score(SLOW, V1).explain()
        assert re.search(r"-21\.3 latency \(.*\), -8\.3 underflow \(", line)

    def test_it_says_what_latency_was_read_from(self):
        """Latency comes with its p95, its number of turns, and the worst turn by number."""
        assert "p95 2.22 s over 9 turns; worst: turn 7, 3.1 s" in aeq.score(SLOW, V1).explain()

    def test_it_says_what_underflow_was_read_from(self):
        """Underflow comes with its effective ratio in percent."""
        assert re.search(r"underflow \(1\.09 %", aeq.score(SLOW, V1).explain())

    def test_it_names_the_ceiling_that_decided(self):
        """A ceiling that decided the score is named with its height and its reason."""
        call = aeq.score(replace(SLOW, underflows=0), V1)
        assert (call.score, call.deciding_ceiling.ceiling) == (74, 74)
        assert "held to 74 by p95 >= 2 s" in call.explain()

    def test_a_ceiling_that_decided_nothing_is_not_named(self):
        """Where the points alone brought the score below a ceiling, none decided."""
        call = aeq.score(SLOW, V1)
        assert [ceiling.ceiling for ceiling in call.ceilings] == [74, 89]
        assert call.deciding_ceiling is None
        assert "held to" not in call.explain()

    def test_it_says_what_the_score_would_be_without_the_worst_turn(self):
        """The counterfactual is the score of the same call without that turn."""
        call = aeq.score(SLOW, V1)
        without = aeq.score(replace(SLOW, turn_latencies=(0.9,) * 8, turn_count=8), V1)
        assert call.explain().endswith(f"Without turn 7: {without.score}, {without.band}.")
        assert (without.score, without.band) == (84, "good")

    def test_the_worst_turn_is_named_even_where_it_costs_nothing(self):
        """A faultless call names its slowest turn all the same."""
        call = aeq.score(FAULTLESS, V1)
        assert call.score == 100
        assert "worst: turn 7, 0.45 s" in call.explain()

    def test_an_unanswered_turn_can_be_the_worst(self):
        """A turn that never got a reply is the worst where it waited longest."""
        line = aeq.score(replace(SLOW, unanswered=(6.0,)), V1).explain()
        assert re.search(r"worst: [^;)]*unanswered[^;)]*6 s", line)

    def test_an_estimate_is_told(self):
        """Underflow by estimated frames says so in the line."""
        assert "estimate" in aeq.score(replace(SLOW, frames_sent=None), V1).explain()

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            ({"duration": 5.0}, "abandoned"),
            ({"duration": 15.0, "frames_sent": 100}, "no_conversation"),
            ({"duration": 60.0, "codec_checks": 1}, "too_little_evidence"),
        ],
    )
    def test_an_unscored_call_says_why(self, facts, reason):
        """A call without a score says that it has none, and the reason."""
        line = aeq.score(aeq.CallSummary(call_id="1", **facts), V1).explain()
        assert "not scored" in line
        assert reason in line
        assert "\n" not in line

    @pytest.mark.parametrize(
        ("facts", "words"),
        [
            ({"failed": True}, "failed"),
            ({"turn_latencies": None, "turn_count": None, "frames_sent": 0}, "never heard"),
        ],
    )
    def test_a_score_of_0_says_why(self, facts, words):
        """A ceiling of 0 is named with its reason."""
        line = aeq.score(replace(SLOW, **facts), V1).explain()
        assert line.startswith("0, poor: ")
        assert re.search(f"held to 0 by .*{words}", line)


class TestWordsThatAreMadeLater:
    def test_a_score_is_pickled_and_copied_whole(self):
        """Evidence and the counterfactual go along, whether anybody has asked for them or not."""
        for again in (copy.deepcopy, lambda call: pickle.loads(pickle.dumps(call))):  # noqa: S301  # its own
            call = again(aeq.score(SLOW, V1))
            assert call == aeq.score(SLOW, V1)
            assert call.explain(full=True) == aeq.score(SLOW, V1).explain(full=True)

    def test_a_factor_stays_as_it_was_scored(self):
        """No hook can change what the next one reads."""
        factor = aeq.score(SLOW, V1).factors[0]
        for name in ("penalty", "evidence", "value"):
            with pytest.raises((AttributeError, TypeError)):  # as Python's version has it
                setattr(factor, name, 0)
        assert factor == aeq.score(SLOW, V1).factors[0]


class TestInFull:
    def test_it_names_the_call_and_every_factor(self):
        """The full explanation names the call, its score, its policy and all six factors."""
        text = aeq.score(SLOW, V1).explain(full=True)
        for words in (
            "1761532874.2245",
            "70, fair",
            "v1",
            "deepgram",
            "9 turns",
            "65 %",
            "latency",
            "underflow",
            "fallback",
            "barge_in",
            "codec",
            "rms",
        ):
            assert words in text, words

    def test_factors_come_in_order_of_cost(self):
        """Those that cost most come first, unobserved ones last."""
        text = aeq.score(SLOW, V1).explain(full=True)
        names = re.findall(
            r"^ +(latency|underflow|fallback|barge_in|codec|rms) ", text, re.MULTILINE
        )
        assert names[:3] == ["latency", "underflow", "fallback"]
        assert len(names) == 6

    def test_it_names_every_ceiling(self):
        """Every ceiling that applies is listed with its reason, whether it decided or not."""
        call = aeq.score(SLOW, V1)
        text = call.explain(full=True)
        assert len(call.ceilings) == 2
        for ceiling in call.ceilings:
            assert str(ceiling.ceiling) in text
            assert ceiling.reason in text

    def test_it_lists_the_slowest_turns(self):
        """The slowest turns are listed with their numbers."""
        text = aeq.score(replace(SLOW, turn_latencies=(0.9, 3.1, 1.2, 2.0)), V1).explain(full=True)
        assert re.search(r"turn 2: 3\.10 s.*turn 4: 2\.00 s.*turn 3: 1\.20 s", text)

    def test_it_names_a_loud_echo(self):
        """It may be what an engine took for the caller."""
        heard = aeq.HeardCall(echo=0.316)
        text = aeq.score(replace(SLOW, heard=heard), V1).explain(full=True)
        assert "comes back in the caller's track: the agent's echo, 10 dB under its voice" in text
        assert "echo" not in aeq.score(SLOW, V1).explain(full=True)

    def test_an_unscored_call_says_why(self):
        """The full explanation of a call without a score gives the reason."""
        text = aeq.score(aeq.CallSummary(call_id="1", duration=5.0), V1).explain(full=True)
        assert "not scored" in text
        assert "abandoned" in text


class TestCounterfactuals:
    def test_the_slowest_turn_comes_first(self):
        """What one turn would have changed comes before what whole factors would have."""
        found = re.findall(
            r"^  without ([a-z_]+ ?\d*): (\d+)",
            aeq.score(SLOW, V1).explain(full=True),
            re.MULTILINE,
        )
        assert found == [("turn 7", "84"), ("latency", "89"), ("underflow", "74")]

    def test_nothing_would_have_improved_a_faultless_call(self):
        """A call with all points has no counterfactual."""
        call = aeq.score(FAULTLESS, V1)
        assert "ithout" not in call.explain() + call.explain(full=True)
        assert call.without_slowest_turn is None

    @pytest.mark.parametrize(
        "facts",
        [
            # Without turn 1 nobody was answered who spoke for 3 s: 59 at most.
            {"audio": {"transport_in": aeq.StageLevels(frames=300, active=200, rms=2_000.0)}},
            # Without turn 1 the agent, who sent no frame, was never heard: 0.
            {"frames_sent": 0},
            # Without turn 1 there are exactly 86.5 points left, which is 87.
            {"fallbacks": 4, "unanswered": (0.412109375,)},
        ],
        ids=["caller ignored", "never heard", "half a point"],
    )
    def test_without_its_only_answered_turn_a_call_is_what_it_would_be(self, facts):
        """The score without a turn is what the call without it scores, ceilings included."""
        summary = aeq.CallSummary(
            **{
                "call_id": "1.1",
                "duration": 60.0,
                "turn_latencies": (2.0,),
                "unanswered": (0.4,),
                **facts,
            }
        )
        call = aeq.score(summary, V1)
        again = aeq.score(replace(summary, turn_latencies=None, turn_count=None), V1)
        named = call.score if call.without_slowest_turn is None else call.without_slowest_turn.score
        assert named == max(call.score, again.score)

    def test_the_only_turn_of_a_call_is_not_left_out(self):
        """Without its only turn nothing would be left to score, so that isn't named."""
        line = aeq.score(replace(SLOW, turn_latencies=(3.1,), turn_count=1), V1).explain()
        assert "Without turn" not in line

    def test_an_unscored_call_has_none(self):
        """Without a score nothing would have changed it."""
        call = aeq.score(aeq.CallSummary(call_id="1", duration=5.0), V1)
        assert "ithout" not in call.explain() + call.explain(full=True)

    def test_a_score_by_a_policy_of_ones_own_is_explained_after_storing(self):
        """A stored score explains itself as before, whether its policy is known here or not."""
        custom = V1.with_changes({"noise": {"rms": 7_000}})
        call = aeq.score(SLOW, custom)
        stored = aeq.CallScore.from_dict(call.to_dict())
        assert stored == call
        assert stored.explain() == call.explain()
        assert stored.explain(full=True) == call.explain(full=True)


class TestWithout:
    def test_a_factor_goes_with_its_points_and_its_ceilings(self):
        """Without latency's points and its ceiling of 74, underflow's ceiling of 89 is left."""
        call = aeq.score(SLOW, V1)
        assert call.without("latency") == 89
        assert call.without("latency", "underflow") == 100

    def test_without_anything_it_is_the_score(self):
        """Where no cause is gone the score is as it was, and so it is without one it hasn't."""
        call = aeq.score(SLOW, V1)
        assert call.without() == call.without("codec") == call.score == 70

    def test_a_ceiling_over_the_whole_call_goes_by_its_rule(self):
        """A call that failed would have had its points; a factor's rule is no cause by itself."""
        call = aeq.score(replace(SLOW, failed=True, unanswered=(6.0,)), V1)
        assert call.score == 0
        assert call.without("call_failed") == 59
        assert call.without("call_failed", "unanswered") == 59

    def test_half_a_point_is_still_rounded_up(self):
        """Penalties are added up as for a score: what is left doesn't lose its half to dust."""
        facts = {"underflows": 0, "codec_checks": 100, "codec_misaligned": 5}
        call = aeq.score(replace(FAULTLESS, **facts, fallbacks=1), V1)
        assert call.raw == 94.5
        assert call.without("fallback") == 100
        assert call.without("latency") == 95


class TestAnyCall:
    @given(data=st.data())
    def test_every_score_explains_itself(self, summaries, data):
        """Any call has a line that gives its score or reason, and names the worst of its turns."""
        call = aeq.score(data.draw(summaries), V1)
        line = call.explain()
        assert "\n" not in line
        assert line.startswith("not scored" if call.score is None else f"{call.score}, {call.band}")
        if call.score is not None and call.turns:
            assert "worst: " in line
        for factor in call.factors:
            assert factor.name in call.explain(full=True)

    @given(data=st.data())
    def test_the_turn_that_is_named_would_have_raised_the_score(self, summaries, data):
        """The call without the turn that is named scores higher, and just as the line says."""
        summary = data.draw(summaries)
        call = aeq.score(summary, V1)
        change = call.without_slowest_turn
        if change is None:
            assert "Without turn" not in call.explain()
            return
        turns = list(summary.turn_latencies)
        del turns[int(change.without.removeprefix("turn ")) - 1]
        again = aeq.score(replace(summary, turn_latencies=tuple(turns), turn_count=len(turns)), V1)
        assert (again.score, again.band) == (change.score, change.band)
        assert f"Without {change.without}: {again.score}, {again.band}." in call.explain()
        assert again.score > call.score


class TestStoredScores:
    @given(data=st.data())
    def test_a_score_goes_through_plain_types_and_back(self, summaries, data):
        """``CallScore.from_dict`` gives back an equal score from what ``to_dict`` returned."""
        call = aeq.score(data.draw(summaries), V1)
        assert aeq.CallScore.from_dict(call.to_dict()) == call

    def test_a_stored_score_is_explained_as_it_was(self):
        """A score that was stored and read again explains itself in the same words."""
        call = aeq.score(SLOW, V1)
        assert aeq.CallScore.from_dict(call.to_dict()).explain() == call.explain()

    @pytest.mark.parametrize(
        "field",
        [
            "call_id",
            "score",
            "raw",
            "band",
            "factors",
            "ceilings",
            "coverage",
            "turns",
            "unscored_reason",
            "policy_version",
            "summary",
        ],
    )
    def test_a_missing_field_is_refused(self, field):
        """A stored score that lacks a field raises ValueError."""
        stored = aeq.score(SLOW, V1).to_dict()
        del stored[field]
        with pytest.raises(ValueError, match=field):
            aeq.CallScore.from_dict(stored)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("score", "high"),
            ("raw", "99"),
            ("band", "splendid"),
            ("factors", 7),
            ("ceilings", [7]),
            ("coverage", None),
            ("turns", "twenty"),
            ("summary", []),
            ("policy_version", 1),
        ],
    )
    def test_a_field_of_a_wrong_type_is_refused(self, field, value):
        """A stored score with a field that holds something else raises ValueError."""
        with pytest.raises(ValueError, match=r"\S"):
            aeq.CallScore.from_dict({**aeq.score(SLOW, V1).to_dict(), field: value})

    def test_an_unknown_field_is_refused(self):
        """A stored score with a field that no score has raises ValueError."""
        with pytest.raises(ValueError, match="mood"):
            aeq.CallScore.from_dict({**aeq.score(SLOW, V1).to_dict(), "mood": 1})

    def test_a_record_with_gates_is_read(self):
        """A record written when ceilings were called gates reads as the same score today."""
        (stored,) = aeq.read_records(DATA / "record-with-gates.jsonl")
        assert stored == aeq.score(stored.summary, aeq.Policy.load("v1"))
        assert [ceiling.rule for ceiling in stored.ceilings] == ["latency", "underflow", "fallback"]
        assert "gates" not in stored.to_dict()

    def test_ceilings_under_both_names_are_refused(self):
        """No version wrote both, so such a record is wrong, and its unknown field is named."""
        stored = aeq.score(SLOW, V1).to_dict()
        with pytest.raises(ValueError, match="gates is unknown"):
            aeq.CallScore.from_dict({**stored, "gates": stored["ceilings"]})
