import { DataFrame, GrafanaTheme2, InterpolateFunction, TimeRange } from '@grafana/data';

import { PanelModel, Span } from '../drawing';

/** What each kind of panel gets: its JSON, its data with all field options applied, its room. */
export interface PanelProps {
  panel: PanelModel;
  frames: DataFrame[];
  timeRange: TimeRange;
  events: Span[];
  theme: GrafanaTheme2;
  replaceVariables: InterpolateFunction;
  width: number;
  height: number;
}
