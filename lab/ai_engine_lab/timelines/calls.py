"""A generated call: what an ear is told of it, and what is true.

The two tracks are mixed from samples, so that the levels of speech, noise and echo are those of a
telephone. Truth is taken from the clean tracks alone, as they are heard at the caller's end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ai_engine_lab.timelines.conditions import Condition
from ai_engine_lab.timelines.script import Answer, Script, Words, Writer
from ai_engine_lab.timelines.voices import ACTIVE_LEVEL, NOISES, RATE, Samples

CHUNK_SECONDS: Final = 0.2
AHEAD_SECONDS: Final = 3.0
"""How much an engine that sends in bursts sends ahead."""
SILENT_RMS: Final = 30.0
_PHONE_SECONDS: Final = 0.22
"""A phone with silence suppression sends so long on after words, the frame itself included."""

_STARTED_AT: Final = 1000.0
_LEAST_OVERLAP: Final = 0.12

Mask = NDArray[np.bool_]
Observation = tuple[str, float, float, float]
"""(what, at, level or silent seconds, seconds)"""


@dataclass(slots=True)
class Truth:
    """What is true of a call. Seconds."""

    latencies: list[float] = field(default_factory=list)
    unanswered: list[float] = field(default_factory=list)
    reactions: list[float] = field(default_factory=list)
    holes: list[float] = field(default_factory=list)
    talk_overs: list[float] = field(default_factory=list)
    first_word: float = 0.0
    answers: int = 0
    cut: int = 0
    given: float = 0.0
    lost: float = 0.0
    caller_voice: float = 0.0


@dataclass(slots=True)
class Call:
    """What an ear is told, in the order in which it is told, and the truth."""

    condition: Condition
    seed: int
    started_at: float
    ended_at: float
    observations: list[Observation]
    truth: Truth


class _Studio:
    """Mixes the tracks of one script."""

    def __init__(self, script: Script, condition: Condition, chance: np.random.Generator) -> None:
        self.script, self.condition, self.chance = script, condition, chance
        self.n = int((script.seconds + 0.5) * RATE)
        self.agent = np.zeros(self.n)
        self.agent_active = np.zeros(self.n, dtype=np.bool_)
        self.sent = np.zeros(self.n, dtype=np.bool_)
        self.words = np.zeros(self.n)
        self.words_active = np.zeros(self.n, dtype=np.bool_)
        self.spans: dict[int, tuple[float, float]] = {}
        """First and last sound of each answer, by its identity."""
        self.given: list[Observation] = []
        self.truth = Truth()
        self.starved: set[int] = set()
        """Where holes begin and end, in samples: nothing is sent ahead across these."""
        self.flushed: list[tuple[float, Samples]] = []
        """When the engine let the far end throw away what, it having been sent early."""

    def framed(self, seconds: float) -> int:
        """Return the same in samples, in whole frames: an engine sends and leaves out frames."""
        size = int(self.condition.frame_seconds * RATE)
        return round(seconds * RATE / size) * size

    def play(self, answer: Answer) -> None:
        """Play an answer as the engine does, and note what the provider gives for it."""
        samples = answer.voice.samples
        active = _mask(answer.voice.active, len(samples))
        place, at, media = self.framed(answer.starts), 0, 0
        pieces: list[tuple[int, int, int]] = []  # (place in the call, from, to)
        for hole in answer.holes:
            stop = round(hole.after / CHUNK_SECONDS) * int(CHUNK_SECONDS * RATE)
            pieces.append((place + at, media, stop))
            at, media = at + stop - media + self.framed(hole.seconds), stop
        if answer.skipped:
            first, last = (self.framed(x) for x in answer.skipped)
            pieces.append((place + at, media, first))
            at, media = at + first - media, last
        pieces.append((place + at, media, len(samples)))
        stops = self.n if answer.stops is None else min(self.n, self.framed(answer.stops))
        for start, begin, end in pieces:
            count = max(0, min(end - begin, stops - start))
            self.agent[start : start + count] = samples[begin : begin + count]
            self.agent_active[start : start + count] = active[begin : begin + count]
            self.sent[start : start + count] = True
        for hole, (start, begin, end) in zip(answer.holes, pieces, strict=False):
            resumes = start + end - begin
            self.starved |= {resumes, resumes + self.framed(hole.seconds)}
            if hole.filled:
                self.sent[resumes : resumes + self.framed(hole.seconds)] = True
            self.truth.holes.append(self.framed(hole.seconds) / RATE)
        if answer.stops is not None:
            _, begin, _ = pieces[-1]
            gone = max(0, stops - pieces[-1][0]) + begin
            self.flushed.append((stops / RATE, samples[gone : gone + int(AHEAD_SECONDS * RATE)]))
        last = min(stops, pieces[-1][0] + pieces[-1][2] - pieces[-1][1])
        sounds = np.flatnonzero(self.agent_active[place:last])
        self.spans[id(answer)] = ((place + sounds[0]) / RATE, (place + sounds[-1]) / RATE)
        self._give(answer, samples)

    def _give(self, answer: Answer, samples: Samples) -> None:
        """Note the chunks in which the provider hands the answer over."""
        speed = 25.0 if self.condition.burst else float(self.chance.uniform(1.2, 8))
        barged = any(answer is other for _, other in self.script.barge_ins)
        cancelled = answer.stops is not None and (answer.kind == "cut" or barged)
        slips = [(hole.after, hole.seconds) for hole in answer.holes]
        at, last, given_to = answer.starts - 0.06, 0.0, 0.0
        paused = resumed = 0.0
        for begin in range(0, len(samples), int(CHUNK_SECONDS * RATE)):
            chunk = samples[begin : begin + int(CHUNK_SECONDS * RATE)]
            media = begin / RATE
            at = max(answer.starts - 0.06 + media / speed, last)
            held = sum(
                seconds for after, seconds in slips if media > after - CHUNK_SECONDS / 2 - 1e-6
            )
            if held != paused:
                paused, resumed = held, media
            if held:
                ahead = (media - resumed) * (1 - 1 / speed) if self.condition.burst else 0.0
                at = max(at, answer.starts + media + held - 0.03 - ahead)
            if cancelled and at > (answer.stops or 0.0):
                break
            self._chunk(at, chunk)
            last, given_to = at, media + len(chunk) / RATE
        else:
            if not (cancelled and answer.kind == "cut"):
                self.given.append(("answer_complete", last + 0.03, 0.0, 0.0))
        gone = answer.skipped
        if answer.kind == "cut" and answer.stops is not None:
            gone = (answer.stops - answer.starts, given_to)
        if gone and gone[1] > gone[0]:
            levels = _levels(samples[int(gone[0] * RATE) : int(gone[1] * RATE)], 160)
            self.truth.lost += float(np.sum(levels >= SILENT_RMS)) * 0.02

    def _chunk(self, at: float, chunk: Samples) -> None:
        seconds = len(chunk) / RATE
        silent = min(seconds, float(np.sum(_levels(chunk, 160) < SILENT_RMS)) * 0.02)
        self.given.append(("audio_given", at, silent, seconds))
        self.truth.given += seconds

    def speak(self, words: Words) -> None:
        """Let the caller speak."""
        place = int(words.starts * RATE)
        samples = words.voice.samples[: self.n - place]
        self.words[place : place + len(samples)] += samples * words.gain
        self.words_active[place : place + len(samples)] |= _mask(words.voice.active, len(samples))


def _mask(parts: tuple[tuple[float, float], ...], n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    for start, end in parts:
        mask[int(start * RATE) : int(end * RATE)] = True
    return mask


def _levels(samples: Samples, size: int) -> Samples:
    count = len(samples) // size
    if not count:
        return np.zeros(0)
    frames = samples[: count * size].reshape(count, size)
    levels: Samples = np.sqrt(np.mean(frames**2, axis=1))
    return levels


def generate(condition: Condition, seed: int, *, real: bool = True) -> Call:
    """Return a call under a condition; the same seed gives the same call."""
    chance = np.random.default_rng([seed, 19])
    writer = Writer(
        chance, late_greeting=condition.late_greeting, into_ends=condition.into_ends, real=real
    )
    script = writer.write()
    if condition.back_channels:
        writer.back_channels()
    if condition.quieter_db:
        writer.quieter(condition.quieter_db)
    studio = _Studio(script, condition, chance)
    for answer in script.answers:
        studio.play(answer)
    for words in script.words:
        studio.speak(words)
    _add_music(studio)
    _tell_truth(studio)
    _add_sounds(studio)
    observations = _observe(studio)
    return Call(
        condition, seed, _STARTED_AT, _STARTED_AT + studio.n / RATE + condition.jump,
        observations, studio.truth,
    )  # fmt: skip


def _tell_truth(studio: _Studio) -> None:
    script, truth, spans = studio.script, studio.truth, studio.spans
    for words, answer in script.waits:
        truth.latencies.append(spans[id(answer)][0] - (words.starts + words.voice.ends))
    for words, late in script.unanswered:
        end = studio.n / RATE if late is None else spans[id(late)][0]
        truth.unanswered.append(end - (words.starts + words.voice.ends))
    for words, answer in script.barge_ins:
        reaction = spans[id(answer)][1] - (words.starts + words.voice.starts)
        first = int((words.starts + words.voice.starts) * RATE)
        over = studio.agent_active[first : first + max(0, int(reaction * RATE))]
        if np.sum(over) >= _LEAST_OVERLAP * RATE:
            truth.reactions.append(reaction)
    for words in script.words:
        if words.kind == "talk_over":
            truth.talk_overs.append(words.voice.ends - words.voice.starts)
    truth.first_word = spans[id(script.answers[0])][0]
    truth.answers = len(script.answers)
    truth.cut = len(script.barge_ins) + sum(answer.kind == "cut" for answer in script.answers)
    truth.caller_voice = float(np.sum(studio.words_active)) / RATE


def _add_sounds(studio: _Studio) -> None:
    """Add what is no speech: noise, echo, breath, keys."""
    condition, chance, n = studio.condition, studio.chance, studio.n
    if condition.breath:
        for words in studio.script.words:
            _add_at(studio.words, words.starts - 0.55, chance.standard_normal(2400) * 60)
            after = words.starts + words.voice.seconds + 0.1
            _add_at(studio.words, after, chance.standard_normal(2000) * 60)
    if condition.dtmf:
        for answer in studio.script.answers[1:]:
            at = np.arange(int(0.1 * RATE)) / RATE
            tone = 3000 * (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1336 * at))
            _add_at(studio.words, answer.starts + 1.0, tone)
    idle = ~studio.sent
    if condition.comfort:
        studio.agent[idle] += chance.standard_normal(int(idle.sum())) * condition.comfort
        studio.sent[:] = True
    elif (
        chance.random() < 0.4 and not condition.burst
    ):  # engines that send silence while the agent says nothing
        studio.sent |= _between_answers(studio)
    studio.words += chance.standard_normal(n) * 4
    if condition.echo_db is not None:
        delay = int(chance.uniform(0.06, 0.2) * RATE)
        echo = studio.agent[: n - delay] * 10 ** (condition.echo_db / 20)
        studio.words[delay:] += echo
    if condition.noise:
        level = ACTIVE_LEVEL * studio.script.loudness * 10 ** (-condition.snr / 20)
        studio.words += NOISES[condition.noise](n, chance) * level


def _add_at(track: Samples, starts: float, sound: Samples) -> None:
    place = int(starts * RATE)
    if place >= 0:
        sound = sound[: max(0, len(track) - place)]
        track[place : place + len(sound)] += sound


def _add_music(studio: _Studio) -> None:
    """Let music play after the last answer: the caller is put on hold."""
    if not studio.condition.music:
        return
    first = int((studio.spans[id(studio.script.answers[-1])][1] + 2.5) * RATE)
    more = 12 * RATE
    n = studio.n + more
    for name in ("agent", "words"):
        setattr(studio, name, np.concatenate([getattr(studio, name), np.zeros(more)]))
    for name in ("agent_active", "sent", "words_active"):
        mask = np.concatenate([getattr(studio, name), np.zeros(more, dtype=np.bool_)])
        setattr(studio, name, mask)
    first = max(first, studio.n)
    at = np.arange(n - first) / RATE
    beat = 0.55 + 0.45 * np.sin(2 * np.pi * 2 * at)
    notes = sum(np.sin(2 * np.pi * f * at) for f in (262, 330, 392))
    studio.agent[first:] = 500 * beat * np.asarray(notes)
    studio.sent[first:] = True
    studio.truth.answers += 1
    studio.n = n
    studio.script.seconds += 12


def _between_answers(studio: _Studio) -> Mask:
    """Where no answer is, holes of frames that aren't sent included in the answers."""
    idle = np.ones(studio.n, dtype=np.bool_)
    for answer in studio.script.answers:
        held = sum(hole.seconds for hole in answer.holes)
        end = answer.starts + answer.voice.seconds + held
        idle[int(answer.starts * RATE) : int(end * RATE)] = False
    return idle


