-- Who may see and change what in identity; planes and permissions as the model lists them.
select kernel.protect('users',
    'staff=all/full_name,preferred_locale,phone group=all/none patient=own/full_name,preferred_locale,phone audit=all/none auth=all/all jobs=all/all platform=all/all',
    home => 'members', read => 'view_tenant', write => 'manage_users', patient => 'id',
    secret => '{failed_login_count}', sec => 'r');
select kernel.protect('team_members', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users');
select kernel.protect('user_auth_identities', 'staff=own/none patient=own/none auth=all/all jobs=all/all',
    home => 'login', patient => 'user_id', secret => '{password_hash}', sec => 'r');
select kernel.protect('user_mfa_factors', 'staff=own/own patient=own/own auth=all/all jobs=all/all', home => 'login',
    patient => 'user_id', secret => '{totp_secret_enc,credential_id,public_key,sign_count}');
select kernel.protect('user_recovery_codes', 'auth=all/all jobs=all/all', home => 'login', patient => 'user_id',
    secret => '{code_hash}');
select kernel.protect('user_tokens', 'auth=all/all jobs=all/all', home => 'login', patient => 'user_id',
    secret => '{token_hash}', sec => 'rd');
select kernel.protect('identity_providers', 'staff=all/all audit=all/none auth=all/none jobs=all/all',
    read => 'manage_users', write => 'manage_users', secret => '{client_secret_enc}', sec => 'r');
select kernel.protect('user_tenants', 'staff=all/all group=all/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', sec => 'r');
select kernel.protect('roles', 'staff=all/all audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_users', sec => 'rw');
select kernel.protect('permissions', 'staff=all/none audit=all/none auth=all/none jobs=all/none platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform', sec => 'r');
select kernel.protect('role_permissions', 'staff=all/all audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_users', sec => 'r');
select kernel.protect('user_roles', 'staff=all/all group=all/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', sec => 'r');
select kernel.protect('sessions', 'staff=own/none patient=own/none auth=all/all jobs=all/all platform=none/none',
    home => 'login', patient => 'user_id', secret => '{token_hash}', sec => 'r');
select kernel.protect('refresh_tokens', 'auth=all/all jobs=all/all', home => 'login', patient => 'user_id',
    secret => '{token_hash}', sec => 'rd');
select kernel.protect('api_clients', 'staff=all/all audit=all/none auth=all/none jobs=all/all platform=all/all',
    read => 'manage_integrations', write => 'manage_integrations',
    secret => '{client_secret_hash,previous_secret_hash}', sec => 'r');
select kernel.protect('oauth_authorizations',
    'staff=own/none patient=own/none audit=all/none auth=all/all jobs=all/all', patient => 'user_id',
    secret => '{code_hash,code_challenge,code_expires_at}');
select kernel.protect('sign_in_attempts', 'auth=all/all jobs=all/all', home => 'login', patient => 'id',
    secret => '{state_hash,pending_enc}', sec => 'rd');

create or replace trigger guard_grant before insert or update on enamel.role_permissions
    for each row execute function sec.guard_grant();
create or replace trigger guard_grant before insert or update on enamel.user_roles
    for each row execute function sec.guard_grant();
create or replace trigger guard_client before insert or update on enamel.api_clients
    for each row execute function sec.guard_client();

-- From the hash of an access token to all that decides what its bearer may do, in one look. Nothing is returned for a token
-- that is unknown, ended or idle; whether the rest is in order the server judges, and asks again within 5 seconds.
create or replace function sec.resolve_token(hash bytea, idle interval) returns table (
    session_id uuid, user_id uuid, client_id uuid, tenant_id uuid, tenant_type text, open boolean, scopes text[], scope_caps bigint,
    patient_id uuid, roles text[], caps bigint, member boolean, portal boolean, expires_at timestamptz, stale boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not coalesce(sec.everything(), false) then return; end if;
    return query
    select s.id, s.user_id, s.api_client_id, s.active_tenant_id, t.type,
           u.status = 'ACTIVE' and coalesce(t.status = 'ACTIVE', true) and coalesce(k.status = 'ACTIVE', s.api_client_id is null),
           s.scopes, s.scope_caps, s.patient_id, g.roles, coalesce(g.caps, 0),
           exists (select from enamel.user_tenants m where m.user_id = s.user_id and m.tenant_id = s.active_tenant_id
                      and m.status = 'ACTIVE' and m.deleted_at is null),
           exists (select from enamel.patient_portal_accounts a where a.user_id = s.user_id and a.status = 'ACTIVE')
               or exists (select from enamel.patient_proxies p where p.user_id = s.user_id and p.status = 'ACTIVE'),
           least(s.expires_at, s.token_expires_at), s.last_activity_at < now() - interval '1 minute'
      from enamel.sessions s
      join enamel.users u on u.id = s.user_id
      left join enamel.tenants t on t.id = s.active_tenant_id
      left join enamel.api_clients k on k.id = s.api_client_id and k.tenant_id = s.active_tenant_id
      left join lateral (
          select array_agg(distinct r.code) as roles, bit_or(1::bigint << p.bit) as caps
            from enamel.user_roles ur
            join enamel.roles r on r.tenant_id = ur.role_tenant_id and r.id = ur.role_id and r.deleted_at is null
            left join enamel.role_permissions rp on rp.tenant_id = r.tenant_id and rp.role_id = r.id and rp.deleted_at is null
            left join enamel.permissions p on p.id = rp.permission_id
           where ur.tenant_id = s.active_tenant_id and ur.user_id = s.user_id and ur.deleted_at is null
             and coalesce(ur.valid_from <= now(), true) and coalesce(ur.valid_until > now(), true)) g on true
     where s.token_hash = hash and s.revoked_at is null and s.expires_at > now() and s.token_expires_at > now()
       and (s.api_client_id is not null or s.last_activity_at > now() - idle);
end $$;
create or replace trigger guard_person before update on enamel.users
    for each row execute function sec.guard_person();
