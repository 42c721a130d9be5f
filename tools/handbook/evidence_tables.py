"""The tables of ``docs/Evidence.md``, each made from the samples and the policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise
from statistics import median
from typing import Any, Final

from ai_engine_lab.evidence.agreement import MEASURES, correlate, groups, is_unseen
from ai_engine_lab.evidence.correlation import Correlation, correlation
from ai_engine_lab.evidence.impairments import (
    CLEAN,
    CLIPPING,
    CODEC,
    FALLBACK,
    KINDS,
    LEVEL,
    MISREADINGS,
    UNDERFLOW,
)
from ai_engine_lab.evidence.passages import HELD_BACK
from ai_engine_lab.evidence.real_calls import (
    ORDER,
    Ranking,
    RealCall,
    disagreements,
    ranking,
    scored_calls,
)
from ai_engine_lab.evidence.samples import Sample

from ai_engine_quality import Policy
from ai_engine_quality.toolkit import percent
from handbook.marks import table
from handbook.published import PUBLISHED, PublishedFinding

_FILLER_BINS: Final = (0.0, 1e-9, 0.005, 0.01, 0.02, 0.04, 0.06, 0.10, 0.20, 1.0)
_GAIN_BINS: Final = (-30.0, -24.0, -18.0, -12.0, -3.0, 2.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0, 27.1)


def correlations(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return the correlation over all samples, by policy, side and measure."""
    rows = [
        (f"{policy.version}, {title}", len(chosen), *map(_with_interval, found))
        for policy in policies
        for title, chosen in groups(samples).items()
        for found in [[correlate(chosen, policy, field) for field in MEASURES.values()]]
    ]
    return table(("policy, prompts", "samples", *MEASURES), rows, right=True)


def agreement(samples: Sequence[Sample]) -> str:
    """Return the rank correlation of the two measures with each other."""
    rows = []
    for title, chosen in groups(samples).items():
        pesq, visqol = ([getattr(s, field) for s in chosen] for field in MEASURES.values())
        found = correlation(pesq, visqol, [s.passage for s in chosen])
        rows.append((title, len(chosen), _with_interval(found)))
    return table(("prompts", "samples", " with ".join(MEASURES)), rows, right=True)


