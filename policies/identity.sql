-- Who may see and change what in identity; planes and permissions as the model lists them.
select kernel.protect('users',
    'staff=all/full_name,preferred_locale,phone group=all/none patient=own/full_name,preferred_locale,phone audit=all/none auth=all/all jobs=all/all platform=all/all',
    home => 'members', read => 'view_tenant', write => 'manage_users', patient => 'id',
    secret => '{failed_login_count}', sec => 'rw');
select kernel.protect('team_members', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', sec => 'r');
select kernel.protect('user_auth_identities', 'staff=own/none patient=own/none auth=all/all jobs=all/all',
    home => 'login', patient => 'user_id', secret => '{password_hash}', sec => 'r');
select kernel.protect('user_mfa_factors', 'staff=own/own patient=own/own auth=all/all jobs=all/all', home => 'login',
    patient => 'user_id', secret => '{totp_secret_enc,credential_id,public_key,sign_count}');
select kernel.protect('user_recovery_codes', 'auth=all/all jobs=all/all', home => 'login', patient => 'user_id',
    secret => '{code_hash}');
select kernel.protect('user_tokens', 'auth=all/all jobs=all/all', home => 'login', patient => 'user_id',
    secret => '{token_hash}', sec => 'rd');
select kernel.protect('identity_providers', 'staff=all/all audit=all/none auth=all/none jobs=all/all',
    read => 'manage_users', write => 'manage_users', secret => '{client_secret_enc,scim_token_hash}', sec => 'rw');
select kernel.protect('domain_checks', 'jobs=all/all', sec => 'r');
select kernel.protect('user_tenants', 'staff=all/all group=all/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', sec => 'rw');
select kernel.protect('member_invitations', 'staff=all/all audit=all/none jobs=all/all',
    read => 'manage_users', write => 'manage_users', sec => 'rw');
select kernel.protect('letters', 'staff=all/none jobs=all/all platform=all/none',
    read => 'manage_users', write => 'manage_users', secret => '{letter_enc}', sec => 'rd');
select kernel.moves('letters', 'state', '{WAITING>SENT,WAITING>FAILED}');
-- Letters to be delivered. Tenants take turns: one that has written a thousand waits behind its own.
create or replace function sec.letters_due(too_late boolean, most bigint) returns table (tenant_id uuid, id uuid) language plpgsql
stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select l.tenant_id, l.id from enamel.letters l
        where l.state = 'WAITING' and l.next_attempt_at <= clock_timestamp() and (not too_late or l.good_until <= clock_timestamp())
        order by row_number() over (partition by l.tenant_id order by l.next_attempt_at), l.next_attempt_at limit most;
end $$;
grant execute on function sec.letters_due(boolean, bigint) to enamel_jobs;
select kernel.protect('roles', 'staff=all/all audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_users', sec => 'rw');
select kernel.protect('permissions', 'staff=all/none audit=all/none auth=all/none jobs=all/none platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform', sec => 'r');
select kernel.protect('role_permissions', 'staff=all/all audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_users', sec => 'r');
select kernel.protect('user_roles', 'staff=all/all group=all/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', sec => 'r');
select kernel.protect('sessions', 'staff=own/none patient=own/none auth=all/all jobs=all/all platform=none/none',
    home => 'login', patient => 'user_id', secret => '{token_hash,provider_session_hash}', sec => 'rwd',
    staff_rows => kernel.about_a_patient('self'));
select kernel.protect('refresh_tokens', 'auth=all/all jobs=all/all', home => 'login', patient => 'user_id',
    secret => '{token_hash}', sec => 'rwd');
select kernel.protect('api_clients', 'staff=all/all audit=all/none auth=all/none jobs=all/all platform=all/all',
    read => 'manage_integrations', write => 'manage_integrations',
    secret => '{client_secret_hash,previous_secret_hash}', sec => 'rw');
select kernel.protect('app_vendors', 'staff=all/none audit=all/none auth=all/none jobs=all/none platform=all/all',
    home => 'catalogue', read => 'manage_integrations', write => 'manage_platform', sec => 'r');
select kernel.protect('vendor_apps', 'staff=all/none audit=all/none auth=all/all jobs=all/none platform=all/status',
    home => 'catalogue', read => 'manage_integrations', write => 'manage_platform',
    secret => '{client_secret_hash,previous_secret_hash}', sec => 'r');
select kernel.protect('oauth_authorizations',
    'staff=own/none patient=own/none audit=all/none auth=all/all jobs=all/all', patient => 'user_id', sec => 'rwd',
    secret => '{code_hash,code_challenge,code_expires_at}', staff_rows => kernel.about_a_patient('self'));
select kernel.protect('shown_assertions', 'auth=all/create jobs=all/all', home => 'login', patient => 'id',
    secret => '{shown_hash}', sec => 'rd');
select kernel.protect('signing_keys', 'jobs=all/all', home => 'login', patient => 'id',
    secret => '{private_key_enc}', sec => 'rd');
select kernel.protect('oauth_requests', 'auth=all/all jobs=all/all', secret => '{handle_hash,pushed}', sec => 'rd');
-- Made by the end of a session, told by the worker.
select kernel.protect('logout_notices', 'jobs=all/all', sec => 'rwd');
select kernel.protect('sign_in_attempts', 'auth=all/all jobs=all/all', home => 'login', patient => 'id',
    secret => '{state_hash,pending_enc}', sec => 'rd');

create or replace trigger guard_grant before insert or update on enamel.role_permissions
    for each row execute function sec.guard_grant();
create or replace trigger guard_grant before insert or update on enamel.user_roles
    for each row execute function sec.guard_grant();
create or replace trigger guard_client before insert or update on enamel.api_clients
    for each row execute function sec.guard_client();

-- A client of the tenant acts as a service user of its own, which comes into being with it.
create or replace function sec.add_service() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    -- A row the policies will refuse makes nobody.
    if c.plane is distinct from 'staff' or c.caps & kernel.bit('manage_integrations') = 0 or new.tenant_id is distinct from c.tenant then
        return new;
    end if;
    insert into enamel.users (id, email, full_name, kind, status)
    -- An application of a vendor has one public id in all tenants, and a service in each.
    values (gen_random_uuid(), case when new.vendor_app_id is null then new.client_id else new.id::text end || '@clients.invalid', new.name, 'SERVICE', 'ACTIVE') returning id into new.service_user_id;
    return new;
end $$;
create or replace trigger add_service before insert on enamel.api_clients for each row when (new.service_user_id is null)
    execute function sec.add_service();
-- A client's new secret; the one before it works on until then. Staff write secrets and read none.
create or replace function sec.rotate_secret(client uuid, hash bytea, until timestamptz) returns setof enamel.api_clients language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane = 'staff' and c.caps & kernel.bit('manage_integrations') <> 0, false) then
        raise exception 'a new secret needs manage_integrations' using errcode = '42501';
    end if;
    return query update enamel.api_clients k
        set previous_secret_hash = k.client_secret_hash, previous_secret_expires_at = until, client_secret_hash = hash
      where k.tenant_id = c.tenant and k.id = client returning k.*;
