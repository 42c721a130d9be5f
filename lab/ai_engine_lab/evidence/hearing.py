"""What the library hears of each distorted sample, beside what it sounds like.

The frames go through the public API, sampled as by default. What comes out stands in a CSV file,
from which any policy can be judged without listening again.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from ai_engine_lab.evidence.csv_rows import read_rows
from ai_engine_lab.evidence.distortions import KINDS, Kind, Sent, sent
from ai_engine_lab.evidence.observing import QUICK_TURNS, STAGE
from ai_engine_lab.evidence.opinions import Opinions, opinions_of, read_opinions
from ai_engine_lab.evidence.talkers import FITTED, TALKERS, Talker, speech
from ai_engine_quality import CallScore, CallSummary, Policy, QualityMonitor, score

FRAME_SECONDS: Final = 0.02
_FACTS: Final = ("sample", "passage", "talker", "kind", "strength", "detail")
_COLUMNS: Final = (*_FACTS, "pesq", "visqol", "dnsmos", "summary")


@dataclass(frozen=True)
class HeardSample:
    """A distorted sample: what it is, how it sounds, and what the library heard of it."""

    sample: str
    passage: str
    talker: str
    kind: str
    strength: float
    detail: str
    opinions: Opinions
    summary: CallSummary

    @property
    def what(self) -> Kind:
        """Its kind of distortion."""
        return KINDS[self.kind]

    @property
    def fitted(self) -> bool:
        """Whether thresholds may be chosen by it: neither its voice nor its kind is held back."""
        return _SIDES[self.talker] == FITTED and not self.what.held_back

    @property
    def judged(self) -> bool:
        """Whether it judges: its voice is held back."""
        return _SIDES[self.talker] != FITTED

    @property
    def heard_as(self) -> float:
        """Mean of what both witnesses with the original say."""
        return (self.opinions.pesq + self.opinions.visqol) / 2

    def without_text(self) -> HeardSample:
        """Return the same sample, had nobody told how much text it holds."""
        return replace(self, summary=replace(self.summary, agent_characters=None))

    def scored(self, policy: Policy) -> CallScore:
        """Return the score of a call that sounds so, and in which nothing else is wrong."""
        return score(self.summary, policy)

    def points(self, policy: Policy) -> int:
        """Return the audio part of the score; 0 where such a call is not scored."""
        return self.scored(policy).score or 0


_SIDES: Final = {talker.name: talker.side for talker in TALKERS}


def listen(sample: Sent) -> CallSummary:
    """Return the summary of a call whose agent said just this, in quick turns."""
    frames, now = sample.frames(), 0.0
    quality = QualityMonitor(
        registry=CollectorRegistry(), log=False, per_call_series=False, clock=lambda: now
    )
    quality.call_started("heard")
    call = quality.call("heard")
    for seconds in QUICK_TURNS:
        call.turn_response(seconds)
    for frame in frames:
        call.audio(STAGE, frame, encoding=sample.encoding, sample_rate=sample.rate)
        now += FRAME_SECONDS
    call.frames_sent(len(frames))
    call.underflow(0)
    if sample.speech.characters is not None:
        call.words_spoken(sample.speech.characters)
    ended = call.call_ended(duration=len(frames) * FRAME_SECONDS)
    quality.close()
    if ended is None:
        raise RuntimeError(f"{sample.name} was lost")
    return ended.summary


def heard(talkers: Iterable[Talker], opinions: Mapping[str, Opinions]) -> Iterator[HeardSample]:
    """Yield every sample of which there are opinions."""
    for talker in talkers:
        for passage in speech(talker):
            for sample in sent(passage):
                if sample.name in opinions:
                    yield HeardSample(
                        sample.name,
                        passage.name,
                        talker.name,
                        sample.kind,
                        sample.strength,
                        sample.detail,
                        opinions[sample.name],
                        listen(sample),
                    )


def write_heard(path: Path, samples: Iterable[HeardSample]) -> None:
    """Write the samples, one row each."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for sample in samples:
            facts = [getattr(sample, name) for name in _FACTS]
            levels = sample.summary.to_dict()["audio"].get(STAGE, {})
            told = sample.summary.agent_characters
            voice = sample.summary.heard.agent_voice if sample.summary.heard else None
            about = {"duration": sample.summary.duration, "characters": told, "voice": voice}
            stored = {**_shortened(about), **_shortened(levels)}
            opinions = ("" if value is None else value for value in sample.opinions)
            rows.writerow((*facts, *opinions, json.dumps(stored, separators=(",", ":"))))


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items() if each is not None}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def read_heard(path: Path) -> list[HeardSample]:
    """Read the samples.

    Raises:
        ValueError: a column is missing, or is one too many.
    """
    return [_sample(row) for row in read_rows(path, _COLUMNS)]


def _sample(row: dict[str, str]) -> HeardSample:
    stored = json.loads(row["summary"])
    duration, told = stored.pop("duration"), stored.pop("characters", None)
    voice = stored.pop("voice", None)
    summary = CallSummary.from_dict(
        {
            "call_id": "heard",
            "duration": duration,
            "turn_latencies": list(QUICK_TURNS),
            "frames_sent": round(duration / FRAME_SECONDS),
            "underflows": 0,
            "agent_characters": told,
            "heard": {"agent_voice": voice},
            "audio": {STAGE: stored} if stored.get("frames") else {},
        }
    )
    return HeardSample(
        row["sample"],
        row["passage"],
        row["talker"],
        row["kind"],
        float(row["strength"]),
        row["detail"],
        opinions_of(row),
        summary,
    )


if __name__ == "__main__":
    write_heard(Path(sys.argv[2]), heard(TALKERS, read_opinions(Path(sys.argv[1]))))
