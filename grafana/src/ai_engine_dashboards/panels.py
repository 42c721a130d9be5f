"""The kinds of panels: each with its title, text, unit, thresholds and colours, and no less.

Everything that a panel of ours must have is an argument here, so that it can't be forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    gauge,
    heatmap,
    piechart,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heatmap_model
from grafana_foundation_sdk.models import piechart as pie_model
from grafana_foundation_sdk.models import prometheus as query_model
from grafana_foundation_sdk.models import text as text_model

Panel = cog.Builder[model.Panel]

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
SECONDS: Final = "suffix:s"
"""Grafana's own "s" writes 0.673 s as 673 ms beside 3.66 s; scores and alerts write seconds."""

EVENTS: Final = "1m"
"""Min step of what happens once in a while: $__rate_interval is then 4 minutes at least."""


@dataclass(frozen=True)
class About:
    """What a panel tells the reader, in sentences."""

    shows: str
    good: str
    act: str
    empty: str
    """What stands there instead of data."""

    @property
    def description(self) -> str:
        """The text behind the panel's (i)."""
        return f"{self.shows}\n\n**Good:** {self.good}\n\n**Otherwise:** {self.act}"


@dataclass(frozen=True)
class Query:
    """One query of a panel, and the name of its series."""

    expr: str
    legend: str = ""
    step: str = ""
    """The least step; empty: the data source's."""
    instant: bool = False
    """At the end of the time range only."""


