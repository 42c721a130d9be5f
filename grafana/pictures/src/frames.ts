/** Prometheus' answers as data frames: what Grafana's server makes of them, then its data source. */

import { DataFrame, DataQueryRequest, Field, FieldType, toDataFrame } from '@grafana/data';
import { PromQuery, transformV2 } from '@grafana/prometheus';

import { Answer, PrometheusResult } from './drawing';

export function toFrames(answers: Answer[]): DataFrame[] {
  const data = answers.flatMap((answer) => answer.result.map((result) => seriesFrame(answer, result)));
  const targets = answers.map(({ ref, form, legend, expression }) => ({
    refId: ref,
    format: form,
    legendFormat: legend,
    expr: expression,
  }));
  return transformV2({ data }, { targets } as DataQueryRequest<PromQuery>, {}).data;
}

/** One series, as the server side of the data source returns it. */
function seriesFrame(answer: Answer, result: PrometheusResult): DataFrame {
  const samples = result.values ?? (result.value ? [result.value] : []);
  const name = seriesName(answer, result.metric);
  const time: Partial<Field> = {
    name: 'Time',
    type: FieldType.time,
    // Where more than a step is missing, a line is broken.
    config: answer.instant ? {} : { interval: answer.step * 1000 },
    values: samples.map(([at]) => at * 1000),
  };
  const value: Partial<Field> = {
    name: result.metric.__name__ && answer.legend === '__auto' ? result.metric.__name__ : 'Value',
    type: FieldType.number,
    labels: result.metric,
    config: name === undefined ? {} : { displayNameFromDS: name },
    values: samples.map(([, text]) => parseNumber(text)),
  };
  const frame = toDataFrame({ refId: answer.ref, fields: [time, value] });
  frame.meta = { custom: { resultType: answer.instant ? 'vector' : 'matrix' } };
  return frame;
}

function parseNumber(text: string): number | null {
  if (text === 'NaN') {
    return null;
  }
  return text.endsWith('Inf') ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}

/** What the legend says; `{{label}}` stands for a label's value. */
function seriesName(answer: Answer, labels: Record<string, string>): string | undefined {
  if (answer.form === 'heatmap') {
    return undefined;
  }
  if (answer.legend && answer.legend !== '__auto') {
    return answer.legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
  }
  return Object.keys(labels).length === 0 ? answer.expression : undefined;
}
