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


-- What a record is searched by and no column of its own says: made from the resource, and replaced whenever it is written
create table search_values (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    record_id uuid not null,
    patient_id uuid,
    param text collate "C" not null,
    element int not null,
    part int not null,
    system text collate "C",
    code text collate "C",
    words text collate "C",
    target uuid,
    starts_at timestamptz,
    ends_at timestamptz,
    low float8,
    high float8,
    tokens text collate "C",
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index search_values_record_id_param_idx on search_values (tenant_id, record_id, param);
create index search_values_patient_id_idx on search_values (tenant_id, patient_id);
create index search_values_code_idx on search_values (tenant_id, param, code, record_id) where code is not null;
create index search_values_words_idx on search_values (tenant_id, param, words) where words is not null;
create index search_values_target_idx on search_values (tenant_id, param, target) where target is not null;
create index search_values_starts_at_idx on search_values (tenant_id, param, starts_at) where starts_at is not null;
create index search_values_low_idx on search_values (tenant_id, param, low) where low is not null;
comment on table search_values is 'What a record is searched by beside its columns. Sensitivity: phi.';
comment on column search_values.param is 'type and search parameter, and the table where the type has its own, as Organization.identifier@tenants';
comment on column search_values.element is 'values of one element of a composite parameter belong together';
comment on column search_values.part is 'which component of a composite parameter it is; 0: of none';
comment on column search_values.system is 'of a code or quantity; of a reference the type; null: any';
comment on column search_values.code is 'code, address, id or text as it is; of an identifier the keyed hash';
comment on column search_values.words is 'the text folded';
comment on column search_values.tokens is 'keyed hashes of the words of a whole text, each between spaces';

-- The same for records of somebody's health, which fewer people read
create table clinical_search_values (like search_values including all);
alter table clinical_search_values add foreign key (tenant_id) references tenants (id),
    add foreign key (tenant_id, patient_id) references patients (tenant_id, id);
comment on table clinical_search_values is 'What a clinical record is searched by beside its columns. Sensitivity: phi.';
