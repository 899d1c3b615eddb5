-- V004  Outbox, idempotency keys, jobs, wrapped keys, change log (catalogue §16, §3). Expands only.

-- Event written in the transaction that made it happen
create table outbox_events (
    tenant_id uuid not null,
    id uuid not null,
    event_type text not null check (char_length(event_type) <= 300),
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    patient_id uuid,
    request_id uuid not null,
    payload jsonb not null,
    dispatched_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create index outbox_events_dispatched_at_created_at_any_idx on outbox_events (dispatched_at, created_at);
comment on table outbox_events is 'Event written in the transaction that made it happen. Sensitivity: business.';
comment on column outbox_events.patient_id is 'order is kept per patient';

-- Stored answer of a POST by tenant, caller, route and key
create table idempotency_keys (
    tenant_id uuid not null,
    id uuid not null,
    caller_id uuid not null,
    route text not null check (char_length(route) <= 300),
    idempotency_key text not null check (char_length(idempotency_key) <= 300),
    body_hash bytea not null,
    state text not null check (state in ('IN_FLIGHT', 'DONE')),
    status_code integer,
    response_enc bytea,
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index idempotency_keys_caller_id_route_idempotency_key_key on idempotency_keys (tenant_id, caller_id, route, idempotency_key) nulls not distinct;
create index idempotency_keys_expires_at_idx on idempotency_keys (tenant_id, expires_at);
comment on table idempotency_keys is 'Stored answer of a POST by tenant, caller, route and key. Sensitivity: phi.';
comment on column idempotency_keys.response_enc is 'encrypted with the tenant''s column key';

-- Long work with progress, cancel and resume
create table jobs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    kind text not null check (char_length(kind) <= 300),
    status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    run_after timestamptz not null,
    lease_until timestamptz,
    attempts integer not null default 0,
    max_attempts integer not null default 10,
    progress_percent integer not null default 0,
    params jsonb not null default '{}',
    cursor text check (char_length(cursor) <= 300),
    error_details text check (char_length(error_details) <= 4000),
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create index jobs_status_run_after_idx on jobs (tenant_id, status, run_after);
create index jobs_status_run_after_any_idx on jobs (status, run_after);
create index jobs_created_at_id_idx on jobs (tenant_id, created_at, id);
comment on table jobs is 'Long work with progress, cancel and resume. Sensitivity: business.';
comment on column jobs.params is 'sensitivity: secret';
comment on column jobs.cursor is 'sensitivity: secret';
comment on column jobs.error_details is 'without patient data';

-- What a job has written to the object store, and where in its work each file ends
create table job_files (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    job_id uuid not null,
    slice text not null check (char_length(slice) <= 100),
    part integer not null,
    kind text not null check (kind in ('OUTPUT', 'DELETED', 'ERROR')),
    resource_type text not null check (char_length(resource_type) <= 64),
    storage_key text check (char_length(storage_key) <= 300),
    resource_count bigint not null default 0,
    byte_size bigint not null default 0,
    reached text check (char_length(reached) <= 300),
    ready boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, job_id) references jobs (tenant_id, id)
);
create unique index job_files_job_id_slice_part_key on job_files (tenant_id, job_id, slice, part);
comment on table job_files is 'A file that a job has written, in the object store. Sensitivity: business.';
comment on column job_files.slice is 'the part of the work it is of, which is done in order';
comment on column job_files.storage_key is 'null: that slice ended with nothing to write';
comment on column job_files.reached is 'where the slice goes on behind this file; null: it is done';
comment on column job_files.ready is 'false: its bytes may not be there yet';

-- Wrapped data keys of a tenant, for columns, files and blind indexes
create table encryption_keys (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    purpose text not null check (purpose in ('COLUMN', 'FILE', 'BLIND_INDEX', 'CHANGE_LOG')),
    patient_id uuid,
    wrapped_key bytea not null,
    kms_key_ref text not null check (char_length(kms_key_ref) <= 300),
    algorithm text not null default 'AES-256-GCM' check (char_length(algorithm) <= 300),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'RETIRED', 'DESTROYED')),
    activated_at timestamptz not null,
    retired_at timestamptz,
    destroyed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index encryption_keys_purpose_key on encryption_keys (tenant_id, purpose) nulls not distinct where status = 'ACTIVE' and patient_id is null;
comment on table encryption_keys is 'Wrapped data keys of a tenant, for columns, files and blind indexes. Sensitivity: secret.';
comment on column encryption_keys.patient_id is 'set for per-patient keys';
comment on column encryption_keys.wrapped_key is 'sensitivity: secret';

-- Before and after image of every changed row, written by trigger
create table change_log (
    tenant_id uuid not null,
    id uuid not null,
    table_name text not null check (char_length(table_name) <= 100),
    record_id uuid not null,
    action text not null check (action in ('INSERT', 'UPDATE', 'DELETE') and char_length(action) <= 20),
    old_values jsonb,
    new_values jsonb,
    changed_fields text[] not null default '{}',
    user_id uuid,
    patient_id uuid,
    record_version bigint not null,
    occurred_at timestamptz not null,
    request_id uuid not null,
    reason text check (char_length(reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create index change_log_record_id_record_version_idx on change_log (tenant_id, record_id, record_version);
create index change_log_patient_id_occurred_at_idx on change_log (tenant_id, patient_id, occurred_at);
create index change_log_occurred_at_id_idx on change_log (tenant_id, occurred_at, id);
create index change_log_table_name_occurred_at_idx on change_log (tenant_id, table_name, occurred_at, id);
create index change_log_request_id_idx on change_log (tenant_id, request_id);
create index change_log_user_id_idx on change_log (tenant_id, user_id);
comment on table change_log is 'Before and after image of every changed row, written by trigger. Sensitivity: phi.';


-- What a FHIR client sent and no column holds: the resource as it came, for the version of the record it made.
create table fhir_extras (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    resource_type text not null check (char_length(resource_type) <= 64),
    record_id uuid not null,
    record_version bigint not null,
    patient_id uuid,
    body_enc bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index fhir_extras_record_key on fhir_extras (tenant_id, record_id, record_version);
create index fhir_extras_patient_idx on fhir_extras (tenant_id, patient_id);
comment on table fhir_extras is 'The resource a FHIR client sent, for one version of one record. Sensitivity: phi.';
comment on column fhir_extras.body_enc is 'encrypted with the tenant''s column key';

create trigger refuse_change before update or delete on change_log for each row execute function sec.refuse_change();
