/** Shares of a whole. Grafana doesn't publish its pie, so this one is ours; the legend is Grafana's. */

import { FieldDisplay, formattedValueToString, getFieldDisplayValues } from '@grafana/data';
import { LegendDisplayMode } from '@grafana/schema';
import { VizLayout, VizLegend, VizLegendItem } from '@grafana/ui';

import { PanelProps } from './props';

export function Pie({ panel, frames, theme, replaceVariables, width, height }: PanelProps) {
  const { options } = panel;
  const slices = getFieldDisplayValues({
    data: frames,
    reduceOptions: options.reduceOptions,
    fieldConfig: panel.fieldConfig as any,
    replaceVariables,
    theme,
    timeZone: 'utc',
  }).filter((slice) => slice.display.numeric > 0);
  slices.sort((one, other) => other.display.numeric - one.display.numeric);
  const total = slices.reduce((sum, slice) => sum + slice.display.numeric, 0);
  const legend = options.legend ?? {};
  const items = slices.map((slice) => legendItem(slice, total, legend.values ?? []));
  return (
    <VizLayout
      width={width}
      height={height}
      legend={
        legend.showLegend === false ? null : (
          <VizLayout.Legend placement={legend.placement ?? 'right'} width={legend.width ?? (legend.placement === 'bottom' ? undefined : Math.round(width * 0.62))}>
            <VizLegend
              items={items}
              placement={legend.placement ?? 'right'}
              displayMode={legend.displayMode ?? LegendDisplayMode.List}
            />
          </VizLayout.Legend>
        )
      }
    >
      {(width, height) => (
        <Slices slices={slices} total={total} donut={options.pieType === 'donut'} width={width} height={height} />
      )}
    </VizLayout>
  );
}

function legendItem(slice: FieldDisplay, total: number, values: string[]): VizLegendItem {
  return {
    label: slice.display.title ?? '',
    color: slice.display.color ?? '#888',
    yAxis: 1,
    getItemKey: () => slice.display.title ?? '',
    getDisplayValues: () => [
      ...(values.includes('value')
        ? [{ numeric: slice.display.numeric, text: formattedValueToString(slice.display), title: 'Value' }]
        : []),
      ...(values.includes('percent')
        ? [
            {
              numeric: slice.display.numeric / total,
              text: `${((100 * slice.display.numeric) / total).toFixed(0)}%`,
              title: 'Percent',
            },
          ]
        : []),
    ],
  };
}

interface SlicesProps {
  slices: FieldDisplay[];
  total: number;
  donut: boolean;
  width: number;
  height: number;
}

function Slices({ slices, total, donut, width, height }: SlicesProps) {
  const outer = Math.max(5, Math.min(width, height) / 2 - 8);
  const inner = donut ? outer * 0.6 : 0;
  const middle = (outer + inner) / 2;
  let before = 0;
  // Each slice is a stroke of a circle: as wide as the ring, as long as its share.
  const length = 2 * Math.PI * middle;
  return (
    <svg width={width} height={height}>
      <g transform={`translate(${width / 2} ${height / 2}) rotate(-90)`}>
        {slices.map((slice) => {
          const share = slice.display.numeric / total;
          const offset = -before * length;
          before += share;
          return (
            <circle
              key={slice.display.title}
              r={middle}
              fill="none"
              stroke={slice.display.color}
              strokeWidth={outer - inner}
              strokeDasharray={`${Math.max(0, share * length - 1.5)} ${length}`}
              strokeDashoffset={offset}
            />
          );
        })}
      </g>
    </svg>
  );
}
