-- V009  Code systems, codes, licences, drugs, materials, equipment and the clinic's procedures (catalogue §15, §9). Expands only.

-- A coding system: ICD-10, SNOMED, CDT, DICOM, internal
create table code_systems (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code text not null check (char_length(code) <= 300),
    name text not null check (char_length(name) <= 300),
    uri text not null check (char_length(uri) <= 2000),
    system_version text not null check (char_length(system_version) <= 300),
    code_pattern text check (char_length(code_pattern) <= 300),
    copyright_notice text check (char_length(copyright_notice) <= 300),
    requires_licence boolean not null default false,
    valid_from date,
    valid_until date,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index code_systems_code_system_version_key on code_systems (tenant_id, code, system_version) nulls not distinct;
create index code_systems_code_id_idx on code_systems (tenant_id, code, id);
create index code_systems_updated_at_id_idx on code_systems (tenant_id, updated_at, id);
comment on table code_systems is 'A coding system: ICD-10, SNOMED, CDT, DICOM, internal. Sensitivity: public.';
comment on column code_systems.code_pattern is 'regular expression of valid codes';
comment on column code_systems.copyright_notice is 'shown where descriptors are shown';
select kernel.record('code_systems');

-- One code with its description
create table code_values (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code_system_id uuid not null,
    code text not null check (char_length(code) <= 300),
    display text not null check (char_length(display) <= 300),
    display_key text collate "C" not null generated always as (kernel.fold(display)) stored,
    definition text check (char_length(definition) <= 300),
    parent_code text check (char_length(parent_code) <= 300),
    properties jsonb not null default '{}',
    effective_from date,
    effective_to date,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, code_system_id) references code_systems (tenant_id, id)
);
create unique index code_values_code_system_id_code_key on code_values (tenant_id, code_system_id, code) nulls not distinct;
create index code_values_code_id_idx on code_values (tenant_id, code, id);
create index code_values_display_key_idx on code_values (tenant_id, display_key);
create index code_values_updated_at_id_idx on code_values (tenant_id, updated_at, id);
comment on table code_values is 'One code with its description. Sensitivity: public.';
select kernel.record('code_values');

-- A tenant's attestation that it holds a licence for a code set
create table code_licences (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code_system_code text not null check (char_length(code_system_code) <= 300),
    edition text not null check (char_length(edition) <= 300),
    licence_reference text check (char_length(licence_reference) <= 300),
    attested_by uuid not null references users (id),
    attested_at timestamptz not null,
    valid_until date,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create index code_licences_code_system_code_attested_at_idx on code_licences (tenant_id, code_system_code, attested_at);
create index code_licences_attested_at_id_idx on code_licences (tenant_id, attested_at, id);
create index code_licences_attested_by_idx on code_licences (tenant_id, attested_by);
comment on table code_licences is 'A tenant''s attestation that it holds a licence for a code set. Sensitivity: business.';
select kernel.record('code_licences');

-- Master data of drugs
create table drug_reference (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    code_system text check (char_length(code_system) <= 300),
    code text check (char_length(code) <= 300),
    generic_name text check (char_length(generic_name) <= 300),
    form text check (char_length(form) <= 300),
    strength text check (char_length(strength) <= 300),
    route text check (char_length(route) <= 300),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index drug_reference_code_system_code_key on drug_reference (tenant_id, code_system, code) nulls not distinct where code is not null;
create index drug_reference_name_key_id_idx on drug_reference (tenant_id, name_key, id);
create index drug_reference_updated_at_id_idx on drug_reference (tenant_id, updated_at, id);
comment on table drug_reference is 'Master data of drugs. Sensitivity: public.';
select kernel.record('drug_reference');

-- Master data of dental materials
create table material_reference (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    category text not null check (char_length(category) <= 300),
    manufacturer text check (char_length(manufacturer) <= 300),
    product_code text check (char_length(product_code) <= 300),
    allergens text[] not null default '{}',
    is_implantable boolean not null default false,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create index material_reference_name_key_id_idx on material_reference (tenant_id, name_key, id);
create index material_reference_updated_at_id_idx on material_reference (tenant_id, updated_at, id);
comment on table material_reference is 'Master data of dental materials. Sensitivity: public.';
select kernel.record('material_reference');

-- Master data of devices and equipment
create table equipment_reference (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    category text not null check (char_length(category) <= 300),
    manufacturer text check (char_length(manufacturer) <= 300),
    model text check (char_length(model) <= 300),
    modality_code text check (char_length(modality_code) <= 300),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create index equipment_reference_name_key_id_idx on equipment_reference (tenant_id, name_key, id);
create index equipment_reference_updated_at_id_idx on equipment_reference (tenant_id, updated_at, id);
comment on table equipment_reference is 'Master data of devices and equipment. Sensitivity: public.';
select kernel.record('equipment_reference');

-- The tenant's procedure codes, licensed or its own
create table procedure_catalog (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code_system text not null check (char_length(code_system) <= 300),
    code text not null check (char_length(code) <= 300),
    code_version text not null check (char_length(code_version) <= 300),
    description text not null check (char_length(description) <= 4000),
    description_key text collate "C" not null generated always as (kernel.fold(description)) stored,
    is_custom boolean not null default false,
    category text check (char_length(category) <= 300),
    tooth_rule text not null default 'NONE' check (tooth_rule in ('NONE', 'TOOTH', 'AREA', 'TOOTH_OR_AREA')),
    surface_rule text not null default 'NONE' check (surface_rule in ('NONE', 'OPTIONAL', 'REQUIRED')),
    default_duration_minutes integer,
    default_fee_minor bigint,
    currency text check (char_length(currency) <= 300),
    effective_from date,
    effective_to date,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create unique index procedure_catalog_code_system_code_code_version_key on procedure_catalog (tenant_id, code_system, code, code_version) nulls not distinct where deleted_at is null;
create index procedure_catalog_code_id_idx on procedure_catalog (tenant_id, code, id);
create index procedure_catalog_description_key_idx on procedure_catalog (tenant_id, description_key);
create index procedure_catalog_updated_at_id_idx on procedure_catalog (tenant_id, updated_at, id);
comment on table procedure_catalog is 'The tenant''s procedure codes, licensed or its own. Sensitivity: business.';
comment on column procedure_catalog.is_custom is 'tenant-custom code';
comment on column procedure_catalog.default_duration_minutes is 'unit: min';
comment on column procedure_catalog.default_fee_minor is 'unit: minor currency unit';
select kernel.record('procedure_catalog');