end $$;

-- ── What ends with a session ───────────────────────────────────────────────────────────────────────────────────
-- However a session ends: what came from it and has no offline_access ends too (OpenID Connect Back-Channel Logout 1.0 §2.7),
-- and the applications that know it from an ID token and want to be told will be.
create or replace function sec.session_ended() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    insert into enamel.logout_notices (tenant_id, id, api_client_id, user_id, session_id)
    select k.tenant_id, gen_random_uuid(), k.id, new.user_id, new.id
      from enamel.api_clients k left join enamel.vendor_apps a on a.id = k.vendor_app_id
     where coalesce(a.backchannel_logout_uri, k.backchannel_logout_uri) is not null and k.status = 'ACTIVE'
       and (k.tenant_id, k.id) in (select s.active_tenant_id, s.api_client_id from enamel.sessions s
                                    where s.parent_session_id = new.id and s.from_tenant_id is null and s.scopes @> '{openid}')
    on conflict (tenant_id, session_id, api_client_id) do nothing;
    with ended as (
        update enamel.sessions s set revoked_at = new.revoked_at, revoke_reason = new.revoke_reason
         where s.parent_session_id = new.id and s.revoked_at is null and not s.scopes @> '{offline_access}' returning s.id)
    update enamel.refresh_tokens r set revoked_at = new.revoked_at from ended where r.session_id = ended.id and r.revoked_at is null;
    return null;
end $$;
create or replace trigger session_ended after update on enamel.sessions for each row
    when (new.revoked_at is not null and old.revoked_at is null) execute function sec.session_ended();

-- Sessions that were over so long ago, a program's and a person's, some at a time; the log tells of them. What something that is
-- kept names stays, and of a person the last in each tenant: it says where they go first. Codes that nobody redeemed go as well.
create or replace function sec.sweep_sessions(programs interval, people interval, most bigint) returns bigint language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare swept bigint := 0; n bigint; c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' then raise exception 'only jobs sweep' using errcode = '42501'; end if;
    delete from enamel.oauth_authorizations d where (d.tenant_id, d.id) in (
        select a.tenant_id, a.id from enamel.oauth_authorizations a
         where a.session_id is null and a.code_expires_at < now() - programs and not sec.is_held(a.tenant_id, a.id, a.patient_id)
         order by a.code_expires_at limit most);
    get diagnostics n = row_count; swept := swept + n;
    delete from enamel.sessions d where d.id in (
        select s.id from enamel.sessions s
         where s.auth_method = 'API_CLIENT' and s.expires_at < now() - programs and not sec.is_named(s.id)
         order by s.expires_at limit most);
    get diagnostics n = row_count; swept := swept + n;
    delete from enamel.sessions d where d.id in (
        select s.id from enamel.sessions s
         where s.auth_method <> 'API_CLIENT' and s.expires_at < now() - people and not sec.is_named(s.id)
           and exists (select from enamel.sessions l where l.user_id = s.user_id and l.active_tenant_id is not distinct from s.active_tenant_id
                        and l.created_at > s.created_at)
         order by s.expires_at limit most);
    get diagnostics n = row_count;
    return swept + n;
end $$;
create or replace function sec.is_named(session uuid) returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (select from enamel.refresh_tokens r where r.session_id = session)
        or exists (select from enamel.sessions f where f.parent_session_id = session)
        or exists (select from enamel.logout_notices n where n.session_id = session)
        or exists (select from enamel.oauth_authorizations a where a.session_id = session)
        or exists (select from enamel.oauth_authorizations a where a.sign_in_session_id = session) $$;

-- Notices that are due, each as it is tried once more: of a tenant some at a time, so that one whose applications answer
-- slowly keeps no other waiting. waits: seconds to the attempt after each.
create or replace function sec.take_logouts(most int, of_a_tenant int, waits int[]) returns table (
    tenant_id uuid, id uuid, client uuid, client_id text, uri text, user_id uuid, session_id uuid, attempts int)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    with turns as (
        select n.tenant_id, n.id, row_number() over (partition by n.tenant_id order by n.due_at) as turn
          from enamel.logout_notices n where n.status = 'PENDING' and n.due_at <= now()),
    due as (
        select n.tenant_id, n.id from enamel.logout_notices n join turns t on t.tenant_id = n.tenant_id and t.id = n.id
         where t.turn <= of_a_tenant and n.status = 'PENDING' and n.due_at <= now() order by t.turn, n.due_at limit most
           for update of n skip locked),
    taken as (
        update enamel.logout_notices n
           set attempts = n.attempts + 1, due_at = now() + waits[least(n.attempts + 1, cardinality(waits))] * interval '1 second'
          from due where n.tenant_id = due.tenant_id and n.id = due.id returning n.*)
    select t.tenant_id, t.id, k.id, k.client_id, coalesce(a.backchannel_logout_uri, k.backchannel_logout_uri), t.user_id, t.session_id, t.attempts
      from taken t join enamel.api_clients k on k.tenant_id = t.tenant_id and k.id = t.api_client_id
      left join enamel.vendor_apps a on a.id = k.vendor_app_id;
