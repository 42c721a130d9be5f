"""What a Pipecat pipeline's frames come to, by doubles with its names.

Real calls through Pipecat itself are placed by ``make frameworks``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import pipecat_doubles as double

import ai_engine_quality as aeq
from ai_engine_quality.adapters.pipecat import attachment, setup_file
from ai_engine_quality.adapters.pipecat.call import PipecatCall
from ai_engine_quality.core.observations import DropReason


@pytest.fixture(autouse=True)
def _pipecat(monkeypatch: pytest.MonkeyPatch) -> None:
    double.install(monkeypatch)
    attachment._observer_class.cache_clear()


class Line:
    """An observed worker, with its two transports."""

    def __init__(self, quality: aeq.QualityMonitor, **options: Any) -> None:
        self.microphone = double.BaseInputTransport()
        self.earpiece = double.BaseOutputTransport()
        self.tts = double.AcmeTTSService()
        self.worker = double.PipelineWorker(
            self.microphone, double.AcmeSTTService(), double.AcmeLLMService(), self.tts,
            self.earpiece,
        )  # fmt: skip
        self.scores: list[aeq.CallScore] = []
        quality.add_hook(self.scores.append)
        self.attachment = aeq.observe_pipecat(self.worker, quality, call_id="1.1", **options)
        self.quality = quality

    def write(self, audio: bytes, rate: int = 16_000) -> None:
        """Let the agent's audio go out."""
        frame = double.TTSAudioRawFrame(audio=audio, sample_rate=rate)
        asyncio.run(self.earpiece.write_audio_frame(frame))

    def hear(self, audio: bytes, rate: int = 16_000) -> None:
        """Let the caller's audio come in."""
        frame = double.InputAudioRawFrame(audio=audio, sample_rate=rate)
        asyncio.run(self.microphone.push_audio_frame(frame))

    def give(self, audio: bytes, context: str | None = "a") -> double.TTSAudioRawFrame:
        """Let the synthesiser make audio."""
        frame = double.TTSAudioRawFrame(audio=audio, context_id=context)
        self.worker.push(frame, self.tts)
        return frame

    @property
    def summary(self) -> aeq.CallSummary:
        """Of the only score."""
        (score,) = self.scores
        return score.summary


@pytest.fixture
def line(quality: aeq.QualityMonitor) -> Line:
    """Return a line that is observed."""
    return Line(quality)


def test_it_reports_what_it_delivers(line: Line, registry: Any) -> None:
    """All but fallbacks is live, and dashboards see which factors are heard."""
    report = line.attachment.report()
    assert next(iter(report)) == "calls"
    assert {name for name, each in report.items() if not each.live} == {"fallback"}
    labels = {"factor": "latency", "clock": "heard"}
    assert registry.get_sample_value("ai_agent_quality_hook_live", labels) == 1


def test_a_pipeline_without_transports_says_what_is_missing(quality: aeq.QualityMonitor) -> None:
    """A worker that helps another has no tracks: said in the report, and nothing raises."""
    worker = double.PipelineWorker(double.AcmeLLMService())
    report = aeq.observe_pipecat(worker, quality).report()
    assert report["latency"].why_not == "the pipeline has no input transport"
    assert report["calls"].live


def test_a_worker_is_observed_once(line: Line) -> None:
    """The setup file and ``run`` may both come by: there is one observer all the same."""
    again = aeq.observe_pipecat(line.worker)
    asyncio.run(setup_file.setup_pipeline_worker(line.worker))
    assert again is line.attachment
    assert len(line.worker.observers) == 1


def test_the_services_are_named(line: Line) -> None:
    """The provider is who thinks, the pipeline all of them, and models are known by stage."""
    line.hear(double.tone(0.02))
    line.worker.finish()
    assert (line.summary.provider, line.summary.pipeline) == ("acme", "acme_acme_acme")
    models = {each.stage: each.model for each in line.attachment.services}
    assert models == {"stt": None, "llm": "thinker-2", "tts": None}


def test_no_call_before_somebody_is_there(line: Line) -> None:
    """A worker that waits for a client, and ends, is no call."""
    line.worker.push(double.EndFrame(), line.earpiece)
    line.worker.finish()
    assert line.scores == []


@pytest.mark.parametrize(("rate", "seconds"), [(8000, 0.02), (24000, 0.04), (48000, 0.2)])
def test_both_tracks_are_cut_to_frames(line: Line, rate: int, seconds: float) -> None:
    """Each chunk becomes frames of about 20 ms, at any rate, and none is dropped."""
    line.hear(double.tone(seconds, rate), rate)
    line.write(double.tone(seconds, rate), rate)
    line.worker.finish()
    audio = line.summary.audio
    assert audio["transport_in"].frames == audio["transport_out"].frames == round(seconds / 0.02)


def test_audio_that_was_not_written_is_not_heard(line: Line) -> None:
    """Where the transport says that nobody took it, the caller did not hear it."""
    line.hear(double.tone(0.02))
    line.earpiece.works = False
    line.write(double.tone(0.02))
    line.worker.finish()
    assert "transport_out" not in line.summary.audio


def test_audio_is_given_once(line: Line) -> None:
    """However often a frame is pushed on, it counts once, and the transport's pieces not at all."""
    line.write(double.tone(0.02))
    frame = line.give(double.tone(0.5))
    line.worker.push(frame, double.AcmeLLMService())
    line.worker.push(double.TTSAudioRawFrame(audio=double.tone(0.5)), line.earpiece)
    line.worker.finish()
    heard = line.summary.heard
    assert heard is not None
    assert heard.given == pytest.approx(0.5)


