"""The jitter buffer and the pacer: where fillers, their episodes and fallbacks come from."""

import asyncio
from itertools import groupby

import pytest
from ai_engine_lab.engine import VIRTUAL, EngineLoop, PlaybackSettings, TransportError
from ai_engine_lab.engine.events import FellBack, FrameSent, SegmentEnded
from ai_engine_lab.engine.playback import Playback
from ai_engine_lab.engine.transport import Loopback
from hypothesis import given, settings
from hypothesis import strategies as st


def speech(frames, first=1):
    """Frames that can be told from each other and from silence."""
    return b"".join((first + n).to_bytes(2, "little") * 160 for n in range(frames))


def play(bursts, *, write_fault=None, stop_at=None, close=True, config=None):
    """Play bursts of (seconds to wait, frames); return the events, and what the caller heard."""
    told, heard = [], []

    async def feed(segment):
        fed = 0
        for wait, frames in bursts:
            await asyncio.sleep(wait)
            segment.feed(speech(frames, first=fed + 1), asyncio.get_running_loop().time())
            fed += frames
        if close:
            segment.close()

    async def main():
        playback = Playback(
            Loopback(heard.append, write_fault), config or PlaybackSettings(), told.append
        )
        feeding = asyncio.create_task(feed(playback.open("response")))
        if stop_at is not None:
            await asyncio.sleep(stop_at)
            await playback.stop("barge-in")
        else:
            await playback.finished()
        assert not playback.speaking
        feeding.cancel()

    with asyncio.Runner(loop_factory=lambda: EngineLoop(VIRTUAL)) as runner:
        runner.run(main())
    return told, heard


def ended(told):
    (end,) = [event for event in told if isinstance(event, SegmentEnded)]
    return end


def test_ample_bursts_make_no_fillers():
    """Audio that comes faster than it is spoken is heard whole, in order, without a filler."""
    told, heard = play([(0.03, 5)] * 40)
    end = ended(told)
    assert (end.frames_sent, end.fillers, end.filler_episodes) == (200, 0, 0)
    assert b"".join(heard) == b"".join(speech(5, first=1 + 5 * n) for n in range(40))
    assert end.end_reason == "end-of-stream"


def test_starving_bursts_make_fillers_in_as_many_episodes_as_gaps():
    """Five frames every 160 ms leave a gap of three fillers after each burst: an episode each."""
    told, _ = play([(0.0, 5)] + [(0.161, 5)] * 9)
    end = ended(told)
    assert end.frames_sent == 50
    assert end.filler_episodes == 9
    assert end.fillers == pytest.approx(9 * 3, abs=2)


def test_a_reserve_hides_a_stall():
    """A stall is only heard for as long as it outlasts what was buffered before it."""
    hidden, _ = play([(0.0, 50), (0.9, 10)])
    heard, _ = play([(0.0, 50), (1.1, 10)])
    assert ended(hidden).fillers == 0
    assert (ended(heard).fillers, ended(heard).filler_episodes) == (pytest.approx(5, abs=1), 1)


def test_a_segment_waits_for_its_warm_up():
    """Nothing is sent until the buffer holds the warm-up, and waiting for it makes no filler."""
    told, heard = play([(0.0, 1), (0.3, 1), (0.3, 1)], close=True)
    assert ended(told).fillers == 0
    assert len(heard) == 3
    assert ended(told).seconds > 0.6


def test_a_short_segment_is_not_lost_in_the_warm_up():
    """Less audio than the warm-up is played all the same once the provider is done."""
    told, heard = play([(0.0, 2)])
    assert (ended(told).frames_sent, len(heard)) == (2, 2)


def test_fillers_in_a_row_are_limited():
    """A long gap gets fillers for its first 400 ms only; the line is left silent after that."""
    told, _ = play([(0.0, 5), (3.0, 5)])
    assert (ended(told).fillers, ended(told).filler_episodes) == (20, 1)


