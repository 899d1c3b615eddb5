-- What follows from a change of an appointment, whoever makes it: facts, team, visit, events, news. And the operations of
-- those whom the policies let change no row themselves.

-- The first state of a booked time.
create or replace function sec.first_status(clinic uuid, kind uuid) returns text language sql stable as $$
    select case when coalesce((select t.requires_confirmation from enamel.appointment_types t
                                where t.tenant_id = clinic and t.id = kind), false) then 'PENDING' else 'SCHEDULED' end $$;

-- ── Before: what the clinic knows better than the caller ───────────────────────────────────────────────────────
-- Input may give start and duration instead of start and end (C16); who moves the start keeps the length.
create or replace function kernel.appointment_length(now_is enamel.appointments, was enamel.appointments, usual int)
returns timestamptz language plpgsql immutable as $$
begin
    if was.id is null then
        if now_is.end_at is not null then return now_is.end_at; end if;
        return now_is.start_at + make_interval(mins => coalesce(now_is.duration_minutes, usual));
    end if;
    if now_is.end_at is distinct from was.end_at then return now_is.end_at; end if;
    return now_is.start_at + make_interval(mins => now_is.duration_minutes);
end $$;
grant execute on function kernel.appointment_length(enamel.appointments, enamel.appointments, int) to enamel_sec;

-- Who, where and in which chair: in force, of one place, and fit for the kind of visit.
create or replace function sec.check_appointment(a enamel.appointments) returns void language plpgsql stable as $$
declare t enamel.appointment_types;
begin
    select x.* into t from enamel.appointment_types x where x.tenant_id = a.tenant_id and x.id = a.appointment_type_id;
    if t.id is not null and (not t.is_active or t.deleted_at is not null) then
        perform kernel.refuse(422, 'state', 'appointment_type_id', 'This kind of visit is offered no more.');
    end if;
    if exists (select from enamel.providers p where p.tenant_id = a.tenant_id and p.id = a.provider_id
                  and (p.status <> 'ACTIVE' or p.deleted_at is not null)) then
        perform kernel.refuse(422, 'state', 'provider_id', 'The provider is not active.');
    end if;
    if cardinality(t.allowed_provider_types) > 0 and exists (
            select from enamel.providers p where p.tenant_id = a.tenant_id and p.id = a.provider_id
               and p.provider_type <> all (t.allowed_provider_types)) then
        perform kernel.refuse(422, 'provider_type', 'provider_id', 'The kind of visit is for other types of provider.');
    end if;
    if exists (select from enamel.locations l where l.tenant_id = a.tenant_id and l.id = a.location_id
                  and (l.status <> 'ACTIVE' or l.deleted_at is not null)) then
        perform kernel.refuse(422, 'state', 'location_id', 'The place is not open.');
    end if;
    if exists (select from enamel.operatories o where o.tenant_id = a.tenant_id and o.id = a.operatory_id
                  and (o.location_id <> a.location_id or o.status <> 'ACTIVE' or o.deleted_at is not null)) then
        perform kernel.refuse(422, 'place', 'operatory_id', 'The chair is out of use or stands somewhere else.');
    end if;
    if exists (select from enamel.patients p where p.tenant_id = a.tenant_id and p.id = a.patient_id
                  and (p.status = 'DECEASED' or p.merged_into_id is not null or p.deleted_at is not null)) then
        perform kernel.refuse(422, 'state', 'patient_id', 'No visit is booked for this record.');
    end if;
    if exists (select from enamel.recalls r where r.tenant_id = a.tenant_id and r.id = a.recall_id and r.patient_id is distinct from a.patient_id) then
        perform kernel.refuse(422, 'reference', 'recall_id', 'The recall is not of this patient.');
    end if;
end $$;

