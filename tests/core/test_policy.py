"""The policy: v1 has the numbers of docs/Scoring.md, and a wrong one is refused with the fix."""

from __future__ import annotations

import copy
import inspect
import json
import math
import pickle
from dataclasses import replace

import pytest

import ai_engine_quality as aeq
from ai_engine_quality.core.policy import MAX_NUMBER, versions

FIRST = aeq.Policy.load("v1")
V1 = FIRST.to_dict()


def changed(section, key=None, value=None):
    """Return v1 in plain types with one value replaced."""
    if key is None:
        return {**V1, section: value}
    return {**V1, section: {**V1[section], key: value}}


def without(section, key=None):
    """Return v1 in plain types with one key left out."""
    if key is None:
        return {name: value for name, value in V1.items() if name != section}
    kept = {name: value for name, value in V1[section].items() if name != key}
    return {**V1, section: kept}


class TestVersionOne:
    def test_the_weights_are_the_products(self):
        """The weights of v1 are the six of docs/Scoring.md and add up to 100."""
        assert V1["weights"] == {
            "latency": 30,
            "underflow": 20,
            "fallback": 15,
            "barge_in": 15,
            "codec": 10,
            "rms": 10,
        }

    @pytest.mark.parametrize(
        ("ramp_name", "knees"),
        [
            ("latency", [[0.5, 0], [1, 10], [2, 20], [3, 26], [5, 30]]),
            ("underflow", [[0, 0], [0.005, 4], [0.01, 8], [0.03, 15], [0.05, 20]]),
            ("fallback", [[0, 0], [1, 5], [2, 9], [3, 12], [5, 15]]),
            ("barge_in", [[0.3, 0], [0.5, 4], [0.8, 9], [1.2, 15]]),
            ("codec", [[0, 0], [1, 10]]),
            ("rms_level", [[0, 0], [6, 5], [12, 10]]),
            ("rms_spread", [[6, 0], [12, 5], [18, 10]]),
        ],
    )
    def test_the_knees_are_the_texts(self, ramp_name, knees):
        """Each ramp of v1 goes through the knees of docs/Scoring.md."""
        assert V1["knees"][ramp_name] == knees

    def test_the_ceilings_are_the_texts(self):
        """Each ceiling of v1 begins where docs/Scoring.md says, and is as high as it says."""
        assert V1["ceilings"] == {
            "latency": [[1, 89], [2, 74], [3, 59]],
            "underflow": [[0.005, 89], [0.0125, 74], [0.025, 59]],
            "fallback": [[3, 89], [5, 74]],
            "barge_in": [[1.2, 89]],
            "unanswered": [[5, 59]],
            "rms_full_penalty": 89,
            "latency_unobserved": 89,
            "underflow_unobserved": 89,
            "caller_ignored": 59,
            "noise": 20,
            "call_failed": 0,
            "never_heard": 0,
        }

    def test_the_bands_are_the_texts(self):
        """Excellent begins at 90, good at 75, fair at 60, and the rest is poor."""
        assert V1["bands"] == {"excellent": 90, "good": 75, "fair": 60, "poor": 0}

    def test_the_percentile_is_the_95th(self):
        """v1 scores the 95th percentile."""
        assert V1["percentile"] == 95

    def test_it_is_the_default(self):
        """What a monitor and ``score`` use unless told otherwise is the newest version, v3."""
        assert aeq.Policy.load("v3") == aeq.DEFAULT_POLICY
        assert versions() == ["v1", "v2", "v3"]

    def test_it_goes_through_json_and_back(self):
        """A policy in plain types can be stored as JSON, and gives an equal policy back."""
        assert aeq.Policy.from_dict(json.loads(json.dumps(V1))) == FIRST


