-- V003  Users, sign-in, roles, sessions and API clients (catalogue §2). Expands only.

-- A global login identity of a person or a service
create table users (
    id uuid not null primary key,
    email text not null check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and char_length(email) <= 254),
    email_key text collate "C" not null generated always as (kernel.fold(email)) stored,
    full_name text not null check (char_length(full_name) <= 300),
    full_name_key text collate "C" not null generated always as (kernel.fold(full_name)) stored,
    kind text not null default 'HUMAN' check (kind in ('HUMAN', 'SERVICE')),
    phone text check (phone ~ '^\+[1-9][0-9]{6,14}$'),
    preferred_locale text not null default 'en' check (char_length(preferred_locale) <= 300),
    status text not null default 'INVITED' check (status in ('ACTIVE', 'INVITED', 'DISABLED')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    email_verified_at timestamptz,
    last_login_at timestamptz,
    failed_login_count integer not null default 0,
    locked_until timestamptz,
    mfa_enabled boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index users_email_key_key on users (email_key) nulls not distinct;
create index users_status_idx on users (status);
create index users_is_active_idx on users (is_active);
create index users_full_name_key_id_idx on users (full_name_key, id);
create index users_email_key_id_idx on users (email_key, id);
create index users_created_at_id_idx on users (created_at, id);
comment on table users is 'A global login identity of a person or a service. Sensitivity: pii.';
comment on column users.email is 'unique across the system on email_key; sensitivity: pii';
comment on column users.full_name is 'sensitivity: pii';
comment on column users.kind is 'SERVICE: the identity of an API client';
comment on column users.phone is 'sensitivity: pii';
comment on column users.failed_login_count is 'sensitivity: secret';
select kernel.record('users');

-- A user's membership of a team, with optional location scope
create table team_members (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    team_id uuid not null,
    user_id uuid not null references users (id),
    location_id uuid,
    role_in_team text check (char_length(role_in_team) <= 300),
    valid_from timestamptz,
    valid_until timestamptz constraint team_members_valid_until_check2 check (valid_until > valid_from),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, team_id) references teams (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id)
);
create unique index team_members_team_id_user_id_location_id_key on team_members (tenant_id, team_id, user_id, location_id) nulls not distinct where deleted_at is null;
create index team_members_team_id_idx on team_members (tenant_id, team_id);
create index team_members_user_id_idx on team_members (tenant_id, user_id);
create index team_members_location_id_idx on team_members (tenant_id, location_id);
comment on table team_members is 'A user''s membership of a team, with optional location scope. Sensitivity: business.';
comment on column team_members.location_id is 'null: all locations';
select kernel.record('team_members');

-- A way to prove who a user is: password, OIDC, SAML or OAuth
create table user_auth_identities (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    kind text not null check (kind in ('PASSWORD', 'OIDC', 'SAML', 'OAUTH')),
    identity_provider_id uuid,
    issuer text check (char_length(issuer) <= 2000),
    subject text check (char_length(subject) <= 300),
    external_id text check (char_length(external_id) <= 300),
    password_hash text check (char_length(password_hash) <= 300),
    password_algorithm text check (password_algorithm in ('ARGON2ID', 'BCRYPT', 'SCRYPT')),
    password_changed_at timestamptz,
    must_change boolean not null default false,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000)
);
create unique index user_auth_identities_user_id_key on user_auth_identities (user_id) nulls not distinct where kind = 'PASSWORD' and deleted_at is null;
create unique index user_auth_identities_issuer_subject_key on user_auth_identities (issuer, subject) nulls not distinct where deleted_at is null and issuer is not null;
create index user_auth_identities_identity_provider_id_idx on user_auth_identities (identity_provider_id, user_id);
create index user_auth_identities_user_id_idx on user_auth_identities (user_id);
comment on table user_auth_identities is 'A way to prove who a user is: password, OIDC, SAML or OAuth. Sensitivity: secret.';
comment on column user_auth_identities.identity_provider_id is 'row of identity_providers in some tenant; null for PASSWORD; no foreign key';
comment on column user_auth_identities.subject is 'subject at the issuer; sensitivity: pii';
comment on column user_auth_identities.external_id is 'what the tenant''s directory calls the person; sensitivity: pii';
comment on column user_auth_identities.password_hash is 'PHC string: argon2id, scrypt or bcrypt; verified hashes of weaker cost are replaced at sign-in; sensitivity: secret';
select kernel.record('user_auth_identities');

