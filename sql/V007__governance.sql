-- V007  Audit events with their seals, digests and anchors; mandates (catalogue §3). Expands only.

-- Immutable log of security-relevant actions, without patient data
create table audit_events (
    tenant_id uuid not null,
    id uuid not null,
    user_id uuid,
    actor_type text not null check (actor_type in ('USER', 'SYSTEM', 'API_CLIENT')),
    api_client_id uuid,
    plane text not null check (plane in ('STAFF', 'GROUP', 'PATIENT', 'SHARE', 'AUDIT', 'AUTH', 'JOBS', 'PLATFORM')),
    event_type text not null check (char_length(event_type) <= 300),
    resource_type text check (char_length(resource_type) <= 300),
    resource_id uuid,
    patient_id uuid,
    action text not null check (action in ('CREATE', 'READ', 'UPDATE', 'DELETE', 'EXECUTE', 'SEARCH')),
    outcome text not null check (outcome in ('SUCCESS', 'DENIED', 'FAILED', 'ABORTED')),
    purpose_of_use text check (purpose_of_use in ('TREATMENT', 'PAYMENT', 'OPERATIONS', 'PATIENT_REQUEST', 'RESEARCH', 'LEGAL', 'EMERGENCY', 'AUDIT')),
    occurred_at timestamptz not null,
    request_id uuid not null,
    session_id uuid,
    ip_address inet,
    user_agent text check (char_length(user_agent) <= 300),
    break_glass_id uuid,
    metadata jsonb not null default '{}',
    detail_salt bytea,
    leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
    transaction_id text not null default sec.audit_transaction() check (transaction_id ~ '^[0-9]{4}[.][0-9]{20}$'),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create index audit_events_patient_id_occurred_at_idx on audit_events (tenant_id, patient_id, occurred_at);
create index audit_events_user_id_occurred_at_idx on audit_events (tenant_id, user_id, occurred_at);
create index audit_events_resource_id_occurred_at_idx on audit_events (tenant_id, resource_id, occurred_at);
create index audit_events_transaction_id_id_idx on audit_events (transaction_id, id);
create index audit_events_tenant_id_transaction_id_id_idx on audit_events (tenant_id, transaction_id, id);
create index audit_events_occurred_at_id_idx on audit_events (tenant_id, occurred_at, id);
create index audit_events_exports_idx on audit_events (tenant_id, occurred_at) where event_type = 'EXPORT_STARTED';
create index audit_events_request_id_idx on audit_events (tenant_id, request_id);
create index audit_events_break_glass_id_idx on audit_events (tenant_id, break_glass_id) where break_glass_id is not null;
comment on table audit_events is 'Immutable log of security-relevant actions, without patient data. Sensitivity: pii.';
comment on column audit_events.user_id is 'null for the system';
comment on column audit_events.resource_type is 'for example PATIENT, IMAGE_STUDY';
comment on column audit_events.patient_id is 'whose record; an id, no content; not a foreign key so that purges keep the log';
comment on column audit_events.ip_address is 'sensitivity: pii';
comment on column audit_events.metadata is 'fine details without patient data';
comment on column audit_events.detail_salt is 'sensitivity: secret';
comment on column audit_events.leaf_hash is 'sensitivity: secret';
comment on column audit_events.transaction_id is 'the 64-bit transaction id, for sealing by commit horizon; sensitivity: secret';

-- Signed Merkle batches over audit events of all tenants
create table audit_seals (
    id uuid not null primary key,
    epoch integer not null,
    batch_no bigint not null,
    from_transaction text not null check (char_length(from_transaction) <= 300),
    to_transaction text not null check (char_length(to_transaction) <= 300),
    event_count bigint not null,
    root_hash bytea not null,
    previous_hash bytea not null,
    sealed_at timestamptz not null,
    key_id text not null check (char_length(key_id) <= 300),
    signature bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index audit_seals_epoch_from_transaction_key on audit_seals (epoch, from_transaction) nulls not distinct;
create index audit_seals_epoch_batch_no_idx on audit_seals (epoch, batch_no);
create index audit_seals_sealed_at_id_idx on audit_seals (sealed_at, id);
comment on table audit_seals is 'Signed Merkle batches over audit events of all tenants. Sensitivity: business.';

-- Hourly tree of one tenant's events, chained
create table audit_digests (
    tenant_id uuid not null,
    id uuid not null,
    digest_no bigint not null,
    hour_start timestamptz not null,
    event_count bigint not null,
    running_count bigint not null,
    root_hash bytea not null,
    previous_hash bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index audit_digests_digest_no_key on audit_digests (tenant_id, digest_no) nulls not distinct;
create index audit_digests_hour_start_id_idx on audit_digests (tenant_id, hour_start, id);
create index audit_digests_hour_start_tenant_id_idx on audit_digests (hour_start, tenant_id);
comment on table audit_digests is 'Hourly tree of one tenant''s events, chained. Sensitivity: business.';

-- Daily signed head kept outside the database
create table audit_anchors (
    id uuid not null primary key,
    anchor_date date not null,
    digest_root bytea not null,
    heads_root bytea not null,
    key_id text not null check (char_length(key_id) <= 300),
    signature bytea not null,
    external_uri text check (char_length(external_uri) <= 2000),
    timestamp_token bytea,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index audit_anchors_anchor_date_key on audit_anchors (anchor_date) nulls not distinct;
create index audit_anchors_anchor_date_id_idx on audit_anchors (anchor_date, id);
comment on table audit_anchors is 'Daily signed head kept outside the database. Sensitivity: public.';

-- A regulator's or auditor's mandate over a tenant
create table audit_mandates (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    auditor_user_id uuid not null references users (id),
    auditor_tenant_id uuid references tenants (id),
    legal_basis text not null check (char_length(legal_basis) <= 300),
    permissions text[] not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null constraint audit_mandates_valid_until_check2 check (valid_until > valid_from),
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index audit_mandates_auditor_user_id_key on audit_mandates (tenant_id, auditor_user_id) nulls not distinct where revoked_at is null;
create index audit_mandates_auditor_user_id_tenant_idx on audit_mandates (auditor_user_id, tenant_id);
create index audit_mandates_valid_until_id_idx on audit_mandates (tenant_id, valid_until, id);
create index audit_mandates_auditor_user_id_idx on audit_mandates (tenant_id, auditor_user_id);
create index audit_mandates_auditor_tenant_id_idx on audit_mandates (tenant_id, auditor_tenant_id);
comment on table audit_mandates is 'A regulator''s or auditor''s mandate over a tenant. Sensitivity: business.';
comment on column audit_mandates.auditor_tenant_id is 'tenant of type REGULATOR';
select kernel.record('audit_mandates');


comment on column audit_events.transaction_id is 'epoch and zero-padded transaction id: the sealer takes events by commit horizon, never by id; a restore opens a new epoch';
create trigger refuse_change before update or delete on audit_events for each row execute function sec.refuse_change();
create trigger refuse_change before update or delete on audit_seals for each row execute function sec.refuse_change();
create trigger refuse_change before update or delete on audit_digests for each row execute function sec.refuse_change();
create trigger refuse_change before update or delete on audit_anchors for each row execute function sec.refuse_change();
create view phi_access_logs with (security_invoker = true) as
    select e.tenant_id, e.id, e.patient_id, e.user_id, e.resource_type, e.resource_id, e.action, e.purpose_of_use, e.occurred_at
      from audit_events e where e.patient_id is not null;
