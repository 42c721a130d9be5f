/** Units, thresholds, mappings, colours and overrides, put on the data by Grafana's own code. */

import { firstValueFrom, Observable } from 'rxjs';

import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  DataFrame,
  FieldConfigOptionsRegistry,
  FieldConfigPropertyItem,
  GrafanaTheme2,
  InterpolateFunction,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';

import { PanelModel } from './drawing';

const STANDARD = [
  'unit', 'min', 'max', 'fieldMinMax', 'decimals', 'displayName', 'noValue', 'thresholds', 'mappings', 'links',
  'actions', 'color', 'filterable', 'description',
];

/** Grafana's server registers these; without it, it is done here. */
export function registerStandards(): void {
  standardFieldConfigEditorRegistry.setInit(() => STANDARD.map((path) => property(path, false)));
  // Some stand there twice, under an old name as well.
  const known = new Map(Object.values(standardTransformers).map((found) => [found.id, found]));
  standardTransformersRegistry.setInit(() =>
    [...known.values()].map((transformation) => ({ id: transformation.id, name: transformation.name, transformation }) as any)
  );
}

function property(path: string, isCustom: boolean): FieldConfigPropertyItem {
  return {
    id: isCustom ? `custom.${path}` : path,
    path,
    name: path,
    isCustom,
    process: (value: unknown) => value,
    shouldApply: () => true,
    editor: () => null,
    override: () => null,
  } as unknown as FieldConfigPropertyItem;
}

/** What a panel's plugin offers of its own; here, whatever the panel's JSON uses. */
function optionsOf(panel: PanelModel): FieldConfigOptionsRegistry {
  const overridden = panel.fieldConfig.overrides.flatMap((rule) => rule.properties.map((value) => value.id as string));
  const custom = new Set([
    ...Object.keys(panel.fieldConfig.defaults.custom ?? {}),
    ...overridden.filter((id) => id.startsWith('custom.')).map((id) => id.slice('custom.'.length)),
  ]);
  return new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map((path) => property(path, false)),
    ...[...custom].map((path) => property(path, true)),
  ]);
}

export async function prepared(
  panel: PanelModel,
  answered: DataFrame[],
  theme: GrafanaTheme2,
  replaceVariables: InterpolateFunction
): Promise<DataFrame[]> {
  const steps = (panel.transformations ?? []).filter((step) => !step.disabled);
  const unknown = steps.find((step) => !standardTransformersRegistry.getIfExists(step.id));
  if (unknown) {
    throw new Error(`${panel.title}: the transformation ${unknown.id} isn't one of @grafana/data`);
  }
  const transformed = await firstValueFrom(
    transformDataFrame(steps as any, answered, { interpolate: replaceVariables }) as Observable<DataFrame[]>
  );
  const frames = applyFieldOverrides({
    data: transformed,
    fieldConfig: panel.fieldConfig as any,
    fieldConfigRegistry: optionsOf(panel),
    replaceVariables,
    theme,
    timeZone: 'utc',
  });
  // Before anything is drawn: colours by name would find no name, and the legend has one.
  cacheFieldDisplayNames(frames);
  return frames;
}
