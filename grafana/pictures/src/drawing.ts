/** What the Python side hands over: see `drawing.py`. Times are in milliseconds. */

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface PrometheusResult {
  metric: Record<string, string>;
  value?: [number, string];
  values?: Array<[number, string]>;
}

export interface Answer {
  ref: string;
  expression: string;
  form: 'time_series' | 'table' | 'heatmap';
  legend: string;
  instant: boolean;
  /** Seconds. */
  step: number;
  result: PrometheusResult[];
}

/** What an annotation marks. */
export interface Span {
  from: number;
  to: number;
  color: string;
}

/** A panel as the dashboard's JSON has it. */
export interface PanelModel {
  type: string;
  title: string;
  description?: string;
  transparent?: boolean;
  links?: unknown[];
  options: Record<string, any>;
  /** Absent where a panel has no data. */
  fieldConfig: { defaults: Record<string, any>; overrides: Array<{ matcher: any; properties: any[] }> };
  transformations?: Array<{ id: string; options: any; disabled?: boolean }>;
}

export interface Part {
  box: Box;
  heading: string | null;
  panel: PanelModel | null;
  answers: Answer[];
  texts: Record<string, string>;
  events: Span[];
  error: string | null;
}

export interface Drawing {
  title: string;
  from: number;
  to: number;
  width: number;
  height: number;
  parts: Part[];
}
