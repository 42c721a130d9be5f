"""How many calls come and when: rates, a day's pattern, the opening, and speeds."""

import asyncio
from itertools import count, pairwise

import pytest
from ai_engine_lab.engine import VIRTUAL, Load, offer, parse_speed
from ai_engine_lab.engine.load import SECONDS_PER_DAY, busyness


def arrivals(bench, load, seconds, seed=1):
    """Return when calls came in so many virtual seconds, with an engine that only notes it."""
    came = []

    class Noting:
        def __init__(self):
            self.seed = seed

        async def answering(self):
            pass

        async def place(self, plan):
            del plan
            came.append(asyncio.get_running_loop().wall_time())
            await asyncio.sleep(30)

    async def main():
        calls = asyncio.create_task(offer(Noting(), count(), load))
        await asyncio.sleep(seconds)
        calls.cancel()
        await asyncio.wait({calls})

    bench.run(main)
    return came


def test_a_days_mean_is_its_rate():
    """Over a day the pattern's mean is 1, so that a daily rate is what it says."""
    shares = [busyness(second) for second in range(0, round(SECONDS_PER_DAY), 60)]
    assert sum(shares) / len(shares) == pytest.approx(1, abs=0.01)
    assert min(shares) < 0.1
    assert max(shares) > 2


def test_the_pattern_has_no_steps():
    """From minute to minute the rate hardly changes, over midnight as well."""
    shares = [busyness(minute * 60) for minute in range(24 * 60 + 2)]
    assert max(abs(b - a) for a, b in pairwise(shares)) < 0.03


def test_calls_come_at_the_rate(bench):
    """In four hours about four times as many calls come as in one, at random times."""
    came = arrivals(bench, Load(calls_per_hour=600), 4 * 3_600)
    assert len(came) == pytest.approx(2_400, rel=0.1)
    gaps = [b - a for a, b in pairwise(came)]
    assert max(gaps) > 20
    assert min(gaps) < 0.2


def test_a_day_has_its_pattern(bench):
    """With the pattern hardly anybody calls at night, and most do before and after noon."""
    came = arrivals(bench, Load(calls_per_hour=120, daily=True), SECONDS_PER_DAY)
    hours = [int(at % SECONDS_PER_DAY // 3_600) for at in came]
    assert hours.count(3) < 20
    assert hours.count(10) > 200


def test_the_opening_brings_the_first_calls_at_once(bench):
    """So many calls come one after the other at the start, then the rate holds."""
    came = arrivals(bench, Load(calls_per_hour=1, opening=8), 60)
    assert len(came) == 9
    assert came[7] - came[0] == pytest.approx(7 * 1.5)


def test_no_more_calls_than_allowed(bench):
    """While `concurrent` calls are in progress the next one waits: 30 s calls, two at a time."""
    came = arrivals(bench, Load(calls_per_hour=36_000, concurrent=2), 300)
    assert len(came) == pytest.approx(20, abs=2)


def test_the_same_seed_brings_the_same_calls(bench):
    """Arrivals are reproducible by the seed."""
    first, again, other = (arrivals(bench, Load(), 3_600, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "load", [{"calls_per_hour": 0}, {"calls_per_hour": float("nan")}, {"concurrent": 0}]
)
def test_a_load_without_calls_is_refused(load):
    """A rate of nothing, or no room for a call, is an error that names the option."""
    with pytest.raises(ValueError, match=next(iter(load))):
        Load(**load)


def test_speeds_are_numbers_or_virtual():
    """1 is real time, virtual never sleeps; anything else is an error that says so."""
    assert [parse_speed(text) for text in ("1", "2.5", "virtual")] == [1, 2.5, VIRTUAL]
    for text in ("0", "-1", "fast", "nan", "inf"):
        with pytest.raises(ValueError, match="or virtual"):
            parse_speed(text)
