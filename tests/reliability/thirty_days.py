"""Thirty days at 1,000 calls an hour, in virtual time: ``python tests/reliability/thirty_days.py``.

Calls come at random, speak, fall silent, break, end twice, report late, or never end; a scraper
reads every five minutes. Names of providers that nobody has heard of turn up all the time. After
each day it is asked what the process holds. Prints a line for each, and what came of it at last.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import ai_engine_quality as aeq

HOUR = 3_600.0
DAY = 24 * HOUR
CALLS_PER_HOUR = 1_000
SCRAPE_SECONDS = 300.0
NEVER_ENDS = 0.002
REMEMBERED = 890.0
"""Seconds in which a call that has ended can't begin again, with some to spare."""
PROVIDERS = ("deepgram", "openai_realtime", "google_live", "elevenlabs", "local_hybrid", None)


class Silent:
    """A logger that keeps nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Forget it."""


@dataclass
class Held:
    """What the process held at the end of a period."""

    number: int
    calls: int
    live: int
    series: int
    blocks: int
    """Blocks of memory that Python has allocated, after a collection."""
    resident: float
    """MB."""


@dataclass
class Outcome:
    """What became of all the calls."""

    started: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """By call id, how often hooks were told of its end; only of the latest calls."""
    told_twice: int = 0
    scored: int = 0
    unscored: int = 0
    periods: list[Held] = field(default_factory=list)


class Simulation:
    """An engine's month, and its own account of it."""

    def __init__(self, seed: int = 1) -> None:
        self.random = Random(seed)  # noqa: S311  # calls, not secrets
        self.now = 0.0
        self.registry = CollectorRegistry()
        self.quality = aeq.QualityMonitor(
            registry=self.registry,
            clock=lambda: self.now,
            wall_clock=lambda: 1_761_532_874.0 + self.now,
            log=False,
            logger=Silent(),
        )
        self.quality.add_hook(self._told)
        self.outcome = Outcome()
        self._ending: list[tuple[float, int, str]] = []
        self._lately: deque[tuple[float, str]] = deque(maxlen=200)

    def _told(self, score: aeq.CallScore) -> None:
        outcome = self.outcome
        outcome.ends[score.call_id] += 1
        outcome.told_twice += outcome.ends[score.call_id] > 1
        if score.score is None:
            outcome.unscored += 1
        else:
            outcome.scored += 1

    def run(self, periods: int, seconds: float = DAY) -> Iterator[Held]:
        """Let so many periods pass; yield what each of them left."""
        next_call, next_scrape = 0.0, SCRAPE_SECONDS
        for number in range(1, periods + 1):
            while self.now < number * seconds:
                end = self._ending[0][0] if self._ending else float("inf")
                self.now = min(end, next_call, next_scrape)
                if self.now == end:
                    self._end(heappop(self._ending)[2])
                elif self.now == next_call:
                    self._begin()
                    next_call += self.random.expovariate(CALLS_PER_HOUR / HOUR)
                else:
                    for _ in self.registry.collect():
                        pass
                    next_scrape += SCRAPE_SECONDS
            self.outcome.periods.append(self._held(number))
            yield self.outcome.periods[-1]

    def _begin(self) -> None:
        random, quality = self.random, self.quality
        self.outcome.started += 1
        number = self.outcome.started
        call_id = f"{1_761_532_874 + int(self.now)}.{number}"
        provider = random.choice(PROVIDERS)
        if random.random() < 0.01:
            provider = f"Provider {number}"
        quality.call_started(call_id, provider=provider, pipeline="default")
        length = random.lognormvariate(4.5, 0.8)
        self._talk(quality.call(call_id), length)
        if random.random() >= NEVER_ENDS:
            heappush(self._ending, (self.now + length, number, call_id))

    def _talk(self, call: aeq.CallHandle, length: float) -> None:
        random = self.random
        if random.random() < 0.05:  # a call of which nothing is heard
            return
        for _ in range(min(600, int(length / 12))):
            call.turn_response(random.lognormvariate(-0.2, 0.6))
        call.frames_sent(int(length * 25))
        call.underflow(random.choice((0, 0, 0, 4, 60)))
        if random.random() < 0.1:
            call.fallback(f"reason-{random.randrange(40)}")
            call.barge_in(random.random())
            call.unanswered(random.random() * 9)
            call.codec_alignment(aligned=random.random() < 0.9, detail="ulaw")
            call.audio_level("provider_out", random.random() * 9_000, seconds=1.0)
            call.turn_response(float("nan"))

    def _end(self, call_id: str) -> None:
        random, quality = self.random, self.quality
        outcome = random.choice(("completed", "caller_hangup", "failed"))
        quality.call_ended(call_id, outcome=outcome, failed=outcome == "failed")
        self._lately.append((self.now, call_id))
        ended, again = random.choice(self._lately)
        if random.random() < 0.02 and self.now - ended < REMEMBERED:
            quality.call_ended(again)
            quality.turn_response(again, 0.4)
            quality.call_started(again)

    def _held(self, number: int) -> Held:
        # A call that never ends expires within 4 hours; before that it can't have been told of.
        self.outcome.ends = Counter(dict(list(self.outcome.ends.items())[-6 * CALLS_PER_HOUR :]))
        gc.collect()
        text = generate_latest(self.registry).decode()
        series = sum(len(family.samples) for family in text_string_to_metric_families(text))
        return Held(
            number,
            self.outcome.started,
            int(self.total("ai_agent_calls_active")),
            series,
            sys.getallocatedblocks(),
            _resident(),
        )

    def total(self, name: str) -> float:
        """Return the sum of all samples of a name."""
        found = (sample for metric in self.registry.collect() for sample in metric.samples)
        return sum(sample.value for sample in found if sample.name == name)

    def problems(self) -> list[str]:
        """Return what doesn't add up."""
        outcome = self.outcome
        active = self.total("ai_agent_calls_active")
        pairs = {
            "calls started": (outcome.started, self.total("ai_agent_calls_started_total")),
            "started, and ended or active": (
                outcome.started,
                self.total("ai_agent_calls_ended_total") + active,
            ),
            "scored": (outcome.scored, self.total("ai_agent_calls_scored_total")),
            "not scored": (outcome.unscored, self.total("ai_agent_calls_unscored_total")),
            "told to hooks, and ended": (
                outcome.scored + outcome.unscored,
                self.total("ai_agent_calls_ended_total"),
            ),
            "told twice": (outcome.told_twice, 0),
        }
        return [f"{what}: {a:g} and {b:g}" for what, (a, b) in pairs.items() if a != b]


def _resident() -> float:
    """Return the process' resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096 / 1e6


def main() -> int:
    """Run it and print it; return 1 where something doesn't add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    simulation = Simulation()
    for day in simulation.run(parser.parse_args().days):
        print(  # noqa: T201
            f"day {day.number}: {day.calls:,} calls, {day.live} live, {day.series:,} series, "
            f"{day.blocks:,} blocks, {day.resident:.1f} MB",
            flush=True,
        )
    outcome, problems = simulation.outcome, simulation.problems()
    print(  # noqa: T201
        f"{outcome.started:,} calls: {outcome.scored:,} scored, {outcome.unscored:,} counted as "
        f"not scored, {simulation.total('ai_agent_calls_active'):g} live; "
        f"most series {max(held.series for held in outcome.periods):,}; "
        f"{outcome.periods[0].resident:.1f} MB after day 1, "
        f"{outcome.periods[-1].resident:.1f} MB now; "
        f"{'; '.join(problems) or 'everything adds up'}"
    )
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
