import * as oauth from 'oauth4webapi';
import { AppError } from '../../../platform/errors.ts';
import { ProviderSilent, refused, unavailable } from './calls.ts';

/** Codes of the library that say the provider is not in order, rather than the sign-in. */
const NOT_IN_ORDER = new Set<string | undefined>([
  oauth.RESPONSE_IS_NOT_CONFORM,
  oauth.RESPONSE_IS_NOT_JSON,
  oauth.MISSING_SERVER_METADATA,
  oauth.INVALID_SERVER_METADATA,
  oauth.REQUEST_PROTOCOL_FORBIDDEN,
]);

/** RFC 6749, 4.1.2.1: what the provider says of itself in the browser's address. */
const PASSING = new Set(['server_error', 'temporarily_unavailable']);

/** What a failed exchange answers; a fault of our own stays what it is. */
export function toRefusal(error: unknown): unknown {
  if (error instanceof ProviderSilent || error instanceof oauth.WWWAuthenticateChallengeError)
    return unavailable(error);
  if (error instanceof oauth.AuthorizationResponseError) {
    if (PASSING.has(error.error)) return unavailable(new Error(error.message));
    return new AppError('unauthenticated', 'The identity provider did not sign you in.', { param: 'error' });
  }
  // Anything but a bad code is about how we are registered there (RFC 6749, 5.2).
  if (error instanceof oauth.ResponseBodyError) {
    return error.error === 'invalid_grant' ? refused(error) : unavailable(new Error(error.message));
  }
  if (error instanceof oauth.OperationProcessingError) {
    return NOT_IN_ORDER.has(error.code) ? unavailable(new Error(error.message)) : refused(error);
  }
  return error instanceof oauth.UnsupportedOperationError ? refused(error) : error;
}