end $$;

-- A code is a session about to begin: what ends all of a person's sessions ends the codes nobody has redeemed, in every tenant.
create or replace function sec.end_codes(person uuid) returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    update enamel.oauth_authorizations set code_expires_at = now()
     where user_id = person and session_id is null and code_expires_at > now();
end $$;

-- ── Before it is known who asks ────────────────────────────────────────────────────────────────────────────────
-- These see across tenants, so each answers one narrow question, on the auth plane alone (policies/finish.sql).

-- Whether an exchanged token of that tenant reaches the other one: a group its clinics, while they are its own.
create or replace function sec.reaches(above uuid, below uuid) returns boolean language sql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from enamel.tenant_closure p join enamel.tenants t on t.id = above and t.type = 'DSO' and t.status = 'ACTIVE'
                    where p.ancestor_id = above and p.descendant_id = below and p.depth > 0) $$;

-- Whether an application of a vendor may be used at all.
create or replace function sec.app_stands(app uuid) returns boolean language sql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from enamel.vendor_apps a join enamel.app_vendors v on v.id = a.vendor_id and v.status = 'ACTIVE'
                    where a.id = app and a.status = 'ACTIVE') $$;

-- The one session a token opens, and what its bearer may do at this moment.
drop function if exists sec.resolve_token(bytea);
create or replace function sec.resolve_token(token_hash bytea) returns table (
    session_id uuid, user_id uuid, client_id uuid, tenant_id uuid, tenant_type text, tenant_status text, user_status text,
    client_status text, client_ranges text[], membership_status text, user_type text, is_patient boolean, auth_method text,
    scopes text[], scope_caps bigint, patient_id uuid, expires_at timestamptz, revoked_at timestamptz,
    last_activity_at timestamptz, role_codes text[], caps bigint, part bigint, patient_caps bigint, break_glass_id uuid,
    encounter_id uuid, dpop_thumbprint text, certificate_thumbprint text, client_rate int, tenant_rate int, from_tenant_id uuid)
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select s.id, s.user_id, s.api_client_id, s.active_tenant_id, t.type, t.status, u.status,
           case when k.expires_at <= now() or s.from_tenant_id is not null and not sec.reaches(s.from_tenant_id, s.active_tenant_id)
                  or k.vendor_app_id is not null and not sec.app_stands(k.vendor_app_id) then 'DISABLED' else k.status end, k.allowed_ip_ranges, m.status, m.user_type, sec.is_patient(s.user_id, s.active_tenant_id), s.auth_method,
           coalesce(s.token_scopes, s.scopes), s.scope_caps, s.patient_id, least(s.expires_at, s.token_expires_at), s.revoked_at,
           s.last_activity_at, r.codes, r.caps, r.part,
           -- What a patient may change of their own the policies say; the permissions for it let an application have less.
           sec.template_caps('PATIENT') | kernel.bit('edit_patient') | kernel.bit('edit_schedule') | kernel.bit('edit_treatment')
               | kernel.bit('edit_imaging') | kernel.bit('edit_payments'),
           -- What is done while emergency access is open is marked with it.
           (select b.id from enamel.break_glass_grants b where b.tenant_id = s.active_tenant_id and b.user_id = s.user_id
               and b.status = 'OPEN' and b.valid_until > now() order by b.valid_from desc limit 1),
           s.encounter_id, s.dpop_thumbprint, s.certificate_thumbprint, k.rate_limit_per_minute, q.api_rate_limit_per_minute, s.from_tenant_id
      from enamel.sessions s
      join enamel.users u on u.id = s.user_id
      left join enamel.tenants t on t.id = s.active_tenant_id
      left join enamel.api_clients k on k.tenant_id = coalesce(s.from_tenant_id, s.active_tenant_id) and k.id = s.api_client_id
      left join enamel.tenant_quotas q on q.tenant_id = s.active_tenant_id
      left join enamel.user_tenants m on m.user_id = s.user_id and m.tenant_id = s.active_tenant_id and m.deleted_at is null
     cross join lateral (
        select coalesce(array_agg(distinct o.code), '{}') as codes,
               coalesce(bit_or(k.caps) filter (where g.resource_scope = 'ALL_LOCATIONS'), 0) as caps,
               coalesce(bit_or(k.caps) filter (where g.resource_scope <> 'ALL_LOCATIONS'), 0) as part
          from enamel.user_roles g
          join enamel.roles o on o.tenant_id = g.role_tenant_id and o.id = g.role_id and o.deleted_at is null
         cross join lateral (select sec.caps_of(o.tenant_id, o.id, m.user_type) as caps) k
         where g.user_id = s.user_id and g.tenant_id = s.active_tenant_id and g.deleted_at is null
           and (g.valid_from is null or g.valid_from <= now()) and (g.valid_until is null or g.valid_until > now())) r
     where s.token_hash = resolve_token.token_hash;
end $$;

