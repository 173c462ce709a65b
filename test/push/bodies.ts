import { type Case, fill, loosely, one, post, put } from './case.ts';
import { delimited } from './delimited.ts';

const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
const families = (all: object[]) => (name: string) =>
  delimited(JSON.parse(fill(JSON.stringify(all), name)) as object[]);

const bad = (body: string): Case => one(`bad input: ${JSON.stringify(body)}`, post('/metrics/job/$', body));
const good = (body: string): Case => one(`text: ${JSON.stringify(body)}`, post('/metrics/job/$', body));

const HISTOGRAM = [
  '# HELP $_h Sizes.',
  '# TYPE $_h histogram',
  '$_h_bucket{le="1"} 1',
  '$_h_bucket{le="1000000"} 3',
  '$_h_bucket{le="+Inf"} 4',
  '$_h_sum 12.5',
  '$_h_count 4',
  '',
].join('\n');
const SUMMARY = '# TYPE $_s summary\n$_s{quantile="0.5",a="b"} 1\n$_s_sum{a="b"} 3\n$_s_count{a="b"} 2\n';

export const texts: Case[] = [
  '$_a 1\n',
  '$_a{} 1\n',
  '$_a{x="1",} 1\n',
  '\t $_a\t{ x = "1" , y = "2" }\t1\t9\n',
  '\n\n# note\n#\n#HELP\n# HELP\n$_a 1\n',
  '# HELP $_a Help \\\\ with \\n in it\n$_a 1\n',
  '# HELP $_a\n$_a 1\n',
  '# TYPE $_a GAUGE\n$_a 1\n',
  '# TYPE $_a gauge\n',
  '$_a NaN\n$_b +Inf\n$_c -Inf\n$_d inf\n$_e .5\n$_f 5.\n$_g 1e-7\n$_h 1e21\n$_i 123456789\n$_j -0\n',
  '$_a:b:c 1\n:$_x 1\n',
  '$_a{x="q\\"n\\nb\\\\ é 😀"} 1\n',
  '$_a 1\n$_b 2\n$_a{x="1"} 3\n',
  '# TYPE $_c counter\n$_c -1\n',
  '$_c_total 1\n$_c_count 1\n',
  HISTOGRAM,
  SUMMARY,
  '# TYPE $_h histogram\n$_h_bucket{le="1"} 1\n',
  '# TYPE $_h histogram\n$_h_sum 1\n$_h_count 1.5\n$_h 7\n',
  '# TYPE $_s summary\n$_s_sum 1\n',
  '# TYPE $_h histogram\n$_h_bucket{x="1",le="1"} 1\n$_h_bucket{x="2",le="1"} 1\n',
  '$_a 1\r\n',
  '$_a 1\n$_a{x=""} 1\n',
].map(good);

export const badTexts: Case[] = [
  '$_a 1',
  '$_a',
  '$_a\n',
  '$_a x\n',
  '$_a 1 2 3\n',
  '$_a 1 2.5\n',
  '$_a 0x10\n',
  '$_a 1_0\n',
  '$_a 1e999\n',
  '$_a 1 2\n',
  '$_a ',
  '9a 1\n',
  '$_a-b 1\n',
  '{x="1"} 1\n',
  'bad line here\n',
  '$_a{ 1\n',
  '$_a{x} 1\n',
  '$_a{x=1} 1\n',
  '$_a{x="1} 1\n',
  '$_a{x="1"\n',
  '$_a{x="1" y="2"} 1\n',
  '$_a{1="1"} 1\n',
  '$_a{x="\\x"} 1\n',
  '$_a{x="1"}\n',
  '$_a{x="1"} \n',
  '$_a{__x="1"} 1\n',
  '$_a{__name__="b"} 1\n',
  '# HELP $_a One\n# HELP $_a Two\n$_a 1\n',
  '# TYPE $_a gauge\n# TYPE $_a gauge\n$_a 1\n',
  '$_a 1\n# TYPE $_a gauge\n',
  '# TYPE $_a wrong\n$_a 1\n',
  '# HELP $_a bad \\x escape\n$_a 1\n',
  '# TYPE $-a gauge\n',
  '# note',
  '# HELP $_a text',
  '$_a{x="1",x="2"} 1\n',
  '$_a{,} 1\n',
  '$_a{x=""y=""} 1\n',
  '$_a{x="line\nbreak"} 1\n',
  '$_a 1\n$_a 2\n',
  '$_a{x="1"} 1\n$_a{x="1"} 1\n',
  '$_a{job="1"} 1\n$_a{job="2"} 1\n',
  '$_a 1 \n',
  '$_a 1\n  x',
  '# TYPE $_s summary\n$_s{quantile="x"} 1\n',
  '# TYPE $_h histogram\n$_h_bucket{le="x"} 1\n',
  '$_é 1\n',
  '$_a{é="1"} 1\n',
  '$_a 1,5\n',
  '$_a "1"\n',
].map(bad);

