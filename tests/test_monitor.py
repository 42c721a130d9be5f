"""The monitor: its public API as documented, never raising, never growing, telling nothing."""

from __future__ import annotations

import json
import logging
import math
import re
import subprocess
import sys
import threading
from enum import Enum

import numpy as np
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from two_sides import frames

import ai_engine_quality as aeq

FRAME = b"\x10" * 160


class Treacherous:
    """Raises whatever is done with it."""

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    def __hash__(self):
        raise RuntimeError("no hash")

    def __float__(self):
        raise RuntimeError("no float")

    def __index__(self):
        raise RuntimeError("no index")

    def __bool__(self):
        raise RuntimeError("no truth")

    def __len__(self):
        raise RuntimeError("no length")

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class TreacherousText(str):
    """Text that raises when it is looked up."""

    __slots__ = ()

    def __hash__(self):
        raise RuntimeError("no hash")

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    def __len__(self):
        raise RuntimeError("no length")


def samples(registry, name):
    """Return the labels and values of all samples of a name."""
    return [
        (sample.labels, sample.value)
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == name
    ]


def total(registry, name):
    """Return the sum of all samples of a name."""
    return sum(value for _, value in samples(registry, name))


def monitor(**options):
    """Return a monitor on a registry of its own that logs nothing."""
    return aeq.QualityMonitor(**{"registry": CollectorRegistry(), "log": False, **options})


class TestCalls:
    def test_the_contracts_example_is_scored(self, quality):
        """The calls of the README's example, made as it makes them, give a score."""
        quality.call_started("1.1", provider="deepgram", pipeline="default")
        quality.turn_response("1.1", 0.82)
        quality.unanswered("1.1", waited=6.0)
        quality.frames_sent("1.1", 50)
        quality.underflow("1.1", 1, episodes=None)
        quality.fallback("1.1", reason="transport-failure")
        quality.barge_in("1.1", reaction=0.21)
        quality.codec_alignment("1.1", aligned=True, detail="")
        quality.audio_level("1.1", "provider_out", rms=1830)
        quality.audio("1.1", "provider_out", FRAME, encoding="ulaw", sample_rate=8000)
        quality.call_updated("1.1", provider="deepgram", pipeline="other")
        score = quality.call_ended(
            "1.1",
            provider="deepgram",
            pipeline="default",
            outcome="completed",
            failed=False,
            duration=60.0,
        )
        assert isinstance(score, aeq.CallScore)
        # p95 = 0.82 + 0.95 * 5.18 s costs 30; one filler in 51 frames 19.3; the fallback 10.
        assert (score.score, score.band, score.call_id) == (41, "poor", "1.1")
        assert (score.summary.pipeline, score.summary.outcome) == ("default", "completed")

    def test_the_score_is_that_of_the_pure_function(self, quality):
        """What ``call_ended`` returns is ``score`` of its own summary."""
        quality.call_started("1.1")
        for seconds in (0.4, 0.9, 2.6):
            quality.turn_response("1.1", seconds)
        quality.frames_sent("1.1", 1_000)
        result = quality.call_ended("1.1", duration=60.0)
        assert aeq.score(result.summary) == result

    def test_a_policy_of_ones_own_is_used(self):
        """A monitor scores by the policy that it was given, and its scores say so."""
        policy = aeq.DEFAULT_POLICY.with_changes({"ceilings": {"latency": [[0.3, 42]]}})
        quality = monitor(policy=policy)
        quality.call_started("1.1")
        quality.turn_response("1.1", 0.4)
        score = quality.call_ended("1.1", duration=60.0)
        quality.close()
        assert (score.score, score.policy_version) == (42, policy.version)

    def test_an_unscored_call_gives_its_reason(self, quality):
        """Every known call gives a CallScore; one that isn't scored says why."""
        quality.call_started("1.1")
        score = quality.call_ended("1.1", duration=3.0)
        assert (score.score, score.band, score.unscored_reason) == (None, None, "abandoned")

    def test_an_unknown_call_gives_none(self, quality, dropped):
        """Ending a call that never began gives None, and is counted."""
        assert quality.call_ended("9.9") is None
        assert dropped("unknown_call") == 1

    def test_an_end_is_idempotent(self, quality, dropped, registry):
        """The second end of a call gives None, is counted, and counts no second call."""
        quality.call_started("1.1")
        assert quality.call_ended("1.1") is not None
        assert quality.call_ended("1.1") is None
        assert dropped("call_ended") == 1
        assert total(registry, "ai_agent_calls_ended_total") == 1

    def test_a_live_call_is_not_started_again(self, quality, dropped, registry):
        """A second start is dropped and counted, and the call keeps what it has."""
        quality.call_started("1.1", provider="deepgram")
        quality.turn_response("1.1", 0.4)
        quality.call_started("1.1", provider="openai")
        assert dropped("already_started") == 1
        summary = quality.call_ended("1.1").summary
        assert (summary.turn_latencies, summary.provider) == ((0.4,), "deepgram")
        assert total(registry, "ai_agent_calls_started_total") == 1

    @pytest.mark.parametrize(
        "report",
        [
            lambda quality: quality.turn_response("1.1", 0.4),
            lambda quality: quality.unanswered("1.1", 6.0),
            lambda quality: quality.frames_sent("1.1", 50),
            lambda quality: quality.underflow("1.1"),
            lambda quality: quality.fallback("1.1"),
            lambda quality: quality.barge_in("1.1"),
            lambda quality: quality.codec_alignment("1.1", True),
            lambda quality: quality.audio_level("1.1", "provider_out", 1_830),
            lambda quality: quality.audio(
                "1.1", "provider_out", FRAME, encoding="ulaw", sample_rate=8_000
            ),
            lambda quality: quality.audio_given("1.1", 0.4),
            lambda quality: quality.sound_given("1.1", FRAME, encoding="ulaw", sample_rate=8_000),
            lambda quality: quality.answer_complete("1.1"),
            lambda quality: quality.words_spoken("1.1", 112),
            lambda quality: quality.packets_lost("1.1", 3, sent=900),
            lambda quality: quality.call_updated("1.1", provider="deepgram"),
        ],
    )
    def test_unknown_and_late_observations_are_told_apart(self, quality, dropped, report):
        """Before its start a call is unknown, after its end it has ended: each is counted."""
        report(quality)
        quality.call_started("1.1")
        report(quality)
        quality.call_ended("1.1")
        report(quality)
        report(quality)
        assert (dropped("unknown_call"), dropped("call_ended")) == (1, 2)

    def test_calls_do_not_mix(self, quality):
        """What is reported of one call never reaches another."""
        for call_id, seconds in (("1.1", 0.4), ("1.2", 2.0)):
            quality.call_started(call_id)
            quality.turn_response(call_id, seconds)
        quality.turn_response("1.1", 0.5)
        assert quality.call_ended("1.2").summary.turn_latencies == (2.0,)
        assert quality.call_ended("1.1").summary.turn_latencies == (0.4, 0.5)


