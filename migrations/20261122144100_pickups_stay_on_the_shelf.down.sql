-- Before, units that were ready had left the shelf. These have not: they are prepared, and can be made ready once more. Which
-- of the parcels had been pickups is not kept.
update fulfillments set status = 'pending' where status = 'ready_for_pickup' and shipped_at is null;
