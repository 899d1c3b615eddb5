-- V015  Encounters, notes, conditions, medication, allergies (catalogue §9). Expands only.

create extension if not exists btree_gin;

-- The surfaces that exist on a tooth, in writing order; src/charting/surface.rs holds the same (a test compares).
create function kernel.surfaces_of(fdi text) returns text[] language sql immutable strict parallel safe as $$
    select case when right(fdi, 1) <= '3' then array['M', 'I', 'D', 'F', 'L', 'F5', 'R']
                else array['M', 'O', 'D', 'B', 'L', 'B5', 'R'] end $$;
-- Surfaces of that tooth, each once, in writing order. Without a tooth there are none.
create function kernel.are_surfaces(fdi text, surfaces text[]) returns boolean language sql immutable parallel safe as $$
    select coalesce(surfaces, '{}') = array(
        select known from unnest(kernel.surfaces_of(fdi)) with ordinality k(known, place) where known = any (surfaces) order by place) $$;

-- A clinical visit
create table encounters (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    location_id uuid not null,
    provider_id uuid not null,
    appointment_id uuid,
    scheduled_start_at timestamptz,
    check_in_at timestamptz,
    check_out_at timestamptz constraint encounters_check_out_at_check2 check (check_out_at >= check_in_at),
    encounter_type text not null check (encounter_type in ('EXAM', 'EMERGENCY', 'HYGIENE', 'ORTHO', 'IMPLANT', 'TEACHING', 'CONSULTATION')),
    status text not null default 'SCHEDULED' check (status in ('SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'NO_SHOW')),
    chief_complaint text check (char_length(chief_complaint) <= 300),
    reason text check (char_length(reason) <= 4000),
    supervising_provider_id uuid,
    cancel_reason text check (char_length(cancel_reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id),
    foreign key (tenant_id, supervising_provider_id) references providers (tenant_id, id)
);
create unique index encounters_appointment_id_key on encounters (tenant_id, appointment_id) nulls not distinct where appointment_id is not null and status not in ('CANCELLED', 'NO_SHOW');
create index encounters_patient_id_scheduled_start_at_idx on encounters (tenant_id, patient_id, scheduled_start_at);
create index encounters_status_check_in_at_idx on encounters (tenant_id, status, check_in_at);
create index encounters_scheduled_start_at_id_idx on encounters (tenant_id, scheduled_start_at, id);
create index encounters_created_at_id_idx on encounters (tenant_id, created_at, id);
create index encounters_location_id_idx on encounters (tenant_id, location_id);
create index encounters_provider_id_idx on encounters (tenant_id, provider_id);
create index encounters_appointment_id_idx on encounters (tenant_id, appointment_id);
create index encounters_supervising_provider_id_idx on encounters (tenant_id, supervising_provider_id);
create index encounters_updated_at_id_idx on encounters (tenant_id, updated_at, id);
create index encounters_check_in_at_idx on encounters (tenant_id, check_in_at);
comment on table encounters is 'A clinical visit. Sensitivity: phi.';
comment on column encounters.appointment_id is 'null for a walk-in or emergency';
comment on column encounters.chief_complaint is 'sensitivity: phi';
comment on column encounters.supervising_provider_id is 'for TEACHING';
select kernel.record('encounters');

-- A mark on an image by a person or a model
create table image_annotations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    imaging_object_id uuid not null,
    patient_id uuid not null,
    source_type text not null check (source_type in ('AI', 'USER')),
    author_user_id uuid references users (id),
    model_version_id uuid,
    annotation_type text not null check (annotation_type in ('BOUNDING_BOX', 'MASK', 'MEASUREMENT', 'LABEL', 'POLYLINE', 'POINTS')),
    geometry jsonb not null,
    frame_index integer,
    label_code_system text check (char_length(label_code_system) <= 300),
    label_code text check (char_length(label_code) <= 300),
    fdi_tooth text check (kernel.is_fdi(fdi_tooth)),
    surfaces text[] not null default '{}',
    measurement_value double precision,
    measurement_unit text check (char_length(measurement_unit) <= 300),
    confidence double precision check (confidence between 0 and 1),
    version_no integer not null default 1,
    supersedes_id uuid,
    is_current boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint image_annotations_author_user_id_check2 check ((source_type = 'AI') = (author_user_id is null)),
    constraint image_annotations_surfaces_check check (kernel.are_surfaces(fdi_tooth, surfaces)),
    constraint image_annotations_confidence_check2 check (confidence is null or source_type = 'AI'),
    foreign key (tenant_id, imaging_object_id) references imaging_objects (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, supersedes_id) references image_annotations (tenant_id, id)
);
create index image_annotations_label_code_idx on image_annotations (tenant_id, label_code);
create index image_annotations_imaging_object_id_idx on image_annotations (tenant_id, imaging_object_id);
create index image_annotations_patient_id_idx on image_annotations (tenant_id, patient_id);
create index image_annotations_author_user_id_idx on image_annotations (tenant_id, author_user_id);
create index image_annotations_model_version_id_idx on image_annotations (tenant_id, model_version_id);
create unique index image_annotations_supersedes_id_key on image_annotations (tenant_id, supersedes_id) where supersedes_id is not null and deleted_at is null;
create index image_annotations_supersedes_id_idx on image_annotations (tenant_id, supersedes_id);
create index image_annotations_updated_at_id_idx on image_annotations (tenant_id, updated_at, id);
comment on table image_annotations is 'A mark on an image by a person or a model. Sensitivity: phi.';
comment on column image_annotations.label_code is 'maps to code_values';
select kernel.record('image_annotations');

-- Diagnosis codes of a visit
create table encounter_diagnoses (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    encounter_id uuid not null,
    patient_id uuid not null,
    condition_id uuid,
    code_system text not null check (char_length(code_system) <= 300),
    code text not null check (char_length(code) <= 300),
    code_version text check (char_length(code_version) <= 300),
    display text check (char_length(display) <= 300),
    rank integer not null default 1 check (rank >= 1),
    fdi_tooth text check (kernel.is_fdi(fdi_tooth)),
    surfaces text[],
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint encounter_diagnoses_surfaces_check check (kernel.are_surfaces(fdi_tooth, surfaces)),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index encounter_diagnoses_encounter_id_code_system_code_fd_key on encounter_diagnoses (tenant_id, encounter_id, code_system, code, fdi_tooth) nulls not distinct where deleted_at is null;
create index encounter_diagnoses_rank_id_idx on encounter_diagnoses (tenant_id, rank, id);
create index encounter_diagnoses_encounter_id_idx on encounter_diagnoses (tenant_id, encounter_id);
create index encounter_diagnoses_patient_id_idx on encounter_diagnoses (tenant_id, patient_id);
create index encounter_diagnoses_condition_id_idx on encounter_diagnoses (tenant_id, condition_id);
create index encounter_diagnoses_updated_at_id_idx on encounter_diagnoses (tenant_id, updated_at, id);
create index encounter_diagnoses_code_idx on encounter_diagnoses (tenant_id, code);
comment on table encounter_diagnoses is 'Diagnosis codes of a visit. Sensitivity: phi.';
comment on column encounter_diagnoses.notes is 'sensitivity: phi';
select kernel.record('encounter_diagnoses', parent => 'encounters', parent_column => 'encounter_id');

-- A signed or draft note of a visit
create table clinical_notes (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    encounter_id uuid not null,
    patient_id uuid not null,
    author_id uuid not null references users (id),
    note_type text not null check (note_type in ('SOAP', 'RADIOLOGY_REPORT', 'OP_NOTE', 'PROGRESS', 'CONSULT', 'FREE_TEXT')),
    title text check (char_length(title) <= 300),
    content text not null check (char_length(content) <= 20000),
    content_format text not null default 'MARKDOWN' check (content_format in ('TEXT', 'MARKDOWN')),
    soap jsonb,
    template_id uuid,
    visibility text not null default 'PATIENT' check (visibility in ('PATIENT', 'STAFF')),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'SIGNED', 'AMENDED', 'ENTERED_IN_ERROR')),
    signed_at timestamptz,
    signed_by uuid references users (id),
    signature_hash text check (char_length(signature_hash) <= 300),
    amended_at timestamptz,
    cosigned_at timestamptz,
    cosigned_by uuid references users (id),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint clinical_notes_signed_at_check2 check (status in ('DRAFT', 'ENTERED_IN_ERROR')
        or num_nulls(signed_at, signed_by, signature_hash) = 0),
    constraint clinical_notes_cosigned_by_check2 check ((cosigned_at is null) = (cosigned_by is null)),
    constraint clinical_notes_soap_check check (soap is null or note_type = 'SOAP' and jsonb_typeof(soap) = 'object'
        and soap - array['subjective', 'objective', 'assessment', 'plan'] = '{}'),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
-- Words of a tenant's notes; reached through sec.search_notes, because text search is not leakproof.
create index clinical_notes_words_idx on clinical_notes using gin (tenant_id, to_tsvector('simple', kernel.fold(content)));
create index clinical_notes_patient_id_created_at_idx on clinical_notes (tenant_id, patient_id, created_at);
create index clinical_notes_status_id_idx on clinical_notes (tenant_id, status, id);
create index clinical_notes_created_at_id_idx on clinical_notes (tenant_id, created_at, id);
create index clinical_notes_signed_at_id_idx on clinical_notes (tenant_id, signed_at, id);
create index clinical_notes_encounter_id_idx on clinical_notes (tenant_id, encounter_id);
create index clinical_notes_author_id_idx on clinical_notes (tenant_id, author_id);
create index clinical_notes_template_id_idx on clinical_notes (tenant_id, template_id);
create index clinical_notes_signed_by_idx on clinical_notes (tenant_id, signed_by);
create index clinical_notes_cosigned_by_idx on clinical_notes (tenant_id, cosigned_by);
create index clinical_notes_updated_at_id_idx on clinical_notes (tenant_id, updated_at, id);
comment on table clinical_notes is 'A signed or draft note of a visit. Sensitivity: phi.';
comment on column clinical_notes.content is 'sensitivity: phi';
comment on column clinical_notes.soap is 'subjective, objective, assessment, plan when note_type is SOAP';
select kernel.record('clinical_notes');

-- Amendments of a signed note, in order
create table clinical_note_amendments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    note_id uuid not null,
    patient_id uuid not null,
    amendment_no integer not null check (amendment_no >= 1),
    content text not null check (char_length(content) <= 20000),
    reason text not null check (char_length(reason) <= 4000),
    author_id uuid not null references users (id),
    signed_at timestamptz not null,
    is_patient_visible boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, note_id) references clinical_notes (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index clinical_note_amendments_note_id_amendment_no_key on clinical_note_amendments (tenant_id, note_id, amendment_no) nulls not distinct;
create index clinical_note_amendments_patient_id_idx on clinical_note_amendments (tenant_id, patient_id);
create index clinical_note_amendments_author_id_idx on clinical_note_amendments (tenant_id, author_id);
comment on table clinical_note_amendments is 'Amendments of a signed note, in order. Sensitivity: phi.';
comment on column clinical_note_amendments.content is 'sensitivity: phi';
comment on column clinical_note_amendments.is_patient_visible is 'visibility of the note, by trigger';
select kernel.record('clinical_note_amendments');

-- Time-stamped vital signs of a visit
create table vital_signs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    encounter_id uuid not null,
    measured_at timestamptz not null,
    systolic_mmhg integer check (systolic_mmhg between 40 and 320),
    diastolic_mmhg integer check (diastolic_mmhg between 20 and 220),
    heart_rate_bpm integer check (heart_rate_bpm between 20 and 300),
    respiratory_rate integer,
    temperature_c double precision check (temperature_c between 30 and 45),
    spo2_percent integer check (spo2_percent between 50 and 100),
    height_cm double precision check (height_cm > 0),
    weight_kg double precision check (weight_kg > 0),
    bmi double precision generated always as (round((weight_kg / (height_cm / 100 * height_cm / 100))::numeric, 1)::double precision) stored,
    blood_glucose_mg_dl integer,
    pain_score integer check (pain_score between 0 and 10),
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint vital_signs_diastolic_mmhg_check2 check (diastolic_mmhg < systolic_mmhg),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id)
);
create index vital_signs_patient_id_measured_at_idx on vital_signs (tenant_id, patient_id, measured_at);
create index vital_signs_measured_at_id_idx on vital_signs (tenant_id, measured_at, id);
create index vital_signs_encounter_id_idx on vital_signs (tenant_id, encounter_id);
create index vital_signs_updated_at_id_idx on vital_signs (tenant_id, updated_at, id);
comment on table vital_signs is 'Time-stamped vital signs of a visit. Sensitivity: phi.';
comment on column vital_signs.systolic_mmhg is 'unit: mmHg';
comment on column vital_signs.diastolic_mmhg is 'unit: mmHg';
comment on column vital_signs.heart_rate_bpm is 'unit: /min';
comment on column vital_signs.respiratory_rate is 'unit: /min';
comment on column vital_signs.temperature_c is 'unit: Cel';
comment on column vital_signs.spo2_percent is 'unit: %';
comment on column vital_signs.height_cm is 'unit: cm';
comment on column vital_signs.weight_kg is 'unit: kg';
comment on column vital_signs.bmi is 'unit: kg/m2';
comment on column vital_signs.blood_glucose_mg_dl is 'unit: mg/dL';
comment on column vital_signs.notes is 'sensitivity: phi';
select kernel.record('vital_signs');