class TestTime:
    def test_a_call_is_as_long_as_the_clock_says(self, quality, clock):
        """Where the engine gives no duration it is the time since the start."""
        quality.call_started("1.1")
        clock.advance(42.5)
        assert quality.call_ended("1.1").summary.duration == 42.5

    def test_the_engines_duration_is_believed(self, quality, clock):
        """Where the engine gives a duration it counts, and not the clock."""
        quality.call_started("1.1")
        clock.advance(42.5)
        assert quality.call_ended("1.1", duration=30).summary.duration == 30.0

    @pytest.mark.parametrize("wrong", [-1, math.nan, math.inf, "30", True, 604_801])
    def test_a_wrong_duration_is_dropped_and_the_clock_counts(
        self, quality, clock, registry, wrong
    ):
        """A duration that can't be is counted, and the call ends all the same."""
        quality.call_started("1.1")
        clock.advance(42.5)
        assert quality.call_ended("1.1", duration=wrong).summary.duration == 42.5
        assert total(registry, "ai_agent_quality_dropped_total") == 1

    def test_a_clock_that_goes_back_makes_no_negative_call(self, quality, clock):
        """Should the clock go back, the call lasted 0 s."""
        quality.call_started("1.1")
        clock.advance(-5)
        assert quality.call_ended("1.1").summary.duration == 0.0

    def test_wall_clock_time_is_only_shown(self, quality):
        """``started_at`` is Unix time, and decides nothing."""
        quality.call_started("1.1")
        assert quality.call_ended("1.1").summary.started_at == 1_761_532_874.0


class TestNames:
    @pytest.mark.parametrize("spelling", ["OpenAI Realtime", "openai-realtime", "openai_realtime"])
    def test_spellings_of_a_provider_are_one_provider(self, quality, registry, spelling):
        """A provider's name is normalised in the summary and in every label."""
        quality.call_started("1.1", provider=spelling, pipeline=spelling)
        quality.turn_response("1.1", 0.4)
        summary = quality.call_ended("1.1", duration=60.0).summary
        assert (summary.provider, summary.pipeline) == ("openai_realtime", "openai_realtime")
        labels = {"provider": "openai_realtime"}
        assert registry.get_sample_value("ai_agent_calls_started_total", labels) == 1

    def test_an_unknown_provider_is_unknown(self, quality, registry):
        """A call without a provider has None in its summary and ``unknown`` as its label."""
        quality.call_started("1.1")
        assert quality.call_ended("1.1").summary.provider is None
        labels = {"provider": "unknown"}
        assert registry.get_sample_value("ai_agent_calls_started_total", labels) == 1

    def test_names_can_become_known_later(self, quality):
        """``call_updated`` sets what it is given, and leaves what it isn't."""
        quality.call_started("1.1", provider="deepgram")
        quality.call_updated("1.1", pipeline="hybrid")
        quality.call_updated("1.1", provider="OpenAI Realtime")
        quality.call_updated("1.1", provider=None, pipeline=None)
        summary = quality.call_ended("1.1").summary
        assert (summary.provider, summary.pipeline) == ("openai_realtime", "hybrid")

    def test_the_end_may_name_them_too(self, quality):
        """What is known at the end counts for the whole call."""
        quality.call_started("1.1", provider="deepgram", pipeline="default")
        summary = quality.call_ended("1.1", provider="openai", outcome="Completed").summary
        assert (summary.provider, summary.pipeline, summary.outcome) == (
            "openai",
            "default",
            "completed",
        )

    @pytest.mark.parametrize("wrong", [7, b"deepgram", ["deepgram"], Treacherous()])
    def test_a_wrong_name_is_dropped_and_the_call_goes_on(self, quality, dropped, wrong):
        """A provider that is no text is counted; the call begins, goes on and ends without."""
        quality.call_started("1.1", provider=wrong)
        quality.call_updated("1.1", pipeline=wrong)
        assert dropped("wrong_type") == 2
        summary = quality.call_ended("1.1", provider=wrong, outcome=wrong).summary
        assert (summary.provider, summary.pipeline, summary.outcome) == (None, None, None)
        assert dropped("wrong_type") == 4


class TestFailure:
    def test_a_failed_call_has_no_points(self, quality):
        """``failed=True`` is the engine's word that the call failed: 0."""
        quality.call_started("1.1")
        score = quality.call_ended("1.1", failed=True)
        assert (score.score, score.summary.failed) == (0, True)

    @pytest.mark.parametrize("wrong", ["yes", 1, 0, "", [], Treacherous()])
    def test_only_a_bool_says_so(self, quality, dropped, wrong):
        """Anything but a bool is dropped and counted, and fails no call."""
        quality.call_started("1.1")
        assert quality.call_ended("1.1", failed=wrong).summary.failed is False
        assert dropped("wrong_type") == 1


