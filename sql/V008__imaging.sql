-- V008  File registry, imaging studies, series and objects (catalogue §10). Expands only.

-- One registry of stored blobs
create table files (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid,
    plan_id uuid,
    kind text not null check (kind in ('XRAY', 'CT_SCAN', 'PHOTO', 'MEDICAL_RECORD', 'DOCUMENT', 'NOTE', 'DICOM', 'MODEL_3D', 'VIDEO', 'OTHER')),
    file_name text not null check (char_length(file_name) <= 300),
    file_type text not null check (char_length(file_type) <= 300),
    file_size bigint not null check (file_size >= 0),
    sha256 text check (char_length(sha256) <= 300),
    storage_key text not null check (char_length(storage_key) <= 300),
    storage_region text not null check (char_length(storage_region) <= 300),
    encryption_key_id uuid,
    status text not null default 'PENDING' check (status in ('PENDING', 'SCANNING', 'READY', 'QUARANTINED', 'DELETED')),
    scan_result text check (char_length(scan_result) <= 300),
    uploaded_at timestamptz,
    uploaded_by_party text not null default 'STAFF' check (uploaded_by_party in ('STAFF', 'PATIENT', 'PUBLIC', 'SYSTEM')),
    source text check (char_length(source) <= 300),
    purge_after date,
    is_patient_visible boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encryption_key_id) references encryption_keys (tenant_id, id),
    -- A row can only point into its own tenant's part of the store.
    constraint files_storage_key_check2 check (starts_with(storage_key, tenant_id::text || '/'))
);
create unique index files_storage_key_key on files (tenant_id, storage_key) nulls not distinct where deleted_at is null;
create index files_sha256_idx on files (tenant_id, sha256);
create index files_status_id_idx on files (tenant_id, status, id);
create index files_uploaded_at_id_idx on files (tenant_id, uploaded_at, id);
create index files_created_at_id_idx on files (tenant_id, created_at, id);
create index files_patient_id_idx on files (tenant_id, patient_id);
create index files_plan_id_idx on files (tenant_id, plan_id);
create index files_encryption_key_id_idx on files (tenant_id, encryption_key_id);
comment on table files is 'One registry of stored blobs. Sensitivity: phi.';
comment on column files.file_name is 'shown to people, never part of the key; sensitivity: pii';
comment on column files.file_size is 'unit: bytes';
comment on column files.storage_key is 'sensitivity: secret';
comment on column files.encryption_key_id is 'sensitivity: secret';
comment on column files.is_patient_visible is 'false for attachments of staff-only notes and internal files';
select kernel.record('files');

-- An imaging study of a patient
create table imaging_studies (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    encounter_id uuid,
    study_uid text not null check (study_uid ~ '^[0-9.]{1,64}$'),
    modality text not null check (modality in ('INTRAORAL', 'PANORAMIC', 'CBCT', 'CT', 'PHOTO', 'VIDEO', 'CEPHALOMETRIC', 'SURFACE_SCAN', 'OTHER')),
    modality_code text not null check (char_length(modality_code) <= 300),
    body_part text check (char_length(body_part) <= 300),
    fdi_teeth text[] not null default '{}' check (kernel.are_fdi(fdi_teeth)),
    acquisition_datetime timestamptz,
    referring_provider_id uuid,
    performing_device_id uuid,
    source_system text check (char_length(source_system) <= 300),
    accession_number text check (char_length(accession_number) <= 300),
    description text check (char_length(description) <= 4000),
    status text not null default 'REGISTERED' check (status in ('REGISTERED', 'AVAILABLE', 'QUARANTINED', 'CANCELLED')),
    series_count integer not null default 0,
    object_count integer not null default 0,
    radiation_dose_json jsonb,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, referring_provider_id) references providers (tenant_id, id)
);
create unique index imaging_studies_study_uid_key on imaging_studies (tenant_id, study_uid) nulls not distinct where deleted_at is null;
create index imaging_studies_patient_id_acquisition_datetime_idx on imaging_studies (tenant_id, patient_id, acquisition_datetime);
create index imaging_studies_status_id_idx on imaging_studies (tenant_id, status, id);
create index imaging_studies_acquisition_datetime_id_idx on imaging_studies (tenant_id, acquisition_datetime, id);
create index imaging_studies_encounter_id_idx on imaging_studies (tenant_id, encounter_id);
create index imaging_studies_referring_provider_id_idx on imaging_studies (tenant_id, referring_provider_id);
create index imaging_studies_performing_device_id_idx on imaging_studies (tenant_id, performing_device_id);
create index imaging_studies_updated_at_id_idx on imaging_studies (tenant_id, updated_at, id);
comment on table imaging_studies is 'An imaging study of a patient. Sensitivity: phi.';
comment on column imaging_studies.study_uid is 'DICOM study UID; made for non-DICOM studies too';
comment on column imaging_studies.modality_code is 'IO, PX, CT, XC, ES, DX, OSS';
comment on column imaging_studies.source_system is 'identifier of the practice system, record system or PACS';
select kernel.record('imaging_studies');

