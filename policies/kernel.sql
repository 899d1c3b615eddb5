-- The isolation kernel: the sealed context, the functions that policies call, the policy generator, and the triggers
-- that stamp, log and announce every change. Applied before the migrations and again at every start; idempotent.

-- ── The sealed context ──────────────────────────────────────────────────────────────────────────────────────────
-- app.ctx := hex(hmac-sha256(key, payload)) || '.' || payload
-- payload := 1|kid|exp|pid|plane|actor|tenant|scope|caps|subject|request|client|session|part    (uuid, int or word only)
-- caps: what the caller may throughout. part: what some role of theirs allows for a part of the tenant (user_roles.resource_scope).
create table if not exists sec_priv.ctx_key (
    kid text primary key, ipad bytea not null, opad bytea not null, not_after timestamptz not null default 'infinity');
alter table sec_priv.ctx_key owner to enamel_sec;

-- Transaction ids start over after a dump and reload; the epoch in front keeps the order of sealing.
create table if not exists sec_priv.audit_epoch (epoch int not null check (epoch between 1 and 9999));
alter table sec_priv.audit_epoch owner to enamel_sec;
insert into sec_priv.audit_epoch select 1 where not exists (select from sec_priv.audit_epoch);
-- PL/pgSQL keeps its plans; a function in SQL makes them anew for each statement.
create or replace function sec.audit_transaction() returns text language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
begin return lpad((select max(epoch) from sec_priv.audit_epoch)::text, 4, '0') || '.' || lpad(pg_current_xact_id()::text, 20, '0'); end $$;

-- Every transaction below it has ended, so what a snapshot shows below it is all there will ever be.
create or replace function sec.audit_horizon() returns text language sql stable
security definer set search_path = pg_catalog, pg_temp as $$
    select lpad(max(epoch)::text, 4, '0') || '.' || lpad(pg_snapshot_xmin(pg_current_snapshot())::text, 20, '0') from sec_priv.audit_epoch $$;
-- After a restore. The lock waits for every transaction that has written an event of the old epoch.
create or replace function sec.open_audit_epoch(wanted int) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if wanted > (select max(epoch) from sec_priv.audit_epoch) then
        lock table sec_priv.audit_epoch in access exclusive mode;
        insert into sec_priv.audit_epoch select wanted where wanted > (select max(epoch) from sec_priv.audit_epoch);
    end if;
end $$;

do $$ begin
    if to_regtype('sec.claims') is null then
        create type sec.claims as (plane text, actor uuid, tenant uuid, scope text, caps bigint, subject uuid,
                                   request uuid, client uuid, session uuid, part bigint);
        alter type sec.claims owner to enamel_sec;
    elsif not exists (select from pg_attribute where attrelid = 'sec.claims'::regclass and attname = 'part') then
        alter type sec.claims add attribute part bigint cascade;
    end if;
end $$;

-- The fields of the sealed context (src/kernel/context.rs, Sealer::seal, counts them) once PostgreSQL believes them; null
-- without a context, so that every policy sees NULL and no rows.
-- Security INVOKER on purpose: reachable only from the SECURITY DEFINER functions below, planes have no EXECUTE.
-- No EXCEPTION block (no subtransaction in parallel mode), no cast before the MAC is checked. As few expressions as can be:
-- PL/pgSQL prepares each anew in every transaction, and that is most of what a policy costs.
create or replace function sec.sealed() returns text[] language plpgsql stable parallel restricted as $$
declare raw text := current_setting('app.ctx', true); f text[] := string_to_array(raw, '|');
begin
    if raw is null or raw = '' then return null; end if;
    if (select encode(sha256(k.opad || sha256(k.ipad || convert_to(substr(raw, 66), 'UTF8'))), 'hex') = left(raw, 64)
          from sec_priv.ctx_key k where k.kid = f[2] and k.not_after > now()) is not true
       or split_part(f[1], '.', 2) <> '1' or f[3]::bigint < extract(epoch from clock_timestamp())
       or f[4]::int <> pg_backend_pid() or 'enamel_' || f[5] <> session_user
    then raise exception 'invalid security context' using errcode = '42501'; end if;
    return f;
end $$;
-- The same by name, for who needs several of them.
create or replace function sec.claims() returns sec.claims language plpgsql stable parallel restricted as $$
declare f text[] := sec.sealed();
begin
    if f is null then return null; end if;
    return row(f[5], nullif(f[6], '')::uuid, nullif(f[7], '')::uuid, f[8], f[9]::bigint, nullif(f[10], '')::uuid,
        nullif(f[11], '')::uuid, nullif(f[12], '')::uuid, nullif(f[13], '')::uuid, f[14]::bigint)::sec.claims;
end $$;

-- Permissions by bit, in the order of the catalogue's list. src/kernel/context.rs holds the same list (a test compares).
create or replace function kernel.permissions() returns text[] language sql immutable parallel safe as $$
    select array['self', 'view_tenant', 'view_patient', 'edit_patient', 'view_schedule', 'edit_schedule', 'overbook',
        'view_clinical', 'edit_clinical', 'sign_clinical', 'view_treatment', 'edit_treatment', 'view_imaging',
        'edit_imaging', 'run_ai_analysis', 'review_ai', 'view_referral', 'edit_referral', 'view_messages',
        'send_messages', 'view_claims', 'edit_claims', 'view_payments', 'edit_payments', 'manage_billing',
        'manage_users', 'manage_tenant', 'manage_directory', 'manage_integrations', 'view_audit', 'manage_governance',
        'delete_data', 'view_analytics', 'use_research_data', 'manage_knowledge', 'manage_reference',
        'manage_workflow', 'manage_platform'] $$;
create or replace function kernel.bit(permission text) returns bigint language plpgsql immutable parallel safe as $$
declare place int := array_position(kernel.permissions(), permission);
begin
    if permission is null or permission = 'self' then return 0; end if;     -- every caller has "self"
    if place is null then raise exception 'no permission %', permission; end if;
    return 1::bigint << (place - 1);
end $$;
-- What a proxy's scopes let them see (catalogue 4.19). Demographics of the patient come with any scope; what a proxy may
-- change, and what no permission stands for, is said by scope where the table is protected (proxy => 'read/write').
create or replace function sec.proxy_caps(scopes text[]) returns bigint language sql immutable parallel safe as $$
    select kernel.bit('view_patient')
         | case when 'appointments' = any (scopes) then kernel.bit('view_schedule') else 0 end
         | case when 'messages' = any (scopes) then kernel.bit('view_messages') | kernel.bit('send_messages') else 0 end
         | case when 'billing' = any (scopes) then kernel.bit('view_claims') | kernel.bit('view_payments') else 0 end
         | case when 'plans' = any (scopes) then kernel.bit('view_treatment') else 0 end
         | case when scopes && array['clinical', 'documents'] then kernel.bit('view_clinical') else 0 end
         | case when scopes && array['imaging', 'documents'] then kernel.bit('view_imaging') else 0 end $$;

-- ── What policies ask; each runs once per statement as an InitPlan ─────────────────────────────────────────────
-- The one tenant of staff, jobs, platform and auth contexts.
create or replace function sec.tenant(cap bigint) returns uuid language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
begin return case when f[8] = 'tenant' and f[9]::bigint & cap = cap then nullif(f[7], '')::uuid end; end $$;

-- ── Roles for a part of a tenant ──
-- A role may be given for a location, for the patients of a team, or for one's own. What asks for caps knows nothing of that and
-- refuses, so a function below the policies needs the permission throughout; the policies of staff ask these.
-- The tenant, to whoever has the permission throughout or in part.
create or replace function sec.home(cap bigint) returns uuid language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
begin return case when f[8] = 'tenant' and (f[9]::bigint | f[14]::bigint) & cap = cap then nullif(f[7], '')::uuid end; end $$;
create or replace function sec.whole(cap bigint) returns boolean language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
begin return coalesce(f[9]::bigint & cap = cap, false); end $$;
create or replace function sec.me() returns uuid language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
-- Whoever is narrowed to one patient has nothing else of their own.
begin return case when f[5] <> 'staff' or f[10] = '' then nullif(f[6], '')::uuid end; end $$;