class TestLoad:
    @pytest.mark.parametrize("version", ["v0", "v999", "", "../v1", "v1.toml", "V1"])
    def test_an_unknown_version_names_those_that_exist(self, version):
        """A version that doesn't ship is refused, and the message says which ones do."""
        with pytest.raises(aeq.PolicyError, match="v1"):
            aeq.Policy.load(version)

    def test_it_names_them_one_by_one(self):
        """The message lists what can be chosen, as the engine's operator would write it."""
        with pytest.raises(aeq.PolicyError, match=r"choose one of v1, v2, v3$"):
            aeq.Policy.load("v0")

    def test_versions_are_in_the_order_in_which_they_came(self, monkeypatch, tmp_path):
        """The tenth version comes after the second, and a file beside them is no version."""
        (tmp_path / "policies").mkdir()
        for name in ("v10.toml", "v2.toml", "v1.toml", "README.md"):
            (tmp_path / "policies" / name).touch()
        monkeypatch.setattr("ai_engine_quality.core.policy.resources.files", lambda _: tmp_path)
        assert versions() == ["v1", "v2", "v10"]


class TestLimits:
    @pytest.mark.parametrize(
        ("section", "key", "value"),
        [
            ("version", None, "x"),
            ("version", None, "x" * 32),
            ("percentile", None, 100),
            ("percentile", None, 0),
            ("ceilings", "noise", 100),
            ("ceilings", "noise", 0),
            ("ceilings", "latency", [[0, 100], [1, 100]]),
            ("speech_level", "high", MAX_NUMBER),
            ("speech_level", "min_frames", 500),
            ("underflow", "min_frames", 500),
            ("underflow", "assumed_min", 600),
        ],
    )
    def test_a_limit_itself_is_allowed(self, section, key, value):
        """Names of 1 and 32 characters, 0 and 100, the largest number: all stay as they are."""
        plain = aeq.Policy.from_dict(changed(section, key, value)).to_dict()
        assert (plain[section] if key is None else plain[section][key]) == value

    def test_a_name_of_33_characters_is_too_long(self):
        """A version is a label of metrics, and no longer than 32 characters."""
        with pytest.raises(aeq.PolicyError, match=r"^version must be a name of 1 to 32 characters"):
            aeq.Policy.from_dict(changed("version", None, "x" * 33))

    def test_a_ceiling_may_be_written_with_a_point(self):
        """A whole number is one however it is written: 89.0 is 89."""
        policy = aeq.Policy.from_dict(changed("ceilings", "barge_in", [[1.2, 89.0]]))
        assert policy == FIRST
        assert isinstance(policy.ceilings.barge_in[0][1], int)


# A policy that has no codec factor.
FIVE = {
    **V1,
    "weights": {"latency": 30, "underflow": 20, "fallback": 15, "barge_in": 15, "rms": 20},
    "knees": {
        **V1["knees"],
        "rms_level": [[0, 0], [6, 5], [12, 20]],
        "rms_spread": [[6, 0], [18, 20]],
    },
}


class TestFewerFactors:
    def test_a_policy_need_not_score_every_factor(self):
        """A policy from before a factor was invented has no weight for it, and no points."""
        policy = aeq.Policy.from_dict(FIVE)
        assert policy.factors == ("latency", "underflow", "fallback", "barge_in", "rms")
        call = aeq.CallSummary(
            call_id="1",
            duration=60.0,
            turn_latencies=(0.4,),
            frames_sent=100,
            codec_checks=5,
            codec_misaligned=5,
        )
        result = aeq.score(call, policy)
        assert [factor.name for factor in result.factors] == list(policy.factors)
        assert (result.score, result.factor("codec").observed) == (100, False)

    def test_the_knees_of_those_it_scores_must_fit_all_the_same(self):
        """Knees are checked against weights after a factor that has none, too."""
        knees = {**FIVE["knees"], "rms_level": [[0, 0], [12, 10]]}
        with pytest.raises(aeq.PolicyError, match="rms_level ends at 10 points"):
            aeq.Policy.from_dict({**FIVE, "knees": knees})

    def test_latency_is_always_one_of_them(self):
        """Without latency a call's turns would not be scored, so its weight can't be left out."""
        weights = {"underflow": 50, "fallback": 15, "barge_in": 15, "codec": 10, "rms": 10}
        with pytest.raises(aeq.PolicyError, match=r"^weights must have latency"):
            aeq.Policy.from_dict({**V1, "weights": weights})


