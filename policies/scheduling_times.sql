-- Time in scheduling: wall times, what is free, what is held.

-- A wall time in a zone. One in the gap of a change moves forward by the gap; one that comes twice is its first.
create or replace function kernel.at_local(wall timestamp, zone text) returns timestamptz language sql immutable strict
parallel safe as $$
    select case when earlier at time zone zone = wall then earlier else later end
      from (select later, (wall - (before at time zone zone - before at time zone 'UTC')) at time zone 'UTC' as earlier
              from (select wall at time zone zone as later, (wall at time zone zone) - interval '3 hours' as before) a) b $$;
-- The time from one wall time to another; nothing when a change of the clocks leaves nothing.
create or replace function kernel.local_span(day date, opens time, closes time, zone text) returns tstzrange language sql
immutable strict parallel safe as $$
    select case when a < b then tstzrange(a, b) else 'empty'::tstzrange end
      from (select kernel.at_local(day + opens, zone) as a,
                   kernel.at_local(case closes when '24:00' then (day + 1)::timestamp else day + closes end, zone) as b) x $$;
grant execute on function kernel.at_local(timestamp, text), kernel.local_span(date, time, time, text) to enamel_sec;

-- What a tenant decided about its calendar, or what holds when it has decided nothing.
create or replace function sec.calendar_rules(clinic uuid, out granularity int, out notice interval, out horizon interval,
    out hold interval, out grace interval, out late interval, out overlap text) language plpgsql stable as $$
begin
    select coalesce(max(s.appointment_granularity_minutes), 15),
           make_interval(mins => coalesce(max(s.booking_min_notice_minutes), 120)),
           make_interval(days => coalesce(max(s.booking_max_horizon_days), 365)),
           make_interval(mins => coalesce(max(s.slot_hold_minutes), 10)),
           make_interval(mins => coalesce(max(s.no_show_grace_minutes), 15)),
           make_interval(hours => coalesce(max(s.late_cancel_hours), 24)),
           coalesce(max(s.provider_overlap_policy), 'WARN')
      into granularity, notice, horizon, hold, grace, late, overlap
      from enamel.tenant_settings s where s.tenant_id = clinic;
end $$;

-- The hours of a provider at a place on a day, as ranges: their own rows for that place or for any.
create or replace function sec.hours_of(clinic uuid, who uuid, place uuid, zone text, days tstzrange)
returns table (kind text, operatory_id uuid, span tstzrange) language sql stable as $$
    select b.kind, b.operatory_id, kernel.local_span(d.day, coalesce(b.start_time, '00:00'), coalesce(b.end_time, '24:00'), zone)
      from generate_series((lower(days) at time zone zone)::date - 1, (upper(days) at time zone zone)::date, interval '1 day') g
     cross join lateral (select g::date as day) d
      join enamel.availability_blocks b on b.tenant_id = clinic and b.provider_id = who and b.deleted_at is null
       and (b.location_id is null or b.location_id = place)
       and (b.day_of_week = extract(isodow from d.day) or b.exception_date = d.day)
       and (b.valid_from is null or d.day >= b.valid_from) and (b.valid_until is null or d.day <= b.valid_until) $$;

-- When a provider or a chair is taken: everything booked or held, whatever it is. A hold that has run out takes nothing.
create or replace function sec.taken(clinic uuid, who uuid, chair uuid, days tstzrange, besides uuid) returns tstzmultirange
language sql stable as $$
    select coalesce(range_agg(t.span), '{}') from (
        select tstzrange(p.busy_start_at, p.busy_end_at) as span
          from enamel.appointment_providers p join enamel.appointments a on a.tenant_id = p.tenant_id and a.id = p.appointment_id
         where p.tenant_id = clinic and p.provider_id = who and p.deleted_at is null and p.role <> 'OBSERVER'
           and p.busy_start_at < upper(days) and p.busy_end_at > lower(days)
           and a.id is distinct from besides and a.status not in ('CANCELLED', 'NO_SHOW')
           and (a.status <> 'HELD' or a.held_until > now())
        union all
        select tstzrange(a.start_at, a.end_at) from enamel.appointments a
         where a.tenant_id = clinic and a.operatory_id = chair and a.start_at < upper(days) and a.end_at > lower(days)
           and a.id is distinct from besides and a.status not in ('CANCELLED', 'NO_SHOW')
           and (a.status <> 'HELD' or a.held_until > now())) t $$;

-- Starts that are free: weekly and extra hours, less what is blocked, closed, booked and held, cut to the granularity; long
-- enough for the visit and its buffers. `online`: only what patients may book themselves, inside notice and horizon.
create or replace function sec.free_starts(clinic uuid, kind uuid, who uuid, place uuid, days tstzrange, minutes int,
    online boolean, besides uuid, most int)
