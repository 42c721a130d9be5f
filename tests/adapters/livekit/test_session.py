"""What a LiveKit session's audio and events come to, by doubles with its names.

Real calls through LiveKit Agents itself are placed by ``make frameworks``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import livekit_doubles as double

import ai_engine_quality as aeq
from ai_engine_quality.adapters.livekit.call import LiveKitCall
from ai_engine_quality.core.observations import DropReason


@pytest.fixture(autouse=True)
def _livekit(monkeypatch: pytest.MonkeyPatch) -> None:
    double.install(monkeypatch)


class Line:
    """An observed session on a clock that stands still."""

    def __init__(self, quality: aeq.QualityMonitor, clock: Any, sink: double.AudioOutput) -> None:
        self.clock, self.sink = clock, sink
        self.session = double.AgentSession()
        self.scores: list[aeq.CallScore] = []
        quality.add_hook(self.scores.append)
        self.attachment = aeq.observe_livekit(self.session, quality, call_id="job-1")
        self.session.output.audio = double.AudioOutput(sink)

    def hear(self, *frames: double.AudioFrame) -> list[double.AudioFrame]:
        """Let the caller's audio come in; return what the session got."""
        stream = double.AudioInput(*frames)
        self.session.input.audio = stream

        async def read() -> list[double.AudioFrame]:
            return [frame async for frame in stream]

        return asyncio.run(read())

    def say(self, seconds: float) -> None:
        """Let the agent say something, handed over at once in pieces of 40 ms."""
        for _ in range(round(seconds / 0.04)):
            asyncio.run(self.sink.capture_frame(double.tone(0.04)))

    def close(self, reason: str = "user_initiated") -> aeq.CallSummary:
        """Close the session, and return the only score's summary."""
        self.session.close(reason)
        (score,) = self.scores
        return score.summary


@pytest.fixture
def line(quality: aeq.QualityMonitor, clock: Any) -> Line:
    """Return a line whose output plays by itself."""
    return Line(quality, clock, double.AudioOutput())


def agent_frames(summary: aeq.CallSummary) -> int:
    """Return how many frames of the agent's were heard."""
    found = summary.audio.get("transport_out")
    return found.frames if found else 0


def test_it_reports_what_it_delivers(line: Line, registry: Any) -> None:
    """All but fallbacks is live, and dashboards see which factors are heard."""
    report = line.attachment.report()
    assert next(iter(report)) == "calls"
    assert {name for name, each in report.items() if not each.live} == {"fallback"}
    labels = {"factor": "latency", "clock": "heard"}
    assert registry.get_sample_value("ai_agent_quality_hook_live", labels) == 1


def test_a_session_is_observed_once(line: Line) -> None:
    """``run`` and the session's own program may both ask: there is one observer all the same."""
    assert aeq.observe_livekit(line.session) is line.attachment


def test_the_caller_is_heard_and_the_session_gets_the_same_frames(line: Line) -> None:
    """The stream stays what it was, and of a kind that it was; both channels' first is heard."""
    frames = [double.tone(0.05), double.tone(0.05, channels=2)]
    assert line.hear(*frames) == frames
    assert isinstance(line.session.input.audio, double.AudioInput)
    assert line.close().audio["transport_in"].frames == 4


def test_audio_is_heard_when_its_time_comes(line: Line) -> None:
    """Audio that is handed over at once is played in real time: only what was due is heard."""
    line.say(2.0)
    line.clock.advance(0.5)
    summary = line.close()
    assert agent_frames(summary) == pytest.approx(25, abs=2)
    assert summary.heard is not None
    assert summary.heard.given == pytest.approx(2.0)


def test_what_is_cleared_is_never_heard(line: Line) -> None:
    """An interruption throws away what was not played, and is a barge-in."""
    line.say(2.0)
    line.clock.advance(0.5)
    line.sink.clear_buffer()
    line.clock.advance(3.0)
    summary = line.close()
    assert agent_frames(summary) == pytest.approx(25, abs=2)
    assert summary.barge_ins == 1


def test_a_pause_holds_playing_back(line: Line) -> None:
    """LiveKit pauses again and again while the caller speaks, and then goes on: all is heard."""
    line.say(1.0)
    line.clock.advance(0.5)
    for _ in range(10):
        line.sink.pause()
        line.clock.advance(0.02)
    line.clock.advance(1.0)
    line.sink.resume()
    line.clock.advance(0.2)
    line.hear(double.tone(0.02))
    line.clock.advance(2.0)
    summary = line.close()
    assert agent_frames(summary) == 50
    assert summary.barge_ins is None


