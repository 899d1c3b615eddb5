-- V017  Treatment plans, quotes, bookings, procedures, payments (catalogue §8). Expands only.

-- An offer of treatment to a patient, with per-item acceptance and revisions
create table treatment_plans (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    created_by_id uuid references users (id),
    created_by_party text not null check (created_by_party in ('PATIENT', 'CLINIC')),
    title text check (char_length(title) <= 300),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'PRESENTED', 'ACCEPTED', 'DECLINED', 'PARTIALLY_ACCEPTED', 'IN_TREATMENT', 'COMPLETED', 'CANCELLED', 'SUPERSEDED')),
    provider_id uuid,
    location_id uuid,
    currency text not null check (char_length(currency) <= 300),
    total_estimated_cost_minor bigint not null default 0,
    estimated_insurance_coverage_minor bigint not null default 0,
    estimated_patient_portion_minor bigint not null default 0,
    notes text check (char_length(notes) <= 4000),
    internal_notes text check (char_length(internal_notes) <= 4000),
    visible_to_patient boolean not null generated always as (status <> 'DRAFT' or created_by_party = 'PATIENT') stored,
    revision_no integer not null default 1,
    presented_revision_no integer,
    accepted_revision_no integer,
    source_quote_id uuid,
    supersedes_id uuid,
    consultation_appointment_id uuid,
    presented_at timestamptz,
    accepted_at timestamptz,
    declined_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    expires_on date,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, supersedes_id) references treatment_plans (tenant_id, id),
    foreign key (tenant_id, consultation_appointment_id) references appointments (tenant_id, id)
);
create index treatment_plans_patient_id_status_idx on treatment_plans (tenant_id, patient_id, status);
create index treatment_plans_status_updated_at_idx on treatment_plans (tenant_id, status, updated_at);
create index treatment_plans_updated_at_id_idx on treatment_plans (tenant_id, updated_at, id);
create index treatment_plans_created_at_id_idx on treatment_plans (tenant_id, created_at, id);
create index treatment_plans_created_by_id_idx on treatment_plans (tenant_id, created_by_id);
create index treatment_plans_provider_id_idx on treatment_plans (tenant_id, provider_id);
create index treatment_plans_location_id_idx on treatment_plans (tenant_id, location_id);
create index treatment_plans_supersedes_id_idx on treatment_plans (tenant_id, supersedes_id);
-- One open revision at a time.
create unique index treatment_plans_supersedes_id_key on treatment_plans (tenant_id, supersedes_id) where supersedes_id is not null and status <> 'CANCELLED';
create index treatment_plans_consultation_appointment_id_idx on treatment_plans (tenant_id, consultation_appointment_id);
comment on table treatment_plans is 'An offer of treatment to a patient, with per-item acceptance and revisions. Sensitivity: phi.';
comment on column treatment_plans.total_estimated_cost_minor is 'sum of the items, checked; unit: minor currency unit';
comment on column treatment_plans.estimated_insurance_coverage_minor is 'unit: minor currency unit';
comment on column treatment_plans.estimated_patient_portion_minor is 'unit: minor currency unit';
comment on column treatment_plans.notes is 'visibility PATIENT; sensitivity: phi';
comment on column treatment_plans.internal_notes is 'notes with visibility STAFF; sensitivity: phi';
comment on column treatment_plans.source_quote_id is 'quote in the operator''s tenant';
select kernel.record('treatment_plans');

