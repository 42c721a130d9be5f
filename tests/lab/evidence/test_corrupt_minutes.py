"""Three corrupt seconds in a good minute."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_engine_lab.evidence.corrupt_minutes import FAULTS, minutes, read, write
from ai_engine_lab.evidence.talkers import TALKERS

DATA = Path(__file__).parents[3] / "docs" / "data" / "corrupt-minutes.csv"


def test_the_committed_minutes_are_as_promised():
    """At least 95 % of the spoilt minutes are found, and none of the good ones is called spoilt."""
    found = read(DATA)
    spoilt = [one for one in found if one.fault]
    assert {one.fault for one in spoilt} == set(FAULTS)
    assert {one.talker for one in found} == {talker.name for talker in TALKERS}
    assert sum(one.found for one in spoilt) >= 0.95 * len(spoilt)
    assert not any(one.found for one in found if not one.fault)


@pytest.mark.system("asterisk-core-sounds-en-wav")
def test_the_library_hears_what_is_committed(tmp_path):
    """The first voice's minutes, heard again, are those that are committed, to a hundredth."""
    again = list(minutes(TALKERS[:1]))
    write(tmp_path / "again.csv", again)
    told = [one for one in read(DATA) if one.talker == TALKERS[0].name]
    assert [(one.fault, one.found) for one in read(tmp_path / "again.csv")] == [
        (one.fault, one.found) for one in told
    ]
    assert [one.noisy for one in again] == pytest.approx([one.noisy for one in told], abs=0.01)
