"""Wrong speeds of voices whose text is known, which are quick and slow by their own settings too.

A voice that was told to talk quickly is healthy; one that is played at a wrong rate is not. What
the library hears of each stands in a CSV file, so that any policy can be judged without listening
again.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from ai_engine_lab.evidence.csv_rows import read_rows
from ai_engine_lab.evidence.distortions import KINDS, Sent
from ai_engine_lab.evidence.hearing import listen
from ai_engine_lab.evidence.observing import QUICK_TURNS, STAGE
from ai_engine_lab.evidence.talkers import (
    FITTED,
    JUDGED,
    PAUSE_SECONDS,
    SENTENCES,
    TALKERS,
    WIDE_RATE,
    Speech,
    Talker,
    levelled,
    recorded,
    said,
)
from ai_engine_quality import AgentSound, CallSummary, HeardCall, Policy, StageLevels

MORE: Final = (
    Talker("ked", "en", "m", FITTED, "festival", "ked_diphone"),
    Talker("ona", "ca", "f", JUDGED, "festival", "upc_ca_ona_hts"),
    Talker("krb", "cs", "m", JUDGED, "festival", "czech_krb"),
    Talker("ph", "cs", "m", FITTED, "festival", "czech_ph"),
    Talker("French, male", "fr", "m", FITTED, "espeak-ng", "fr-fr+m1"),
    Talker("Spanish, female", "es", "f", JUDGED, "espeak-ng", "es+f4"),
    Talker("Dutch, female", "nl", "f", FITTED, "espeak-ng", "nl+f1"),
    Talker("Polish, male", "pl", "m", JUDGED, "espeak-ng", "pl+m7"),
    Talker("Swedish, male", "sv", "m", FITTED, "espeak-ng", "sv+m4"),
    Talker("Turkish, female", "tr", "f", JUDGED, "espeak-ng", "tr+f5"),
    Talker("Italian, male", "it", "m", FITTED, "espeak-ng", "it+m2"),
    Talker("Czech, female", "cs", "f", JUDGED, "espeak-ng", "cs+f2"),
)
"""Voices beside those of ``TALKERS`` whose text is known."""

PROMPTS: Final = {
    "agent-alreadyon": 90,
    "agent-incorrect": 74,
    "auth-incorrect": 73,
    "conf-usermenu": 172,
    "demo-abouttotry": 238,
    "demo-congrats": 439,
    "demo-echotest": 337,
    "demo-nogo": 165,
    "dir-intro": 165,
    "pbx-invalid": 59,
    "pbx-invalidpark": 72,
    "privacy-unident": 69,
    "queue-periodic-announce": 138,
    "queue-youarenext": 89,
    "ss-noservice": 84,
    "tt-allbusy": 154,
}
"""How many characters the English prompts of 4 s and more hold, by Asterisk's list of them; a digit
counts for four."""

PACKAGES: Final = (
    "festvox-kdlpc16k",
    "festvox-ca-ona-hts",
    "festvox-czech-krb",
    "festvox-czech-ph",
)
"""What Debian calls them, beside those of ``talkers``."""

OWN_SPEEDS: Final = (0.75, 0.85, 1.0, 1.15, 1.3)
"""How quickly a healthy voice is told to talk."""

SPOILT: Final = (0.85, 1.0, 1.15)
"""Those of them that are also played at a wrong rate."""

FACTORS: Final = (0.5, 0.667, 1.5, 2.0)
SPANS: Final = ((0, 2), (0, 3), (3, 6), (0, 7))
"""Which sentences make a passage: about 6, 9, 9 and 25 s."""

_FRAME: Final = WIDE_RATE // 50
_RATES: Final = (8_000, 16_000, 24_000)
_ENCODINGS: Final = ("slin16", "ulaw", "alaw")
_HEARD: Final = ("speed", "lively", "upper", "pitch", "below", "fall")
"""What ``AgentSound`` has of them, under the same names."""

_COLUMNS: Final = (
    "talker",
    "own_speed",
    "passage",
    "factor",
    "format",
    "characters",
    "voice",
    "active",
    *_HEARD,
)


def known_talkers() -> tuple[Talker, ...]:
    """Return every voice whose text is known."""
    return (*(t for t in TALKERS if t.source != "prompts" or _is_listed(t)), *MORE)


def _is_listed(talker: Talker) -> bool:
    return talker.name == "Allison"


def own_speeds(talker: Talker) -> tuple[float, ...]:
    """Return the speeds at which a voice can be had: recordings have one, and so has HTS."""
    return (1.0,) if _is_listed(talker) or talker.voice.endswith("_hts") else OWN_SPEEDS


def passages_of(talker: Talker) -> int:
    """Return how many passages there are of a voice."""
    return len(PROMPTS) if _is_listed(talker) else len(SPANS)


@dataclass(frozen=True)
class PaceSample:
    """Speech of known text, at its own speed or at a wrong one, and what was heard of it."""

    talker: str
    own_speed: float
    """How quickly the voice was told to talk: 1 is its usual speed."""
    passage: int
    factor: float
    """1 is healthy; 1.5: played one and a half times too fast."""
    format: str
    characters: int
    voice: float
    """Seconds in which it was heard, short pauses included."""
    active: float
    """Seconds of speech."""
    speed: float | None
    lively: float | None
    upper: float | None
    pitch: float | None
    below: float | None
    fall: float | None

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.factor == 1.0

    @property
    def pace(self) -> float:
        """Characters a second."""
        return self.characters / self.voice

    @property
    def fitted(self) -> bool:
        """Whether thresholds may be chosen by it."""
        return _SIDES[self.talker] == FITTED

    @property
    def who(self) -> tuple[str, float]:
        """The voice, and how quickly it talks by its own settings: as a provider has them."""
        return self.talker, self.own_speed

    def summary(self, **more: Any) -> CallSummary:
        """Return a call in which this was all that the agent said, and nothing else was wrong."""
        frames = round(self.active / 0.02)
        sound = AgentSound(
            checked=100,
            noise=0.0,
            wavers=9.0,
            clicks=0.0,
            edges=0.0,
            **{name: getattr(self, name) for name in _HEARD},
        )
        levels = StageLevels(
            frames=max(frames, round(self.voice / 0.02)), active=frames, rms=2_600.0, sound=sound
        )
        return CallSummary(
            call_id="pace",
            duration=60.0,
            turn_latencies=QUICK_TURNS,
            frames_sent=frames,
            underflows=0,
            agent_characters=self.characters,
            heard=HeardCall(agent_voice=self.voice),
            audio={STAGE: levels},
            **more,
        )


_SIDES: Final = {talker.name: talker.side for talker in known_talkers()}


def beside_the_usual(
    samples: Iterable[PaceSample], policy: Policy
) -> Iterator[tuple[PaceSample, CallSummary]]:
    """Yield each sample, and its call with what is usual for its voice at its own speed.

    A voice that is beyond the limits for all voices has nothing usual: each of its calls is held.
    """
    every = list(samples)
    healthy = healthy_by_voice(every)
    for sample in every:
        pace, speed = usual_for(sample, healthy[sample.who])
        known = policy.sound.slow <= pace <= policy.sound.fast
        usual = {"usual_pace": pace, "usual_speed": speed} if known else {}
        yield sample, sample.summary(**usual)


def healthy_by_voice(
    samples: Iterable[PaceSample],
) -> dict[tuple[str, float], list[PaceSample]]:
    """Return the healthy samples of each voice at each of its own speeds."""
    found: dict[tuple[str, float], list[PaceSample]] = {}
    for sample in samples:
        if sample.healthy:
            found.setdefault(sample.who, []).append(sample)
    return found


def usual_for(sample: PaceSample, healthy: Iterable[PaceSample]) -> tuple[float, float | None]:
    """Return the median pace and seeming speed of healthy samples, of others than itself."""
    others = [other for other in healthy if other is not sample]
    speeds = [other.speed for other in others if other.speed is not None]
    return median(other.pace for other in others), median(speeds) if speeds else None


def speech_of(talker: Talker, own_speed: float, passage: int) -> Speech:
    """Return a passage of a voice that was told to talk at a speed."""
    pause = np.zeros(round(PAUSE_SECONDS * WIDE_RATE))
    if _is_listed(talker):
        prompt, characters = list(PROMPTS.items())[passage]
        parts = [recorded(talker, prompt), pause]
    else:
        texts = SENTENCES[talker.language][slice(*SPANS[passage])]
        parts = [part for text in texts for part in (said(talker, text, own_speed), pause)]
        characters = sum(map(len, texts))
    joined = np.concatenate(parts)
    joined = levelled(joined[: len(joined) // _FRAME * _FRAME], WIDE_RATE)
    name = f"{talker.name} at {own_speed:g}, {passage}"
    return Speech(name, talker, joined, WIDE_RATE, characters)


def measured(talker: Talker) -> Iterator[PaceSample]:
    """Yield what is heard of a voice at each of its speeds, as it is and at wrong rates."""
    turn = 0
    for own_speed in own_speeds(talker):
        for passage in range(passages_of(talker)):
            speech = speech_of(talker, own_speed, passage)
            for factor in (1.0, *(FACTORS if own_speed in SPOILT else ())):
                turn += 1
                yield _heard(speech, own_speed, passage, factor, turn)


def _heard(speech: Speech, own_speed: float, passage: int, factor: float, turn: int) -> PaceSample:
    rate = _RATES[turn % 3]
    encoding = _ENCODINGS[turn // 3 % 3] if rate == 8_000 else "slin16"
    samples = speech.at(rate)
    if factor != 1.0:
        samples = KINDS["rate"].distort(samples, rate, factor, np.random.default_rng(0))
    sent = Sent(speech, "rate", factor, rate, encoding, samples)
    summary = listen(sent)
    levels = summary.audio[STAGE]
    sound, ear = levels.sound, summary.heard
    if sound is None or ear is None or ear.agent_voice is None:
        raise RuntimeError(f"{speech.name} was not heard")
    return PaceSample(
        speech.talker.name,
        own_speed,
        passage,
        factor,
        f"{encoding} at {rate // 1000} kHz",
        speech.characters or 0,
        ear.agent_voice,
        round(levels.speech_seconds, 2),
        *(getattr(sound, name) for name in _HEARD),
    )


def write_paces(path: Path, samples: Iterable[PaceSample]) -> None:
    """Write the samples, one row each."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for sample in samples:
            values = (getattr(sample, name) for name in _COLUMNS)
            rows.writerow("" if value is None else value for value in values)


def read_paces(path: Path) -> list[PaceSample]:
    """Read the samples.

    Raises:
        ValueError: a column is missing, or is one too many.
    """
    return [_sample(row) for row in read_rows(path, _COLUMNS)]


def _sample(row: dict[str, str]) -> PaceSample:
    return PaceSample(
        row["talker"],
        float(row["own_speed"]),
        int(row["passage"]),
        float(row["factor"]),
        row["format"],
        int(row["characters"]),
        float(row["voice"]),
        float(row["active"]),
        *(float(row[name]) if row[name] else None for name in _HEARD),
    )


def main(arguments: Sequence[str]) -> None:
    """Measure every voice."""
    write_paces(Path(arguments[0]), (s for talker in known_talkers() for s in measured(talker)))


if __name__ == "__main__":
    main(sys.argv[1:])