def test_audio_in_flight_at_an_interruption_counts_for_nothing(line: Line) -> None:
    """What an interrupted answer's synthesiser still gives is neither given nor lost."""
    line.write(double.tone(0.02))
    line.worker.push(double.BotStartedSpeakingFrame(), line.earpiece)
    line.give(double.tone(1.0), "a")
    line.worker.push(double.InterruptionFrame(), line.tts)
    line.give(double.tone(2.0), "a")
    line.give(double.tone(0.5), "b")
    line.worker.finish()
    heard = line.summary.heard
    assert heard is not None
    assert heard.given == pytest.approx(1.5)
    assert line.summary.barge_ins == 1


def test_an_interruption_of_nothing_is_none(line: Line) -> None:
    """Pipecat tells an interruption at each turn; an agent that is silent isn't interrupted."""
    line.hear(double.tone(0.02))
    line.worker.push(double.InterruptionFrame(), line.tts)
    line.worker.finish()
    assert line.summary.barge_ins is None


@pytest.mark.parametrize(("text", "characters"), [("twelve chars", 12), ("at 10", 11)])
def test_only_spoken_text_is_counted(line: Line, text: str, characters: int) -> None:
    """Text counts once it has passed the transport: by its length, and a digit as a word."""
    line.write(double.tone(0.02))
    frame = double.TTSTextFrame(text=text)
    line.worker.push(frame, line.tts)
    line.worker.push(frame, line.earpiece)
    line.worker.finish()
    assert line.summary.agent_characters == characters


def test_a_service_that_is_no_longer_usable_is_lost(line: Line) -> None:
    """An error after which a service can't work is the loss of a provider; others are not."""
    line.hear(double.tone(0.02))
    line.worker.push(double.ErrorFrame(processor=line.tts), line.tts)
    line.tts.is_usable = False
    line.worker.push(double.ErrorFrame(processor=line.tts), line.tts)
    line.worker.finish()
    assert line.summary.provider_lost


def test_each_end_comes_once(line: Line) -> None:
    """An end is told by frames of several processors and by the clean-up: the first one counts."""
    line.hear(double.tone(0.02))
    frame = double.EndFrame()
    line.worker.push(frame, line.microphone)
    assert line.scores == []  # what is queued is still played
    line.worker.push(frame, line.earpiece)
    line.worker.push(double.CancelFrame(), line.earpiece)
    line.worker.finish()
    assert line.summary.outcome == "completed"


@pytest.mark.parametrize(
    ("reason", "outcome"), [(None, "caller_hangup"), ("idle timeout", "no_input_timeout")]
)
def test_a_cancelled_pipeline_ends_at_once(line: Line, reason: str | None, outcome: str) -> None:
    """A hang-up cancels the pipeline, and Pipecat itself does where nobody speaks."""
    line.hear(double.tone(0.02))
    line.worker.push(double.CancelFrame(reason=reason), line.microphone)
    assert line.summary.outcome == outcome


def test_a_pipeline_that_goes_without_a_word_is_interrupted(line: Line) -> None:
    """A clean-up without an end's frame is one: an engine that stops."""
    line.hear(double.tone(0.02))
    line.worker.finish()
    assert line.summary.outcome == "interrupted"


def test_the_transports_are_left_as_they_were(line: Line) -> None:
    """After the call nothing of ours is on them."""
    assert "write_audio_frame" in vars(line.earpiece)
    line.worker.finish()
    assert "write_audio_frame" not in vars(line.earpiece)
    assert "push_audio_frame" not in vars(line.microphone)


def test_what_raises_is_counted_and_goes_no_further(
    line: Line, monkeypatch: pytest.MonkeyPatch, dropped: Any
) -> None:
    """Frames of a shape that is not known are dropped and counted, and the pipeline runs on."""

    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(PipecatCall, "received", broken)
    monkeypatch.setattr(PipecatCall, "given", broken)
    line.worker.push(double.ErrorFrame(processor=SimpleNamespace()), line.tts)
    line.give(double.tone(0.1))
    line.write(double.tone(0.02))
    assert len(line.earpiece.written) == 1
    assert dropped(DropReason.INTERNAL_ERROR) >= 1


def test_the_stages_of_a_turn_are_told(line: Line, clock: Any, registry: Any) -> None:
    """By the frames that mark them, and by what a service measures of itself."""
    line.hear(double.tone(0.02))
    for seconds, frame in (
        (0.0, double.VADUserStoppedSpeakingFrame()),
        (0.1, double.TranscriptionFrame()),
        (0.3, double.LLMFullResponseStartFrame()),
        (0.5, double.FunctionCallInProgressFrame()),
        (1.25, double.FunctionCallResultFrame()),
        (0.5, double.MetricsFrame(data=[double.TTFBMetricsData("AcmeLLMService#0", 0.4)])),
        (0.0, double.LLMTextFrame()),
        (0.1, double.TTSStartedFrame()),
    ):
        clock.advance(seconds)
        line.worker.push(frame, line.tts)
    clock.advance(0.25)
    line.give(double.tone(0.1))
    told = {
        stage: registry.get_sample_value(
            "ai_agent_turn_stage_seconds_sum", {"provider": "acme", "stage": stage}
        )
        for stage in ("stt", "end_of_turn", "llm", "tool", "tts")
    }
    expected = {"stt": 0.3, "end_of_turn": 0.3, "llm": 0.4, "tool": 1.25, "tts": 0.25}
    assert told == pytest.approx(expected)
