"""Every query of every panel on a real Prometheus: data under traffic, and no lies without."""

from __future__ import annotations

import math
import time

import pytest
from boards import DASHBOARDS, FOLDER, targets
from live_panels import ALONE, FACTOR
from live_stack import eventually, get_json

from ai_engine_quality import DEFAULT_POLICY
from ai_engine_quality.doctor.dashboards import check_dashboards
from ai_engine_quality.doctor.prometheus_api import Prometheus

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.system("prometheus", "prometheus-alertmanager"),
]

NEW_ONLY = {
    "Google Live audio",
    "Google Live sessions",
    "Grok rate alignment",
    "Grok: measured against expected",
    "Silent callers",
}
"""Of what only the engine of 2026 tells: elsewhere the panel says so."""

OLD_ONLY = {"Underflows of this call", "RMS of this call"}
"""Of what only an engine with call ids can tell: elsewhere the panel says so."""

OF_THE_ENGINE = {
    "Health",
    "Samples per scrape",
    "Scrape duration",
    "Versions",
    "Alerts",
    "Alerts firing",
    "Quality budget left",
    "Observations",
}
"""Panels that speak of the engine, of alerts or of 30 days, not of calls."""

IN_CALLS = {
    "Active calls",
    "Active calls over time",
    "AudioSocket connections",
    "Audio capture",
    "Codec alignment",
    "DC offset",
    "Deepgram ACK latency",
    "Deepgram codec alignment",
    "Deepgram sample rates",
    "Jitter buffer depth",
    "Live calls by band",
    "TTS gating",
    "Voice detector's threshold",
}
"""Panels of what is so at this moment: after the last call there is nothing, or 0. The timeline of
states is of the last minutes."""


def untold(generation):
    """Return the panels that a generation has nothing for."""
    return OLD_ONLY if generation == "2026-08" else NEW_ONLY


def test_every_query_has_data_under_traffic(live, target, generation):
    """With calls of all providers each query returns a number, stand-in zeros stripped."""
    if target.panel in untold(generation):
        assert live.ask(target, live.instances(generation)) == {}
        return

    def numbers():
        found = live.ask(
            target,
            live.instances(generation),
            call_id=live.some_call(generation),
            seconds=40,
            zeros=False,
        )
        return [value for values in found.values() for value in values if math.isfinite(value)]

    eventually(numbers, live.patience, lambda: target.expr)


@pytest.mark.concerns(lambda target, _: target.panel not in OF_THE_ENGINE)
def test_nothing_is_claimed_of_calls_where_there_were_none(live, target, generation):
    """An engine without calls has nothing in a panel, or 0: never a value that no call gave."""
    found = live.ask(target, live.instance(generation, "idle"))
    assert all(values == [0.0] for values in found.values()), found


@pytest.mark.concerns(lambda target, _: target.panel in IN_CALLS)
def test_after_the_last_call_nothing_of_it_is_shown_as_present(live, target, generation):
    """What a finished call leaves behind on an engine is not shown as if it were so now."""
    found = live.ask(target, live.instance(generation, "emptied"))
    assert all(values == [0.0] for values in found.values()), found


def test_the_panels_of_the_present_are_all_there():
    """So that the test before means something: each of its panels exists."""
    assert {target.panel for target in targets()} >= (
        IN_CALLS | OF_THE_ENGINE | NEW_ONLY | OLD_ONLY
    )


NOT_IN_ONE_CALL = {
    "Alerts": "no alert fires",
    "Ceilings that applied": "no ceiling applies",
    "Corrupt audio": "no audio is corrupt",
    "Faults in the agent's speech": "no fault applies",
    "Noise over time": "no noise",
    "Failures by cause": "no call failed",
    "Silent callers": "nobody is silent",
    "Observations": "only `attach` tells",
    "system-overview/Quality now/B": "no call is poor",
}
"""Panels, or queries of them, that are rightly empty where one healthy call at a time is made."""

OF_ONE_PROVIDER = {
    "STT to TTS": "local",
    "Deepgram ACK latency": "deepgram",
    "Deepgram codec alignment": "deepgram",
    "Deepgram sample rates": "deepgram",
    "OpenAI Realtime rate alignment": "openai_realtime",
    "OpenAI Realtime: measured against expected": "openai_realtime",
    "Google Live audio": "google_live",
    "Google Live sessions": "google_live",
    "Grok rate alignment": "grok",
    "Grok: measured against expected": "grok",
}
"""Panels of what one kind of provider has; elsewhere they say so."""


