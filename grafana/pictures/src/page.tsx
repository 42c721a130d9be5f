/** The page that is photographed: the parts of one drawing, each in its place. */

import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import '@fontsource/roboto-mono/400.css';
import 'uplot/dist/uPlot.min.css';

import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { createTheme, DataFrame, dateTime, setTimeZoneResolver, ThemeContext, TimeRange } from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';

import { Drawing, Part } from './drawing';
import { prepared, registerStandards } from './fields';
import { toFrames } from './frames';
import { Heatmap } from './panels/heatmap';
import { Pie } from './panels/pie';
import { PanelProps } from './panels/props';
import { StateTimeline } from './panels/stateTimeline';
import { DataTable } from './panels/table';
import { Text } from './panels/text';
import { Lines } from './panels/timeSeries';
import { BarGauges, Dials, Stat } from './panels/values';

const KINDS: Record<string, (props: PanelProps) => JSX.Element> = {
  bargauge: BarGauges,
  gauge: Dials,
  heatmap: Heatmap,
  piechart: Pie,
  stat: Stat,
  'state-timeline': StateTimeline,
  table: DataTable,
  text: Text,
  timeseries: Lines,
};
/** These say "no data" themselves. */
const NEVER_EMPTY = new Set(['stat', 'gauge', 'bargauge', 'text']);

const theme = createTheme({ colors: { mode: 'dark' } });

interface Ready {
  part: Part;
  frames: DataFrame[];
}

function replacer(texts: Record<string, string>) {
  return (text?: string) =>
    (text ?? '').replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (found, long, short) => texts[long ?? short] ?? found);
}

function PanelOf({ part, frames, timeRange }: Ready & { timeRange: TimeRange }) {
  const panel = part.panel!;
  const replaceVariables = replacer(part.texts);
  const Kind = KINDS[panel.type];
  if (!Kind) {
    throw new Error(`${panel.title}: no drawing for panels of the type ${panel.type}`);
  }
  const empty = !NEVER_EMPTY.has(panel.type) && !frames.some((frame) => frame.length > 0);
  return (
    <PanelChrome
      width={part.box.width}
      height={part.box.height}
      title={replaceVariables(panel.title)}
      description={panel.description}
      displayMode={panel.transparent ? 'transparent' : 'default'}
    >
      {(width, height) =>
        part.error ? (
          <Empty text={part.error} height={height} />
        ) : empty ? (
          <Empty text={panel.fieldConfig.defaults.noValue ?? 'No data'} height={height} />
        ) : (
          <Kind
            panel={panel}
            frames={frames}
            timeRange={timeRange}
            events={part.events}
            theme={theme}
            replaceVariables={replaceVariables}
            width={width}
            height={height}
          />
        )
      }
    </PanelChrome>
  );
}

/** What stands where there is nothing to draw. */
function Empty({ text, height }: { text: string; height: number }) {
  return (
    <div style={{ height, display: 'flex', alignItems: 'center', justifyContent: 'center', textAlign: 'center' }}>
      {text}
    </div>
  );
}

function Heading({ text }: { text: string }) {
  return <div style={{ fontSize: 16, fontWeight: 500, paddingTop: 3 }}>{text}</div>;
}

function Picture({ drawing, ready }: { drawing: Drawing; ready: Ready[] }) {
  const from = dateTime(drawing.from).utc();
  const to = dateTime(drawing.to).utc();
  const timeRange: TimeRange = { from, to, raw: { from, to } };
  return (
    <div style={{ position: 'relative', width: drawing.width, height: drawing.height }}>
      <div style={{ position: 'absolute', left: 8, top: 8, width: drawing.width - 16, display: 'flex' }}>
        <span style={{ fontSize: 20, fontWeight: 500, flexGrow: 1 }}>{drawing.title}</span>
        <span style={{ color: theme.colors.text.secondary, paddingTop: 6 }}>
          {from.format('D MMM YYYY, HH:mm')} to {to.format('HH:mm')} UTC
        </span>
      </div>
      {ready.map(({ part, frames }, index) => {
        const { x, y, width, height } = part.box;
        return (
          <div key={index} style={{ position: 'absolute', left: x, top: y, width, height }}>
            {part.panel ? (
              <PanelOf part={part} frames={frames} timeRange={timeRange} />
            ) : (
              <Heading text={part.heading ?? ''} />
            )}
          </div>
        );
      })}
    </div>
  );
}

function Page() {
  const [state, setState] = useState<{ drawing: Drawing; ready: Ready[] }>();
  useEffect(() => {
    load().then(setState).catch(complain);
  }, []);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      {state && <Picture {...state} />}
    </ThemeContext.Provider>
  );
}

async function load() {
  const drawing: Drawing = await (await fetch('drawing.json')).json();
  for (const { panel } of drawing.parts) {
    if (panel) {
      // Panels without data, such as text, have none.
      panel.fieldConfig ??= { defaults: {}, overrides: [] };
    }
  }
  await document.fonts.ready;
  const ready = await Promise.all(
    drawing.parts.map(async (part) => ({
      part,
      frames: part.panel
        ? await prepared(part.panel, toFrames(part.answers), theme, replacer(part.texts))
        : [],
    }))
  );
  return { drawing, ready };
}

/** The Python side looks for this word. */
function complain(error: unknown): void {
  console.error(`PICTURE-ERROR ${error instanceof Error ? error.stack : error}`);
}

window.addEventListener('error', (event) => complain(event.error ?? event.message));
window.addEventListener('unhandledrejection', (event) => complain(event.reason));
setTimeZoneResolver(() => 'utc');
registerStandards();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Page />
  </StrictMode>
);