class TestOutcomes:
    def test_an_unusual_outcome_is_told_once(self, quality, logger):
        """A word that isn't a usual outcome is kept, and told once, with the usual ones."""
        for number, outcome in enumerate(["compleeted", "error", "compleeted", "completed", None]):
            quality.call_started(str(number))
            score = quality.call_ended(str(number), outcome=outcome, duration=1.0)
            assert score.summary.outcome == outcome
        told = [call.kwargs for call in logger.calls]
        assert [fields["subject"] for fields in told] == ["compleeted", "error"]
        assert all("failed=True" in fields["fix"] for fields in told)

    def test_of_a_failed_call_it_is_not(self, quality, logger):
        """What is warned of is a failure that counts as a fine call: one that is told is none."""
        quality.call_started("a")
        score = quality.call_ended("a", outcome="connection_lost", failed=True, duration=1.0)
        assert score.summary.outcome == "connection_lost"
        assert logger.calls == []

    def test_what_is_told_is_bounded(self, quality, logger, clock):
        """An engine with a thousand outcomes fills neither the log nor the memory."""
        for number in range(1_000):
            quality.call_started(str(number))
            quality.call_ended(str(number), outcome=f"end_{number}", duration=1.0)
            clock.advance(61)
        assert 40 < len(logger.calls) < 64


class TestIds:
    def test_an_enum_of_texts_is_its_text(self, quality):
        """A call is found by an ``(str, Enum)`` as by the text that it is."""

        class Id(str, Enum):  # noqa: UP042  # as older engines have it
            FIRST = "1761532874.1"

        quality.call_started(Id.FIRST, provider="deepgram")
        quality.turn_response("1761532874.1", 0.4)
        quality.turn_response(Id.FIRST, 0.5)
        quality.call(Id.FIRST).turn_response(0.6)
        score = quality.call_ended(Id.FIRST, duration=60.0)
        assert (score.call_id, score.turns) == ("1761532874.1", 3)
        assert quality.call(Id.FIRST).call_id == "1761532874.1"

    def test_text_that_hashes_as_it_likes_is_found(self, quality):
        """A kind of text with a hash of its own is the call of that text."""

        class Id(str):
            __slots__ = ()

            def __hash__(self):
                return 7

        quality.call_started(Id("1.1"))
        quality.turn_response(Id("1.1"), 0.4)
        assert quality.call_ended(Id("1.1"), duration=60.0).turns == 1


class TestTombstones:
    @pytest.mark.parametrize(("minutes", "again"), [(0, False), (14.99, False), (15, True)])
    def test_an_ended_call_is_remembered_for_15_minutes(
        self, quality, clock, dropped, minutes, again
    ):
        """For 15 min an ended call can't begin again; afterwards its id is free."""
        quality.call_started("1.1")
        quality.call_ended("1.1")
        clock.advance(minutes * 60)
        quality.call_started("1.1")
        assert quality.call("1.1").live is again
        assert dropped("call_ended") == (0 if again else 1)

    def test_a_forgotten_call_is_unknown(self, quality, clock, dropped, registry):
        """After 15 min and a scrape, a late observation is of an unknown call."""
        quality.call_started("1.1")
        quality.call_ended("1.1")
        clock.advance(901)
        generate_latest(registry)
        quality.turn_response("1.1", 0.4)
        assert (dropped("call_ended"), dropped("unknown_call")) == (0, 1)


class TestExpiry:
    @pytest.mark.parametrize("how", ["scrape", "start"])
    def test_a_call_that_never_ends_expires_after_4_hours(
        self, quality, clock, dropped, registry, how
    ):
        """By default a call expires after 4 h: told to hooks and counted, without a score."""
        seen = []
        quality.add_hook(seen.append)
        quality.call_started("1.1", provider="deepgram")
        for _ in range(20):
            quality.turn_response("1.1", 0.4)
        clock.advance(4 * 3_600 - 1)
        generate_latest(registry)
        assert seen == []
        clock.advance(1)
        if how == "scrape":
            generate_latest(registry)
        else:
            quality.call_started("1.2")
        assert [(score.call_id, score.unscored_reason) for score in seen] == [("1.1", "expired")]
        assert (seen[0].summary.outcome, seen[0].summary.duration) == ("expired", None)
        assert dropped("expired_call") == 1
        ended = {"provider": "deepgram", "outcome": "expired"}
        assert registry.get_sample_value("ai_agent_calls_ended_total", ended) == 1

    def test_an_expired_call_has_ended(self, quality, clock, dropped, registry):
        """What is reported after a call expired comes late; its end gives None."""
        quality.call_started("1.1")
        handle = quality.call("1.1")
        clock.advance(4 * 3_600)
        generate_latest(registry)
        handle.turn_response(0.4)
        assert quality.call_ended("1.1") is None
        assert dropped("call_ended") == 2
        assert registry.get_sample_value("ai_agent_calls_active") == 0

    def test_the_time_can_be_another(self, registry, clock):
        """``expire_after`` sets the seconds after which a call expires."""
        quality = aeq.QualityMonitor(registry=registry, clock=clock, log=False, expire_after=60)
        quality.call_started("1.1")
        clock.advance(30)
        quality.call_started("1.2")
        clock.advance(30)
        quality.call_started("1.3")
        assert [quality.call(call_id).live for call_id in ("1.1", "1.2", "1.3")] == [
            False,
            True,
            True,
        ]
        quality.close()

    def test_expired_calls_make_room(self, clock):
        """A call that expires frees its place under the bound of live calls."""
        quality = monitor(clock=clock, expire_after=60, max_live_calls=1)
        quality.call_started("1.1")
        clock.advance(60)
        quality.call_started("1.2")
        assert quality.call("1.2").live
        quality.close()


