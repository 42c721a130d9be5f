"""The handle: the monitor's observations without the id, dead once its call is gone."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import ai_engine_quality as aeq

OBSERVATIONS = {
    "turn_response": ((0.82,), {}),
    "unanswered": ((6.0,), {}),
    "frames_sent": ((50,), {}),
    "underflow": ((1,), {}),
    "fallback": (("transport-failure",), {}),
    "barge_in": ((0.21,), {}),
    "codec_alignment": ((False,), {"detail": "ulaw"}),
    "audio_level": (("provider_out", 1_830.0), {}),
    "audio": (("provider_out", b"\x10" * 160), {"encoding": "ulaw", "sample_rate": 8_000}),
    "packets_lost": ((3,), {"sent": 900}),
    "call_updated": ((), {"provider": "deepgram", "pipeline": "default"}),
}
FRAME = b"\x10" * 160


class Treacherous:
    """Raises when it is compared."""

    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("no comparison")


def observe_all(target, *call_id):
    """Report one of each observation to a handle, or to a monitor by call id."""
    for name, (values, named) in OBSERVATIONS.items():
        getattr(target, name)(*call_id, *values, **named)


def total(registry):
    """Return how often anything was dropped."""
    return sum(
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "ai_agent_quality_dropped_total"
    )


class TestSameMethods:
    @pytest.mark.parametrize("name", [*OBSERVATIONS, "call_ended"])
    def test_each_method_is_the_monitors_without_the_id(self, name):
        """Names, order and defaults of arguments are the monitor's, less ``call_id``."""
        of_monitor = list(inspect.signature(getattr(aeq.QualityMonitor, name)).parameters.values())
        of_handle = list(inspect.signature(getattr(aeq.CallHandle, name)).parameters.values())
        assert of_monitor[1].name == "call_id"
        assert of_handle[1:] == of_monitor[2:]

    def test_both_ways_give_the_same_summary(self, quality):
        """A call observed through its handle is the call observed by its id."""
        for call_id in ("1.1", "1.2"):
            quality.call_started(call_id)
        observe_all(quality.call("1.1"))
        observe_all(quality, "1.2")
        by_handle = quality.call("1.1").call_ended(outcome="completed", duration=60.0)
        by_id = quality.call_ended("1.2", outcome="completed", duration=60.0)
        one, other = by_handle.summary.to_dict(), by_id.summary.to_dict()
        assert {**one, "call_id": ""} == {**other, "call_id": ""}
        assert by_handle.score == by_id.score

    def test_it_takes_what_the_contract_shows(self, quality):
        """Each observation of the documented example reaches the summary."""
        quality.call_started("1.1")
        observe_all(quality.call("1.1"))
        call = quality.call_ended("1.1").summary
        assert (call.turn_latencies, call.unanswered, call.frames_sent) == ((0.82,), (6.0,), 50)
        assert (call.underflows, call.underflow_episodes, call.fallbacks) == (1, None, 1)
        assert (call.barge_ins, call.barge_in_reactions) == (1, (0.21,))
        assert (call.codec_checks, call.codec_misaligned) == (1, 1)
        assert (call.fallback_reasons, call.codec_details) == (
            {"transport-failure": 1},
            {"ulaw": 1},
        )
        assert (call.provider, call.pipeline) == ("deepgram", "default")
        assert call.audio["provider_out"].frames == 2

    def test_defaults_are_the_contracts(self, quality):
        """An underflow is one filler of unknown episodes; a barge-in need not be timed."""
        quality.call_started("1.1")
        handle = quality.call("1.1")
        handle.underflow()
        handle.barge_in()
        handle.fallback()
        handle.codec_alignment(True)
        handle.codec_alignment(False)
        call = handle.call_ended().summary
        assert (call.underflows, call.underflow_episodes) == (1, None)
        assert (call.barge_ins, call.barge_in_reactions) == (1, None)
        assert (call.fallbacks, call.codec_checks, call.codec_misaligned) == (1, 2, 1)
        assert call.codec_details == {}


