// Bundles the page and what it uses into build/.
import { copyFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { build } from 'esbuild';

// Grafana's packages as CommonJS: their .mjs files import CommonJS packages in a way that bundlers and
// Node.js read differently. All of them, so that each is there once.
const require = createRequire(import.meta.url);
const asCommonJs = {
  name: 'grafana-as-commonjs',
  setup: (bundle) =>
    bundle.onResolve({ filter: /^@grafana\/[\w-]+$/ }, ({ path }) => ({ path: require.resolve(path) })),
};

await build({
  entryPoints: ['src/page.tsx'],
  bundle: true,
  outfile: 'build/page.js',
  format: 'iife',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.ttf': 'empty', '.woff': 'dataurl', '.woff2': 'dataurl', '.svg': 'dataurl', '.png': 'dataurl' },
  plugins: [asCommonJs],
  logLevel: 'warning',
});
await copyFile('src/page.html', 'build/page.html');