class TestBounds:
    def test_calls_beyond_the_bound_are_refused_and_counted(self, registry, clock):
        """At the bound a new call is refused; its observations are of an unknown call."""
        quality = aeq.QualityMonitor(registry=registry, clock=clock, log=False, max_live_calls=3)
        for number in range(5):
            quality.call_started(f"1.{number}")
        quality.turn_response("1.4", 0.4)
        reasons = {
            labels["reason"]: value
            for labels, value in samples(registry, "ai_agent_quality_dropped_total")
            if value
        }
        assert reasons == {"too_many_calls": 2, "unknown_call": 1}
        assert registry.get_sample_value("ai_agent_calls_active") == 3
        assert total(registry, "ai_agent_calls_started_total") == 3
        quality.call_ended("1.0")
        quality.call_started("1.4")
        assert quality.call("1.4").live
        quality.close()

    def test_by_default_20_000_calls_are_live_at_once(self):
        """The default bound of live calls is 20,000."""
        quality = monitor()
        for number in range(20_001):
            quality.call_started(str(number))
        assert quality.call("19999").live
        assert not quality.call("20000").live
        quality.close()

    def test_tombstones_are_bounded(self, quality, clock, dropped, monkeypatch):
        """However many calls end within 15 min, only so many are remembered: the latest."""
        monkeypatch.setattr("ai_engine_quality.live.live_calls.MAX_TOMBSTONES", 10)
        for number in range(30):
            clock.advance(1)
            quality.call_started(f"1.{number}")
            quality.call_ended(f"1.{number}")
        quality.turn_response("1.0", 0.4)
        quality.turn_response("1.29", 0.4)
        assert (dropped("unknown_call"), dropped("call_ended")) == (1, 1)


WRONG_NUMBERS = {
    "none": None, "text": "x", "bytes": b"1", "bool": True, "negative": -1, "nan": math.nan,
    "infinite": math.inf, "huge": 10**400, "list": [], "object": object(), "complex": 1j,
    "treacherous": Treacherous(), "array": np.array([1.0, 2.0]), "function": len, "type": int,
}  # fmt: skip  # a table: its rows are read side by side
WRONG_TEXTS = {
    "number": 7, "bytes": b"x", "list": ["x"], "object": object(), "treacherous": Treacherous(),
    "zero": 0, "empty list": [], "array": np.array(["x", "y"]),
}  # fmt: skip  # a table: its rows are read side by side
WRONG_FLAGS = {"none": None, "number": 1, "text": "true", "treacherous": Treacherous()}
WRONG_IDS = {
    "none": None, "number": 7, "bytes": b"1.1", "list": [], "dict": {}, "empty": "",
    "long": "x" * 300, "newline": "1\n1", "surrogate": "\ud800", "treacherous": Treacherous(),
    "treacherous text": TreacherousText("1.1"), "array": np.array(["1.1", "1.2"]),
}  # fmt: skip  # a table: its rows are read side by side
RIGHT = {
    "turn_response": {"seconds": 0.4},
    "unanswered": {"waited": 6.0},
    "frames_sent": {"count": 50},
    "underflow": {"count": 3, "episodes": 1},
    "fallback": {"reason": "timeout"},
    "barge_in": {"reaction": 0.2},
    "codec_alignment": {"aligned": False, "detail": "ulaw"},
    "audio_level": {"stage": "provider_out", "rms": 1_830.0, "seconds": 0.02, "at": 1_000.0},
    "audio": {
        "stage": "provider_out",
        "frame": FRAME,
        "encoding": "ulaw",
        "sample_rate": 8_000,
        "at": 1_000.0,
    },
    "audio_given": {"seconds": 0.4, "silent": 0.1},
    "sound_given": {"sound": FRAME, "encoding": "ulaw", "sample_rate": 8_000, "at": 1_000.0},
    "answer_complete": {},
    "words_spoken": {"characters": 112},
    "packets_lost": {"lost": 3, "sent": 900},
    "call_updated": {"provider": "deepgram", "pipeline": "default"},
}
MAY_BE_NONE = {
    ("underflow", "episodes"),
    ("barge_in", "reaction"),
    ("audio_level", "at"),
    ("audio", "at"),
    ("sound_given", "at"),
}
WRONG_OF = {
    **dict.fromkeys(("seconds", "waited", "count", "episodes", "reaction", "rms"), WRONG_NUMBERS),
    **dict.fromkeys(("reason", "detail", "stage", "provider", "pipeline"), WRONG_TEXTS),
    **dict.fromkeys(("silent", "characters", "lost", "sent"), WRONG_NUMBERS),
    "at": {kind: value for kind, value in WRONG_NUMBERS.items() if kind != "negative"},
    "aligned": WRONG_FLAGS,
    "frame": {**WRONG_TEXTS, "bytes": b"", "text": "x" * 160, "array": np.zeros(160)},
    "sound": {**WRONG_TEXTS, "bytes": bytes(8_000 * 301), "array": np.zeros(160)},
    "encoding": {**WRONG_TEXTS, "text": "opus", "none": None, "array": np.array(["ulaw", "x"])},
    "sample_rate": WRONG_NUMBERS,
}
OUR_FAULT = {"reason": "internal_error"}
FUZZ = [
    pytest.param(method, argument, value, id=f"{method}-{argument}-{kind}")
    for method, arguments in RIGHT.items()
    for argument in arguments
    for kind, value in WRONG_OF[argument].items()
    if not (value is None and (method, argument) in MAY_BE_NONE)
]


