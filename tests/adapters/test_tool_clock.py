"""How long an agent's tools kept a caller waiting."""

from __future__ import annotations

from ai_engine_quality.adapters.tools import MOST_RUNNING, ToolClock


def test_tools_that_run_at_once_count_once() -> None:
    """Two tools from 1 to 4 s and from 2 to 5 s keep a caller waiting for four seconds."""
    clock = ToolClock()
    clock.began("a", 1.0)
    clock.began("b", 2.0)
    clock.ended("a", 4.0)
    clock.ended("b", 5.0)
    assert clock.take() == 4.0
    assert clock.take() == 0.0


def test_an_end_without_a_beginning_is_none() -> None:
    """What is told twice, or of a tool that nobody has seen begin, counts for nothing."""
    clock = ToolClock()
    clock.began("a", 1.0)
    clock.ended("a", 2.0)
    clock.ended("a", 9.0)
    clock.ended("c", 9.0)
    assert clock.take() == 1.0


def test_it_is_bounded() -> None:
    """However many tools never end, no more of them are remembered."""
    clock = ToolClock()
    for number in range(10 * MOST_RUNNING):
        clock.began(str(number), 1.0)
    assert len(clock._running) == MOST_RUNNING