class _Common(Protocol):
    """What the SDK's panel builders share."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: model.DataSourceRef) -> Self: ...
    def targets(self, targets: list[cog.Builder[variants.Dataquery]]) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...


class _Drawn(_Common, Protocol):
    """What those that draw values share."""

    def unit(self, unit: str) -> Self: ...
    def thresholds(self, thresholds: cog.Builder[model.ThresholdsConfig]) -> Self: ...
    def color_scheme(self, color: cog.Builder[model.FieldColor]) -> Self: ...
    def override_by_name(self, name: str, properties: list[model.DynamicConfigValue]) -> Self: ...


_P = TypeVar("_P", bound=_Common)
_D = TypeVar("_D", bound=_Drawn)


def _begun(panel: _P, title: str, about: About, queries: Sequence[Query], form: str) -> _P:
    """Give a panel what every one has."""
    targets = [_target(letter, q, form) for letter, q in zip("ABCDEFGHIJ", queries, strict=False)]
    return (
        panel.title(title)
        .description(about.description)
        .datasource(SOURCE)
        .targets(targets)
        .no_value(about.empty)
    )


def _target(letter: str, query: Query, form: str) -> cog.Builder[variants.Dataquery]:
    target = (
        prometheus.Dataquery()
        .ref_id(letter)
        .datasource(SOURCE)
        .expr(query.expr)
        .editor_mode(query_model.QueryEditorMode.CODE)
        .format(query_model.PromQueryFormat(form))
        .legend_format(query.legend or "__auto")
    )
    target = target.instant() if query.instant else target.range()
    return target.interval(query.step) if query.step else target


def _in_colours(panel: _D, names: Mapping[str, str]) -> _D:
    for name, colour in names.items():
        panel = panel.override_by_name(
            name,
            [
                model.DynamicConfigValue(
                    id_val="color", value={"mode": "fixed", "fixedColor": colour}
                )
            ],
        )
    return panel


def _mode(mode: model.FieldColorModeId) -> build.FieldColor:
    return build.FieldColor().mode(mode)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def big_number(
    title: str,
    about: About,
    *queries: Query,
    unit: str,
    steps: build.ThresholdsConfig,
    decimals: int | None = 0,
    texts: Mapping[str, tuple[str, str]] | None = None,
    shown: Literal["value", "name", "value_and_name"] = "value",
) -> stat.Panel:
    """A number as it is now. `texts` maps a value to words and a colour.

    Without `decimals` there are as many as the value needs: a share of 0.4 % isn't shown as 0 %.
    """
    panel = (
        _begun(stat.Panel(), title, about, queries, "time_series")
        .unit(unit)
        .thresholds(steps)
        .color_scheme(_mode(model.FieldColorModeId.THRESHOLDS))
        .color_mode(options.BigValueColorMode.VALUE)
        .graph_mode(options.BigValueGraphMode.NONE)
        .justify_mode(options.BigValueJustifyMode.CENTER)
        .text_mode(options.BigValueTextMode(shown))
        .reduce_options(_last())
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.mappings([_words(texts)]) if texts else panel


def _words(texts: Mapping[str, tuple[str, str]]) -> model.ValueMap:
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=words, color=colour, index=index)
            for index, (value, (words, colour)) in enumerate(texts.items())
        }
    )


def dial(
    title: str,
    about: About,
    query: Query,
    *,
    unit: str,
    steps: build.ThresholdsConfig,
    highest: float | None = None,
    decimals: int = 0,
) -> gauge.Panel:
    """A number on a dial, from 0; without `highest` up to the largest of the time range."""
    panel = (
        _begun(gauge.Panel(), title, about, [query], "time_series")
        .unit(unit)
        .decimals(decimals)
        .min(0)
        .thresholds(steps)
        .color_scheme(_mode(model.FieldColorModeId.THRESHOLDS))
        .reduce_options(_last())
        .show_threshold_markers(True)
        .show_threshold_labels(False)
    )
    return panel if highest is None else panel.max(highest)


def pie(
    title: str, about: About, query: Query, *, unit: str, names: Mapping[str, str]
) -> piechart.Panel:
    """Shares of a whole."""
    panel = (
        _begun(piechart.Panel(), title, about, [query], "time_series")
        .unit(unit)
        .decimals(0)
        .thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([]))
        .color_scheme(_mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .pie_type(pie_model.PieChartType.DONUT)
        .display_labels([])
        .reduce_options(_last())
        .legend(
            piechart.PieChartLegendOptions()
            .display_mode(options.LegendDisplayMode.TABLE)
            .placement(options.LegendPlacement.RIGHT)
            .show_legend(True)
            .values([pie_model.PieChartLegendValues.VALUE, pie_model.PieChartLegendValues.PERCENT])
        )
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.SINGLE))
    )
    return _in_colours(panel, names)


def bars(
    title: str,
    about: About,
    *queries: Query,
    unit: str,
    steps: build.ThresholdsConfig,
    names: Mapping[str, str] | None = None,
    decimals: int = 0,
) -> bargauge.Panel:
    """Numbers beside each other, one bar each."""
    panel = (
        _begun(bargauge.Panel(), title, about, queries, "time_series")
        .unit(unit)
        .decimals(decimals)
        .min(0)
        .thresholds(steps)
        .color_scheme(_mode(model.FieldColorModeId.THRESHOLDS))
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .value_mode(options.BarGaugeValueMode.TEXT)
        .name_placement(options.BarGaugeNamePlacement.LEFT)
        .show_unfilled(True)
        .text(common.VizTextDisplayOptions().title_size(13).value_size(18))
        # Few bars would fill the panel, and look like much.
        .sizing(options.BarGaugeSizing.MANUAL)
        .min_viz_width(8)
        .min_viz_height(16)
        .max_viz_height(32)
        .reduce_options(_last())
    )
    return _in_colours(panel, names or {})


def over_time(
    title: str,
    about: About,
    *queries: Query,
    unit: str,
    steps: build.ThresholdsConfig,
    names: Mapping[str, str] | None = None,
    lines: bool = True,
    stacked: bool = False,
    stepped: bool = False,
    points: bool = False,
    lowest: float | None = 0,
    highest: float | None = None,
    logarithmic: bool = False,
) -> timeseries.Panel:
    """Series over time. `lines` draws the thresholds; `points` is for series with gaps."""
    style = (
        options.GraphThresholdsStyleMode.DASHED if lines else options.GraphThresholdsStyleMode.OFF
    )
    panel = (
        _begun(timeseries.Panel(), title, about, queries, "time_series")
        .unit(unit)
        .thresholds(steps)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        .color_scheme(_mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .draw_style(options.GraphDrawStyle.LINE)
        # A stack is read by its areas: the line of a series that is 0 would lie on the one below,
        # and give it the wrong colour.
        .line_width(0 if stacked else 2)
        .line_interpolation(
            options.LineInterpolation.STEP_AFTER if stepped else options.LineInterpolation.LINEAR
        )
        .fill_opacity(70 if stacked else 0)
        .show_points(_points(stacked=stacked, gaps=points))
        .point_size(5)
        # A gap of a few minutes between two calls is no hole in the record.
        .span_nulls(600_000 if points else False)
        .stacking(
            common.StackingConfig()
            .mode(options.StackingMode.NORMAL if stacked else options.StackingMode.NONE)
            .group("A")
        )
        .scale_distribution(_scale(logarithmic=logarithmic))
        .legend(_legend())
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.MULTI)
            .sort(options.SortOrder.DESCENDING)
        )
    )
    if lowest is not None:
        panel = panel.min(lowest)
    if highest is not None:
        panel = panel.max(highest)
    elif not logarithmic:
        # Else an axis of nothing but zeros would reach to 100, or to 10,000 %.
        panel = panel.axis_soft_max(0.05 if unit == "percentunit" else 1)
    return _in_colours(panel, names or {})


def _points(*, stacked: bool, gaps: bool) -> options.VisibilityMode:
    if stacked:
        return options.VisibilityMode.NEVER
    return options.VisibilityMode.ALWAYS if gaps else options.VisibilityMode.AUTO


def _scale(*, logarithmic: bool) -> common.ScaleDistributionConfig:
    if logarithmic:
        return common.ScaleDistributionConfig().type(options.ScaleDistribution.LOG).log(10)
    return common.ScaleDistributionConfig().type(options.ScaleDistribution.LINEAR)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull"])
    )


def timeline(
    title: str,
    about: About,
    *queries: Query,
    steps: build.ThresholdsConfig,
    unit: str = "none",
    texts: Mapping[str, tuple[str, str]] | None = None,
) -> statetimeline.Panel:
    """Which state each row was in, over time.

    The legend shows thresholds where there are any, else the states: with `texts`, give none.
    """
    panel = (
        _begun(statetimeline.Panel(), title, about, queries, "time_series")
        .unit(unit)
        .decimals(0)
        .thresholds(steps)
        .color_scheme(_mode(model.FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(options.VisibilityMode.AUTO)
        .align_value(options.TimelineValueAlignment.CENTER)
        .row_height(0.85)
        .fill_opacity(80)
        .line_width(0)
        .legend(_legend().calcs([]))
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.SINGLE)
            .sort(options.SortOrder.NONE)
        )
    )
    return panel.mappings([_words(texts)]) if texts else panel


def density(
    title: str, about: About, query: Query, *, unit: str, rows: float | None = None
) -> heatmap.Panel:
    """How values were spread, over time: of buckets, or of a gauge in `rows` of this height."""
    panel = (
        _begun(heatmap.Panel(), title, about, [query], "time_series" if rows else "heatmap")
        .unit(unit)
        .color_scheme(_mode(model.FieldColorModeId.THRESHOLDS))
        .thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([]))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_model.HeatmapColorMode.SCHEME)
            # Made to be read by the colour-blind.
            .scheme("Cividis")
            .scale(heatmap_model.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
            .fill("dark-blue")
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .cell_gap(1)
        .show_value(options.VisibilityMode.NEVER)
        .show_legend()
        .mode(options.TooltipDisplayMode.SINGLE)
        .y_axis(_heat_axis(unit, counted=rows is not None))
        .calculate(rows is not None)
    )
    if rows is None:
        return panel.rows_frame(heatmap.RowsHeatmapOptions().layout(options.HeatmapCellLayout.AUTO))
    height = (
        common.HeatmapCalculationBucketConfig()
        .mode(options.HeatmapCalculationMode.SIZE)
        .value(f"{rows:g}")
    )
    return panel.calculation(common.HeatmapCalculationOptions().y_buckets(height))


def _heat_axis(unit: str, *, counted: bool) -> heatmap.YAxisConfig:
    axis = heatmap.YAxisConfig().unit(unit).axis_placement(options.AxisPlacement.LEFT)
    return axis.min(0) if counted else axis


def listing(
    title: str,
    about: About,
    *queries: Query,
    steps: build.ThresholdsConfig,
    unit: str = "short",
    columns: Mapping[str, str],
    hidden: Sequence[str] = (),
    sort_by: str,
    descending: bool = False,
) -> table.Panel:
    """A table of instant queries, merged by their labels; `columns` names them, in their order."""
    organise = {
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "indexByName": {name: index for index, name in enumerate(columns)},
        "renameByName": dict(columns),
    }
    return (
        _begun(table.Panel(), title, about, queries, "table")
        .unit(unit)
        .thresholds(steps)
        .color_scheme(_mode(model.FieldColorModeId.THRESHOLDS))
        .align(options.FieldTextAlignment.AUTO)
        .cell_options(options.TableAutoCellOptions())
        .cell_height(options.TableCellHeight.SM)
        .show_header(True)
        .sort_by([common.TableSortByFieldState().display_name(sort_by).desc(descending)])
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(model.DataTransformerConfig(id_val="organize", options=organise))
    )


def column(
    *, unit: str | None = None, decimals: int | None = None, width: int | None = None
) -> list[model.DynamicConfigValue]:
    """What is special about one column of a table."""
    values = {"unit": unit, "decimals": decimals, "custom.width": width}
    return [
        model.DynamicConfigValue(id_val=key, value=value)
        for key, value in values.items()
        if value is not None
    ]


def called(words: str) -> list[model.DynamicConfigValue]:
    """A series under the name that people know."""
    return [model.DynamicConfigValue(id_val="displayName", value=words)]


def coloured(
    steps: build.ThresholdsConfig, texts: Mapping[str, tuple[str, str]] | None = None
) -> list[model.DynamicConfigValue]:
    """A column whose background has its band's colour."""
    properties = [
        model.DynamicConfigValue(id_val="thresholds", value=steps.build()),
        model.DynamicConfigValue(
            id_val="custom.cellOptions",
            value=options.TableColoredBackgroundCellOptions(
                mode=options.TableCellBackgroundDisplayMode.BASIC
            ),
        ),
    ]
    if texts:
        properties.append(model.DynamicConfigValue(id_val="mappings", value=[_words(texts)]))
    return properties


def linked(title: str, url: str) -> list[model.DynamicConfigValue]:
    """A column whose cells link somewhere."""
    return [
        model.DynamicConfigValue(
            id_val="links", value=[{"title": title, "url": url, "targetBlank": False}]
        )
    ]


def note(title: str, about: About, content: str) -> text.Panel:
    """Text; variables in it are filled in."""
    return (
        text.Panel()
        .title(title)
        .description(about.description)
        .mode(text_model.TextMode.MARKDOWN)
        .content(content)
    )
