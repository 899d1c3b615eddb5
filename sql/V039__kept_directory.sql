-- V039  Resources of the directory that lack what our records need: kept whole, apart from those of charts. Expands only.

-- What a FHIR client keeps here of those who work at a clinic; its content is in fhir_extras
create table kept_directory_entries (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    resource_type text not null check (resource_type ~ '^[A-Z][A-Za-z]{2,63}$'),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create index kept_directory_entries_resource_type_id_idx on kept_directory_entries (tenant_id, resource_type, id);
create index kept_directory_entries_updated_at_id_idx on kept_directory_entries (tenant_id, updated_at, id);
comment on table kept_directory_entries is 'A FHIR resource of the directory that is none of its records. Sensitivity: business.';
comment on column kept_directory_entries.resource_type is 'R4 §2.1';
select kernel.record('kept_directory_entries');