-- Active and past diagnoses of a patient
create table patient_conditions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    code_system text not null check (char_length(code_system) <= 300),
    code text check (char_length(code) <= 300),
    code_version text check (char_length(code_version) <= 300),
    display text not null check (char_length(display) <= 300),
    clinical_status text not null default 'ACTIVE' check (clinical_status in ('ACTIVE', 'INACTIVE', 'RESOLVED', 'REMISSION')),
    verification_status text not null default 'CONFIRMED' check (verification_status in ('UNCONFIRMED', 'PROVISIONAL', 'CONFIRMED', 'REFUTED', 'ENTERED_IN_ERROR')),
    category text not null default 'MEDICAL' check (category in ('MEDICAL', 'DENTAL')),
    severity text check (severity in ('MILD', 'MODERATE', 'SEVERE')),
    fdi_tooth text check (kernel.is_fdi(fdi_tooth)),
    surfaces text[],
    onset_date date,
    abatement_date date constraint patient_conditions_abatement_date_check2 check (abatement_date >= onset_date),
    recorder_id uuid references users (id),
    is_alert boolean not null default false,
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint patient_conditions_surfaces_check check (kernel.are_surfaces(fdi_tooth, surfaces)),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index patient_conditions_patient_id_clinical_status_idx on patient_conditions (tenant_id, patient_id, clinical_status);
create index patient_conditions_onset_date_id_idx on patient_conditions (tenant_id, onset_date, id);
create index patient_conditions_recorder_id_idx on patient_conditions (tenant_id, recorder_id);
create index patient_conditions_updated_at_id_idx on patient_conditions (tenant_id, updated_at, id);
create index patient_conditions_code_idx on patient_conditions (tenant_id, code);
comment on table patient_conditions is 'Active and past diagnoses of a patient. Sensitivity: phi.';
comment on column patient_conditions.display is 'sensitivity: phi';
comment on column patient_conditions.is_alert is 'shown on every chart screen';
comment on column patient_conditions.notes is 'sensitivity: phi';
select kernel.record('patient_conditions');

