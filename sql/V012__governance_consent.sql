-- V012  Consents and their texts, retention, legal holds, disclosures, break-glass (catalogue §3). Expands only.

-- Accounting of disclosures to others
create table disclosures (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    disclosed_at timestamptz not null,
    recipient_name text not null check (char_length(recipient_name) <= 300),
    recipient_address text check (char_length(recipient_address) <= 300),
    recipient_tenant_id uuid references tenants (id),
    what text not null check (char_length(what) <= 300),
    purpose text not null check (char_length(purpose) <= 2000),
    category text not null check (category in ('REFERRAL', 'PAYER', 'EXPORT', 'THIRD_PARTY_APP', 'LEGAL', 'PUBLIC_HEALTH', 'RESEARCH', 'PATIENT_REQUEST', 'OTHER')),
    legal_basis text check (char_length(legal_basis) <= 300),
    is_accountable boolean not null default true,
    resource_type text check (char_length(resource_type) <= 300),
    resource_id uuid,
    request_id uuid,
    disclosed_by uuid references users (id),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index disclosures_patient_id_disclosed_at_idx on disclosures (tenant_id, patient_id, disclosed_at);
create index disclosures_disclosed_at_id_idx on disclosures (tenant_id, disclosed_at, id);
create index disclosures_recipient_tenant_id_idx on disclosures (tenant_id, recipient_tenant_id);
create index disclosures_disclosed_by_idx on disclosures (tenant_id, disclosed_by);
comment on table disclosures is 'Accounting of disclosures to others. Sensitivity: phi.';
comment on column disclosures.is_accountable is 'false for treatment, payment, operations';
select kernel.record('disclosures');

-- The exact wording of a consent, by version and language
create table consent_texts (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code text not null check (char_length(code) <= 300),
    version_no integer not null check (version_no >= 1),
    locale text not null default 'en' check (char_length(locale) <= 300),
    body text not null check (char_length(body) <= 20000),
    consent_types text[] not null check (consent_types <@ '{AI_ANALYSIS,RESEARCH,DATA_SHARING,MARKETING,TREATMENT_PLANNING,DATA_STORAGE}'),
    effective_from timestamptz not null,
    retired_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index consent_texts_code_version_no_locale_key on consent_texts (tenant_id, code, version_no, locale) nulls not distinct;
comment on table consent_texts is 'The exact wording of a consent, by version and language. Sensitivity: public.';
comment on column consent_texts.consent_types is 'purposes one tick records';
select kernel.record('consent_texts');

-- How long each class of data is kept
create table data_retention_policies (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    data_class text not null check (data_class in ('PATIENT_RECORD', 'IMAGING', 'LOGS', 'ANALYTICS', 'FINANCIAL', 'COMMUNICATION', 'CONSENT_HELD', 'OPERATIONAL', 'SECURITY')),
    jurisdiction text not null default '*' check (char_length(jurisdiction) <= 300),
    min_years integer not null check (min_years between 0 and 200),
    max_years integer check (max_years between 0 and 200),
    minor_until_age integer check (minor_until_age between 0 and 200),
    trigger_event text not null default 'LAST_TREATMENT' check (trigger_event in ('LAST_TREATMENT', 'CREATED', 'MAJORITY', 'DEATH', 'DEVICE_LIFE', 'CONTRACT_END')),
    archival_strategy text not null default 'NONE' check (archival_strategy in ('NONE', 'COLD_STORAGE', 'ANONYMISE', 'DELETE')),
    legal_reference text check (char_length(legal_reference) <= 300),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint data_retention_policies_max_years_check2 check (max_years >= min_years)
);
create unique index data_retention_policies_data_class_jurisdiction_key on data_retention_policies (tenant_id, data_class, jurisdiction) nulls not distinct where is_active and deleted_at is null;
create index data_retention_policies_data_class_id_idx on data_retention_policies (tenant_id, data_class, id);
comment on table data_retention_policies is 'How long each class of data is kept. Sensitivity: business.';
comment on column data_retention_policies.max_years is 'X of the auto-delete rule; null = never delete';
comment on column data_retention_policies.minor_until_age is 'keep minors'' records at least until this age';
select kernel.record('data_retention_policies');

-- Records that must not be deleted until released
create table legal_holds (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    matter_reference text check (char_length(matter_reference) <= 300),
    reason text not null check (char_length(reason) <= 4000),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'RELEASED')),
    placed_at timestamptz not null,
    placed_by uuid not null references users (id),
    released_at timestamptz,
    released_by uuid references users (id),
    release_reason text check (char_length(release_reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint legal_holds_released_by_check check (released_by <> placed_by)
);
create index legal_holds_status_id_idx on legal_holds (tenant_id, status, id);
create index legal_holds_placed_at_id_idx on legal_holds (tenant_id, placed_at, id);
create index legal_holds_placed_by_idx on legal_holds (tenant_id, placed_by);
create index legal_holds_released_by_idx on legal_holds (tenant_id, released_by);
create index legal_holds_updated_at_id_idx on legal_holds (tenant_id, updated_at, id);
comment on table legal_holds is 'Records that must not be deleted until released. Sensitivity: phi.';
select kernel.record('legal_holds');

-- An entity under a hold
create table legal_hold_items (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    hold_id uuid not null,
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    patient_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, hold_id) references legal_holds (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index legal_hold_items_hold_id_resource_type_resource_id_key on legal_hold_items (tenant_id, hold_id, resource_type, resource_id) nulls not distinct where deleted_at is null;
create index legal_hold_items_resource_type_resource_id_idx on legal_hold_items (tenant_id, resource_type, resource_id);
create index legal_hold_items_hold_id_idx on legal_hold_items (tenant_id, hold_id);
create index legal_hold_items_patient_id_idx on legal_hold_items (tenant_id, patient_id);
comment on table legal_hold_items is 'An entity under a hold. Sensitivity: phi.';
select kernel.record('legal_hold_items');

-- Time-limited emergency access with reason and notice
create table break_glass_grants (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    user_id uuid not null references users (id),
    patient_id uuid,
    reason text not null check (char_length(reason) between 10 and 4000),
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    status text not null default 'OPEN' check (status in ('OPEN', 'CLOSED', 'EXPIRED', 'REVIEWED')),
    notified_at timestamptz,
    reviewed_by uuid references users (id),
    review_note text check (char_length(review_note) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint break_glass_grants_valid_until_check2 check (valid_until > valid_from and valid_until <= valid_from + interval '4 hours'),
    constraint break_glass_grants_reviewed_by_check check (reviewed_by <> user_id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index break_glass_grants_status_id_idx on break_glass_grants (tenant_id, status, id);
create index break_glass_grants_valid_from_id_idx on break_glass_grants (tenant_id, valid_from, id);
create index break_glass_grants_user_id_idx on break_glass_grants (tenant_id, user_id);
create index break_glass_grants_patient_id_idx on break_glass_grants (tenant_id, patient_id);
create index break_glass_grants_reviewed_by_idx on break_glass_grants (tenant_id, reviewed_by);
comment on table break_glass_grants is 'Time-limited emergency access with reason and notice. Sensitivity: pii.';
select kernel.record('break_glass_grants');

-- Sensitivity and meaning of every table and column, generated from the model
create table data_dictionary_columns (
    id uuid not null primary key,
    table_name text not null check (char_length(table_name) <= 300),
    column_name text not null check (char_length(column_name) <= 300),
    data_type text not null check (char_length(data_type) <= 300),
    phi_sensitivity_level text not null check (phi_sensitivity_level in ('NONE', 'BUSINESS', 'PII', 'PHI', 'SECRET')),
    is_encrypted boolean not null,
    retention_class text check (char_length(retention_class) <= 300),
    description text check (char_length(description) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index data_dictionary_columns_table_name_column_name_key on data_dictionary_columns (table_name, column_name) nulls not distinct;
create index data_dictionary_columns_table_name_id_idx on data_dictionary_columns (table_name, id);
comment on table data_dictionary_columns is 'Sensitivity and meaning of every table and column, generated from the model. Sensitivity: public.';

-- One run of the retention engine with its review list
create table retention_runs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    policy_id uuid,
    mode text not null check (mode in ('PREVIEW', 'EXECUTE')),
    status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'REVIEW', 'APPROVED', 'COMPLETED', 'FAILED', 'CANCELLED')),
    candidates integer not null default 0,
    held integer not null default 0,
    restricted integer not null default 0,
    purged integer not null default 0,
    approved_by uuid references users (id),
    certificate_file_id uuid,
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, policy_id) references data_retention_policies (tenant_id, id),
    foreign key (tenant_id, certificate_file_id) references files (tenant_id, id)
);
create index retention_runs_status_id_idx on retention_runs (tenant_id, status, id);
create index retention_runs_policy_id_idx on retention_runs (tenant_id, policy_id);
create index retention_runs_approved_by_idx on retention_runs (tenant_id, approved_by);
create index retention_runs_certificate_file_id_idx on retention_runs (tenant_id, certificate_file_id);
comment on table retention_runs is 'One run of the retention engine with its review list. Sensitivity: business.';
comment on column retention_runs.certificate_file_id is 'ids and hashes of what was purged';
select kernel.record('retention_runs');

-- One record or file on a run's list and what became of it
create table retention_items (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    run_id uuid not null,
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    patient_id uuid,
    retain_until date not null,
    decision text not null check (decision in ('DELETE', 'ARCHIVE', 'RESTRICT', 'HELD', 'KEEP')),
    reason text not null check (char_length(reason) <= 4000),
    outcome text check (outcome in ('DONE', 'SKIPPED', 'FAILED')),
    content_hash text check (char_length(content_hash) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, run_id) references retention_runs (tenant_id, id)
);
create index retention_items_run_id_resource_type_resource_id_idx on retention_items (tenant_id, run_id, resource_type, resource_id);
comment on table retention_items is 'One record or file on a run''s list and what became of it. Sensitivity: phi.';
select kernel.record('retention_items');
