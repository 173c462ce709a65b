export {
  appendTransaction,
  appliedWebhook,
  erasePayments,
  insertPayment,
  isWebhookGivenUp,
  markWebhookApplied,
  noteWebhookFailure,
  noteProviderState,
  paymentOfEvent,
  removeAppliedWebhooks,
  removeUnappliedWebhooks,
  storeWebhook,
  unappliedWebhooks,
  type NewTransaction,
  type PaymentRow,
} from './queries/payments.ts';
export { PAYMENT_STATUSES, paymentState, type TransactionRow } from './rules.ts';
export { answerPayment, answerVerb, askVerb, paymentAdminRoutes, VERB } from './admin-routes.ts';
export { stepOf } from './providers/stripe-units.ts';
export { insertRefund, openRequest } from './queries/requests.ts';
export { hasFailedSince } from './queries/told.ts';
export { returnLatePayment } from './late.ts';
export { applyDispute, reconcileAuthorized, reconcileRefunds } from './told.ts';
export { assertSettled, settleOpenRequests, settleRequest } from './requests.ts';
export {
  assertManualAllowed,
  assertPayable,
  onlineProvider,
  providerIfAvailable,
  type ProviderName,
} from './service.ts';
export type { Outcome, WebhookEvent } from './provider.ts';
export { RefundReason, VoidInput } from './schema.ts';
