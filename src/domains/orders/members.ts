import * as z from 'zod';

/** What the refusals of an order's verbs say for a machine: the state and the moves it has, and how much is left. */
export const members = {
  from: z.string().optional(),
  legal: z.array(z.string()).optional(),
  left: z.int().optional(),
};
