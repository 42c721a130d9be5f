"""Thirty days at 1,000 calls an hour, in virtual time: ``python tests/reliability/thirty_days.py``.

Calls of several providers and pipelines come at random, speak, fall silent, break, end twice,
report late, or never end. Two scrapers read, each at its own pace: both must see every score. Names
that nobody has heard of turn up all the time. Once a week the engine restarts amid its calls. After
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
SCRAPE_SECONDS = (300.0, 420.0)
"""How often each scraper reads: a score is shown for 900 s."""
RESTARTS = tuple((day + 0.3) * DAY for day in (2, 9, 16, 23))
NEVER_ENDS = 0.002
LEAKED_SPEAKS = 0.5
"""Of the calls that never end, so many are told of once more, an hour later: they seem to live."""
ACTIVE = "ai_agent_calls_active"
COUNTED = STARTED, ENDED, SCORED, UNSCORED, DROPPED = (
    "ai_agent_calls_started_total",
    "ai_agent_calls_ended_total",
    "ai_agent_calls_scored_total",
    "ai_agent_calls_unscored_total",
    "ai_agent_quality_dropped_total",
)
REMEMBERED = 890.0
"""Seconds in which a call that has ended can't begin again, with some to spare."""
PROVIDERS = ("deepgram", "openai_realtime", "google_live", "elevenlabs", "local_hybrid", None)
PIPELINES = ("default", "sales", "support", "night", None)
STRANGE = 0.01
"""Of the calls, so many have a provider that nobody has heard of; and so many such a pipeline."""


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
    restarts: int = 0
    live_at_restarts: int = 0
    interrupted: int = 0
    """Calls of which hooks were told at a restart."""
    overlooked: int = 0
    """Scores that weren't there when a scraper read next."""
    periods: list[Held] = field(default_factory=list)


