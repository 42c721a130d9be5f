/** Panels of single values: stat and bar gauge are Grafana's; the dial is drawn here. */

import { FieldDisplay, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGaugeSizing, VizOrientation } from '@grafana/schema';
import { BarGauge, BigValue, BigValueTextMode, VizRepeater } from '@grafana/ui';

import { Dial } from './dial';
import { PanelProps } from './props';

function valuesOf({ panel, frames, theme, replaceVariables }: PanelProps, sparkline: boolean): FieldDisplay[] {
  return getFieldDisplayValues({
    data: frames,
    reduceOptions: panel.options.reduceOptions ?? { calcs: ['lastNotNull'] },
    fieldConfig: panel.fieldConfig as any,
    replaceVariables,
    sparkline,
    theme,
    timeZone: 'utc',
  });
}

export function Stat(props: PanelProps) {
  const { panel, width, height, theme } = props;
  const { options } = panel;
  const values = valuesOf(props, (options.graphMode ?? 'area') !== 'none');
  return (
    <VizRepeater
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, alignmentFactors, count }: any) => (
        <BigValue
          value={value.display}
          count={count}
          sparkline={value.sparkline}
          colorMode={options.colorMode ?? 'value'}
          graphMode={options.graphMode ?? 'area'}
          justifyMode={options.justifyMode}
          textMode={options.textMode ?? BigValueTextMode.Auto}
          alignmentFactors={alignmentFactors}
          text={options.text}
          width={width}
          height={height}
          theme={theme}
          disableWideLayout={options.wideLayout === false}
        />
      )}
      width={width}
      height={height}
      source={values}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation ?? VizOrientation.Auto}
    />
  );
}

export function BarGauges(props: PanelProps) {
  const { panel, width, height, theme } = props;
  const { options } = panel;
  const values = valuesOf(props, false);
  const manual = options.sizing === BarGaugeSizing.Manual;
  const orientation =
    (options.orientation ?? 'auto') !== 'auto'
      ? options.orientation
      : width > height
        ? VizOrientation.Vertical
        : VizOrientation.Horizontal;
  return (
    <VizRepeater
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, alignmentFactors, orientation, count }: any) => (
        <BarGauge
          value={value.display}
          width={width}
          height={height}
          orientation={orientation}
          field={value.field}
          text={options.text}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          theme={theme}
          itemSpacing={10}
          lcdCellWidth={12}
          displayMode={options.displayMode ?? 'gradient'}
          alignmentFactors={count > 1 ? alignmentFactors : undefined}
          showUnfilled={options.showUnfilled ?? true}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          isOverflow={false}
        />
      )}
      width={width}
      height={height}
      minVizWidth={manual ? options.minVizWidth : 8}
      minVizHeight={manual ? options.minVizHeight : 16}
      maxVizHeight={manual ? options.maxVizHeight : 300}
      source={values}
      itemSpacing={10}
      renderCounter={0}
      orientation={orientation}
    />
  );
}

export function Dials(props: PanelProps) {
  const { panel, width, height, theme } = props;
  const values = valuesOf(props, false);
  return (
    <VizRepeater
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width, height, count }: any) => (
        <Dial
          value={value}
          named={count > 1}
          markers={panel.options.showThresholdMarkers ?? true}
          width={width}
          height={height}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={values}
      itemSpacing={8}
      renderCounter={0}
      autoGrid
      orientation={panel.options.orientation ?? VizOrientation.Auto}
    />
  );
}