create or replace function sec.appointment_facts() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); was enamel.appointments; zone text; moved boolean; placed boolean; span tstzrange;
begin
    if sec.left_to_policies(c, new.tenant_id) then
        new.local_start := ''; new.time_zone := ''; new.end_at := coalesce(new.end_at, 'infinity'); new.duration_minutes := 1;
        return new;
    end if;
    if tg_op = 'UPDATE' then was := old; end if;
    new.end_at := kernel.appointment_length(new, was, (
        select t.duration_minutes from enamel.appointment_types t where t.tenant_id = new.tenant_id and t.id = new.appointment_type_id));
    if new.end_at is null then perform kernel.refuse(422, 'required', 'end_at', 'Give an end, a duration or a kind of visit.'); end if;
    if new.end_at <= new.start_at then perform kernel.refuse(422, 'range', 'end_at', 'It must lie after start_at.'); end if;
    new.duration_minutes := extract(epoch from new.end_at - new.start_at) / 60;
    moved := was.id is null or (new.start_at, new.location_id) is distinct from (was.start_at, was.location_id);
    -- A merge carries appointments from one record to the other, whatever their state.
    placed := moved or was.patient_id is null and new.patient_id is not null
              or (new.provider_id, new.operatory_id, new.appointment_type_id) is distinct from (was.provider_id, was.operatory_id, was.appointment_type_id);
    if was.id is not null and placed and was.status not in ('HELD', 'PENDING', 'SCHEDULED', 'CONFIRMED') then
        perform kernel.refuse(409, 'state', 'status', 'It has begun or is over: it keeps its time and its people.');
    end if;
    if was.provider_id is not null and new.provider_id is null then
        perform kernel.refuse(422, 'required', 'provider_id', 'Name the provider who takes it over.');
    end if;
    if new.is_overbook and was.is_overbook is not true and c.plane = 'staff'
       and c.caps & kernel.bit('overbook') = 0 then
        raise exception 'overbooking needs overbook' using errcode = '42501';
    end if;
    if moved then
        select l.time_zone into zone from enamel.locations l where l.tenant_id = new.tenant_id and l.id = new.location_id;
        if zone is null then
            raise exception 'no such place' using errcode = '23503', table = 'appointments', constraint = 'appointments_tenant_id_location_id_fkey';
        end if;
        new.time_zone := zone;
        new.local_start := to_char(new.start_at at time zone zone, 'YYYY-MM-DD"T"HH24:MI:SS');
        if was.status = 'CONFIRMED' and new.status = 'CONFIRMED' then new.status := 'SCHEDULED'; end if;
        new.reminder_state := 'NONE';
    end if;
    if was.id is null then
        if new.held_until is not null then new.status := 'HELD';
        elsif new.status = 'HELD' then new.status := sec.first_status(new.tenant_id, new.appointment_type_id);
        elsif c.plane = 'staff' and new.status not in ('PENDING', 'SCHEDULED') then
            raise exception 'an appointment begins booked' using errcode = '23514', table = 'appointments', constraint = 'appointments_status_move';
        end if;
    end if;
    if placed then
        perform sec.check_appointment(new);
        perform sec.expire_holds(new.tenant_id, tstzrange(new.start_at, greatest(new.start_at, new.end_at)), new.id);
    end if;
    if new.status is distinct from was.status then new := sec.stamp_appointment(new, was, c); end if;
    return new;
end $$;

-- When, by whom and how a state was reached.
create or replace function sec.stamp_appointment(a enamel.appointments, was enamel.appointments, c sec.claims)
returns enamel.appointments language plpgsql stable as $$
begin
    case a.status
        when 'CONFIRMED' then
            a.confirmed_at := now();
            a.confirmed_via := coalesce(a.confirmed_via, case c.plane when 'patient' then 'PORTAL' when 'staff' then 'STAFF' end);
        when 'SCHEDULED' then a.confirmed_at := null; a.confirmed_via := null; a.no_show_at := null;
        when 'ARRIVED' then a.arrived_at := now();
        when 'COMPLETED' then a.completed_at := now();
        when 'NO_SHOW' then a.no_show_at := now();
        when 'CANCELLED' then
            a.cancelled_at := now();
            a.cancelled_by_party := case when was.status = 'HELD' or c.plane is null then 'SYSTEM'
                when c.plane = 'staff' then 'CLINIC' when c.plane = 'patient' then 'PATIENT' else 'SYSTEM' end;
            a.is_late_cancel := was.status <> 'HELD' and a.start_at - now() < (sec.calendar_rules(a.tenant_id)).late;
        else null;
    end case;
    if a.status <> 'HELD' then a.held_until := null; end if;
    return a;
end $$;
create or replace trigger facts before insert or update on enamel.appointments for each row execute function sec.appointment_facts();
select kernel.freeze('appointments', $$old.status in ('COMPLETED', 'CANCELLED')$$, 'It is over; book a new appointment.', '{notes,reminder_state}');
select kernel.freeze_with('appointment_providers', 'appointment_id', 'appointments', $$p.status in ('COMPLETED', 'CANCELLED')$$,
    'The appointment is over; book a new one.');
select kernel.freeze_with('appointment_procedures', 'appointment_id', 'appointments', $$p.status in ('COMPLETED', 'CANCELLED')$$,
    'The appointment is over; book a new one.');

-- ── The team ────────────────────────────────────────────────────────────────────────────────────────────────────
-- Whoever books a provider takes the provider's turn first; where the clinic forbids overlaps, the second finds the first.
create or replace function sec.provider_turn() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if sec.left_to_policies(c, new.tenant_id) or new.deleted_at is not null then return new; end if;
    if new.is_overbook and c.plane = 'staff' and c.caps & kernel.bit('overbook') = 0 then
        raise exception 'overbooking needs overbook' using errcode = '42501';
    end if;
    perform from enamel.providers p where p.tenant_id = new.tenant_id and p.id = new.provider_id for no key update;
    if new.is_overbook or new.role = 'OBSERVER' or (sec.calendar_rules(new.tenant_id)).overlap <> 'FORBID' then return new; end if;
    if exists (select from enamel.appointment_providers p join enamel.appointments a on a.tenant_id = p.tenant_id and a.id = p.appointment_id
                where p.tenant_id = new.tenant_id and p.provider_id = new.provider_id and p.id <> new.id and p.deleted_at is null
                  and p.role <> 'OBSERVER' and not p.is_overbook and a.status not in ('CANCELLED', 'NO_SHOW')
                  and p.busy_start_at < new.busy_end_at and p.busy_end_at > new.busy_start_at)
       and exists (select from enamel.appointments a where a.tenant_id = new.tenant_id and a.id = new.appointment_id
                      and a.status not in ('CANCELLED', 'NO_SHOW')) then
        raise exception 'the provider is busy' using errcode = '23P01', table = 'appointment_providers',
            constraint = 'appointment_providers_provider_busy';
    end if;
    return new;
