import protobuf from 'protobufjs';

/** prometheus.WriteRequest of remote write 1.0: https://prometheus.io/docs/specs/prw/remote_write_spec/ */
const SCHEMA = `
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; reserved 2; repeated MetricMetadata metadata = 3; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message MetricMetadata { int32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
`;
const WriteRequest = protobuf.parse(SCHEMA).root.lookupType('WriteRequest');

export interface DecodedRequest {
  timeseries: {
    labels: { name: string; value: string }[];
    samples: { value: number; timestamp: number }[];
  }[];
  /** What is zero or empty is left out. */
  metadata: { type?: number; metricFamilyName: string; help?: string }[];
}

/** By an implementation that is not ours. */
export function decodeWriteRequest(body: Uint8Array): DecodedRequest {
  return WriteRequest.toObject(WriteRequest.decode(body), { longs: Number, arrays: true }) as DecodedRequest;
}