-- The same of a session that is known by its id: for work that goes on after its request.
drop function if exists sec.resolve_session(uuid);
create or replace function sec.resolve_session(session uuid) returns table (
    session_id uuid, user_id uuid, client_id uuid, tenant_id uuid, tenant_type text, tenant_status text, user_status text,
    client_status text, client_ranges text[], membership_status text, user_type text, is_patient boolean, auth_method text,
    scopes text[], scope_caps bigint, patient_id uuid, expires_at timestamptz, revoked_at timestamptz,
    last_activity_at timestamptz, role_codes text[], caps bigint, part bigint, patient_caps bigint, break_glass_id uuid,
    encounter_id uuid, dpop_thumbprint text, certificate_thumbprint text, client_rate int, tenant_rate int, from_tenant_id uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query select r.* from enamel.sessions s cross join lateral sec.resolve_token(s.token_hash) r where s.id = session;
end $$;

-- Whether a session still stands as it did when its stream began: not ended, not expired, in the same tenant.
create or replace function sec.session_in_force(session uuid, tenant uuid) returns boolean language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return exists (
        select from enamel.sessions s
          join enamel.users u on u.id = s.user_id and u.status = 'ACTIVE'
          left join enamel.tenants t on t.id = s.active_tenant_id
          left join enamel.user_tenants m on m.user_id = s.user_id and m.tenant_id = s.active_tenant_id and m.deleted_at is null
         where s.id = session and s.revoked_at is null and least(s.expires_at, s.token_expires_at) > clock_timestamp()
           and s.active_tenant_id is not distinct from tenant and (t.id is null or t.status = 'ACTIVE')
           and (m.user_id is null or m.status = 'ACTIVE'));
end $$;

-- Whether that login has a chart there (anywhere, when no tenant is named), its own or another's it acts for.
create or replace function sec.is_patient(login uuid, tenant uuid) returns boolean language sql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from enamel.patient_portal_accounts a
                    where a.user_id = login and a.tenant_id = coalesce(tenant, a.tenant_id) and a.status = 'ACTIVE')
        or exists (select from enamel.patient_proxies p
                    where p.user_id = login and p.tenant_id = coalesce(tenant, p.tenant_id) and p.status = 'ACTIVE' and p.valid_from <= now()
                      and (p.valid_until is null or p.valid_until > now())) $$;

create or replace function sec.template_caps(role_code text) returns bigint language sql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(bit_or(kernel.bit(p.code)), 0)
      from enamel.roles o
      join enamel.role_permissions rp on rp.tenant_id = o.tenant_id and rp.role_id = o.id and rp.deleted_at is null
      join enamel.permissions p on p.id = rp.permission_id
     where o.tenant_id = '00000000-0000-7000-8000-000000000001' and o.code = role_code and o.deleted_at is null $$;

-- Where somebody who has proved who they are may go.
drop function if exists sec.homes_of(uuid);
create or replace function sec.homes_of(login uuid) returns table (
    tenant_id uuid, name text, slug text, provider_only boolean, last_used timestamptz, second_required boolean)
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select t.id, t.name, t.slug,
           -- The tenant's own identity provider is the only way in for its domains.
           exists (select from enamel.identity_providers p join enamel.users u on u.id = login
                    where p.tenant_id = t.id and p.is_enforced and p.status = 'ACTIVE' and p.deleted_at is null
                      and split_part(u.email_key, '@', 2) = any (p.allowed_domains)),
           (select max(s.created_at) from enamel.sessions s where s.user_id = login and s.active_tenant_id = t.id),
           -- Whoever works there needs a second factor; patients may have one.
           m.id is not null and m.user_type <> 'PATIENT'
               and coalesce((select s.require_mfa from enamel.tenant_settings s where s.tenant_id = t.id), false)
      from enamel.tenants t
      left join enamel.user_tenants m on m.tenant_id = t.id and m.user_id = login and m.status = 'ACTIVE' and m.deleted_at is null
     where t.status = 'ACTIVE'
       and t.id in (select x.tenant_id from enamel.user_tenants x where x.user_id = login
                    union select a.tenant_id from enamel.patient_portal_accounts a where a.user_id = login
                    union select p.tenant_id from enamel.patient_proxies p where p.user_id = login)
       and (m.id is not null or sec.is_patient(login, t.id))
     order by 5 desc nulls last, t.name, t.id;
end $$;

-- The open invitations of a login, by the address it signs in with.
create or replace function sec.invitations_of(login uuid) returns table (
    tenant_id uuid, tenant_name text, id uuid, user_type text, expires_at timestamptz)
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select i.tenant_id, t.name, i.id, i.user_type, i.expires_at
      from enamel.users u
      join enamel.member_invitations i on i.email_key = u.email_key
      join enamel.tenants t on t.id = i.tenant_id and t.status = 'ACTIVE'
     where u.id = login and u.kind = 'HUMAN' and u.status = 'ACTIVE'
       and i.accepted_at is null and i.deleted_at is null and i.expires_at > now()
     order by i.created_at, i.tenant_id, i.id;
end $$;

-- The caller joins a tenant that has asked for them. A membership that had ended is taken up again. Null where nobody asked.
create or replace function sec.accept_invitation(tenant uuid, invitation uuid) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); asked enamel.member_invitations; membership uuid;
begin
    if not exists (select from sec.invitations_of(c.actor) o where o.tenant_id = tenant and o.id = invitation) then return null; end if;
    update enamel.member_invitations i set accepted_at = now()
     where i.tenant_id = tenant and i.id = invitation and i.accepted_at is null and i.deleted_at is null returning i.* into asked;
    if not found then return null; end if;
    insert into enamel.user_tenants as m (tenant_id, id, user_id, user_type, title, status, joined_at)
    values (tenant, gen_random_uuid(), c.actor, asked.user_type, asked.title, 'ACTIVE', now())
    on conflict (tenant_id, user_id) where deleted_at is null
    do update set status = 'ACTIVE', user_type = excluded.user_type, joined_at = now(), left_at = null
    returning m.id into membership;
    return membership;
end $$;

