export interface Step {
  method: 'PUT' | 'POST' | 'DELETE';
  path: string;
  /** `$` in it is filled in; bytes are made for the name. */
  body?: string | ((name: string) => Uint8Array<ArrayBuffer>);
  type?: string;
}

export interface Case {
  name: string;
  steps: Step[];
  /** The gateway's message names whatever its maps came to first, or the internals of Go: only its first words count. */
  firstWords?: true;
  /** The gateway's own exposition is broken by it, or left to chance, so there is nothing to compare. */
  answersOnly?: true;
}

export const put = (path: string, body: Step['body'] = '', type?: string): Step => step('PUT', path, body, type);
export const post = (path: string, body: Step['body'] = '', type?: string): Step => step('POST', path, body, type);
export const remove = (path: string): Step => step('DELETE', path);
function step(method: Step['method'], path: string, body?: Step['body'], type?: string): Step {
  return { method, path, ...(body !== undefined && { body }), ...(type !== undefined && { type }) };
}

/** `$` is a name of this case alone, in paths and bodies. */
export const one = (name: string, ...steps: Step[]): Case => ({ name, steps });
export const loosely = (name: string, ...steps: Step[]): Case => ({ name, steps, firstWords: true });
const base64 = (text: string): string => Buffer.from(text).toString('base64url');

/** A name of the case alone, with its twin in base64. */
export function fill(text: string, name: string): string {
  return text.replaceAll('$', name).replaceAll('JOB64', base64(name));
}