end $$;
create or replace trigger turn before insert or update on enamel.appointment_providers for each row execute function sec.provider_turn();

-- The lead provider is busy from buffer to buffer; the others move with the appointment.
create or replace function sec.appointment_team() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare before interval; after interval; first timestamptz; last timestamptz;
begin
    select make_interval(mins => coalesce(max(t.buffer_before_minutes), 0)), make_interval(mins => coalesce(max(t.buffer_after_minutes), 0))
      into before, after from enamel.appointment_types t where t.tenant_id = new.tenant_id and t.id = new.appointment_type_id;
    first := new.start_at - before; last := new.end_at + after;
    if tg_op = 'UPDATE' then
        update enamel.appointment_providers p
           set provider_id = case p.role when 'LEAD' then new.provider_id else p.provider_id end, patient_id = new.patient_id,
               is_overbook = new.is_overbook,
               busy_start_at = case p.role when 'LEAD' then first else p.busy_start_at + (new.start_at - old.start_at) end,
               busy_end_at = case p.role when 'LEAD' then last else p.busy_end_at + (new.end_at - old.end_at) end
         where p.tenant_id = new.tenant_id and p.appointment_id = new.id and p.deleted_at is null;
    end if;
    insert into enamel.appointment_providers (tenant_id, id, appointment_id, patient_id, provider_id, role, busy_start_at, busy_end_at, is_overbook)
    select new.tenant_id, gen_random_uuid(), new.id, new.patient_id, new.provider_id, 'LEAD', first, last, new.is_overbook
     where new.provider_id is not null and not exists (
           select from enamel.appointment_providers p where p.tenant_id = new.tenant_id and p.appointment_id = new.id
              and p.role = 'LEAD' and p.deleted_at is null);
    return null;
end $$;
create or replace trigger team after insert on enamel.appointments for each row execute function sec.appointment_team();
create or replace trigger team_again after update on enamel.appointments for each row
    when (new.status not in ('CANCELLED', 'NO_SHOW')
          and (old.start_at, old.end_at, old.provider_id, old.is_overbook, old.patient_id, old.appointment_type_id, old.status = 'NO_SHOW')
              is distinct from (new.start_at, new.end_at, new.provider_id, new.is_overbook, new.patient_id, new.appointment_type_id, false))
    execute function sec.appointment_team();

-- ── The visit: before check-in the appointment leads, after it the encounter (C44) ─────────────────────────────
create or replace function sec.appointment_visit() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if new.status = 'ARRIVED' then
        if new.provider_id is null then
            perform kernel.refuse(422, 'required', 'provider_id', 'Nobody is named who sees the patient.');
        end if;
        update enamel.encounters e set check_in_at = now()
         where e.tenant_id = new.tenant_id and e.appointment_id = new.id and e.status = 'SCHEDULED' and e.check_in_at is null;
        insert into enamel.encounters (tenant_id, id, patient_id, location_id, provider_id, appointment_id, scheduled_start_at,
                                       check_in_at, encounter_type, status)
        select new.tenant_id, gen_random_uuid(), new.patient_id, new.location_id, new.provider_id, new.id, new.start_at, now(),
               coalesce((select t.encounter_type from enamel.appointment_types t
                          where t.tenant_id = new.tenant_id and t.id = new.appointment_type_id), 'EXAM'), 'SCHEDULED'
         where not exists (select from enamel.encounters e
                            where e.tenant_id = new.tenant_id and e.appointment_id = new.id and e.status not in ('CANCELLED', 'NO_SHOW'));
    else
        update enamel.encounters e
           set status = case new.status when 'IN_PROGRESS' then 'IN_PROGRESS' when 'COMPLETED' then 'COMPLETED' when 'NO_SHOW' then 'NO_SHOW'
                        else 'CANCELLED' end,
               check_out_at = case new.status when 'COMPLETED' then coalesce(e.check_out_at, now()) else e.check_out_at end,
               cancel_reason = case new.status when 'CANCELLED' then new.cancel_reason else e.cancel_reason end
         where e.tenant_id = new.tenant_id and e.appointment_id = new.id
           and e.status = any (case new.status when 'COMPLETED' then '{IN_PROGRESS}'::text[] when 'CANCELLED' then '{SCHEDULED,IN_PROGRESS}'
                               else '{SCHEDULED}' end);
    end if;
    return null;
