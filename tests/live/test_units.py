"""Wrong units: what is dropped says what it should have been; what is unusual is asked about."""

from __future__ import annotations

import math

import pytest

SECONDS = "seconds, at most 300; are these milliseconds?"


def told(logger, event):
    """Return the sentences of all warnings of a kind."""
    return [call.kwargs.get("warning") for call in logger.calls if call.args == (event,)]


class TestDropped:
    @pytest.mark.parametrize(
        ("method", "values", "sentence"),
        [
            ("turn_response", (850,), f"turn_response(850) of call c1 dropped: {SECONDS}"),
            ("turn_response", (1234.5,), f"turn_response(1234.5) of call c1 dropped: {SECONDS}"),
            ("unanswered", (6000,), f"unanswered(6000) of call c1 dropped: {SECONDS}"),
            ("barge_in", (350.0,), f"barge_in(350) of call c1 dropped: {SECONDS}"),
            (
                "audio_given",
                (400.0,),
                (
                    "audio_given(400, 0) of call c1 dropped: seconds, at most 300, of which at most"
                    " as many are silent; are these milliseconds?"
                ),
            ),
            (
                "audio_given",
                (1.0, 2.0),
                (
                    "audio_given(1, 2) of call c1 dropped: seconds, at most 300, of which at most"
                    " as many are silent"
                ),
            ),
            (
                "underflow",
                (1, 5),
                (
                    "underflow(1, 5) of call c1 dropped: 20 ms frames, a whole number of at most"
                    " 1,000,000,000, in at most as many episodes"
                ),
            ),
            (
                "audio_level",
                ("provider_out", -26.5),
                (
                    "audio_level(str, -26.5) of call c1 dropped: a 16-bit RMS, at most 32,768; is"
                    " this in decibels?"
                ),
            ),
            (
                "frames_sent",
                (2_000_000_000,),
                (
                    "frames_sent(2e+09) of call c1 dropped: 20 ms frames, a whole number of at most"
                    " 1,000,000,000; are these bytes?"
                ),
            ),
            (
                "packets_lost",
                (-1,),
                (
                    "packets_lost(-1, 900) of call c1 dropped: packets so far, lost ones and all"
                    " that were sent"
                ),
            ),
        ],
    )
    def test_one_warning_says_what_it_should_have_been(
        self, quality, logger, method, values, sentence
    ):
        """Method, value, call, unit, limit and a guess: in one sentence, once a minute."""
        quality.call_started("c1")
        for _ in range(5):
            more = {"sent": 900} if method == "packets_lost" else {}
            getattr(quality, method)("c1", *values, **more)
        assert told(logger, "quality_observation_dropped") == [sentence]

    def test_each_method_has_a_warning_of_its_own(self, quality, logger):
        """Milliseconds in one place hide no wrong unit in another, whatever the minute."""
        quality.call_started("c1")
        for _ in range(3):
            quality.turn_response("c1", 850)
            quality.unanswered("c1", 6000)
            quality.turn_stage("c1", "llm", 700)
            quality.frames_sent("c1", 2_000_000_000)
        methods = [words.partition("(")[0] for words in told(logger, "quality_observation_dropped")]
        assert methods == ["turn_response", "unanswered", "turn_stage", "frames_sent"]

    @pytest.mark.parametrize(
        ("value", "kind"),
        [("+49 170 1234567", "str"), (b"850", "3 bytes"), (None, "None"), ([850], "list")],
    )
    def test_what_is_no_number_is_not_repeated(self, quality, logger, value, kind):
        """Text may be a caller's: the sentence has the unit, and of the value its type."""
        quality.call_started("c1")
        quality.turn_response("c1", value)
        assert told(logger, "quality_observation_dropped") == [
            f"turn_response({kind}) of call c1 dropped: seconds, at most 300"
        ]

    @pytest.mark.parametrize("value", [math.nan, -1.0, True])
    def test_another_unit_is_guessed_of_large_numbers_only(self, quality, logger, value):
        """NaN, a negative time and a truth value are no milliseconds."""
        quality.call_started("c1")
        quality.turn_response("c1", value)
        (sentence,) = told(logger, "quality_observation_dropped")
        assert "milliseconds" not in sentence

    @pytest.mark.parametrize(
        ("report", "sentence", "fix"),
        [
            (
                lambda call: call.audio("transport_in", "u", encoding="ulaw", sample_rate=8000),
                "audio(str, str, str, 8000) of call c1 dropped",
                "a value of another type",
            ),
            (
                lambda call: call.audio("caller", bytes(160), encoding="ulaw", sample_rate=8000),
                "audio(str, 160 bytes, str, 8000) of call c1 dropped",
                "no such stage",
            ),
            (
                lambda call: call.turn_stage("asr", 1.0),
                "turn_stage(str, 1) of call c1 dropped",
                "no such stage",
            ),
            (
                lambda call: [call.audio_level(f"transport_out:{n}", 9.0) for n in "abcdefghijk"],
                "audio_level(str, 9) of call c1 dropped",
                "stages in one call",
            ),
        ],
    )
    def test_the_fix_is_of_the_reason(self, quality, logger, report, sentence, fix):
        """What is wrong with a stage or a frame is not blamed on a number's unit."""
        quality.call_started("c1")
        report(quality.call("c1"))
        assert told(logger, "quality_observation_dropped") == [sentence]
        assert fix in logger.calls[0].kwargs["fix"]

    @pytest.mark.parametrize(
        ("call_id", "sentence"),
        [
            ("9.9", "turn_response() of call 9.9 dropped"),
            ("9\n9", "turn_response() dropped"),
            ("9" * 300, "turn_response() dropped"),
        ],
    )
    def test_an_unknown_call_is_named(self, quality, logger, call_id, sentence):
        """So that a wrong id is found; what can't be an id isn't repeated."""
        quality.call(call_id).turn_response(0.5)
        assert told(logger, "quality_observation_dropped") == [sentence]

    @pytest.mark.parametrize("report", ["turn_response", "frames_sent", "words_spoken"])
    def test_an_unknown_call_is_named_to_who_reports_by_id_too(self, quality, logger, report):
        """Not only to who holds a handle."""
        getattr(quality, report)("9.9", 1)
        assert told(logger, "quality_observation_dropped") == [f"{report}() of call 9.9 dropped"]

    def test_an_ended_call_is_named_to_who_reports_by_id(self, quality, logger):
        """As the one that came too late."""
        quality.call_started("c1")
        quality.call_ended("c1")
        quality.fallback("c1")
        assert told(logger, "quality_observation_dropped") == ["fallback() of call c1 dropped"]

    @pytest.mark.parametrize(
        ("call_id", "shown"), [(1761, "1761"), (None, "None"), (b"1", "1 bytes")]
    )
    def test_a_call_id_that_is_no_text_is_told(self, quality, logger, call_id, shown):
        """Else only its observations are, as those of an unknown call."""
        quality.call_started(call_id)
        assert told(logger, "quality_observation_dropped") == [
            f"call_started(call_id={shown}) dropped: a call id is text"
        ]

    def test_an_argument_of_a_calls_end_is_named(self, quality, logger):
        """A call ends whatever its arguments are; the warning has method, argument and type."""
        quality.call_started("c1")
        assert quality.call_ended("c1", failed="no", duration=60.0) is not None
        assert told(logger, "quality_observation_dropped") == [
            "call_ended(failed=str): this argument was dropped"
        ]
        assert "traceback" not in logger.calls[0].kwargs, "nothing was raised"

    def test_a_type_that_raises_is_a_value(self, quality, logger):
        """Whatever a foreign type does, the engine notices nothing."""

        class Meta(type):
            @property
            def __name__(cls):
                raise RuntimeError

        class Odd(metaclass=Meta):
            pass

        quality.call_started("c1")
        quality.turn_response("c1", Odd())
        (sentence,) = told(logger, "quality_observation_dropped")
        assert sentence.startswith("turn_response(a value) of call c1 dropped")

    @pytest.mark.parametrize("value", [10**400, math.inf, math.nan, -(10**400)])
    def test_no_number_is_too_strange(self, quality, logger, value):
        """Whatever number it is, there is a sentence."""
        quality.call_started("c1")
        quality.turn_response("c1", value)
        (sentence,) = told(logger, "quality_observation_dropped")
        assert sentence.startswith("turn_response(")

    def test_the_explanation_says_what_was_dropped(self, quality):
        """In the line and in full, of a scored call and of one that isn't."""
        for call_id, turns in (("c1", 3), ("c2", 0)):
            quality.call_started(call_id)
            for _ in range(turns):
                quality.turn_response(call_id, 0.5)
            quality.turn_response(call_id, 850)
            quality.turn_response(call_id, 900)
            score = quality.call_ended(call_id, duration=60.0)
            assert score.dropped == {"turn:out_of_range": 2}
            words = "turns were reported and dropped: out_of_range"
            assert f"2 {words}" in score.explain()
            assert f"2 {words}" in score.explain(full=True)


