-- V023  External systems, synchronisation, exports, DICOM peers, webhooks (catalogue §15). Expands only.

-- Catalogue of systems that can be connected
create table external_systems (
    id uuid not null primary key,
    code text not null check (char_length(code) <= 300),
    name text not null check (char_length(name) <= 300),
    system_type text not null check (system_type in ('PMS', 'EHR', 'PACS', 'LIMS', 'PAYMENT_GATEWAY', 'INSURANCE_CLEARINGHOUSE')),
    vendor text check (char_length(vendor) <= 300),
    protocols text[] not null default '{}',
    documentation_uri text check (char_length(documentation_uri) <= 2000),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index external_systems_code_key on external_systems (code) nulls not distinct;
create index external_systems_name_id_idx on external_systems (name, id);
comment on table external_systems is 'Catalogue of systems that can be connected. Sensitivity: business.';
select kernel.record('external_systems');

-- A connection of a tenant to an external system
create table tenant_integrations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    external_system_id uuid not null references external_systems (id),
    system_type text not null check (system_type in ('PMS', 'EHR', 'PACS', 'LIMS', 'PAYMENT_GATEWAY', 'INSURANCE_CLEARINGHOUSE')),
    display_name text not null check (char_length(display_name) <= 300),
    status text not null default 'PENDING' check (status in ('PENDING', 'ACTIVE', 'PAUSED', 'ERROR', 'DISABLED')),
    sync_mode text not null check (sync_mode in ('UNIDIRECTIONAL', 'BIDIRECTIONAL')),
    direction text not null default 'INBOUND' check (direction in ('INBOUND', 'OUTBOUND', 'BOTH')),
    location_id uuid,
    config jsonb not null default '{}',
    schedule text check (char_length(schedule) <= 300),
    last_sync_at timestamptz,
    last_error text check (char_length(last_error) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id)
);
create index tenant_integrations_display_name_id_idx on tenant_integrations (tenant_id, display_name, id);
create index tenant_integrations_status_id_idx on tenant_integrations (tenant_id, status, id);
create index tenant_integrations_external_system_id_idx on tenant_integrations (tenant_id, external_system_id);
create index tenant_integrations_location_id_idx on tenant_integrations (tenant_id, location_id);
create index tenant_integrations_updated_at_id_idx on tenant_integrations (tenant_id, updated_at, id);
comment on table tenant_integrations is 'A connection of a tenant to an external system. Sensitivity: business.';
comment on column tenant_integrations.config is 'no secrets';
comment on column tenant_integrations.schedule is 'cron expression';
select kernel.record('tenant_integrations');

-- Keys and tokens of an integration, encrypted per field
create table integration_credentials (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    integration_id uuid not null,
    kind text not null check (kind in ('API_KEY', 'OAUTH_TOKEN', 'BASIC', 'CERTIFICATE', 'SFTP_KEY')),
    endpoint text check (char_length(endpoint) <= 300),
    secret_enc bytea not null,
    refresh_secret_enc bytea,
    previous_secret_enc bytea,
    previous_secret_expires_at timestamptz,
    key_id uuid,
    expires_at timestamptz,
    rotated_at timestamptz,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'REVOKED', 'EXPIRED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, integration_id) references tenant_integrations (tenant_id, id),
    foreign key (tenant_id, key_id) references encryption_keys (tenant_id, id)
);
create index integration_credentials_status_id_idx on integration_credentials (tenant_id, status, id);
create index integration_credentials_integration_id_idx on integration_credentials (tenant_id, integration_id);
create index integration_credentials_key_id_idx on integration_credentials (tenant_id, key_id);
comment on table integration_credentials is 'Keys and tokens of an integration, encrypted per field. Sensitivity: secret.';
comment on column integration_credentials.secret_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
comment on column integration_credentials.refresh_secret_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
select kernel.record('integration_credentials');