-- What a role allows somebody of that user type.
create or replace function sec.caps_of(home uuid, given uuid, kind text) returns bigint language plpgsql stable parallel restricted as $$
begin
    return coalesce((select bit_or(kernel.bit(p.code)) from enamel.role_permissions rp join enamel.permissions p on p.id = rp.permission_id
                      where rp.tenant_id = home and rp.role_id = given and rp.deleted_at is null), 0)
         | coalesce((select kernel.bit('view_clinical') | kernel.bit('view_imaging') from enamel.roles o
                      where o.tenant_id = home and o.id = given and o.code = 'CLINIC_STAFF' and kind = 'ASSISTANT'), 0);
end $$;
-- The parts for which the caller's roles give that permission, as they stand at this moment.
create or replace function sec.parts(cap bigint, c sec.claims) returns table (kind text, location_id uuid, team_id uuid)
language plpgsql stable parallel restricted as $$
begin
    if c.plane = 'staff' and c.part & cap = cap then return query
        select g.resource_scope, g.location_id, g.team_id
          from enamel.user_roles g
          join enamel.user_tenants m on m.tenant_id = g.tenant_id and m.user_id = g.user_id and m.deleted_at is null
         where g.user_id = c.actor and g.tenant_id = c.tenant and g.deleted_at is null and g.resource_scope <> 'ALL_LOCATIONS'
           and (g.valid_from is null or g.valid_from <= now()) and (g.valid_until is null or g.valid_until > now())
           and sec.caps_of(g.role_tenant_id, g.role_id, m.user_type) & cap = cap;
    end if;
end $$;
create or replace function sec.places_of(cap bigint, c sec.claims) returns uuid[] language plpgsql stable parallel restricted as $$
begin return (select array_agg(p.location_id) from sec.parts(cap, c) p where p.kind = 'LOCATION'); end $$;
-- The caller as a provider, and the providers of their teams.
create or replace function sec.providers_of(cap bigint, c sec.claims) returns uuid[] language plpgsql stable parallel restricted as $$
begin
    return (select array_agg(distinct d.id) from enamel.providers d
             where d.tenant_id = c.tenant and d.deleted_at is null and d.user_id in (
                   select c.actor from sec.parts(cap, c) p where p.kind = 'SELF'
                   union select m.user_id from sec.parts(cap, c) p join enamel.team_members m
                      on m.tenant_id = c.tenant and m.team_id = p.team_id and m.deleted_at is null where p.kind = 'TEAM'));
end $$;
-- An application's launch may narrow somebody of the staff to one patient. Then that patient alone is their part: no place,
-- no team and no provider shows more.
create or replace function sec.my_places(cap bigint) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin return case when c.subject is null then sec.places_of(cap, c) end; end $$;
create or replace function sec.my_teams(cap bigint) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.subject is not null then return null; end if;
    return (select array_agg(p.team_id) from sec.parts(cap, c) p where p.kind = 'TEAM');
end $$;
create or replace function sec.my_providers(cap bigint) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin return case when c.subject is null then sec.providers_of(cap, c) end; end $$;
-- Whether the caller's roles give that permission throughout, as they stand at this moment.
create or replace function sec.throughout(cap bigint, c sec.claims) returns boolean language plpgsql stable parallel restricted as $$
begin
    return exists (
        select from enamel.user_roles g
          join enamel.user_tenants m on m.tenant_id = g.tenant_id and m.user_id = g.user_id and m.deleted_at is null
         where g.user_id = c.actor and g.tenant_id = c.tenant and g.deleted_at is null and g.resource_scope = 'ALL_LOCATIONS'
           and (g.valid_from is null or g.valid_from <= now()) and (g.valid_until is null or g.valid_until > now())
           and sec.caps_of(g.role_tenant_id, g.role_id, m.user_type) & cap = cap);
end $$;
-- The patients of those places ('place'), of those providers ('people'), or of both ('any'): by the patient's own row, by an
-- appointment or by a visit. Of a launch that one patient, whatever was asked ('none': of nothing else), if it is theirs.
create or replace function sec.my_patients(cap bigint, whose text) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare
    c sec.claims := sec.claims();
    clinic uuid := sec.home(cap);
    places uuid[]; providers uuid[];
begin
    if c.subject is not null then
        if c.plane <> 'staff' or c.part & cap <> cap then return null; end if;
        if sec.throughout(cap, c) then return array[c.subject]; end if;
        whose := 'any';
    end if;
    places := case when whose in ('place', 'any') then sec.places_of(cap, c) end;
    providers := case when whose in ('people', 'any') then sec.providers_of(cap, c) end;
    return (select array_agg(mine.patient_id) from (
        select p.id as patient_id from enamel.patients p where p.tenant_id = clinic and p.primary_location_id = any (places)
        union select p.id from enamel.patients p where p.tenant_id = clinic and p.primary_provider_id = any (providers)
        union select a.patient_id from enamel.appointments a where a.tenant_id = clinic and a.location_id = any (places)
        union select a.patient_id from enamel.appointments a where a.tenant_id = clinic and a.provider_id = any (providers)
        union select a.patient_id from enamel.appointment_providers a where a.tenant_id = clinic and a.provider_id = any (providers)
        union select e.patient_id from enamel.encounters e where e.tenant_id = clinic and e.location_id = any (places)
        union select e.patient_id from enamel.encounters e where e.tenant_id = clinic and e.provider_id = any (providers)) mine
     where mine.patient_id is not null and (c.subject is null or mine.patient_id = c.subject));
end $$;

-- The (tenant, patient) pairs of a login: own charts by portal account, others' by a proxy that has the scope asked for, or
-- one that stands for the permission. A launch may narrow to one.
drop function if exists sec.charts(bigint, sec.claims);
create or replace function sec.charts(cap bigint, c sec.claims, proxy text)
returns table (tenant_id uuid, patient_id uuid) language plpgsql stable parallel restricted as $$
begin
    if c.scope = 'patient' and c.caps & cap = cap then return query
        select a.tenant_id, a.patient_id from enamel.patient_portal_accounts a
         where a.user_id = c.actor and a.status = 'ACTIVE' and (c.subject is null or a.patient_id = c.subject)
        union
        select p.tenant_id, p.patient_id from enamel.patient_proxies p
         where p.user_id = c.actor and p.status = 'ACTIVE' and p.valid_from <= now()
           and (p.valid_until is null or p.valid_until > now())
           and case when proxy is null then sec.proxy_caps(p.scopes) & cap = cap else proxy = any (p.scopes) end
           and (c.subject is null or p.patient_id = c.subject);
    -- Whoever has opened a share: its one chart, with what it names, as long as share, link and visit last.
    elsif c.scope = 'share' and c.caps & cap = cap then return query
        select s.tenant_id, s.patient_id from enamel.share_visits v
          join enamel.share_links l on l.tenant_id = v.tenant_id and l.id = v.link_id and l.revoked_at is null
          join enamel.record_shares s on s.tenant_id = l.tenant_id and s.id = l.share_id
         where v.tenant_id = c.tenant and v.id = c.session and v.expires_at > now() and s.id = c.subject
           and s.revoked_at is null and s.valid_from <= now() and s.valid_until > now()
           and (select coalesce(bit_or(kernel.bit(p)), 0) from unnest(s.permissions) p where p = any (kernel.permissions())) & cap = cap;
    end if;
end $$;

-- What is written about a patient's health. No mandate shows it: an auditor looks at who did what, not at whom it was done to.
create or replace function kernel.clinical() returns bigint language sql immutable parallel safe as $$
    select kernel.bit('view_clinical') | kernel.bit('view_treatment') | kernel.bit('view_imaging') | kernel.bit('view_referral')
         | kernel.bit('view_messages') $$;

-- The tenants a caller of many may read: a DSO's subtree, an auditor's mandates, a patient's clinics.
create or replace function sec.tenants(cap bigint) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.caps & cap is distinct from cap then return null; end if;
    case c.scope
        when 'tenant' then return array[c.tenant];
        when 'subtree' then return (select array_agg(descendant_id) from enamel.tenant_closure where ancestor_id = c.tenant);
        when 'audit' then return (
            select array_agg(m.tenant_id) from enamel.audit_mandates m
             where m.auditor_user_id = c.actor and m.revoked_at is null and now() >= m.valid_from and now() < m.valid_until
               -- A word that is no permission allows nothing; it must not fail, or one tenant's row would lock the auditor
               -- out of every other tenant.
               and cap & kernel.clinical() = 0
               and (cap = 0 or exists (select from unnest(m.permissions) p
                                        where 1::bigint << (array_position(kernel.permissions(), p) - 1) = cap)));
        when 'patient', 'share' then return (select array_agg(distinct h.tenant_id) from sec.charts(cap, c, null) h);
        else return null;
    end case;
