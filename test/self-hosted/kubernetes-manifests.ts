import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { Manifest } from './kubernetes-schema.ts';

const FOLDER = join(import.meta.dirname, '../../deploy/kubernetes');

/** What a test reads of a manifest. */
// oxlint-disable-next-line typescript/no-explicit-any -- the schema types it; here it is read by path
export type Json = any;

export const manifests = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .flatMap((file) =>
    parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map((document) => {
      if (document.errors.length > 0) throw document.errors[0]!;
      return document.toJS() as Manifest;
    }),
  );

/** A copy of one manifest. */
export const named = (kind: string, name: string): Json =>
  structuredClone(manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name));

export const workloads: Json[] = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind));

/** By what Kubernetes finds an entry of a list again; the other lists are replaced whole. */
const MERGE_KEYS: Record<string, string> = {
  containers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  ports: 'port',
};

/** A manifest after a file of deploy/kubernetes/own-tls, as `kubectl patch` merges it. */
export function patched(kind: string, name: string): Json {
  const patch = parse(readFileSync(join(FOLDER, 'own-tls', `${kind.toLowerCase()}.yaml`), 'utf8'));
  return merge(named(kind, name), patch);
}

function merge(base: Json, patch: Json, key = ''): Json {
  if (Array.isArray(patch)) return Array.isArray(base) && key in MERGE_KEYS ? mergeLists(base, patch, key) : patch;
  if (typeof patch !== 'object' || patch === null) return patch;
  const entries = Object.entries(patch).map(([name, value]) => [name, merge(base?.[name], value, name)]);
  return { ...base, ...Object.fromEntries(entries) };
}

function mergeLists(base: Json[], patch: Json[], key: string): Json[] {
  // A policy's rules have ports without a number to find them by, and are replaced with the list that they stand in.
  const id = (entry: Json): unknown => entry[MERGE_KEYS[key] ?? ''];
  const kept = base.filter((old) => patch.every((entry) => id(entry) !== id(old)));
  const changed = patch
    .filter(({ $patch }) => $patch !== 'delete')
    .map((entry) =>
      merge(
        base.find((old) => id(old) === id(entry)),
        entry,
      ),
    );
  return [...changed, ...kept];
}