-- Current and past medication
create table patient_medications (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    drug_tenant_id uuid,
    drug_id uuid,
    name text not null check (char_length(name) <= 300),
    code_system text check (char_length(code_system) <= 300),
    code text check (char_length(code) <= 300),
    dosage text check (char_length(dosage) <= 300),
    route text check (char_length(route) <= 300),
    frequency text check (char_length(frequency) <= 300),
    start_date date,
    stop_date date constraint patient_medications_stop_date_check2 check (stop_date >= start_date),
    prescriber_id uuid,
    prescriber_name text check (char_length(prescriber_name) <= 300),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'STOPPED', 'ON_HOLD', 'COMPLETED', 'ENTERED_IN_ERROR')),
    is_prescribed_here boolean not null default false,
    encounter_id uuid,
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (drug_tenant_id, drug_id) references drug_reference (tenant_id, id),
    constraint patient_medications_drug_id_check2 check (drug_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001')),
    foreign key (tenant_id, prescriber_id) references providers (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id)
);
create index patient_medications_patient_id_status_idx on patient_medications (tenant_id, patient_id, status);
create index patient_medications_start_date_id_idx on patient_medications (tenant_id, start_date, id);
create index patient_medications_drug_tenant_id_drug_id_idx on patient_medications (tenant_id, drug_tenant_id, drug_id);
create index patient_medications_prescriber_id_idx on patient_medications (tenant_id, prescriber_id);
create index patient_medications_encounter_id_idx on patient_medications (tenant_id, encounter_id);
create index patient_medications_updated_at_id_idx on patient_medications (tenant_id, updated_at, id);
create index patient_medications_drug_id_idx on patient_medications (tenant_id, drug_id);
comment on table patient_medications is 'Current and past medication. Sensitivity: phi.';
comment on column patient_medications.drug_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column patient_medications.name is 'sensitivity: phi';
comment on column patient_medications.notes is 'sensitivity: phi';
select kernel.record('patient_medications');

