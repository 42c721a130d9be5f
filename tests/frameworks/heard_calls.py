"""What holds of every call that is placed through a framework, whichever that is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import pytest
from placed import FORMATS, PlacedCall
from scripted import Turn

from ai_engine_quality.live.handle import CallHandle


class HeardCalls:
    """What is scored is what was heard at the caller's end; a framework's tests derive from it.

    Their module has the fixture ``placed``: its calls by their names.
    """

    through: ClassVar[Callable[..., Coroutine[Any, Any, PlacedCall]]]
    """Places a call."""

    def test_turns_are_what_the_caller_waited(self, placed: dict[str, PlacedCall]) -> None:
        """Each turn's latency is within 60 ms of what was heard at the caller's end."""
        for name in ("faulty", "clean"):
            call = placed[name].undisturbed()
            summary, truth = call.score.summary, call.caller.truth()
            assert summary.is_heard("latency")
            assert len(truth.latencies) == 4
            assert summary.turn_latencies == pytest.approx(truth.latencies, abs=0.06)

    def test_starved_answers_have_holes(self, placed: dict[str, PlacedCall]) -> None:
        """The holes' seconds are within 10 % of what was missing at the caller's end."""
        call = placed["faulty"].undisturbed()
        heard, truth = call.score.summary.heard, call.caller.truth()
        assert heard is not None
        assert sum(truth.holes) >= 1.2
        assert heard.hole_seconds == pytest.approx(sum(truth.holes), rel=0.1, abs=0.05)

    def test_a_barge_in_is_timed_as_it_was_heard(self, placed: dict[str, PlacedCall]) -> None:
        """The reaction is within 100 ms of the time until the caller heard silence."""
        call = placed["faulty"].undisturbed()
        summary, truth = call.score.summary, call.caller.truth()
        assert len(truth.reactions) == 1
        assert summary.barge_in_reactions == pytest.approx(truth.reactions, abs=0.1)

    def test_what_an_interruption_threw_away_is_not_lost(
        self, placed: dict[str, PlacedCall]
    ) -> None:
        """Of the interrupted answer the rest was thrown away, rightly, and nothing was lost."""
        heard = placed["faulty"].score.summary.heard
        assert heard is not None
        assert heard.thrown_away is not None
        assert heard.thrown_away > 1.0
        assert heard.lost == 0.0

    def test_a_call_without_faults_is_excellent(self, placed: dict[str, PlacedCall]) -> None:
        """No filler is found in a call that had none, and it scores 90 or more."""
        score = placed["clean"].undisturbed().score
        assert score.summary.underflows == 0
        assert score.score is not None
        assert score.score >= 90

    def test_the_score_is_that_of_what_was_heard(self, placed: dict[str, PlacedCall]) -> None:
        """Each score is within 5 points of what the truth at the caller's end would give."""
        for name in ("faulty", "clean"):
            call = placed[name].undisturbed()
            due = call.score_by_truth().score
            assert call.score.score == pytest.approx(due, abs=5)

    def test_a_synthesiser_that_fails_leaves_a_turn_unanswered(
        self, placed: dict[str, PlacedCall]
    ) -> None:
        """The caller spoke and nothing came: the wait is counted, from those words on."""
        summary = placed["failing"].score.summary
        assert summary.unanswered is not None
        assert len(summary.unanswered) == 1
        assert summary.unanswered[0] > 4.5

    @pytest.mark.parametrize(("rate", "length"), FORMATS)
    def test_every_format_is_heard(
        self, placed: dict[str, PlacedCall], rate: int, length: float
    ) -> None:
        """At 8 to 48 kHz, in frames of 10 to 200 ms, nothing is dropped and the turn is heard."""
        call = placed[f"{rate}/{length}"]
        assert call.dropped() == 0
        truth = call.undisturbed().caller.truth()
        assert call.score.summary.turn_latencies == pytest.approx(truth.latencies, abs=0.1)

    def test_a_library_that_raises_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever goes wrong in the library, the caller hears the call to its end."""

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("on purpose")

        monkeypatch.setattr(CallHandle, "audio", broken)
        monkeypatch.setattr(CallHandle, "sound_given", broken)
        call = asyncio.run(self.through([Turn()]))
        truth = call.caller.truth()
        assert len(truth.latencies) == 1
        assert truth.agent_seconds > 3.0