-- Where an application of a vendor acts: in the tenant that gave it what it shows (a code, a token, a launch, a pushed request).
create or replace function sec.shown_in(public_id text, shown bytea) returns uuid language sql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
    select k.tenant_id from enamel.api_clients k
      join (select q.tenant_id, q.api_client_id from enamel.oauth_authorizations q where q.code_hash = shown
            union all select q.tenant_id, q.api_client_id from enamel.oauth_requests q where q.handle_hash = shown
            union all select coalesce(s.from_tenant_id, s.active_tenant_id), s.api_client_id from enamel.sessions s where s.token_hash = shown
            union all select coalesce(s.from_tenant_id, s.active_tenant_id), s.api_client_id from enamel.refresh_tokens r
                        join enamel.sessions s on s.id = r.session_id where r.token_hash = shown) g
        on g.tenant_id = k.tenant_id and g.api_client_id = k.id
     where k.client_id = public_id limit 1 $$;

-- A database in which they once gave a type of their own: what a function returns cannot be replaced.
do $$ begin
    if to_regtype('sec.client') is not null then
        drop function sec.client_of(text, bytea, text, uuid);
        drop function sec.clients_of(text[], bytea[], text[], uuid[]);
        drop function sec.app_client_of(enamel.vendor_apps, bytea, text, uuid);
        drop type sec.client;
    end if;
end $$;
-- The client of a public id. A tenant's own has 128 random bits, so the first one is the only one. An application of a vendor is
-- a client of each tenant that has admitted it: of the one that gave what is shown, else of the one that is named, else of the one
-- where somebody is. Where none of them says it, the application stands in the platform's tenant, acts as nobody and holds nothing.
create or replace function sec.app_client_of(app enamel.vendor_apps, shown bytea, named text, here uuid) returns table (
    tenant_id uuid, id uuid, client_id text, name text, client_type text, client_secret_hash bytea, previous_secret_hash bytea,
    previous_secret_expires_at timestamptz, jwks jsonb, jwks_uri text, tls_names text[], tls_thumbprints text[], redirect_uris text[], logout_uris text[], scopes text[],
    app_scopes text[], grant_types text[], allowed_ip_ranges text[], service_user_id uuid, status text, used_at timestamptz)
language plpgsql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
declare place uuid; stands text;
begin
    place := sec.shown_in(app.client_id, shown);
    if place is null and named is not null then
        place := sec.tenant_of(named);
        if place is null then return; end if;
    end if;
    place := coalesce(place, here);
    stands := case when sec.app_stands(app.id) then 'ACTIVE' else 'DISABLED' end;
    if place is null then
        return query
        select '00000000-0000-7000-8000-000000000001'::uuid, app.id, app.client_id, app.name, app.client_type, app.client_secret_hash,
               app.previous_secret_hash, app.previous_secret_expires_at, app.jwks, app.jwks_uri, '{}'::text[], '{}'::text[],
               app.redirect_uris, app.logout_uris, '{}'::text[], app.scopes, app.grant_types, '{}'::text[], null::uuid, stands, null::timestamptz;
        return;
    end if;
    return query
    select k.tenant_id, k.id, k.client_id, app.name, app.client_type, app.client_secret_hash, app.previous_secret_hash,
           app.previous_secret_expires_at, app.jwks, app.jwks_uri, k.tls_names, k.tls_thumbprints, app.redirect_uris, app.logout_uris, k.scopes,
           app.scopes, app.grant_types, k.allowed_ip_ranges, k.service_user_id,
           case when t.status = 'ACTIVE' and u.status = 'ACTIVE' and (k.expires_at is null or k.expires_at > now()) and stands = 'ACTIVE'
                then k.status else 'DISABLED' end, k.last_used_at
      from enamel.api_clients k join enamel.tenants t on t.id = k.tenant_id join enamel.users u on u.id = k.service_user_id
     where k.tenant_id = place and k.vendor_app_id = app.id;
end $$;
-- Of each public id, with what is shown, the tenant that is named and the one where somebody is; `place` counts them from 1.
create or replace function sec.clients_of(public_ids text[], shown bytea[], named text[], here uuid[]) returns table (place bigint,
    tenant_id uuid, id uuid, client_id text, name text, client_type text, client_secret_hash bytea, previous_secret_hash bytea,
    previous_secret_expires_at timestamptz, jwks jsonb, jwks_uri text, tls_names text[], tls_thumbprints text[], redirect_uris text[], logout_uris text[], scopes text[],
    app_scopes text[], grant_types text[], allowed_ip_ranges text[], service_user_id uuid, status text, used_at timestamptz)
-- Planned for each batch it would cost more than it does.
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select a.place, k.tenant_id, k.id, k.client_id, k.name, k.client_type, k.client_secret_hash, k.previous_secret_hash,
           k.previous_secret_expires_at, k.jwks, k.jwks_uri, k.tls_names, k.tls_thumbprints, k.redirect_uris, k.logout_uris, k.scopes,
           null::text[], k.grant_types, k.allowed_ip_ranges, k.service_user_id,
           case when t.status = 'ACTIVE' and u.status = 'ACTIVE' and (k.expires_at is null or k.expires_at > now())
                then k.status else 'DISABLED' end, k.last_used_at
      from unnest(public_ids) with ordinality a(public_id, place)
     cross join lateral (select * from enamel.api_clients own where own.client_id = a.public_id order by own.created_at limit 1) k
      join enamel.tenants t on t.id = k.tenant_id join enamel.users u on u.id = k.service_user_id
     where not exists (select from enamel.vendor_apps app where app.client_id = a.public_id);
    return query
    select a.place, k.* from unnest(public_ids, shown, named, here) with ordinality a(public_id, shown, named, here, place)
      join enamel.vendor_apps app on app.client_id = a.public_id
     cross join lateral sec.app_client_of(app, a.shown, a.named, a.here) k;
