export {
  appendTransaction,
  erasePayments,
  insertPayment,
  markWebhookApplied,
  noteProviderState,
  paymentById,
  recordReturn,
  storeWebhook,
  type NewTransaction,
  type PaymentRow,
} from './queries.ts';
export { paymentState, type TransactionRow } from './rules.ts';
export { assertManualAllowed, onlineProvider, type ProviderName } from './service.ts';
export type { Outcome } from './provider.ts';
