"""One live call: observations go in, a frozen ``CallSummary`` comes out. Pure.

Takes only values that ``observations`` has checked. Memory is bounded however many arrive:
see ``distribution``.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, NamedTuple

from ai_engine_quality.core.agent_sound import LOUD_SHARE, FrameCheck, SoundAccumulator
from ai_engine_quality.core.distribution import BoundedValues, Distribution
from ai_engine_quality.core.ear import Ear, Heard
from ai_engine_quality.core.observations import (
    ACTIVE_RMS,
    FRAME_SECONDS,
    TRANSPORT_IN,
    TRANSPORT_OUT,
    DropReason,
    Rejected,
    is_agent_stage,
)
from ai_engine_quality.core.summary import CallSummary, HeardCall, StageLevels, TurnStage

GROUP_FRAMES = 50
"""Active frames whose common level is one value of the spread: a second of speech, or more."""

MIN_GROUPS = 4
"""Levels below which there is no spread."""

MIN_NOISE_FRAMES = 20
"""Active frames below which a median flatness says nothing."""

NOISE_VALUES = 64
"""Flatness values kept exactly per stage; a median needs no exact tail."""

MAX_STAGES = 8
MAX_REASONS = 8
MAX_DROPPED = 16


MAX_TOLD_STAGES = 1024
"""Stages of turns that are remembered until the call's end."""

SLOWEST_TURNS = 3
"""Turns whose stages are kept."""

STAGE_MARGIN_SECONDS = 0.5
"""An engine may tell so much later, or earlier, than an answer begins, what it took."""


class ToldStage(NamedTuple):
    """What the engine told of a turn."""

    at: float
    """When its answer began, in monotonic seconds."""
    turns: int
    """How many turns the engine had told of by then."""
    stage: str
    seconds: float
    provider: str | None


