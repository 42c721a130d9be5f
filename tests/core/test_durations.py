"""Durations, as people and as Prometheus write them."""

import pytest

from ai_engine_quality.core.durations import parse_duration, prometheus_seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("3m", 180), ("1.5h", 5_400), ("7d", 604_800)]
)
def test_people_write_one_unit(text, seconds):
    """A number of seconds, minutes, hours or days."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "soon", "-1s", "0", "nan", "inf", "1m30s", "5 weeks"])
def test_what_is_no_duration_is_refused_with_the_mend(text):
    """The error repeats what was written and says what to write."""
    with pytest.raises(ValueError, match="is no duration; write 90s, 3m or 1h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2_592_000), ("1m30s", 90), ("500ms", 0.5), ("2w", 1_209_600), ("0s", 0), ("", 0)],
)
def test_prometheus_writes_several_units(text, seconds):
    """Days, minutes with seconds, milliseconds; nothing is 0."""
    assert prometheus_seconds(text) == seconds