def _observe(studio: _Studio) -> list[Observation]:
    """Return what an ear is told, in the order in which it is told."""
    condition = studio.condition
    caller, agent = _caller_frames(studio), _agent_frames(studio)
    if condition.look_seconds:
        caller, agent = (_looks(track, condition.look_seconds) for track in (caller, agent))
    hints = studio.given if condition.hints else []
    told = sorted([*caller, *agent, *hints], key=lambda one: one[1])
    if condition.shuffled:
        keys = [one[1] + studio.chance.uniform(0, 0.3) for one in told]
        told = [told[place] for place in np.argsort(keys, kind="stable")]
    if condition.jump:
        jumps = studio.spans[id(studio.script.answers[0])][1] - 0.1
        told = [
            (what, at + (condition.jump if at >= jumps else 0.0), level, seconds)
            for what, at, level, seconds in told
        ]
    return [(what, at + _STARTED_AT, level, seconds) for what, at, level, seconds in told]


def _caller_frames(studio: _Studio) -> list[Observation]:
    condition, chance = studio.condition, studio.chance
    seconds = condition.frame_seconds
    size = int(seconds * RATE)
    levels = _levels(np.clip(studio.words, -32768, 32767), size)
    found: list[Observation] = []
    for place, level in enumerate(levels):
        at = (place + 1) * seconds + chance.uniform(0, 0.004)
        if chance.random() < condition.lost or (condition.suppressed and _silent(studio, at)):
            continue
        if chance.random() < condition.late:
            at += chance.uniform(0.02, 0.08)
        found.append(("caller", float(at), float(level), seconds))
        if chance.random() < condition.doubled:
            found.append(("caller", float(at) + 0.001, float(level), seconds))
    return found


