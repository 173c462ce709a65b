-- Pickups stay ready; their units are any order's again, as they were.
drop index reservations_set_aside;
alter table reservations drop column set_aside;