class TestWrongPolicies:
    @pytest.mark.parametrize(
        ("section", "key"),
        [
            ("weights", None),
            ("bands", None),
            ("knees", None),
            ("knees", "latency"),
            ("ceilings", "noise"),
            ("noise", "rms"),
            ("underflow", "min_frames"),
            ("speech_level", "low"),
            ("caller_ignored", "call_seconds"),
            ("never_heard", "call_seconds"),
            ("not_scored", "min_weight"),
        ],
    )
    def test_a_missing_key_is_named_as_the_file_has_it(self, section, key):
        """A policy that lacks a key is refused by the name that its file would have."""
        name = section if key is None else rf"{section}\.{key}"
        with pytest.raises(aeq.PolicyError, match=rf"(^|\W){name}\b"):
            aeq.Policy.from_dict(without(section, key))

    @pytest.mark.parametrize("section", ["knees", "noise", "ceilings", "speech_level"])
    def test_an_unknown_key_is_named_as_the_file_has_it(self, section):
        """A policy with a key too many is refused by the name that its file has."""
        with pytest.raises(aeq.PolicyError, match=rf"(^|\W){section}\.mood\b"):
            aeq.Policy.from_dict(changed(section, "mood", 1))

    @pytest.mark.parametrize("section", ["weights", "bands"])
    def test_an_unknown_factor_or_band_is_refused(self, section):
        """Weights and bands have exactly the names of docs/Scoring.md."""
        with pytest.raises(aeq.PolicyError, match=section):
            aeq.Policy.from_dict(changed(section, "mood", 1))

    def test_an_unknown_section_is_named(self):
        """A table that no policy has is refused by its name."""
        with pytest.raises(aeq.PolicyError, match="mood"):
            aeq.Policy.from_dict({**V1, "mood": {}})

    @pytest.mark.parametrize(
        ("section", "key", "value", "named"),
        [
            ("version", None, "", "version"),
            ("version", None, 1, "version"),
            ("version", None, "a\nb", "version"),
            ("percentile", None, "95", "percentile"),
            ("percentile", None, 101, "percentile"),
            ("percentile", None, math.nan, "percentile"),
            ("percentile", None, True, "percentile"),
            pytest.param("percentile", None, 10**400, "percentile", id="huge"),
            ("weights", None, [30, 20], "weights"),
            ("weights", "latency", 29, "weights"),
            ("weights", "latency", -30, "weights.latency"),
            ("knees", None, 7, "knees"),
            ("knees", "latency", [], "knees.latency"),
            ("knees", "latency", "0.5", "knees.latency"),
            ("knees", "latency", [[0.5, 0], [1]], "knees.latency"),
            ("knees", "latency", [[0.5, 0], "ab"], "knees.latency"),
            ("knees", "latency", [[1, 0], [0.5, 30]], "knees.latency"),
            ("knees", "latency", [[0.5, 0], [0.5, 30]], "knees.latency"),
            ("knees", "latency", [[0.5, 1], [5, 30]], "knees.latency"),
            ("knees", "latency", [[0.5, 0], [1, 30], [2, 20], [5, 30]], "knees.latency"),
            ("knees", "latency", [[0.5, 0], [5, 29]], "knees.latency"),
            ("knees", "rms_level", [[0, 0], [12, 9]], "knees.rms_level"),
            ("knees", "latency", [[0.5, 0], [math.inf, 30]], "knees.latency"),
            ("ceilings", "latency", [[1, 89], [2, 101]], "ceilings.latency"),
            ("ceilings", "latency", [[1, 74], [2, 89]], "ceilings.latency"),
            ("ceilings", "latency", [[2, 89], [1, 74]], "ceilings.latency"),
            ("ceilings", "latency", [[1, 88.5]], "ceilings.latency"),
            ("ceilings", "noise", 101, "ceilings.noise"),
            ("ceilings", "noise", -1, "ceilings.noise"),
            ("ceilings", "noise", 20.5, "ceilings.noise"),
            ("ceilings", "noise", True, "ceilings.noise"),
            ("speech_level", "low", 5_200, "speech_level.low"),
            ("speech_level", "min_frames", 50.5, "speech_level.min_frames"),
            ("underflow", "assumed_min", 601, "underflow.assumed_min"),
            ("underflow", "min_frames", -1, "underflow.min_frames"),
            ("noise", "flatness", "flat", "noise.flatness"),
            ("not_scored", "min_weight", None, "not_scored.min_weight"),
            ("bands", "poor", 10, "bands"),
            ("bands", "good", 95, "bands"),
            ("bands", "good", 90, "bands"),
        ],
    )
    def test_a_wrong_value_is_named(self, section, key, value, named):
        """A value out of type, range or order is refused, and the message names its key."""
        with pytest.raises(aeq.PolicyError, match=named.replace(".", r"\.")):
            aeq.Policy.from_dict(changed(section, key, value))

    @pytest.mark.parametrize(
        ("section", "key", "value", "words"),
        [
            ("knees", None, 7, "^knees must be a table, not 7$"),
            (
                "noise",
                "mood",
                1,
                r"^noise\.mood is unknown; choose one of flatness, rms, overrules_checks$",
            ),
            ("bands", "mood", 1, "^bands must be a table with exactly excellent, good, fair, poor"),
            ("weights", None, 7, "^weights must be a table with exactly latency, underflow,"),
            ("knees", "latency", 7, r"^knees\.latency must be a list of \[value, points\] pairs, "),
            ("knees", "latency", [[0, 0], 7], "pairs; 7 is none$"),
            ("knees", "latency", [b"\0\0", [5, 30]], r"pairs; b'\\x00\\x00' is none$"),
            ("knees", "latency", [[0, 0], [5, "x"]], r"^knees\.latency must be a number, not 'x'$"),
            ("knees", "latency", [[0, 1], [5, 30]], "first pair must cost 0 points, not 1$"),
            (
                "knees",
                "latency",
                [[0, 0], [1, 10], [5, 29]],
                r"ends at 29 points, but weights\.latency is 30; make them equal$",
            ),
            ("speech_level", "low", 5_200, r"^speech_level\.low must be less than speech_level\.h"),
            ("underflow", "assumed_min", 601, r"^underflow\.assumed_min must not exceed underfl"),
        ],
    )
    def test_the_message_says_what_is_wrong_and_what_would_be_right(
        self, section, key, value, words
    ):
        """Whoever reads the message knows which value it was, and what may stand there."""
        with pytest.raises(aeq.PolicyError, match=words):
            aeq.Policy.from_dict(changed(section, key, value))

    @pytest.mark.parametrize("data", [None, 7, "v1", [], [("version", "v1")]])
    def test_what_is_no_table_is_refused(self, data):
        """A policy is read from a table and from nothing else."""
        with pytest.raises(aeq.PolicyError, match=r"^a policy must be a table"):
            aeq.Policy.from_dict(data)

    def test_a_policy_error_is_a_value_error(self):
        """Whoever catches ValueError catches a wrong policy."""
        assert issubclass(aeq.PolicyError, ValueError)


