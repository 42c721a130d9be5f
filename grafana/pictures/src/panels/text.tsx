/** Markdown, by Grafana's own renderer. */

import { renderMarkdown } from '@grafana/data';

import { PanelProps } from './props';

export function Text({ panel, replaceVariables, height }: PanelProps) {
  const html = renderMarkdown(replaceVariables(panel.options.content ?? ''));
  return <div className="markdown-html" style={{ height, overflow: 'hidden' }} dangerouslySetInnerHTML={{ __html: html }} />;
}