class Simulation:
    """An engine's month, and its own account of it."""

    def __init__(self, seed: int = 1, restarts: tuple[float, ...] = RESTARTS) -> None:
        self.random = Random(seed)  # noqa: S311  # calls, not secrets
        self.now = 0.0
        self.outcome = Outcome()
        self.before: Counter[str] = Counter()
        """What was counted before the last restart, by metric."""
        self._restarts = deque(restarts)
        self._begin_engine()

    def _begin_engine(self) -> None:
        self.registry = CollectorRegistry()
        self.quality = aeq.QualityMonitor(
            registry=self.registry,
            clock=lambda: self.now,
            wall_clock=lambda: 1_761_532_874.0 + self.now,
            log=False,
            logger=Silent(),
        )
        self.quality.add_hook(self._told)
        self._ending: list[tuple[float, int, str]] = []
        """When each call ends, or a leaked one is told of again; its number, and its id."""
        self._leaked: set[str] = set()
        self._lately: deque[tuple[float, str]] = deque(maxlen=200)
        self._unseen: tuple[set[str], ...] = tuple(set() for _ in SCRAPE_SECONDS)
        """Of each scraper: the calls that got a score since it read last."""

    def _restart(self) -> None:
        """End the engine amid its calls, and begin a new one."""
        outcome = self.outcome
        outcome.restarts += 1
        outcome.live_at_restarts += int(self.total(ACTIVE))
        before = outcome.scored + outcome.unscored
        self.quality.stop()
        outcome.interrupted += outcome.scored + outcome.unscored - before
        for name in COUNTED:
            self.before[name] += int(self.total(name))
        self.quality.close()
        self._begin_engine()

    def _told(self, score: aeq.CallScore) -> None:
        outcome = self.outcome
        outcome.ends[score.call_id] += 1
        outcome.told_twice += outcome.ends[score.call_id] > 1
        if score.score is None:
            outcome.unscored += 1
        else:
            outcome.scored += 1
            for unseen in self._unseen:
                unseen.add(score.call_id)

    def _scrape(self, scraper: int) -> None:
        """Let a scraper read: it must see every score since it read last."""
        unseen = self._unseen[scraper]
        for metric in self.registry.collect():
            if metric.name == "ai_agent_call_quality_score":
                unseen -= {sample.labels["call_id"] for sample in metric.samples}
        self.outcome.overlooked += len(unseen)
        unseen.clear()

    def run(self, periods: int, seconds: float = DAY) -> Iterator[Held]:
        """Let so many periods pass; yield what each of them left."""
        next_call, next_scrapes = 0.0, list(SCRAPE_SECONDS)
        for number in range(1, periods + 1):
            while self.now < number * seconds:
                end = self._ending[0][0] if self._ending else float("inf")
                restart = self._restarts[0] if self._restarts else float("inf")
                self.now = min(end, next_call, restart, *next_scrapes)
                if self.now == restart:
                    self._restarts.popleft()
                    self._restart()
                elif self.now == end:
                    self._end(heappop(self._ending)[2])
                elif self.now == next_call:
                    self._begin()
                    next_call += self.random.expovariate(CALLS_PER_HOUR / HOUR)
                else:
                    scraper = next_scrapes.index(self.now)
                    self._scrape(scraper)
                    next_scrapes[scraper] += SCRAPE_SECONDS[scraper]
            self.outcome.periods.append(self._held(number))
            yield self.outcome.periods[-1]

    def _begin(self) -> None:
        random, quality = self.random, self.quality
        self.outcome.started += 1
        number = self.outcome.started
        call_id = f"{1_761_532_874 + int(self.now)}.{number}"
        provider, pipeline = random.choice(PROVIDERS), random.choice(PIPELINES)
        if random.random() < STRANGE:
            provider = f"Provider {number}"
        if random.random() < STRANGE:
            pipeline = f"Pipeline {number}"
        quality.call_started(call_id, provider=provider, pipeline=pipeline)
        length = random.lognormvariate(4.5, 0.8)
        self._talk(quality.call(call_id), length)
        if random.random() >= NEVER_ENDS:
            heappush(self._ending, (self.now + length, number, call_id))
        elif random.random() < LEAKED_SPEAKS:
            self._leaked.add(call_id)
            heappush(self._ending, (self.now + HOUR, number, call_id))

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
        if call_id in self._leaked:
            self._leaked.remove(call_id)
            quality.turn_response(call_id, 0.6)
            return
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
            int(self.total(ACTIVE)),
            series,
            sys.getallocatedblocks(),
            _resident(),
        )

    def total(self, name: str) -> float:
        """Return the sum of all samples of a name."""
        found = (sample for metric in self.registry.collect() for sample in metric.samples)
        return sum(sample.value for sample in found if sample.name == name)

    def counted(self, name: str) -> float:
        """Return what a counter has counted, before the restarts and after them."""
        return self.before[name] + self.total(name)

    def problems(self) -> list[str]:
        """Return what doesn't add up."""
        outcome = self.outcome
        ended = self.counted(ENDED)
        pairs = {
            "calls started": (outcome.started, self.counted(STARTED)),
            "started, and ended or active": (outcome.started, ended + self.total(ACTIVE)),
            "scored": (outcome.scored, self.counted(SCORED)),
            "not scored": (outcome.unscored, self.counted(UNSCORED)),
            "told to hooks, and ended": (outcome.scored + outcome.unscored, ended),
            "told twice": (outcome.told_twice, 0),
            "live at restarts, and interrupted": (outcome.live_at_restarts, outcome.interrupted),
            "not seen by a scraper": (outcome.overlooked, 0),
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
        f"not scored, {simulation.total(ACTIVE):g} live, {outcome.interrupted} interrupted by "
        f"{outcome.restarts} restarts, {outcome.overlooked} overlooked by a scraper; "
        f"most series {max(held.series for held in outcome.periods):,}; "
        f"{outcome.periods[0].resident:.1f} MB after day 1, "
        f"{outcome.periods[-1].resident:.1f} MB now; "
        f"{'; '.join(problems) or 'everything adds up'}"
    )
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