def correlations_by_kind(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return the correlation on held-back prompts, kind by kind."""
    header = [f"{title}, {policy.version}" for title in MEASURES for policy in policies]
    rows = []
    for kind in (kind for kind in KINDS if kind != CLEAN):
        chosen = [s for s in samples if s.side == HELD_BACK and s.kind in (kind, CLEAN)]
        found = [
            correlate(chosen, policy, field) for field in MEASURES.values() for policy in policies
        ]
        rows.append((kind, len(chosen), *map(_with_interval, found)))
    return table(("impairment", "samples", *header), rows, right=True)


def by_fillers(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return opinions and scores by the effective ratio of fillers."""
    chosen = [s for s in samples if s.kind in (CLEAN, UNDERFLOW)]

    def ratio(sample: Sample) -> float:
        return sample.scored(policies[0]).factors[1].value or 0.0

    titles = ["none", *(f"to {percent(high)}" for high in _FILLER_BINS[2:-1]), "over 20 %"]
    return _binned(
        "effective ratio", chosen, policies, key=ratio, edges=_FILLER_BINS, titles=titles
    )


def by_fallbacks(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return opinions and scores by the number of fallbacks."""
    chosen = [s for s in samples if s.kind in (CLEAN, FALLBACK)]
    keyed = sorted(chosen, key=lambda s: s.summary.fallbacks or 0)
    rows = [
        _row(str(count), list(group), policies)
        for count, group in groupby(keyed, key=lambda s: s.summary.fallbacks or 0)
    ]
    return table(_header("fallbacks", policies), rows, right=True)


def by_gain(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return opinions and scores by how much too quiet or too loud the speech is."""
    chosen = [s for s in samples if s.kind in (CLEAN, LEVEL, CLIPPING)]

    def gain(sample: Sample) -> float:
        return float(sample.detail.removesuffix(" dB") or 0)

    titles = [f"{low:+g} to {high:+.0f} dB" for low, high in pairwise(_GAIN_BINS)]
    titles[4] = "unchanged"
    return _binned("gain", chosen, policies, key=gain, edges=_GAIN_BINS, titles=titles)


def by_misreading(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return opinions and scores by what is misread, and how often the score noticed noise."""
    rows: list[Sequence[object]] = []
    for way in MISREADINGS:
        chosen = [s for s in samples if s.kind == CODEC and s.detail.startswith(way)]
        noticed = sum(_heard_as_noise(s, policies[0]) for s in chosen)
        rows.append((*_row(way, chosen, policies), f"{noticed} of {len(chosen)}"))
    return table((*_header("misreading", policies), "noise noticed"), rows, right=True)


def escaped(samples: Sequence[Sample], policy: Policy) -> str:
    """Return in a sentence how many samples are noise and not noticed as such."""
    noise = [s for s in samples if any(w in s.detail for w in MISREADINGS) and not is_unseen(s)]
    missed = [s for s in noise if not _heard_as_noise(s, policy)]
    return (
        f"Of {len(noise)} samples that are noise, alone or combined with other faults, "
        f"{len(missed)} escape the noise check."
    )


def _heard_as_noise(sample: Sample, policy: Policy) -> bool:
    return any(ceiling.rule == "noise" for ceiling in sample.scored(policy).ceilings)


def _binned(
    title: str,
    samples: Sequence[Sample],
    policies: Sequence[Policy],
    *,
    key: Callable[[Sample], float],
    edges: Sequence[float],
    titles: Sequence[str],
) -> str:
    rows = []
    for (low, high), name in zip(pairwise(edges), titles, strict=True):
        if inside := [s for s in samples if low <= key(s) < high]:
            rows.append(_row(name, inside, policies))
    return table(_header(title, policies), rows, right=True)


def _header(title: str, policies: Sequence[Policy]) -> tuple[str, ...]:
    return (title, "samples", *MEASURES, *(f"score, {policy.version}" for policy in policies))


def _row(name: str, samples: Sequence[Sample], policies: Sequence[Policy]) -> tuple[object, ...]:
    """Return a row of medians."""
    opinions = [median(getattr(s, field) for s in samples) for field in MEASURES.values()]
    scores = [median(s.audio_part(policy) for s in samples) for policy in policies]
    return (
        name,
        len(samples),
        *(f"{value:.2f}" for value in opinions),
        *(f"{value:.0f}" for value in scores),
    )


def _with_interval(found: Correlation) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def policy_changes(old: Policy, new: Policy) -> str:
    """Return every value that differs between two policies."""
    before, after = dict(_flat(old.to_dict())), dict(_flat(new.to_dict()))
    keys = [key for key in (*before, *after) if before.get(key) != after.get(key)]
    rows = [
        (f"`{key}`", _value(before.get(key)), _value(after.get(key)))
        for key in dict.fromkeys(keys)
        if key != "version"
    ]
    return table(("key", old.version, new.version), rows)


def _flat(policy: dict[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in policy.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{at:g}: {points:g}" for at, points in value)
    return "-" if value is None else f"{value:g}"


def real_calls(policies: Sequence[Policy]) -> str:
    """Return every judged real call: verdict, scores, and the first policy's reason."""
    scored = [{c.score.call_id: c for c in scored_calls(policy)} for policy in policies]
    rows = []
    for call_id, call in scored[0].items():
        if call.verdict is None:
            continue
        others = [calls[call_id] for calls in scored]
        rows.append(
            (call_id, call.verdict, *(c.points for c in others), others[-1].score.explain())
        )
    versions = [policy.version for policy in policies]
    return table(("call", "verdict", *versions, f"why, {versions[-1]}"), rows)


def rankings(policies: Sequence[Policy]) -> str:
    """Return how often the score agrees with the verdicts, pair by pair."""
    rows = []
    for better, worse in (("good", "bad"), ("good", "mixed"), ("mixed", "bad")):
        found = [ranking(scored_calls(policy), better, worse) for policy in policies]
        rows.append((f"{better} over {worse}", found[0].pairs, *map(_agreement, found)))
    return table(("verdicts", "pairs", *(policy.version for policy in policies)), rows, right=True)


def _agreement(found: Ranking) -> str:
    wrong = found.pairs - found.agreeing - found.tied
    return f"{found.agreeing} agree, {found.tied} tie, {wrong} disagree"


def real_disagreements(policy: Policy) -> str:
    """Return each call that does not outrank what it should, and what decided its score."""
    rows = []
    pairs = disagreements(scored_calls(policy))
    for call_id, group in groupby(
        sorted(
            pairs, key=lambda pair: (-ORDER.index(pair[0].verdict or ""), pair[0].score.call_id)
        ),
        key=lambda pair: pair[0].score.call_id,
    ):
        found = list(group)
        over = ", ".join(
            f"{worse.score.call_id} ({worse.verdict}, {worse.points})" for _, worse in found
        )
        better = found[0][0]
        rows.append((call_id, f"{better.verdict}, {better.points}", over, _cause(better)))
    return table(("call", "verdict, score", "does not outrank", "what decided its score"), rows)


def _cause(call: RealCall) -> str:
    dearest = max(call.score.factors, key=lambda factor: factor.penalty)
    for lowest in call.score.ceilings[:1]:
        return f"{dearest.name}: {dearest.evidence}; at most {lowest.ceiling} for {lowest.reason}"
    return dearest.evidence


def published(policy: Policy) -> str:
    """Return the published findings, and what the policy makes of the seconds they name."""
    rows = [(f.factor, f.says, _judged(f, policy), f"[{f.source}]({f.address})") for f in PUBLISHED]
    header = ("factor", "finding", f"costs, by policy {policy.version}", "source")
    return table(header, rows)


def _judged(finding: PublishedFinding, policy: Policy) -> str:
    """Return points and ceiling at each of a finding's durations."""
    texts = []
    for seconds in finding.seconds:
        reached = policy.ceiling(finding.factor, seconds)
        top = f", at most {reached[1]}" if reached else ""
        texts.append(f"{seconds:g} s: {policy.points(finding.factor, seconds):.3g}{top}")
    return "; ".join(texts)
