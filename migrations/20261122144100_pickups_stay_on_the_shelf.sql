-- Units that wait to be picked up stay promised until they are. What was ready before had left the shelf already: it has
-- the move that is left to a parcel on its way.
update fulfillments set method = 'shipment', status = 'shipped'
where status = 'ready_for_pickup' and shipped_at is not null;