-- Identifier of one of our rows in another system
create table external_ids (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    integration_id uuid,
    system text not null check (char_length(system) <= 300),
    value text not null check (char_length(value) <= 300),
    last_seen_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, integration_id) references tenant_integrations (tenant_id, id)
);
create unique index external_ids_system_resource_type_value_key on external_ids (tenant_id, system, resource_type, value) nulls not distinct where deleted_at is null;
create index external_ids_resource_type_resource_id_idx on external_ids (tenant_id, resource_type, resource_id);
create index external_ids_integration_id_idx on external_ids (tenant_id, integration_id);
create index external_ids_resource_id_idx on external_ids (tenant_id, resource_id);
create index external_ids_value_idx on external_ids (tenant_id, value);
comment on table external_ids is 'Identifier of one of our rows in another system. Sensitivity: phi.';
select kernel.record('external_ids');

-- One run of an exchange: schedule import, claim export and so on
create table sync_jobs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    integration_id uuid,
    job_type text not null check (job_type in ('SCHEDULE_IMPORT', 'CLAIM_EXPORT', 'PATIENT_IMPORT', 'PATIENT_EXPORT', 'IMAGE_IMPORT', 'REMITTANCE_IMPORT', 'ELIGIBILITY', 'FILE_IMPORT', 'FHIR_IMPORT', 'FULL_IMPORT')),
    status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED')),
    direction text not null check (direction in ('INBOUND', 'OUTBOUND')),
    source_file_id uuid,
    params jsonb not null default '{}',
    cursor text check (char_length(cursor) <= 300),
    created_count integer not null default 0,
    updated_count integer not null default 0,
    failed_count integer not null default 0,
    started_at timestamptz,
    completed_at timestamptz,
    error_details text check (char_length(error_details) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, integration_id) references tenant_integrations (tenant_id, id),
    foreign key (tenant_id, source_file_id) references files (tenant_id, id)
);
create index sync_jobs_status_created_at_idx on sync_jobs (tenant_id, status, created_at);
create index sync_jobs_created_at_id_idx on sync_jobs (tenant_id, created_at, id);
create index sync_jobs_integration_id_idx on sync_jobs (tenant_id, integration_id);
create unique index sync_jobs_integration_id_job_type_key on sync_jobs (tenant_id, integration_id, job_type) where status in ('QUEUED', 'RUNNING') and integration_id is not null;
create index sync_jobs_source_file_id_idx on sync_jobs (tenant_id, source_file_id);
-- For the worker, which looks over all tenants.
create index sync_jobs_imports_idx on sync_jobs (tenant_id, created_at) where job_type = 'FILE_IMPORT' and status in ('QUEUED', 'RUNNING');
comment on table sync_jobs is 'One run of an exchange: schedule import, claim export and so on. Sensitivity: business.';
comment on column sync_jobs.cursor is 'where to resume';
select kernel.record('sync_jobs');

-- Result per record of a sync job
create table sync_job_logs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    job_id uuid not null,
    record_ref text not null check (char_length(record_ref) <= 300),
    resource_type text check (char_length(resource_type) <= 300),
    resource_id uuid,
    outcome text not null check (outcome in ('CREATED', 'UPDATED', 'UNCHANGED', 'FAILED')),
    error_message text check (char_length(error_message) <= 300),
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, job_id) references sync_jobs (tenant_id, id)
);
create index sync_job_logs_created_at_id_idx on sync_job_logs (tenant_id, created_at, id);
create index sync_job_logs_job_id_idx on sync_job_logs (tenant_id, job_id);
comment on table sync_job_logs is 'Result per record of a sync job. Sensitivity: phi.';

-- A bulk export: whole tenant, patient group or audit package
create table export_jobs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    export_type text not null check (export_type in ('TENANT_FULL', 'FHIR_BULK', 'AUDIT_PACKAGE', 'PATIENT_RECORD', 'REPORT')),
    params jsonb not null default '{}',
    status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED')),
    progress_percent integer not null default 0,
    file_id uuid,
    record_count bigint,
    requested_by uuid not null references users (id),
    expires_at timestamptz,
    error_details text check (char_length(error_details) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id)
);
create index export_jobs_status_id_idx on export_jobs (tenant_id, status, id);
create index export_jobs_created_at_id_idx on export_jobs (tenant_id, created_at, id);
create index export_jobs_file_id_idx on export_jobs (tenant_id, file_id);
create index export_jobs_requested_by_idx on export_jobs (tenant_id, requested_by);
comment on table export_jobs is 'A bulk export: whole tenant, patient group or audit package. Sensitivity: business.';
select kernel.record('export_jobs');