returns table (provider_id uuid, location_id uuid, operatory_id uuid, start_at timestamptz, end_at timestamptz, time_zone text)
language plpgsql stable as $$
declare
    rules record := sec.calendar_rules(clinic); t enamel.appointment_types; length interval; before interval; after interval;
    step interval; earliest timestamptz := now(); latest timestamptz := 'infinity';
begin
    select x.* into t from enamel.appointment_types x
     where x.tenant_id = clinic and x.id = kind and x.is_active and x.deleted_at is null and (x.online_bookable or not online);
    if t.id is null and (kind is not null or online) then return; end if;
    length := make_interval(mins => coalesce(minutes, t.duration_minutes));
    before := make_interval(mins => coalesce(t.buffer_before_minutes, 0));
    after := make_interval(mins => coalesce(t.buffer_after_minutes, 0));
    step := make_interval(mins => rules.granularity);
    if online then earliest := now() + rules.notice; latest := now() + rules.horizon; end if;
    days := days * tstzrange(earliest, latest, '[]');
    if length is null or isempty(days) then return; end if;
    return query
    with place_of as (
        select p.id as who, l.id as place, l.time_zone as zone
          from enamel.providers p join enamel.locations l on l.tenant_id = clinic and l.status = 'ACTIVE' and l.deleted_at is null
         where p.tenant_id = clinic and p.status = 'ACTIVE' and p.deleted_at is null
           and (free_starts.who is null or p.id = free_starts.who) and (free_starts.place is null or l.id = free_starts.place)
           and (coalesce(cardinality(t.allowed_provider_types), 0) = 0 or p.provider_type = any (t.allowed_provider_types))
           and (p.accepts_online_booking or not online)
           and (exists (select from enamel.provider_locations w where w.tenant_id = clinic and w.provider_id = p.id
                           and w.location_id = l.id and w.deleted_at is null)
                or exists (select from enamel.availability_blocks b where b.tenant_id = clinic and b.provider_id = p.id
                              and b.location_id = l.id and b.deleted_at is null and b.kind <> 'BLOCKED'))),
    hours as (
        select o.*, h.* from place_of o
         cross join lateral sec.hours_of(clinic, o.who, o.place, o.zone, tstzrange(lower(days) - before, upper(days) + length + after)) h
         where not isempty(h.span)),
    open as (
        select h.who, h.place, h.zone, h.operatory_id as chair, range_agg(h.span)
               - coalesce((select range_agg(b.span) from hours b where b.who = h.who and b.place = h.place and b.kind = 'BLOCKED'
                              and (b.operatory_id is null or b.operatory_id = h.operatory_id)), '{}')
               - coalesce((select range_agg(tstzrange(c.starts_at, c.ends_at)) from enamel.schedule_closures c
                            where c.tenant_id = clinic and c.deleted_at is null and (c.location_id is null or c.location_id = h.place)), '{}')
               - sec.taken(clinic, h.who, h.operatory_id, tstzrange(lower(days) - interval '1 day', upper(days) + interval '2 days'), besides) as free
          from hours h where h.kind <> 'BLOCKED' group by h.who, h.place, h.zone, h.operatory_id)
    select o.who, o.place, o.chair, s.start, s.start + length, o.zone
      from open o cross join lateral unnest(o.free) piece
     cross join lateral (
         select g as start
           from generate_series(date_bin(step, greatest(lower(piece) + before, lower(days)) + step - interval '1 microsecond',
                                         '2000-01-01Z'), upper(piece) - length - after, step) g
          where g <@ days) s
     order by s.start, o.who, o.place, o.chair
     limit most;
end $$;

-- For those who look for a time: staff of the clinic, its linked patients, and anybody where patients book themselves.
create or replace function sec.find_slots(clinic uuid, kind uuid, who uuid, place uuid, earliest timestamptz, latest timestamptz,
    minutes int, most int)
