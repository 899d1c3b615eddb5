-- Who may see and change what in tenancy; planes and permissions as the model lists them.
select kernel.protect('tenants',
    -- A tenant's admin may not choose its place in the tree, its kind, state or region: a changed parent would graft it
    -- into another's subtree. Those belong to the platform.
    'staff=all/name,slug,category,jurisdiction,default_currency,default_locale,time_zone,default_location_id,legal_name,tax_id_enc group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'root', read => 'view_tenant', write => 'manage_tenant', sec => 'rw');
select kernel.protect('tenant_closure', 'jobs=all/none', home => 'catalogue', sec => 'rw');
select kernel.protect('tenant_settings', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant', sec => 'rw');
select kernel.protect('tenant_branding',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant', sec => 'rw');
select kernel.protect('tenant_email_templates', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant');
select kernel.protect('subscription_plans',
    'staff=all/none group=all/none auth=all/none jobs=all/all platform=all/all', home => 'catalogue',
    read => 'view_tenant', write => 'manage_platform', sec => 'r');
select kernel.protect('tenant_subscriptions',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all', read => 'manage_billing',
    write => 'manage_billing', sec => 'r');
select kernel.protect('tenant_features', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'view_tenant', write => 'manage_platform', sec => 'rw');
select kernel.protect('tenant_quotas', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'view_tenant', write => 'manage_platform', sec => 'rw');
select kernel.protect('locations',
    'staff=all/all group=all/none patient=linked/none share=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant', staff_only => '{address_line1,address_line2,phone,email}',
    sec => 'rw');
select kernel.protect('operatories', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'manage_tenant', sec => 'r');
select kernel.protect('teams', 'staff=all/all group=all/none audit=all/none jobs=all/all', read => 'view_tenant',
    write => 'manage_users');
select kernel.protect('tenant_placements', 'jobs=all/none platform=all/all', home => 'catalogue',
    read => 'manage_platform', write => 'manage_platform');
select kernel.protect('tenant_moves', 'jobs=all/all platform=all/all', home => 'catalogue',
    read => 'manage_platform', write => 'manage_platform');
grant delete on enamel.tenant_closure to enamel_sec;
create policy sec_d on enamel.tenant_closure for delete to enamel_sec using (true);
grant select on enamel.billing_plans to enamel_staff, enamel_platform;

-- Whether the caller is shown how to reach a clinic: callers from outside are, unless it shows that to booked patients only
-- (C15); then a patient is by a booking that was confirmed.
create or replace function sec.contact_shown(clinic uuid) returns boolean language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane in ('auth', 'jobs', 'platform') or (c.scope = 'tenant' and c.tenant = clinic)
                    or (c.scope <> 'tenant' and clinic = any (sec.tenants(0))), false) then return false; end if;
    return c.plane not in ('auth', 'patient', 'share')
        or not exists (select from enamel.tenant_settings s where s.tenant_id = clinic and s.contact_visibility = 'AFTER_BOOKING')
        or c.plane = 'patient' and exists (
            select from enamel.bookings b join sec.charts(0, c, null) h on h.tenant_id = b.tenant_id and h.patient_id = b.patient_id
             where b.tenant_id = clinic and b.status in ('CONFIRMED', 'COMPLETED'));
end $$;
grant execute on function sec.contact_shown(uuid) to enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit,
    enamel_auth, enamel_jobs, enamel_platform;

-- How to reach a tenant: its default location, for callers who are shown it.
create or replace function sec.tenant_contact(tenant uuid) returns jsonb language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not sec.contact_shown(tenant) then return null; end if;
    return (select jsonb_build_object('phone', l.phone, 'email', l.email, 'address', jsonb_build_object(
                'line1', l.address_line1, 'line2', l.address_line2, 'city', l.city, 'region', l.region,
                'postal_code', l.postal_code, 'country', l.country))
              from enamel.tenants t join enamel.locations l on l.tenant_id = t.id and l.id = t.default_location_id
             where t.id = tenant and l.deleted_at is null);
end $$;

-- A child of the caller's own DSO, with its place, settings, branding and the DSO's limits. input holds checked fields.
create or replace function sec.create_child_tenant(input jsonb) returns setof enamel.tenants language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare
    c sec.claims := sec.claims(); dso enamel.tenants;
    child uuid := (input ->> 'id')::uuid; place uuid := (input ->> 'location_id')::uuid;
begin
    if not coalesce(c.plane = 'staff' and c.caps & kernel.bit('manage_tenant') <> 0, false) then
        raise exception 'making a child tenant needs manage_tenant' using errcode = '42501';
    end if;
    select t.* into dso from enamel.tenants t where t.id = c.tenant and t.type = 'DSO' and t.status = 'ACTIVE' for share;
    if not found then
        raise exception 'only a DSO that is active has child tenants' using errcode = '42501';
    end if;
    insert into enamel.tenants (id, name, slug, type, category, parent_tenant_id, root_tenant_id, primary_region,
        partition_strategy, jurisdiction, default_currency, default_locale, time_zone, legal_name)
    values (child, input ->> 'name', input ->> 'slug', coalesce(input ->> 'type', 'GROUP_PRACTICE'), input ->> 'category', dso.id,
        dso.root_tenant_id, dso.primary_region, dso.partition_strategy, coalesce(input ->> 'jurisdiction', dso.jurisdiction),
        coalesce(input ->> 'default_currency', dso.default_currency), coalesce(input ->> 'default_locale', dso.default_locale),
        coalesce(input ->> 'time_zone', dso.time_zone), input ->> 'legal_name');
    insert into enamel.locations (tenant_id, id, name, address_line1, address_line2, city, region, postal_code, country, phone,
        email, time_zone)
    values (child, place, coalesce(input ->> 'location_name', input ->> 'name'), input ->> 'address_line1',
        input ->> 'address_line2', input ->> 'city', input ->> 'region', input ->> 'postal_code',
        coalesce(input ->> 'country', left(coalesce(input ->> 'jurisdiction', dso.jurisdiction), 2)), input ->> 'phone',
        input ->> 'email', coalesce(input ->> 'time_zone', dso.time_zone));
    insert into enamel.tenant_settings (tenant_id, id, default_language)
    values (child, gen_random_uuid(), coalesce(input ->> 'default_locale', dso.default_locale));
    insert into enamel.tenant_branding (tenant_id, id, display_name) values (child, gen_random_uuid(), input ->> 'name');
    insert into enamel.tenant_quotas (tenant_id, id, max_users, max_locations, max_patients, max_storage_bytes,
        max_ai_inferences_per_month, api_rate_limit_per_minute, max_webhook_subscriptions, max_file_bytes, hard_limit)
    select child, gen_random_uuid(), q.max_users, q.max_locations, q.max_patients, q.max_storage_bytes,
        q.max_ai_inferences_per_month, q.api_rate_limit_per_minute, q.max_webhook_subscriptions, q.max_file_bytes,
        coalesce(q.hard_limit, true)
      from (select) one left join enamel.tenant_quotas q on q.tenant_id = dso.id;
    return query update enamel.tenants t set default_location_id = place where t.id = child returning t.*;
end $$;

-- Gives the tenant what its running subscription includes: limits, and the features that come with a plan. Features that
-- were granted or are on trial stay as they are.
create or replace function sec.apply_plan(subscription uuid) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); s enamel.tenant_subscriptions; p enamel.subscription_plans;
begin
    if not coalesce(c.plane = 'platform' or c.plane = 'staff' and c.caps & kernel.bit('manage_billing') <> 0, false) then
        raise exception 'applying a plan needs manage_billing' using errcode = '42501';
    end if;
    select x.* into s from enamel.tenant_subscriptions x
     where x.tenant_id = c.tenant and x.id = subscription and x.status in ('TRIALING', 'ACTIVE', 'PAST_DUE');
    if not found then raise exception 'the subscription does not run' using errcode = '42501'; end if;
    select x.* into strict p from enamel.subscription_plans x where x.id = s.plan_id;
    insert into enamel.tenant_quotas (tenant_id, id)
    select c.tenant, gen_random_uuid() where not exists (select from enamel.tenant_quotas q where q.tenant_id = c.tenant);
    update enamel.tenant_quotas q
       set max_users = coalesce(s.seats, p.included_seats), max_storage_bytes = p.included_storage_bytes,
           max_ai_inferences_per_month = p.included_ai_calls, api_rate_limit_per_minute = p.included_api_rate_per_minute
     where q.tenant_id = c.tenant;
    update enamel.tenant_features f set is_enabled = f.feature_code = any (p.included_features)
     where f.tenant_id = c.tenant and f.source = 'PLAN' and f.deleted_at is null
       and f.is_enabled is distinct from (f.feature_code = any (p.included_features));
    insert into enamel.tenant_features (tenant_id, id, feature_code, source)
    select c.tenant, gen_random_uuid(), code, 'PLAN' from (select distinct unnest(p.included_features) as code) x
     where not exists (select from enamel.tenant_features f
                        where f.tenant_id = c.tenant and f.feature_code = x.code and f.deleted_at is null);
end $$;

-- Each limit of a tenant the caller covers, with what is used of it; null where it is counted elsewhere.
create or replace function sec.quota_usage(tenant uuid) returns table (quota text, most bigint, used bigint) language plpgsql
stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(tenant = any (sec.tenants(case when c.plane = 'platform' then 0 else kernel.bit('view_tenant') end)), false) then
        return;
    end if;
    return query select l.quota, l.most, sec.in_use(l.quota, tenant) from enamel.tenant_quotas q cross join lateral (values
        ('max_users', q.max_users::bigint), ('max_locations', q.max_locations), ('max_patients', q.max_patients),
        ('max_storage_bytes', q.max_storage_bytes), ('max_ai_inferences_per_month', q.max_ai_inferences_per_month),
        ('api_rate_limit_per_minute', q.api_rate_limit_per_minute), ('max_webhook_subscriptions', q.max_webhook_subscriptions),
        ('max_file_bytes', q.max_file_bytes)) l(quota, most) where q.tenant_id = tenant;
end $$;

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('locations', 'status', '{ACTIVE>SUSPENDED,SUSPENDED>ACTIVE,ACTIVE>CLOSED,SUSPENDED>CLOSED}');
select kernel.moves('operatories', 'status', '{
    ACTIVE>OUT_OF_SERVICE,OUT_OF_SERVICE>ACTIVE,ACTIVE>RETIRED,OUT_OF_SERVICE>RETIRED}');
select kernel.moves('subscription_plans', 'status', '{ACTIVE>RETIRED}');
select kernel.moves('teams', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');
select kernel.moves('tenants', 'status', '{ACTIVE>SUSPENDED,SUSPENDED>ACTIVE,ACTIVE>CLOSED,SUSPENDED>CLOSED}');
select kernel.moves('tenant_moves', 'status', '{
    PLANNED>COPYING,COPYING>VERIFYING,VERIFYING>CUT_OVER,CUT_OVER>COMPLETED,COPYING>FAILED,VERIFYING>FAILED,
    CUT_OVER>FAILED,COPYING>ROLLED_BACK,VERIFYING>ROLLED_BACK,FAILED>ROLLED_BACK}');
select kernel.moves('tenant_placements', 'status', '{ACTIVE>MOVING,MOVING>READ_ONLY,READ_ONLY>ACTIVE,MOVING>ACTIVE}');
select kernel.moves('tenant_subscriptions', 'status', '{
    TRIALING>ACTIVE,TRIALING>CANCELLED,ACTIVE>CANCELLED,PAST_DUE>CANCELLED,ACTIVE>PAST_DUE,PAST_DUE>ACTIVE,
    TRIALING>EXPIRED,ACTIVE>EXPIRED,CANCELLED>EXPIRED}');

-- ── Limits that several servers keep together ─────────────────────────────────────────────────────────────────
-- What each server has spent of a limit, in slots of two seconds; nothing here is older than a minute, and a crash may lose it
-- all. The nil subject says that a server is there. Only the two functions below see it.
create unlogged table if not exists kernel.spent (
    subject uuid not null, slot bigint not null, server uuid not null, units int not null, primary key (subject, slot, server));
create index if not exists spent_slot on kernel.spent (slot);
alter table kernel.spent owner to enamel_owner;
grant select, insert, update, delete on kernel.spent to enamel_sec;

-- Tells what this server has spent and hears what all others have, of the subjects asked about. In the row of the nil subject:
-- how many other servers there are.
create or replace function sec.exchange_limits(server uuid, subjects uuid[], slots bigint[], spent int[], asked uuid[], newest bigint,
    oldest bigint) returns table (subject uuid, slot bigint, units bigint) language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    insert into kernel.spent as s (subject, slot, server, units)
    select t.subject, t.slot, exchange_limits.server, t.units from unnest(subjects, slots, spent) t(subject, slot, units)
    union all select '00000000-0000-0000-0000-000000000000', newest, exchange_limits.server, 0
        on conflict on constraint spent_pkey do update set units = excluded.units where s.units <> excluded.units;
    delete from kernel.spent s where s.server = exchange_limits.server and s.slot < oldest;
    delete from kernel.spent s where s.ctid = any (array(
        select x.ctid from kernel.spent x where x.slot < oldest - 30 limit 1000 for update skip locked));
    return query
    select s.subject, s.slot, sum(s.units) from kernel.spent s
     where s.subject = any (asked) and s.slot >= oldest and s.server <> exchange_limits.server group by s.subject, s.slot
    union all
    select '00000000-0000-0000-0000-000000000000', newest, count(distinct s.server) from kernel.spent s
     where s.subject = '00000000-0000-0000-0000-000000000000' and s.slot > newest - 5 and s.server <> exchange_limits.server;
end $$;

-- How often each tenant has called a server in an hour: the count so far, which replaces the one told before.
create or replace function sec.tell_calls(tenants uuid[], ids uuid[], hours timestamptz[], calls float8[]) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    insert into enamel.usage_events as e (tenant_id, id, meter_code, quantity, source_id, occurred_at)
    select t.tenant, gen_random_uuid(), 'API_CALLS', t.calls, t.id, t.hour from unnest(tenants, ids, hours, calls) t(tenant, id, hour, calls)
      on conflict (tenant_id, meter_code, source_id) do update set quantity = greatest(e.quantity, excluded.quantity);
end $$;
grant execute on function sec.exchange_limits(uuid, uuid[], bigint[], int[], uuid[], bigint, bigint),
    sec.tell_calls(uuid[], uuid[], timestamptz[], float8[]) to enamel_jobs;
