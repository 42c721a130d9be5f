"""What the agent sounds like: the tables of docs/Evidence.md, made from the heard samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Final

from ai_engine_lab.basics.ranks import spearman
from ai_engine_lab.evidence.correlation import correlation
from ai_engine_lab.evidence.corrupt_minutes import FAULTS, HeardMinute, read
from ai_engine_lab.evidence.distortions import KINDS
from ai_engine_lab.evidence.hearing import HeardSample, read_heard
from ai_engine_lab.evidence.knees import rating
from ai_engine_lab.evidence.packet_losses import SHARES, LossySample, e_model
from ai_engine_lab.evidence.packet_losses import read as read_losses
from ai_engine_lab.evidence.talkers import TALKERS

from ai_engine_quality import Policy
from handbook.marks import table

_DATA: Final = Path(__file__).parent.parent.parent / "docs" / "data"
SAMPLES: Final = _DATA / "heard-samples.csv"
MINUTES: Final = _DATA / "corrupt-minutes.csv"
LOSSES: Final = _DATA / "packet-losses.csv"

BAD: Final = 2.2
GOOD: Final = 3.8
EXCELLENT: Final = 90
POOR: Final = 60
CLEAN: Final = 98
"""PESQ under which a sample is bad, over which it is good; and what the score calls them."""


@functools.cache
def heard_samples() -> tuple[HeardSample, ...]:
    """Return the samples that are committed."""
    return tuple(read_heard(SAMPLES))


def parts(before: Policy, now: Policy) -> dict[str, str]:
    """Return the section's generated parts, by their marks."""
    samples = heard_samples()
    return {
        "sound-talkers": _talkers(samples),
        "sound-headline": _headline(samples, now),
        "sound-correlations": _correlations(samples, before, now),
        "sound-kinds": _kinds(samples, before, now),
        "sound-speeds": _speeds(samples, now),
        "sound-clean": _clean(samples, now),
        "sound-minutes": _minutes(read(MINUTES)),
        "packet-losses": _losses(read_losses(LOSSES), now),
    }


def judged(samples: Sequence[HeardSample]) -> list[HeardSample]:
    """Return the samples of held-back voices whose fault leaves a trace."""
    return [s for s in samples if s.judged and s.what.traced]


def held_back(samples: Sequence[HeardSample]) -> list[HeardSample]:
    """Return those of held-back kinds, and the clean ones beside them."""
    return [s for s in judged(samples) if s.what.held_back or s.kind == "clean"]


def _groups(samples: Sequence[HeardSample]) -> dict[str, list[HeardSample]]:
    return {
        "held-back voices, kinds that leave a trace": judged(samples),
        "held-back voices, held-back kinds": held_back(samples),
        "held-back voices, all kinds": [s for s in samples if s.judged],
        "fitted voices, kinds that leave a trace": [
            s for s in samples if not s.judged and s.what.traced
        ],
    }


def bound(samples: Sequence[HeardSample]) -> float:
    """Return the rank correlation that no score can exceed with both witnesses at once."""
    pesq = [s.opinions.pesq for s in samples]
    visqol = [s.opinions.visqol for s in samples]
    return math.sqrt((1 + spearman(pesq, visqol)) / 2)


def lies(samples: Sequence[HeardSample], policy: Policy) -> tuple[int, int]:
    """Return how many of the bad samples are called excellent, and how many those are."""
    bad = [s for s in samples if s.opinions.pesq < BAD]
    return sum(s.points(policy) >= EXCELLENT for s in bad), len(bad)


def harsh(samples: Sequence[HeardSample], policy: Policy) -> tuple[int, int]:
    """Return how many of the good samples are called poor, and how many those are."""
    good = [s for s in samples if s.opinions.pesq > GOOD]
    return sum(s.points(policy) < POOR for s in good), len(good)


def _with_interval(
    points: Sequence[float], opinions: Sequence[float], passages: Sequence[str]
) -> str:
    """Return a correlation in words; none where every score is the same."""
    if len(set(points)) == 1:
        return "none"
    found = correlation(points, opinions, passages)
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _of(found: tuple[int, int]) -> str:
    return f"{found[0]} of {found[1]}" if found[1] else "-"


def _correlations(samples: Sequence[HeardSample], before: Policy, now: Policy) -> str:
    rows = []
    for title, chosen in _groups(samples).items():
        names = [s.passage for s in chosen]
        for policy in (before, now):
            points = [float(s.points(policy)) for s in chosen]
            found = [
                _with_interval(points, [getattr(s.opinions, name) for s in chosen], names)
                for name in ("pesq", "visqol")
            ]
            rows.append(
                (
                    f"{title}, {policy.version}",
                    len(chosen),
                    *found,
                    f"{bound(chosen):.2f}",
                    _of(lies(chosen, policy)),
                    _of(harsh(chosen, policy)),
                )
            )
    header = ("samples, policy", "n", "PESQ", "ViSQOL", "bound", "lies", "harsh")
    return table(header, rows, right=True)


def _headline(samples: Sequence[HeardSample], now: Policy) -> str:
    lines = []
    for title, chosen in list(_groups(samples).items())[:2]:
        points = [float(s.points(now)) for s in chosen]
        values = [
            spearman(points, [getattr(s.opinions, name) for s in chosen])
            for name in ("pesq", "visqol")
        ]
        reached = "reached" if min(values) >= 0.75 else "missed"
        lines.append(
            f"* {title}: {values[0]:.2f} with PESQ, {values[1]:.2f} with ViSQOL (goal 0.75: "
            f"{reached}; the witnesses' own disagreement bounds both at {bound(chosen):.2f})"
        )
    third = [s for s in samples if s.opinions.dnsmos is not None]
    witness = [s.opinions.dnsmos or 0.0 for s in third]
    others = [
        spearman(witness, values)
        for values in (
            [s.opinions.pesq for s in third],
            [s.opinions.visqol for s in third],
            [float(s.points(now)) for s in third],
        )
    ]
    lines.append(
        f"* the third witness, DNSMOS without the original, on {len(third)} samples: "
        f"{others[0]:.2f} with PESQ, {others[1]:.2f} with ViSQOL, {others[2]:.2f} with the score"
    )
    return "\n".join(lines)


