/** How values were spread over time. Grafana doesn't publish this panel; axes are Grafana's, cells ours. */

import * as d3 from 'd3';
import { useMemo } from 'react';

import {
  DataFrame,
  Field,
  FieldType,
  formattedValueToString,
  getFieldDisplayName,
  getValueFormat,
  GrafanaTheme2,
} from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { UPlotChart } from '@grafana/ui';

import { PanelProps } from './props';
import { clipped, overTime } from './plot';

/** Columns of time, rows of buckets: `counts[row][column]`. */
interface Grid {
  times: number[];
  /** Milliseconds. */
  step: number;
  /** One more than rows. */
  edges: string[];
  counts: number[][];
}

const LEGEND_HEIGHT = 26;
const MOST_LABELS = 9;

export function Heatmap({ panel, frames, timeRange, theme, width, height }: PanelProps) {
  const { options } = panel;
  const grid = useMemo(
    () => (options.calculate ? counted(frames, options, timeRange.to.valueOf() - timeRange.from.valueOf()) : bucketed(frames, options)),
    [frames]
  );
  const highest = Math.max(0, ...grid.counts.flat());
  const color = colorScale(options.color ?? {}, highest, theme);
  const least = options.filterValues?.le ?? 1e-9;
  const legend = options.legend?.show === false ? 0 : LEGEND_HEIGHT;
  const config = useMemo(() => {
    const builder = overTime(timeRange, theme);
    const rows = grid.counts.length;
    builder.addScale({
      scaleKey: 'y',
      orientation: ScaleOrientation.Vertical,
      direction: ScaleDirection.Up,
      range: () => [0, rows],
    });
    const every = Math.ceil((rows + 1) / MOST_LABELS);
    const labelled = d3.range(0, rows + 1, every);
    builder.addAxis({
      scaleKey: 'y',
      placement: AxisPlacement.Left,
      theme,
      splits: labelled,
      values: labelled.map((row) => grid.edges[row]),
      grid: { show: false },
    });
    builder.addSeries({ scaleKey: 'y', theme, pathBuilder: () => null, show: true });
    builder.addHook('draw', (plot) =>
      clipped(plot, (ctx) => {
        const gap = options.cellGap ?? 1;
        grid.counts.forEach((counts, row) => {
          const top = plot.valToPos(row + 1, 'y', true);
          const tall = plot.valToPos(row, 'y', true) - top;
          counts.forEach((count, column) => {
            if (count > least) {
              const left = plot.valToPos(grid.times[column], 'x', true);
              const wide = plot.valToPos(grid.times[column] + grid.step, 'x', true) - left;
              ctx.fillStyle = color(count);
              ctx.fillRect(left, top, Math.max(1, wide - gap), Math.max(1, tall - gap));
            }
          });
        });
      })
    );
    return builder;
  }, [grid]);
  return (
    <div>
      <UPlotChart
        config={config}
        data={[[timeRange.from.valueOf(), timeRange.to.valueOf()], [0, 0]]}
        width={width}
        height={height - legend}
      />
      {legend > 0 && highest > 0 && <Scale color={color} highest={highest} theme={theme} />}
    </div>
  );
}

/** The data source's own buckets, from lowest to highest; a row is what fell between two limits. */
function bucketed(frames: DataFrame[], options: Record<string, any>): Grid {
  const frame = frames[0];
  const time = frame.fields.find((field) => field.type === FieldType.time)!;
  const rows = frame.fields.filter((field) => field.type === FieldType.number);
  const format = getValueFormat(options.yAxis?.unit ?? 'short');
  const limits = rows.map((row) => {
    const name = getFieldDisplayName(row, frame, frames);
    return Number.isFinite(Number(name)) ? formattedValueToString(format(Number(name), options.yAxis?.decimals)) : name;
  });
  return {
    times: time.values.map((at: number) => at - stepOf(time)),
    step: stepOf(time),
    edges: ['', ...limits],
    counts: rows.map((row) => row.values.map((value: number | null) => value ?? 0)),
  };
}

