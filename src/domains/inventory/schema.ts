import * as z from 'zod';
import { countryCode, listOf, moment, text, timestamp, uuid } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';

/** Far below int4, so that sums of some of them stay inside it. */
const UNITS_MAX = 100_000_000;
const units = z.int().min(0).max(UNITS_MAX);

/** `available` is what can be promised from here: on hand and on backorder, less what is kept back and promised already. */
export const StockLevel = z
  .object({
    sku_id: z.string(),
    sku_code: z.string(),
    location_id: z.string(),
    on_hand: z.int(),
    reserved: z.int(),
    available: z.int(),
    backorder_limit: z.int(),
    safety_stock: z.int(),
    /** Promised units that a count found missing. */
    shortfall: z.int(),
    low_stock_threshold: z.int().nullable(),
    expected_at: timestamp.nullable(),
    version: z.int(),
  })
  .meta({ id: 'StockLevel' });
export const StockLevelList = listOf(StockLevel).meta({ id: 'StockLevelList' });

export const LevelQuery = z.strictObject({
  ...pageQuery,
  sku_id: uuid.optional(),
  location_id: uuid.optional(),
  low_stock: z.enum(['true']).optional(),
});
export type LevelQuery = z.output<typeof LevelQuery>;

export const LevelPath = z.object({ sku_id: uuid, location_id: uuid });
export type LevelPath = z.output<typeof LevelPath>;

/** What is left out stays as it is. */
export const LevelPatch = z.strictObject({
  backorder_limit: units.optional(),
  safety_stock: units.optional(),
  low_stock_threshold: units.nullable().optional(),
  expected_at: moment.nullable().optional(),
});
export type LevelPatch = z.output<typeof LevelPatch>;

const REASONS = ['received', 'count', 'damaged', 'lost', 'returned', 'correction'] as const;

/** A count (`set`) or a change (`delta`); without a location, the first one. */
export const Adjustment = z
  .strictObject({
    sku_id: uuid,
    location_id: uuid.optional(),
    set: units.optional(),
    delta: z
      .int()
      .min(-UNITS_MAX)
      .max(UNITS_MAX)
      .refine((delta) => delta !== 0, 'must not be 0')
      .optional(),
    reason: z.enum(REASONS),
  })
  .refine(({ set, delta }) => (set === undefined) !== (delta === undefined), {
    error: 'give either set or delta',
    path: ['set'],
  })
  .meta({ oneOf: [{ required: ['set'] }, { required: ['delta'] }] });
export type Adjustment = z.output<typeof Adjustment>;

/** `short_orders`: whose units are promised here, not there, and not on backorder; the latest first. Somebody has to tell them. */
export const AdjustedLevel = z
  .object({
    level: StockLevel,
    short_orders: z.array(z.object({ order_id: z.string(), number: z.string(), quantity: z.int() })),
  })
  .meta({ id: 'AdjustedLevel' });

export const Transfer = z.strictObject({
  sku_id: uuid,
  from_location_id: uuid,
  to_location_id: uuid,
  quantity: z.int().min(1).max(UNITS_MAX),
});
export type Transfer = z.output<typeof Transfer>;
export const Transferred = z.object({ from: StockLevel, to: StockLevel }).meta({ id: 'Transferred' });

/** One row of the append-only ledger; all of a level's rows sum to the level. */
export const StockMovement = z
  .object({
    id: z.int(),
    sku_id: z.string(),
    location_id: z.string(),
    on_hand_delta: z.int(),
    reserved_delta: z.int(),
    shortfall_delta: z.int(),
    reason: z.string(),
    reference: z.string().nullable(),
    actor: z.string().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'StockMovement' });
export const StockMovementList = listOf(StockMovement).meta({ id: 'StockMovementList' });
export const MovementQuery = z.strictObject({ ...pageQuery, sku_id: uuid.optional(), location_id: uuid.optional() });
export type MovementQuery = z.output<typeof MovementQuery>;

export const StockLocation = z
  .object({
    id: z.string(),
    code: z.string(),
    name: z.string(),
    priority: z.int(),
    countries: z.array(z.string()),
    active: z.boolean(),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'StockLocation' });
export const StockLocationList = listOf(StockLocation).meta({ id: 'StockLocationList' });

const priority = z.int().min(-1000).max(1000);
const countries = z.array(countryCode).max(250);
/** Orders are allocated from locations that list the destination, then from the lowest `priority`. */
export const NewLocation = z.strictObject({
  code: z.string().regex(/^[a-z0-9-]{1,32}$/, 'must be lower case letters, digits and dashes'),
  name: text(100),
  priority: priority.default(0),
  countries: countries.default([]),
});
export type NewLocation = z.output<typeof NewLocation>;
/** A location that is not active keeps its stock and promises nothing more. */
export const LocationPatch = z.strictObject({
  name: text(100).optional(),
  priority: priority.optional(),
  countries: countries.optional(),
  active: z.boolean().optional(),
});
export type LocationPatch = z.output<typeof LocationPatch>;

/** Units promised to an order, or held by hand until `expires_at`: null while a payment is under way, and once confirmed. */
export const Reservation = z
  .object({
    id: z.string(),
    sku_id: z.string(),
    location_id: z.string(),
    quantity: z.int(),
    order_id: z.string().nullable(),
    note: z.string().nullable(),
    committed_at: timestamp.nullable(),
    expires_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Reservation' });
export const ReservationList = listOf(Reservation).meta({ id: 'ReservationList' });
export const ReservationQuery = z.strictObject({ ...pageQuery, sku_id: uuid.optional(), order_id: uuid.optional() });
export type ReservationQuery = z.output<typeof ReservationQuery>;

const DAY_S = 86_400;
/** `expires_in` in seconds. */
export const NewHold = z.strictObject({
  sku_id: uuid,
  location_id: uuid.optional(),
  quantity: z.int().min(1).max(UNITS_MAX),
  expires_in: z
    .int()
    .min(1)
    .max(30 * DAY_S)
    .default(DAY_S),
  note: text(500).nullish(),
});
export type NewHold = z.output<typeof NewHold>;

const COMPONENTS_MAX = 50;
const Component = z.object({ sku_id: uuid, quantity: z.int().min(1).max(1000) });
/** No components: the SKU has stock of its own. */
export const Kit = z
  .object({ sku_id: z.string(), version: z.int(), components: z.array(Component) })
  .meta({ id: 'Kit' });
export const KitInput = z.strictObject({
  components: z
    .array(z.strictObject(Component.shape))
    .max(COMPONENTS_MAX)
    .refine((list) => new Set(list.map(({ sku_id }) => sku_id)).size === list.length, 'must name each SKU once'),
});
export type KitInput = z.output<typeof KitInput>;
