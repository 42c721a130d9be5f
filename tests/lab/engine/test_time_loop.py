"""The loop's clock: virtual, faster, real."""

import asyncio
import math
import time

import pytest
from ai_engine_lab.engine import REAL, VIRTUAL, EngineLoop


def run(speed, main):
    loop = EngineLoop(speed, epoch=5_000.0)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))


def test_virtual_time_never_sleeps():
    """A day of sleep takes no time, and the clock says that a day has passed."""

    async def main(loop):
        before = loop.time()
        for _ in range(24):
            await asyncio.sleep(3_600)
        return loop.time() - before

    began = time.monotonic()
    assert run(VIRTUAL, main) == pytest.approx(86_400)
    assert time.monotonic() - began < 1.0


def test_virtual_time_keeps_the_order_of_timers():
    """Sleepers wake in the order of their times, however they were started."""
    woken = []

    async def sleeper(seconds):
        await asyncio.sleep(seconds)
        woken.append(seconds)

    async def main(_loop):
        await asyncio.gather(*(sleeper(seconds) for seconds in (5.0, 0.02, 100.0, 1.0, 0.5)))

    run(VIRTUAL, main)
    assert woken == [0.02, 0.5, 1.0, 5.0, 100.0]


def test_virtual_time_stands_still_without_timers():
    """Work that needs no timer takes no virtual time, so that runs repeat exactly."""

    async def main(loop):
        before = loop.time()
        for _ in range(1_000):
            await asyncio.sleep(0)
        return loop.time() - before

    assert run(VIRTUAL, main) == 0.0


def test_a_timeout_in_virtual_time_fires():
    """Asyncio's own timeouts live in the loop's time."""

    async def main(_loop):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.Event().wait()

    run(VIRTUAL, main)


def test_faster_than_real():
    """At a factor of 50, a second of the loop takes a fiftieth of a real one."""

    async def main(loop):
        began, before = time.monotonic(), loop.time()
        await asyncio.sleep(2.0)
        return time.monotonic() - began, loop.time() - before

    real, looped = run(50.0, main)
    assert 0.035 <= real < 0.5
    assert looped >= 2.0


def test_real_time_is_real():
    """At speed 1 the loop sleeps as any loop does."""

    async def main(_loop):
        began = time.monotonic()
        await asyncio.sleep(0.05)
        return time.monotonic() - began

    assert run(REAL, main) >= 0.045


def test_the_speed_changes_while_the_loop_runs():
    """From virtual to real the clock goes on where it is, and sleeping begins to cost time."""

    async def main(loop):
        await asyncio.sleep(1_000)
        before = loop.time()
        loop.set_speed(REAL)
        after = loop.time()
        began = time.monotonic()
        await asyncio.sleep(0.05)
        return before, after, time.monotonic() - began

    before, after, slept = run(VIRTUAL, main)
    assert before <= after < before + 0.05
    assert slept >= 0.045


def test_the_wall_clock_follows_the_loop():
    """Unix time starts at the epoch given, advances with the loop, and can be set right."""

    async def main(loop):
        assert loop.wall_time() == pytest.approx(5_000.0)
        await asyncio.sleep(60)
        assert loop.wall_time() == pytest.approx(5_060.0)
        loop.set_wall_time(9_000.0)
        await asyncio.sleep(1)
        return loop.wall_time()

    assert run(VIRTUAL, main) == pytest.approx(9_001.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_must_be_over_zero(speed):
    """A speed that would stop or turn back time is refused, with the way out."""
    with pytest.raises(ValueError, match="speed must be over 0"):
        EngineLoop(speed)


def test_time_that_waits_for_the_machine_does_not_count_a_stall():
    """With a longest step the clock goes on by that much while the loop is held up, and no more."""

    async def main(loop):
        before = loop.time()
        time.sleep(0.05)  # noqa: ASYNC251 - what a busy machine does to a loop
        stalled = loop.time() - before
        before = loop.time()
        await asyncio.sleep(1.0)
        return stalled, loop.time() - before

    loop = EngineLoop(100.0, longest_step=0.01)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        stalled, slept = runner.run(main(loop))
    assert 0 <= stalled <= 0.01 + 1e-9
    assert 1.0 <= slept <= 1.05  # the timer, and the steps of a few turns


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan])
def test_a_step_is_some_time(step):
    """A clock that could never go on is refused."""
    with pytest.raises(ValueError, match="longest_step must be over 0"):
        EngineLoop(REAL, longest_step=step)