class TestChanges:
    def test_only_what_is_changed_differs(self):
        """A change replaces single values and leaves all others."""
        changed_policy = FIRST.with_changes({"noise": {"rms": 7_000}})
        plain = changed_policy.to_dict()
        assert plain["noise"] == {"flatness": 0.10, "rms": 7_000}
        assert {**plain, "noise": None, "version": None} == {**V1, "noise": None, "version": None}

    def test_the_version_tells_that_it_differs(self):
        """A changed policy is ``custom-`` and a digest: the same change has the same version."""
        one = FIRST.with_changes({"noise": {"rms": 7_000}})
        again = FIRST.with_changes({"noise": {"rms": 7_000}})
        other = FIRST.with_changes({"noise": {"rms": 7_001}})
        assert one.version == again.version != other.version
        assert one.version.startswith("custom-")

    def test_the_version_is_the_same_in_every_release(self):
        """Scores of a changed policy are found by its version for years, so it never changes."""
        one = FIRST.with_changes({"noise": {"rms": 7_000}})
        assert one.version == "custom-be1b282c"

    def test_equal_ceilings_have_the_same_version(self):
        """Pairs may be lists or tuples, and a ceiling be written with a point or without."""
        ways = ([[1.2, 88]], ((1.2, 88),), [[1.2, 88.0]])
        policies = [FIRST.with_changes({"ceilings": {"barge_in": w}}) for w in ways]
        assert policies[0] == policies[1] == policies[2]

    def test_a_version_of_its_own_can_be_given(self):
        """A changed policy may be named."""
        assert FIRST.with_changes({"version": "mine"}).version == "mine"

    def test_a_version_that_ships_is_never_changed(self):
        """A change can't pass as v1: calls were scored with that."""
        with pytest.raises(aeq.PolicyError, match=r"'v1'.*; choose another name or leave it out$"):
            FIRST.with_changes({"version": "v1", "noise": {"rms": 7_000}})

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"mood": 1}, "mood"),
            ({"noise": {"mood": 1}}, r"noise\.mood"),
            ({"noise": 7}, "^noise must be a table"),
            ({"noise": {"rms": "loud"}}, r"noise\.rms"),
            (None, "changes must be a table"),
            ([("noise", 7)], "changes must be a table"),
            ({"noise": {1: 2}}, r"noise\.1"),
            ({1: 2}, "1 is unknown"),
            ({"noise": {"rms": {7_000}}}, r"noise\.rms"),
            ({"knees": {"latency": object()}}, r"knees\.latency"),
        ],
    )
    def test_a_wrong_change_is_named(self, changes, named):
        """A change of something that isn't there, or to a wrong value, is refused by name."""
        with pytest.raises(aeq.PolicyError, match=named):
            FIRST.with_changes(changes)

    def test_a_changed_policy_changes_the_score(self):
        """Scores follow the policy that they are made by, and carry its version."""
        strict = FIRST.with_changes({"ceilings": {"latency": [[0.3, 42]]}})
        call = aeq.CallSummary(call_id="1", duration=60.0, turn_latencies=(0.4,), frames_sent=100)
        assert aeq.score(call).score == 100
        assert (aeq.score(call, strict).score, aeq.score(call, strict).policy_version) == (
            42,
            strict.version,
        )


