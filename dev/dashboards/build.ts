import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS, dashboardJson } from './grafana.ts';

/** Writes observability/dashboards anew. A test fails while what is committed differs. */
const folder = join(import.meta.dirname, '../../observability/dashboards');
mkdirSync(folder, { recursive: true });
for (const dashboard of DASHBOARDS) writeFileSync(join(folder, `${dashboard.name}.json`), dashboardJson(dashboard));
console.log(`${DASHBOARDS.length} dashboards in ${folder}`);