def _silent(studio: _Studio, at: float) -> bool:
    """Return whether the caller has said nothing for so long that a phone sends no more."""
    words = studio.words_active[int(max(0.0, at - _PHONE_SECONDS) * RATE) : int(at * RATE)]
    return not words.any()


def _agent_frames(studio: _Studio) -> list[Observation]:
    """Return the agent's frames: a frame is sent where any of its audio is."""
    condition, chance = studio.condition, studio.chance
    seconds = condition.frame_seconds
    size = int(seconds * RATE)
    levels = _levels(np.clip(studio.agent, -32768, 32767), size)
    sent = studio.sent[: len(levels) * size].reshape(-1, size).mean(axis=1) >= 0.5
    found: list[Observation] = []
    burst_at, last = 0.0, -1
    for place in np.flatnonzero(sent):
        at = float(place * seconds + chance.uniform(0, 0.004))
        if condition.burst:
            anew = place != last + 1 or place * size in studio.starved
            burst_at = at if anew else max(burst_at + 0.001, at - AHEAD_SECONDS)
            last, at = int(place), burst_at
        found.append(("agent", at, float(levels[place]), seconds))
        if chance.random() < condition.doubled:
            found.append(("agent", at + 0.001, float(levels[place]), seconds))
    if condition.burst:
        found += _thrown_away(studio, size)
    return found


def _thrown_away(studio: _Studio, size: int) -> list[Observation]:
    """Return what was sent ahead when the engine stopped, and the order to throw it away."""
    found: list[Observation] = []
    for at, samples in studio.flushed:
        levels = _levels(samples, size)
        for place, level in enumerate(levels):
            sent = at - 0.001 * (len(levels) - place)
            found.append(("agent", sent, float(level), studio.condition.frame_seconds))
        found.append(("agent_flushed", at, 0.0, 0.0))
    return found


def _looks(track: list[Observation], apart: float) -> list[Observation]:
    """Return what a timer sees: the last frame's level, where one came since the last look."""
    found: list[Observation] = []
    due = apart
    last: Observation | None = None
    for one in track:
        while one[1] > due:
            if last is not None:
                found.append((last[0], due, last[2], apart))
            last, due = None, due + apart
        last = one
    return found