end $$;

create or replace function sec.patients(cap bigint) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin return (select array_agg(distinct h.patient_id) from sec.charts(cap, sec.claims(), null) h); end $$;

-- Ids may be made by clients, so one id can stand in two clinics: the pair decides, not the two lists.
create or replace function sec.pairs(cap bigint) returns bytea[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin return (select array_agg(uuid_send(h.tenant_id) || uuid_send(h.patient_id)) from sec.charts(cap, sec.claims(), null) h); end $$;
create or replace function sec.pairs(cap bigint, proxy text) returns bytea[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin return (select array_agg(uuid_send(h.tenant_id) || uuid_send(h.patient_id)) from sec.charts(cap, sec.claims(), proxy) h); end $$;

-- Shared rows belong to the platform tenant and are read beside one's own.
create or replace function sec.shared(cap bigint) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare own uuid[] := coalesce(sec.tenants(cap), array[sec.home(cap)]);
begin
    if own[1] is null then return null; end if;
    return own || '00000000-0000-7000-8000-000000000001'::uuid;
end $$;

-- The login of the caller, for rows that belong to a person and not to a tenant.
create or replace function sec.actor(cap bigint) returns uuid language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if (c.caps | c.part) & cap = cap then return c.actor; end if;
    return null;
end $$;

-- The people of the tenants a caller covers. A patient covers a chart and not its clinic's people; the logins of patients and
-- of those who act for them are shown to those who see patients.
create or replace function sec.members(cap bigint) returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare own uuid[] := coalesce(sec.tenants(cap), array[sec.home(cap)]); c sec.claims := sec.claims(); sees_patients boolean := sec.known(kernel.bit('view_patient'));
begin
    if c.scope not in ('tenant', 'subtree', 'audit') then return null; end if;
    return (select array_agg(distinct m.user_id) from (
        select t.user_id from enamel.user_tenants t where t.tenant_id = any (own) and t.deleted_at is null
        union select a.user_id from enamel.patient_portal_accounts a where a.tenant_id = any (own) and sees_patients
        union select p.user_id from enamel.patient_proxies p where p.tenant_id = any (own) and sees_patients
        union select k.service_user_id from enamel.api_clients k where k.tenant_id = any (own)) m);
end $$;

-- Installation-wide rows: any sealed caller may read catalogues; auth, jobs and platform see their platform tables.
create or replace function sec.known(cap bigint) returns boolean language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
begin return coalesce((f[9]::bigint | f[14]::bigint) & cap = cap, false); end $$;
create or replace function sec.everything() returns boolean language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
begin return coalesce(f[5] in ('auth', 'jobs', 'platform'), false); end $$;
-- What is kept beside the records of every patient is asked for the permission, throughout or in part; where an application's
-- launch narrows the caller, it shows of patients that one alone.
create or replace function sec.any_patient(cap bigint) returns boolean language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
begin return coalesce(f[10] = '' and (f[9]::bigint | f[14]::bigint) & cap = cap, false); end $$;
create or replace function sec.one_patient(cap bigint) returns uuid language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed();
begin return case when (f[9]::bigint | f[14]::bigint) & cap = cap then nullif(f[10], '')::uuid end; end $$;

-- ── Every change is stamped, logged and announced ──────────────────────────────────────────────────────────────
create or replace function sec.stamp() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare f text[] := sec.sealed(); actor uuid := nullif(f[6], '')::uuid;
begin
    if tg_op = 'UPDATE' then
        new.created_at := old.created_at; new.created_by := old.created_by; new.version := old.version + 1;
        if tg_argv[0] = 'soft' then
            if old.deleted_at is null and new.deleted_at is not null then
                if f[5] = 'staff' and (f[9]::bigint | f[14]::bigint) & kernel.bit('delete_data') = 0 then
                    raise exception 'retiring a row needs delete_data' using errcode = '42501';
                end if;
                perform sec.refuse_held(tg_table_name, to_jsonb(new));
            end if;
        end if;
    else
        new.created_at := now(); new.created_by := actor;
        -- It is only ever added.
        if tg_argv[0] = 'added' then return new; end if;
        new.version := 1;
    end if;
    new.updated_at := now(); new.updated_by := actor;
    return new;
end $$;

-- What a legal hold names is neither retired nor deleted before it is released; a hold on a patient covers all about them.
create or replace function sec.is_held(tenant uuid, record uuid, patient uuid) returns boolean language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
begin
    return exists (select from enamel.legal_hold_items i join enamel.legal_holds h on h.tenant_id = i.tenant_id and h.id = i.hold_id
                    where i.tenant_id = tenant and i.deleted_at is null and h.status = 'ACTIVE'
                      and (i.resource_id = record or i.resource_type = 'Patient' and i.resource_id = patient));
end $$;
create or replace function sec.refuse_held(rel text, kept jsonb) returns void language plpgsql
set search_path = pg_catalog, pg_temp as $$
begin
    -- What ends a hold is no deletion, and the first tables are written before holds exist.
    if rel <> 'legal_hold_items' and kept ? 'tenant_id' and to_regclass('enamel.legal_hold_items') is not null
       and sec.is_held((kept ->> 'tenant_id')::uuid, (kept ->> 'id')::uuid, (kept ->> 'patient_id')::uuid) then
        raise exception 'a legal hold keeps the row' using errcode = '55000', hint = 'A legal hold keeps it: release the hold first.';
    end if;
end $$;

-- Columns of no reader: hashes, factors, sealed credentials.
create or replace function kernel.secrets() returns text[] language sql immutable parallel safe as $$
    select array['password_hash', 'token_hash', 'totp_secret_enc', 'credential_id', 'public_key', 'client_secret_hash',
                 'previous_secret_hash', 'client_secret_enc', 'code_hash', 'code_challenge', 'failed_login_count',
                 'gateway_customer_token_enc', 'gateway_method_token_enc', 'payment_method_token_enc', 'secret_enc',
                 'refresh_secret_enc', 'previous_secret_enc', 'answer_token_hash', 'status_token_hash', 'bucket_salt'] $$;

-- How an id of version 7 begins (RFC 9562 5.7): ids of one moment stand together in an index, where random ones touch a page each.
create or replace function kernel.moment() returns text language sql volatile parallel safe as $$
    select lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' $$;
-- tg_argv of both: patient column or '', parent table or '', parent column. A part of a whole raises the whole's version; with
-- a fourth that is true it comes with a whole that the same transaction made: nobody has seen that without it.
-- The rows of one INSERT are told at once: preparing a statement costs more than a row of it.
create or replace function sec.log_insert() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
    f text[] := sec.sealed(); actor uuid := nullif(f[6], '')::uuid; home uuid := nullif(f[7], '')::uuid;
    request uuid := coalesce(nullif(f[11], '')::uuid, '00000000-0000-0000-0000-000000000000'); moment text := kernel.moment();
begin
    with made as materialized (select to_jsonb(n) as image from added n),
    told as (
        insert into enamel.change_log (tenant_id, id, table_name, record_id, action, new_values, changed_fields,
                                       user_id, patient_id, record_version, occurred_at, request_id, created_by)
        select coalesce((m.image ->> 'tenant_id')::uuid, case when tg_table_name = 'tenants' then (m.image ->> 'id')::uuid end,
                        home, '00000000-0000-7000-8000-000000000001'::uuid),
               (moment || right(gen_random_uuid()::text, 21))::uuid, tg_table_name, (m.image ->> 'id')::uuid, 'INSERT', m.image - kernel.secrets(),
               (select k.columns from kernel.told_columns k where k.rel = tg_table_name::text),
               actor, (m.image ->> nullif(tg_argv[0], ''))::uuid, coalesce((m.image ->> 'version')::bigint, 1),
               clock_timestamp(), request, actor
          from made m
        returning tenant_id, record_id, patient_id, record_version)
    insert into enamel.outbox_events (tenant_id, id, event_type, resource_type, resource_id, patient_id, request_id, payload, created_by)
    select t.tenant_id, (moment || right(gen_random_uuid()::text, 21))::uuid, tg_table_name || '.insert', tg_table_name, t.record_id, t.patient_id, request,
           jsonb_build_object('version', t.record_version), actor from told t;
    if found and tg_argv[1] <> '' and pg_trigger_depth() = 1 then
        execute format('update enamel.%I w set updated_at = now() where %s (w.tenant_id, w.id) in (select n.tenant_id, n.%I from added n)',
                       tg_argv[1], case when tg_argv[3]::boolean then 'w.created_at <> now() and' else '' end, tg_argv[2]);
    end if;
    return null;
end $$;
create or replace function sec.log_change() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
    f text[] := sec.sealed(); actor uuid := nullif(f[6], '')::uuid; home uuid := nullif(f[7], '')::uuid;
    request uuid := coalesce(nullif(f[11], '')::uuid, '00000000-0000-0000-0000-000000000000'); moment text := kernel.moment();
    was jsonb := to_jsonb(old); is_now jsonb; row_now jsonb; tenant uuid; record uuid; patient uuid; revision bigint;
begin
    if tg_op = 'UPDATE' then is_now := to_jsonb(new); else perform sec.refuse_held(tg_table_name, was); end if;
    row_now := coalesce(is_now, was);
    record := row_now ->> 'id';
    tenant := coalesce((row_now ->> 'tenant_id')::uuid, case when tg_table_name = 'tenants' then record end,
                       home, '00000000-0000-7000-8000-000000000001'::uuid);
    revision := coalesce((row_now ->> 'version')::bigint, 1);
    if tg_argv[0] <> '' then patient := (row_now ->> tg_argv[0])::uuid; end if;
    with told as (
        -- That a secret changed is told; what it was is not kept a second time.
        insert into enamel.change_log (tenant_id, id, table_name, record_id, action, old_values, new_values, changed_fields,
                                       user_id, patient_id, record_version, occurred_at, request_id, created_by)
        select tenant, (moment || right(gen_random_uuid()::text, 21))::uuid, tg_table_name, record, tg_op,
               was - kernel.secrets(), is_now - kernel.secrets(), coalesce(array_agg(n.key order by n.key), '{}'),
               actor, patient, revision, clock_timestamp(), request, actor
          from jsonb_each(row_now) n
         where n.value is distinct from was -> n.key and n.key not in ('version', 'updated_at', 'updated_by'))
    insert into enamel.outbox_events (tenant_id, id, event_type, resource_type, resource_id, patient_id, request_id, payload, created_by)
    values (tenant, (moment || right(gen_random_uuid()::text, 21))::uuid, tg_table_name || '.' || lower(tg_op), tg_table_name, record,
            patient, request, jsonb_build_object('version', revision), actor);
    -- What the whole's own triggers make of a part came with the whole's change.
    if tg_argv[1] <> '' and pg_trigger_depth() = 1 then
        execute format('update enamel.%I set updated_at = now() where tenant_id = $1 and id = $2', tg_argv[1])
            using tenant, (row_now ->> tg_argv[2])::uuid;
    end if;
    return null;
end $$;

-- What the log says of a new row: all its columns but those that every change stamps.
create table if not exists kernel.told_columns (rel text primary key, columns text[] not null);
alter table kernel.told_columns owner to enamel_owner;
grant select on kernel.told_columns to enamel_sec;
create or replace function kernel.tell_columns(of_rel text default null) returns void language sql as $$
    insert into kernel.told_columns
    select c.relname, array_agg(a.attname::text order by a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
       and a.attname not in ('version', 'updated_at', 'updated_by') and (of_rel is null or c.relname = of_rel)
     group by 1
    on conflict (rel) do update set columns = excluded.columns $$;
-- A server of before this release goes on writing while this one begins.
select kernel.tell_columns();

-- Makes a table a record: who, when and version stamped; each change in the log and the outbox, in its transaction.
-- born: parts come with a whole of the same transaction, which computes nothing from them.
drop function if exists kernel.record(text, text, text, text);
create or replace function kernel.record(rel text, patient text default '', parent text default '', parent_column text default '',
    born boolean default false)
returns void language plpgsql as $$
declare soft text := case when exists (select from pg_attribute where attrelid = ('enamel.' || rel)::regclass
                                        and attname = 'deleted_at' and not attisdropped) then 'soft' else '' end;
begin
    if patient = '' and exists (select from pg_attribute where attrelid = ('enamel.' || rel)::regclass
                                 and attname = 'patient_id' and not attisdropped) then patient := 'patient_id'; end if;
    if exists (select from pg_attribute where attrelid = ('enamel.' || rel)::regclass and attname = 'updated_at') then
        execute format('create trigger stamp before insert or update on enamel.%I for each row execute function sec.stamp(%L)', rel, soft);
    else
        -- A row that is only ever added says who added it.
        execute format('create trigger stamp before insert on enamel.%I for each row execute function sec.stamp(%L)', rel, 'added');
    end if;
    perform kernel.tell_columns(rel);
    execute format('create trigger log_insert after insert on enamel.%I referencing new table as added for each statement
                    execute function sec.log_insert(%L, %L, %L, %L)', rel, patient, parent, parent_column, born);
    execute format('create trigger log_change after update or delete on enamel.%I for each row
                    execute function sec.log_change(%L, %L, %L)', rel, patient, parent, parent_column);
end $$;
create or replace function sec.refuse_change() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin raise exception '% is append-only', tg_table_name using errcode = '55000'; end $$;

-- ── What may not change any more ────────────────────────────────────────────────────────────────────────────────
-- kernel.freeze('clinical_notes', $$old.status = 'SIGNED'$$, 'Write an amendment.', '{status,amended_at}'): while the
-- condition holds, only the columns of the list change; the refusal says what to do instead. Generated columns follow: before
-- a row is stored they have no value yet, which is no change.
create or replace function kernel.generated(rel text) returns text[] language sql stable as $$
    select coalesce(array_agg(attname::text order by attnum), '{}') from pg_attribute
     where attrelid = ('enamel.' || rel)::regclass and attgenerated <> '' and not attisdropped $$;
create or replace function kernel.freeze(rel text, condition text, instead text, but text[] default '{}') returns void
language plpgsql as $$
begin
    execute format('create or replace trigger frozen before update on enamel.%I for each row when (%s)
                    execute function kernel.refuse_frozen(%L, %L)', rel, condition, instead, but || kernel.generated(rel));
end $$;
create or replace function kernel.refuse_frozen() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare but text[] := tg_argv[1]::text[] || array['version', 'updated_at', 'updated_by'];
begin
    -- A merge of two patients' records carries rows from one to the other (sec.repoint_patient); it edits none.
    if current_user = 'enamel_sec' then but := but || array['patient_id']; end if;
    if (to_jsonb(new) - but) is distinct from (to_jsonb(old) - but) then
        raise exception '% is frozen', tg_table_name using errcode = '55000', hint = tg_argv[0];
    end if;
    return new;
end $$;
-- kernel.freeze_with('claim_lines', 'claim_id', 'claims', $$p.status <> 'DRAFT'$$, 'Void the claim and write a new one.'):
-- rows of a part are neither added nor changed while the whole (`p`) is in that state.
create or replace function kernel.freeze_with(rel text, whole_column text, whole text, condition text, instead text,
    but text[] default '{}') returns void language plpgsql as $$
begin
    execute format('create or replace trigger frozen_with before insert or update on enamel.%I for each row
                    execute function kernel.refuse_frozen_part(%L, %L, %L, %L, %L)',
                   rel, whole_column, whole, condition, instead, but || kernel.generated(rel));
end $$;
create or replace function kernel.refuse_frozen_part() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare but text[] := tg_argv[4]::text[] || array['version', 'updated_at', 'updated_by']; frozen boolean;
begin
    if current_user = 'enamel_sec' then but := but || array['patient_id']; end if;
    if tg_op = 'UPDATE' and (to_jsonb(new) - but) is not distinct from (to_jsonb(old) - but) then return new; end if;
    -- Who may change the whole waits for a change of it that is under way.
    execute format('select %s from enamel.%I p where p.tenant_id = $1 and p.id = $2%s', tg_argv[2], tg_argv[1],
                   case when has_any_column_privilege('enamel.' || tg_argv[1], 'update') then ' for share' else '' end)
       into frozen using new.tenant_id, (to_jsonb(new) ->> tg_argv[0])::uuid;
    if frozen then raise exception '% is frozen', tg_table_name using errcode = '55000', hint = tg_argv[3]; end if;
    return new;
end $$;

-- ── Nobody gives what they do not have ─────────────────────────────────────────────────────────────────────────
-- Staff may put a permission into a role, and a role onto a person, only out of their own capabilities.
create or replace function sec.guard_grant() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); given bigint;
begin
    if c.plane is distinct from 'staff' or new.deleted_at is not null then return new; end if;
    if tg_table_name = 'role_permissions' then
        select kernel.bit(p.code) into given from enamel.permissions p where p.id = new.permission_id;
    else
        -- To end a grant earlier needs no more than manage_users.
        if tg_op = 'UPDATE' and old.deleted_at is null and new.valid_until <= coalesce(old.valid_until, 'infinity')
           and (to_jsonb(new) - array['valid_until', 'version', 'updated_at', 'updated_by'])
             = (to_jsonb(old) - array['valid_until', 'version', 'updated_at', 'updated_by']) then return new; end if;
        select bit_or(kernel.bit(p.code)) into given
          from enamel.role_permissions rp join enamel.permissions p on p.id = rp.permission_id
         where rp.tenant_id = new.role_tenant_id and rp.role_id = new.role_id and rp.deleted_at is null;
    end if;
    if coalesce(given, 0) & ~c.caps <> 0 then
        raise exception 'a permission can be given only by those who have it' using errcode = '42501';
    end if;
    return new;
end $$;

-- A login belongs to a person, not to a clinic: staff may correct one only while no other tree of tenants knows it.
create or replace function sec.guard_person() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); root uuid;
begin
    if c.plane is distinct from 'staff' or new.id = c.actor then return new; end if;
    select t.root_tenant_id into root from enamel.tenants t where t.id = c.tenant;
    if exists (select from (
            select m.tenant_id from enamel.user_tenants m where m.user_id = new.id and m.deleted_at is null
            union all select a.tenant_id from enamel.patient_portal_accounts a where a.user_id = new.id
            union all select p.tenant_id from enamel.patient_proxies p where p.user_id = new.id) known
          join enamel.tenants t on t.id = known.tenant_id where t.root_tenant_id <> root) then
        raise exception 'this login is known to others; only its person may change it' using errcode = '42501';
    end if;
    return new;
end $$;

-- Naming a login in a row of one's own shows who that is, so staff may name themselves and logins their tenant knows already;
-- any other id is answered as one that does not exist. People come in by an invitation they accept or by their identity
-- provider. tg_argv: the column. policies/finish.sql puts it on every column of staff's that refers to a login.
create or replace function sec.guard_login() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare login uuid := (to_jsonb(new) ->> tg_argv[0])::uuid; c sec.claims := sec.claims();
begin
    -- Before-triggers run ahead of policies: a row of another tenant is left to them, so that its refusal stays theirs.
    if login is null or login = c.actor or new.tenant_id is distinct from c.tenant
       or tg_op = 'UPDATE' and login = (to_jsonb(old) ->> tg_argv[0])::uuid
       or exists (select from enamel.user_tenants m where m.tenant_id = c.tenant and m.user_id = login and m.deleted_at is null)
       or exists (select from enamel.patient_portal_accounts a where a.tenant_id = c.tenant and a.user_id = login)
       or exists (select from enamel.patient_proxies p where p.tenant_id = c.tenant and p.user_id = login)
       or exists (select from enamel.api_clients k where k.tenant_id = c.tenant and k.service_user_id = login) then
        return new;
    end if;
    raise exception 'no such login' using errcode = '23503', table = tg_table_name,
        constraint = tg_table_name || '_' || tg_argv[0] || '_fkey';
end $$;

-- What somebody says is theirs: left out, it is the caller's; another's word is taken of those who connect systems, because they
-- bring records in from elsewhere. tg_argv: the column.
create or replace function sec.speaks_for() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); who uuid := (to_jsonb(new) ->> tg_argv[0])::uuid;
begin
    if c.plane is distinct from 'staff' or c.tenant is distinct from new.tenant_id then return new; end if;
    if who is null then return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], c.actor)); end if;
    if who is distinct from c.actor and c.caps & kernel.bit('manage_integrations') = 0
       and (tg_op = 'INSERT' or who is distinct from (to_jsonb(old) ->> tg_argv[0])::uuid) then
        perform kernel.refuse(422, 'rule', tg_argv[0], 'It is the caller; only who connects systems brings in the words of others.');
    end if;
    return new;