class TestNeverRaises:
    @pytest.mark.parametrize(("method", "argument", "value"), FUZZ)
    def test_a_wrong_value_is_dropped_and_counted(self, quality, registry, method, argument, value):
        """Whatever an argument holds, nothing raises, one thing is counted, and no fact kept."""
        quality.call_started("1.1")
        report = getattr(quality, method)
        report("1.1", **RIGHT[method])
        report("1.1", **{**RIGHT[method], argument: value})
        assert total(registry, "ai_agent_quality_dropped_total") == 1
        ours = registry.get_sample_value("ai_agent_quality_dropped_total", OUR_FAULT)
        assert ours == 0, "the fault is the caller's, and the reason says so"
        again = quality.call_ended("1.1", duration=60.0).summary
        quality.call_started("1.2")
        getattr(quality, method)("1.2", **RIGHT[method])
        once = quality.call_ended("1.2", duration=60.0).summary
        assert {**again.to_dict(), "call_id": ""} == {**once.to_dict(), "call_id": ""}

    @pytest.mark.parametrize("call_id", WRONG_IDS.values(), ids=WRONG_IDS)
    @pytest.mark.parametrize("method", [*RIGHT, "call_started", "call_ended"])
    def test_a_wrong_call_id_is_dropped_and_counted(self, quality, registry, method, call_id):
        """Whatever stands for a call id, nothing raises and one thing is counted."""
        assert getattr(quality, method)(call_id, **RIGHT.get(method, {})) is None
        assert total(registry, "ai_agent_quality_dropped_total") == 1
        assert registry.get_sample_value("ai_agent_calls_active") == 0

    @pytest.mark.parametrize("call_id", WRONG_IDS.values(), ids=WRONG_IDS)
    def test_a_handle_of_a_wrong_call_id_drops_and_counts(self, quality, registry, call_id):
        """A handle is given for whatever id, and drops what it is told."""
        handle = quality.call(call_id)
        handle.turn_response(0.4)
        assert handle.live is False
        assert total(registry, "ai_agent_quality_dropped_total") == 1

    def test_a_logger_that_raises_does_not_matter(self):
        """A broken logger reaches neither the engine nor the counters."""

        class Broken:
            def info(self, *_, **__):
                raise RuntimeError("no log")

            warning = info

        registry = CollectorRegistry()
        quality = aeq.QualityMonitor(registry=registry, logger=Broken())
        quality.turn_response("9.9", 0.4)
        quality.call_started("1.1")
        assert quality.call_ended("1.1", duration=60.0) is not None
        dropped = {"reason": "unknown_call"}
        assert registry.get_sample_value("ai_agent_quality_dropped_total", dropped) == 1
        quality.close()

    def test_what_is_dropped_is_logged_once_per_reason_and_minute(self, quality, clock, logger):
        """The log has one warning per reason and minute, with how many there were."""
        for _ in range(3):
            quality.turn_response("9.9", 0.4)
            quality.call_started("")
        clock.advance(59.9)
        quality.turn_response("9.9", 0.4)
        assert [call.kwargs["subject"] for call in logger.calls] == ["unknown_call", "bad_call_id"]
        clock.advance(0.1)
        quality.turn_response("9.9", 0.4)
        assert [call.kwargs["subject"] for call in logger.calls][2:] == ["unknown_call"]
        assert logger.calls[-1].kwargs["since_last_warning"] == 4

    def test_every_reason_is_a_series_from_the_start(self, quality, registry):
        """Each reason's counter stands at 0 before anything was dropped."""
        assert quality is not None
        reasons = {
            labels["reason"]: value
            for labels, value in samples(registry, "ai_agent_quality_dropped_total")
        }
        assert reasons == {reason.value: 0 for reason in aeq.DropReason}


class TestWhenItCrossedTheEdge:
    @pytest.mark.parametrize(
        ("at", "reason"),
        [
            (math.nan, "not_finite"),
            (math.inf, "not_finite"),
            (-math.inf, "not_finite"),
            (1e13, "out_of_range"),
            ("now", "wrong_type"),
            (True, "wrong_type"),
        ],
    )
    @pytest.mark.parametrize("frames_before", [0, 1])
    def test_a_time_that_is_none_is_dropped_by_its_reason(
        self, quality, dropped, at, reason, frames_before
    ):
        """A frame whose time can't be is not measured, the first of a stage or a later one."""
        quality.call_started("1.1")
        for _ in range(frames_before):
            quality.audio("1.1", "transport_in", FRAME, encoding="ulaw", sample_rate=8_000)
        quality.audio("1.1", "transport_in", FRAME, encoding="ulaw", sample_rate=8_000, at=at)
        quality.audio_level("1.1", "transport_in", 1_830.0, at=at)
        assert dropped(reason) == 2
        audio = quality.call_ended("1.1").summary.audio
        assert sum(levels.frames for levels in audio.values()) == frames_before

    @pytest.mark.parametrize("at", [-5, -5.0, np.float64(-5.0), 0, 5, np.float32(5.0), 1e12])
    def test_any_finite_moment_is_one(self, quality, registry, at):
        """A monotonic clock may begin anywhere, below 0 too, and be any kind of number."""
        quality.call_started("1.1")
        quality.audio_level("1.1", "transport_in", 1_830.0, at=at)
        quality.audio("1.1", "transport_in", FRAME, encoding="ulaw", sample_rate=8_000, at=at)
        assert total(registry, "ai_agent_quality_dropped_total") == 0
        assert quality.call_ended("1.1").summary.audio["transport_in"].frames == 2


class TestHints:
    def test_more_silence_than_audio_is_dropped(self, quality, dropped):
        """What is silent of an answer is part of what was given."""
        quality.call_started("1.1")
        quality.audio_given("1.1", 0.4, silent=0.5)
        assert dropped("out_of_range") == 1

    def test_nothing_given_is_nothing_wrong(self, quality, registry):
        """A chunk of no length is taken, and changes nothing."""
        quality.call_started("1.1")
        quality.audio_given("1.1", 0.0)
        assert total(registry, "ai_agent_quality_dropped_total") == 0
        assert quality.call_ended("1.1").summary.heard is None

    def test_words_are_counted_and_not_kept(self, quality):
        """The summary has how much text was spoken, all of it together."""
        quality.call_started("1.1")
        quality.words_spoken("1.1", 112)
        quality.words_spoken("1.1", 30)
        assert quality.call_ended("1.1").summary.agent_characters == 142


CALLER = ((1, 2), (6, 7), (12, 13))
AGENT = ((3, 5), (9, 11), (16, 18))


