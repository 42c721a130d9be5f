"""Which values are believed, and what becomes of the others."""

from __future__ import annotations

import math
import re
from enum import Enum
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality import DropReason
from ai_engine_quality.core import observations
from ai_engine_quality.core.observations import Rejected


class Treacherous:
    """Raises whatever is done with it."""

    __hash__ = None

    def __float__(self):
        raise RuntimeError("no float")

    def __index__(self):
        raise RuntimeError("no index")

    def __eq__(self, other):
        raise RuntimeError("no comparison")


def reason(check, value, *rest):
    """Return why a check refuses a value."""
    with pytest.raises(Rejected) as refused:
        check(value, *rest)
    return refused.value.reason


NO_NUMBERS = [None, "0.5", b"1", bytearray(b"1"), True, False, [], {}, object(), 1j, Treacherous()]


class TestSeconds:
    @pytest.mark.parametrize(
        "value", [0, 0.0, 0.82, 300, 300.0, np.float32(0.5), np.int64(3), Fraction(1, 4)]
    )
    def test_what_is_a_number_of_seconds_is_taken_as_a_float(self, value):
        """Any finite number from 0 to 300, numpy's included, becomes a plain float."""
        taken = observations.seconds(value)
        assert type(taken) is float
        assert taken == value

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (math.nan, DropReason.NOT_FINITE),
            (math.inf, DropReason.NOT_FINITE),
            (-math.inf, DropReason.NOT_FINITE),
            (np.float64("nan"), DropReason.NOT_FINITE),
            (-1e-9, DropReason.NEGATIVE),
            (-1, DropReason.NEGATIVE),
            (math.nextafter(300, 301), DropReason.OUT_OF_RANGE),
            pytest.param(10**400, DropReason.OUT_OF_RANGE, id="huge"),
        ],
    )
    def test_what_no_clock_shows_is_refused_with_its_reason(self, value, why):
        """NaN, infinities, negatives and values over 300 s are told apart and refused."""
        assert reason(observations.seconds, value) == why

    @pytest.mark.parametrize("value", NO_NUMBERS)
    def test_what_is_no_number_is_refused(self, value):
        """Text, bytes, truth values and anything that can't be a float are of a wrong type."""
        assert reason(observations.seconds, value) == DropReason.WRONG_TYPE

    def test_the_limit_can_be_another(self):
        """A call may last longer than a latency: the caller names the limit."""
        assert observations.seconds(86_400, 604_800) == 86_400
        assert reason(observations.seconds, 604_801, 604_800) == DropReason.OUT_OF_RANGE


class TestRms:
    @pytest.mark.parametrize("value", [0, 1_830, 2_600.5, 32_768])
    def test_a_16_bit_level_is_taken(self, value):
        """Any level from 0 to full scale is believed."""
        assert observations.rms(value) == value

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (32_768.1, DropReason.OUT_OF_RANGE),
            (-1, DropReason.NEGATIVE),
            (math.nan, DropReason.NOT_FINITE),
            ("loud", DropReason.WRONG_TYPE),
        ],
    )
    def test_what_no_16_bit_audio_has_is_refused(self, value, why):
        """Beyond full scale, below zero, not finite and no number are told apart."""
        assert reason(observations.rms, value) == why


class TestCount:
    @pytest.mark.parametrize("value", [0, 1, 50, 1_000_000_000, np.int64(7), np.uint8(255)])
    def test_a_whole_number_is_taken_as_an_int(self, value):
        """Any whole number from 0 to 1e9, numpy's included, becomes a plain int."""
        taken = observations.count(value)
        assert type(taken) is int
        assert taken == value

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (-1, DropReason.NEGATIVE),
            (1_000_000_001, DropReason.OUT_OF_RANGE),
            pytest.param(10**400, DropReason.OUT_OF_RANGE, id="huge"),
        ],
    )
    def test_what_no_report_can_hold_is_refused(self, value, why):
        """A negative count and one beyond 1e9 are refused."""
        assert reason(observations.count, value) == why

    @pytest.mark.parametrize("value", [*NO_NUMBERS, 1.0, 2.5, math.nan, np.float64(1)])
    def test_what_is_no_whole_number_is_refused(self, value):
        """A float is no count, and neither are text or truth values."""
        assert reason(observations.count, value) == DropReason.WRONG_TYPE


