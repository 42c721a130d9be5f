"""Panels about scores: of all calls, of one provider, and what cost the points."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ai_engine_dashboards import colours, panels
from ai_engine_dashboards.panels import About, Query, bars, big_number, listing, over_time
from ai_engine_dashboards.queries import ENGINES, PROVIDERS, mean, per_call, rate
from ai_engine_quality import DEFAULT_POLICY, Band, palette

DRILL_DOWN: Final = "ai-engine-call-drill-down"

SAME_VIEW: Final = "&".join(
    (
        "${__url_time_range}",
        *(f"${{{name}:queryparam}}" for name in ("datasource", "job", "instance", "provider")),
    )
)
"""The part of a link that keeps the time range and the variables."""

BANDS: Final = colours.BANDS
_LOWEST = DEFAULT_POLICY.bands
BAND_TEXT: Final = (
    f"{_LOWEST[Band.EXCELLENT]} and more is excellent, {_LOWEST[Band.GOOD]} good, "
    f"{_LOWEST[Band.FAIR]} fair; below is poor."
)
NONE_SCORED: Final = "No call was scored in this range: calls get their score when they end"


def mean_score() -> panels.Panel:
    """The mean score of the time range."""
    about = About(
        shows="Mean score of the calls that ended in this time range.",
        good=BAND_TEXT,
        act="Points lost by factor shows which factors cost points, Worst calls in which calls.",
        empty=NONE_SCORED,
    )
    return panels.dial(
        "Mean score",
        about,
        Query(mean("ai_agent_call_scores", "$__range"), "score", instant=True),
        unit="none",
        steps=colours.by_score(),
        highest=100,
    )


def score_over_time() -> panels.Panel:
    """Scores by provider, over time."""
    about = About(
        shows="Mean score of the calls that ended, by provider; each point covers some minutes.",
        good=BAND_TEXT,
        act="If one line falls, it is that provider; if all fall, the engine or the network.",
        empty=NONE_SCORED,
    )
    score = mean("ai_agent_call_scores", "$__rate_interval", "provider")
    return over_time(
        "Score over time",
        about,
        Query(score, "{{provider}}", panels.EVENTS),
        unit="none",
        steps=colours.by_score(),
        names=colours.PROVIDERS,
        points=True,
        highest=100,
    )


def _by_band(vector: str, bands: Iterable[str]) -> list[Query]:
    """One query for each band, so that they stand in their own order, not in the alphabet's."""
    return [
        Query("sum ({})".format(vector % f'band="{band}"'), band, instant=True) for band in bands
    ]


def calls_by_band() -> panels.Panel:
    """How many calls were how good."""
    about = About(
        shows="Calls that ended in this time range, by band.",
        good="Most are excellent or good.",
        act="Points lost by factor shows which factors cost points.",
        empty=NONE_SCORED,
    )
    # The library begins all four bands at 0 with a provider's first call.
    calls = f"increase(ai_agent_calls_scored_total{{{PROVIDERS}, %s}}[$__range])"
    return bars(
        "Calls by band",
        about,
        *_by_band(calls, BANDS),
        unit="none",
        steps=colours.no_thresholds(),
        names=BANDS,
    )


def bands_over_time() -> panels.Panel:
    """The same over time."""
    about = About(
        shows="Calls that ended, per minute, by band.",
        good="Little orange and no vermillion.",
        act="Put the cursor where it began: alerts and restarts are marked there.",
        empty=NONE_SCORED,
    )
    ended = rate("ai_agent_calls_scored_total", "band", matchers=PROVIDERS)
    return over_time(
        "Calls by band over time",
        about,
        Query(f"60 * {ended}", "{{band}}", panels.EVENTS),
        unit="suffix:calls/min",
        steps=colours.no_thresholds(),
        names=BANDS,
        lines=False,
        stacked=True,
    )


def points_lost() -> panels.Panel:
    """What costs us quality."""
    about = About(
        shows="Points that a call of this time range lost on average, by factor. Ceilings, which "
        "can take more, are in Ceilings that applied.",
        good="Under 5 points for each.",
        act="latency: Turn response. underflow, fallback: the rows below. barge_in: Barge-in "
        "reaction. codec, rms: Audio Quality.",
        empty=NONE_SCORED,
    )
    lost = f"increase(ai_agent_call_quality_penalty_points_total{{{PROVIDERS}}}[$__range])"
    calls = f"increase(ai_agent_calls_scored_total{{{PROVIDERS}}}[$__range])"
    return bars(
        "Points lost by factor",
        about,
        Query(per_call(f"sum by (factor) ({lost})", calls), "{{factor}}", instant=True),
        unit="suffix:points",
        steps=colours.no_thresholds(),
        names=colours.FACTOR_COLOURS,
        decimals=1,
    )