class TestTurnsInTheHistogram:
    """``ai_agent_call_turn_response_seconds`` has each turn once, as heard where it is heard."""

    def have(self, quality, clock, registry, *, scrape_at=(), told=(), paced=1.0):
        """Have a call of both sides' levels, scraped at some of its seconds."""
        quality.call_started("1.1", provider="deepgram", pipeline="default")
        call, started = quality.call("1.1"), clock.now
        waiting = list(scrape_at)
        for at, agent, rms in frames(20.0, CALLER, AGENT):
            clock.now = started + at / paced
            call.audio_level("transport_out" if agent else "transport_in", rms)
            if waiting and at >= waiting[0]:
                waiting.pop(0)
                generate_latest(registry)
        for seconds in told:
            call.turn_response(seconds)
        return call.call_ended()

    @pytest.mark.parametrize(
        "scrape_at", [(), (10,), (19.9,), tuple(range(20)), (4, 4.5, 5, 5.5, 6)], ids=str
    )
    def test_a_heard_turn_is_counted_once(self, quality, clock, registry, scrape_at):
        """However often the call is scraped, three waits are three, of 1, 2 and 3 s in all."""
        score = self.have(quality, clock, registry, scrape_at=scrape_at, told=(0.1, 0.1))
        assert score.turns == 3
        assert total(registry, "ai_agent_call_turn_response_seconds_count") == 3
        seconds = total(registry, "ai_agent_call_turn_response_seconds_sum")
        assert seconds == pytest.approx(sum(score.summary.turn_latencies), abs=0.01)

    def test_heard_turns_are_there_before_the_call_ends(self, quality, clock, registry):
        """A scrape finds what was heard up to then."""
        seen = []
        quality.call_started("live")
        call, started = quality.call("live"), clock.now
        for at, agent, rms in frames(20.0, CALLER, AGENT):
            clock.now = started + at
            call.audio_level("transport_out" if agent else "transport_in", rms)
            if not agent and at in {8.0, 15.0}:
                seen.append(total(registry, "ai_agent_call_turn_response_seconds_count"))
        assert seen == [1, 2]

    def test_told_turns_serve_where_nothing_could_be_heard(self, quality, clock, registry):
        """A track that came at once has no times: the turns told are counted at the end."""
        score = self.have(quality, clock, registry, scrape_at=(5, 10), told=(0.1, 0.25), paced=5.0)
        assert score.summary.turn_latencies == (0.1, 0.25)
        assert total(registry, "ai_agent_call_turn_response_seconds_count") == 2
        assert total(registry, "ai_agent_call_turn_response_seconds_sum") == pytest.approx(0.35)

    def test_a_call_without_audio_has_its_turns_at_once(self, quality, registry):
        """Where nobody shows the call's audio, a turn is counted when it is told."""
        quality.call_started("1.1")
        quality.turn_response("1.1", 0.5)
        assert total(registry, "ai_agent_call_turn_response_seconds_count") == 1
        quality.call_ended("1.1")
        assert total(registry, "ai_agent_call_turn_response_seconds_count") == 1

    @pytest.mark.parametrize("turns", [511, 512, 513, 2_000])
    def test_a_very_long_call_loses_none(self, quality, registry, turns):
        """Told turns of a call whose audio says nothing are all counted, beyond 512 too."""
        quality.call_started("1.1")
        quality.audio_level("1.1", "transport_out", 0.0)
        for number in range(turns):
            quality.turn_response("1.1", 0.5 + number / 10_000)
        quality.call_ended("1.1", duration=60.0)
        assert total(registry, "ai_agent_call_turn_response_seconds_count") == turns


