import type { Deployment } from './deployment.ts';

/** What a check found; the remedy says what to do about a fault. */
export interface Verdict {
  result: 'pass' | 'fail' | 'skipped';
  seen: string;
  remedy: string;
}

export interface Check {
  /** As the checklist names it. */
  id: string;
  title: string;
  run: (deployment: Deployment) => Verdict | Promise<Verdict>;
}

export type Finding = Pick<Check, 'id' | 'title'> & Verdict;

export const pass = (seen: string): Verdict => ({ result: 'pass', seen, remedy: '' });
export const fail = (seen: string, remedy: string): Verdict => ({ result: 'fail', seen, remedy });
/** `remedy` says how the check could be made. */
export const skipped = (seen: string, remedy = ''): Verdict => ({ result: 'skipped', seen, remedy });

/** Every check in turn; one that breaks down has failed. Calls `onProgress` after each. */
export async function examine(
  checks: readonly Check[],
  deployment: Deployment,
  onProgress: (finding: Finding) => void = () => undefined,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { id, title, run } of checks) {
    let verdict: Verdict;
    try {
      verdict = await run(deployment);
    } catch (error) {
      verdict = fail(reasonOf(error), 'see whether the address is right and answers');
    }
    const finding = { id, title, ...verdict };
    findings.push(finding);
    onProgress(finding);
  }
  return findings;
}

/** Fetch says why in the cause only. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