class TestUnusual:
    @pytest.mark.parametrize(
        ("method", "value"),
        [("turn_response", 30.0), ("turn_response", 120), ("barge_in", 200.0), ("unanswered", 250)],
    )
    def test_a_long_time_is_taken_and_asked_about(self, quality, logger, method, value):
        """120 passes as seconds, and the log asks, once a minute, whether it should."""
        quality.call_started("c1")
        for _ in range(3):
            getattr(quality, method)("c1", value)
        score = quality.call_ended("c1", duration=600.0)
        assert score.dropped == {}
        assert told(logger, "quality_unit_unusual") == [
            f"{method}({value:g}) of call c1: {SECONDS}"
        ]

    @pytest.mark.parametrize(
        ("away", "said"), [(-900.0, "900 s before now"), (1.7e9, "1,700,000,000 s after now")]
    )
    def test_a_frame_of_another_clock_is_asked_about(self, quality, logger, clock, away, said):
        """Seconds of a stream, or of the day, are taken, and asked about once a minute."""
        quality.call_started("c1")
        for _ in range(3):
            quality.audio(
                "c1", "transport_in", bytes(160), encoding="ulaw", sample_rate=8000,
                at=clock() + away,
            )  # fmt: skip
        (sentence,) = told(logger, "quality_unit_unusual")
        assert "of call c1" in sentence
        assert said in sentence
        assert "time.monotonic()" in sentence

    def test_a_frame_of_this_clock_is_not_asked_about(self, quality, logger, clock):
        """A frame that is reported minutes late is unusual, and no other clock's."""
        quality.call_started("c1")
        quality.audio(
            "c1", "transport_in", bytes(160), encoding="ulaw", sample_rate=8000, at=clock() - 299
        )
        assert logger.calls == []

    @pytest.mark.parametrize("value", [0.0, 5, 29.99])
    def test_usual_times_are_not_asked_about(self, quality, logger, value):
        """Below half a minute nothing is said."""
        quality.call_started("c1")
        quality.turn_response("c1", value)
        quality.barge_in("c1", value)
        assert logger.calls == []

    def test_every_turn_counts_on_both_sides_of_the_bound(self, quality, registry):
        """Usual and unusual turns are in the score and in the histogram alike."""
        quality.call_started("c1", provider="deepgram")
        for value in (1.0, 29.9, 30.0, 300.0, 31):
            quality.turn_response("c1", value)
        assert quality.call_ended("c1", duration=600.0).summary.turn_latencies == (
            *(1.0, 29.9, 30.0),
            *(300.0, 31.0),
        )
        count = {"provider": "deepgram", "pipeline": "unknown"}
        name = "ai_agent_call_turn_response_seconds_count"
        assert registry.get_sample_value(name, count) == 5

    @pytest.mark.parametrize(("duration", "asked"), [(63_000, 1), (63, 0), (600.0, 0)])
    def test_a_duration_in_milliseconds_is_asked_about(
        self, quality, logger, clock, duration, asked
    ):
        """A duration of a thousand times what has passed is believed, and asked about."""
        quality.call_started("c1")
        clock.advance(63.0)
        assert quality.call_ended("c1", duration=duration).summary.duration == duration
        assert (
            told(logger, "quality_unit_unusual")
            == ["call_ended(duration=63000) of call c1: it began 63 s ago; are these milliseconds?"]
            * asked
        )
