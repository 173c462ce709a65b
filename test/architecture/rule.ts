import type { Source } from './source.ts';

export interface Repository {
  /** Every file of the project, from its root. */
  paths: string[];
  /** The TypeScript files, read. */
  sources: Source[];
}

export interface Violation {
  path: string;
  line: number;
  message: string;
}

export interface Rule {
  name: string;
  check(repository: Repository): Violation[];
}
