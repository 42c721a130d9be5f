"""Calls as they would be judged, and the reference engine's, each set placed once."""

from __future__ import annotations

import functools

import pytest
from ai_engine_lab.basics.matrix import load_matrix
from ai_engine_lab.engine import FAULTS_OF_A_CALL, PROFILES
from ai_engine_lab.validation.calls import JudgedCall, ToldBy
from ai_engine_lab.validation.placed import fault_calls, place_matrix

import ai_engine_quality as aeq


@pytest.fixture(scope="session")
def matrix():
    """Return the matrix that ships."""
    return load_matrix()


@pytest.fixture(scope="session")
def placed():
    """Return a function from a profile's name to the twenty calls of the matrix, placed."""
    return functools.cache(lambda name: place_matrix(profile=PROFILES[name]))


@pytest.fixture(scope="session")
def with_fault():
    """Return a function from a fault's name, or None, to one call of each row with it."""
    return functools.cache(lambda name: fault_calls(FAULTS_OF_A_CALL[name] if name else None))


@pytest.fixture(scope="session")
def make_call():
    """Return a function that makes a call to judge: a good one of 30 s, but for what it is told."""

    def make(call_id="1.1", scenario="simple_qa", told_by=ToldBy.SHEET, **changes):
        observed = {
            "provider": "deepgram",
            "duration": 30.0,
            "turn_latencies": (0.4, 0.5, 0.6),
            "frames_sent": 900,
            "underflows": 0,
            **changes,
        }
        summary = aeq.CallSummary(call_id=call_id, **observed)
        return JudgedCall.of(aeq.score(summary, aeq.DEFAULT_POLICY), scenario, told_by)

    return make