-- A person's request: access, erasure, portability, rectification
create table dsar_requests (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid,
    requester_name text not null check (char_length(requester_name) <= 300),
    requester_email text check (char_length(requester_email) <= 300),
    request_type text not null check (request_type in ('ACCESS', 'ERASURE', 'PORTABILITY', 'RECTIFICATION', 'RESTRICTION', 'OBJECTION')),
    status text not null default 'RECEIVED' check (status in ('RECEIVED', 'VERIFYING', 'IN_PROGRESS', 'EXTENDED', 'COMPLETED', 'REFUSED', 'WITHDRAWN')),
    received_at timestamptz not null,
    due_on date not null,
    identity_verified_at timestamptz,
    decision text check (decision in ('FULFILLED', 'PARTLY_FULFILLED', 'REFUSED')),
    decision_ground text check (char_length(decision_ground) <= 300),
    decided_by uuid references users (id),
    export_job_id uuid,
    scheduled_deletion_on date,
    completed_at timestamptz,
    details text check (char_length(details) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, export_job_id) references export_jobs (tenant_id, id)
);
create index dsar_requests_status_due_on_idx on dsar_requests (tenant_id, status, due_on);
create index dsar_requests_due_on_id_idx on dsar_requests (tenant_id, due_on, id);
create index dsar_requests_patient_id_idx on dsar_requests (tenant_id, patient_id);
create index dsar_requests_decided_by_idx on dsar_requests (tenant_id, decided_by);
create index dsar_requests_export_job_id_idx on dsar_requests (tenant_id, export_job_id);
create index dsar_requests_updated_at_id_idx on dsar_requests (tenant_id, updated_at, id);
comment on table dsar_requests is 'A person''s request: access, erasure, portability, rectification. Sensitivity: phi.';
comment on column dsar_requests.requester_name is 'sensitivity: pii';
comment on column dsar_requests.requester_email is 'sensitivity: pii';
comment on column dsar_requests.due_on is 'one month, three when extended';
comment on column dsar_requests.decision_ground is 'legal ground of a refusal';
comment on column dsar_requests.details is 'sensitivity: phi';
select kernel.record('dsar_requests');

-- What FHIR clients sent and no column holds, per record version, and a cache of rendered resources
create table fhir_resources (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    patient_id uuid,
    version_no bigint not null,
    content jsonb not null,
    content_hash text check (char_length(content_hash) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index fhir_resources_resource_type_resource_id_version_no_key on fhir_resources (tenant_id, resource_type, resource_id, version_no) nulls not distinct;
create index fhir_resources_patient_id_idx on fhir_resources (tenant_id, patient_id);
comment on table fhir_resources is 'What FHIR clients sent and no column holds, per record version, and a cache of rendered resources. Sensitivity: phi.';
select kernel.record('fhir_resources');

-- A registered DICOM peer of a tenant
create table dicom_nodes (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    integration_id uuid,
    name text not null check (char_length(name) <= 300),
    ae_title text not null check (char_length(ae_title) <= 16),
    called_ae_title text not null check (char_length(called_ae_title) <= 300),
    host text not null check (char_length(host) <= 300),
    port integer not null check (port between 1 and 65535),
    tls_required boolean not null default true,
    certificate_fingerprint text check (char_length(certificate_fingerprint) <= 300),
    allowed_operations text[] not null default '{C-ECHO,C-STORE}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, integration_id) references tenant_integrations (tenant_id, id)
);
create unique index dicom_nodes_ae_title_key on dicom_nodes (tenant_id, ae_title) nulls not distinct where deleted_at is null;
create index dicom_nodes_name_id_idx on dicom_nodes (tenant_id, name, id);
create index dicom_nodes_integration_id_idx on dicom_nodes (tenant_id, integration_id);
create index dicom_nodes_updated_at_id_idx on dicom_nodes (tenant_id, updated_at, id);
comment on table dicom_nodes is 'A registered DICOM peer of a tenant. Sensitivity: business.';
comment on column dicom_nodes.called_ae_title is 'our title for this tenant';
select kernel.record('dicom_nodes');

-- One exchange with a DICOM peer
create table dicom_transactions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    node_id uuid,
    operation text not null check (operation in ('C_STORE', 'C_FIND', 'C_MOVE', 'C_ECHO', 'C_GET', 'N_ACTION', 'N_EVENT_REPORT', 'STOW', 'QIDO', 'WADO')),
    direction text not null check (direction in ('IN', 'OUT')),
    study_uid text check (char_length(study_uid) <= 300),
    study_id uuid,
    status_code text not null check (char_length(status_code) <= 300),
    object_count integer not null default 0,
    byte_count bigint not null default 0,
    error_details text check (char_length(error_details) <= 4000),
    started_at timestamptz not null,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, node_id) references dicom_nodes (tenant_id, id),
    foreign key (tenant_id, study_id) references imaging_studies (tenant_id, id)
);
create index dicom_transactions_started_at_id_idx on dicom_transactions (tenant_id, started_at, id);
create index dicom_transactions_node_id_idx on dicom_transactions (tenant_id, node_id);
create index dicom_transactions_study_id_idx on dicom_transactions (tenant_id, study_id);
comment on table dicom_transactions is 'One exchange with a DICOM peer. Sensitivity: phi.';
comment on column dicom_transactions.byte_count is 'unit: bytes';
select kernel.record('dicom_transactions');