class FrameFormat(NamedTuple):
    """How the bytes of a raw frame are read."""

    encoding: str
    """``ulaw``, ``alaw`` or ``slin16`` (little-endian signed 16-bit, whatever the rate)."""
    sample_rate: int
    length: int
    """Bytes."""

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample."""
        return 2 if self.encoding == "slin16" else 1

    @property
    def samples(self) -> int:
        """Samples in a frame."""
        return self.length // self.sample_bytes

    @property
    def seconds(self) -> float:
        """Seconds in a frame."""
        return self.samples / self.sample_rate


@dataclass(slots=True, eq=False, repr=False, kw_only=True)
class StageAccumulator:
    """Levels of one call at one stage, measured frame by frame."""

    agent: bool
    """Whether the agent's own audio passes here."""
    started: float = 0.0
    """Monotonic seconds at the start of the call."""
    encoding: object = None
    """As given with the last raw frame that was found valid; so are its rate and length."""
    sample_rate: object = None
    length: int = -1
    format: FrameFormat | None = None
    """How that frame is read."""
    stands_for: float = FRAME_SECONDS
    """Seconds of audio for which the level of a raw frame counts."""
    thinned: bool = False
    """Whether only some of the raw frames are measured."""
    skip: int = 0
    """Where they are: those that pass unmeasured before the next one that is."""
    taken: int = 0
    """Where in the sampler's pattern the next frame to be taken is; likewise."""
    pattern: tuple[Any, ...] = ()
    """The sampler's: which frames of the format are measured."""
    step: int = 0
    """Where in that pattern the next frame to be measured is: one that was taken."""
    ear: Ear | None = None
    """Hears the stage of each side that is nearest to the caller; others have none."""
    frames: int = 0
    active: int = 0
    active_seconds: float = 0.0
    still: bool = False
    """Whether the agent's raw frames are digital silence, and have been for a while."""
    still_frames: int = 0
    """How many more of them came since, and are still to be counted."""
    last: bytes = b""
    """The last raw frame, where each of them is seen: what comes next is compared with it."""
    sound: SoundAccumulator | None = None
    """What the agent sounds like; made with its first raw frame."""
    piece: FrameFormat | None = None
    """The format of what is looked into of each frame."""
    check_stands_for: float = FRAME_SECONDS
    """Seconds of audio for which one check of a frame counts."""
    played: float = 0.0
    """Seconds of the agent's raw frames so far."""
    _energy: float = 0.0
    _group_energy: float = 0.0
    _groups: BoundedValues = field(default_factory=BoundedValues)
    _noise_n: int = 0
    _noise_energy: float = 0.0
    _clipped: float = 0.0
    _dc: float = 0.0
    _flatness: BoundedValues | None = None

    def add_level(self, rms: float, seconds: float, at: float | None = None) -> None:
        """Take a measured frame.

        Args:
            rms: Its level.
            seconds: How much audio it stands for.
            at: When it crossed the engine's edge, in monotonic seconds; None: unknown.
        """
        self.frames += 1
        if at is not None and self.ear is not None:
            if self.agent:
                self.ear.agent(at, rms, seconds)
            else:
                self.ear.caller(at, rms, seconds)
        if rms >= ACTIVE_RMS:
            self.add_active(rms, seconds)

    def add_active(self, rms: float, seconds: float) -> None:
        """Count an active frame in the levels; ``add_level`` does so of itself."""
        energy = rms * rms
        self.active += 1
        self.active_seconds += seconds
        self._energy += energy
        self._group_energy += energy
        if not self.active % GROUP_FRAMES:
            self._groups.add(math.sqrt(self._group_energy / GROUP_FRAMES))
            self._group_energy = 0.0

    def hear_jump(self, rms: float) -> None:
        """Take the step to an agent's frame from the one before, far sharper than those within.

        Args:
            rms: The frame's level.
        """
        if self.sound is not None and rms >= max(ACTIVE_RMS, LOUD_SHARE * self.level_so_far):
            self.sound.jumps += 1

    @property
    def level_so_far(self) -> float:
        """Energy-mean RMS of the active frames; 0 where there are none."""
        return math.sqrt(self._energy / self.active) if self.active else 0.0

    def add_check(
        self, rms: float, found: FrameCheck, at: float | None = None, *, for_noise: bool = True
    ) -> None:
        """Take what is wrong with an active frame.

        Args:
            rms: Its level.
            found: What was measured.
            at: Its time in seconds from the start of the call; None: unknown.
            for_noise: Whether it is one of those by which a whole track is told from noise.
        """
        if for_noise:
            self.add_noise_check(rms, found.flatness, found.clipped, found.dc)
        if self.agent:
            if self.sound is None:
                self.sound = SoundAccumulator()
            moment = self.played if at is None else at
            self.sound.check(found, rms, self.level_so_far, moment, self.check_stands_for)

    def add_noise_check(self, rms: float, flatness: float, clipped: float, dc: float) -> None:
        """Take one of the active frames by which a whole track is told from noise.

        Args:
            rms: Its level.
            flatness: Its spectral flatness, 0 to 1.
            clipped: Its share of samples at full scale.
            dc: Their mean.
        """
        if self._flatness is None:
            self._flatness = BoundedValues(NOISE_VALUES)
        self._flatness.add(flatness)
        self._noise_n += 1
        self._noise_energy += rms * rms
        self._clipped += clipped
        self._dc += dc

    def freeze(self) -> StageLevels:
        """Return what was measured so far, without digits that say nothing."""
        n = self._noise_n
        return StageLevels(
            frames=self.frames,
            active=self.active,
            rms=_rounded(math.sqrt(self._energy / self.active) if self.active else None, 3),
            spread_db=_rounded(self._spread(), 6),
            clipped=_rounded(self._clipped / n if n else None, 6),
            dc=_rounded(self._dc / n if n else None, 3),
            flatness=_rounded(self._median_flatness(), 6),
            active_seconds=round(self.active_seconds, 6),
            noise_rms=_rounded(math.sqrt(self._noise_energy / n) if n else None, 3),
            sound=None
            if self.sound is None
            else self.sound.freeze(self.level_so_far, self.check_stands_for),
        )

    def _spread(self) -> float | None:
        """Return the inter-quartile range of the group levels in dB."""
        levels = self._groups.freeze()
        if levels.n < MIN_GROUPS:
            return None
        return levels.percentile(75, _decibels) - levels.percentile(25, _decibels)

    def _median_flatness(self) -> float | None:
        if self._flatness is None or self._noise_n < MIN_NOISE_FRAMES:
            return None
        return min(1.0, self._flatness.freeze().percentile(50))