class TestPointsAndCeilings:
    @pytest.mark.parametrize(
        ("knees", "value", "points"),
        [("latency", 1.5, 15), ("fallback", 4, 13.5), ("rms_spread", 9.0, 2.5)],
    )
    def test_it_says_what_a_value_costs(self, knees, value, points):
        """The points are those of the ramp of that name, by its knees."""
        assert FIRST.points(knees, value) == points

    @pytest.mark.parametrize(
        ("rule", "value", "reached"),
        [("latency", 2.5, (2, 74)), ("underflow", 0.004, None), ("unanswered", 5, (5, 59))],
    )
    def test_it_says_which_ceiling_a_value_reaches(self, rule, value, reached):
        """The ceiling is that of the last threshold which the value reaches, if it reaches any."""
        assert FIRST.ceiling(rule, value) == reached

    def test_a_policy_without_a_rules_steps_has_no_ceiling_there(self):
        """v1 knows no clipping: however much is clipped, it reaches nothing."""
        assert aeq.Policy.load("v1").ceiling("clipping", 1.0) is None
        assert aeq.Policy.load("v2").ceiling("clipping", 1.0) == (0.36, 24)


class TestReadOnly:
    @pytest.mark.parametrize("mapping", ["weights", "bands"])
    def test_its_mappings_can_not_be_changed(self, mapping):
        """A shared policy is what its version says: no program changes a weight or a band."""
        held = getattr(FIRST, mapping)
        first = next(iter(held))
        with pytest.raises(TypeError):
            held[first] = 0
        assert aeq.Policy.load("v1") == FIRST

    def test_a_mapping_given_to_it_is_its_own(self):
        """What a program does later to the mapping that it gave changes no policy."""
        weights = dict(FIRST.weights)
        policy = replace(FIRST, weights=weights)
        weights["latency"] = 0
        assert policy == FIRST

    @pytest.mark.parametrize(
        "copied",
        [copy.copy, copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy)), replace],  # noqa: S301  # its own pickle
        ids=["copy", "deepcopy", "pickle", "replace"],
    )
    def test_it_can_be_copied_and_stored(self, copied):
        """A copy of a policy, by whichever way, is equal, and read-only as well."""
        policy = copied(FIRST)
        assert policy == FIRST
        assert policy.to_dict() == V1
        with pytest.raises(TypeError):
            policy.weights["latency"] = 0


def test_a_policy_is_shown_by_its_version():
    """Help and messages name it, and don't spell out its numbers."""
    assert repr(aeq.Policy.load("v2")) == "<Policy v2>"
    assert "policy: 'Policy' = <Policy v3>" in str(inspect.signature(aeq.QualityMonitor))