class TestStartUp:
    def test_nothing_is_registered_at_import(self):
        """Importing the package registers no metric and starts no thread."""
        program = (
            "import threading, ai_engine_quality, prometheus_client as p\n"
            "text = p.generate_latest(p.REGISTRY).decode()\n"
            "print('ai_agent' in text, threading.active_count())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["False", "1"]

    def test_the_default_registry_is_prometheus_clients(self):
        """Without a registry the metrics are where the engine exposes its own."""
        quality = aeq.QualityMonitor(log=False)
        try:
            assert REGISTRY.get_sample_value("ai_agent_calls_active") == 0
        finally:
            quality.close()
        assert REGISTRY.get_sample_value("ai_agent_calls_active") is None

    def test_close_unregisters_everything(self, registry):
        """After ``close()`` the registry is as it was, and takes another monitor."""
        for _ in range(2):
            quality = aeq.QualityMonitor(registry=registry, log=False)
            quality.call_started("1.1")
            quality.call_ended("1.1", duration=60.0)
            assert b"ai_agent_calls_active" in generate_latest(registry)
            quality.close()
            assert generate_latest(registry) == b""

    def test_closing_twice_is_closing_once(self, registry):
        """A second ``close()`` does nothing."""
        quality = aeq.QualityMonitor(registry=registry, log=False)
        quality.close()
        quality.close()
        assert generate_latest(registry) == b""

    def test_after_close_nothing_raises(self, registry):
        """An engine that goes on reporting to a closed monitor notices nothing."""
        quality = aeq.QualityMonitor(registry=registry, log=False)
        quality.call_started("1.1")
        quality.close()
        for method, arguments in RIGHT.items():
            getattr(quality, method)("1.1", **arguments)
        assert quality.call_ended("1.1") is None

    def test_a_call_after_close_is_scored_and_recorded(self, registry, tmp_path, logger):
        """Whoever closes too early loses the metrics of a call, not its score, log or record."""
        path = tmp_path / "calls.jsonl"
        quality = aeq.QualityMonitor(registry=registry, records=path, logger=logger)
        quality.close()
        quality.call_started("1.1")
        quality.turn_response("1.1", 0.4)
        assert quality.call_ended("1.1", duration=60.0).score is not None
        quality.close()
        assert [call.call_id for call in aeq.read_records(path)] == ["1.1"]
        assert [call.kwargs["call_id"] for call in logger.calls] == ["1.1"]
        assert generate_latest(registry) == b""

    def test_two_monitors_on_one_registry_are_refused_with_the_fix(self, quality, registry):
        """The second monitor is a ValueError that says what to do; the first goes on."""
        with pytest.raises(ValueError, match=r"close\(\).*registry="):
            aeq.QualityMonitor(registry=registry, log=False)
        quality.call_started("1.1")
        assert registry.get_sample_value("ai_agent_calls_active") == 1

    def test_a_registry_with_one_of_the_names_is_left_as_it_was(self, registry):
        """A monitor that can't register everything leaves nothing behind."""
        Counter("ai_agent_quality_dropped", "Somebody else's.", registry=registry).inc(7)
        before = generate_latest(registry)
        with pytest.raises(ValueError, match="registry="):
            aeq.QualityMonitor(registry=registry, log=False)
        assert generate_latest(registry) == before

    def test_arguments_are_by_keyword_only(self):
        """Nothing of a monitor is given by position."""
        with pytest.raises(TypeError, match="positional"):
            aeq.QualityMonitor(aeq.DEFAULT_POLICY)

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({"policy": "v1"}, TypeError),
            ({"policy": None}, TypeError),
            ({"clock": 7}, TypeError),
            ({"wall_clock": "now"}, TypeError),
            ({"max_live_calls": 0}, ValueError),
            ({"max_live_calls": True}, ValueError),
            ({"max_live_calls": "20000"}, ValueError),
            ({"expire_after": -1}, ValueError),
            ({"expire_after": math.nan}, ValueError),
            ({"retention": 60}, TypeError),
            ({"costs": {"deepgram": 0.02}}, TypeError),
            ({"per_call_series": "no"}, TypeError),
            ({"per_call_series": None}, TypeError),
            ({"log": "false"}, TypeError),
            ({"records": 7}, TypeError),
            ({"logger": "root"}, TypeError),
            ({"logger": logging.getLogger("engine")}, TypeError),
        ],
    )
    def test_wrong_use_is_refused_by_the_arguments_name(self, registry, wrong, error):
        """A wrong argument raises at start-up, names itself, and registers nothing."""
        (name,) = wrong
        with pytest.raises(error, match=name.removesuffix("s")):
            aeq.QualityMonitor(registry=registry, log=False, **wrong)
        assert generate_latest(registry) == b""

    def test_what_is_no_registry_is_refused(self):
        """It names the argument and what it should be."""
        with pytest.raises(TypeError, match=r"^registry must be .*CollectorRegistry, not 9400$"):
            aeq.QualityMonitor(registry=9400, log=False)

    @pytest.mark.parametrize("wrong", ["quality.toml", None, {}])
    def test_settings_that_are_none_are_refused(self, wrong):
        """The name of a settings file, say: the error names the function that reads it."""
        with pytest.raises(TypeError, match=r"^settings must be .*load_settings\("):
            aeq.QualityMonitor.from_settings(wrong)

    @pytest.mark.parametrize("observe", [aeq.attach, aeq.observe_pipecat, aeq.observe_livekit])
    def test_what_is_no_monitor_is_refused_before_anything_is_attached(self, observe):
        """A wrong monitor would fail in every observation: the error names the argument."""
        with pytest.raises(TypeError, match=r"^monitor must be a QualityMonitor, or None, not 7$"):
            observe(object(), 7)

    @pytest.mark.parametrize(
        ("observe", "kind"),
        [
            (aeq.observe_pipecat, "PipelineWorker of pipecat"),
            (aeq.observe_livekit, "AgentSession of livekit-agents"),
        ],
    )
    def test_what_is_no_session_is_refused(self, quality, observe, kind):
        """The error says what is taken, whether or not the framework is installed."""
        with pytest.raises(TypeError, match=f"^object is no {kind}"):
            observe(object(), quality)

    def test_every_call_is_logged_by_default(self, registry, logger):
        """Each call is one structured event with its score and its explanation."""
        quality = aeq.QualityMonitor(registry=registry, logger=logger)
        quality.call_started("1.1", provider="deepgram")
        quality.turn_response("1.1", 0.4)
        score = quality.call_ended("1.1", duration=60.0)
        quality.close()
        ((method, arguments, fields),) = logger.calls
        assert (method, arguments) == ("info", ("call_quality_scored",))
        assert (fields["call_id"], fields["score"], fields["band"]) == ("1.1", 89, "good")
        assert fields["explanation"] == score.explain()


class TestExposition:
    def test_counters_add_up_in_a_text_that_parses(self, quality, registry):
        """Started is ended plus active, ended is scored plus unscored, in the text itself."""
        for number in range(10):
            quality.call_started(f"1.{number}", provider="deepgram")
            if number % 2:
                quality.turn_response(f"1.{number}", 0.4)
            if number > 3:
                quality.call_ended(f"1.{number}", duration=20.0)
        text = generate_latest(registry).decode()
        found = {
            sample.name: 0.0
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] += sample.value
        assert found["ai_agent_calls_started_total"] == 10
        assert (found["ai_agent_calls_ended_total"], found["ai_agent_calls_active"]) == (6, 4)
        assert (found["ai_agent_calls_scored_total"], found["ai_agent_calls_unscored_total"]) == (
            3,
            3,
        )
        assert found["ai_agent_live_calls"] == 4

    def test_a_finished_call_has_one_sample_of_its_own(self, quality, registry):
        """The score of a call stands under its id, and an unscored call has none."""
        quality.call_started("1.1")
        quality.turn_response("1.1", 0.4)
        quality.call_started("1.2")
        quality.call_ended("1.1", duration=60.0)
        quality.call_ended("1.2", duration=3.0)
        assert samples(registry, "ai_agent_call_quality_score") == [({"call_id": "1.1"}, 89)]

    def test_without_per_call_series_no_label_holds_a_call_id(self, registry, clock):
        """``per_call_series=False`` keeps call ids off the registry, exemplars included."""
        quality = aeq.QualityMonitor(
            registry=registry, clock=clock, log=False, per_call_series=False
        )
        quality.call_started("1761532874.2245")
        quality.turn_response("1761532874.2245", 0.4)
        quality.call_ended("1761532874.2245", duration=60.0)
        assert "1761532874.2245" not in repr(list(registry.collect()))
        quality.close()


