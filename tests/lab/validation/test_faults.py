"""Each injected fault makes the right rows miss, for the right reason."""

import pytest
from ai_engine_lab.engine import FAULTS_OF_A_CALL
from ai_engine_lab.validation.fault_findings import find

SIX = {
    "deepgram simple_qa",
    "deepgram complex",
    "deepgram noisy_background",
    "openai_realtime simple_qa",
    "openai_realtime complex",
    "openai_realtime barge_in",
}
BARGE_IN = "openai_realtime barge_in"
NOISY = "deepgram noisy_background"

RIGHT = {
    # fault: the rows that must miss, the cause that each of them must have, what else is fair
    "slow_provider": (SIX, "latency", set()),
    "jitter": (SIX, "underflow", set()),
    "transport_fallbacks": (SIX, "fallback", set()),
    "wrong_codec": (SIX, "codec", {"rms", "latency"}),
    "byte_swapped": (SIX, "codec", {"rms"}),
    # as heard, words that nobody answers are one turn, however often they are said again
    "dead_provider": (SIX, "latency", {"no_barge_in", "few_turns"}),
    "late_barge_in": ({BARGE_IN}, "barge_in", set()),
    "audiosocket_loss": (SIX - {BARGE_IN}, "few_turns", {"fallback"}),
    "engine_stop": (SIX, "cut_short", set()),
    # these two cost too little to miss an expected score: see below
    "quiet_agent": (set(), None, set()),
    "low_vad_confidence": (set(), None, set()),
}


@pytest.fixture(scope="module")
def finding(with_fault, matrix):
    """Return a function from a fault's name to what it did."""

    def of(name):
        fault = FAULTS_OF_A_CALL[name]
        told = (fault.name, fault.title, fault.factors)
        return find(told, with_fault(name), with_fault(None), matrix)

    return of


def test_every_fault_has_its_right_answer():
    """No fault of the reference engine is left out here."""
    assert RIGHT.keys() == FAULTS_OF_A_CALL.keys()


@pytest.mark.parametrize("name", RIGHT)
def test_a_fault_makes_the_right_rows_miss_for_the_right_reason(finding, name):
    """Exactly its rows miss, each with its cause, and with no cause that is another fault's."""
    rows, cause, fair = RIGHT[name]
    missed = {key: {found.name for found in causes} for key, causes in finding(name).missed}
    assert missed.keys() == rows
    for key, causes in missed.items():
        assert cause in causes, key
        assert causes <= {cause} | fair, key


def test_a_fault_too_small_to_miss_is_found_by_the_golden_baseline(finding):
    """An agent 13 dB too quiet costs 4 points in every row: worse than golden, for its level."""
    fell = {key: [found.name for found in causes] for key, causes in finding("quiet_agent").fell}
    # A call with a fault takes another course: in the noisy row its waits are longer by chance.
    assert fell == {key: ["rms"] for key in SIX} | {NOISY: ["latency", "rms"]}


def test_a_fault_that_costs_nothing_is_nowhere(finding):
    """No factor sees the voice detector's doubt, and nothing is invented for it."""
    found = finding("low_vad_confidence")
    assert (found.missed, found.fell, found.names) == ((), (), ())


def test_without_a_fault_nothing_misses_and_nothing_falls(with_fault, matrix):
    """The same calls without a fault meet every row: what misses above is the fault's doing."""
    calls = with_fault(None)
    found = find(("none", "", ()), calls, calls, matrix)
    assert (found.missed, found.fell) == ((), ())
