/** The closed table of refusals: code, HTTP status and title. Codes are API; a client may switch on them. */
export const ERRORS = {
  malformed_request: [400, 'The request is malformed'],
  unauthenticated: [401, 'Authentication is needed'],
  invalid_credentials: [401, 'E-mail or password is wrong'],
  totp_required: [401, 'A second factor is needed'],
  payment_declined: [402, 'The payment was declined'],
  forbidden: [403, 'Not permitted'],
  totp_enrollment_required: [403, 'Set up a second factor first'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  account_not_linked: [409, 'No account can be tied to this sign-in'],
  cart_already_completed: [409, 'The cart has an order already'],
  cart_changed: [409, 'The cart has changed'],
  conflict: [409, 'In conflict with what is there'],
  email_taken: [409, 'The e-mail address is taken'],
  illegal_transition: [409, 'Not possible in this state'],
  idempotency_in_flight: [409, 'The same request is still running'],
  insufficient_stock: [409, 'Not enough stock'],
  precondition_failed: [412, 'The resource has changed'],
  payload_too_large: [413, 'The request body is too large'],
  unsupported_media_type: [415, 'The request body must be JSON'],
  precondition_required: [428, 'If-Match is needed'],
  headers_too_large: [431, 'The request headers are too large'],
  validation_failed: [422, 'The request breaks a rule'],
  idempotency_key_reused: [422, 'The idempotency key was used for another request'],
  cart_incomplete: [422, 'The cart is not ready to be ordered'],
  cart_full: [422, 'The cart is full'],
  discount_code_invalid: [422, 'The discount code does not apply'],
  provider_unavailable: [422, 'The payment provider is not available here'],
  shipping_option_unavailable: [422, 'The shipping option does not fit the cart'],
  token_invalid: [422, 'The token was used, has expired or was never issued'],
  sku_unavailable: [422, 'The SKU cannot be bought'],
  rate_limited: [429, 'Too many requests'],
  login_locked: [429, 'Too many failed sign-ins'],
  internal: [500, 'Something went wrong on our side'],
  dependency_unavailable: [503, 'A service we depend on does not answer'],
  misconfigured: [503, 'The service is misconfigured'],
  overloaded: [503, 'The service is busy'],
  payment_in_doubt: [503, 'The outcome of the payment is not known yet'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof ERRORS;

/** One broken field; `param` is a JSON path such as `items[0].quantity`. */
export interface FieldError {
  param: string;
  code: string;
  message: string;
  /** More members for a machine, such as `requested` and `available` of a short line. */
  [member: string]: unknown;
}

export interface AppErrorOptions {
  param?: string | undefined;
  errors?: FieldError[];
  retryAfterS?: number;
  /** Extension members of the problem document. */
  members?: Record<string, unknown>;
  cause?: unknown;
}

/** A refusal with a text for the caller; `cause` is for the log only. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly options: AppErrorOptions;

  constructor(code: ErrorCode, publicMessage: string, options: AppErrorOptions = {}) {
    super(publicMessage, { cause: options.cause });
    this.code = code;
    this.options = options;
  }

  get status(): number {
    return ERRORS[this.code][0];
  }
}

/** The same refusal for a part of the request: `items[0]` becomes `cart.items[0]`. */
export function within(part: string, { code, message, options }: AppError): AppError {
  const { param, errors } = options;
  return new AppError(code, message, {
    ...options,
    ...(param !== undefined && { param: `${part}.${param}` }),
    ...(errors && { errors: errors.map((error) => ({ ...error, param: `${part}.${error.param}` })) }),
  });
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** `param` names what was looked for; a stranger's row and a missing one read alike. */
export function notFound(what: string, param = 'id'): AppError {
  return new AppError('not_found', `No such ${what}.`, { param });
}

/** 409 for a move that the state does not have; names the state and the moves it has. */
export function illegalTransition(from: string, legal: readonly string[], message: string): AppError {
  return new AppError('illegal_transition', message, { members: { from, legal } });
}
