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
    secret => '{token_hash}');
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
    secret => '{token_hash}');
select kernel.protect('api_clients', 'staff=all/all audit=all/none auth=all/none jobs=all/all platform=all/all',
    read => 'manage_integrations', write => 'manage_integrations',
    secret => '{client_secret_hash,previous_secret_hash}', sec => 'r');
select kernel.protect('oauth_authorizations',
    'staff=own/none patient=own/none audit=all/none auth=all/all jobs=all/all', patient => 'user_id',
    secret => '{code_hash,code_challenge,code_expires_at}');
select kernel.protect('sign_in_attempts', 'auth=all/all jobs=all/all', home => 'login', patient => 'id',
    secret => '{state_hash,pending_enc}');

create or replace trigger guard_grant before insert or update on enamel.role_permissions
    for each row execute function sec.guard_grant();
create or replace trigger guard_grant before insert or update on enamel.user_roles
    for each row execute function sec.guard_grant();
create or replace trigger guard_client before insert or update on enamel.api_clients
    for each row execute function sec.guard_client();
create or replace trigger guard_person before update on enamel.users
    for each row execute function sec.guard_person();
