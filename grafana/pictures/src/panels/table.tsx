/**
 * Tables: Grafana's own, the older of two. The newer one needs a fork of react-data-grid that is on no
 * package registry.
 */

import { Table } from '@grafana/ui';

import { PanelProps } from './props';

export function DataTable({ panel, frames, timeRange, replaceVariables, width, height }: PanelProps) {
  const { options } = panel;
  return (
    <Table
      data={frames[0]}
      width={width}
      height={height}
      noHeader={options.showHeader === false}
      initialSortBy={options.sortBy}
      cellHeight={options.cellHeight}
      timeRange={timeRange}
      fieldConfig={panel.fieldConfig as any}
      replaceVariables={replaceVariables}
    />
  );
}