returns table (provider_id uuid, location_id uuid, operatory_id uuid, start_at timestamptz, end_at timestamptz, time_zone text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(case c.plane
            when 'staff' then clinic = sec.tenant(kernel.bit('view_schedule'))
            when 'patient' then clinic = any (sec.tenants(0))
            when 'auth' then exists (select from enamel.tenants t where t.id = clinic and t.status = 'ACTIVE') end, false) then
        raise exception 'not a calendar of the caller' using errcode = '42501';
    end if;
    return query select f.* from sec.free_starts(clinic, kind, who, place, tstzrange(earliest, latest),
        case when c.plane = 'staff' then minutes end, c.plane <> 'staff', null, most) f;
end $$;
grant execute on function sec.find_slots(uuid, uuid, uuid, uuid, timestamptz, timestamptz, int, int)
    to enamel_staff, enamel_patient, enamel_auth;

-- Whether that very time is offered to patients. Takes the provider's turn first: of two who ask at once, one asks after
-- the other has booked.
create or replace function sec.is_offered(clinic uuid, kind uuid, who uuid, place uuid, chair uuid, starts timestamptz, besides uuid)
returns boolean language plpgsql volatile as $$
begin
    perform from enamel.providers p where p.tenant_id = clinic and p.id = who for no key update;
    return exists (select from sec.free_starts(clinic, kind, who, place, tstzrange(starts, starts, '[]'), null, true, besides, 100) f
                    where f.start_at = starts and (chair is null or f.operatory_id = chair));
end $$;

-- ── Holds ───────────────────────────────────────────────────────────────────────────────────────────────────────
-- A hold that has run out gives its time back to whoever wants it now.
create or replace function sec.expire_holds(clinic uuid, span tstzrange, besides uuid) returns void language plpgsql volatile as $$
begin
    update enamel.slot_holds h set status = 'EXPIRED'
     where h.tenant_id = clinic and h.status = 'HELD' and h.held_until <= now() and h.start_at < upper(span) and h.end_at > lower(span)
       and h.appointment_id is distinct from besides;
    update enamel.appointments a set status = 'CANCELLED', cancel_reason = 'The hold ended.'
     where a.tenant_id = clinic and a.status = 'HELD' and a.held_until <= now() and a.start_at < upper(span) and a.end_at > lower(span)
       and a.id is distinct from besides;
end $$;

-- A hold blocks its time by an appointment of nobody. Staff hold up to a day, for others the clinic says how long; what
-- others hold must be offered to them.
create or replace function sec.take_hold() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); rules record; outside boolean := coalesce(c.plane, 'jobs') in ('patient', 'auth');
begin
    if sec.left_to_policies(c, new.tenant_id)
       or c.scope = 'patient' and not exists (
            select from sec.charts(kernel.bit('edit_schedule'), c, 'appointments') h
             where h.tenant_id = new.tenant_id and h.patient_id = new.patient_id) then return new; end if;
    rules := sec.calendar_rules(new.tenant_id);
    new.held_until := least(coalesce(new.held_until, now() + rules.hold), now() + case when outside then rules.hold else interval '1 day' end);
    if new.held_until <= now() then perform kernel.refuse(422, 'range', 'held_until', 'It must lie in the future.'); end if;
    if outside then
        if not sec.is_offered(new.tenant_id, new.appointment_type_id, new.provider_id, new.location_id, new.operatory_id, new.start_at, null) then
            perform kernel.refuse(409, 'offered', 'start_at', 'The time is not offered for online booking.');
        end if;
        select new.start_at + make_interval(mins => t.duration_minutes) into new.end_at from enamel.appointment_types t
         where t.tenant_id = new.tenant_id and t.id = new.appointment_type_id;
    end if;
    new.status := 'HELD'; new.appointment_id := gen_random_uuid();
    insert into enamel.appointments (tenant_id, id, provider_id, location_id, operatory_id, appointment_type_id, start_at, end_at,
                                     held_until, source)
    values (new.tenant_id, new.appointment_id, new.provider_id, new.location_id, new.operatory_id, new.appointment_type_id,
            new.start_at, new.end_at, new.held_until, case when outside then 'PORTAL' else 'STAFF' end);
    return new;
end $$;
create or replace trigger held before insert on enamel.slot_holds for each row execute function sec.take_hold();
create or replace function sec.end_hold() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.appointments a set status = 'CANCELLED', cancel_reason = 'The hold ended.'
     where a.tenant_id = new.tenant_id and a.id = new.appointment_id and a.status = 'HELD';
    -- Nobody took up what was offered.
    update enamel.waitlist_entries w set status = 'WAITING', offered_at = null
     where w.tenant_id = new.tenant_id and w.patient_id = new.patient_id and w.status = 'OFFERED'
       and not exists (select from enamel.slot_holds h where h.tenant_id = w.tenant_id and h.patient_id = w.patient_id and h.status = 'HELD');
    return null;
end $$;
create or replace trigger let_go after update on enamel.slot_holds for each row
    when (old.status = 'HELD' and new.status in ('RELEASED', 'EXPIRED')) execute function sec.end_hold();
select kernel.freeze('slot_holds', 'true', 'Release it and hold another time.', '{status}');
