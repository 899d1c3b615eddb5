-- V005  Providers, their identifiers and places, the clinic's contacts (catalogue §5). Expands only.

-- A dentist, hygienist or other specialist of a tenant
create table providers (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    user_id uuid references users (id),
    full_name text not null check (char_length(full_name) <= 300),
    full_name_key text collate "C" not null generated always as (kernel.fold(full_name)) stored,
    first_name text check (char_length(first_name) <= 300),
    last_name text check (char_length(last_name) <= 300),
    title text check (char_length(title) <= 300),
    provider_type text not null default 'DENTIST' check (provider_type in ('DENTIST', 'HYGIENIST', 'ASSISTANT', 'SPECIALIST', 'EXTERNAL')),
    specialty text not null check (char_length(specialty) <= 100),
    specialty_code text check (char_length(specialty_code) <= 300),
    professional_license text check (char_length(professional_license) <= 100),
    npi text check (kernel.is_npi(npi) and char_length(npi) <= 300),
    bio text check (char_length(bio) <= 20000),
    photo_file_id uuid,
    default_operatory_id uuid,
    color text check (char_length(color) <= 300),
    accepts_online_booking boolean not null default false,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'INACTIVE')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, default_operatory_id) references operatories (tenant_id, id)
);
create unique index providers_user_id_key on providers (tenant_id, user_id) nulls not distinct where user_id is not null and deleted_at is null;
create index providers_specialty_idx on providers (tenant_id, specialty);
create index providers_full_name_key_id_idx on providers (tenant_id, full_name_key, id);
create index providers_user_id_idx on providers (tenant_id, user_id);
create index providers_photo_file_id_idx on providers (tenant_id, photo_file_id);
create index providers_default_operatory_id_idx on providers (tenant_id, default_operatory_id);
create index providers_updated_at_id_idx on providers (tenant_id, updated_at, id);
comment on table providers is 'A dentist, hygienist or other specialist of a tenant. Sensitivity: public.';
comment on column providers.user_id is 'null for an external provider';
comment on column providers.specialty is 'for example Acupuncture, Naturopathy, Orthodontics';
comment on column providers.specialty_code is 'provider taxonomy code';
select kernel.record('providers');

-- Further identifiers of a provider: licence numbers by country
create table provider_identifiers (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    provider_id uuid not null,
    system text not null check (char_length(system) <= 300),
    value text not null check (char_length(value) <= 300),
    jurisdiction text check (char_length(jurisdiction) <= 300),
    valid_until date,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
create unique index provider_identifiers_system_value_key on provider_identifiers (tenant_id, system, value) nulls not distinct where deleted_at is null;
create index provider_identifiers_provider_id_idx on provider_identifiers (tenant_id, provider_id);
comment on table provider_identifiers is 'Further identifiers of a provider: licence numbers by country. Sensitivity: business.';
comment on column provider_identifiers.system is 'URI or short name of the register';
select kernel.record('provider_identifiers', parent => 'providers', parent_column => 'provider_id', born => true);

-- Where a provider works
create table provider_locations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    provider_id uuid not null,
    location_id uuid not null,
    is_primary boolean not null default false,
    valid_from date,
    valid_until date,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id)
);
create unique index provider_locations_provider_id_location_id_key on provider_locations (tenant_id, provider_id, location_id) nulls not distinct where deleted_at is null;
create index provider_locations_provider_id_idx on provider_locations (tenant_id, provider_id);
create index provider_locations_location_id_idx on provider_locations (tenant_id, location_id);
create index provider_locations_updated_at_id_idx on provider_locations (tenant_id, updated_at, id);
comment on table provider_locations is 'Where a provider works. Sensitivity: public.';
select kernel.record('provider_locations');

-- The clinic's private directory of specialists it refers to
create table contacts (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    specialty text not null check (char_length(specialty) <= 300),
    specialty_key text collate "C" not null generated always as (kernel.fold(specialty)) stored,
    phone text not null check (char_length(phone) <= 300),
    email text not null check (char_length(email) <= 254),
    address text check (char_length(address) <= 4000),
    notes text check (char_length(notes) <= 4000),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'INACTIVE')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    linked_tenant_id uuid references tenants (id),
    organization_name text check (char_length(organization_name) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create index contacts_specialty_key_idx on contacts (tenant_id, specialty_key);
create index contacts_status_idx on contacts (tenant_id, status);
create index contacts_name_key_id_idx on contacts (tenant_id, name_key, id);
create index contacts_created_at_id_idx on contacts (tenant_id, created_at, id);
create index contacts_linked_tenant_id_idx on contacts (tenant_id, linked_tenant_id);
comment on table contacts is 'The clinic''s private directory of specialists it refers to. Sensitivity: pii.';
comment on column contacts.notes is 'internal, never shown outside the clinic';
comment on column contacts.linked_tenant_id is 'clinic on the platform, makes on-platform referral possible';
select kernel.record('contacts');