end $$;
create or replace trigger visit after update on enamel.appointments for each row
    when (old.status is distinct from new.status and new.status in ('ARRIVED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'NO_SHOW'))
    execute function sec.appointment_visit();

-- ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────
create or replace function sec.appointment_event() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); was enamel.appointments; kind text;
begin
    if tg_op = 'UPDATE' then was := old; end if;
    kind := case
        when was.id is null or was.status = 'HELD' then 'CREATED'
        when new.start_at is distinct from was.start_at or new.end_at is distinct from was.end_at then 'RESCHEDULED'
        when new.status = 'CONFIRMED' then 'CONFIRMED' when new.status = 'CANCELLED' then 'CANCELLED' else 'STATUS_CHANGED' end;
    insert into enamel.appointment_events (tenant_id, id, appointment_id, patient_id, event_type, from_status, to_status,
                                           old_start_at, new_start_at, reason, actor_party)
    values (new.tenant_id, gen_random_uuid(), new.id, new.patient_id, kind, was.status, new.status, was.start_at, new.start_at,
            case when new.status = 'CANCELLED' then new.cancel_reason when new.is_overbook then new.overbook_reason end,
            case c.plane when 'staff' then 'STAFF' when 'patient' then 'PATIENT' else 'SYSTEM' end);
    perform sec.tell_appointment(new, kind, coalesce(c.plane, 'jobs'));
    return null;
end $$;
create or replace trigger told after insert on enamel.appointments for each row when (new.status <> 'HELD')
    execute function sec.appointment_event();
create or replace trigger told_again after update on enamel.appointments for each row
    when ((old.start_at, old.end_at, old.status) is distinct from (new.start_at, new.end_at, new.status) and new.status <> 'HELD'
          and not (old.status = 'HELD' and new.status = 'CANCELLED'))
    execute function sec.appointment_event();

-- A patient's login hears what the clinic did, the clinic what the patient did. Titles name no person and no treatment.
create or replace function sec.tell_appointment(a enamel.appointments, kind text, plane text) returns void language plpgsql as $$
declare title text := case kind when 'CREATED' then 'An appointment was booked' when 'RESCHEDULED' then 'An appointment was moved'
    when 'CANCELLED' then 'An appointment was cancelled' when 'CONFIRMED' then 'An appointment was confirmed' end;
begin
    if title is null or a.series_id is not null and kind in ('CREATED', 'CANCELLED') then return; end if;
    if plane = 'patient' then
        insert into enamel.notifications (tenant_id, id, audience, patient_id, type, resource_type, resource_id, title, message)
        values (a.tenant_id, gen_random_uuid(), 'TENANT', a.patient_id, 'APPOINTMENT_UPDATED', 'Appointment', a.id, title, 'By the patient, online.');
    else
        insert into enamel.notifications (tenant_id, id, audience, user_id, patient_id, type, resource_type, resource_id, title, message)
        select a.tenant_id, gen_random_uuid(), 'PATIENT', p.user_id, a.patient_id, 'APPOINTMENT_UPDATED', 'Appointment', a.id, title, 'By the clinic.'
          from enamel.patient_portal_accounts p
         where p.tenant_id = a.tenant_id and p.patient_id = a.patient_id and p.status = 'ACTIVE'
           and not exists (select from enamel.patients d where d.tenant_id = a.tenant_id and d.id = a.patient_id and d.status = 'DECEASED');
    end if;
end $$;

-- ── What hangs on an appointment: its booking, its recall, who waits for its time ──────────────────────────────
create or replace function sec.appointment_effects() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare was text; waiting uuid;
begin
    if tg_op = 'UPDATE' then was := old.status; end if;
    if new.status = 'CONFIRMED' then
        update enamel.bookings b set status = 'CONFIRMED', confirmed_at = now()
         where b.tenant_id = new.tenant_id and b.appointment_id = new.id and b.status = 'PENDING'
           and (b.deposit_status in ('NOT_REQUIRED', 'PAID')
                or not exists (select from enamel.tenant_settings s where s.tenant_id = new.tenant_id and s.deposit_rule <> 'NONE'
                                  and s.booking_confirmation_requires_deposit));
    end if;
    if new.status = 'COMPLETED' then
        perform sec.recompute_recalls(new.tenant_id, new.patient_id, (now() at time zone new.time_zone)::date, array(
            select p.cdt_code from enamel.procedures p join enamel.encounters e on e.tenant_id = p.tenant_id and e.id = p.encounter_id
             where e.tenant_id = new.tenant_id and e.appointment_id = new.id and p.status = 'COMPLETED'), new.recall_id);
    else
        update enamel.recalls r set status = case when new.status in ('CANCELLED', 'NO_SHOW') then 'DUE' else 'SCHEDULED' end
         where r.tenant_id = new.tenant_id and r.id = new.recall_id
           and r.status = case when new.status in ('CANCELLED', 'NO_SHOW') then 'SCHEDULED' else 'DUE' end;
    end if;
    if coalesce(was, 'HELD') = 'HELD' and new.status in ('PENDING', 'SCHEDULED') then perform sec.serve_waiting(new); end if;
    if new.status = 'CANCELLED' and was <> 'HELD' and new.start_at > now() then
        select w.id into waiting from enamel.waitlist_entries w
         where w.tenant_id = new.tenant_id and w.status = 'WAITING' and sec.waits_for(w, new)
         order by w.priority desc, w.created_at, w.id limit 1;
        if found then
            insert into enamel.notifications (tenant_id, id, audience, type, resource_type, resource_id, title, message)
            values (new.tenant_id, gen_random_uuid(), 'TENANT', 'APPOINTMENT_UPDATED', 'WaitlistEntry', waiting, 'A time is free again',
                    'Somebody on the waiting list fits it.');
        end if;
    end if;
    return null;
end $$;
create or replace trigger works_on after insert on enamel.appointments for each row when (new.status <> 'HELD')
    execute function sec.appointment_effects();
create or replace trigger works_on_again after update on enamel.appointments for each row when (old.status is distinct from new.status)
    execute function sec.appointment_effects();

create or replace function sec.waits_for(w enamel.waitlist_entries, a enamel.appointments) returns boolean language sql stable as $$
    select w.deleted_at is null and coalesce(w.appointment_type_id = a.appointment_type_id, true) and coalesce(w.provider_id = a.provider_id, true)
       and coalesce(w.location_id = a.location_id, true) and left(a.local_start, 10)::date
           between coalesce(w.earliest_date, '-infinity') and coalesce(w.latest_date, 'infinity') $$;
-- A patient who was offered a time, or is booked from the list, waits no longer; the visit to bring forward is given back.
create or replace function sec.serve_waiting(a enamel.appointments) returns void language plpgsql as $$
declare w enamel.waitlist_entries;
begin
    select x.* into w from enamel.waitlist_entries x
     where x.tenant_id = a.tenant_id and x.patient_id = a.patient_id and sec.waits_for(x, a)
       and (x.status = 'OFFERED' or x.status = 'WAITING' and a.source = 'WAITLIST') and x.appointment_id is distinct from a.id
     order by x.status, x.priority desc, x.created_at limit 1;
    if not found then return; end if;
    update enamel.waitlist_entries x set status = 'BOOKED' where x.tenant_id = w.tenant_id and x.id = w.id;
    update enamel.appointments x set status = 'CANCELLED', cancel_reason = 'Brought forward.'
     where x.tenant_id = w.tenant_id and x.id = w.appointment_id and x.patient_id = a.patient_id
       and x.status in ('PENDING', 'SCHEDULED', 'CONFIRMED');
end $$;
-- The patient's login hears that a time is held for them.
create or replace function sec.tell_waiting(clinic uuid, entry uuid) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); w enamel.waitlist_entries;
begin
    select x.* into w from enamel.waitlist_entries x where x.tenant_id = clinic and x.id = entry and x.status = 'OFFERED';
    if not found or c.plane is distinct from 'staff' or not sec.acts_for(c, clinic, w.patient_id, 'edit_schedule') then
        raise exception 'not for this caller' using errcode = '42501';
    end if;
    insert into enamel.notifications (tenant_id, id, audience, user_id, patient_id, type, resource_type, resource_id, title, message, priority)
    select w.tenant_id, gen_random_uuid(), 'PATIENT', p.user_id, w.patient_id, 'APPOINTMENT_UPDATED', 'WaitlistEntry', w.id,
           'A time is free for you', 'It is held for a short while.', 'HIGH'
      from enamel.patient_portal_accounts p where p.tenant_id = w.tenant_id and p.patient_id = w.patient_id and p.status = 'ACTIVE';