def points_lost_over_time() -> panels.Panel:
    """The same over time."""
    about = About(
        shows="Points that a call lost on average, by factor, over time.",
        good="Low and level.",
        act="A step shows when something changed, its colour which factor.",
        empty=NONE_SCORED,
    )
    window = "$__rate_interval"
    lost = f"increase(ai_agent_call_quality_penalty_points_total{{{PROVIDERS}}}[{window}])"
    calls = f"increase(ai_agent_calls_scored_total{{{PROVIDERS}}}[{window}])"
    return over_time(
        "Points lost by factor over time",
        about,
        Query(per_call(f"sum by (factor) ({lost})", calls), "{{factor}}", panels.EVENTS),
        unit="suffix:points",
        steps=colours.no_thresholds(),
        names=colours.FACTOR_COLOURS,
        lines=False,
        stacked=True,
        points=True,
    )


def coverage() -> panels.Panel:
    """How much of the score was observed."""
    about = About(
        shows="Share of the score's 100 points of weight that was really observed, mean of the "
        "calls that ended in this time range.",
        good="0.65 and more: latency, underflow and fallback. Calls without a barge-in lack its "
        "15 %.",
        act="Low: see Observations on System Overview. What isn't observed can't cost points.",
        empty="No call ended in this range",
    )
    return big_number(
        "Coverage",
        about,
        Query(mean("ai_agent_call_coverage_ratio", "$__range"), "coverage", instant=True),
        unit="percentunit",
        steps=colours.thresholds({0.5: palette.ORANGE, 0.65: colours.FINE}, colours.BROKEN),
    )


def live_calls() -> panels.Panel:
    """How the calls in progress do."""
    about = About(
        shows="Calls in progress, by the band that they would have if they ended now. Calls with "
        "too little evidence are not_scored yet.",
        good="None poor.",
        act="Poor calls now: Turn response and Underflow ratio show which of the two it is.",
        empty="No engine answers: see Health on System Overview",
    )
    return bars(
        "Live calls by band",
        about,
        *_by_band(f"ai_agent_live_calls{{{ENGINES}, %s}}", (*BANDS, "not_scored")),
        unit="none",
        steps=colours.no_thresholds(),
        names={**BANDS, "not_scored": colours.GREY},
    )


def held_down() -> panels.Panel:
    """Which ceilings applied."""
    about = About(
        shows="How often a ceiling applied to a call that ended in this time range, by its rule.",
        good="latency_unobserved and underflow_unobserved don't occur, the others are rare.",
        act="noise, never_heard, call_failed: callers could not talk. provider_lost, unanswered, "
        "caller_ignored: the provider. caller_unheard: the line from the caller. cut_answers, "
        "talk_over: barge-ins. lost_audio, late_greeting: the provider's audio. packet_loss: the "
        "network between Asterisk and the callers' phones. *_unobserved: see Observations on "
        "System Overview.",
        empty="No ceiling applied to a call of this range",
    )
    applied = f"increase(ai_agent_call_ceilings_total{{{PROVIDERS}}}[$__range])"
    return bars(
        "Ceilings that applied",
        about,
        Query(f"sum by (rule) ({applied}) > 0", "{{rule}}", instant=True),
        unit="none",
        steps=colours.no_thresholds(palette.ORANGE),
    )


def worst_calls() -> panels.Panel:
    """The worst calls, with links."""
    about = About(
        shows="The 20 worst calls of this time range and when they ended, to half a minute. "
        "Click a call for more.",
        good="Nothing below fair.",
        act="Click a call: its page says what cost the points.",
        empty=NONE_SCORED,
    )
    scores = f"ai_agent_call_quality_score{{{ENGINES}}}"
    # A call's provider stands beside its turns; the score has the call's id alone.
    turns = f"last_over_time(ai_agent_call_quality_turns{{{PROVIDERS}}}[$__range])"
    worst = f"""bottomk(
  20,
  max by (job, instance, call_id) (last_over_time({scores}[$__range]))
  + on (job, instance, call_id) group_right ()
  0 * max by (job, instance, call_id, provider) ({turns})
)"""
    # First seen is when it ended; a subquery, because a sample only knows its time at that time.
    ended = (
        f"1000 * min by (job, instance, call_id) (min_over_time(timestamp({scores})[$__range:30s]))"
    )
    url = f"/d/{DRILL_DOWN}?var-call_id=${{__data.fields.Call:percentencode}}&{SAME_VIEW}"
    return (
        listing(
            "Worst calls",
            about,
            Query(worst, instant=True),
            Query(f"{ended}\nand on (job, instance, call_id) {worst}", instant=True),
            steps=colours.no_thresholds(),
            columns={
                "Value #A": "Score",
                "call_id": "Call",
                "provider": "Provider",
                "Value #B": "Ended",
                "instance": "Engine",
            },
            hidden=("job",),
            sort_by="Score",
        )
        .override_by_name(
            # A number of two digits needs less than a fifth of the panel, which times and ids miss.
            "Score",
            [*panels.column(decimals=0, width=70), *panels.coloured(colours.by_score())],
        )
        .override_by_name(
            "Call",
            # An id looks like a number, and would be shown, and linked, rounded.
            [*panels.column(unit="string"), *panels.linked("Details of this call", url)],
        )
        .override_by_name("Ended", panels.column(unit="dateTimeAsLocal", width=170))
    )
