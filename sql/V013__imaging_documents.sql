-- V013  Devices and documents (catalogue §10). Expands only.

-- An imaging or other device of a location
create table devices (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    location_id uuid,
    equipment_tenant_id uuid,
    equipment_id uuid,
    name text not null check (char_length(name) <= 300),
    manufacturer text check (char_length(manufacturer) <= 300),
    model text check (char_length(model) <= 300),
    serial_number text check (char_length(serial_number) <= 300),
    ae_title text check (char_length(ae_title) <= 16),
    modality_code text check (char_length(modality_code) <= 300),
    installed_on date,
    calibration_due_on date,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'MAINTENANCE', 'RETIRED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (equipment_tenant_id, equipment_id) references equipment_reference (tenant_id, id),
    constraint devices_equipment_id_check2 check (equipment_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create unique index devices_serial_number_key on devices (tenant_id, serial_number) nulls not distinct where deleted_at is null and serial_number is not null;
create index devices_name_id_idx on devices (tenant_id, name, id);
create index devices_location_id_idx on devices (tenant_id, location_id);
create index devices_equipment_tenant_id_equipment_id_idx on devices (tenant_id, equipment_tenant_id, equipment_id);
create index devices_updated_at_id_idx on devices (tenant_id, updated_at, id);
create index devices_equipment_id_idx on devices (tenant_id, equipment_id);
comment on table devices is 'An imaging or other device of a location. Sensitivity: business.';
comment on column devices.equipment_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
select kernel.record('devices');

-- A consent form, report or other document with its owner and signature
create table documents (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    owner_type text not null check (owner_type in ('PATIENT', 'ENCOUNTER', 'CLAIM', 'TENANT')),
    owner_id uuid not null,
    patient_id uuid,
    document_type text not null check (char_length(document_type) <= 300),
    title text not null check (char_length(title) <= 300),
    file_id uuid not null,
    hash text not null check (char_length(hash) <= 300),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'FINAL', 'SIGNED', 'ENTERED_IN_ERROR')),
    signed_at timestamptz,
    signer_id uuid references users (id),
    signer_name text check (char_length(signer_name) <= 300),
    signature_method text check (signature_method in ('ELECTRONIC', 'PAPER', 'QUALIFIED')),
    visibility text not null default 'PATIENT' check (visibility in ('PATIENT', 'STAFF')),
    retain_until date,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id)
);
create index documents_owner_type_owner_id_idx on documents (tenant_id, owner_type, owner_id);
create index documents_status_id_idx on documents (tenant_id, status, id);
create index documents_created_at_id_idx on documents (tenant_id, created_at, id);
create index documents_patient_id_idx on documents (tenant_id, patient_id);
create index documents_file_id_idx on documents (tenant_id, file_id);
create index documents_signer_id_idx on documents (tenant_id, signer_id);
create index documents_updated_at_id_idx on documents (tenant_id, updated_at, id);
create index documents_owner_id_idx on documents (tenant_id, owner_id);
comment on table documents is 'A consent form, report or other document with its owner and signature. Sensitivity: phi.';
select kernel.record('documents');

-- References that waited for their target.
alter table patient_proxies add foreign key (tenant_id, evidence_document_id) references documents (tenant_id, id);
alter table imaging_studies add foreign key (tenant_id, performing_device_id) references devices (tenant_id, id);
alter table clinic_certifications add foreign key (tenant_id, document_id) references documents (tenant_id, id);
