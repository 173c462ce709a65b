import * as z from 'zod';
import { text, timestamp, uuid } from '../../platform/http/schema.ts';
import { FULFILLMENT_STATUSES, METHODS } from './rules.ts';

const PARCELS_MAX = 50;
const LINES_MAX = 100;
const QUANTITY_MAX = 1_000_000;
const URL_MAX = 500;

export const LineInput = z.strictObject({ item_id: uuid, quantity: z.int().min(1).max(QUANTITY_MAX) });
export type LineInput = z.output<typeof LineInput>;
export const LineInputs = z.array(LineInput).min(1).max(LINES_MAX);

const ParcelInput = z.strictObject({
  carrier: text(100).nullish(),
  tracking_number: text(100).nullish(),
  tracking_url: text(URL_MAX)
    .regex(/^https?:\/\/[^\s"<>]+$/, 'must be an http or https URL')
    .nullish(),
});
export type ParcelInput = z.output<typeof ParcelInput>;

/** Without items: every unit that is not in a fulfillment yet. Without a location: wherever the units are reserved. */
export const NewFulfillment = z.strictObject({
  method: z.enum(METHODS),
  /** What it is at once; digital goods are delivered unless told otherwise. */
  status: z.enum(FULFILLMENT_STATUSES).optional(),
  items: LineInputs.optional(),
  location_id: uuid.optional(),
  parcels: z.array(ParcelInput).max(PARCELS_MAX).optional(),
});
export type NewFulfillment = z.output<typeof NewFulfillment>;

/** Parcels replace those that were there. */
export const FulfillmentPatch = z
  .strictObject({
    status: z.enum(FULFILLMENT_STATUSES).optional(),
    parcels: z.array(ParcelInput).max(PARCELS_MAX).optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'must name a field to change');
export type FulfillmentPatch = z.output<typeof FulfillmentPatch>;

const Parcel = z
  .object({
    id: z.string(),
    carrier: z.string().nullable(),
    tracking_number: z.string().nullable(),
    tracking_url: z.string().nullable(),
  })
  .meta({ id: 'Parcel' });

/** What leaves together, as its buyer sees it. */
export const Shipment = z
  .object({
    id: z.string(),
    method: z.enum(METHODS),
    status: z.enum(FULFILLMENT_STATUSES),
    items: z.array(z.object({ item_id: z.string(), quantity: z.int() })),
    parcels: z.array(Parcel),
    created_at: timestamp,
    shipped_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
  })
  .meta({ id: 'Shipment' });
export type Shipment = z.output<typeof Shipment>;

export const ShipmentList = z
  .object({ data: z.array(Shipment), has_more: z.literal(false), next_cursor: z.null() })
  .meta({ id: 'ShipmentList' });

/** As staff see it. */
export const Fulfillment = Shipment.extend({
  order_id: z.string(),
  version: z.int(),
  location_id: z.string().nullable(),
  canceled_at: timestamp.nullable(),
}).meta({ id: 'Fulfillment' });
export type Fulfillment = z.output<typeof Fulfillment>;