class TestFlag:
    @pytest.mark.parametrize("value", [True, False, np.bool_(True), np.bool_(False)])
    def test_a_truth_value_is_taken_as_a_bool(self, value):
        """True and False, numpy's included, become plain bools."""
        assert observations.flag(value) is bool(value)

    @pytest.mark.parametrize("value", [0, 1, "false", "true", None, [], Treacherous()])
    def test_nothing_else_is_one(self, value):
        """``"false"`` is true to Python, so nothing but a bool is believed."""
        assert reason(observations.flag, value) == DropReason.WRONG_TYPE


class TestCallId:
    @pytest.mark.parametrize("value", ["1", "1761532874.2245", "a b", "Ünïcode", "x" * 256])
    def test_printable_text_of_up_to_256_characters_is_taken(self, value):
        """A call id is opaque: any printable text of 1 to 256 characters."""
        assert observations.call_id(value) == value

    @pytest.mark.parametrize("value", ["", "x" * 257, "a\nb", "a\tb", "\x00", "\x1b[31m", "\ud800"])
    def test_what_a_label_or_terminal_would_fear_is_refused(self, value):
        """Empty, too long, control characters and lone surrogates are no call ids."""
        assert reason(observations.call_id, value) == DropReason.BAD_CALL_ID

    @pytest.mark.parametrize("value", [None, 7, 1.5, b"1", ["1"], Treacherous()])
    def test_what_is_no_text_is_refused(self, value):
        """Anything but text is of a wrong type."""
        assert reason(observations.call_id, value) == DropReason.WRONG_TYPE

    def test_a_kind_of_text_becomes_plain_text(self):
        """Text of numpy's becomes Python's, so that nothing foreign is kept."""
        assert type(observations.call_id(np.str_("1.1"))) is str

    @pytest.mark.parametrize(
        "check", ["call_id", "name", "outcome", "code_word", "detail", "stage"]
    )
    def test_an_enum_of_texts_is_its_text(self, check):
        """The members of an ``(str, Enum)`` are their values, whatever ``str()`` says of them."""

        class Word(str, Enum):  # noqa: UP042  # as older engines have it
            STAGE = "provider_out"

        found = getattr(observations, check)(Word.STAGE)
        assert (type(found), found) == (str, "provider_out")


class TestName:
    @pytest.mark.parametrize(
        "value", ["OpenAI Realtime", "openai-realtime", "openai_realtime", " OPENAI.Realtime! "]
    )
    def test_spellings_of_one_provider_are_one_name(self, value):
        """Case, blanks and punctuation don't make another provider."""
        assert observations.name(value) == "openai_realtime"

    @pytest.mark.parametrize("value", [None, "", "  ", "///", "_"])
    def test_nothing_to_read_is_no_name(self, value):
        """None and text without a letter or digit are no name."""
        assert observations.name(value) is None

    @pytest.mark.parametrize("value", [7, b"deepgram", True, ["deepgram"], Treacherous()])
    def test_what_is_no_text_is_refused(self, value):
        """Anything but text or None is of a wrong type."""
        assert reason(observations.name, value) == DropReason.WRONG_TYPE

    @pytest.mark.parametrize(
        "value",
        [
            "+49 170 1234567",
            "caller 0301234567",
            "sales_49_170_123_45_67",
            "tel:555-123-4567",
            "jane.doe@example.com",
            "Jane Doe <jane@163.com>",
            "x" * 70 + "491701234567",
        ],
    )
    def test_what_may_be_a_callers_is_not_kept(self, value):
        """A telephone number or an e-mail address makes a provider or pipeline ``other``."""
        assert observations.name(value) == "other"

    @pytest.mark.parametrize(
        "value",
        [
            "gpt_4o_realtime_preview_2024_12_17",
            "gemini_2_5_flash_native_audio_preview_09_2025",
            "local_hybrid_16000",
            "claude_3_5_sonnet_20241022",
            "tenant_123456",
        ],
    )
    def test_versions_and_dates_are_kept(self, value):
        """The digits of models, versions and sample rates are no telephone number."""
        assert observations.name(value) == value

    @given(st.text(max_size=400))
    def test_every_name_is_short_and_plain(self, value):
        """Whatever the text, its name is None or 1 to 64 of a-z, 0-9 and the underscore."""
        name = observations.name(value)
        assert name is None or re.fullmatch(r"[a-z0-9_]{1,64}", name)


