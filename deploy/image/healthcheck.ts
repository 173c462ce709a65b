// Exit code 0 when this container's own /health/live answers 200: the image has no wget.
import http from 'node:http';
import https from 'node:https';

const { PORT, TLS_ENABLED } = process.env;
const options = { host: '127.0.0.1', port: PORT || '8080', path: '/health/live', timeout: 9_000 };
/** The certificate is made out to a name, not to the loopback address. */
const request =
  TLS_ENABLED === 'true' ? https.get({ ...options, rejectUnauthorized: false }) : http.get({ ...options });

request
  .on('response', ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