def test_a_room_s_track_paces_what_it_plays(quality: aeq.QualityMonitor, clock: Any) -> None:
    """Where the output has a track, what goes to it is heard; what it takes back is not."""
    sink = double.RoomOutput()
    line = Line(quality, clock, sink)
    line.say(1.0)  # given, and not yet on its way
    for _ in range(4):
        asyncio.run(sink._audio_source.capture_frame(double.tone(0.05)))
    line.clock.advance(0.1)
    sink._audio_source.clear_queue()
    line.clock.advance(3.0)
    summary = line.close()
    assert agent_frames(summary) == pytest.approx(5, abs=1)
    assert summary.heard is not None
    assert summary.heard.given == pytest.approx(1.0)


def test_a_sink_that_comes_later_is_observed_too(line: Line) -> None:
    """An avatar or a console may take the room's place in mid-call."""
    line.say(0.2)
    line.sink = double.AudioOutput()
    line.session.output.audio = double.AudioOutput(double.AudioOutput(line.sink))
    line.clock.advance(1.0)
    line.say(0.2)
    line.clock.advance(1.0)
    assert agent_frames(line.close()) == 20


def test_a_hang_up_ends_the_call_before_the_session_has_closed(line: Line) -> None:
    """Who has hung up waits for nothing; the close event that follows ends nothing again."""
    line.hear(double.tone(0.02))
    assert line.close("participant_disconnected").outcome == "caller_hangup"


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("error", "failed"), ("job_shutdown", "completed"), ("anything", "interrupted")],
)
def test_the_reason_becomes_the_outcome(line: Line, reason: str, outcome: str) -> None:
    """A call has failed where LiveKit closes the session for an error."""
    line.hear(double.tone(0.02))
    summary = line.close(reason)
    assert (summary.outcome, summary.failed) == (outcome, reason == "error")


def test_a_session_without_audio_is_no_call(line: Line) -> None:
    """A session that closes before anybody was heard has no score."""
    line.session.close("job_shutdown")
    assert line.scores == []


def test_an_error_without_recovery_is_a_lost_provider(line: Line) -> None:
    """One from which the model recovers is none."""
    line.hear(double.tone(0.02))
    line.session.emit("error", error=SimpleNamespace(recoverable=True))
    line.session.emit("error", error=SimpleNamespace(recoverable=False))
    assert line.close().provider_lost


def test_models_are_named(line: Line) -> None:
    """By what they say of themselves, else by their class; the agent's own come first."""
    line.session.current_agent = SimpleNamespace(tts=double.STT())
    line.hear(double.tone(0.02))
    summary = line.close()
    assert (summary.provider, summary.pipeline) == ("llm", "deepgram_llm_deepgram")


def test_told_latencies_are_kept(line: Line) -> None:
    """LiveKit's own end-to-end latency is told, where the call can't be heard."""
    line.hear(double.tone(0.02))
    line.session.emit(
        "conversation_item_added", item=SimpleNamespace(metrics={"e2e_latency": 0.75})
    )
    line.session.emit("conversation_item_added", item=SimpleNamespace())
    assert line.close().turn_latencies == (0.75,)


def test_what_raises_is_counted_and_goes_no_further(
    line: Line, monkeypatch: pytest.MonkeyPatch, dropped: Any
) -> None:
    """Whatever the library can't read, the session runs on with its frames."""

    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(LiveKitCall, "begin", broken)
    assert len(line.hear(double.tone(0.02))) == 1
    line.say(0.1)
    line.session.emit("error", error=None)
    assert len(line.sink.captured) == 2
    assert dropped(DropReason.INTERNAL_ERROR) >= 2


def test_the_stages_of_a_turn_are_told(line: Line, registry: Any) -> None:
    """With the caller's words and with the answer; a tool's time is between its two events."""
    line.hear(double.tone(0.02))
    emit = line.session.emit
    words = {"transcription_delay": 0.3, "end_of_turn_delay": 0.5}
    emit("conversation_item_added", item=SimpleNamespace(metrics=words))
    call = SimpleNamespace(call_id="t1")
    emit(
        "tool_execution_updated",
        update=SimpleNamespace(type="tool_call_started", function_call=call),
    )
    line.clock.advance(1.5)
    emit("tool_execution_updated", update=SimpleNamespace(type="tool_call_ended", call_id="t1"))
    answer = {"llm_node_ttft": 0.4, "tts_node_ttfb": 0.25, "e2e_latency": 2.5}
    emit("conversation_item_added", item=SimpleNamespace(metrics=answer))
    expected = {"stt": 0.3, "end_of_turn": 0.2, "llm": 0.4, "tts": 0.25, "tool": 1.5}
    stages = {each.stage: each.seconds for each in line.close().turn_stages or ()}
    assert stages == pytest.approx(expected)
    labels = {"provider": "deepgram", "stage": "stt"}
    assert registry.get_sample_value("ai_agent_turn_stage_seconds_sum", labels) == 0.3
