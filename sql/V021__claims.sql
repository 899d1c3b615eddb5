-- V021  Fee schedules, eligibility, claims, remittances, X12 (catalogue §14). Expands only.

-- A fee table per tenant, location or payer
create table fee_schedules (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    scope text not null check (scope in ('TENANT', 'LOCATION', 'PAYER')),
    location_id uuid,
    payer_tenant_id uuid,
    payer_id uuid,
    currency text not null check (char_length(currency) <= 300),
    effective_from date not null,
    effective_to date constraint fee_schedules_effective_to_check2 check (effective_to >= effective_from),
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint fee_schedules_location_id_check2 check ((scope = 'LOCATION') = (location_id is not null)),
    constraint fee_schedules_payer_id_check2 check ((scope = 'PAYER') = (payer_id is not null)),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (payer_tenant_id, payer_id) references payers (tenant_id, id),
    constraint fee_schedules_payer_id_check3 check (payer_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create unique index fee_schedules_tenant_key on fee_schedules (tenant_id) nulls not distinct where is_default and deleted_at is null;
create index fee_schedules_name_id_idx on fee_schedules (tenant_id, name, id);
create index fee_schedules_location_id_idx on fee_schedules (tenant_id, location_id);
create index fee_schedules_payer_tenant_id_payer_id_idx on fee_schedules (tenant_id, payer_tenant_id, payer_id);
create index fee_schedules_updated_at_id_idx on fee_schedules (tenant_id, updated_at, id);
create index fee_schedules_payer_id_idx on fee_schedules (tenant_id, payer_id);
comment on table fee_schedules is 'A fee table per tenant, location or payer. Sensitivity: business.';
comment on column fee_schedules.payer_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
select kernel.record('fee_schedules');

-- The fee of one code
create table fee_schedule_items (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    fee_schedule_id uuid not null,
    catalog_id uuid,
    code_system text not null check (char_length(code_system) <= 300),
    code text not null check (char_length(code) <= 300),
    fee_minor bigint not null check (fee_minor >= 0),
    allowed_minor bigint,
    currency text not null check (char_length(currency) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, fee_schedule_id) references fee_schedules (tenant_id, id),
    foreign key (tenant_id, catalog_id) references procedure_catalog (tenant_id, id)
);
create unique index fee_schedule_items_fee_schedule_id_code_system_code_key on fee_schedule_items (tenant_id, fee_schedule_id, code_system, code) nulls not distinct where deleted_at is null;
create index fee_schedule_items_code_id_idx on fee_schedule_items (tenant_id, code, id);
create index fee_schedule_items_fee_schedule_id_idx on fee_schedule_items (tenant_id, fee_schedule_id);
create index fee_schedule_items_catalog_id_idx on fee_schedule_items (tenant_id, catalog_id);
create index fee_schedule_items_updated_at_id_idx on fee_schedule_items (tenant_id, updated_at, id);
comment on table fee_schedule_items is 'The fee of one code. Sensitivity: business.';
comment on column fee_schedule_items.fee_minor is 'unit: minor currency unit';
comment on column fee_schedule_items.allowed_minor is 'unit: minor currency unit';
select kernel.record('fee_schedule_items');

-- One eligibility question to a payer and its answer
create table eligibility_checks (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    policy_id uuid not null,
    provider_id uuid,
    service_date date not null,
    status text not null default 'QUEUED' check (status in ('QUEUED', 'SENT', 'ANSWERED', 'FAILED')),
    is_active boolean,
    benefits jsonb,
    reject_codes text[] not null default '{}',
    interchange_id uuid,
    answered_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, policy_id) references patient_insurance_policies (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
create index eligibility_checks_policy_id_service_date_idx on eligibility_checks (tenant_id, policy_id, service_date);
create index eligibility_checks_status_id_idx on eligibility_checks (tenant_id, status, id);
create index eligibility_checks_patient_id_idx on eligibility_checks (tenant_id, patient_id);
create index eligibility_checks_provider_id_idx on eligibility_checks (tenant_id, provider_id);
create index eligibility_checks_interchange_id_idx on eligibility_checks (tenant_id, interchange_id);
create index eligibility_checks_updated_at_id_idx on eligibility_checks (tenant_id, updated_at, id);
comment on table eligibility_checks is 'One eligibility question to a payer and its answer. Sensitivity: phi.';
select kernel.record('eligibility_checks');

-- Header of an insurance claim or pre-determination
create table claims (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    payer_tenant_id uuid not null,
    payer_id uuid not null,
    policy_id uuid not null,
    encounter_id uuid,
    claim_number text not null check (char_length(claim_number) <= 20),
    use text not null default 'CLAIM' check (use in ('CLAIM', 'PREDETERMINATION', 'PREAUTHORIZATION')),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'READY', 'SUBMITTED', 'ACCEPTED', 'REJECTED', 'PENDED', 'PARTIALLY_PAID', 'PAID', 'DENIED', 'APPEALED', 'VOIDED')),
    billing_provider_id uuid,
    rendering_provider_id uuid,
    location_id uuid,
    currency text not null check (char_length(currency) <= 300),
    total_billed_minor bigint not null default 0,
    total_allowed_minor bigint,
    total_paid_minor bigint,
    patient_responsibility_minor bigint,
    submitted_at timestamptz,
    adjudicated_at timestamptz,
    paid_at timestamptz,
    timely_filing_due_on date,
    payer_claim_number text check (char_length(payer_claim_number) <= 300),
    frequency_code text not null default 'ORIGINAL' check (frequency_code in ('ORIGINAL', 'REPLACEMENT', 'VOID')),
    original_claim_id uuid,
    prior_authorization_number text check (char_length(prior_authorization_number) <= 300),
    accident_date date,
    ortho_months_remaining integer,
    missing_teeth text[] not null default '{}' check (kernel.are_fdi(missing_teeth)),
    coverage_order text not null default 'PRIMARY' check (coverage_order in ('PRIMARY', 'SECONDARY', 'TERTIARY')),
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (payer_tenant_id, payer_id) references payers (tenant_id, id),
    constraint claims_payer_id_check2 check (payer_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001')),
    foreign key (tenant_id, policy_id) references patient_insurance_policies (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    foreign key (tenant_id, billing_provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, rendering_provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, original_claim_id) references claims (tenant_id, id)
);
create unique index claims_claim_number_key on claims (tenant_id, claim_number) nulls not distinct;
create index claims_status_submitted_at_idx on claims (tenant_id, status, submitted_at);
create index claims_submitted_at_id_idx on claims (tenant_id, submitted_at, id);
create index claims_created_at_id_idx on claims (tenant_id, created_at, id);
create index claims_patient_id_idx on claims (tenant_id, patient_id);
create index claims_payer_tenant_id_payer_id_idx on claims (tenant_id, payer_tenant_id, payer_id);
create index claims_policy_id_idx on claims (tenant_id, policy_id);
create index claims_encounter_id_idx on claims (tenant_id, encounter_id);
create index claims_billing_provider_id_idx on claims (tenant_id, billing_provider_id);
create index claims_rendering_provider_id_idx on claims (tenant_id, rendering_provider_id);
create index claims_location_id_idx on claims (tenant_id, location_id);
create index claims_original_claim_id_idx on claims (tenant_id, original_claim_id);
create index claims_updated_at_id_idx on claims (tenant_id, updated_at, id);
create index claims_payer_id_idx on claims (tenant_id, payer_id);
comment on table claims is 'Header of an insurance claim or pre-determination. Sensitivity: phi.';
comment on column claims.payer_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column claims.total_billed_minor is 'unit: minor currency unit';
comment on column claims.total_allowed_minor is 'unit: minor currency unit';
comment on column claims.total_paid_minor is 'unit: minor currency unit';
comment on column claims.patient_responsibility_minor is 'unit: minor currency unit';
select kernel.record('claims');

-- One billed service of a claim
create table claim_lines (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    claim_id uuid not null,
    patient_id uuid not null,
    procedure_id uuid,
    plan_item_id uuid,
    line_no integer not null check (line_no >= 1),
    code_system text not null check (char_length(code_system) <= 300),
    code text not null check (char_length(code) <= 300),
    code_version text check (char_length(code_version) <= 300),
    tooth_number text check (kernel.is_fdi(tooth_number)),
    surface text[] not null default '{}',
    oral_area text,
    service_date date,
    quantity integer not null default 1 check (quantity >= 1),
    diagnosis_pointers integer[] not null default '{}',
    prosthesis text check (prosthesis in ('INITIAL', 'REPLACEMENT')),
    prior_placement_date date,
    billed_minor bigint not null check (billed_minor >= 0),
    allowed_minor bigint,
    paid_minor bigint,
    adjustments jsonb not null default '[]',
    currency text not null check (char_length(currency) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    -- A bill is for what was done, a pre-determination for what is planned.
    constraint claim_lines_procedure_id_check check (num_nonnulls(procedure_id, plan_item_id) = 1),
    constraint claim_lines_oral_area_check check (
        oral_area in ('00', '01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '20', '30', '40')),
    foreign key (tenant_id, claim_id) references claims (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, procedure_id) references procedures (tenant_id, id),
    foreign key (tenant_id, plan_item_id) references treatment_plan_items (tenant_id, id)
);
create unique index claim_lines_claim_id_line_no_key on claim_lines (tenant_id, claim_id, line_no) nulls not distinct where deleted_at is null;
create index claim_lines_line_no_id_idx on claim_lines (tenant_id, line_no, id);
create index claim_lines_claim_id_idx on claim_lines (tenant_id, claim_id);
create index claim_lines_patient_id_idx on claim_lines (tenant_id, patient_id);
create index claim_lines_procedure_id_idx on claim_lines (tenant_id, procedure_id);
create index claim_lines_plan_item_id_idx on claim_lines (tenant_id, plan_item_id);
create index claim_lines_updated_at_id_idx on claim_lines (tenant_id, updated_at, id);
comment on table claim_lines is 'One billed service of a claim. Sensitivity: phi.';
comment on column claim_lines.billed_minor is 'unit: minor currency unit';
comment on column claim_lines.allowed_minor is 'unit: minor currency unit';
comment on column claim_lines.paid_minor is 'unit: minor currency unit';
select kernel.record('claim_lines', parent => 'claims', parent_column => 'claim_id');

-- Diagnoses a claim's lines point to
create table claim_diagnoses (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    claim_id uuid not null,
    patient_id uuid not null,
    sequence_no integer not null check (sequence_no between 1 and 12),
    code_system text not null check (char_length(code_system) <= 300),
    code text not null check (char_length(code) <= 300),
    code_version text check (char_length(code_version) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, claim_id) references claims (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index claim_diagnoses_claim_id_sequence_no_key on claim_diagnoses (tenant_id, claim_id, sequence_no) nulls not distinct where deleted_at is null;
create index claim_diagnoses_claim_id_idx on claim_diagnoses (tenant_id, claim_id);
create index claim_diagnoses_patient_id_idx on claim_diagnoses (tenant_id, patient_id);
create index claim_diagnoses_updated_at_id_idx on claim_diagnoses (tenant_id, updated_at, id);
comment on table claim_diagnoses is 'Diagnoses a claim''s lines point to. Sensitivity: phi.';
select kernel.record('claim_diagnoses', parent => 'claims', parent_column => 'claim_id');

-- Images, charts and letters sent with a claim
create table claim_attachments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    claim_id uuid not null,
    patient_id uuid not null,
    file_id uuid,
    document_id uuid,
    kind text not null check (kind in ('RADIOGRAPH', 'PERIO_CHART', 'EOB', 'PHOTO', 'NARRATIVE', 'OTHER')),
    control_number text check (char_length(control_number) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, claim_id) references claims (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id)
);
create index claim_attachments_claim_id_idx on claim_attachments (tenant_id, claim_id);
create index claim_attachments_patient_id_idx on claim_attachments (tenant_id, patient_id);
create index claim_attachments_file_id_idx on claim_attachments (tenant_id, file_id);
create index claim_attachments_document_id_idx on claim_attachments (tenant_id, document_id);
create index claim_attachments_updated_at_id_idx on claim_attachments (tenant_id, updated_at, id);
comment on table claim_attachments is 'Images, charts and letters sent with a claim. Sensitivity: phi.';
select kernel.record('claim_attachments');

-- What the payer or clearing house said, step by step
create table claim_status_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    claim_id uuid not null,
    patient_id uuid not null,
    from_status text check (char_length(from_status) <= 300),
    to_status text not null check (char_length(to_status) <= 300),
    source text not null check (source in ('STAFF', 'X12_999', 'X12_277', 'X12_835', 'FHIR', 'PORTAL', 'SYSTEM')),
    payer_code text check (char_length(payer_code) <= 300),
    message text check (char_length(message) <= 4000),
    amount_minor bigint,
    currency text check (char_length(currency) <= 300),
    interchange_id uuid,
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, claim_id) references claims (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index claim_status_events_occurred_at_id_idx on claim_status_events (tenant_id, occurred_at, id);
create index claim_status_events_claim_id_idx on claim_status_events (tenant_id, claim_id);
create index claim_status_events_patient_id_idx on claim_status_events (tenant_id, patient_id);
create index claim_status_events_interchange_id_idx on claim_status_events (tenant_id, interchange_id);
comment on table claim_status_events is 'What the payer or clearing house said, step by step. Sensitivity: phi.';
comment on column claim_status_events.amount_minor is 'unit: minor currency unit';
select kernel.record('claim_status_events');

-- A payment advice of a payer, balanced before posting
create table remittances (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    payer_tenant_id uuid not null,
    payer_id uuid not null,
    trace_number text not null check (char_length(trace_number) <= 300),
    payment_date date not null,
    payment_method text not null check (payment_method in ('ACH', 'CHECK', 'CARD', 'NON_PAYMENT')),
    amount_minor bigint not null,
    currency text not null check (char_length(currency) <= 300),
    status text not null default 'RECEIVED' check (status in ('RECEIVED', 'BALANCED', 'UNBALANCED', 'POSTED')),
    difference_minor bigint not null default 0,
    interchange_id uuid,
    posted_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (payer_tenant_id, payer_id) references payers (tenant_id, id),
    constraint remittances_payer_id_check2 check (payer_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create unique index remittances_payer_tenant_id_payer_id_trace_number_key on remittances (tenant_id, payer_tenant_id, payer_id, trace_number) nulls not distinct;
create index remittances_status_id_idx on remittances (tenant_id, status, id);
create index remittances_payment_date_id_idx on remittances (tenant_id, payment_date, id);
create index remittances_interchange_id_idx on remittances (tenant_id, interchange_id);
create index remittances_updated_at_id_idx on remittances (tenant_id, updated_at, id);
create index remittances_payer_id_idx on remittances (tenant_id, payer_id);
comment on table remittances is 'A payment advice of a payer, balanced before posting. Sensitivity: phi.';
comment on column remittances.payer_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column remittances.amount_minor is 'unit: minor currency unit';
comment on column remittances.difference_minor is 'unit: minor currency unit';
select kernel.record('remittances');

-- One claim or service line of a remittance
create table remittance_lines (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    remittance_id uuid not null,
    claim_id uuid,
    claim_line_id uuid,
    status_code text not null check (char_length(status_code) <= 300),
    billed_minor bigint not null,
    paid_minor bigint not null,
    patient_responsibility_minor bigint,
    adjustments jsonb not null default '[]',
    is_reversal boolean not null default false,
    currency text not null check (char_length(currency) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, remittance_id) references remittances (tenant_id, id),
    foreign key (tenant_id, claim_id) references claims (tenant_id, id),
    foreign key (tenant_id, claim_line_id) references claim_lines (tenant_id, id)
);
create index remittance_lines_remittance_id_idx on remittance_lines (tenant_id, remittance_id);
create index remittance_lines_claim_id_idx on remittance_lines (tenant_id, claim_id);
create index remittance_lines_claim_line_id_idx on remittance_lines (tenant_id, claim_line_id);
comment on table remittance_lines is 'One claim or service line of a remittance. Sensitivity: phi.';
comment on column remittance_lines.billed_minor is 'unit: minor currency unit';
comment on column remittance_lines.paid_minor is 'unit: minor currency unit';
comment on column remittance_lines.patient_responsibility_minor is 'unit: minor currency unit';
comment on column remittance_lines.adjustments is 'group, reason code, amount';
select kernel.record('remittance_lines');

-- A raw X12 file sent or received, kept encrypted
create table x12_interchanges (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    direction text not null check (direction in ('OUT', 'IN')),
    transaction_type text not null check (transaction_type in ('837D', '835', '270', '271', '276', '277', '277CA', '999', 'TA1')),
    partner text not null check (char_length(partner) <= 300),
    control_number text not null check (char_length(control_number) <= 300),
    integration_id uuid,
    file_id uuid,
    status text not null default 'QUEUED' check (status in ('QUEUED', 'SENT', 'RECEIVED', 'PARSED', 'ACKNOWLEDGED', 'REJECTED', 'FAILED')),
    error_details text check (char_length(error_details) <= 4000),
    related_interchange_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id),
    foreign key (tenant_id, related_interchange_id) references x12_interchanges (tenant_id, id)
);
create unique index x12_interchanges_direction_partner_control_number_key on x12_interchanges (tenant_id, direction, partner, control_number) nulls not distinct;
create index x12_interchanges_status_id_idx on x12_interchanges (tenant_id, status, id);
create index x12_interchanges_created_at_id_idx on x12_interchanges (tenant_id, created_at, id);
create index x12_interchanges_integration_id_idx on x12_interchanges (tenant_id, integration_id);
create index x12_interchanges_file_id_idx on x12_interchanges (tenant_id, file_id);
create index x12_interchanges_related_interchange_id_idx on x12_interchanges (tenant_id, related_interchange_id);
comment on table x12_interchanges is 'A raw X12 file sent or received, kept encrypted. Sensitivity: phi.';
select kernel.record('x12_interchanges');

-- References that waited for their target.
alter table treatment_plan_items add foreign key (tenant_id, fee_schedule_id) references fee_schedules (tenant_id, id);
alter table payments add foreign key (tenant_id, claim_id) references claims (tenant_id, id);
alter table eligibility_checks add foreign key (tenant_id, interchange_id) references x12_interchanges (tenant_id, id);
alter table claim_status_events add foreign key (tenant_id, interchange_id) references x12_interchanges (tenant_id, id);
alter table remittances add foreign key (tenant_id, interchange_id) references x12_interchanges (tenant_id, id);