-- A planned procedure of a plan
create table treatment_plan_items (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    plan_id uuid not null,
    patient_id uuid not null,
    catalog_id uuid,
    code_system text not null check (char_length(code_system) <= 300),
    cdt_code text check (char_length(cdt_code) <= 300),
    code_version text check (char_length(code_version) <= 300),
    description text not null check (char_length(description) <= 4000),
    tooth_number text check (kernel.is_fdi(tooth_number)),
    tooth_system text check (tooth_system in ('FDI', 'UNIVERSAL', 'PALMER')),
    oral_area text check (oral_area in ('00', '01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '20', '30', '40')),
    surface text[] not null default '{}',
    phase integer not null default 1 check (phase between 1 and 9),
    sequence_order integer not null default 1,
    quantity integer not null default 1 check (quantity >= 1),
    option_group text check (char_length(option_group) <= 300),
    depends_on_item_id uuid,
    currency text not null check (char_length(currency) <= 300),
    estimated_fee_minor bigint not null check (estimated_fee_minor >= 0),
    estimated_write_off_minor bigint not null default 0 check (estimated_write_off_minor >= 0),
    estimated_insurance_minor bigint not null default 0 check (estimated_insurance_minor >= 0),
    estimated_patient_portion_minor bigint not null default 0 check (estimated_patient_portion_minor >= 0),
    estimate_trace jsonb,
    fee_schedule_id uuid,
    provider_id uuid,
    status text not null default 'PROPOSED' check (status in ('PROPOSED', 'ACCEPTED', 'DECLINED', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED')),
    accepted_at timestamptz,
    accepted_by uuid references users (id),
    acceptance_method text check (acceptance_method in ('PORTAL', 'IN_CLINIC', 'PAPER', 'PHONE')),
    signature_document_id uuid,
    clinic_treatment_id uuid,
    notes text check (char_length(notes) <= 4000),
    visible_to_patient boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint treatment_plan_items_oral_area_check2 check (num_nonnulls(tooth_number, oral_area) <= 1),
    constraint treatment_plan_items_estimated_fee_minor_check2 check (
        estimated_write_off_minor + estimated_insurance_minor + estimated_patient_portion_minor <= estimated_fee_minor),
    foreign key (tenant_id, plan_id) references treatment_plans (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, catalog_id) references procedure_catalog (tenant_id, id),
    foreign key (tenant_id, depends_on_item_id) references treatment_plan_items (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, signature_document_id) references documents (tenant_id, id),
    foreign key (tenant_id, clinic_treatment_id) references clinic_treatments (tenant_id, id)
);
create unique index treatment_plan_items_plan_id_phase_sequence_order_key on treatment_plan_items (tenant_id, plan_id, phase, sequence_order) nulls not distinct where deleted_at is null;
create unique index treatment_plan_items_plan_id_option_group_key on treatment_plan_items (tenant_id, plan_id, option_group) nulls not distinct where status in ('ACCEPTED','SCHEDULED','IN_PROGRESS','COMPLETED') and option_group is not null;
create index treatment_plan_items_status_id_idx on treatment_plan_items (tenant_id, status, id);
create index treatment_plan_items_phase_id_idx on treatment_plan_items (tenant_id, phase, id);
create index treatment_plan_items_sequence_order_id_idx on treatment_plan_items (tenant_id, sequence_order, id);
create index treatment_plan_items_plan_id_idx on treatment_plan_items (tenant_id, plan_id);
create index treatment_plan_items_patient_id_idx on treatment_plan_items (tenant_id, patient_id);
create index treatment_plan_items_catalog_id_idx on treatment_plan_items (tenant_id, catalog_id);
create index treatment_plan_items_depends_on_item_id_idx on treatment_plan_items (tenant_id, depends_on_item_id);
create index treatment_plan_items_fee_schedule_id_idx on treatment_plan_items (tenant_id, fee_schedule_id);
create index treatment_plan_items_provider_id_idx on treatment_plan_items (tenant_id, provider_id);
create index treatment_plan_items_accepted_by_idx on treatment_plan_items (tenant_id, accepted_by);
create index treatment_plan_items_signature_document_id_idx on treatment_plan_items (tenant_id, signature_document_id);
create index treatment_plan_items_clinic_treatment_id_idx on treatment_plan_items (tenant_id, clinic_treatment_id);
create index treatment_plan_items_updated_at_id_idx on treatment_plan_items (tenant_id, updated_at, id);
create index treatment_plan_items_cdt_code_idx on treatment_plan_items (tenant_id, cdt_code);
comment on table treatment_plan_items is 'A planned procedure of a plan. Sensitivity: phi.';
comment on column treatment_plan_items.cdt_code is 'procedure code; the name is kept from the source text, any code system is allowed';
comment on column treatment_plan_items.surface is 'sorted surfaces';
comment on column treatment_plan_items.option_group is 'alternatives; at most one accepted per group';
comment on column treatment_plan_items.estimated_fee_minor is 'unit: minor currency unit';
comment on column treatment_plan_items.estimated_write_off_minor is 'unit: minor currency unit';
comment on column treatment_plan_items.estimated_insurance_minor is 'unit: minor currency unit';
comment on column treatment_plan_items.estimated_patient_portion_minor is 'unit: minor currency unit';
comment on column treatment_plan_items.visible_to_patient is 'kept equal to the plan''s by trigger';
select kernel.record('treatment_plan_items', parent => 'treatment_plans', parent_column => 'plan_id');

-- A frozen revision of a plan as the patient saw it
create table treatment_plan_revisions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    plan_id uuid not null,
    patient_id uuid not null,
    revision_no integer not null check (revision_no >= 1),
    content jsonb not null,
    content_hash text not null check (char_length(content_hash) <= 300),
    document_id uuid,
    change_summary text check (char_length(change_summary) <= 300),
    presented_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, plan_id) references treatment_plans (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id)
);
create unique index treatment_plan_revisions_plan_id_revision_no_key on treatment_plan_revisions (tenant_id, plan_id, revision_no) nulls not distinct;
create index treatment_plan_revisions_revision_no_id_idx on treatment_plan_revisions (tenant_id, revision_no, id);
create index treatment_plan_revisions_patient_id_idx on treatment_plan_revisions (tenant_id, patient_id);
-- What has no document yet, whosever it is.
create index treatment_plan_revisions_presented_at_idx on treatment_plan_revisions (presented_at) where document_id is null;
create index treatment_plan_revisions_document_id_idx on treatment_plan_revisions (tenant_id, document_id);
comment on table treatment_plan_revisions is 'A frozen revision of a plan as the patient saw it. Sensitivity: phi.';
select kernel.record('treatment_plan_revisions');

-- A quote a patient builds on a portal and submits to a clinic with consent
create table quotes (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    clinic_tenant_id uuid not null references tenants (id),
    items jsonb not null default '[]',
    patient_notes text check (char_length(patient_notes) <= 4000),
    currency text not null check (char_length(currency) <= 300),
    estimated_total_minor bigint,
    consent_id uuid,
    status text not null default 'BUILDING' check (status in ('BUILDING', 'SUBMITTED', 'WITHDRAWN', 'EXPIRED', 'PLANNED')),
    submitted_at timestamptz,
    clinic_patient_id uuid,
    clinic_plan_id uuid,
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint quotes_consent_id_check check (consent_id is not null or status in ('BUILDING', 'WITHDRAWN', 'EXPIRED')),
    constraint quotes_items_check check (jsonb_typeof(items) = 'array'),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, consent_id) references consents (tenant_id, id)
);
-- A plan in another tenant names its quote by id alone.
create index quotes_id_idx on quotes using hash (id);
create index quotes_status_id_idx on quotes (tenant_id, status, id);
create index quotes_submitted_at_id_idx on quotes (tenant_id, submitted_at, id);
create index quotes_patient_id_idx on quotes (tenant_id, patient_id);
create index quotes_clinic_tenant_id_idx on quotes (tenant_id, clinic_tenant_id);
create index quotes_consent_id_idx on quotes (tenant_id, consent_id);
comment on table quotes is 'A quote a patient builds on a portal and submits to a clinic with consent. Sensitivity: phi.';
comment on column quotes.clinic_tenant_id is 'the chosen clinic; may be this tenant itself';
comment on column quotes.items is 'selected treatments and packages';
comment on column quotes.patient_notes is 'sensitivity: phi';
comment on column quotes.estimated_total_minor is 'unit: minor currency unit';
comment on column quotes.clinic_patient_id is 'patient row made in the clinic''s tenant';
comment on column quotes.clinic_plan_id is 'treatment plan made in the clinic''s tenant';
select kernel.record('quotes');

-- What happened to the plan at the clinic, told back to the operator and the patient
create table quote_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    quote_id uuid not null,
    patient_id uuid not null,
    event_type text not null check (event_type in ('PLAN_CREATED', 'PLAN_CHANGED', 'PLAN_PRESENTED', 'PLAN_ACCEPTED', 'PLAN_DECLINED', 'PAYMENT', 'BOOKING_CONFIRMED', 'IN_TREATMENT', 'COMPLETED', 'CANCELLED')),
    plan_status text check (char_length(plan_status) <= 300),
    changed_fields text[] not null default '{}',
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, quote_id) references quotes (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index quote_events_occurred_at_id_idx on quote_events (tenant_id, occurred_at, id);
create index quote_events_quote_id_idx on quote_events (tenant_id, quote_id);
create index quote_events_patient_id_idx on quote_events (tenant_id, patient_id);
comment on table quote_events is 'What happened to the plan at the clinic, told back to the operator and the patient. Sensitivity: phi.';
comment on column quote_events.changed_fields is 'names, no values of clinical fields';
select kernel.record('quote_events');

-- The patient's commitment to a clinic: deposit and confirmation; opens contact details and documents
create table bookings (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    plan_id uuid,
    appointment_id uuid,
    operator_tenant_id uuid references tenants (id),
    source_quote_id uuid,
    deposit_status text not null default 'PENDING' check (deposit_status in ('NOT_REQUIRED', 'PENDING', 'PAID', 'REFUNDED', 'FAILED')),
    deposit_amount_minor bigint,
    currency text not null check (char_length(currency) <= 300),
    status text not null default 'PENDING' check (status in ('PENDING', 'CONFIRMED', 'CANCELLED', 'COMPLETED')),
    confirmed_at timestamptz,
    cancelled_at timestamptz,
    cancel_reason text check (char_length(cancel_reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, plan_id) references treatment_plans (tenant_id, id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id)
);
create index bookings_status_id_idx on bookings (tenant_id, status, id);
create index bookings_confirmed_at_id_idx on bookings (tenant_id, confirmed_at, id);
create index bookings_patient_id_idx on bookings (tenant_id, patient_id);
create index bookings_plan_id_idx on bookings (tenant_id, plan_id);
create index bookings_appointment_id_idx on bookings (tenant_id, appointment_id);
create index bookings_operator_tenant_id_idx on bookings (tenant_id, operator_tenant_id);
comment on table bookings is 'The patient''s commitment to a clinic: deposit and confirmation; opens contact details and documents. Sensitivity: phi.';
comment on column bookings.operator_tenant_id is 'marketplace operator, when the quote came from one';
comment on column bookings.deposit_amount_minor is 'unit: minor currency unit';
select kernel.record('bookings');

-- A performed or scheduled clinical service
create table procedures (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    encounter_id uuid,
    provider_id uuid,
    catalog_id uuid,
    code_system text not null check (char_length(code_system) <= 300),
    cdt_code text check (char_length(cdt_code) <= 300),
    code_version text check (char_length(code_version) <= 300),
    description text not null check (char_length(description) <= 4000),
    tooth_number text check (kernel.is_fdi(tooth_number)),
    tooth_system text check (tooth_system in ('FDI', 'UNIVERSAL', 'PALMER')),
    oral_area text check (char_length(oral_area) <= 300),
    surface text[] not null default '{}',
    start_at timestamptz,
    end_at timestamptz constraint procedures_end_at_check2 check (end_at >= start_at),
    status text not null default 'PLANNED' check (status in ('PLANNED', 'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'ENTERED_IN_ERROR')),
    quantity integer not null default 1,
    fee_minor bigint,
    currency text not null check (char_length(currency) <= 300),
    anesthesia text check (char_length(anesthesia) <= 300),
    notes text check (char_length(notes) <= 4000),
    status_reason text check (char_length(status_reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint procedures_encounter_id_check2 check (encounter_id is not null or status not in ('IN_PROGRESS', 'COMPLETED')),
    constraint procedures_provider_id_check2 check (provider_id is not null or status <> 'COMPLETED'),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, catalog_id) references procedure_catalog (tenant_id, id)
);
create index procedures_patient_id_start_at_idx on procedures (tenant_id, patient_id, start_at);
create index procedures_cdt_code_idx on procedures (tenant_id, cdt_code);
create index procedures_status_id_idx on procedures (tenant_id, status, id);
create index procedures_start_at_id_idx on procedures (tenant_id, start_at, id);
create index procedures_encounter_id_idx on procedures (tenant_id, encounter_id);
create index procedures_provider_id_idx on procedures (tenant_id, provider_id);
create index procedures_catalog_id_idx on procedures (tenant_id, catalog_id);
create index procedures_updated_at_id_idx on procedures (tenant_id, updated_at, id);
comment on table procedures is 'A performed or scheduled clinical service. Sensitivity: phi.';
comment on column procedures.fee_minor is 'unit: minor currency unit';
comment on column procedures.notes is 'sensitivity: phi';
select kernel.record('procedures');

-- Which procedures carried out which plan items
create table plan_item_procedures (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    plan_item_id uuid not null,
    procedure_id uuid not null,
    patient_id uuid not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, plan_item_id) references treatment_plan_items (tenant_id, id),
    foreign key (tenant_id, procedure_id) references procedures (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index plan_item_procedures_plan_item_id_procedure_id_key on plan_item_procedures (tenant_id, plan_item_id, procedure_id) nulls not distinct where deleted_at is null;
create unique index plan_item_procedures_procedure_id_key on plan_item_procedures (tenant_id, procedure_id) nulls not distinct where deleted_at is null;
create index plan_item_procedures_plan_item_id_idx on plan_item_procedures (tenant_id, plan_item_id);
create index plan_item_procedures_procedure_id_idx on plan_item_procedures (tenant_id, procedure_id);
create index plan_item_procedures_patient_id_idx on plan_item_procedures (tenant_id, patient_id);
create index plan_item_procedures_updated_at_id_idx on plan_item_procedures (tenant_id, updated_at, id);
comment on table plan_item_procedures is 'Which procedures carried out which plan items. Sensitivity: phi.';
select kernel.record('plan_item_procedures');

-- Materials used in a procedure
create table procedure_materials (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    procedure_id uuid not null,
    patient_id uuid not null,
    material_tenant_id uuid,
    material_id uuid,
    description text check (char_length(description) <= 4000),
    quantity double precision check (quantity > 0),
    unit text check (char_length(unit) <= 300),
    lot_number text check (char_length(lot_number) <= 300),
    serial_number text check (char_length(serial_number) <= 300),
    udi text check (char_length(udi) <= 300),
    expires_on date,
    shade text check (char_length(shade) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, procedure_id) references procedures (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (material_tenant_id, material_id) references material_reference (tenant_id, id),
    constraint procedure_materials_material_id_check2 check (material_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create index procedure_materials_lot_number_idx on procedure_materials (tenant_id, lot_number);
create index procedure_materials_procedure_id_idx on procedure_materials (tenant_id, procedure_id);
create index procedure_materials_patient_id_idx on procedure_materials (tenant_id, patient_id);
create index procedure_materials_material_tenant_id_material_id_idx on procedure_materials (tenant_id, material_tenant_id, material_id);
create index procedure_materials_updated_at_id_idx on procedure_materials (tenant_id, updated_at, id);
create index procedure_materials_material_id_idx on procedure_materials (tenant_id, material_id);
comment on table procedure_materials is 'Materials used in a procedure. Sensitivity: phi.';
comment on column procedure_materials.material_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
select kernel.record('procedure_materials');

-- Follow-up result of a procedure or visit
create table clinical_outcomes (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    procedure_id uuid,
    encounter_id uuid,
    assessed_at timestamptz not null,
    days_since integer,
    outcome text not null check (outcome in ('SUCCESS', 'PARTIAL', 'FAILURE', 'UNKNOWN')),
    is_success boolean,
    score double precision,
    score_scale text check (char_length(score_scale) <= 300),
    complications text[] not null default '{}',
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint clinical_outcomes_procedure_id_check check (num_nonnulls(procedure_id, encounter_id) >= 1),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, procedure_id) references procedures (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id)
);
create index clinical_outcomes_assessed_at_id_idx on clinical_outcomes (tenant_id, assessed_at, id);
create index clinical_outcomes_patient_id_idx on clinical_outcomes (tenant_id, patient_id);
create index clinical_outcomes_procedure_id_idx on clinical_outcomes (tenant_id, procedure_id);
create index clinical_outcomes_encounter_id_idx on clinical_outcomes (tenant_id, encounter_id);
create index clinical_outcomes_updated_at_id_idx on clinical_outcomes (tenant_id, updated_at, id);
comment on table clinical_outcomes is 'Follow-up result of a procedure or visit. Sensitivity: phi.';
comment on column clinical_outcomes.notes is 'sensitivity: phi';
select kernel.record('clinical_outcomes');

-- A gateway token of a patient's payment method: brand, last four, expiry
create table payment_methods (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    gateway text not null check (char_length(gateway) <= 300),
    gateway_customer_token_enc bytea,
    gateway_method_token_enc bytea not null,
    brand text check (char_length(brand) <= 300),
    last4 text check (last4 ~ '^[0-9]{4}$'),
    expires_month integer,
    expires_year integer,
    is_default boolean not null default false,
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
create unique index payment_methods_patient_id_key on payment_methods (tenant_id, patient_id) nulls not distinct where is_default and deleted_at is null;
create index payment_methods_patient_id_idx on payment_methods (tenant_id, patient_id);
comment on table payment_methods is 'A gateway token of a patient''s payment method: brand, last four, expiry. Sensitivity: pii.';
comment on column payment_methods.gateway_customer_token_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
comment on column payment_methods.gateway_method_token_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
select kernel.record('payment_methods');

-- A patient's payment; card data never reach the server
create table payments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    plan_id uuid,
    booking_id uuid,
    claim_id uuid,
    purpose text not null check (purpose in ('DEPOSIT', 'PLAN', 'INSTALMENT', 'BALANCE', 'COPAY', 'OTHER')),
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (char_length(currency) <= 300),
    status text not null default 'PENDING' check (status in ('PENDING', 'REQUIRES_ACTION', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED')),
    method text not null default 'CARD' check (method in ('CARD', 'BANK_TRANSFER', 'CASH', 'CHECK', 'WALLET', 'INSURANCE', 'OTHER')),
    payment_method_id uuid,
    gateway text check (char_length(gateway) <= 300),
    gateway_payment_id text check (char_length(gateway_payment_id) <= 300),
    idempotency_key text not null check (char_length(idempotency_key) <= 300),
    refunded_minor bigint not null default 0 check (refunded_minor >= 0),
    plan_revision_no integer,
    failure_code text check (char_length(failure_code) <= 300),
    paid_at timestamptz,
    receipt_document_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint payments_refunded_minor_check2 check (refunded_minor <= amount_minor),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, plan_id) references treatment_plans (tenant_id, id),
    foreign key (tenant_id, booking_id) references bookings (tenant_id, id),
    foreign key (tenant_id, payment_method_id) references payment_methods (tenant_id, id),
    foreign key (tenant_id, receipt_document_id) references documents (tenant_id, id)
);
create unique index payments_idempotency_key_key on payments (tenant_id, idempotency_key) nulls not distinct;
create index payments_status_created_at_idx on payments (tenant_id, status, created_at);
create index payments_paid_at_id_idx on payments (tenant_id, paid_at, id);
create index payments_created_at_id_idx on payments (tenant_id, created_at, id);
create index payments_patient_id_idx on payments (tenant_id, patient_id);
create index payments_plan_id_idx on payments (tenant_id, plan_id);
create index payments_booking_id_idx on payments (tenant_id, booking_id);
create index payments_claim_id_idx on payments (tenant_id, claim_id);
create index payments_payment_method_id_idx on payments (tenant_id, payment_method_id);
create index payments_receipt_document_id_idx on payments (tenant_id, receipt_document_id);
create index payments_updated_at_id_idx on payments (tenant_id, updated_at, id);
comment on table payments is 'A patient''s payment; card data never reach the server. Sensitivity: phi.';
comment on column payments.amount_minor is 'unit: minor currency unit';
comment on column payments.gateway_payment_id is 'sensitivity: secret';
comment on column payments.refunded_minor is 'unit: minor currency unit';
select kernel.record('payments');

-- What the gateway said about a payment, in order of arrival
create table payment_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    payment_id uuid not null,
    gateway_event_id text not null check (char_length(gateway_event_id) <= 300),
    event_type text not null check (event_type in ('CREATED', 'REQUIRES_ACTION', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'REFUNDED', 'DISPUTE_OPENED', 'DISPUTE_CLOSED', 'UNKNOWN')),
    amount_minor bigint,
    currency text check (char_length(currency) <= 300),
    payload_enc bytea,
    received_at timestamptz not null,
    processed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, payment_id) references payments (tenant_id, id)
);
create unique index payment_events_gateway_event_id_key on payment_events (tenant_id, gateway_event_id) nulls not distinct;
create index payment_events_received_at_id_idx on payment_events (tenant_id, received_at, id);
create index payment_events_payment_id_idx on payment_events (tenant_id, payment_id);
comment on table payment_events is 'What the gateway said about a payment, in order of arrival. Sensitivity: phi.';
comment on column payment_events.amount_minor is 'unit: minor currency unit';
comment on column payment_events.payload_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
select kernel.record('payment_events');

-- References that waited for their target.
alter table files add foreign key (tenant_id, plan_id) references treatment_plans (tenant_id, id);
alter table clinic_reviews add foreign key (tenant_id, booking_id) references bookings (tenant_id, id);
alter table appointment_procedures add foreign key (tenant_id, plan_item_id) references treatment_plan_items (tenant_id, id);
alter table medical_records add foreign key (tenant_id, procedure_id) references procedures (tenant_id, id);
alter table chart_entries add foreign key (tenant_id, procedure_id) references procedures (tenant_id, id);
alter table chart_entries add foreign key (tenant_id, plan_item_id) references treatment_plan_items (tenant_id, id);