end $$;
grant execute on function sec.tell_waiting(uuid, uuid) to enamel_staff;
-- Who waits does not say how urgent it is; the clinic does.
create or replace function kernel.own_priority() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'INSERT' then new.priority := 0; else new.priority := old.priority; end if;
    return new;
end $$;
create or replace trigger own_priority before insert or update on enamel.waitlist_entries for each row
    when (current_user = 'enamel_patient') execute function kernel.own_priority();

-- ── Recalls ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- What was done restarts its intervals: the open recall is done, the next is due after the interval of its type or of the
-- patient. A type replaces the others of its group.
create or replace function sec.recompute_recalls(clinic uuid, patient uuid, day date, codes text[], done uuid) returns void language plpgsql as $$
declare t enamel.recall_types; was enamel.recalls;
begin
    for t in select x.* from enamel.recall_types x
              where x.tenant_id = clinic and x.is_active and x.deleted_at is null
                and (x.trigger_codes && codes or x.id = (select r.recall_type_id from enamel.recalls r where r.tenant_id = clinic and r.id = done))
              order by x.id loop
        was := null;
        select r.* into was from enamel.recalls r
         where r.tenant_id = clinic and r.patient_id = patient and r.recall_type_id = t.id and r.deleted_at is null and r.status <> 'DONE'
         order by r.status = 'DISABLED' limit 1 for no key update;
        continue when was.status = 'DISABLED';
        update enamel.recalls r set status = 'DONE', last_trigger_on = day where r.tenant_id = clinic and r.id = was.id;
        update enamel.recalls r set status = 'DISABLED', disable_reason = 'Another recall of its group took its place.'
          from enamel.recall_types o
         where r.tenant_id = clinic and r.patient_id = patient and r.status in ('DUE', 'SCHEDULED') and r.deleted_at is null
           and o.tenant_id = clinic and o.id = r.recall_type_id and o.id <> t.id and o.exclusive_group = t.exclusive_group;
        insert into enamel.recalls (tenant_id, id, patient_id, recall_type_id, due_on, last_trigger_on, override_interval_months)
        values (clinic, gen_random_uuid(), patient, t.id,
                day + make_interval(months => coalesce(was.override_interval_months, t.interval_months), days => t.interval_days),
                day, was.override_interval_months);
    end loop;