@dataclass(slots=True, eq=False, repr=False)
class CallAccumulator:
    """Everything observed of one call so far."""

    call_id: str
    _: KW_ONLY
    started: float = 0.0
    """Monotonic seconds at the start."""
    started_at: float | None = None
    """Unix seconds at the start."""
    provider: str | None = None
    pipeline: str | None = None
    turns: BoundedValues = field(default_factory=BoundedValues)
    _worst_turns: list[tuple[int, float]] | None = None
    frames_sent: int | None = None
    underflows: int | None = None
    _known_episodes: int | None = None
    _fillers_of_known_episodes: int = 0
    fallbacks: int | None = None
    fallback_reasons: dict[str, int] | None = None
    barge_ins: int | None = None
    reactions: BoundedValues | None = None
    waits: BoundedValues | None = None
    codec_checks: int | None = None
    codec_misaligned: int = 0
    codec_details: dict[str, int] | None = None
    stages: dict[str, StageAccumulator] | None = None
    ear: Ear | None = None
    """Made with the first stage: a call whose audio nobody sees has none."""
    characters: int | None = None
    files_played: int | None = None
    packets: tuple[int, int] | None = None
    """Sent to the caller's phone, and those of them that were lost; of the call so far."""
    clock_starts_late: bool = False
    """Whether the engine is known to start its clock of latencies late."""
    dropped: dict[str, int] | None = None
    """What was reported and dropped for being wrong, ``turn:out_of_range`` to how often: it says
    why there is no score, and is no part of what was observed."""
    told_stages: list[ToldStage] | None = None
    _lost_at: float | None = None
    _turns_when_lost: int = 0

    def turn_response(self, seconds: float) -> None:
        """Take a turn's latency."""
        if not self.turns.has_room:
            # The list is about to lose the turns' order: remember now which the slowest were.
            worst = self._worst_turns or list(enumerate(self.turns.exact, start=1))
            worst.append((self.turns.n + 1, seconds))
            worst.sort(key=lambda turn: -turn[1])  # stable: of equally slow turns the earlier first
            self._worst_turns = worst[:3]
        self.turns.add(seconds)

    def turn_stage(self, stage: str, seconds: float, provider: str | None, at: float) -> None:
        """Take where some of a turn's time went."""
        if self.told_stages is None:
            self.told_stages = []
        if len(self.told_stages) < MAX_TOLD_STAGES:
            told = ToldStage(at, self.turns.n, stage, seconds, provider)
            self.told_stages.append(told)

    def unanswered(self, waited: float) -> None:
        """Take a turn that never got a reply."""
        if self.waits is None:
            self.waits = BoundedValues()
        self.waits.add(waited)

    def add_frames_sent(self, count: int) -> None:
        """Take frames of agent speech that were played."""
        self.frames_sent = count + (self.frames_sent or 0)

    def underflow(self, count: int, episodes: int | None) -> None:
        """Take fillers, in so many episodes; each filler of unknown ones counts as an episode."""
        if episodes is not None and episodes > count:
            raise Rejected(DropReason.OUT_OF_RANGE)
        self.underflows = count + (self.underflows or 0)
        if episodes is not None:
            self._known_episodes = episodes + (self._known_episodes or 0)
            self._fillers_of_known_episodes += count

    def fallback(self, reason: str) -> None:
        """Take a fall from streaming to playing a file."""
        self.fallbacks = 1 + (self.fallbacks or 0)
        if self.fallback_reasons is None:
            self.fallback_reasons = {}
        _count_reason(self.fallback_reasons, reason)

    def barge_in(self, reaction: float | None) -> None:
        """Take an interruption by the caller, and the time until the agent was silent."""
        self.barge_ins = 1 + (self.barge_ins or 0)
        if reaction is not None:
            if self.reactions is None:
                self.reactions = BoundedValues()
            self.reactions.add(reaction)

    def provider_lost(self, at: float) -> None:
        """Take note that the provider is gone, in mid-call."""
        if self._lost_at is None:
            self._lost_at, self._turns_when_lost = at, self.turns.n

    def provider_back(self) -> None:
        """Take note that the provider, or another one, serves the call again."""
        self._lost_at = None

    def file_played(self) -> None:
        """Take a file that is played to the caller beside the agent's stream."""
        self.files_played = 1 + (self.files_played or 0)

    def packets_lost(self, lost: int, sent: int) -> None:
        """Take what the caller's phone has lost so far: of two reports, the one of more packets."""
        if lost > sent:
            raise Rejected(DropReason.OUT_OF_RANGE)
        self.packets = max(self.packets or (0, 0), (sent, lost))

    def drop(self, what: str, reason: DropReason) -> None:
        """Take note that something was reported and is not believed."""
        self.dropped = {} if self.dropped is None else self.dropped
        key = f"{what}:{reason.value}"
        if key in self.dropped or len(self.dropped) < MAX_DROPPED:
            self.dropped[key] = 1 + self.dropped.get(key, 0)

    def codec_alignment(self, aligned: bool, detail: str) -> None:
        """Take the result of a check of formats."""
        self.codec_checks = 1 + (self.codec_checks or 0)
        if not aligned:
            self.codec_misaligned += 1
            if detail:
                self.codec_details = {} if self.codec_details is None else self.codec_details
                _count_reason(self.codec_details, detail)

    def stage(self, name: str) -> StageAccumulator:
        """Return the accumulator of a stage, made on first use."""
        if self.stages is None:
            self.stages = {}
        found = self.stages.get(name)
        if found is None:
            if len(self.stages) >= MAX_STAGES:
                raise Rejected(DropReason.TOO_MANY_STAGES)
            found = self.stages[name] = StageAccumulator(
                agent=is_agent_stage(name), started=self.started
            )
            self._listen_at(name, found)
        return found

    def _listen_at(self, name: str, stage: StageAccumulator) -> None:
        """Let the ear hear a new stage, if none of its side is nearer to the caller."""
        self.ear = self.ear or Ear(self.started)
        nearest = name == TRANSPORT_IN or name.startswith(TRANSPORT_OUT)
        others = [
            other
            for other in (self.stages or {}).values()
            if other is not stage and other.agent is stage.agent and other.ear is not None
        ]
        if others and not nearest:
            return
        stage.ear = self.ear
        for other in others:
            kinds_of_one = self.stages is not None and other in self._sent()
            if not (stage.agent and kinds_of_one):
                other.ear = None

    def _sent(self) -> list[StageAccumulator]:
        """Return the agent's stages at the engine's edge: each kind of playback has its own."""
        stages = self.stages or {}
        return [stage for name, stage in stages.items() if name.startswith(TRANSPORT_OUT)]

    def audio_level(
        self, stage: str, rms: float, seconds: float = FRAME_SECONDS, at: float | None = None
    ) -> None:
        """Take a level that was measured elsewhere."""
        self.stage(stage).add_level(rms, seconds, at)

    # What only who hands the audio over can tell; without it a hole looks like a pause.

    def audio_given(self, at: float, seconds: float, silent: float) -> None:
        """Take note of agent audio that the provider handed over, before any pacer."""
        self.ear = self.ear or Ear(self.started)
        self.ear.audio_given(at, seconds, silent)
        if self._lost_at is not None and at > self._lost_at:
            self.provider_back()

    def answer_complete(self, at: float) -> None:
        """Take note that the provider has handed over all of its answer."""
        if self.ear is not None:
            self.ear.answer_complete(at)

    def answer_dropped(self, at: float) -> None:
        """Take note that what was not heard yet of the answers was thrown away."""
        if self.ear is not None:
            self.ear.agent_flushed(at)

    def answer_held(self, at: float) -> None:
        """Take note that playing is held back, to see whether the caller speaks."""
        if self.ear is not None:
            self.ear.agent_held(at)

    def answer_resumed(self, at: float) -> None:
        """Take note that playing goes on."""
        if self.ear is not None:
            self.ear.agent_resumed(at)

    def words_spoken(self, characters: int) -> None:
        """Take how much text the agent's audio holds."""
        self.characters = characters + (self.characters or 0)

    def progress(self) -> tuple[object, ...]:
        """Return what changes whenever something more was observed."""
        return (
            self.turns.n,
            self.waits.n if self.waits else 0,
            self.frames_sent,
            self.underflows,
            self._known_episodes,
            self.fallbacks,
            self.barge_ins,
            self.codec_checks,
            sum(stage.frames for stage in self.stages.values()) if self.stages else 0,
        )

    def freeze(
        self,
        *,
        duration: float | None,
        now: float | None = None,
        outcome: str | None = None,
        failed: bool = False,
        last: bool = False,
    ) -> CallSummary:
        """Return what was observed so far as a summary: as heard where the call could be heard.

        Args:
            duration: Seconds that the call lasted, or has lasted so far.
            now: Monotonic seconds; None: as far from the start as the duration says.
            outcome: What the engine calls the end.
            failed: Whether the engine says that the call failed.
            last: Whether the call is over, and nothing more will be observed: it takes less.
        """
        told = self._told(duration=duration, outcome=outcome, failed=failed)
        if self.ear is None or not self.stages:
            return self._with_causes(CallSummary(**told), ())
        until = self.started + (duration or 0.0) if now is None else now
        heard = self.ear.finish(until) if last else self.ear.freeze(until)
        return self._with_causes(CallSummary(**_as_heard(told, heard)), heard.answered_at)

    def _with_causes(self, summary: CallSummary, answered_at: tuple[float, ...]) -> CallSummary:
        """Return a summary with the stages of its slowest turns, where they were told."""
        if not self.told_stages:
            return summary
        found: dict[tuple[int, str], TurnStage] = {}
        for turn, seconds in summary.slowest_turns(SLOWEST_TURNS):
            for told in self._told_of(turn, seconds, answered_at, summary.is_heard("latency")):
                key = turn, told.stage
                before = found[key].seconds if key in found else 0.0
                total = round(before + told.seconds, 3)
                found[key] = TurnStage(turn, told.stage, total, told.provider)
        return replace(summary, turn_stages=tuple(found.values()) or None)

    def _told_of(
        self, turn: int, seconds: float, answered_at: tuple[float, ...], heard: bool
    ) -> list[ToldStage]:
        """Return what was told of a turn: of a heard one by its time, else by its number."""
        told = self.told_stages or []
        if not heard:
            return [each for each in told if each.turns == turn]
        if turn > len(answered_at):
            return []
        answered = answered_at[turn - 1]
        earliest = answered - seconds
        if turn > 1:  # what was told of the answer before is that one's
            earliest = max(earliest, answered_at[turn - 2] + STAGE_MARGIN_SECONDS)
        latest = answered + STAGE_MARGIN_SECONDS
        return [each for each in told if earliest <= each.at <= latest]

    def _told(self, **how: Any) -> dict[str, Any]:
        """Return a summary's fields as the engine told them."""
        values = {
            "turn_latencies": self.turns,
            "barge_in_reactions": self.reactions,
            "unanswered": self.waits,
        }
        exact = {name: tuple(kept.exact) if kept else None for name, kept in values.items()}
        return {
            **how,
            "call_id": self.call_id,
            "provider": self.provider,
            "pipeline": self.pipeline,
            "started_at": self.started_at,
            "turn_count": self.turns.n or None,
            "frames_sent": self.frames_sent,
            "underflows": self.underflows,
            "underflow_episodes": self._episodes(),
            "fallbacks": self.fallbacks,
            "barge_ins": self.barge_ins,
            **exact,
            "codec_checks": self.codec_checks,
            "codec_misaligned": None if self.codec_checks is None else self.codec_misaligned,
            "audio": {
                name: stage.freeze() for name, stage in (self.stages or {}).items() if stage.frames
            },
            "binned": {name: kept.bins for name, kept in values.items() if kept and kept.bins},
            "worst_turns": None if self._worst_turns is None else tuple(self._worst_turns),
            "fallback_reasons": dict(self.fallback_reasons or {}),
            "codec_details": dict(self.codec_details or {}),
            "agent_characters": self.characters,
            "provider_lost": self._lost_at is not None and self.turns.n == self._turns_when_lost,
            "files_played": self.files_played,
            "clock_starts_late": self.clock_starts_late,
            "packets_sent": self.packets[0] if self.packets else None,
            "packets_lost": self.packets[1] if self.packets else None,
        }

    def _episodes(self) -> int | None:
        """Return in how many episodes the fillers came; None where no report said so."""
        if self._known_episodes is None or self.underflows is None:
            return None
        return self._known_episodes + self.underflows - self._fillers_of_known_episodes