class TestOutcome:
    @pytest.mark.parametrize(
        ("value", "outcome"),
        [
            ("completed", "completed"),
            ("Completed", "completed"),
            ("caller_hangup", "caller_hangup"),
            ("sip-486", "sip-486"),
            (None, None),
        ],
    )
    def test_a_code_word_is_kept_in_lower_case(self, value, outcome):
        """What the engine calls a call's end is kept, and None where it doesn't say."""
        assert observations.outcome(value) == outcome

    @pytest.mark.parametrize(
        "value",
        [
            "+49 170 1234567",
            "he said his name is John",
            "491701",
            "jane.doe@example.com",
            "transferred:jane@example.com",
            "jane@163.com",
            "jane@12.com",
            "jane@8000.com",
            "jane@pbx",
        ],
    )
    def test_free_text_and_numbers_are_not_kept(self, value):
        """What may be a caller's words or number becomes ``other``."""
        assert observations.outcome(value) == "other"

    @pytest.mark.parametrize("value", [7, b"completed", True, Treacherous()])
    def test_what_is_no_text_is_refused(self, value):
        """Anything but text or None is of a wrong type."""
        assert reason(observations.outcome, value) == DropReason.WRONG_TYPE


class TestStage:
    @pytest.mark.parametrize(
        "value",
        [
            "provider_out",
            "transport_out",
            "transport_out:stream",
            "transport_out:file-2",
            "transport_in",
            "provider_in",
        ],
    )
    def test_the_stages_of_the_audios_way_are_known(self, value):
        """The agent's stages, with kinds of playback, and the caller's are taken as they are."""
        assert observations.stage(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "nowhere",
            "provider_out:x",
            "transport_out:",
            "transport_out:A b",
            "Transport_Out",
            "transport_out:" + "x" * 33,
            "transport_out\n",
            "transport_in:x",
        ],
    )
    def test_any_other_text_is_an_unknown_stage(self, value):
        """Text that names no stage is refused as unknown."""
        assert reason(observations.stage, value) == DropReason.UNKNOWN_STAGE

    @pytest.mark.parametrize("value", [None, 7, b"provider_out", ["provider_out"], Treacherous()])
    def test_what_is_no_text_is_refused(self, value):
        """Anything but text is of a wrong type."""
        assert reason(observations.stage, value) == DropReason.WRONG_TYPE

    def test_the_agents_stages_are_told_from_the_callers(self):
        """provider_out and transport_out carry the agent; the two others carry the caller."""
        stages = ["provider_out", "transport_out", "transport_out:file"]
        assert all(map(observations.is_agent_stage, stages))
        assert not any(map(observations.is_agent_stage, ["transport_in", "provider_in"]))


class TestCodeWord:
    @pytest.mark.parametrize(
        "value",
        [
            "transport-failure",
            "timeout",
            "ulaw@8000",
            "slin16->ulaw",
            "pcm16@24000!=slin16@8000",
            "engine.playback.timeout",
            "a1",
        ],
    )
    def test_what_a_program_chose_is_kept(self, value):
        """Code words and names of formats are kept as they came."""
        assert observations.code_word(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "my name is John",
            "Hello",
            "order for Mr. Smith!",
            "x" * 49,
            "a--",
            "-a",
            "ä",
            "caller said: no",
            "\n",
        ],
    )
    def test_free_text_is_not_kept(self, value):
        """Text that no program would choose becomes ``other``: it may be a caller's words."""
        assert observations.code_word(value) == "other"

    @pytest.mark.parametrize(
        "value",
        [
            "491701234567",
            "tel:491701234567",
            "caller-4917012",
            "+49 170 1234567",
            "tel:555-123-4567",
            "caller_030_1234_5678",
            "sip:0301234.5678@pbx",
        ],
    )
    def test_a_telephone_number_is_not_kept(self, value):
        """However its digits are grouped, a caller's number becomes ``other``."""
        assert observations.code_word(value) == "other"

    @pytest.mark.parametrize("value", [None, 7, b"timeout", True, Treacherous()])
    def test_what_is_no_text_is_refused(self, value):
        """Anything but text is of a wrong type."""
        assert reason(observations.code_word, value) == DropReason.WRONG_TYPE
