"""v1 and v2 give every call the number that they gave, whatever a later version adds."""

from __future__ import annotations

import hashlib
import random

import pytest

import ai_engine_quality as aeq
from ai_engine_quality.core.summary import HeardCall

CALLS = 10_000

STAGES = ("transport_out:stream", "transport_out:file", "provider_out", "transport_in")

DIGESTS = {"v1": "22c4bada299b3900", "v2": "43bfe7069b53b8a1"}
"""Of the 10,000 scores, as they were before v3 came (made by this test's own code on that tree)."""


class Dice:
    """Draws that are the same by every version of Python: by ``random()`` alone."""

    def __init__(self, seed):
        self._random = random.Random(seed).random  # noqa: S311  # generated calls, no secret

    def upto(self, most):
        """Return a number from 0 to ``most``, to 6 digits."""
        return round(self._random() * most, 6)

    def of(self, *values):
        """Return one of some values."""
        return values[int(self._random() * len(values))]

    def maybe(self, value):
        """Return a value, or None in three of ten draws."""
        return value if self._random() > 0.3 else None

    def several(self, numbers, most):
        """Return so many numbers, or None for none."""
        return tuple(self.upto(most) for _ in range(self.of(*numbers))) or None


def levels(dice):
    """Return what may have been measured at a stage."""
    frames = dice.of(0, 49, 50, 300, 4_000)
    active = int(frames * dice.of(0, 0.01, 0.3, 1))
    return aeq.StageLevels(
        frames=frames,
        active=active,
        rms=200 + dice.upto(20_000) if active else None,
        spread_db=dice.maybe(dice.upto(25)),
        clipped=dice.maybe(dice.of(0, 0.001, 0.01, 0.2)),
        flatness=dice.maybe(dice.of(0.01, 0.05, 0.1, 0.3, 0.6)),
    )


def a_call(dice):
    """Return a call with any facts."""
    checks = dice.maybe(dice.of(0, 1, 20))
    some = dice.of(0, 3, 4, 9)
    ear = HeardCall(
        factors=dice.of((), ("latency",), ("latency", "barge_in", "underflow")),
        answers=some,
        answers_cut=min(some, dice.of(0, 3, 9)),
        caller_dead=dice.of(None, False, True),
        given=dice.maybe(dice.upto(60)),
        lost=dice.maybe(dice.upto(20)),
        first_word=dice.maybe(dice.upto(20)),
        talk_overs=dice.of(0, 2),
    )
    return aeq.CallSummary(
        call_id="1.1",
        outcome=dice.of(None, "completed", "voicemail", "expired"),
        failed=dice.upto(1) < 0.05,
        duration=dice.of(None, 3.0, 9.9, 10.0, 25.0, 30.0, 60.0, 600.0, 14_400.0),
        turn_latencies=dice.several((0, 0, 1, 3, 9, 40), 6),
        frames_sent=dice.maybe(dice.of(0, 1, 50, 500, 5_000)),
        underflows=dice.maybe(dice.of(0, 0, 1, 10, 100, 900)),
        fallbacks=dice.maybe(dice.of(0, 0, 1, 2, 3, 6)),
        barge_ins=dice.maybe(dice.of(0, 1, 8, 30)),
        barge_in_reactions=dice.several((0, 1, 4), 2),
        unanswered=dice.several((0, 0, 1, 3), 20),
        codec_checks=checks,
        codec_misaligned=checks and int(dice.upto(checks)),
        audio={stage: levels(dice) for stage in STAGES if dice.upto(1) < 0.5},
        heard=dice.maybe(ear),
    )


@pytest.fixture(scope="module")
def calls():
    """Return the generated calls."""
    dice = Dice(7)
    return [a_call(dice) for _ in range(CALLS)]


@pytest.mark.parametrize("version", DIGESTS)
def test_ten_thousand_generated_calls_keep_their_number(calls, version):
    """Score, points, reason, ceilings and each factor's cost are as they were, to nine digits."""
    policy, digest = aeq.Policy.load(version), hashlib.sha256()
    for call in calls:
        found = aeq.score(call, policy)
        digest.update(
            repr(
                (
                    found.score,
                    f"{found.raw:.9f}",
                    found.unscored_reason,
                    [(top.rule, top.ceiling) for top in found.ceilings],
                    [f"{factor.penalty:.9f}" for factor in found.factors],
                )
            ).encode()
        )
    assert digest.hexdigest()[:16] == DIGESTS[version]