def _as_heard(told: dict[str, Any], heard: Heard) -> dict[str, Any]:
    """Return a summary's fields with what was heard in the place of what was told."""
    fields = dict(told)
    factors = []
    values: dict[str, Distribution | None] = {}
    if heard.latencies is not None and heard.caller_voice:
        factors.append("latency")
        values = {"turn_latencies": heard.latencies, "unanswered": heard.unanswered}
        fields["worst_turns"] = None
        fields["turn_count"] = heard.latencies.n or None
        timed = heard.reactions.n if heard.reactions else 0
        if heard.holes_known or timed:
            factors.append("barge_in")
            values["barge_in_reactions"] = heard.reactions
            # Without hints not every stop is heard for one: what is told of others still counts.
            others = 0 if heard.holes_known else told["barge_ins"] or 0
            fields["barge_ins"] = max(timed, others)
    for name, found in values.items():
        fields[name] = tuple(round(value, 3) for value in found.exact) if found else None
        fields["binned"] = {key: bins for key, bins in fields["binned"].items() if key != name}
        if found and found.others:
            fields["binned"][name] = found.bins()
    if heard.hole_seconds is not None and heard.holes_known:
        factors.append("underflow")
        fields["underflows"] = round(heard.hole_seconds / FRAME_SECONDS)
        fields["underflow_episodes"] = heard.holes
        spoken = (heard.agent_voice or 0.0) - heard.hole_seconds
        fields["frames_sent"] = round(max(0.0, spoken) / FRAME_SECONDS)
    fields["heard"] = HeardCall.of(heard, tuple(factors), told)
    return fields


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _decibels(rms: float) -> float:
    return 20 * math.log10(rms)


def _count_reason(counts: dict[str, int], reason: str) -> None:
    """Count a reason, in a bounded number of kinds."""
    key = reason if reason in counts or len(counts) < MAX_REASONS - 1 else "other"
    counts[key] = counts.get(key, 0) + 1
