import protobuf from 'protobufjs';

/** io.prometheus.client, as far as pushes use it: https://github.com/prometheus/client_model */
const SCHEMA = `
  syntax = "proto2";
  message LabelPair { optional string name = 1; optional string value = 2; }
  enum MetricType { COUNTER = 0; GAUGE = 1; SUMMARY = 2; UNTYPED = 3; HISTOGRAM = 4; }
  message Simple { optional double value = 1; }
  message Quantile { optional double quantile = 1; optional double value = 2; }
  message Summary { optional uint64 sample_count = 1; optional double sample_sum = 2; repeated Quantile quantile = 3; }
  message Bucket { optional uint64 cumulative_count = 1; optional double upper_bound = 2; }
  message Histogram { optional uint64 sample_count = 1; optional double sample_sum = 2; repeated Bucket bucket = 3; }
  message Metric {
    repeated LabelPair label = 1; optional Simple gauge = 2; optional Simple counter = 3; optional Summary summary = 4;
    optional Simple untyped = 5; optional int64 timestamp_ms = 6; optional Histogram histogram = 7;
  }
  message MetricFamily { optional string name = 1; optional string help = 2; optional MetricType type = 3; repeated Metric metric = 4; }
`;
const MetricFamily = protobuf.parse(SCHEMA).root.lookupType('MetricFamily');

/** Each family behind its length. */
export function delimited(families: object[]): Uint8Array<ArrayBuffer> {
  const parts = families.map((family) => MetricFamily.encodeDelimited(MetricFamily.fromObject(family)).finish());
  return new Uint8Array(Buffer.concat(parts));
}
