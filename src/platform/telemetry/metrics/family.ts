/** A metric family as it is exposed, pushed and written on; the common tongue of aggregator, exposition and remote write. */
export interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
  samples: Sample[];
}

export interface Sample {
  /** Full name, with _total, _bucket, _sum or _count. */
  name: string;
  labels: Record<string, string>;
  value: number;
  timestampMs?: number;
}
