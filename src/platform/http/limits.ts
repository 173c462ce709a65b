import { AppError } from '../errors.ts';
import type { RateLimit, RateLimitState } from '../cache/pipeline.ts';
import type { Config } from '../config.ts';
import { subjectOf, type Actor } from '../auth/actor.ts';
import type { AppContext } from './context.ts';

/** Routes that are worth more to an attacker than others have a limit of their own beside the one that all share. */
export type RouteLimit = 'login' | 'register' | 'reset' | 'order';

const ROUTE_LIMITS: Record<RouteLimit, (config: Config) => number> = {
  login: (config) => config.RATE_LIMIT_LOGIN,
  register: (config) => config.RATE_LIMIT_REGISTER,
  reset: (config) => config.RATE_LIMIT_RESET,
  order: (config) => config.RATE_LIMIT_ORDER,
};

/** The shared limit, by address for guests and by subject for the rest, and the route's own, by address unless signed in. */
export function limitsOf(config: Config, actor: Actor, route: RouteLimit | undefined): RateLimit[] {
  if (!config.RATE_LIMIT_ENABLED) return [];
  const isGuest = actor.kind === 'guest';
  const windowS = config.RATE_LIMIT_WINDOW;
  const subject = subjectOf(actor);
  const shared = {
    name: isGuest ? 'public' : 'authenticated',
    subject,
    requestsMax: isGuest ? config.RATE_LIMIT_PUBLIC : config.RATE_LIMIT_AUTHENTICATED,
    windowS,
  };
  return route === undefined
    ? [shared]
    : [shared, { name: route, subject, requestsMax: ROUTE_LIMITS[route](config), windowS }];
}

/** The one that refuses, else the one that is nearest to it. */
function nearestOf(states: readonly RateLimitState[]): RateLimitState | undefined {
  return states.toSorted((a, b) => Number(a.allowed) - Number(b.allowed) || a.remaining - b.remaining)[0];
}

/** Tells the caller how the nearest limit stands; one that is used up refuses the request with 429. */
export function applyLimits(c: AppContext, states: readonly RateLimitState[]): void {
  const { clock, metrics } = c.get('deps');
  const nearest = nearestOf(states);
  if (!nearest) return;
  const resetS = Math.max(1, Math.ceil((nearest.resetAtMs - clock.now().getTime()) / 1000));
  c.header('RateLimit-Limit', String(nearest.limit));
  c.header('RateLimit-Remaining', String(nearest.remaining));
  c.header('RateLimit-Reset', String(resetS));
  c.header(
    'RateLimit-Policy',
    states.map(({ name, limit, windowS }) => `${limit};w=${windowS};name="${name}"`).join(', '),
  );
  c.get('record').limiter = nearest.allowed ? 'allowed' : 'limited';
  if (nearest.allowed) return;
  metrics.count('ecommerce_rate_limited_total', [nearest.name]);
  throw new AppError('rate_limited', `Try again in ${resetS} s.`, { retryAfterS: resetS });
}

const windows = new Map<string, { count: number; endsAtMs: number }>();
const WINDOWS_MAX = 10_000;

const windowKey = ({ name, subject }: RateLimit): string => `${name} ${subject}`;

/** Whether the next one that countLocally() counts is over the limit. */
export function isUsedUp(limit: RateLimit, nowMs: number): boolean {
  const window = windows.get(windowKey(limit));
  return window !== undefined && window.endsAtMs > nowMs && window.count >= limit.requestsMax;
}

/** The same limits, counted by this isolate alone: what holds writes back while Redis does not answer. */
export function countLocally(limits: readonly RateLimit[], nowMs: number): RateLimitState[] {
  if (windows.size > WINDOWS_MAX) windows.clear();
  return limits.map((limit) => {
    const { name, requestsMax, windowS } = limit;
    const key = windowKey(limit);
    const known = windows.get(key);
    const window = known && known.endsAtMs > nowMs ? known : { count: 0, endsAtMs: nowMs + windowS * 1000 };
    window.count += 1;
    windows.set(key, window);
    return {
      name,
      allowed: window.count <= requestsMax,
      limit: requestsMax,
      remaining: Math.max(0, requestsMax - window.count),
      windowS,
      resetAtMs: window.endsAtMs,
    };
  });
}
