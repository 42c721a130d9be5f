/** Lines over time: Grafana's own component; the marks of annotations are drawn here. */

import { useMemo } from 'react';
import uPlot from 'uplot';

import { DataFrame, FieldType, getFieldDisplayName, GrafanaTheme2 } from '@grafana/data';
import { TimeSeries, UPlotConfigBuilder } from '@grafana/ui';

import { Span } from '../drawing';
import { PanelProps } from './props';

export function Lines({ panel, frames, timeRange, events, theme, width, height }: PanelProps) {
  const named = useMemo(() => frames.map((frame) => byDisplayName(frame, frames)), [frames]);
  const legend = panel.options.legend ?? { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] };
  return (
    <TimeSeries
      frames={named}
      timeRange={timeRange}
      timeZone="utc"
      width={width}
      height={height}
      legend={legend}
      options={panel.options}
    >
      {(config: UPlotConfigBuilder) => <Marks config={config} events={events} theme={theme} />}
    </TimeSeries>
  );
}

/**
 * Joining the series, @grafana/ui forgets their display names before it colours the first one, so
 * that its line had another colour than its legend. By their plain names they keep it.
 */
function byDisplayName(frame: DataFrame, frames: DataFrame[]): DataFrame {
  const fields = frame.fields.map((field) =>
    field.type === FieldType.number ? { ...field, name: getFieldDisplayName(field, frame, frames) } : field
  );
  return { ...frame, fields };
}

function Marks({ config, events, theme }: { config: UPlotConfigBuilder; events: Span[]; theme: GrafanaTheme2 }) {
  useMemo(() => config.addHook('draw', (plot) => mark(plot, events, theme)), [config, events, theme]);
  return null;
}

function mark(plot: uPlot, events: Span[], theme: GrafanaTheme2): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const event of events) {
    const from = plot.valToPos(event.from, 'x', true);
    const to = plot.valToPos(event.to, 'x', true);
    ctx.fillStyle = ctx.strokeStyle = theme.visualization.getColorByName(event.color);
    ctx.globalAlpha = 0.07;
    ctx.fillRect(from, bbox.top, Math.max(0, to - from), bbox.height);
    ctx.globalAlpha = 0.8;
    ctx.setLineDash([3, 3]);
    for (const x of to - from > 4 ? [from, to] : [from]) {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
  }
  ctx.restore();
}