end $$;
-- Of one.
create or replace function sec.client_of(public_id text, shown bytea, named text, here uuid) returns table (
    tenant_id uuid, id uuid, client_id text, name text, client_type text, client_secret_hash bytea, previous_secret_hash bytea,
    previous_secret_expires_at timestamptz, jwks jsonb, jwks_uri text, tls_names text[], tls_thumbprints text[], redirect_uris text[], logout_uris text[], scopes text[],
    app_scopes text[], grant_types text[], allowed_ip_ranges text[], service_user_id uuid, status text, used_at timestamptz)
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select k.tenant_id, k.id, k.client_id, k.name, k.client_type, k.client_secret_hash, k.previous_secret_hash,
           k.previous_secret_expires_at, k.jwks, k.jwks_uri, k.tls_names, k.tls_thumbprints, k.redirect_uris, k.logout_uris, k.scopes,
           k.app_scopes, k.grant_types, k.allowed_ip_ranges, k.service_user_id, k.status, k.used_at
      from sec.clients_of(array[public_id], array[shown], array[named], array[here]) k $$;

-- The client of that id in a tenant above that one.
create or replace function sec.client_above(public_id text, below uuid) returns table (
    tenant_id uuid, client_type text, service_user_id uuid, status text)
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
    select k.tenant_id, k.client_type, k.service_user_id, k.status
      from enamel.tenant_closure p cross join lateral sec.client_of(public_id, null, null, p.ancestor_id) k
     where p.descendant_id = below and p.depth > 0 and k.tenant_id = p.ancestor_id order by p.depth limit 1 $$;

-- What an application of a vendor holds in any tenant ends: it is suspended, or its vendor, or it proves itself otherwise or reaches
-- less far than before.
create or replace function sec.end_app(app uuid) returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
    with ended as (
        update enamel.sessions s set revoked_at = now(), revoke_reason = 'ADMIN'
         where s.api_client_id in (select k.id from enamel.api_clients k where k.vendor_app_id = app) and s.revoked_at is null returning s.id)
    update enamel.refresh_tokens r set revoked_at = now() from ended where r.session_id = ended.id and r.revoked_at is null;
    update enamel.oauth_authorizations o set code_expires_at = now() from enamel.api_clients k
     where k.vendor_app_id = app and o.tenant_id = k.tenant_id and o.api_client_id = k.id and o.session_id is null and o.code_expires_at > now();
end $$;
create or replace function sec.app_changed() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin perform sec.end_app(new.id); return null; end $$;
create or replace trigger app_changed after update on enamel.vendor_apps for each row
    when (new.status <> 'ACTIVE' and old.status = 'ACTIVE'
          or (new.auth_method, new.jwks, new.jwks_uri) is distinct from (old.auth_method, old.jwks, old.jwks_uri)
          or not new.scopes @> old.scopes) execute function sec.app_changed();
create or replace function sec.vendor_suspended() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin perform sec.end_app(a.id) from enamel.vendor_apps a where a.vendor_id = new.id; return null; end $$;
create or replace trigger vendor_suspended after update on enamel.app_vendors for each row
    when (new.status <> 'ACTIVE' and old.status = 'ACTIVE') execute function sec.vendor_suspended();

-- Whether pages of that origin are an application that people use here.
create or replace function sec.is_app_origin(origin text) returns boolean language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return exists (select from enamel.api_clients k join enamel.tenants t on t.id = k.tenant_id and t.status = 'ACTIVE'
                    where k.origins @> array[lower(origin)] and k.client_type = 'PUBLIC' and k.status = 'ACTIVE'
                      and (k.expires_at is null or k.expires_at > now()))
        or exists (select from enamel.vendor_apps a join enamel.api_clients k on k.vendor_app_id = a.id and k.status = 'ACTIVE'
                    where a.origins @> array[lower(origin)] and a.client_type = 'PUBLIC' and sec.app_stands(a.id));
end $$;
-- That a client has come again: to the minute, and no change of the record that anybody made.
create or replace function sec.client_came(tenant uuid, client uuid) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    update enamel.api_clients k set last_used_at = now()
     where k.tenant_id = tenant and k.id = client and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute');
end $$;

-- The tenant a person names when they sign in, by its id or its slug.
create or replace function sec.tenant_of(word text) returns uuid language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return (select t.id from enamel.tenants t where (t.slug = word or t.id::text = word) and t.status = 'ACTIVE' limit 1);
end $$;

-- What a tenant shows of itself to whoever is to sign in there.
create or replace function sec.face_of(tenant uuid) returns table (name text, colour text, language text)
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select coalesce(b.display_name, t.name), b.primary_color, coalesce(s.default_language, t.default_locale)
      from enamel.tenants t
      left join enamel.tenant_branding b on b.tenant_id = t.id
      left join enamel.tenant_settings s on s.tenant_id = t.id
     where t.id = tenant and t.status = 'ACTIVE' limit 1;
end $$;

-- The clinics that wish to be listed, and the platform, for anybody to read: what each has published of itself. Addresses are not
-- told where they are told after booking only; of a profile, what is published.
create or replace function sec.listed_brands() returns table (
    id uuid, name text, slug text, aliases text[], logo_url text, website text, addresses jsonb, changed_at timestamptz)
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select t.id, coalesce(b.display_name, t.name), t.slug, coalesce(b.aliases, '{}'), b.logo_url, p.website, l.addresses,
           greatest(t.updated_at, b.updated_at, p.updated_at, s.updated_at, l.changed_at)
      from enamel.tenants t
      left join enamel.tenant_branding b on b.tenant_id = t.id
      left join enamel.tenant_settings s on s.tenant_id = t.id
      left join enamel.clinic_profiles p on p.tenant_id = t.id and p.status = 'PUBLISHED'
      -- An Address of FHIR R4.
      left join lateral (
        select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('type', 'physical',
                   'line', nullif(array_remove(array[x.address_line1, x.address_line2], null), '{}'), 'city', x.city, 'state', x.region,
                   'postalCode', x.postal_code, 'country', x.country)) order by x.name_key, x.id) as addresses, max(x.updated_at) as changed_at
          from enamel.locations x
         where x.tenant_id = t.id and x.status = 'ACTIVE' and x.deleted_at is null and x.kind in ('CLINIC', 'TEACHING_CLINIC')
           and coalesce(s.contact_visibility, 'PUBLIC') = 'PUBLIC' and t.id <> '00000000-0000-7000-8000-000000000001') l on true
     where t.status = 'ACTIVE' and (b.is_listed or t.id = '00000000-0000-7000-8000-000000000001')
     order by t.id;
