-- V027  Resources of FHIR types that no table of ours is: kept whole, under the same rules as all records. Expands only.

-- What a FHIR client keeps here that has no columns of its own; its content is in fhir_extras
create table kept_resources (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    resource_type text not null check (resource_type ~ '^[A-Z][A-Za-z]{2,63}$'),
    patient_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index kept_resources_patient_id_idx on kept_resources (tenant_id, patient_id, resource_type);
create index kept_resources_resource_type_id_idx on kept_resources (tenant_id, resource_type, id);
create index kept_resources_updated_at_id_idx on kept_resources (tenant_id, updated_at, id);
comment on table kept_resources is 'A resource of a FHIR type without a table of its own. Sensitivity: phi.';
comment on column kept_resources.resource_type is 'R4 §2.1';
comment on column kept_resources.patient_id is 'whose compartment it is in';
select kernel.record('kept_resources');
