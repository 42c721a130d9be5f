/** A dial. Grafana's `Gauge` needs a plug-in of jQuery that isn't published, so this one is ours. */

import { FieldDisplay, formattedValueToString, GrafanaTheme2, sortThresholds } from '@grafana/data';

interface Props {
  value: FieldDisplay;
  named: boolean;
  markers: boolean;
  width: number;
  height: number;
  theme: GrafanaTheme2;
}

const FROM = -120;
const TO = 120;

export function Dial({ value, named, markers, width, height, theme }: Props) {
  const { display, field } = value;
  const min = field.min ?? 0;
  const max = field.max ?? 100;
  const below = named ? 20 : 0;
  const radius = Math.max(10, Math.min(width / 2, (height - below) / 1.55) - 6);
  const centre = { x: width / 2, y: 6 + radius };
  const share = (number: number) => Math.min(1, Math.max(0, (number - min) / (max - min || 1)));
  const arc = (from: number, to: number, inner: number, outer: number, fill: string, key: string) => (
    <path key={key} d={ring(centre, inner, outer, angle(from), angle(to))} fill={fill} />
  );
  const steps = sortThresholds([...(field.thresholds?.steps ?? [])]);
  const limits = steps.map((step) => share(step.value ?? min));
  const text = formattedValueToString(display);
  const size = Math.min(radius * 0.5, (radius * 2.1) / Math.max(text.length, 3));
  return (
    <svg width={width} height={height}>
      {arc(0, 1, radius * 0.72, radius * 0.92, theme.colors.background.secondary, 'whole')}
      {Number.isFinite(display.numeric) &&
        arc(0, share(display.numeric), radius * 0.72, radius * 0.92, display.color ?? '#888', 'value')}
      {markers &&
        steps.map((step, index) =>
          arc(
            Math.max(0, limits[index]),
            limits[index + 1] ?? 1,
            radius * 0.95,
            radius,
            theme.visualization.getColorByName(step.color),
            `step ${index}`
          )
        )}
      <text x={centre.x} y={centre.y + size * 0.3} fontSize={size} fontWeight={500} textAnchor="middle" fill={display.color}>
        {text}
      </text>
      {named && (
        <text x={centre.x} y={height - 4} fontSize={13} textAnchor="middle" fill={theme.colors.text.primary}>
          {display.title}
        </text>
      )}
    </svg>
  );
}

function angle(share: number): number {
  return ((FROM + (TO - FROM) * share) * Math.PI) / 180;
}

function ring(centre: { x: number; y: number }, inner: number, outer: number, from: number, to: number): string {
  const at = (radius: number, angle: number) =>
    `${centre.x + radius * Math.sin(angle)} ${centre.y - radius * Math.cos(angle)}`;
  const large = to - from > Math.PI ? 1 : 0;
  return (
    `M ${at(outer, from)} A ${outer} ${outer} 0 ${large} 1 ${at(outer, to)} ` +
    `L ${at(inner, to)} A ${inner} ${inner} 0 ${large} 0 ${at(inner, from)} Z`
  );
}
