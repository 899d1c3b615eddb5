-- V033  Applications of vendors, which many tenants may admit (RFC 7591). Expands only.

-- A vendor whose software statements are believed
create table app_vendors (
    id uuid not null primary key,
    issuer text not null check (char_length(issuer) <= 300),
    name text not null check (char_length(name) <= 300),
    jwks jsonb,
    jwks_uri text check (char_length(jwks_uri) <= 2000),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'SUSPENDED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    constraint app_vendors_jwks_check2 check ((jwks is null) <> (jwks_uri is null))
);
create unique index app_vendors_issuer_key on app_vendors (issuer) nulls not distinct;
create index app_vendors_name_id_idx on app_vendors (name, id);
comment on table app_vendors is 'A vendor whose software statements are believed. Sensitivity: business.';
comment on column app_vendors.issuer is 'iss of its software statements';
comment on column app_vendors.jwks_uri is 'where it publishes the keys that sign them';
select kernel.record('app_vendors');

-- An application as its vendor has registered it, once for all tenants
create table vendor_apps (
    id uuid not null primary key,
    vendor_id uuid not null references app_vendors (id),
    client_id text not null check (char_length(client_id) <= 300),
    client_type text not null check (client_type in ('CONFIDENTIAL', 'PUBLIC', 'BACKEND')),
    software_id text not null check (char_length(software_id) <= 300),
    software_version text check (char_length(software_version) <= 300),
    name text not null check (char_length(name) <= 300),
    auth_method text not null check (auth_method in ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt')),
    client_secret_hash bytea,
    previous_secret_hash bytea,
    previous_secret_expires_at timestamptz,
    jwks jsonb,
    jwks_uri text check (char_length(jwks_uri) <= 2000),
    redirect_uris text[] not null default '{}',
    origins text[] not null generated always as (kernel.origins(redirect_uris)) stored,
    launch_uri text check (char_length(launch_uri) <= 2000),
    logout_uris text[] not null default '{}',
    backchannel_logout_uri text check (char_length(backchannel_logout_uri) <= 2000),
    client_uri text check (char_length(client_uri) <= 2000),
    logo_uri text check (char_length(logo_uri) <= 2000),
    tos_uri text check (char_length(tos_uri) <= 2000),
    policy_uri text check (char_length(policy_uri) <= 2000),
    scopes text[] not null default '{}',
    grant_types text[] not null default '{}',
    stated_at timestamptz not null,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'SUSPENDED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index vendor_apps_client_id_key on vendor_apps (client_id) nulls not distinct;
create unique index vendor_apps_vendor_id_software_id_key on vendor_apps (vendor_id, software_id) nulls not distinct;
create index vendor_apps_origins_idx on vendor_apps using gin (origins);
create index vendor_apps_name_id_idx on vendor_apps (name, id);
comment on table vendor_apps is 'An application as its vendor has registered it, once for all tenants. Sensitivity: secret.';
comment on column vendor_apps.client_id is 'public identifier, 128 random bits made by the server; the same in each tenant that admits it';
comment on column vendor_apps.client_secret_hash is 'sensitivity: secret';
comment on column vendor_apps.previous_secret_hash is 'sensitivity: secret';
comment on column vendor_apps.stated_at is 'iat of the statement that registered it last; an older one registers it no more';
select kernel.record('vendor_apps');

-- A tenant that admits such an application has a client of its own by the same public id. What the vendor says of the application
-- stands with the vendor alone.
alter table api_clients
    add column vendor_app_id uuid references vendor_apps (id),
    add constraint api_clients_jwks_uri_check2 check (vendor_app_id is null or jwks_uri is null),
    add constraint api_clients_redirect_uris_check2 check (vendor_app_id is null or redirect_uris = '{}'),
    add constraint api_clients_launch_uri_check2 check (vendor_app_id is null or launch_uri is null),
    add constraint api_clients_logout_uris_check2 check (vendor_app_id is null or logout_uris = '{}'),
    add constraint api_clients_backchannel_logout_uri_check2 check (vendor_app_id is null or backchannel_logout_uri is null),
    add constraint api_clients_vendor_app_id_check2 check (vendor_app_id is null or client_secret_hash is null
        and previous_secret_hash is null and jwks is null and tls_names = '{}' and tls_thumbprints = '{}');
create index api_clients_vendor_app_id_idx on api_clients (tenant_id, vendor_app_id);
create index api_clients_vendor_app_id_any_idx on api_clients (vendor_app_id) where vendor_app_id is not null;
comment on column api_clients.vendor_app_id is 'the application of a vendor that the tenant has admitted; keys and addresses are the vendor''s to say';

-- In which tenant such an application acts is found by what it was given there.
create index oauth_authorizations_code_hash_idx on oauth_authorizations (code_hash) where code_hash is not null;
create index oauth_requests_handle_hash_any_idx on oauth_requests (handle_hash);