-- Allergies and adverse reactions
create table patient_allergies (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    category text not null check (category in ('DRUG', 'MATERIAL', 'OTHER')),
    substance text not null check (char_length(substance) <= 300),
    code_system text check (char_length(code_system) <= 300),
    code text check (char_length(code) <= 300),
    drug_tenant_id uuid,
    drug_id uuid,
    material_tenant_id uuid,
    material_id uuid,
    reaction text check (char_length(reaction) <= 300),
    severity text check (severity in ('MILD', 'MODERATE', 'SEVERE')),
    criticality text check (criticality in ('LOW', 'HIGH', 'UNABLE_TO_ASSESS')),
    clinical_status text not null default 'ACTIVE' check (clinical_status in ('ACTIVE', 'INACTIVE', 'RESOLVED')),
    verification_status text not null default 'UNCONFIRMED' check (verification_status in ('UNCONFIRMED', 'CONFIRMED', 'REFUTED', 'ENTERED_IN_ERROR')),
    onset_date date,
    no_known_allergies boolean not null default false,
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (drug_tenant_id, drug_id) references drug_reference (tenant_id, id),
    constraint patient_allergies_drug_id_check2 check (drug_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001')),
    foreign key (material_tenant_id, material_id) references material_reference (tenant_id, id),
    constraint patient_allergies_material_id_check2 check (material_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create index patient_allergies_patient_id_clinical_status_idx on patient_allergies (tenant_id, patient_id, clinical_status);
create index patient_allergies_drug_tenant_id_drug_id_idx on patient_allergies (tenant_id, drug_tenant_id, drug_id);
create index patient_allergies_material_tenant_id_material_id_idx on patient_allergies (tenant_id, material_tenant_id, material_id);
create index patient_allergies_updated_at_id_idx on patient_allergies (tenant_id, updated_at, id);
create index patient_allergies_drug_id_idx on patient_allergies (tenant_id, drug_id);
create index patient_allergies_material_id_idx on patient_allergies (tenant_id, material_id);
comment on table patient_allergies is 'Allergies and adverse reactions. Sensitivity: phi.';
comment on column patient_allergies.substance is 'sensitivity: phi';
comment on column patient_allergies.drug_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column patient_allergies.material_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column patient_allergies.reaction is 'sensitivity: phi';
comment on column patient_allergies.notes is 'sensitivity: phi';
select kernel.record('patient_allergies');

-- Smoking, alcohol and habits that matter
create table patient_social_history (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    topic text not null check (topic in ('SMOKING', 'ALCOHOL', 'BRUXISM', 'DIET', 'ORAL_HYGIENE', 'DRUGS', 'OTHER')),
    status text not null check (status in ('CURRENT', 'FORMER', 'NEVER', 'UNKNOWN')),
    value_text text check (char_length(value_text) <= 4000),
    quantity double precision,
    quantity_unit text check (char_length(quantity_unit) <= 300),
    code_system text check (char_length(code_system) <= 300),
    code text check (char_length(code) <= 300),
    start_date date,
    end_date date,
    recorded_at timestamptz not null,
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
create index patient_social_history_patient_id_recorded_at_idx on patient_social_history (tenant_id, patient_id, recorded_at);
create index patient_social_history_recorded_at_id_idx on patient_social_history (tenant_id, recorded_at, id);
create index patient_social_history_updated_at_id_idx on patient_social_history (tenant_id, updated_at, id);
comment on table patient_social_history is 'Smoking, alcohol and habits that matter. Sensitivity: phi.';
comment on column patient_social_history.value_text is 'sensitivity: phi';
select kernel.record('patient_social_history');

-- A narrative entry: diagnosis, treatment and attachments
create table medical_records (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    provider_id uuid not null,
    record_date date not null,
    diagnosis_enc bytea,
    treatment_enc bytea,
    template_id uuid,
    encounter_id uuid,
    condition_id uuid,
    procedure_id uuid,
    clinical_note_id uuid,
    visibility text not null default 'PATIENT' check (visibility in ('PATIENT', 'STAFF')),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'FINAL', 'ENTERED_IN_ERROR')),
    signed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint medical_records_signed_at_check2 check (status <> 'FINAL' or signed_at is not null),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    foreign key (tenant_id, condition_id) references patient_conditions (tenant_id, id),
    foreign key (tenant_id, clinical_note_id) references clinical_notes (tenant_id, id)
);
create index medical_records_patient_id_record_date_idx on medical_records (tenant_id, patient_id, record_date);
create index medical_records_status_id_idx on medical_records (tenant_id, status, id);
create index medical_records_record_date_id_idx on medical_records (tenant_id, record_date, id);
create index medical_records_provider_id_idx on medical_records (tenant_id, provider_id);
create index medical_records_template_id_idx on medical_records (tenant_id, template_id);
create index medical_records_encounter_id_idx on medical_records (tenant_id, encounter_id);
create index medical_records_condition_id_idx on medical_records (tenant_id, condition_id);
create index medical_records_procedure_id_idx on medical_records (tenant_id, procedure_id);
create index medical_records_clinical_note_id_idx on medical_records (tenant_id, clinical_note_id);
create index medical_records_updated_at_id_idx on medical_records (tenant_id, updated_at, id);
comment on table medical_records is 'A narrative entry: diagnosis, treatment and attachments. Sensitivity: phi.';
comment on column medical_records.diagnosis_enc is 'sensitivity: phi; encrypted with the tenant''s column key';
comment on column medical_records.treatment_enc is 'sensitivity: phi; encrypted with the tenant''s column key';
select kernel.record('medical_records');

-- Files attached to a narrative entry
create table medical_record_files (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    medical_record_id uuid not null,
    patient_id uuid not null,
    file_id uuid not null,
    caption text check (char_length(caption) <= 300),
    is_patient_visible boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, medical_record_id) references medical_records (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id)
);
create unique index medical_record_files_medical_record_id_file_id_key on medical_record_files (tenant_id, medical_record_id, file_id) nulls not distinct where deleted_at is null;
create index medical_record_files_medical_record_id_idx on medical_record_files (tenant_id, medical_record_id);
create index medical_record_files_patient_id_idx on medical_record_files (tenant_id, patient_id);
create index medical_record_files_file_id_idx on medical_record_files (tenant_id, file_id);
create index medical_record_files_updated_at_id_idx on medical_record_files (tenant_id, updated_at, id);
comment on table medical_record_files is 'Files attached to a narrative entry. Sensitivity: phi.';
comment on column medical_record_files.is_patient_visible is 'visibility of the record, by trigger';
select kernel.record('medical_record_files', parent => 'medical_records', parent_column => 'medical_record_id');

-- Reusable document texts
create table templates (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    provider_id uuid,
    template_name text not null check (char_length(template_name) <= 200),
    content text not null check (char_length(content) <= 20000),
    content_format text not null default 'MARKDOWN' check (content_format in ('HTML', 'MARKDOWN')),
    template_type text not null check (char_length(template_type) <= 50),
    is_global boolean not null default false,
    locale text not null default 'en' check (char_length(locale) <= 300),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint templates_provider_id_check check (is_global or provider_id is not null),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
create index templates_template_name_id_idx on templates (tenant_id, template_name, id);
create index templates_template_type_idx on templates (tenant_id, template_type);
create index templates_provider_id_idx on templates (tenant_id, provider_id);
create index templates_updated_at_id_idx on templates (tenant_id, updated_at, id);
comment on table templates is 'Reusable document texts. Sensitivity: business.';
comment on column templates.content_format is 'HTML is cleaned by an allow-list';
comment on column templates.is_global is 'available to all providers of the tenant';
select kernel.record('templates');

-- References that waited for their target.
alter table imaging_studies add foreign key (tenant_id, encounter_id) references encounters (tenant_id, id);
alter table encounter_diagnoses add foreign key (tenant_id, condition_id) references patient_conditions (tenant_id, id);
alter table clinical_notes add foreign key (tenant_id, template_id) references templates (tenant_id, id);
alter table medical_records add foreign key (tenant_id, template_id) references templates (tenant_id, id);
