/** States over time. Grafana doesn't publish this panel; axes and legend are Grafana's, cells are ours. */

import { useMemo } from 'react';
import uPlot from 'uplot';

import {
  DataFrame,
  Field,
  FieldColorModeId,
  FieldConfig,
  FieldType,
  formattedValueToString,
  getFieldDisplayName,
  getValueFormat,
  GrafanaTheme2,
} from '@grafana/data';
import { AxisPlacement, LegendDisplayMode, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart, UPlotConfigBuilder, VizLayout, VizLegend, VizLegendItem } from '@grafana/ui';

import { PanelProps } from './props';
import { clipped, overTime } from './plot';

interface Row {
  name: string;
  field: Field;
  cells: Cell[];
}

interface Cell {
  from: number;
  to: number;
  text: string;
  color: string;
}

export function StateTimeline({ panel, frames, timeRange, theme, width, height }: PanelProps) {
  const rows = useMemo(() => rowsOf(frames, timeRange.to.valueOf(), panel.options.mergeValues ?? true), [frames]);
  const config = useMemo(() => {
    const builder = overTime(timeRange, theme);
    addRows(builder, rows, panel, theme);
    return builder;
  }, [rows]);
  const legend = panel.options.legend ?? {};
  const items = legend.showLegend === false ? [] : legendOf(rows, theme);
  return (
    <VizLayout
      width={width}
      height={height}
      legend={
        items.length === 0 ? null : (
          <VizLayout.Legend placement={legend.placement ?? 'bottom'}>
            <VizLegend items={items} placement={legend.placement ?? 'bottom'} displayMode={LegendDisplayMode.List} />
          </VizLayout.Legend>
        )
      }
    >
      {(width, height) => (
        <UPlotChart config={config} data={[[timeRange.from.valueOf(), timeRange.to.valueOf()], [0, 0]]} width={width} height={height} />
      )}
    </VizLayout>
  );
}

function rowsOf(frames: DataFrame[], end: number, merge: boolean): Row[] {
  return frames.flatMap((frame) => {
    const time = frame.fields.find((field) => field.type === FieldType.time);
    const others = frame.fields.filter((field) => field !== time);
    return time ? others.map((field) => ({ name: getFieldDisplayName(field, frame, frames), field, cells: cellsOf(time, field, end, merge) })) : [];
  });
}

function cellsOf(time: Field, field: Field, end: number, merge: boolean): Cell[] {
  const step = time.config.interval ?? Infinity;
  const cells: Cell[] = [];
  time.values.forEach((from: number, index: number) => {
    const value = field.values[index];
    if (value === null || value === undefined) {
      return;
    }
    const to = Math.min(time.values[index + 1] ?? end, from + step, end);
    const display = field.display!(value);
    const text = formattedValueToString(display);
    const last = cells[cells.length - 1];
    if (merge && last && last.text === text && last.to >= from) {
      last.to = to;
    } else {
      cells.push({ from, to, text, color: display.color ?? '#888' });
    }
  });
  return cells;
}

function addRows(builder: UPlotConfigBuilder, rows: Row[], panel: PanelProps['panel'], theme: GrafanaTheme2): void {
  const custom = panel.fieldConfig.defaults.custom ?? {};
  builder.addScale({
    scaleKey: 'y',
    orientation: ScaleOrientation.Vertical,
    direction: ScaleDirection.Down,
    range: () => [-0.5, rows.length - 0.5],
  });
  builder.addAxis({
    scaleKey: 'y',
    placement: AxisPlacement.Left,
    theme,
    splits: rows.map((_, index) => index),
    values: rows.map((row) => row.name),
    grid: { show: false },
    ticks: { show: false },
  });
  builder.addSeries({ scaleKey: 'y', theme, pathBuilder: () => null, show: true });
  builder.addHook('draw', (plot) =>
    clipped(plot, (ctx) =>
      rows.forEach((row, index) => drawRow(plot, ctx, row, index, panel.options, custom.fillOpacity ?? 70, theme))
    )
  );
}

function drawRow(
  plot: uPlot,
  ctx: CanvasRenderingContext2D,
  row: Row,
  index: number,
  options: Record<string, any>,
  opacity: number,
  theme: GrafanaTheme2
): void {
  const half = (options.rowHeight ?? 0.9) / 2;
  const top = plot.valToPos(index - half, 'y', true);
  const height = plot.valToPos(index + half, 'y', true) - top;
  ctx.font = `12px ${theme.typography.fontFamily}`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'center';
  for (const cell of row.cells) {
    const from = plot.valToPos(cell.from, 'x', true);
    const width = plot.valToPos(cell.to, 'x', true) - from;
    ctx.globalAlpha = opacity / 100;
    ctx.fillStyle = cell.color;
    ctx.fillRect(from, top, width, height);
    ctx.globalAlpha = 1;
    const visible = Math.min(from + width, plot.bbox.left + plot.bbox.width) - Math.max(from, plot.bbox.left);
    if (options.showValue !== 'never' && ctx.measureText(cell.text).width + 8 < visible && height > 12) {
      ctx.fillStyle = theme.colors.getContrastText(cell.color);
      ctx.fillText(cell.text, Math.max(from, plot.bbox.left) + visible / 2, top + height / 2);
    }
  }
}

/** As in Grafana: thresholds if there are any, else the states that were seen. */
function legendOf(rows: Row[], theme: GrafanaTheme2): VizLegendItem[] {
  const config = rows[0]?.field.config;
  if (config?.color?.mode === FieldColorModeId.Thresholds && (config.thresholds?.steps.length ?? 0) > 1) {
    return thresholdsOf(config, theme);
  }
  const found = new Map(rows.flatMap((row) => row.cells.map((cell) => [cell.text, cell.color] as const)));
  return [...found].map(([label, color]) => ({ label, color, yAxis: 1 }));
}

function thresholdsOf({ thresholds, unit, decimals }: FieldConfig, theme: GrafanaTheme2): VizLegendItem[] {
  const text = (value: number) => formattedValueToString(getValueFormat(unit)(value, decimals));
  return thresholds!.steps.map(({ value, color }, index, steps) => ({
    label: index === 0 ? `< ${text(steps[1].value)}` : `${text(value)}+`,
    color: theme.visualization.getColorByName(color),
    yAxis: 1,
  }));
}
