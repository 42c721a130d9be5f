"""Call Drill-down: one call. Every row of "Worst calls" leads here."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.models import dashboard as model

from ai_engine_dashboards import colours, latency, panels, playback, quality
from ai_engine_dashboards.layout import Placed, Row, dashboard
from ai_engine_dashboards.panels import (
    SOURCE,
    About,
    Query,
    bars,
    big_number,
    dial,
    note,
    over_time,
)
from ai_engine_dashboards.queries import ENGINES, or_zero
from ai_engine_quality import DEFAULT_POLICY, Band, palette

UID = quality.DRILL_DOWN
SCORES = "ai_agent_call_quality_score"
THIS_CALL = f'{ENGINES}, call_id="$call_id"'
NOT_SCORED = "No score of this call in this range: widen the range, or the call was not scored"
OLD_ENGINE = (
    "Only the engine of October 2025 has call ids in these: the explanation has the numbers"
)


def build() -> model.Dashboard:
    """The dashboard: the call, why it has its score, and what else was going on."""
    return dashboard(
        UID,
        "Call Drill-down",
        "One call: its score, its band, its turns, when it ended, and what cost the points.",
        [
            Row(
                "This call",
                [
                    Placed(score(), 5, 7),
                    Placed(band(), 5, 7),
                    Placed(turns(), 4, 7),
                    Placed(ended(), 10, 7),
                ],
            ),
            Row("Why this score", [Placed(reasons(), 14, 8), Placed(explanation(), 10, 8)]),
            Row(
                "What else was going on",
                [Placed(latency.turn_response(), 12, 7), Placed(playback.underflow_ratio(), 12, 7)],
            ),
            Row(
                "The engine's own numbers of this call (October 2025 only)",
                [Placed(fillers(), 12, 7), Placed(levels(), 12, 7)],
                collapsed=True,
            ),
        ],
        variables=[_call_id()],
        since="now-6h",
    )


def _call_id() -> sdk.QueryVariable:
    return (
        sdk.QueryVariable("call_id")
        .label("Call")
        .description("A call that was scored in this time range; a link from Worst calls sets it.")
        .datasource(SOURCE)
        .query(
            {
                "qryType": 1,
                "query": f"label_values({SCORES}{{{ENGINES}}}, call_id)",
                "refId": "PrometheusVariableQueryEditor-VariableQuery",
            }
        )
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_DESC)
        .multi(False)
        .include_all(False)
        .allow_custom_value(True)
    )


LAST = f"max (last_over_time({SCORES}{{{THIS_CALL}}}[$__range]))"


def score() -> panels.Panel:
    """Its score."""
    about = About(
        shows="The call's score.",
        good=quality.BAND_TEXT,
        act="What cost the points, below.",
        empty=NOT_SCORED,
    )
    return dial(
        "Score",
        about,
        Query(LAST, "score", instant=True),
        unit="none",
        steps=colours.by_score(),
        highest=100,
    )


def band() -> panels.Panel:
    """Its band."""
    about = About(
        shows="The band that the score lies in.",
        good="excellent, or good.",
        act="What cost the points, below.",
        empty=NOT_SCORED,
    )
    return big_number(
        "Band",
        about,
        Query(LAST, "band", instant=True),
        unit="none",
        steps=colours.by_score(),
    ).mappings(_bands())


def _bands() -> list[model.ValueMapping]:
    lowest, top, ranges = DEFAULT_POLICY.bands, 100, []
    for index, name in enumerate(Band):
        result = model.ValueMappingResult(text=name.value, color=colours.BANDS[name], index=index)
        ranges.append(model.RangeMap(model.DashboardRangeMapOptions(lowest[name], top, result)))
        top = lowest[name] - 1
    return list(ranges)


def turns() -> panels.Panel:
    """How many turns it had."""
    about = About(
        shows="Turns of the caller, those without an answer included.",
        good="-",
        act="With few turns the slowest one decides the score.",
        empty=NOT_SCORED,
    )
    return big_number(
        "Turns",
        about,
        Query(
            f"max (last_over_time(ai_agent_call_quality_turns{{{THIS_CALL}}}[$__range]))",
            "turns",
            instant=True,
        ),
        unit="none",
        steps=colours.no_thresholds(),
    )


def reasons() -> panels.Panel:
    """What cost its points."""
    about = About(
        shows="Points that the call lost, by factor. ceiling_...: what the ceiling that held it "
        "took beyond the factors. Together with the score they make 100.",
        good="Nothing here.",
        act="Run the command beside this panel: it says which turn it was, and what would differ.",
        empty="It lost nothing; or no score of this call in this range",
    )
    lost = f"last_over_time(ai_agent_call_quality_points_lost{{{THIS_CALL}}}[$__range])"
    return bars(
        "What cost the points",
        about,
        Query(f"sort_desc(max by (factor) ({lost}))", "{{factor}}", instant=True),
        unit="none",
        steps=colours.no_thresholds(palette.ORANGE),
        decimals=1,
    )


def ended() -> panels.Panel:
    """When it ended."""
    about = About(
        shows="When the call ended, to half a minute.",
        good="-",
        act="Set the time range around it to see what else was going on.",
        empty=NOT_SCORED,
    )
    seen = f"timestamp({SCORES}{{{THIS_CALL}}})[$__range:30s]"
    return big_number(
        "Ended",
        about,
        Query(f"1000 * min by (instance) (min_over_time({seen}))", "{{instance}}", instant=True),
        unit="dateTimeAsLocal",
        steps=colours.no_thresholds(),
        shown="value_and_name",
    )


def explanation() -> panels.Panel:
    """How to learn why."""
    about = About(
        shows="The command that says in words why this call has its score.",
        good="-",
        act="Run it on the engine's machine, where the record file is.",
        empty="-",
    )
    return note(
        "Why?",
        about,
        "On the engine's machine:\n\n"
        "```\nai-engine-quality explain ${call_id}\n```\n\n"
        "It reads the record file and says why in words: which turn was the slowest, what was "
        "heard and what was told, and what the score would be without it.\n\n"
        f"[Back to the worst calls](/d/ai-engine-call-quality?{quality.SAME_VIEW})",
    )


def fillers() -> panels.Panel:
    """Its fillers and frames."""
    about = About(
        shows="Fillers that this call had up to each point.",
        good="0.",
        act="Jitter buffer depth on Call Quality.",
        empty=OLD_ENGINE,
    )
    fillers = or_zero(
        f"ai_agent_stream_underflow_events_total{{{THIS_CALL}}}",
        f"ai_agent_stream_frames_sent_total{{{THIS_CALL}}}",
    )
    return over_time(
        "Underflows of this call",
        about,
        Query(f"max {fillers}", "fillers", "15s"),
        unit="short",
        steps=colours.no_thresholds(),
        names={"fillers": palette.ORANGE},
        lines=False,
    )


def levels() -> panels.Panel:
    """Its levels."""
    about = About(
        shows="Level of this call's last frame at each stage, 16-bit RMS.",
        good="Speech between 1,300 and 5,200; silence near 0.",
        act="RMS by stage on Audio Quality.",
        empty=OLD_ENGINE,
    )
    return over_time(
        "RMS of this call",
        about,
        Query(f"max by (stage) (ai_agent_audio_rms{{{THIS_CALL}}})", "{{stage}}", "15s"),
        unit="none",
        steps=colours.speech_level(),
        names=colours.STAGES,
    )
