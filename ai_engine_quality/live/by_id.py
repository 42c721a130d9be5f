"""The observations of live calls by their call id, for engines that keep no handle."""

from __future__ import annotations

from ai_engine_quality.core.observations import FRAME_SECONDS, DropReason, plain
from ai_engine_quality.live.audio import FrameBatch
from ai_engine_quality.live.handle import CallHandle, CallOwner
from ai_engine_quality.live.live_calls import LiveCalls


class ObservationsById(CallOwner):
    """Finds a call's handle by its id, and hands each observation to it."""

    def __init__(self, live: LiveCalls, frames: FrameBatch) -> None:
        self.frames = frames
        self._live = live
        self._handles = live.handles

    def call(self, call_id: str) -> CallHandle:
        """Return a call's handle, for observations without the id: the fast path.

        Observations of an unknown or ended call's handle are dropped and counted.
        """
        return self._find(call_id)

    def _find(self, call_id: object) -> CallHandle:
        """Return the live handle, or one that drops and names the call, where it isn't live."""
        try:
            found = self._live.handles.get(call_id)  # type: ignore[call-overload]  # whatever it is
            if found is not None:
                return found  # type: ignore[no-any-return]  # as above
            if isinstance(call_id, str) and type(call_id) is not str:  # it may hash as it likes
                return self._find(plain(call_id))
            ended = self._live.ended_lately(call_id)  # type: ignore[arg-type]  # as above
        except Exception:  # unhashable, or a foreign __eq__
            ended = False
        named = call_id if type(call_id) is str else ""
        gone = DropReason.CALL_ENDED if ended else DropReason.UNKNOWN_CALL
        return CallHandle(self, None, named, gone)

    def turn_response(self, call_id: str, seconds: float) -> None:
        """Report a turn's latency: seconds from the end of the caller's turn to agent audio."""
        try:
            found = self._handles[call_id]
        except Exception:  # unknown, unhashable, or a foreign __eq__
            found = self._find(call_id)
        found.turn_response(seconds)

    def turn_stage(
        self,
        call_id: str,
        stage: str,
        seconds: float,
        provider: str | None = None,
        *,
        at: float | None = None,
    ) -> None:
        """Report where some of a turn's time went: stt, end_of_turn, llm, tool or tts."""
        self._find(call_id).turn_stage(stage, seconds, provider, at=at)

    def unanswered(self, call_id: str, waited: float) -> None:
        """Report a turn of the caller that never got a reply, and the seconds it waited."""
        self._find(call_id).unanswered(waited)

    def frames_sent(self, call_id: str, count: int) -> None:
        """Report 20 ms frames of agent speech that were played, fillers not included."""
        self._find(call_id).frames_sent(count)

    def underflow(self, call_id: str, count: int = 1, episodes: int | None = None) -> None:
        """Report 20 ms fillers, and in how many episodes they came (None: unknown)."""
        self._find(call_id).underflow(count, episodes)

    def fallback(self, call_id: str, reason: str = "") -> None:
        """Report a fall from streaming to playing a file."""
        self._find(call_id).fallback(reason)

    def barge_in(self, call_id: str, reaction: float | None = None) -> None:
        """Report an interruption: seconds until the agent was silent, None where not timed."""
        self._find(call_id).barge_in(reaction)

    def codec_alignment(self, call_id: str, aligned: bool, detail: str = "") -> None:
        """Report a check of the formats on both sides of the engine."""
        self._find(call_id).codec_alignment(aligned, detail)

    def audio_level(
        self,
        call_id: str,
        stage: str,
        rms: float,
        *,
        seconds: float = FRAME_SECONDS,
        at: float | None = None,
    ) -> None:
        """Report a 16-bit RMS that was measured elsewhere."""
        self._find(call_id).audio_level(stage, rms, seconds=seconds, at=at)

    def audio(
        self,
        call_id: str,
        stage: str,
        frame: bytes,
        *,
        encoding: str,
        sample_rate: int,
        at: float | None = None,
    ) -> None:
        """Report a raw frame of 10 to 60 ms: ulaw, alaw or slin16, 8000 to 48000 Hz."""
        self._find(call_id).audio(stage, frame, encoding=encoding, sample_rate=sample_rate, at=at)

    def audio_given(
        self, call_id: str, seconds: float, silent: float = 0.0, *, at: float | None = None
    ) -> None:
        """Report agent audio that the provider handed over, before any pacer."""
        self._find(call_id).audio_given(seconds, silent, at=at)

    def sound_given(
        self,
        call_id: str,
        sound: bytes,
        *,
        encoding: str,
        sample_rate: int,
        at: float | None = None,
    ) -> None:
        """Report agent audio that the provider handed over, as it is: what is silent is found."""
        self._find(call_id).sound_given(sound, encoding=encoding, sample_rate=sample_rate, at=at)

    def answer_complete(self, call_id: str, *, at: float | None = None) -> None:
        """Report that the provider has handed over all of its answer."""
        self._find(call_id).answer_complete(at=at)

    def answer_dropped(self, call_id: str) -> None:
        """Report that what the caller has not heard yet was thrown away, for they spoke."""
        self._find(call_id).answer_dropped()

    def answer_held(self, call_id: str) -> None:
        """Report that playing is held back, to see whether the caller really speaks."""
        self._find(call_id).answer_held()

    def answer_resumed(self, call_id: str) -> None:
        """Report that playing goes on where it was held back."""
        self._find(call_id).answer_resumed()

    def words_spoken(self, call_id: str, characters: int) -> None:
        """Report how much text the agent's audio holds: a number, never the words."""
        self._find(call_id).words_spoken(characters)

    def provider_lost(self, call_id: str) -> None:
        """Report that the provider is gone in mid-call: failed, unless it comes back."""
        self._find(call_id).provider_lost()

    def provider_back(self, call_id: str) -> None:
        """Report that the provider, or another one, serves the call again."""
        self._find(call_id).provider_back()

    def file_played(self, call_id: str) -> None:
        """Report a file that is played to the caller beside the agent's stream: no silence."""
        self._find(call_id).file_played()

    def clock_starts_late(self, call_id: str) -> None:
        """Report that the engine starts its clock of latencies late: it is said of told ones."""
        self._find(call_id).clock_starts_late()

    def packets_lost(self, call_id: str, lost: int, *, sent: int) -> None:
        """Report how many packets never reached the caller's phone so far, as its RTCP tells."""
        self._find(call_id).packets_lost(lost, sent=sent)

    def call_updated(
        self, call_id: str, provider: str | None = None, pipeline: str | None = None
    ) -> None:
        """Report the provider or the pipeline when they become known; None leaves it as it is."""
        self._find(call_id).call_updated(provider, pipeline)