end $$;
create or replace function sec.one_of_a_group() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if sec.left_to_policies(c, new.tenant_id) then return new; end if;
    -- Two recalls of one patient at once take turns.
    perform from enamel.patients p where p.tenant_id = new.tenant_id and p.id = new.patient_id for no key update;
    if exists (select from enamel.recall_types t join enamel.recall_types o on o.tenant_id = t.tenant_id and o.exclusive_group = t.exclusive_group and o.id <> t.id
                 join enamel.recalls r on r.tenant_id = o.tenant_id and r.recall_type_id = o.id
                where t.tenant_id = new.tenant_id and t.id = new.recall_type_id and r.patient_id = new.patient_id
                  and r.status in ('DUE', 'SCHEDULED') and r.deleted_at is null and r.id <> new.id) then
        perform kernel.refuse(409, 'exclusive', 'recall_type_id', 'The patient has an open recall of the same group.');
    end if;
    return new;
end $$;
create or replace trigger one_of_a_group before insert on enamel.recalls for each row when (new.status in ('DUE', 'SCHEDULED'))
    execute function sec.one_of_a_group();
create or replace trigger one_of_a_group_again before update on enamel.recalls for each row
    when (new.status in ('DUE', 'SCHEDULED') and old.status not in ('DUE', 'SCHEDULED')) execute function sec.one_of_a_group();

-- A new patient is recalled as the clinic recalls everybody; of a group, by one type.
create or replace function sec.first_recalls() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- An insert of nothing is told by triggers all the same.
    if exists (select from enamel.recall_types t
                where t.tenant_id in (select n.tenant_id from added n) and t.is_default and t.is_active and t.deleted_at is null) then
        insert into enamel.recalls (tenant_id, id, patient_id, recall_type_id, due_on)
        select distinct on (n.tenant_id, n.id, coalesce(t.exclusive_group, t.id::text)) n.tenant_id, gen_random_uuid(), n.id, t.id,
               current_date + make_interval(months => t.interval_months, days => t.interval_days)
          from added n join enamel.recall_types t on t.tenant_id = n.tenant_id
         where n.status = 'ACTIVE' and t.is_default and t.is_active and t.deleted_at is null
         order by n.tenant_id, n.id, coalesce(t.exclusive_group, t.id::text), t.id;
    end if;
    return null;
end $$;
create or replace trigger first_recalls after insert on enamel.patients referencing new table as added for each statement
    execute function sec.first_recalls();
-- Who comes no more is not recalled; who has died is expected no more.
create or replace function sec.patient_leaves() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.recalls r set status = 'DISABLED', disable_reason = 'The patient is no longer active.'
     where r.tenant_id = new.tenant_id and r.patient_id = new.id and r.status in ('DUE', 'SCHEDULED') and r.deleted_at is null;
    if new.status = 'DECEASED' then
        update enamel.waitlist_entries w set status = 'REMOVED'
         where w.tenant_id = new.tenant_id and w.patient_id = new.id and w.status in ('WAITING', 'OFFERED') and w.deleted_at is null;
        update enamel.appointments a set status = 'CANCELLED', cancel_reason = 'The patient has died.'
         where a.tenant_id = new.tenant_id and a.patient_id = new.id and a.start_at > now() and a.status in ('PENDING', 'SCHEDULED', 'CONFIRMED');
    end if;
    return null;
end $$;
create or replace trigger leaves after update on enamel.patients for each row
    when (old.status is distinct from new.status and new.status in ('INACTIVE', 'DECEASED')) execute function sec.patient_leaves();

