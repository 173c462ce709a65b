import { bindingChecks } from './bindings.ts';
import type { Check } from './check.ts';
import { liveChecks } from './live.ts';
import { settingChecks } from './settings.ts';
import { watcherChecks } from './watchers.ts';

/** What is written first, then what answers, then who watches it. */
export const CHECKS: readonly Check[] = [...bindingChecks, ...settingChecks, ...liveChecks, ...watcherChecks];
