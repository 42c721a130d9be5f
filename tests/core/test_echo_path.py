"""How much of the agent's voice comes back: learned from what comes in whatever the caller does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality.core.echo_path import (
    FEWEST_KNOWN,
    LEAST_SHARE,
    MARGIN,
    MOST_BLOCKS,
    MOST_SHARE,
    NO_SHARE,
    OVER_THE_USUAL,
    EchoPath,
)

FRAME = 0.02


def after(shares, played=3000.0):
    """Let the loudest frames of blocks have some shares of what the agent played."""
    path = EchoPath()
    for number, share in enumerate(shares):
        for frame in range(15):
            loudest = frame == 7
            path.hear((number * 15 + frame + 0.5) * FRAME, share * played * loudest, played)
    path.hear(len(shares) * 15 * FRAME + 0.01, 0.0, played)  # the last block is over
    return path


@pytest.mark.parametrize("share", [0.25, 0.32, 0.45])
def test_an_echo_is_known_after_five_blocks(share):
    """1.5 s of the agent's words; what is little louder is an echo from then on."""
    assert after([share] * 4).share == LEAST_SHARE
    path = after([share * 0.93, share, share * 0.97, share, share * 0.99])
    assert path.share == pytest.approx(MARGIN * share)
    assert path.hear(100.0, 500.0, 2000.0) == pytest.approx(MARGIN * share * 2000.0)


def test_an_echo_is_known_though_the_caller_speaks_in_half_of_the_blocks():
    """The others are still alike."""
    said = np.random.default_rng(1)
    shares = [0.3 if number % 2 else said.uniform(0.4, 1.5) for number in range(30)]
    assert after(shares).share == pytest.approx(MARGIN * 0.3)


@pytest.mark.parametrize("seed", range(5))
def test_words_that_are_spoken_at_once_are_no_echo(seed):
    """A caller who talks over the agent on and on is as loud as chance has it."""
    said = np.random.default_rng(seed)
    assert after([0.7 * 10 ** said.normal(0, 0.25) for _ in range(60)]).share == LEAST_SHARE


@pytest.mark.parametrize("silent", [3, 10, 30])
def test_a_caller_who_begins_to_speak_over_the_agent_is_no_echo(silent):
    """However even the voice: while the caller was silent, nothing came back."""
    assert after([0.01] * silent + [0.4] * 8).share <= LEAST_SHARE


def test_a_caller_who_is_always_as_loud_as_the_agent_is_no_echo():
    """No line sends back so much."""
    assert after([MOST_SHARE * 1.1] * 30).share == LEAST_SHARE


def test_an_agent_that_is_hardly_audible_tells_nothing():
    """What comes in beside it is the line's noise."""
    assert after([0.4] * 30, played=300.0).share == LEAST_SHARE


def test_a_new_echo_is_told_once():
    """What seemed to be words until then may have been some of it."""
    assert not after([0.3] * 4).found
    assert after([0.3] * 5).found
    assert not after([0.3] * 6).found


def test_how_loud_it_is():
    """As a share of the agent's level; not where most of the call has none."""
    assert after([0.3] * 8).heard(noise=50.0) == pytest.approx(0.3)
    assert after([0.3] * 4).heard(noise=50.0) is None
    assert after([0.02] * 30 + [0.3] * 15).heard(noise=50.0) is None


def test_steady_noise_is_no_echo():
    """It is as loud in each block, too, and as loud while nobody speaks."""
    assert after([0.3] * 8).heard(noise=700.0) is None


def test_an_echo_that_is_gone_is_forgotten():
    """The line was handed over, or the caller took the receiver up."""
    assert after([0.3] * 20 + [0.02] * MOST_BLOCKS).share == pytest.approx(0.02 * OVER_THE_USUAL)


def test_where_nothing_comes_back_a_quiet_caller_is_no_echo():
    """Known by 1.8 s of the agent's words; until then a caller at -14 dB might be one."""
    assert after([0.003] * (FEWEST_KNOWN - 1)).share == LEAST_SHARE
    assert after([0.003] * FEWEST_KNOWN).share == NO_SHARE


def test_a_line_of_digital_silence_sends_nothing_back():
    """A microphone that is gated, or a line that no noise reaches, tells as others do."""
    assert after([0.0] * (FEWEST_KNOWN - 1)).share == LEAST_SHARE
    assert after([0.0] * FEWEST_KNOWN).share == NO_SHARE


def test_a_quiet_caller_who_talks_on_over_the_agent_stays_heard():
    """In up to half of the blocks: the others tell what comes back."""
    assert after([0.003] * 13 + [0.05] * 11).share == NO_SHARE


@pytest.mark.parametrize("share", [0.01, 0.03, 0.06])
def test_a_faint_echo_that_is_not_alike_is_still_an_echo(share):
    """A line may be louder in one block than in another."""
    path = after([share * (0.6 + 0.8 * (number % 3) / 2) for number in range(24)])
    assert 1.4 * share < path.share < LEAST_SHARE


@given(st.lists(st.floats(0, 20), max_size=80))
def test_the_share_stays_within_its_bounds_and_memory_too(shares):
    """Whatever comes in."""
    path = after(shares)
    assert NO_SHARE <= path.share <= MARGIN * MOST_SHARE
    assert len(path._shares) <= MOST_BLOCKS
