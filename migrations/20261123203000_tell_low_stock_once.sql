-- Units that go back on offer and are taken again by one transaction (a hold that is over, by whoever asks for that SKU
-- next) leave a level as low as it was: that is told once, when it got low. What rose is remembered until the transaction
-- ends.
create or replace function record_stock_movement() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  is_low boolean;
  was_low boolean;
  risen text;
  level text;
begin
  if tg_op = 'UPDATE' and (new.sku_id, new.location_id) = (old.sku_id, old.location_id) then
    perform append_stock_movement(new.sku_id, new.location_id, new.on_hand - old.on_hand, new.reserved - old.reserved,
      new.shortfall - old.shortfall);
    is_low := coalesce(new.on_hand - new.reserved <= new.low_stock_threshold, false);
    was_low := coalesce(old.on_hand - old.reserved <= old.low_stock_threshold, false);
    if is_low = was_low then
      return null;
    end if;
    risen := coalesce(current_setting('stock.risen', true), '');
    level := format('%s:%s;', new.sku_id, new.location_id);
    if was_low then
      perform set_config('stock.risen', risen || level, true);
    elsif position(level in risen) > 0 then
      perform set_config('stock.risen', replace(risen, level, ''), true);
    else
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