end $$;

-- The tenant has found its own words in the domain's records. False where another tenant has proved it before.
create or replace function sec.prove_domain(provider uuid, domain text) returns boolean language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    perform pg_advisory_xact_lock(hashtextextended('domain ' || domain, 0));
    if exists (select from enamel.identity_providers p
                where p.proven_domains @> array[domain] and p.tenant_id <> c.tenant and p.deleted_at is null) then
        return false;
    end if;
    update enamel.identity_providers p set proven_domains = p.proven_domains || domain
     where p.tenant_id = c.tenant and p.id = provider and p.deleted_at is null and not p.proven_domains @> array[domain];
    return true;
end $$;

-- Proven domains to be looked up again.
create or replace function sec.domains_due(every interval, most bigint) returns table (tenant_id uuid, provider_id uuid, domain text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select p.tenant_id, p.id, d.domain from enamel.identity_providers p cross join lateral unnest(p.proven_domains) d(domain)
        left join enamel.domain_checks c on c.tenant_id = p.tenant_id and c.provider_id = p.id and c.domain = d.domain
        where p.deleted_at is null and (c.id is null or c.checked_at <= now() - every)
        order by c.checked_at nulls first limit most;
end $$;
grant execute on function sec.domains_due(interval, bigint) to enamel_jobs;

-- ── A rule about signing in holds for those who are signed in, too ──────────────────────────────────────────────
-- Sessions in a tenant that do not meet its rules end, and what applications hold with them: nothing tells how their person
-- signed in. Codes that are about to become sessions end as well.
create or replace function sec.end_unfit(tenant uuid, second boolean, domains text[]) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
begin
    with ended as (
        update enamel.sessions s set revoked_at = now(), revoke_reason = 'ADMIN' from enamel.users u
         where s.active_tenant_id = tenant and s.revoked_at is null and u.id = s.user_id and u.kind = 'HUMAN'
           and (second and s.mfa_level = 'NONE'
                    and exists (select from enamel.user_tenants m where m.tenant_id = tenant and m.user_id = u.id
                                   and m.user_type <> 'PATIENT' and m.deleted_at is null)
                or s.auth_method <> 'OIDC' and split_part(u.email_key, '@', 2) = any (domains))
        returning s.id)
    update enamel.refresh_tokens r set revoked_at = now() from ended where r.session_id = ended.id and r.revoked_at is null;
    update enamel.oauth_authorizations a set code_expires_at = now()
     where a.tenant_id = tenant and a.session_id is null and a.code_expires_at > now();
end $$;
create or replace function sec.second_demanded() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin perform sec.end_unfit(new.tenant_id, true, '{}'); return null; end $$;
create or replace trigger second_demanded after insert on enamel.tenant_settings for each row
    when (new.require_mfa) execute function sec.second_demanded();
create or replace trigger second_demanded_now after update on enamel.tenant_settings for each row
    when (new.require_mfa and not old.require_mfa) execute function sec.second_demanded();
create or replace function sec.provider_demanded() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin perform sec.end_unfit(new.tenant_id, false, new.allowed_domains); return null; end $$;
create or replace trigger provider_demanded after insert on enamel.identity_providers for each row
    when (new.is_enforced and new.status = 'ACTIVE') execute function sec.provider_demanded();
create or replace trigger provider_demanded_now after update on enamel.identity_providers for each row
    when (new.is_enforced and new.status = 'ACTIVE' and new.deleted_at is null
          and (not old.is_enforced or old.status <> 'ACTIVE' or not new.allowed_domains <@ old.allowed_domains))
    execute function sec.provider_demanded();

-- The provider whose directory comes with that key.
create or replace function sec.scim_provider(token_hash bytea) returns table (
    tenant_id uuid, id uuid, issuer text, domains text[], role_mapping jsonb)
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select p.tenant_id, p.id, p.issuer, array(select d from unnest(p.allowed_domains) d where d = any (p.proven_domains)), p.role_mapping
      from enamel.identity_providers p join enamel.tenants t on t.id = p.tenant_id and t.status = 'ACTIVE'
     where p.scim_token_hash = scim_provider.token_hash and p.status = 'ACTIVE' and p.deleted_at is null;
end $$;

-- Nobody writes a proof by hand.
create or replace function sec.guard_proven() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin raise exception 'a domain is proved by its record' using errcode = '42501'; end $$;
create or replace trigger guard_proven before insert on enamel.identity_providers for each row
    when (new.proven_domains <> '{}' and current_user = 'enamel_staff') execute function sec.guard_proven();
create or replace trigger guard_proven_again before update on enamel.identity_providers for each row
    when (not new.proven_domains <@ old.proven_domains and current_user = 'enamel_staff') execute function sec.guard_proven();

-- The provider that answers for a proven domain: where people with such an address sign in.
create or replace function sec.provider_of(domain text) returns table (tenant_id uuid, id uuid)
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query
    select p.tenant_id, p.id from enamel.identity_providers p join enamel.tenants t on t.id = p.tenant_id and t.status = 'ACTIVE'
     where p.proven_domains @> array[domain] and domain = any (p.allowed_domains) and p.kind = 'OIDC' and p.status = 'ACTIVE'
       and p.deleted_at is null order by p.created_at, p.id limit 1;
end $$;

-- A login that works in several tenants is none's alone to switch off.
create or replace function sec.member_elsewhere(login uuid, tenant uuid) returns boolean language plpgsql stable
parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return exists (select from enamel.user_tenants m where m.user_id = login and m.tenant_id <> tenant and m.deleted_at is null)
        or exists (select from enamel.patient_portal_accounts a where a.user_id = login and a.tenant_id <> tenant)
        or exists (select from enamel.patient_proxies p where p.user_id = login and p.tenant_id <> tenant);
end $$;

-- A tenant keeps an administrator: the last one's role, membership and account stay. One change at a time per tenant.
create or replace function sec.guard_last_admin() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare place record; c sec.claims := sec.claims();
begin
    if c.plane is null or c.plane = 'jobs' then return new; end if;
    for place in
        select distinct g.tenant_id from enamel.user_roles g
          join enamel.roles o on o.tenant_id = g.role_tenant_id and o.id = g.role_id
         where o.code = 'TENANT_ADMIN' and g.deleted_at is null and (g.valid_until is null or g.valid_until > now())
           and case tg_table_name when 'users' then g.user_id = (to_jsonb(old) ->> 'id')::uuid
                                  when 'user_tenants' then g.user_id = (to_jsonb(old) ->> 'user_id')::uuid
                                                       and g.tenant_id = (to_jsonb(old) ->> 'tenant_id')::uuid
                                  else g.tenant_id = (to_jsonb(old) ->> 'tenant_id')::uuid and g.id = (to_jsonb(old) ->> 'id')::uuid end
    loop
        perform from enamel.tenants t where t.id = place.tenant_id for no key update;
        if not exists (
            select from enamel.user_roles g
              join enamel.roles o on o.tenant_id = g.role_tenant_id and o.id = g.role_id and o.code = 'TENANT_ADMIN'
              join enamel.user_tenants m on m.tenant_id = g.tenant_id and m.user_id = g.user_id and m.status = 'ACTIVE' and m.deleted_at is null
              join enamel.users u on u.id = g.user_id and u.status = 'ACTIVE'
             where g.tenant_id = place.tenant_id and g.deleted_at is null
               and (g.valid_from is null or g.valid_from <= now()) and (g.valid_until is null or g.valid_until > now())
               and case tg_table_name when 'users' then u.id <> (to_jsonb(old) ->> 'id')::uuid
                                      when 'user_tenants' then u.id <> (to_jsonb(old) ->> 'user_id')::uuid
                                      else g.id <> (to_jsonb(old) ->> 'id')::uuid end)
        then raise exception 'the last administrator of a tenant stays' using errcode = 'EN001'; end if;
    end loop;
    return new;
end $$;
create or replace trigger guard_last_admin before update on enamel.user_roles for each row
    when (new.deleted_at is not null and old.deleted_at is null or new.valid_until is distinct from old.valid_until
          or new.role_id is distinct from old.role_id or new.user_id is distinct from old.user_id)
    execute function sec.guard_last_admin();
create or replace trigger guard_last_admin before update on enamel.user_tenants for each row
    when (old.status = 'ACTIVE' and (new.status <> 'ACTIVE' or new.deleted_at is not null) or new.user_id is distinct from old.user_id)
    execute function sec.guard_last_admin();
create or replace trigger guard_last_admin before update on enamel.users for each row
    when (old.status = 'ACTIVE' and new.status <> 'ACTIVE') execute function sec.guard_last_admin();
create or replace trigger guard_person before update on enamel.users
    for each row execute function sec.guard_person();

-- The strongest role a login has in a tenant today: for functions that have judged who asks.
create or replace function sec.role_in(tenant uuid, login uuid) returns text language sql stable parallel restricted
set search_path = pg_catalog, pg_temp as $$
    select r.code from enamel.user_roles u
      join enamel.roles r on r.tenant_id = u.role_tenant_id and r.id = u.role_id and r.deleted_at is null
      left join enamel.role_permissions p on p.tenant_id = r.tenant_id and p.role_id = r.id and p.deleted_at is null
     where u.tenant_id = tenant and u.user_id = login and u.deleted_at is null
       and (u.valid_from is null or u.valid_from <= now()) and (u.valid_until is null or u.valid_until > now())
     group by r.tenant_id, r.id, r.code order by count(p.id) desc, r.code limit 1 $$;
-- What a colleague is in the caller's own tenant.
create or replace function sec.role_of(login uuid) returns text language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin return sec.role_in(c.tenant, login); end $$;
create or replace function sec.user_type_of(login uuid) returns text language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    return (select t.user_type from enamel.user_tenants t where t.tenant_id = c.tenant and t.user_id = login and t.deleted_at is null);
end $$;

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('app_vendors', 'status', '{ACTIVE>SUSPENDED,SUSPENDED>ACTIVE}');
select kernel.moves('vendor_apps', 'status', '{ACTIVE>SUSPENDED,SUSPENDED>ACTIVE}');
select kernel.moves('api_clients', 'status', '{ACTIVE>DISABLED,DISABLED>ACTIVE}');
select kernel.moves('identity_providers', 'status', '{ACTIVE>DISABLED,DISABLED>ACTIVE}');
select kernel.moves('users', 'status', '{INVITED>ACTIVE,ACTIVE>DISABLED,DISABLED>ACTIVE,INVITED>DISABLED}');
select kernel.moves('user_mfa_factors', 'status', '{PENDING>ACTIVE,PENDING>REVOKED,ACTIVE>REVOKED}');
select kernel.moves('user_tenants', 'status', '{INVITED>ACTIVE,ACTIVE>DISABLED,DISABLED>ACTIVE,INVITED>DISABLED}');