def _kinds(samples: Sequence[HeardSample], before: Policy, now: Policy) -> str:
    rows = []
    for name, kind in KINDS.items():
        chosen = [s for s in samples if s.judged and s.kind == name]
        if not chosen:
            continue
        marks = ("" if kind.traced else ", no trace") + (", held back" if kind.held_back else "")
        rows.append(
            (
                f"{name}{marks}",
                len(chosen),
                f"{median(s.opinions.pesq for s in chosen):.2f}",
                f"{median(s.opinions.visqol for s in chosen):.2f}",
                f"{median(s.points(before) for s in chosen):.0f}",
                f"{median(s.points(now) for s in chosen):.0f}",
                _of(lies(chosen, now)),
                _of(harsh(chosen, now)),
            )
        )
    versions = (f"score, {before.version}", f"score, {now.version}")
    return table(("kind", "n", "PESQ", "ViSQOL", *versions, "lies", "harsh"), rows, right=True)


_SPEED_RULES: Final = ("wrong_speed", "seems_wrong_speed")


def _speeds(samples: Sequence[HeardSample], now: Policy) -> str:
    """Return how many wrong rates are found, and how many false alarms there are."""
    rows = []
    groups: list[tuple[str, list[HeardSample]]] = [
        (f"{strength:g} times the rate", [s for s in samples if _rate(s) == strength])
        for strength in KINDS["rate"].strengths
    ]
    good = ("clean", "level", "comfort noise", "breath")
    groups.append(("nothing wrong: false alarms", [s for s in samples if s.kind in good]))
    for title, chosen in groups:
        told = [s for s in chosen if s.summary.agent_characters is not None]
        found = _of((sum(_is_found(s, now) for s in told), len(told)))
        blind = [s.without_text() for s in chosen]
        alone = _of((sum(_is_found(s, now) for s in blind), len(blind)))
        rows.append((title, found, alone))
    return table(("speech at", "found by its text", "found without text"), rows, right=True)


def _rate(sample: HeardSample) -> float | None:
    return sample.strength if sample.kind == "rate" else None


def _is_found(sample: HeardSample, policy: Policy) -> bool:
    return any(ceiling.rule in _SPEED_RULES for ceiling in sample.scored(policy).ceilings)


def _clean(samples: Sequence[HeardSample], now: Policy) -> str:
    """Return in a sentence what clean speech scores."""
    clean = [s for s in samples if s.kind == "clean"]
    near = [s for s in samples if s.kind in ("comfort noise", "breath")]
    low = sum(s.points(now) < CLEAN for s in clean)
    return (
        f"Of {len(clean)} clean samples {low} score under {CLEAN}; of {len(near)} with comfort "
        f"noise or breath in the pauses, {sum(s.points(now) < CLEAN for s in near)}."
    )


def _talkers(samples: Sequence[HeardSample]) -> str:
    measured = {s.talker for s in samples}
    rows = [(t.name, t.language, t.gender, t.source, t.side) for t in TALKERS if t.name in measured]
    return table(("voice", "language", "gender", "source", "side"), rows)


def _minutes(found: Sequence[HeardMinute]) -> str:
    rows = [_minutes_row(name, [one for one in found if one.fault == name]) for name in FAULTS]
    spoilt = [one for one in found if one.fault]
    return "\n\n".join(
        [
            table(
                ("three seconds of", "found", "seconds counted, median", "told off by at most, s"),
                [*rows, _minutes_row("all", spoilt)],
                right=True,
            ),
            (
                "False alarms in the same minutes without a fault: "
                f"{_found([one for one in found if not one.fault])}."
            ),
        ]
    )


def _minutes_row(name: str, minutes: Sequence[HeardMinute]) -> tuple[str, ...]:
    found = [one for one in minutes if one.found]
    off = max((abs(one.first - one.begins) for one in found), default=0.0)
    counted = median(one.noisy for one in minutes)
    return name, _found(minutes), f"{counted:.1f}", f"{off:.1f}"


def _losses(samples: Sequence[LossySample], now: Policy) -> str:
    rows = [
        _losses_row([one for one in samples if one.share == share], share, now) for share in SHARES
    ]
    heading = (
        "packets lost",
        "PESQ",
        "ViSQOL",
        "R by both, fitted voices",
        "judged voices",
        "R by G.107",
        "highest score",
    )
    return table(heading, rows, right=True)


def _losses_row(samples: Sequence[LossySample], share: float, now: Policy) -> tuple[str, ...]:
    ratings = [
        rating(fmean(one.heard_as for one in samples if one.side == side))
        for side in ("fitted", "judged")
    ]
    held = now.ceiling("packet_loss", share)
    return (
        f"{100 * share:g} %",
        f"{median(one.pesq for one in samples):.2f}",
        f"{median(one.visqol for one in samples):.2f}",
        *(f"{value:.0f}" for value in ratings),
        f"{e_model(share):.0f}",
        "-" if held is None else str(held[1]),
    )


def _found(minutes: Sequence[HeardMinute]) -> str:
    return f"{sum(one.found for one in minutes)} of {len(minutes)}"
