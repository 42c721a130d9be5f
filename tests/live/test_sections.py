"""Sections that an interruption must not enter; real interruptions are in ``tests/reliability``."""

from __future__ import annotations

import threading

import pytest

from ai_engine_quality.live.sections import Sections


def test_what_comes_within_is_done_after_the_outermost():
    """In the order in which it came, and only once the thread has left all sections."""
    sections, done = Sections(), []
    with sections:
        with sections:
            sections.afterwards(lambda: done.append(1))
            sections.afterwards(lambda: done.append(sections.inside))
        assert (done, sections.inside) == ([], True)
    assert (done, sections.inside) == ([1, False], False)


def test_it_is_done_although_the_section_raised():
    """What interrupted a failure is not forgotten with it."""
    sections, done = Sections(), []

    def fail():
        with sections:
            sections.afterwards(lambda: done.append(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert done == [1]
    assert not sections.inside


def test_each_thread_has_its_own():
    """A thread that is within a section keeps no other one waiting."""
    sections, seen = Sections(), []
    with sections:
        thread = threading.Thread(target=lambda: seen.append(sections.inside))
        thread.start()
        thread.join()
    assert seen == [False]
