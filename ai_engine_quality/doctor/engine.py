"""The engine itself: does it answer, does it show what it must, what does it observe?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ai_engine_quality.doctor.expected import ENGINE, FRAMEWORKS, LIBRARY, PER_CALL
from ai_engine_quality.doctor.prometheus_api import Unreachable, get
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped, warning

INNER: Final = frozenset({"le", "quantile"})
"""Labels within a histogram or a summary."""
ESSENTIAL: Final = "calls"
"""The observation without which no other counts."""
ATTACH_FIX: Final = (
    "start it with the library: python -m ai_engine_quality run -- PROGRAM, in AVA's Compose by "
    "docker-compose.override.yml; or aeq.attach(engine)"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What an engine's ``/metrics`` has."""

    families: Mapping[str, Metric]

    @property
    def labels(self) -> dict[str, frozenset[str]]:
        """Return each sample's name, and the names of all labels that it has anywhere."""
        found: dict[str, frozenset[str]] = {}
        for family in self.families.values():
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, frozenset()) | frozenset(sample.labels)
        return found

    @property
    def births(self) -> dict[str, float]:
        """Return moments that no other process has, by the samples' names: unix times."""
        found: dict[str, float] = {}
        for family in self.families.values():
            for sample in family.samples:
                if sample.name == "process_start_time_seconds" or (
                    sample.name.startswith("ai_agent_") and sample.name.endswith("_created")
                ):
                    found[sample.name] = min(sample.value, found.get(sample.name, sample.value))
        return found

    @property
    def has_library(self) -> bool:
        """Whether the library is in this engine."""
        info = self.families.get("ai_agent_quality_info")
        return info is not None and bool(info.samples)

    @property
    def framework(self) -> str | None:
        """Which framework the engine is built on, with its version; None for an AVA engine."""
        info = self.families.get("ai_agent_engine_info")
        versions = [sample.labels.get("version", "") for sample in info.samples] if info else []
        return next((version for version in versions if version.startswith(FRAMEWORKS)), None)


def read_engine(url: str) -> tuple[Shown | None, list[CheckResult]]:
    """Return what an engine shows, None where it can't be had, and whether it answers."""
    base = url.rstrip("/")
    try:
        get(f"{base}/health")
        text = get(f"{base}/metrics")
    except Unreachable as reason:
        fix = "start the engine (or `demo --serve`), or name it by --engine"
        absent = skipped("metrics", "the engine doesn't answer")
        return None, [failed("engine", str(reason), fix), absent]
    answers = ok("engine", f"{base} answers")
    try:
        return read_metrics(text), [answers]
    except ValueError as error:
        found = f"/metrics is no exposition: {error}"
        return None, [answers, failed("metrics", found, "is it the engine's port?")]


def read_metrics(text: str) -> Shown:
    """Return what an exposition has.

    Raises:
        ValueError: it is none.
    """
    return Shown({family.name: family for family in text_string_to_metric_families(text)})


def check_shown(shown: Shown) -> Iterator[CheckResult]:
    """Yield whether an engine shows every expected metric, and what it observes."""
    if shown.has_library:
        yield _compared("metrics", "library metrics", LIBRARY, shown, "update the library")
    else:
        yield failed("metrics", "the quality library isn't in this engine", ATTACH_FIX)
    if framework := shown.framework:
        yield skipped("engine metrics", f"{framework} has none of the AVA engine's own")
    else:
        fix = "an update of the library, which knows this engine's metrics"
        yield _compared("engine metrics", "engine metrics", ENGINE, shown, fix)
    if hooks := shown.families.get("ai_agent_quality_hook_live"):
        yield from _hooks(hooks)


def _compared(
    check: str, whose: str, expected: Mapping[str, frozenset[str]], shown: Shown, fix: str
) -> CheckResult:
    missing = [name for name in expected if name not in shown.families]
    wrong = [
        f"{name} has {{{', '.join(sorted(labels))}}}"
        for name, wanted in expected.items()
        if name in shown.families
        for labels in {frozenset(s.labels) - INNER for s in shown.families[name].samples}
        if labels - PER_CALL != wanted - PER_CALL
    ]
    if missing or wrong:
        details = (*(f"{name} is missing" for name in missing), *wrong)
        found = f"{len(details)} of {len(expected)} {whose} missing or wrong: {details[0]}"
        return failed(check, found, fix, details)
    return ok(check, f"all {len(expected)} {whose} are there, with their labels")


def _hooks(family: Metric) -> Iterator[CheckResult]:
    factors: dict[str, float] = {}
    for sample in family.samples:  # heard or told: either will do
        factor = sample.labels["factor"]
        factors[factor] = max(sample.value, factors.get(factor, 0.0))
    blind = sorted(factor for factor, live in factors.items() if not live)
    fix = "see attachment.report() in the engine's log for what each one misses"
    found = f"not delivered by this engine: {', '.join(blind)}"
    if ESSENTIAL in blind:
        yield failed("hooks", f"no call is seen; {found}", fix)
    elif blind:
        yield warning("hooks", found, fix)
    elif factors:
        yield ok("hooks", f"all {len(factors)} observations are delivered")