-- Where events of a tenant are sent
create table webhook_subscriptions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    url text not null check (url ~ '^https://' and char_length(url) <= 2000),
    event_types text[] not null,
    secret_enc bytea,
    previous_secret_enc bytea,
    previous_secret_expires_at timestamptz,
    api_client_id uuid,
    description text check (char_length(description) <= 4000),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'PAUSED', 'DISABLED')),
    consecutive_failures integer not null default 0,
    disabled_at timestamptz,
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
create index webhook_subscriptions_status_id_idx on webhook_subscriptions (tenant_id, status, id);
create index webhook_subscriptions_api_client_id_idx on webhook_subscriptions (tenant_id, api_client_id);
create index webhook_subscriptions_updated_at_id_idx on webhook_subscriptions (tenant_id, updated_at, id);
comment on table webhook_subscriptions is 'Where events of a tenant are sent. Sensitivity: secret.';
comment on column webhook_subscriptions.secret_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
comment on column webhook_subscriptions.previous_secret_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
select kernel.record('webhook_subscriptions');

-- An event of a tenant, thin: ids only
create table webhook_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    event_type text not null check (char_length(event_type) <= 300),
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    occurred_at timestamptz not null,
    sequence_no bigint not null,
    payload jsonb not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index webhook_events_sequence_no_key on webhook_events (tenant_id, sequence_no) nulls not distinct;
create index webhook_events_occurred_at_id_idx on webhook_events (tenant_id, occurred_at, id);
comment on table webhook_events is 'An event of a tenant, thin: ids only. Sensitivity: business.';

-- One attempt to deliver an event
create table webhook_deliveries (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    subscription_id uuid not null,
    event_id uuid not null,
    status text not null default 'PENDING' check (status in ('PENDING', 'SUCCEEDED', 'FAILED', 'DEAD_LETTER')),
    attempt integer not null default 0,
    response_status integer,
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    error_details text check (char_length(error_details) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, subscription_id) references webhook_subscriptions (tenant_id, id),
    foreign key (tenant_id, event_id) references webhook_events (tenant_id, id)
);
create unique index webhook_deliveries_subscription_id_event_id_key on webhook_deliveries (tenant_id, subscription_id, event_id) nulls not distinct;
create index webhook_deliveries_status_next_attempt_at_idx on webhook_deliveries (tenant_id, status, next_attempt_at);
create index webhook_deliveries_created_at_id_idx on webhook_deliveries (tenant_id, created_at, id);
create index webhook_deliveries_event_id_idx on webhook_deliveries (tenant_id, event_id);
comment on table webhook_deliveries is 'One attempt to deliver an event. Sensitivity: business.';

-- References that waited for their target.
alter table x12_interchanges add foreign key (tenant_id, integration_id) references tenant_integrations (tenant_id, id);
