// The self-hosted shop, one replica: node deploy/supervisor/main.ts --bundle DIR
import { run } from './run.ts';

await run(process.env, process.argv.slice(2));
