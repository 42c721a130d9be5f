"""Turns and barge-in are found by the energy of the caller's frames."""

import pytest
from ai_engine_lab.engine import BargeInSettings, TurnSettings
from ai_engine_lab.engine.detection import BargeInDetector, TurnDetector, TurnEvent

LOUD, QUIET, TICK = 2_000.0, 30.0, 0.02


def events(levels):
    detector = TurnDetector(TurnSettings())
    heard = [(number, detector.hear(level)) for number, level in enumerate(levels)]
    return [(number, event) for number, event in heard if event is not None]


def test_a_turn_begins_with_speech_and_ends_with_silence():
    """60 ms of speech begin a turn, half a second of silence ends it, a pause inside does not."""
    levels = [LOUD] * 30 + [QUIET] * 20 + [LOUD] * 30 + [QUIET] * 40
    assert events(levels) == [(2, TurnEvent.STARTED), (80 + 24, TurnEvent.ENDED)]


def test_a_noise_is_no_turn_with_words():
    """A short noise begins a turn, but ends it without words; a click begins none."""
    assert events([LOUD] * 6 + [QUIET] * 30)[-1][1] is TurnEvent.ENDED_WITHOUT_WORDS
    assert events(([LOUD] * 2 + [QUIET] * 5) * 10) == []


def test_a_quiet_line_says_nothing():
    """The noise of an idle line, up to the engine's own 180 RMS, never begins a turn."""
    assert events([7.0, 180.0, 90.0] * 1_000) == []


def barge_in(levels, settings=None, started=0.0):
    """When (seconds) the detector decides, and the onset that it gives; None if it never does."""
    detector = BargeInDetector(settings or BargeInSettings())
    detector.agent_started(started)
    for number, level in enumerate(levels, 1):
        onset = detector.hear(level, number * TICK)
        if onset is not None:
            return number * TICK, onset
    return None


def test_barge_in_takes_its_window_and_no_longer():
    """Loud speech is decided on once the window is full, counted from its very beginning."""
    decided, onset = barge_in([QUIET] * 50 + [LOUD] * 50)
    assert onset == pytest.approx(1.0)
    assert decided - onset == pytest.approx(0.26)


def test_a_dip_between_syllables_is_bridged():
    """A dip delays the decision by its own length, but doesn't move the onset."""
    decided, onset = barge_in([QUIET] * 50 + [LOUD] * 6 + [QUIET] * 4 + [LOUD] * 50)
    assert onset == pytest.approx(1.0)
    assert decided - onset == pytest.approx(0.34)


def test_short_or_soft_sounds_do_not_interrupt():
    """A cough, or speech below the threshold, lets the agent go on."""
    assert barge_in(([LOUD] * 10 + [QUIET] * 20) * 20) is None
    assert barge_in([900.0] * 500) is None


def test_the_agents_beginning_is_protected():
    """Within the protected time nothing counts, so that the window begins after it."""
    decided, onset = barge_in([LOUD] * 50)
    assert onset == pytest.approx(0.18)
    assert decided - onset == pytest.approx(0.26)


def test_one_interruption_is_one():
    """After a barge-in the cool-down keeps the same words from counting again."""
    detector = BargeInDetector(BargeInSettings())
    found = [n for n in range(1, 60) if detector.hear(LOUD, 10 + n * TICK) is not None]
    assert len(found) == 2
    assert (found[1] - found[0]) * TICK >= 0.5 + 0.24