const counter = {
  name: '$_c',
  help: 'Count.',
  type: 'COUNTER',
  metric: [{ label: [{ name: 'a', value: 'é' }], counter: { value: 2 } }],
};
export const conflicts: Case[] = [
  ...['\xff', '\xed\xa0\x80', '\xe0\x80\x80', '\xf4\x90\x80\x80', 'a\xc3'].map((bytes) =>
    one(
      `a label value that is not UTF-8: ${Buffer.from(bytes, 'latin1').toString('hex')}`,
      post('/metrics/job/$', (name) => new Uint8Array(Buffer.from(`${name}_a{x="${bytes}"} 1\n`, 'latin1'))),
    ),
  ),
  one(
    'one family of two types, in one group',
    put('/metrics/job/$', '$_a 1\n'),
    post('/metrics/job/$', '# TYPE $_a counter\n$_a 1\n'),
  ),
  loosely(
    'one family of two types, in two groups',
    put('/metrics/job/$/i/1', '$_a 1\n'),
    post('/metrics/job/$/i/2', '# TYPE $_a gauge\n$_a 1\n'),
  ),
  loosely(
    'a name of a part of a histogram',
    put('/metrics/job/$', HISTOGRAM),
    put('/metrics/job/$/i/1', '$_h_count 1\n'),
  ),
  loosely(
    'a histogram over the names of others',
    put('/metrics/job/$', '$_s_sum 1\n'),
    put('/metrics/job/$/i/1', SUMMARY),
  ),
  loosely(
    'a histogram declared after its buckets',
    put('/metrics/job/$', '$_h_bucket{le="1"} 1\n# TYPE $_h histogram\n$_h_count 1\n'),
  ),
  {
    ...one(
      'help that differs between groups',
      put('/metrics/job/$/i/1', '# HELP $_a A.\n$_a 1\n'),
      put('/metrics/job/$/i/2', '# HELP $_a B.\n$_a 1\n'),
    ),
    answersOnly: true,
  },
  loosely('several faults at once', put('/metrics/job/$', '$_a 1\n$_a 1\n$_b 1\n$_b 1\n')),
];
export const protobuf: Case[] = [
  one('protobuf: counter', put('/metrics/job/$', families([counter]), PROTOBUF)),
  one(
    'protobuf: parameters in another order',
    put('/metrics/job/$', families([counter]), PROTOBUF.replace(/; (.*); (.*)/, '; $2;$1')),
  ),
  one(
    'protobuf: every type',
    put(
      '/metrics/job/$',
      families([
        counter,
        { name: '$_g', type: 'GAUGE', metric: [{ gauge: { value: -1.5 } }] },
        { name: '$_u', type: 'UNTYPED', metric: [{ untyped: { value: 1 } }] },
        {
          name: '$_s',
          type: 'SUMMARY',
          metric: [{ summary: { sampleCount: 3, sampleSum: 4.5, quantile: [{ quantile: 0.5, value: 1 }] } }],
        },
        {
          name: '$_h',
          type: 'HISTOGRAM',
          metric: [
            { histogram: { sampleCount: 3, sampleSum: 4.5, bucket: [{ cumulativeCount: 1, upperBound: 0.5 }] } },
          ],
        },
      ]),
      PROTOBUF,
    ),
  ),
  one('protobuf: nothing', put('/metrics/job/$', '', PROTOBUF)),
  one(
    'protobuf: timestamps',
    put('/metrics/job/$', families([{ ...counter, metric: [{ counter: { value: 1 }, timestampMs: 5 }] }]), PROTOBUF),
  ),
  one('protobuf: value of another type', put('/metrics/job/$', families([{ ...counter, type: 'GAUGE' }]), PROTOBUF)),
  one(
    'protobuf: a label twice',
    put(
      '/metrics/job/$',
      families([
        {
          ...counter,
          metric: [
            {
              counter: { value: 1 },
              label: [
                { name: 'a', value: '1' },
                { name: 'a', value: '2' },
              ],
            },
          ],
        },
      ]),
      PROTOBUF,
    ),
  ),
  one(
    'protobuf: a bad label name',
    put(
      '/metrics/job/$',
      families([{ ...counter, metric: [{ counter: { value: 1 }, label: [{ name: 'a-b', value: '1' }] }] }]),
      PROTOBUF,
    ),
  ),
  loosely(
    'protobuf: cut short',
    put('/metrics/job/$', (name) => families([counter])(name).subarray(0, 20), PROTOBUF),
  ),
  loosely('protobuf: text sent as it', put('/metrics/job/$', '$_a 1\n', PROTOBUF)),
];