class TestThreads:
    def test_ends_from_many_threads_while_another_scrapes(self, quality, registry):
        """Calls ended twice each from four threads, under scrapes, are scored once each."""
        many, seen, problems = 400, [], []
        quality.add_hook(seen.append)
        for number in range(many):
            quality.call_started(f"1.{number}")
            quality.turn_response(f"1.{number}", 0.4)
        begin, done = threading.Barrier(5), threading.Event()

        def end(first):
            begin.wait()
            try:
                for number in range(first, first + many // 2):
                    quality.call_ended(f"1.{number}", duration=60.0)
                    quality.turn_response(f"1.{number}", 0.4)
            except Exception as error:
                problems.append(error)

        def scrape():
            begin.wait()
            try:
                while not done.is_set():
                    generate_latest(registry)
            except Exception as error:
                problems.append(error)

        threads = [threading.Thread(target=end, args=(first,)) for first in (0, 0, 200, 200)]
        scraper = threading.Thread(target=scrape)
        for thread in (*threads, scraper):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        scraper.join()
        assert problems == []
        assert len(seen) == len({score.call_id for score in seen}) == many
        assert total(registry, "ai_agent_calls_ended_total") == many
        assert registry.get_sample_value("ai_agent_calls_active") == 0
        count = "ai_agent_call_turn_response_seconds_count"
        assert total(registry, count) == sum(score.turns for score in seen)


SECRETS = {
    "+49 170 1234567": "1701234567",
    "00491701234567": "1701234567",
    "caller-491701234567": "1701234567",
    "tel:555-123-4567": "5551234567",
    "my name is John Smith and my card is lost": "John Smith",
}
"""What an engine may pass where a code word belongs, and what of it nobody may be told."""


def told(logger, score):
    """Return everything that a score and the log tell of a call, in one text."""
    return "\n".join(
        [
            json.dumps(score.to_dict()),
            score.explain(),
            score.explain(full=True),
            repr(score.summary),
            *(repr(call) for call in logger.calls),
        ]
    )


def squeezed(text):
    """Return text in lower case with nothing but letters and digits."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


class TestPrivacy:
    @pytest.mark.parametrize("secret", SECRETS)
    @pytest.mark.parametrize("channel", ["fallback reason", "codec detail", "outcome"])
    def test_what_a_caller_is_or_says_is_told_to_nobody(
        self, registry, logger, tmp_path, channel, secret
    ):
        """Numbers and free text reach no metric, summary, record, log event or explanation."""
        path = tmp_path / "calls.jsonl"
        quality = aeq.QualityMonitor(registry=registry, logger=logger, records=path)
        quality.call_started("1.1")
        quality.turn_response("1.1", 0.4)
        if channel == "fallback reason":
            quality.fallback("1.1", secret)
        if channel == "codec detail":
            quality.codec_alignment("1.1", aligned=False, detail=secret)
        outcome = secret if channel == "outcome" else None
        score = quality.call_ended("1.1", outcome=outcome, duration=60.0)
        exposed = generate_latest(registry).decode() + repr(list(registry.collect()))
        quality.close()
        everything = exposed + told(logger, score) + path.read_text()
        assert score.score is not None
        assert squeezed(SECRETS[secret]) not in squeezed(everything)

    @pytest.mark.parametrize(
        "secret",
        [
            "jane.doe\uff20example.com",
            "jane.doe\ufe6bexample.com",
            "jane.doe%40example.com",
            "jane.doe&#64;example.com",
            "jane.doe&#x40;example.com",
            "jane.doe (at) example.com",
        ],
    )
    def test_an_address_may_be_written_otherwise(self, quality, secret):
        """Full-width, small, encoded or written out, an ``@`` makes an address of a name."""
        quality.call_started("1.1", provider=secret, pipeline=f"sales {secret}")
        summary = quality.call_ended("1.1", duration=60.0).summary
        assert (summary.provider, summary.pipeline) == ("other", "other")

    @pytest.mark.parametrize("secret", ["jane.doe@example.com", "49 170 1234567"])
    @pytest.mark.parametrize("channel", ["outcome", "reason", "provider", "pipeline"])
    def test_an_address_or_number_becomes_no_label(
        self, registry, logger, tmp_path, channel, secret
    ):
        """An e-mail address or a telephone number in any name is on no label and in no record."""
        path = tmp_path / "calls.jsonl"
        quality = aeq.QualityMonitor(registry=registry, logger=logger, records=path)
        names = {channel: f"sales {secret}"} if channel in {"provider", "pipeline"} else {}
        quality.call_started("1.1", **names)
        quality.turn_response("1.1", 0.4)
        if channel == "reason":
            quality.fallback("1.1", secret.replace(" ", "_"))
        outcome = secret.replace(" ", "-") if channel == "outcome" else None
        score = quality.call_ended("1.1", outcome=outcome, duration=60.0, **names)
        exposed = generate_latest(registry).decode()
        quality.close()
        everything = squeezed(exposed + told(logger, score) + path.read_text())
        for part in ("janedoe", "examplecom", "1701234567"):
            assert part not in everything

    @pytest.mark.parametrize("report", ["audio", "audio_level"])
    def test_a_number_is_no_kind_of_a_stage(self, quality, report):
        """A kind with a telephone's digits is ``other``; a sample rate or a line's number isn't."""
        quality.call_started("1.1")
        for kind in ("491701234567", "local-4917012345", "tts_16000", "line-2"):
            stage = f"transport_out:{kind}"
            if report == "audio":
                quality.audio("1.1", stage, b"\x55" * 160, encoding="ulaw", sample_rate=8000)
            else:
                quality.audio_level("1.1", stage, 900.0)
        audio = quality.call_ended("1.1", duration=60.0).summary.audio
        assert {stage: levels.frames for stage, levels in audio.items()} == {
            "transport_out:other": 2,
            "transport_out:tts_16000": 1,
            "transport_out:line-2": 1,
        }

    @pytest.mark.parametrize("method", ["frames_sent", "turn_response", "call_started"])
    def test_a_wrong_value_is_not_repeated_in_the_log(self, quality, logger, method):
        """A warning says what was wrong, and never what the value was."""
        number = "+49 170 1234567\n"
        quality.call_started("1.1")
        getattr(quality, method)(*(["1.1"] if method != "call_started" else []), number)
        assert len(logger.calls) == 1
        assert "1234567" not in repr(logger.calls)
