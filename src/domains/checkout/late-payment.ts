export { returnLatePayment } from '../payments/index.ts';
