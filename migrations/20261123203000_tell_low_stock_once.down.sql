create or replace function record_stock_movement() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'UPDATE' and (new.sku_id, new.location_id) = (old.sku_id, old.location_id) then
    perform append_stock_movement(new.sku_id, new.location_id, new.on_hand - old.on_hand, new.reserved - old.reserved,
      new.shortfall - old.shortfall);
    if new.on_hand - new.reserved <= new.low_stock_threshold
      and not coalesce(old.on_hand - old.reserved <= old.low_stock_threshold, false) then
      insert into outbox_events (id, type, aggregate_id, payload)
      values (gen_random_uuid(), 'stock.low', new.sku_id::text, jsonb_build_object(
        'sku_id', new.sku_id, 'location_id', new.location_id, 'on_hand', new.on_hand, 'reserved', new.reserved,
        'threshold', new.low_stock_threshold));
    end if;
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform append_stock_movement(old.sku_id, old.location_id, -old.on_hand, -old.reserved, -old.shortfall);
  end if;
  if tg_op <> 'DELETE' then
    perform append_stock_movement(new.sku_id, new.location_id, new.on_hand, new.reserved, new.shortfall);
  end if;
  return null;
end
$$;