-- ── Series ──────────────────────────────────────────────────────────────────────────────────────────────────────
-- The days of a rule: the part of RFC 5545 that its check admits. Weeks begin on Monday; a month without the day is left out.
create or replace function kernel.days_of(rule text, first date, last date) returns setof date language sql immutable strict as $$
    with r as (
        select substring(rule from 'FREQ=([A-Z]+)') as freq, coalesce(substring(rule from 'INTERVAL=([0-9]+)')::int, 1) as every,
               string_to_array(coalesce(substring(rule from 'BYDAY=([A-Z,]+)'),
                                        (array['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])[extract(isodow from first)::int]), ',') as weekdays,
               substring(rule from 'COUNT=([0-9]+)')::int as most, to_date(substring(rule from 'UNTIL=([0-9]{8})'), 'YYYYMMDD') as until)
    select d::date from r cross join generate_series(first, least(last, coalesce(r.until, last)), interval '1 day') d
     where case r.freq
        when 'DAILY' then (d::date - first) % r.every = 0
        when 'WEEKLY' then (date_trunc('week', d)::date - date_trunc('week', first)::date) / 7 % r.every = 0
            and (array['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])[extract(isodow from d)::int] = any (r.weekdays)
        else extract(day from d) = extract(day from first)
            and ((extract(year from d) - extract(year from first)) * 12 + extract(month from d) - extract(month from first))::int % r.every = 0 end
     order by d limit (select most from r) $$;
grant execute on function kernel.days_of(text, date, date) to enamel_sec;

-- A series is its appointments: one row a day of the rule, at the same wall time; days on which the clinic is closed are left out.
create or replace function sec.expand_series() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare zone text; minutes int;
begin
    select l.time_zone into zone from enamel.locations l where l.tenant_id = new.tenant_id and l.id = new.location_id;
    select t.duration_minutes into minutes from enamel.appointment_types t where t.tenant_id = new.tenant_id and t.id = new.appointment_type_id;
    insert into enamel.appointments (tenant_id, id, patient_id, provider_id, location_id, appointment_type_id, start_at, end_at, series_id)
    select new.tenant_id, gen_random_uuid(), new.patient_id, new.provider_id, new.location_id, new.appointment_type_id,
           s.starts, s.starts + make_interval(mins => minutes), new.id
      from kernel.days_of(new.recurrence_rule, new.starts_on, new.ends_on) d
     cross join lateral (select kernel.at_local(d + new.local_start_time, zone) as starts) s
     where not exists (select from enamel.schedule_closures c where c.tenant_id = new.tenant_id and c.deleted_at is null
                          and (c.location_id is null or c.location_id = new.location_id)
                          and c.starts_at < s.starts + make_interval(mins => minutes) and c.ends_at > s.starts);
    if not found then perform kernel.refuse(422, 'empty', 'recurrence_rule', 'No day of the rule is left.'); end if;
    return null;
end $$;
create or replace trigger expand after insert on enamel.appointment_series for each row execute function sec.expand_series();
select kernel.freeze('appointment_series', 'true', 'End it and make a new one; its appointments can be moved one by one.', '{status}');

-- ── Operations of those who change no row themselves: patients, and staff without edit_schedule ────────────────
create or replace function sec.acts_for(c sec.claims, clinic uuid, patient uuid, permission text) returns boolean language sql stable as $$
    select coalesce(case c.plane
        when 'staff' then clinic = c.tenant and c.caps & kernel.bit(permission) = kernel.bit(permission)
        when 'patient' then exists (select from sec.charts(kernel.bit('edit_schedule'), c, 'appointments') h
                                     where h.tenant_id = clinic and h.patient_id = patient) end, false) $$;

-- The charts in which a patient's login makes appointments.
create or replace function sec.booking_charts() returns table (tenant_id uuid, patient_id uuid) language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
begin return query select h.tenant_id, h.patient_id from sec.charts(kernel.bit('edit_schedule'), sec.claims(), 'appointments') h; end $$;

-- input: hold_id, or patient_id, appointment_type_id, provider_id, location_id, operatory_id, start_at, end_at; patient_note;
-- from staff also is_overbook, overbook_reason, source, notes.
create or replace function sec.book_appointment(clinic uuid, input jsonb) returns setof enamel.appointments language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare
    c sec.claims := sec.claims(); h enamel.slot_holds; a enamel.appointments := jsonb_populate_record(null::enamel.appointments, input);
    staff boolean := coalesce(c.plane = 'staff', false);
begin
    if input ? 'hold_id' then
        select x.* into h from enamel.slot_holds x where x.tenant_id = clinic and x.id = (input ->> 'hold_id')::uuid for no key update;
        a.patient_id := coalesce(a.patient_id, h.patient_id);
    end if;
    if not sec.acts_for(c, clinic, a.patient_id, 'edit_schedule') or not staff and h.id is not null and h.patient_id is distinct from a.patient_id then
        raise exception 'not a patient of the caller' using errcode = '42501';
    end if;
    a.source := case when staff then coalesce(a.source, 'STAFF') else 'PORTAL' end;
    if input ? 'hold_id' then
        if h.status is distinct from 'HELD' or h.held_until <= now() then
            perform kernel.refuse(409, 'held', 'hold_id', 'The hold has ended; the time may be free still.');
        end if;
        if exists (select from enamel.waitlist_entries w where w.tenant_id = clinic and w.patient_id = a.patient_id and w.status = 'OFFERED') then
            a.source := 'WAITLIST';
        end if;
        update enamel.appointments x
           set patient_id = a.patient_id, status = sec.first_status(clinic, x.appointment_type_id), source = a.source,
               patient_note = a.patient_note, notes = case when staff then a.notes end, recall_id = a.recall_id
         where x.tenant_id = clinic and x.id = h.appointment_id and x.status = 'HELD' returning x.* into a;
        update enamel.slot_holds x set status = 'USED' where x.tenant_id = clinic and x.id = h.id;
    else
        if not staff and not sec.is_offered(clinic, a.appointment_type_id, a.provider_id, a.location_id, a.operatory_id, a.start_at, null) then
            perform kernel.refuse(409, 'offered', 'start_at', 'The time is not offered for online booking.');
        end if;
        insert into enamel.appointments (tenant_id, id, patient_id, provider_id, location_id, operatory_id, appointment_type_id, start_at,
            duration_minutes, status, source, patient_note, notes, is_overbook, overbook_reason, recall_id)
        values (clinic, gen_random_uuid(), a.patient_id, a.provider_id, a.location_id, a.operatory_id, a.appointment_type_id, a.start_at,
            case when staff then a.duration_minutes end, sec.first_status(clinic, a.appointment_type_id), a.source, a.patient_note,
            case when staff then a.notes end, staff and coalesce(a.is_overbook, false), case when staff then a.overbook_reason end, a.recall_id)
        returning * into a;
    end if;
    return next a;
end $$;

-- One move of an appointment. `verb` is the operation's word, `seen` the version the caller decided by.
create or replace function sec.move_appointment(clinic uuid, appointment uuid, seen bigint, verb text, input jsonb)
returns setof enamel.appointments language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    c sec.claims := sec.claims(); a enamel.appointments; staff boolean := coalesce(c.plane = 'staff', false);
begin
    select x.* into a from enamel.appointments x where x.tenant_id = clinic and x.id = appointment for no key update;
    if not sec.acts_for(c, clinic, a.patient_id, case when verb in ('start', 'complete') then 'edit_clinical'
                                                      when verb = 'undo-no-show' then 'overbook' else 'edit_schedule' end)
       or not staff and verb not in ('confirm', 'cancel', 'reschedule') then
        raise exception 'not for this caller' using errcode = '42501';
    end if;
    if a.version <> seen then raise exception 'changed meanwhile' using errcode = '40001'; end if;
    if not staff and a.status not in ('PENDING', 'SCHEDULED', 'CONFIRMED') then
        perform kernel.refuse(409, 'state', 'status', 'The visit has begun; ask the clinic.');
    end if;
    case verb
        when 'check-in' then
            if (now() at time zone a.time_zone)::date <> (a.start_at at time zone a.time_zone)::date then
                perform kernel.refuse(409, 'day', 'start_at', 'Check-in is on the day of the appointment.');
            end if;
        when 'mark-no-show' then
            if now() < a.start_at + (sec.calendar_rules(clinic)).grace then
                perform kernel.refuse(409, 'grace', 'start_at', 'The patient may still come: the time of grace has not passed.');
            end if;
        when 'reschedule' then
            a.start_at := coalesce((input ->> 'start_at')::timestamptz, a.start_at);
            a.operatory_id := coalesce((input ->> 'operatory_id')::uuid, a.operatory_id);
            a.provider_id := coalesce((input ->> 'provider_id')::uuid, a.provider_id);
            if staff then a.duration_minutes := coalesce((input ->> 'duration_minutes')::int, a.duration_minutes);
            elsif not sec.is_offered(clinic, a.appointment_type_id, a.provider_id, a.location_id, a.operatory_id, a.start_at, a.id) then
                perform kernel.refuse(409, 'offered', 'start_at', 'The time is not offered for online booking.');
            end if;
        else null;
    end case;
    return query update enamel.appointments x
       set status = case verb when 'schedule' then 'SCHEDULED' when 'confirm' then 'CONFIRMED' when 'check-in' then 'ARRIVED'
                    when 'start' then 'IN_PROGRESS' when 'complete' then 'COMPLETED' when 'cancel' then 'CANCELLED'
                    when 'mark-no-show' then 'NO_SHOW' when 'undo-no-show' then 'SCHEDULED' when 'reschedule' then x.status end,
           cancel_reason = case verb when 'cancel' then input ->> 'reason' else x.cancel_reason end,
           confirmed_via = case when verb = 'confirm' and staff then input ->> 'via' else x.confirmed_via end,
           start_at = a.start_at, end_at = a.start_at + make_interval(mins => a.duration_minutes),
           provider_id = a.provider_id, operatory_id = a.operatory_id,
           is_overbook = case when staff and input ? 'is_overbook' then (input ->> 'is_overbook')::boolean else x.is_overbook end,
           overbook_reason = case when staff and input ? 'overbook_reason' then input ->> 'overbook_reason' else x.overbook_reason end
     where x.tenant_id = clinic and x.id = appointment returning x.*;
end $$;
grant execute on function sec.book_appointment(uuid, jsonb), sec.move_appointment(uuid, uuid, bigint, text, jsonb)
    to enamel_staff, enamel_patient;
grant execute on function sec.booking_charts() to enamel_patient;