-- A second factor: TOTP or WebAuthn
create table user_mfa_factors (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    kind text not null check (kind in ('TOTP', 'WEBAUTHN')),
    label text check (char_length(label) <= 300),
    totp_secret_enc bytea,
    credential_id bytea,
    public_key bytea,
    sign_count bigint not null default 0,
    status text not null default 'PENDING' check (status in ('PENDING', 'ACTIVE', 'REVOKED')),
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000)
);
create index user_mfa_factors_user_id_idx on user_mfa_factors (user_id);
create unique index user_mfa_factors_credential_id_key on user_mfa_factors (credential_id) where credential_id is not null and status <> 'REVOKED';
comment on table user_mfa_factors is 'A second factor: TOTP or WebAuthn. Sensitivity: secret.';
comment on column user_mfa_factors.totp_secret_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
comment on column user_mfa_factors.credential_id is 'sensitivity: secret';
comment on column user_mfa_factors.public_key is 'the passkey as the server checks it: key, counter, flags; sensitivity: secret';
comment on column user_mfa_factors.sign_count is 'sensitivity: secret';
select kernel.record('user_mfa_factors');

-- Single-use recovery codes, stored hashed
create table user_recovery_codes (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    code_hash bytea not null,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid
);
create index user_recovery_codes_user_id_idx on user_recovery_codes (user_id);
comment on table user_recovery_codes is 'Single-use recovery codes, stored hashed. Sensitivity: secret.';
comment on column user_recovery_codes.code_hash is 'sensitivity: secret';