class TestLife:
    def test_it_is_live_until_the_call_ends(self, quality):
        """A handle knows whether its call is still live."""
        quality.call_started("1.1")
        handle = quality.call("1.1")
        assert (handle.live, handle.call_id) == (True, "1.1")
        quality.call_ended("1.1")
        assert handle.live is False

    def test_two_handles_of_a_call_are_of_one_call(self, quality):
        """However often a handle is asked for, its observations go to the one call."""
        quality.call_started("1.1")
        quality.call("1.1").turn_response(0.4)
        quality.call("1.1").turn_response(0.5)
        assert quality.call_ended("1.1").summary.turn_latencies == (0.4, 0.5)

    @pytest.mark.parametrize("name", OBSERVATIONS)
    def test_an_unknown_calls_observations_are_dropped_and_counted(self, quality, dropped, name):
        """A handle of a call that never began takes nothing, and says so in the counter."""
        handle = quality.call("9.9")
        assert handle.live is False
        values, named = OBSERVATIONS[name]
        getattr(handle, name)(*values, **named)
        assert dropped("unknown_call") == 1
        assert handle.call_ended() is None
        assert dropped("unknown_call") == 2

    @pytest.mark.parametrize("name", OBSERVATIONS)
    def test_late_observations_are_dropped_and_counted(self, quality, dropped, name):
        """After the end a handle takes nothing, whether it is an old one or a new one."""
        quality.call_started("1.1")
        old = quality.call("1.1")
        old.call_ended()
        values, named = OBSERVATIONS[name]
        for handle in (old, quality.call("1.1")):
            getattr(handle, name)(*values, **named)
        assert dropped("call_ended") == 2
        assert old.call_ended() is None

    def test_an_old_handle_does_not_reach_a_new_call_of_the_same_id(self, quality, clock):
        """When an id is used again, observations by the ended call's handle are dropped."""
        quality.call_started("1.1")
        old = quality.call("1.1")
        old.call_ended()
        clock.advance(901)
        quality.call_started("1.1")
        observe_all(old)
        assert quality.call("1.1").live
        assert quality.call_ended("1.1").coverage == 0

    def test_an_old_handle_does_not_end_a_new_call_of_the_same_id(self, quality, clock):
        """A handle ends the call that it was made for, and no later one of the same id."""
        quality.call_started("1.1")
        old = quality.call("1.1")
        old.call_ended()
        clock.advance(901)
        quality.call_started("1.1")
        assert old.call_ended() is None
        assert quality.call("1.1").live

    def test_a_handle_is_dead_after_the_monitor_was_closed(self, quality):
        """Observations after ``close()`` are dropped, and nothing raises."""
        quality.call_started("1.1")
        handle = quality.call("1.1")
        quality.close()
        observe_all(handle)
        assert (handle.live, handle.call_ended()) == (False, None)


class TestHardened:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"encoding": np.array(["ulaw", "alaw"])},
            {"sample_rate": np.array([8_000, 16_000])},
            {"encoding": Treacherous()},
            {"sample_rate": Treacherous()},
        ],
        ids=["encodings", "rates", "encoding", "rate"],
    )
    def test_a_wrong_format_after_a_right_frame_never_raises(self, quality, registry, wrong):
        """What can't even be compared with the last frame's format is dropped and counted."""
        quality.call_started("1.1")
        handle = quality.call("1.1")
        right = {"encoding": "ulaw", "sample_rate": 8_000}
        handle.audio("provider_out", FRAME, **right)
        handle.audio("provider_out", FRAME, **{**right, **wrong})
        assert total(registry) == 1

    @pytest.mark.parametrize("seconds", [0, 1, 300, np.float32(0.5), np.float64(0.25)])
    def test_a_latency_of_any_kind_of_number_is_taken(self, quality, seconds):
        """Whole numbers and numpy's are latencies like floats are."""
        quality.call_started("1.1")
        handle = quality.call("1.1")
        handle.turn_response(seconds)
        (taken,) = handle.call_ended().summary.turn_latencies
        assert (type(taken), taken) == (float, seconds)

    @pytest.mark.parametrize("turns", [511, 512, 513, 600])
    def test_turns_of_long_calls_are_all_taken_and_all_counted(self, quality, registry, turns):
        """Beyond 512 turns none is lost, neither to the score nor to the latency histogram."""
        quality.call_started("1.1", provider="deepgram", pipeline="default")
        handle = quality.call("1.1")
        labels = {"provider": "deepgram", "pipeline": "default"}
        name = "ai_agent_call_turn_response_seconds"
        for number in range(turns):
            handle.turn_response(0.4 + number / 1_000)
            if number in (100, 512, 550):
                assert registry.get_sample_value(f"{name}_count", labels) == number + 1
        assert handle.call_ended(duration=600.0).turns == turns
        assert registry.get_sample_value(f"{name}_count", labels) == turns
        expected = sum(0.4 + number / 1_000 for number in range(turns))
        assert registry.get_sample_value(f"{name}_sum", labels) == pytest.approx(expected)