def test_between_segments_nothing_is_sent():
    """While the agent is silent no filler is counted, however long that takes."""
    told = []

    async def main():
        playback = Playback(Loopback(lambda _frame: None), PlaybackSettings(), told.append)
        for _ in range(3):
            segment = playback.open("response")
            segment.feed(speech(20), 0.0)
            segment.close()
            await playback.finished()
            await asyncio.sleep(10)

    with asyncio.Runner(loop_factory=lambda: EngineLoop(VIRTUAL)) as runner:
        runner.run(main())
    sent = [event for event in told if isinstance(event, FrameSent)]
    assert len(sent) == 60
    assert not any(event.filler for event in sent)


def test_stopping_flushes_the_buffer():
    """A stop is heard at once, though seconds of audio are buffered."""
    told, heard = play([(0.0, 500)], stop_at=1.0)
    assert len(heard) == pytest.approx(50, abs=1)
    assert ended(told).end_reason == "barge-in"


def test_a_write_that_fails_becomes_a_fallback():
    """The frame that could not be written, and all after it, is heard from a file instead."""
    writes = []

    def fault():
        writes.append(None)
        if len(writes) == 31:
            raise TransportError("gone")

    told, heard = play([(0.0, 40), (0.5, 40)], write_fault=fault)
    assert [event for event in told if isinstance(event, FellBack)] == [
        FellBack("transport-failure")
    ]
    assert b"".join(heard) == speech(80)
    assert ended(told).frames_sent == 30
    assert ended(told).end_reason == "transport-failure"


def test_a_provider_that_falls_silent_is_given_up():
    """A segment whose provider never ends it does not stay open for ever: a fallback."""
    told, _ = play([(0.0, 10)], close=False)
    assert [event for event in told if isinstance(event, FellBack)] == [
        FellBack("keepalive-timeout")
    ]
    assert ended(told).end_reason == "keepalive-timeout"
    assert ended(told).seconds == pytest.approx(8.0, abs=0.1)


def test_one_segment_at_a_time():
    """Opening a second segment is a mistake of the engine's, and said so."""

    async def main():
        playback = Playback(Loopback(lambda _frame: None), PlaybackSettings(), lambda _event: None)
        playback.open("greeting")
        with pytest.raises(RuntimeError, match="still open"):
            playback.open("response")
        await playback.stop("streaming-ended")

    with asyncio.Runner(loop_factory=lambda: EngineLoop(VIRTUAL)) as runner:
        runner.run(main())


bursts = st.lists(
    st.tuples(st.floats(0.0, 0.6), st.integers(1, 30)), min_size=1, max_size=12
)  # seconds to wait, frames


@settings(max_examples=60, deadline=None)
@given(bursts)
def test_the_counts_are_what_went_over_the_wire(given_bursts):
    """Frames, fillers and episodes of a segment are those of its frames on the wire, one by one."""
    told, _ = play(given_bursts)
    fillers = [event.filler for event in told if isinstance(event, FrameSent)]
    end = ended(told)
    assert end.frames_sent == fillers.count(False) == sum(frames for _, frames in given_bursts)
    assert end.fillers == fillers.count(True)
    # A gap beyond the filler limit has one episode only: silence is no new filler.
    assert end.filler_episodes == sum(filler for filler, _ in groupby(fillers))


@settings(max_examples=60, deadline=None)
@given(bursts, st.integers(1, 100))
def test_no_speech_is_lost_wherever_the_transport_fails(given_bursts, failing):
    """Stream and file together carry every byte of speech once, in order."""
    writes = []

    def fault():
        writes.append(None)
        if len(writes) == failing:
            raise TransportError("gone")

    told, heard = play(given_bursts, write_fault=fault)
    silence = bytes(320)
    assert b"".join(frame for frame in heard if frame != silence) == speech(
        sum(frames for _, frames in given_bursts)
    )
    assert sum(isinstance(event, FellBack) for event in told) == (len(writes) >= failing)