-- Tokens for one use: invitation, password reset, e-mail confirmation; and of remembered browsers; stored hashed
create table user_tokens (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    purpose text not null check (purpose in ('INVITE', 'PASSWORD_RESET', 'EMAIL_VERIFY', 'SIGN_UP', 'DEVICE')),
    token_hash bytea not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index user_tokens_token_hash_key on user_tokens (token_hash) nulls not distinct;
create index user_tokens_expires_at_idx on user_tokens (expires_at);
create index user_tokens_user_id_idx on user_tokens (user_id);
comment on table user_tokens is 'Tokens for one use: invitation, password reset, e-mail confirmation; and of remembered browsers; stored hashed. Sensitivity: secret.';
comment on column user_tokens.token_hash is 'sensitivity: secret';

-- Single sign-on of a tenant: OIDC, SAML or OAuth provider
create table identity_providers (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    kind text not null check (kind in ('OIDC', 'SAML', 'OAUTH')),
    issuer text not null check (char_length(issuer) <= 2000),
    client_id text check (char_length(client_id) <= 300),
    client_secret_enc bytea,
    scim_token_hash bytea,
    metadata_uri text check (char_length(metadata_uri) <= 2000),
    allowed_domains text[] not null default '{}',
    proven_domains text[] not null default '{}',
    role_mapping jsonb not null default '{}',
    is_enforced boolean not null default false,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'DISABLED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create unique index identity_providers_scim_token_hash_key on identity_providers (scim_token_hash) where scim_token_hash is not null;
create unique index identity_providers_issuer_key on identity_providers (tenant_id, issuer) nulls not distinct where deleted_at is null;
create index identity_providers_proven_domains_idx on identity_providers using gin (proven_domains) where deleted_at is null;
comment on table identity_providers is 'Single sign-on of a tenant: OIDC, SAML or OAuth provider. Sensitivity: secret.';
comment on column identity_providers.client_secret_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
comment on column identity_providers.scim_token_hash is 'the key of the tenant''s directory; sensitivity: secret';
comment on column identity_providers.role_mapping is 'claims to roles';
comment on column identity_providers.proven_domains is 'those the tenant has proved by a TXT record; no other tenant has them';
comment on column identity_providers.is_enforced is 'password sign-in refused for the domains';
select kernel.record('identity_providers');

-- Membership of a user in a tenant
create table user_tenants (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    user_id uuid not null references users (id),
    default_location_id uuid,
    user_type text not null check (user_type in ('DENTIST', 'HYGIENIST', 'ASSISTANT', 'ADMIN', 'FRONT_DESK', 'PATIENT', 'PAYER_ANALYST', 'REGULATOR', 'DEVELOPER')),
    status text not null default 'INVITED' check (status in ('ACTIVE', 'INVITED', 'DISABLED')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    title text check (char_length(title) <= 300),
    joined_at timestamptz,
    left_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, default_location_id) references locations (tenant_id, id)
);
create unique index user_tenants_user_id_key on user_tenants (tenant_id, user_id) nulls not distinct where deleted_at is null;
create index user_tenants_user_id_tenant_idx on user_tenants (user_id, tenant_id);
create index user_tenants_user_id_idx on user_tenants (tenant_id, user_id);
create index user_tenants_default_location_id_idx on user_tenants (tenant_id, default_location_id);
comment on table user_tenants is 'Membership of a user in a tenant. Sensitivity: pii.';
select kernel.record('user_tenants');

-- Somebody asked by e-mail to join a tenant; says nothing about whether a login has that address
create table member_invitations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    email text not null check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and char_length(email) <= 254),
    email_key text collate "C" not null generated always as (kernel.fold(email)) stored,
    user_type text not null check (user_type in ('DENTIST', 'HYGIENIST', 'ASSISTANT', 'ADMIN', 'FRONT_DESK', 'PAYER_ANALYST', 'REGULATOR', 'DEVELOPER')),
    title text check (char_length(title) <= 300),
    expires_at timestamptz not null default now() + interval '14 days',
    accepted_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create unique index member_invitations_email_key_key on member_invitations (tenant_id, email_key) nulls not distinct
    where accepted_at is null and deleted_at is null;
create index member_invitations_email_key_tenant_idx on member_invitations (email_key, tenant_id);
comment on table member_invitations is 'Somebody asked by e-mail to join a tenant. Sensitivity: pii.';
comment on column member_invitations.email is 'sensitivity: pii';
select kernel.record('member_invitations');

create trigger within_quota before insert on user_tenants for each row when (new.deleted_at is null and new.status <> 'DISABLED')
    execute function sec.within_quota('max_users');
create trigger within_quota_again before update on user_tenants for each row
    when (new.deleted_at is null and new.status <> 'DISABLED' and (old.deleted_at is not null or old.status = 'DISABLED'))
    execute function sec.within_quota('max_users');

-- A named set of permissions: shared template or the tenant's own
create table roles (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code text not null check (char_length(code) <= 300),
    name text not null check (char_length(name) <= 300),
    description text check (char_length(description) <= 4000),
    is_system boolean not null default false,
    default_resource_scope text not null default 'ALL_LOCATIONS' check (default_resource_scope in ('ALL_LOCATIONS', 'LOCATION', 'TEAM', 'SELF')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create unique index roles_code_key on roles (tenant_id, code) nulls not distinct where deleted_at is null;
create index roles_code_id_idx on roles (tenant_id, code, id);
comment on table roles is 'A named set of permissions: shared template or the tenant''s own. Sensitivity: business.';
comment on column roles.is_system is 'shared templates cannot be changed by a tenant';
select kernel.record('roles');

-- The atomic permissions; each is a capability bit of the sealed context
create table permissions (
    id uuid not null primary key,
    code text not null check (char_length(code) <= 300),
    name text not null check (char_length(name) <= 300),
    bit integer not null check (bit between 0 and 62),
    description text not null check (char_length(description) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index permissions_code_key on permissions (code) nulls not distinct;
create unique index permissions_bit_key on permissions (bit) nulls not distinct;
comment on table permissions is 'The atomic permissions; each is a capability bit of the sealed context. Sensitivity: public.';
comment on column permissions.code is 'see permissions in rules.yaml';

-- Which permissions a role has
create table role_permissions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    role_id uuid not null,
    permission_id uuid not null references permissions (id),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, role_id) references roles (tenant_id, id)
);
create unique index role_permissions_role_id_permission_id_key on role_permissions (tenant_id, role_id, permission_id) nulls not distinct where deleted_at is null;
create index role_permissions_role_id_idx on role_permissions (tenant_id, role_id);
create index role_permissions_permission_id_idx on role_permissions (tenant_id, permission_id);
comment on table role_permissions is 'Which permissions a role has. Sensitivity: business.';
select kernel.record('role_permissions');

-- A role given to a user in a tenant, scoped and time-bounded
create table user_roles (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    user_id uuid not null references users (id),
    role_tenant_id uuid not null,
    role_id uuid not null,
    resource_scope text not null default 'ALL_LOCATIONS' check (resource_scope in ('ALL_LOCATIONS', 'LOCATION', 'TEAM', 'SELF')),
    location_id uuid,
    team_id uuid,
    attributes jsonb not null default '{}',
    valid_from timestamptz,
    valid_until timestamptz constraint user_roles_valid_until_check2 check (valid_until > valid_from),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint user_roles_location_id_check2 check (resource_scope <> 'LOCATION' or location_id is not null),
    constraint user_roles_team_id_check2 check (resource_scope <> 'TEAM' or team_id is not null),
    foreign key (role_tenant_id, role_id) references roles (tenant_id, id),
    constraint user_roles_role_id_check2 check (role_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001')),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, team_id) references teams (tenant_id, id)
);
create index user_roles_valid_until_idx on user_roles (tenant_id, valid_until);
create index user_roles_user_id_tenant_idx on user_roles (user_id, tenant_id);
create index user_roles_user_id_idx on user_roles (tenant_id, user_id);
create index user_roles_role_id_idx on user_roles (tenant_id, role_id);
create index user_roles_role_tenant_id_role_id_idx on user_roles (tenant_id, role_tenant_id, role_id);
create index user_roles_location_id_idx on user_roles (tenant_id, location_id);
create index user_roles_team_id_idx on user_roles (tenant_id, team_id);
comment on table user_roles is 'A role given to a user in a tenant, scoped and time-bounded. Sensitivity: pii.';
comment on column user_roles.role_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column user_roles.attributes is 'further attributes used in access decisions';
select kernel.record('user_roles');

-- A signed-in session: device, address, agent, last activity
create table sessions (
    id uuid not null primary key,
    user_id uuid not null references users (id),
    active_tenant_id uuid references tenants (id),
    api_client_id uuid,
    device_info text check (char_length(device_info) <= 300),
    ip_address inet,
    user_agent text check (char_length(user_agent) <= 300),
    last_activity_at timestamptz not null,
    token_hash bytea not null,
    auth_method text not null check (auth_method in ('PASSWORD', 'PASSKEY', 'OIDC', 'SAML', 'OAUTH', 'API_CLIENT')),
    mfa_level text not null default 'NONE' check (mfa_level in ('NONE', 'TOTP', 'WEBAUTHN', 'RECOVERY', 'DEVICE', 'PROVIDER')),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    scopes text[] not null default '{}',
    token_scopes text[],
    scope_caps bigint not null default 9223372036854775807,
    token_expires_at timestamptz not null default 'infinity',
    patient_id uuid,
    encounter_id uuid,
    dpop_thumbprint text check (char_length(dpop_thumbprint) <= 100),
    proved_at timestamptz not null default now(),
    revoke_reason text check (revoke_reason in ('LOGOUT', 'ADMIN', 'PASSWORD_CHANGED', 'REUSE_DETECTED', 'USER_DISABLED', 'EXPIRED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index sessions_token_hash_key on sessions (token_hash) nulls not distinct;
create index sessions_expires_at_idx on sessions (expires_at);
create index sessions_user_id_last_activity_at_idx on sessions (user_id, last_activity_at);
create index sessions_last_activity_at_id_idx on sessions (last_activity_at, id);
create index sessions_active_tenant_id_idx on sessions (active_tenant_id);
comment on table sessions is 'A signed-in session: device, address, agent, last activity. Sensitivity: pii.';
comment on column sessions.proved_at is 'when its person last proved who they are';
comment on column sessions.api_client_id is 'when the session belongs to an OAuth grant of a client';
comment on column sessions.ip_address is 'sensitivity: pii';
comment on column sessions.token_hash is 'sensitivity: secret';

-- Rotating refresh tokens, stored hashed
create table refresh_tokens (
    id uuid not null primary key,
    session_id uuid not null references sessions (id),
    user_id uuid not null references users (id),
    token_hash bytea not null,
    family_id uuid not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    replaced_by_id uuid references refresh_tokens (id),
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index refresh_tokens_token_hash_key on refresh_tokens (token_hash) nulls not distinct;
create index refresh_tokens_expires_at_idx on refresh_tokens (expires_at);
create index refresh_tokens_family_id_idx on refresh_tokens (family_id);
create index refresh_tokens_session_id_idx on refresh_tokens (session_id);
create index refresh_tokens_user_id_idx on refresh_tokens (user_id);
create index refresh_tokens_replaced_by_id_idx on refresh_tokens (replaced_by_id);
comment on table refresh_tokens is 'Rotating refresh tokens, stored hashed. Sensitivity: secret.';
comment on column refresh_tokens.token_hash is 'sensitivity: secret';

-- A service account or integration client
create table api_clients (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    client_id text not null check (char_length(client_id) <= 300),
    name text not null check (char_length(name) <= 300),
    client_type text not null default 'CONFIDENTIAL' check (client_type in ('CONFIDENTIAL', 'PUBLIC', 'BACKEND')),
    client_secret_hash bytea,
    previous_secret_hash bytea,
    previous_secret_expires_at timestamptz,
    jwks_uri text check (char_length(jwks_uri) <= 2000),
    jwks jsonb,
    redirect_uris text[] not null default '{}',
    origins text[] not null generated always as (kernel.origins(redirect_uris)) stored,
    launch_uri text check (char_length(launch_uri) <= 2000),
    logout_uris text[] not null default '{}',
    backchannel_logout_uri text check (char_length(backchannel_logout_uri) <= 2000),
    expires_at timestamptz,
    scopes text[] not null default '{}',
    grant_types text[] not null default '{client_credentials}',
    rate_limit_per_minute integer check (rate_limit_per_minute >= 1),
    service_user_id uuid not null references users (id),
    allowed_ip_ranges text[] not null default '{}',
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'DISABLED')),
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index api_clients_client_id_key on api_clients (tenant_id, client_id) nulls not distinct;
create index api_clients_client_id_idx on api_clients (client_id);
create index api_clients_origins_idx on api_clients using gin (origins);
create index api_clients_name_id_idx on api_clients (tenant_id, name, id);
create index api_clients_service_user_id_idx on api_clients (tenant_id, service_user_id);
comment on table api_clients is 'A service account or integration client. Sensitivity: secret.';
comment on column api_clients.client_id is 'public identifier, 128 random bits made by the server, so unique without a constraint across tenants';
comment on column api_clients.client_secret_hash is 'sensitivity: secret';
comment on column api_clients.previous_secret_hash is 'sensitivity: secret';
comment on column api_clients.jwks_uri is 'for key-based client authentication';
comment on column api_clients.scopes is 'SMART v2 scopes';
comment on column api_clients.service_user_id is 'the actor written to created_by and the audit log';
select kernel.record('api_clients');
-- That a client came is no change that anybody made: neither version nor log know of it.
drop trigger stamp on api_clients;
drop trigger log_change on api_clients;
create trigger stamp before insert on api_clients for each row execute function sec.stamp('');
create trigger stamp_change before update on api_clients for each row
    when (new.last_used_at is not distinct from old.last_used_at) execute function sec.stamp('');
create trigger log_change after update on api_clients for each row
    when (new.last_used_at is not distinct from old.last_used_at) execute function sec.log_change('', '', '');
create trigger log_delete after delete on api_clients for each row execute function sec.log_change('', '', '');

-- What a user has allowed an application to do (SMART launch, scopes, patient in context)
create table oauth_authorizations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    api_client_id uuid not null,
    user_id uuid not null references users (id),
    patient_id uuid,
    scopes text[] not null,
    code_hash bytea,
    code_challenge text check (char_length(code_challenge) <= 300),
    code_expires_at timestamptz,
    redirect_uri text check (char_length(redirect_uri) <= 2000),
    nonce text check (char_length(nonce) <= 300),
    encounter_id uuid,
    authenticated_at timestamptz,
    session_id uuid references sessions (id),
    granted_at timestamptz not null,
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, api_client_id) references api_clients (tenant_id, id)
);
create index oauth_authorizations_api_client_id_idx on oauth_authorizations (tenant_id, api_client_id);
create index oauth_authorizations_user_id_idx on oauth_authorizations (tenant_id, user_id);
create index oauth_authorizations_patient_id_idx on oauth_authorizations (tenant_id, patient_id);
comment on table oauth_authorizations is 'What a user has allowed an application to do (SMART launch, scopes, patient in context). Sensitivity: pii.';
comment on column oauth_authorizations.patient_id is 'patient in context';
comment on column oauth_authorizations.code_hash is 'sensitivity: secret';
comment on column oauth_authorizations.code_challenge is 'sensitivity: secret';
comment on column oauth_authorizations.code_expires_at is 'sensitivity: secret';
select kernel.record('oauth_authorizations');


comment on column sessions.scopes is 'SMART scopes of an OAuth grant; empty for a browser session';
comment on column sessions.scope_caps is 'permissions the scopes allow, as bits; the roles are asked again at every use';
comment on column sessions.token_expires_at is 'end of the current access token; a refresh gives the session another';
comment on column sessions.patient_id is 'patient of a SMART launch context';

-- A sign-in that went to an identity provider and has not come back: state, nonce and verifier, server-side, 10 minutes.
create table sign_in_attempts (
    id uuid not null primary key,
    state_hash bytea not null,
    provider_tenant_id uuid,
    provider_id uuid,
    pending_enc bytea not null,
    return_to text not null check (char_length(return_to) <= 4000),
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index sign_in_attempts_state_hash_key on sign_in_attempts (state_hash);
create index sign_in_attempts_expires_at_idx on sign_in_attempts (expires_at);
comment on table sign_in_attempts is 'A sign-in under way at an identity provider. Sensitivity: secret.';

-- Assertions that clients and their keys have shown, so that none passes twice.
create table shown_assertions (
    id uuid not null primary key,
    shown_hash bytea not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index shown_assertions_shown_hash_key on shown_assertions (shown_hash);
create index shown_assertions_expires_at_idx on shown_assertions (expires_at);
comment on table shown_assertions is 'An assertion that a client has shown; none passes twice. Sensitivity: secret.';

-- Keys that sign ID tokens
create table signing_keys (
    id uuid not null primary key,
    generation bigint not null,
    public_key jsonb not null,
    private_key_enc bytea not null,
    signs_from timestamptz not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index signing_keys_generation_key on signing_keys (generation);
create index signing_keys_expires_at_idx on signing_keys (expires_at);
comment on table signing_keys is 'A key that signs ID tokens; published until what it signed has expired. Sensitivity: secret.';

-- A launch of an application out of somebody's session, and a request that an application has pushed: good once.
create table oauth_requests (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    api_client_id uuid not null,
    kind text not null check (kind in ('LAUNCH', 'PUSHED')),
    handle_hash bytea not null,
    user_id uuid references users (id),
    patient_id uuid,
    encounter_id uuid,
    pushed text check (char_length(pushed) <= 20000),
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, api_client_id) references api_clients (tenant_id, id)
);
create unique index oauth_requests_handle_hash_key on oauth_requests (tenant_id, handle_hash);
create index oauth_requests_expires_at_idx on oauth_requests (tenant_id, expires_at);
create index oauth_requests_api_client_id_idx on oauth_requests (tenant_id, api_client_id);
comment on table oauth_requests is 'A launch handle or a pushed authorization request. Sensitivity: secret.';