-- A series of a study
create table imaging_series (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    study_id uuid not null,
    patient_id uuid not null,
    series_uid text not null check (char_length(series_uid) <= 300),
    modality_code text not null check (char_length(modality_code) <= 300),
    series_number integer,
    description text check (char_length(description) <= 4000),
    body_part text check (char_length(body_part) <= 300),
    laterality text check (laterality in ('LEFT', 'RIGHT', 'BOTH')),
    object_count integer not null default 0,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, study_id) references imaging_studies (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index imaging_series_series_uid_key on imaging_series (tenant_id, series_uid) nulls not distinct;
create index imaging_series_study_id_idx on imaging_series (tenant_id, study_id);
create index imaging_series_patient_id_idx on imaging_series (tenant_id, patient_id);
comment on table imaging_series is 'A series of a study. Sensitivity: phi.';
select kernel.record('imaging_series');

-- One image, volume, model or video
create table imaging_objects (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    study_id uuid not null,
    series_id uuid,
    patient_id uuid not null,
    file_id uuid not null,
    sop_instance_uid text check (char_length(sop_instance_uid) <= 300),
    sop_class_uid text check (char_length(sop_class_uid) <= 300),
    transfer_syntax_uid text check (char_length(transfer_syntax_uid) <= 300),
    object_type text not null check (object_type in ('DICOM', 'JPEG', 'PNG', 'STL', 'MP4', 'PDF', 'OBJ')),
    hash text not null check (char_length(hash) <= 300),
    byte_size bigint not null check (byte_size >= 0),
    width integer,
    height integer,
    depth_slices integer,
    frame_count integer,
    pixel_spacing_mm double precision,
    is_calibrated boolean not null default false,
    is_original boolean not null default true,
    derived_from_id uuid,
    processing_pipeline jsonb,
    fdi_teeth text[] not null default '{}' check (kernel.are_fdi(fdi_teeth)),
    conformance_warnings text[] not null default '{}',
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, study_id) references imaging_studies (tenant_id, id),
    foreign key (tenant_id, series_id) references imaging_series (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id),
    foreign key (tenant_id, derived_from_id) references imaging_objects (tenant_id, id)
);
create unique index imaging_objects_sop_instance_uid_key on imaging_objects (tenant_id, sop_instance_uid) nulls not distinct where sop_instance_uid is not null;
create index imaging_objects_study_id_idx on imaging_objects (tenant_id, study_id);
create index imaging_objects_series_id_idx on imaging_objects (tenant_id, series_id);
create index imaging_objects_patient_id_idx on imaging_objects (tenant_id, patient_id);
create index imaging_objects_file_id_idx on imaging_objects (tenant_id, file_id);
create index imaging_objects_derived_from_id_idx on imaging_objects (tenant_id, derived_from_id);
comment on table imaging_objects is 'One image, volume, model or video. Sensitivity: phi.';
comment on column imaging_objects.hash is 'SHA-256';
comment on column imaging_objects.byte_size is 'unit: bytes';
comment on column imaging_objects.width is 'unit: px';
comment on column imaging_objects.height is 'unit: px';
comment on column imaging_objects.pixel_spacing_mm is 'unit: mm';
select kernel.record('imaging_objects');

alter table tenant_branding add foreign key (tenant_id, logo_file_id) references files (tenant_id, id);
alter table tenant_branding add foreign key (tenant_id, logo_dark_file_id) references files (tenant_id, id);
alter table tenant_branding add foreign key (tenant_id, favicon_file_id) references files (tenant_id, id);
alter table providers add foreign key (tenant_id, photo_file_id) references files (tenant_id, id);
alter table patient_insurance_policies add foreign key (tenant_id, card_file_id) references files (tenant_id, id);