end $$;
create or replace function kernel.speaks_for(rel text, col text, rows text default 'true') returns void language plpgsql as $$
begin
    execute format('create or replace trigger %I before insert or update of %I on enamel.%I for each row when (%s)
                    execute function sec.speaks_for(%L)', 'speaks_for_' || col, col, rel, rows, col);
end $$;

-- A client acts as its service user; staff may name a service of their own tenant only, never a person.
create or replace function sec.guard_client() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'staff' or tg_op = 'UPDATE' and new.service_user_id = old.service_user_id then return new; end if;
    if not exists (select from enamel.users u where u.id = new.service_user_id and u.kind = 'SERVICE')
       or exists (select from enamel.api_clients k where k.service_user_id = new.service_user_id and k.tenant_id <> new.tenant_id)
       or exists (select from enamel.user_tenants t where t.user_id = new.service_user_id and t.tenant_id <> new.tenant_id) then
        raise exception 'a client acts as a service of its own tenant' using errcode = '42501';
    end if;
    return new;
end $$;

-- ── States and limits, held here too ──────────────────────────────────────────────────────────────────────────
-- A row moves along the machine of its table and nowhere else, whoever moves it. src/**/<record>.rs holds the same
-- machines (a test compares). moves: '{FROM>TO,…}'. The check is the trigger's WHEN: a legal change calls nothing.
create or replace function kernel.refuse_move() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'no move of %.% leads there', tg_table_name, tg_argv[0]
        using errcode = '23514', table = tg_table_name, constraint = tg_table_name || '_' || tg_argv[0] || '_move';
end $$;
create or replace function kernel.moves(rel text, col text, moves text[]) returns void language plpgsql as $$
begin
    execute format('create or replace trigger %1$I before update on enamel.%2$I for each row
                    when (old.%3$I is distinct from new.%3$I and (old.%3$I || ''>'' || new.%3$I) <> all (%4$L::text[]))
                    execute function kernel.refuse_move(%3$L)', 'moves_of_' || col, rel, col, moves);
end $$;

-- Before-triggers run ahead of policies: a row that policies will refuse is left to them, so that its refusal stays theirs.
create or replace function sec.left_to_policies(c sec.claims, clinic uuid) returns boolean language sql stable parallel restricted as $$
    select coalesce(c.scope = 'tenant' and c.tenant is distinct from clinic, c.plane is null and session_user like 'enamel\_%') $$;

-- Guards of the domains speak through here: the rule's word, the field, and a sentence for people.
create or replace function kernel.refuse(status int, rule text, field text, sentence text) returns void language plpgsql
set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '%', sentence using errcode = 'EN' || status, constraint = rule, column = field, hint = sentence;
end $$;
grant execute on function kernel.refuse(int, text, text, text) to enamel_staff, enamel_patient, enamel_jobs, enamel_auth,
    enamel_platform, enamel_sec;
drop function if exists kernel.refuse(text, text, text);

-- kernel.same_patient('vital_signs', 'encounter_id', 'encounters'): a row that points to a visit, a note or an exam is about
-- the same patient. Judged after the policies; what the caller cannot see fits nobody.
create or replace function kernel.refuse_other_patient() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare whose uuid;
begin
    -- A merge of two patients' records carries rows table by table (sec.repoint_patient).
    if current_user = 'enamel_sec' then return null; end if;
    execute format('select p.patient_id from enamel.%I p where p.tenant_id = $1 and p.id = $2', tg_argv[1])
       into whose using new.tenant_id, (to_jsonb(new) ->> tg_argv[0])::uuid;
    if whose is distinct from new.patient_id then
        raise exception 'it is about another patient' using errcode = '23514', table = tg_table_name,
            constraint = tg_table_name || '_' || tg_argv[0] || '_check';
    end if;
    return null;
end $$;
create or replace function kernel.same_patient(rel text, col text, other text) returns void language plpgsql as $$
begin
    execute format('create or replace trigger %1$I after insert or update of %2$I, patient_id on enamel.%3$I for each row
                    when (new.%2$I is not null) execute function kernel.refuse_other_patient(%2$L, %4$L)',
                   'patient_of_' || col, col, rel, other);
end $$;

-- What counts against a limit of tenant_quotas; null where nothing counts yet.
create or replace function sec.in_use(quota text, tenant uuid) returns bigint language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
begin
    case quota
        when 'max_patients' then return (select count(*) from enamel.patients p where p.tenant_id = tenant and p.deleted_at is null);
        when 'max_locations' then return (
            select count(*) from enamel.locations l where l.tenant_id = tenant and l.deleted_at is null and l.status <> 'CLOSED');
        when 'max_users' then return (
            select count(*) from enamel.user_tenants m where m.tenant_id = tenant and m.deleted_at is null and m.status <> 'DISABLED');
        when 'max_storage_bytes' then return (
            select coalesce(sum(f.file_size), 0) from enamel.files f
             where f.tenant_id = tenant and f.status <> 'DELETED' and f.deleted_at is null
               and kernel.takes_storage(f));
        when 'max_webhook_subscriptions' then return (
            select count(*) from enamel.webhook_subscriptions w where w.tenant_id = tenant and w.deleted_at is null);
        when 'max_ai_inferences_per_month' then return (
            select count(*) from enamel.ai_inference_jobs j
              where j.tenant_id = tenant and not j.is_shadow and j.status <> 'CANCELLED' and j.queued_at >= date_trunc('month', now()));
        -- What the servers have told of the last minute.
        when 'api_rate_limit_per_minute' then return (
            select coalesce(sum(s.units), 0) from kernel.spent s
             where s.subject = encode(substr(sha256('tenant'::bytea || uuid_send(tenant)), 1, 16), 'hex')::uuid
               and s.slot > extract(epoch from clock_timestamp())::bigint / 2 - 31);
        else return null;
    end case;
end $$;
-- tg_argv: the limit. Without one: an index probe. With one: creations of the tenant take turns at its quota row, and
-- each counts after the one before it, so two can never both be the last.
create or replace function sec.within_quota() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare most bigint; c sec.claims; more bigint := 1;
begin
    select (to_jsonb(q) ->> tg_argv[0])::bigint
      into most from enamel.tenant_quotas q where q.tenant_id = new.tenant_id and q.hard_limit;
    if most is null then return new; end if;
    -- A row for another tenant is refused by the policies after this trigger; until then nothing tells about its limits.
    c := sec.claims();
    if c.tenant is distinct from new.tenant_id then return new; end if;
    select (to_jsonb(q) ->> tg_argv[0])::bigint
      into most from enamel.tenant_quotas q where q.tenant_id = new.tenant_id and q.hard_limit for no key update;
    if tg_argv[0] = 'max_storage_bytes' then more := (to_jsonb(new) ->> 'file_size')::bigint; end if;
    if sec.in_use(tg_argv[0], new.tenant_id) + more > most then
        raise exception 'the limit % of the tenant is reached', tg_argv[0]
            using errcode = '53400', table = 'tenant_quotas', constraint = tg_argv[0];
    end if;
    return new;
end $$;

-- ── The policy generator: the only place a policy is written ──────────────────────────────────────────────────
-- What the past of a table is shown to a plane by: the permission, the columns it has not, and what its policy asks of a row.
create table if not exists kernel.reach (
    rel text not null, plane text not null, bit bigint not null, hidden text[] not null, primary key (rel, plane));
alter table kernel.reach add column if not exists see text not null default 'true', add column if not exists chart text,
    add column if not exists rows_too boolean not null default false;
alter table kernel.reach owner to enamel_owner;
grant select on kernel.reach to enamel_sec;

-- planes: 'staff=all/all group=all/none patient=own/contact_email,phone_mobile', read/write per plane as the model says:
--   all, own (rows of the patient column, or of the login where it is user_id or caller_id), linked, none; write also
--   create (insert only) or a list of columns (update only).
-- home: tenant (tenant_id), shared (own and the platform tenant's rows), root (tenants), members (users), login (rows of
--   a login without a tenant), catalogue (everybody reads).
-- staff_rows: what more is asked of a row on the planes of staff, groups and auditors, for reading and changing alike.
-- proxy: 'read/write', the words of patient_proxies.scopes that somebody acting for a patient needs; a word of 'any' reads
--   with whatever scope stands for the permission. A patient's own login needs none of them, and the permission `write` only
--   so that an application's narrower token stays narrower. What patients may change of a chart cannot leave it unsaid.
drop function if exists kernel.protect(text, text, text, text, text, text, text, text[], text[], text, text);
create or replace function kernel.protect(rel text, planes text, home text default 'tenant', read text default 'self',
    write text default 'self', patient text default null, rows text default null,
    staff_only text[] default '{}', secret text[] default '{}', sec text default '', proxy text default 'any/', staff_rows text default null)
returns void language plpgsql as $$
declare
    proxy_reads text := nullif(split_part(proxy, '/', 1), 'any'); proxy_writes text := nullif(split_part(proxy, '/', 2), '');
    t regclass := ('enamel.' || rel)::regclass; item text; plane text; can_read text; can_write text; role text;
    r bigint; w bigint; see text; change text; cols text; p record;
begin
    execute format('alter table %s owner to enamel_owner', t);
    execute format('alter table %s enable row level security', t);
    execute format('alter table %s force row level security', t);
    for p in select polname from pg_policy where polrelid = t loop execute format('drop policy %I on %s', p.polname, t); end loop;
    execute format('revoke all on %s from public, enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit,
                    enamel_auth, enamel_jobs, enamel_platform, enamel_log, enamel_sealer, enamel_sec', t);
    -- Column privileges outlive a table-wide REVOKE only when another grantor gave them; the owner is the one grantor.
    delete from kernel.reach k where k.rel = protect.rel;
    foreach item in array regexp_split_to_array(planes, '\s+') loop
        plane := split_part(item, '=', 1); can_read := split_part(split_part(item, '=', 2), '/', 1);
        can_write := split_part(item, '/', 2); role := 'enamel_' || plane;
        -- What is published to linked patients, what any member of staff may read, and who looked at their chart, needs no
        -- permission of theirs: whose it is decides.
        r := case when plane in ('auth', 'jobs', 'platform')
                    or plane in ('patient', 'share') and (can_read = 'linked' or read in ('view_tenant', 'view_audit'))
                  then 0 else kernel.bit(read) end;
        if plane = 'patient' and can_write <> 'none' and home = 'tenant' and patient not in ('user_id', 'caller_id')
           and proxy_writes is null then
            raise exception 'which scope does a proxy need to change %?', rel;
        end if;
        -- What managers decide about others, a patient asks for themselves by right.
        w := case when plane in ('auth', 'jobs', 'platform')
                    or plane = 'patient' and (proxy_writes is null or write like 'manage\_%') then 0 else kernel.bit(write) end;
        see := kernel.policy_form(home, plane, can_read, r, patient, rows, proxy_reads);
        -- What is published to all linked patients is still written by each for their own chart only.
        change := kernel.policy_form(case home when 'shared' then 'tenant' else home end, plane,
            case when plane = 'patient' and can_read = 'linked' and patient is not null then 'own' else can_read end,
            w, patient, null, proxy_writes);
        if plane = 'staff' and home = 'tenant' and can_read = 'all' then
            see := kernel.staff_form(rel, patient, read, r, false); change := kernel.staff_form(rel, patient, write, w, true);
        elsif plane = 'staff' and home = 'members' then
            change := change || format(' and (select sec.whole(%s))', w);
        end if;
        if staff_rows is not null and plane in ('staff', 'group', 'audit') then
            see := see || ' and ' || staff_rows; change := change || ' and ' || staff_rows;
        end if;
        if home in ('tenant', 'shared', 'root')
           and (plane in ('staff', 'group') and can_read = 'all' or plane in ('patient', 'share', 'audit') and can_read <> 'none') then
            insert into kernel.reach values (rel, plane, case when plane = 'patient' and proxy_reads is not null then 0 else r end,
                case when plane in ('patient', 'share') then secret || staff_only else secret end, see,
                case when can_read = 'own' and home = 'tenant' and patient not in ('user_id', 'caller_id') then patient end,
                staff_rows is not null);
        end if;
        if can_read <> 'none' then
            execute format('create policy %I on %s for select to %I using (%s)', plane || '_r', t, role, see);
            select string_agg(quote_ident(attname), ', ' order by attnum) into cols from pg_attribute
             where attrelid = t and attnum > 0 and not attisdropped
               and not (plane in ('patient', 'share', 'auth') and attname = any (staff_only))
               and not (plane in ('staff', 'group', 'patient', 'share', 'audit') and attname = any (secret));
            execute format('grant select (%s) on %s to %I', cols, t, role);
        end if;
        if can_write in ('all', 'own', 'create', 'replace') then
            execute format('create policy %I on %s for insert to %I with check (%s)', plane || '_i', t, role, change);
            execute format('grant insert on %s to %I', t, role);
        end if;
        if can_write not in ('none', 'create', 'operations', 'replace') then
            -- Without a check of its own, the row as it becomes is asked the same.
            execute format('create policy %I on %s for update to %I using (%s)', plane || '_u', t, role, change);
            select string_agg(quote_ident(attname), ', ') into cols from pg_attribute
             where attrelid = t and attnum > 0 and not attisdropped and attgenerated = ''
               and attname not in ('tenant_id', 'id', 'created_at', 'created_by')
               -- Somebody with two charts may not carry a row from one into the other.
               and not (plane = 'patient' and attname = patient)
               and (can_write in ('all', 'own') or attname = any (string_to_array(can_write, ',')));
            execute format('grant update (%s) on %s to %I', cols, t, role);
        end if;
        -- What follows from other rows is never changed: it is deleted and made anew.
        if plane = 'jobs' and can_write = 'all' or can_write = 'replace' then
            execute format('create policy %I on %s for delete to %I using (%s)', plane || '_d', t, role, change);
            execute format('grant delete on %s to %I', t, role);
        end if;
    end loop;
    -- The security role reads what policies are decided by, and writes what triggers write.
    if sec like '%r%' then
        execute format('create policy sec_r on %s for select to enamel_sec using (true)', t);
        execute format('grant select on %s to enamel_sec', t);
    end if;
    if sec like '%w%' then
        execute format('create policy sec_i on %s for insert to enamel_sec with check (true)', t);
        execute format('create policy sec_u on %s for update to enamel_sec using (true)', t);
        execute format('grant insert, update on %s to enamel_sec', t);
    end if;
    -- A merge of two records takes along what points to the patient (sec.repoint_patient).
    if home = 'tenant' and exists (select from pg_attribute where attrelid = t and attname = 'patient_id') then
        if sec not like '%w%' then
            execute format('create policy sec_m on %s for update to enamel_sec using (tenant_id = (select sec.tenant(0)))', t);
            execute format('grant update (patient_id) on %s to enamel_sec', t);
        end if;
        if sec not like '%r%' then
            execute format('create policy sec_mr on %s for select to enamel_sec using (tenant_id = (select sec.tenant(0)))', t);
            execute format('grant select (tenant_id, patient_id) on %s to enamel_sec', t);
        end if;
    end if;
    -- What has expired is swept for every tenant by one function.
    if sec like '%d%' then
        execute format('create policy sec_d on %s for delete to enamel_sec using (true)', t);
        execute format('grant delete on %s to enamel_sec', t);
    end if;
    -- The sealer reads every audit event and appends seals, digests and anchors.
    if sec like '%s%' then
        execute format('create policy sealer_r on %s for select to enamel_sealer using (true)', t);
        execute format('grant select on %s to enamel_sealer', t);
    end if;
    if sec like '%a%' then
        execute format('create policy sealer_i on %s for insert to enamel_sealer with check (true)', t);
        execute format('grant insert on %s to enamel_sealer', t);
    end if;
end $$;

-- Rows of a tenant as its staff see and change them. Whoever has the permission throughout sees them all. With it for a part of
-- the tenant, a row about a patient is theirs by its place, its provider, its author, whom it is assigned to, or its patient;
-- where every row has a place (a provider), that decides and not where else the patient goes. What is about no patient is
-- read by all, as an appointment book needs it, and changed at one's own place; what is left asks for the permission throughout.
create or replace function kernel.staff_form(rel text, patient text, permission text, cap bigint, changes boolean) returns text
language plpgsql stable as $$
declare ways text[] := '{}'; chart text; placed boolean := false; provided boolean := false; phi boolean; col record;
begin
    for col in select a.attname::text as name, a.attnotnull as always from pg_attribute a
                where a.attrelid = ('enamel.' || rel)::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum loop
        case
            when col.name in ('location_id', 'primary_location_id') then
                ways := ways || format('%I = any ((select sec.my_places(%s))::uuid[])', col.name, cap); placed := placed or col.always;
            when col.name in ('provider_id', 'primary_provider_id') then
                ways := ways || format('%I = any ((select sec.my_providers(%s))::uuid[])', col.name, cap); provided := provided or col.always;
            when col.name in ('author_id', 'assigned_user_id') then ways := ways || format('%I = (select sec.me())', col.name);
            when col.name in ('team_id', 'assigned_team_id') then
                ways := ways || format('%I = any ((select sec.my_teams(%s))::uuid[])', col.name, cap);
            when col.name = patient and patient not in ('user_id', 'caller_id') or col.name = 'patient_id' then chart := col.name;
            else null;
        end case;
    end loop;
    if chart is not null then
        ways := ways || format('%I = any ((select sec.my_patients(%s, %L))::uuid[])', chart, cap,
                               case when placed and provided then 'none' when placed then 'people' when provided then 'place' else 'any' end);
    end if;
    phi := coalesce(obj_description(('enamel.' || rel)::regclass, 'pg_class') like '%Sensitivity: phi%', false);
    return case
        -- Whoever has it throughout is asked for nothing else. No index serves a coalesce(), and one half without one keeps the
        -- planner from walking an index for each half: it would take the tenant, named here and in the query, for one row.
        when chart is not null and cap <> 0 or changes and permission in ('manage_tenant', 'edit_schedule') and cardinality(ways) > 0
            then format('(coalesce(tenant_id = (select sec.tenant(%1$s)), false) or tenant_id = (select sec.home(%1$s)) and (%2$s))',
                        cap, array_to_string(ways, ' or '))
        when not changes and not phi and permission in ('view_tenant', 'view_schedule', 'view_clinical', 'view_treatment',
                                                        'view_imaging', 'view_referral', 'view_messages')
            then format('tenant_id = (select sec.home(%s))', cap)
        else format('tenant_id = (select sec.tenant(%s))', cap) end;
end $$;

-- For staff_rows: a row about a patient asks for that permission beside the table's own.
create or replace function kernel.about_a_patient(permission text) returns text language sql stable as $$
    select format('(patient_id is null or (select sec.any_patient(%1$s)) or patient_id = (select sec.one_patient(%1$s)))',
                  kernel.bit(permission)) $$;

-- AND-only, one expression per role and command; every call is an InitPlan.
drop function if exists kernel.policy_form(text, text, text, bigint, text, text);
create or replace function kernel.policy_form(home text, plane text, extent text, cap bigint, patient text, rows text, proxy text)
returns text language plpgsql as $$
declare
    one boolean := plane in ('staff', 'jobs', 'platform', 'auth'); form text;
    pairs text := format('sec.pairs(%s)', cap);
begin
    -- Where a proxy's scope decides, the pairs alone know it; the lists stay for the index.
    if plane = 'patient' and extent = 'own' and home = 'tenant' and proxy is not null then
        pairs := format('sec.pairs(%s, %L)', cap, proxy); cap := 0;
    end if;
    form := case
        when home = 'catalogue' and plane in ('platform', 'jobs') then '(select sec.everything())'
        when home = 'catalogue' then format('(select sec.known(%s))', cap)
        when home in ('login', 'members', 'root') and plane in ('auth', 'jobs', 'platform') then '(select sec.everything())'
        when home = 'members' and extent = 'own' then format('id = (select sec.actor(%s))', cap)
        when home = 'members' then format('id = any ((select sec.members(%s))::uuid[])', cap)
        when home = 'login' then format('%I = (select sec.actor(%s))', patient, cap)
        when home = 'root' and one then format('id = (select sec.tenant(%s))', cap)
        when home = 'root' then format('id = any ((select sec.tenants(%s))::uuid[])', cap)
        when home = 'shared' then format('tenant_id = any ((select sec.shared(%s))::uuid[])', cap)
        when one then format('tenant_id = (select sec.tenant(%s))', cap)
        else format('tenant_id = any ((select sec.tenants(%s))::uuid[])', cap) end;
    if extent = 'own' and home = 'tenant' then
        if patient in ('user_id', 'caller_id') then
            form := form || format(' and %I = (select sec.actor(%s))', patient, cap);
        else
            form := form || format(' and %I = any ((select sec.patients(%s))::uuid[])', patient, cap);
            -- A share opens one chart: there the two lists have one member each and are the pair.
            if plane = 'patient' then
                form := form || format(' and (uuid_send(tenant_id) || uuid_send(%I)) = any ((select %s)::bytea[])', patient, pairs);
            end if;
        end if;
    end if;
    if rows is not null and plane in ('patient', 'share') then form := form || ' and ' || rows; end if;
    return form;
end $$;

-- What the change log tells this caller of a table: of which tenants, which columns it leaves out, what a row as it was is asked, and
-- whose charts it is walked by. Whoever reads the table throughout is asked for nothing more where its policy asks for nothing more.
drop function if exists sec.told_of(text);
create or replace function sec.told_of(rel text, out homes uuid[], out hidden text[], out see text, out charts uuid[])
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); may kernel.reach;
begin
    select * into may from kernel.reach k where k.rel = told_of.rel and k.plane = c.plane;
    if not found then raise exception 'no history for this plane' using errcode = '42501'; end if;
    homes := case when c.plane = 'staff' then array_remove(array[sec.home(may.bit)], null) else sec.tenants(may.bit) end;
    hidden := may.hidden;
    charts := case when may.chart is not null then coalesce(sec.patients(may.bit), '{}') end;
    see := case when not may.rows_too and (c.plane = 'group' or c.plane = 'staff' and sec.tenant(may.bit) is not null) then null
                else may.see end;
end $$;
-- Whether the caller's policy would show the row as it was, and shows it as it is: what is no more theirs to see never was.
create or replace function sec.shown(rel text, see text, home uuid, record uuid, image jsonb) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare answer boolean; today jsonb;
begin
    if see is null then return true; end if;
    select coalesce(l.new_values, l.old_values) into today from enamel.change_log l
     where l.tenant_id = home and l.record_id = record and l.table_name = rel order by l.record_version desc limit 1;
    execute format('select coalesce(bool_and(coalesce(%2$s, false)), false) from unnest(array[$1, $2]) i
                     cross join lateral jsonb_populate_record(null::enamel.%1$I, i) %1$I', rel, see)
       into answer using image, today;
    return answer;
end $$;
-- The versions of one record before that one, newest first: who, when, what. The same id may stand in several tenants of a
-- group, and so many are given of each.
create or replace function sec.history(rel text, record uuid, before bigint, most int)
returns table (tenant_id uuid, record_version bigint, action text, occurred_at timestamptz, user_id uuid, request_id uuid,
               reason text, changed_fields text[], new_values jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare told record;
begin
    select * into told from sec.told_of(history.rel);
    return query
        select l.tenant_id, l.record_version, l.action, l.occurred_at, l.user_id, l.request_id, l.reason,
               array(select f from unnest(l.changed_fields) f where f <> all (told.hidden)), l.new_values - told.hidden
          from unnest(told.homes) h(home)
         cross join lateral (
            select c.* from enamel.change_log c
             where c.tenant_id = h.home and c.table_name = history.rel and c.record_id = record
               and c.record_version < coalesce(before, 9223372036854775807)
               and sec.shown(history.rel, told.see, c.tenant_id, c.record_id, coalesce(c.new_values, c.old_values))
             order by c.record_version desc limit least(most, 200)) l
         order by l.tenant_id, l.record_version desc;
end $$;
-- A transaction's changes have one request and one time in their rows.
create or replace function sec.changed_at(image jsonb) returns text language sql immutable parallel safe as $$
    select coalesce(image ->> 'updated_at', image ->> 'created_at') $$;
-- Versions that somebody could read, newest first: of each transaction the last. `kinds` names the tables and what their rows
-- contain: [{"rel": "kept_resources", "rows": [{"resource_type": "List"}]}]. `at` to `until`: those that stood in that time.
-- A row as it was is asked what the caller's policy asks of a row; whether they may see the record today is asked where it is read.
create or replace function sec.versions(kinds jsonb, record uuid, of_version bigint, since timestamptz, standing timestamptz,
    until timestamptz, before timestamptz, before_id uuid, most int)
returns table (rel text, id uuid, tenant_id uuid, occurred_at timestamptz, image jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
begin
    return query
        select k.kind ->> 'rel', l.id, l.tenant_id, l.occurred_at, l.new_values - t.hidden
          from jsonb_array_elements(kinds) k(kind)
         cross join lateral sec.told_of(k.kind ->> 'rel') t
         cross join lateral unnest(t.homes) h(home)
         cross join lateral (
            select c.id, c.tenant_id, c.occurred_at, c.new_values from enamel.change_log c
             where c.tenant_id = h.home and c.table_name = k.kind ->> 'rel' and c.new_values is not null
               and (record is null or c.record_id = record) and (of_version is null or c.record_version = of_version)
               and (t.charts is null or c.patient_id = any (t.charts))
               and (since is null or c.occurred_at >= since) and (until is null or c.occurred_at < until)
               and (before is null or (c.occurred_at, c.id) < (before, before_id))
               and (k.kind -> 'rows' is null
                    or exists (select from jsonb_array_elements(k.kind -> 'rows') w(words) where c.new_values @> w.words))
               and not exists (
                    select from enamel.change_log n
                     where n.tenant_id = c.tenant_id and n.record_id = c.record_id and n.table_name = c.table_name
                       and (n.record_version = c.record_version + 1 and n.request_id = c.request_id
                            and sec.changed_at(n.new_values) = sec.changed_at(c.new_values)
                            or n.record_version > c.record_version and n.occurred_at <= standing))
               and sec.shown(c.table_name, t.see, c.tenant_id, c.record_id, c.new_values)
             order by c.occurred_at desc, c.id desc limit least(most, 201)) l
         order by l.occurred_at desc, l.id desc limit least(most, 201);
end $$;
-- A part as it was with that version of its whole: as the last transaction left it that made this version or an earlier one.
create or replace function sec.part_with(rel text, part uuid, home uuid, whole_rel text, whole uuid, version bigint) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare told record; image jsonb;
begin
    select * into told from sec.told_of(rel);
    select l.new_values into image from enamel.change_log l
     where l.tenant_id = home and home = any (told.homes) and l.record_id = part and l.table_name = rel
       and l.new_values is not null
       and coalesce((select min(w.record_version) <= version from enamel.change_log w
                      where w.tenant_id = home and w.record_id = whole and w.table_name = whole_rel
                        and w.request_id = l.request_id and sec.changed_at(w.new_values) = sec.changed_at(l.new_values)),
                    -- It changed without its whole.
                    l.occurred_at <= (select w.occurred_at from enamel.change_log w
                                       where w.tenant_id = home and w.record_id = whole and w.table_name = whole_rel
                                         and w.record_version = version))
     order by l.record_version desc limit 1;
    if image is null or not sec.shown(rel, told.see, home, part, image) then return null; end if;
    return image - told.hidden;
end $$;
-- Requests under one condition go one after the other, each until its transaction ends: what the first makes, the next one finds.
create or replace function sec.one_by_one(condition text) returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
declare tenant uuid := (sec.claims()).tenant;
begin
    if tenant is null then raise exception 'a condition is asked in a tenant' using errcode = '42501'; end if;
    perform pg_advisory_xact_lock(hashtextextended(tenant || condition, 27));
end $$;
grant execute on function pg_catalog.pg_advisory_xact_lock(bigint) to enamel_sec;