function stepOf(time: Field): number {
  return time.config.interval ?? time.values[1] - time.values[0];
}

/** Buckets made here, of all series' values: so many columns, and rows of a given height. */
function counted(frames: DataFrame[], options: Record<string, any>, range: number): Grid {
  const calculation = options.calculation ?? {};
  const samples = frames.flatMap((frame) => {
    const time = frame.fields.find((field) => field.type === FieldType.time)!;
    return frame.fields
      .filter((field) => field.type === FieldType.number)
      .flatMap((field) => time.values.map((at: number, index: number) => [at, field.values[index] as number | null] as const));
  });
  const known = samples.filter((sample): sample is readonly [number, number] => sample[1] !== null);
  const highest = Math.max(0, ...known.map(([, value]) => value));
  const asked = Number(calculation.yBuckets?.value);
  const tall = calculation.yBuckets?.mode === 'size' && asked > 0 ? asked : niceStep(highest / (asked || 10));
  const step = roundMilliseconds(range / 30);
  const first = Math.floor(Math.min(...known.map(([at]) => at)) / step) * step;
  const last = Math.max(...known.map(([at]) => at));
  const times = known.length === 0 ? [] : d3.range(first, last + 1, step);
  const rows = Math.floor(highest / tall) + 1;
  const counts = d3.range(rows).map(() => times.map(() => 0));
  for (const [at, value] of known) {
    counts[Math.max(0, Math.floor(value / tall))][Math.floor((at - first) / step)] += 1;
  }
  const format = getValueFormat(options.yAxis?.unit ?? 'short');
  const edges = d3.range(rows + 1).map((row) => formattedValueToString(format(row * tall, options.yAxis?.decimals)));
  return { times, step, edges, counts };
}

function niceStep(size: number): number {
  return d3.tickStep(0, size * 10 || 10, 10);
}

function roundMilliseconds(size: number): number {
  const minute = 60_000;
  return [minute / 4, minute / 2, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, 60 * minute].find((step) => step >= size) ?? size;
}

function colorScale(options: Record<string, any>, highest: number, theme: GrafanaTheme2): (count: number) => string {
  const max = options.max ?? highest;
  const min = options.min ?? 0;
  const share = (count: number) => Math.min(1, Math.max(0, (count - min) / (max - min || 1)));
  if (options.mode === 'opacity') {
    const fill = theme.visualization.getColorByName(options.fill ?? 'dark-orange');
    return (count) => d3.color(fill)!.copy({ opacity: share(count) ** (options.exponent ?? 0.5) }).toString();
  }
  const scheme = (d3 as any)[`interpolate${options.scheme ?? 'Oranges'}`] as (share: number) => string;
  if (!scheme) {
    throw new Error(`no scheme of d3's: ${options.scheme}`);
  }
  // Grafana turns a scheme around on a dark page unless `reverse` is on; so it is bright where much is.
  const inverted = /Spectral|Cividis|Viridis|Inferno|Magma|Plasma|Turbo|Warm|Cool|Cubehelix/.test(options.scheme) === Boolean(options.reverse);
  return (count) => scheme(inverted ? 1 - share(count) : share(count));
}

function Scale({ color, highest, theme }: { color: (count: number) => string; highest: number; theme: GrafanaTheme2 }) {
  const stops = d3.range(0, 1.01, 0.1).map((share) => color(share * highest));
  const label = (count: number) => formattedValueToString(getValueFormat('short')(count));
  return (
    <div style={{ display: 'flex', gap: 8, padding: '6px 8px 0', fontSize: 11, color: theme.colors.text.secondary }}>
      {label(0)}
      <div style={{ width: 160, height: 10, marginTop: 3, background: `linear-gradient(90deg, ${stops.join(',')})` }} />
      {label(highest)}
    </div>
  );
}
