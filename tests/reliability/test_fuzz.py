"""The whole public API with whatever a program may hand to it.

What each single wrong value comes to is in ``tests/test_monitor.py``, and what any order of events
comes to in ``tests/properties/test_monitor_states.py``. Here values and orders are anything.
"""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from anything import ANYTHING, HUGE_TEXT, IDS, LABEL_BREAKERS, SESSIONS, Treacherous, play
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import ai_engine_quality as aeq
from ai_engine_quality.core.durations import parse_duration
from ai_engine_quality.history.selection import SelectionError, parse_selection

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
TOML = st.builds("{} = {!r}".format, st.text(max_size=20) | st.just('"\\u001b[31m"'), JSON).map(
    lambda text: text.encode("utf-8", "replace")
)


@settings(max_examples=100)
@given(SESSIONS)
def test_nothing_comes_out_of_any_session(steps):
    """No exception, no internal error; counters add up; both expositions are whole."""
    play(steps)


@pytest.mark.parametrize("call_id", [*LABEL_BREAKERS, HUGE_TEXT], ids=lambda text: repr(text[:12]))
def test_a_call_id_is_a_label_or_refused(quality, registry, call_id):
    """Of a label-breaking id the exposition gives back the very text, or it never became one."""
    quality.call_started(call_id)
    quality.turn_response(call_id, 0.4)
    quality.underflow(call_id, 0)
    score = quality.call_ended(call_id, duration=60.0)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    shown = [
        sample.labels["call_id"]
        for family in families
        for sample in family.samples
        if sample.name == "ai_agent_call_quality_score"
    ]
    assert shown == ([] if score is None else [call_id])


@given(st.dictionaries(st.sampled_from(sorted(aeq.CallSummary.__dataclass_fields__)), JSON))
def test_a_stored_call_is_scored_or_refused(stored):
    """Of any JSON under a summary's names, a score is made, or SummaryError says why not."""
    try:
        summary = aeq.CallSummary.from_dict({"call_id": "1.1", **stored})
    except aeq.SummaryError:
        return
    score = aeq.score(summary)
    assert score.score is None or 0 <= score.score <= 100
    assert score.explain(full=True)


@given(JSON | st.dictionaries(st.sampled_from(sorted(aeq.Policy.__dataclass_fields__)), JSON))
def test_changes_make_a_policy_or_a_policy_error(changes):
    """Any changes make a policy that scores, or a PolicyError."""
    try:
        policy = aeq.DEFAULT_POLICY.with_changes(changes)
    except aeq.PolicyError:
        return
    assert aeq.score(aeq.CallSummary(call_id="1.1", turn_latencies=(0.5,)), policy)


@given(
    st.dictionaries(
        st.sampled_from(
            ["policy", "clock", "max_live_calls", "expire_after", "retention", "costs", "sampling"]
        ),
        ANYTHING.filter(lambda value: not isinstance(value, Treacherous)),
        min_size=1,
    )
)
def test_a_monitor_of_anything_is_made_or_refused(arguments):
    """Wrong arguments are a TypeError or ValueError, and leave nothing on the registry."""
    registry = CollectorRegistry()
    with suppress(TypeError, ValueError):
        aeq.QualityMonitor(registry=registry, log=False, **arguments).close()
    assert list(registry.collect()) == []


@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_settings_file_is_read_or_refused(tmp_path_factory, content):
    """Any bytes are settings or a SettingsError, which is one printable line."""
    path = tmp_path_factory.mktemp("settings") / "quality.toml"
    path.write_bytes(content)
    told = ""
    try:
        assert aeq.load_settings(path, {})
    except aeq.SettingsError as error:
        told = str(error)
    assert told.isprintable()


@given(st.text(max_size=60))
def test_any_selection_or_duration_is_read_or_refused(text):
    """Any text is a selection or a SelectionError, a duration or a ValueError."""
    with suppress(SelectionError):
        assert parse_selection(f"calls.jsonl?{text}", now=lambda: 0.0)
    with suppress(ValueError):
        assert math.isfinite(parse_duration(text))


@given(IDS, IDS)
def test_a_handle_is_given_for_anything(first, second):
    """Handles of anything drop what they are told, and never raise."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, logger=_Silent())
    for call_id in (first, second):
        handle = quality.call(call_id)
        handle.frames_sent(1)
        assert handle.call_ended() is None
    quality.close()


class _Silent:
    """A logger that keeps nothing."""

    def warning(self, event, **fields):
        """Forget it."""
