import * as z from 'zod';
import { text } from '../../platform/http/schema.ts';
import { CartId, NewCart } from '../cart/index.ts';

const Payment = z.strictObject({
  provider: z.enum(['test', 'manual', 'stripe']),
  /** What the provider's own form gave the client: tok_ok of `test`, pm_... of `stripe`; `manual` takes none. */
  token: text(255).optional(),
  capture: z.enum(['automatic', 'manual']).default('automatic'),
});

const PAYMENT_METHOD = /^pm_/;

/** A cart by its id, or all of it at once. `expected_total` refuses the order when the price has moved. */
export const NewOrder = z
  .strictObject({
    cart_id: CartId.optional(),
    cart: NewCart.optional(),
    expected_total: z.int().min(0).optional(),
    payment: Payment,
  })
  .superRefine((value, context) => {
    if ((value.cart_id === undefined) === (value.cart === undefined)) {
      context.addIssue({ code: 'custom', path: ['cart_id'], message: 'Send either cart_id or cart.' });
    }
    if (value.payment.provider !== 'manual' && value.payment.token === undefined) {
      context.addIssue({ code: 'custom', path: ['payment', 'token'], message: 'This provider needs a token.' });
    }
    if (value.payment.provider === 'stripe' && !PAYMENT_METHOD.test(value.payment.token ?? 'pm_')) {
      const message = 'A payment method of Stripe, such as pm_1Q2w3E.';
      context.addIssue({ code: 'custom', path: ['payment', 'token'], message });
    }
  })
  .meta({
    oneOf: [{ required: ['cart_id'] }, { required: ['cart'] }],
    example: { cart_id: 'the id of your cart', payment: { provider: 'test', token: 'tok_ok' } },
  });
export type NewOrder = z.output<typeof NewOrder>;
