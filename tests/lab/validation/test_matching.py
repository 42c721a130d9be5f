"""Which row a call belongs to."""

from dataclasses import replace

import pytest
from ai_engine_lab.validation.calls import ToldBy
from ai_engine_lab.validation.matching import by_recognition, by_sheet
from ai_engine_lab.validation.sheets import SheetLine


@pytest.mark.parametrize("profile", ["healthy", "measured"])
def test_placed_calls_are_recognised_for_what_they_are(placed, matrix, profile):
    """Of all forty calls whose scenario is known, each is recognised rightly without being told."""
    calls = placed(profile)
    unknown = [replace(call, scenario=None, told_by=None) for call in calls]
    recognised = by_recognition(unknown, matrix)
    assert [call.scenario for call in recognised] == [call.scenario for call in calls]
    assert {call.told_by for call in recognised} == {ToldBy.RECOGNISED}


@pytest.mark.parametrize(
    "changes",
    [
        {"provider": "grok"},
        {"provider": None},
        {"duration": None},
        {"duration": 0.0},
        {"duration": 300.0},
        {"duration": 8.0},
    ],
)
def test_what_fits_no_row_is_not_guessed(make_call, matrix, changes):
    """Another provider, or a call far longer or shorter than any row's, has no scenario."""
    call = make_call(scenario=None, told_by=None, **changes)
    assert by_recognition([call], matrix) == [call]


def test_the_scenario_of_a_bare_number_is_not_guessed(make_call, matrix):
    """A score without its call, as Prometheus has it, is of no scenario."""
    call = replace(make_call(scenario=None, told_by=None), score=None)
    assert by_recognition([call], matrix) == [call]


def test_a_provider_without_such_a_row_goes_by_length(make_call, matrix):
    """Deepgram has no row of barge-ins: an interrupted call of 30 s is its simple one."""
    call = make_call(scenario=None, told_by=None, barge_ins=4)
    assert by_recognition([call], matrix)[0].scenario == "simple_qa"


def test_the_sheet_says_which_calls_are_test_calls(make_call):
    """Only the calls on the sheet are left, with its scenarios."""
    calls = [make_call("1.1", None, None), make_call("1.2", None, None)]
    (found,) = by_sheet(
        calls, {"1.2": SheetLine("complex", None), "9.9": SheetLine("complex", None)}
    )
    assert (found.call_id, found.scenario, found.told_by) == ("1.2", "complex", ToldBy.SHEET)


def test_the_sheet_tells_a_provider_only_where_the_call_does_not(make_call):
    """What the engine reported counts more than what was written down."""
    known, unknown = make_call("1.1", None), make_call("1.2", None, provider=None)
    line = SheetLine("simple_qa", "grok")
    found = by_sheet([known, unknown], {"1.1": line, "1.2": line})
    assert [call.provider for call in found] == ["deepgram", "grok"]