def test_the_pace_is_that_of_the_text_that_was_told(live, generation):
    """Told text of a usual pace is shown as such: between the policy's limits of slow and fast."""
    limits = DEFAULT_POLICY.sound
    (pace,) = [target for target in targets("audio-quality") if target.panel == "Pace"]
    instance = live.instance(generation, "alone-deepgram")
    shown = eventually(lambda: live.ask(pace, instance, seconds=40), live.patience)
    told = [value for value in shown["deepgram"] if math.isfinite(value)]
    assert all(limits.slow < value < limits.fast for value in told), shown


@pytest.mark.concerns(
    lambda target, generation: (
        not {target.panel, str(target)} & (untold(generation) | set(NOT_IN_ONE_CALL))
    )
)
def test_no_panel_is_empty_where_there_is_one_call_at_a_time(live, target, generation):
    """With one call after the other each panel has data; a provider's own with its calls."""
    provider = OF_ONE_PROVIDER.get(target.panel, "deepgram")
    assert provider in ALONE[generation]
    instance = live.instance(generation, f"alone-{provider}")
    call_id = _call_of(live, instance)
    eventually(
        lambda: live.ask(target, instance, call_id=call_id, seconds=40),
        live.patience,
        lambda: target.expr,
    )


def _call_of(live, instance):
    found = live.stack.query(
        f'last_over_time(ai_agent_call_quality_score{{instance="{instance}"}}[5m])'
    )
    return found[0]["metric"]["call_id"]


def test_doctor_can_ask_every_query(live):
    """`ai-engine-quality doctor` finds no wrong query, and a call for the drill-down."""
    findings = list(check_dashboards(Prometheus(live.stack.url), FOLDER))
    assert len(findings) == len(DASHBOARDS)
    assert {finding.verdict for finding in findings} <= {"ok", "warning"}, findings
    (drill_down,) = [f for f in findings if f.check == "dashboard call-drill-down"]
    # Not "Ended": it looks every 30 s, and here samples are gone sooner.
    shown = ("Score: ", "Band: ", "Turns: ", "What cost the points: ")
    assert not [name for name in drill_down.details if name.startswith(shown)], drill_down


def test_an_engine_that_came_back_is_marked(live, generation):
    """The annotation of restarts has a point after an engine was gone, and only for that one."""
    (mark,) = [
        a
        for a in DASHBOARDS["system-overview"]["annotations"]["list"]
        if a["name"] == "Engine restarts"
    ]
    instance = live.instance(generation, "restarted")
    began = time.time()
    live.stop(generation, "restarted", 3)
    up = f'up{{instance="{instance}"}}'
    eventually(lambda: live.stack.query(f"{up} == 0"), what=live.stack.log)
    eventually(lambda: live.stack.query(f"{up} == 1"), what=live.stack.log)
    expr = mark["expr"].replace("$job", ".+").replace("$instance", live.instances(generation))
    expr = expr.replace("[1m]", f"[{60 // FACTOR}s]")

    def marked():
        answer = get_json(
            f"{live.stack.url}/api/v1/query_range", query=expr, start=began, end=time.time(), step=1
        )
        return {series["metric"]["instance"] for series in answer["data"]["result"]}

    assert eventually(marked, what=live.stack.log) == {instance}


def test_firing_alerts_are_marked(live):
    """The annotation of alerts has the alerts that fire, and never the Watchdog."""
    (mark,) = [
        a
        for a in DASHBOARDS["system-overview"]["annotations"]["list"]
        if a["name"] == "Alerts firing"
    ]
    expr = mark["expr"].replace("$job", ".+").replace("$instance", ".+")
    names = eventually(
        lambda: {series["metric"]["alertname"] for series in live.stack.query(expr)},
        what=live.stack.log,
    )
    assert "Watchdog" not in names


def test_the_variables_offer_what_there_is(live):
    """Each variable's query gives the engines' job, every engine, every provider, and calls."""

    def values(name, label):
        (variable,) = [
            v for v in DASHBOARDS["call-drill-down"]["templating"]["list"] if v["name"] == name
        ]
        inner = variable["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
        for other in ("job", "instance"):
            inner = inner.replace(f"${other}", ".+")
        answer = get_json(f"{live.stack.url}/api/v1/label/{label}/values", **{"match[]": inner})
        return set(answer["data"])

    assert values("job", "job") == {"ai-engine"}
    assert values("provider", "provider") >= {"deepgram", "openai_realtime", "local"}
    assert live.instance("2026-08", "idle") in values("instance", "instance")
    assert values("call_id", "call_id")
