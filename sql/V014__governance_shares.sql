-- V014  Consents given, shares of a record, agreements with processors (catalogue §3). Expands only.

-- A consent or agreement of a patient, provider or tenant
create table consents (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    subject_type text not null check (subject_type in ('PATIENT', 'PROVIDER', 'TENANT')),
    subject_id uuid not null,
    patient_id uuid,
    consent_type text not null check (consent_type in ('AI_ANALYSIS', 'RESEARCH', 'DATA_SHARING', 'MARKETING', 'TREATMENT_PLANNING', 'DATA_STORAGE')),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'REVOKED', 'EXPIRED')),
    scope jsonb not null default '{}',
    recipient_tenant_id uuid references tenants (id),
    consent_text_tenant_id uuid,
    consent_text_id uuid,
    text_snapshot text not null check (char_length(text_snapshot) <= 20000),
    text_version integer not null,
    text_locale text not null check (char_length(text_locale) <= 300),
    granted_at timestamptz not null,
    granted_by uuid references users (id),
    revoked_at timestamptz,
    expires_at timestamptz,
    renewed_from_id uuid,
    source text not null check (source in ('PORTAL', 'IN_CLINIC', 'PAPER_SCAN')),
    document_id uuid,
    evidence jsonb not null default '{}',
    related_type text check (char_length(related_type) <= 300),
    related_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    check ((subject_type = 'PATIENT') = (patient_id is not null)),
    check (patient_id is null or patient_id = subject_id),
    constraint consents_expires_at_check check (expires_at > granted_at),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (consent_text_tenant_id, consent_text_id) references consent_texts (tenant_id, id),
    check (consent_text_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001')),
    foreign key (tenant_id, renewed_from_id) references consents (tenant_id, id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id)
);
create index consents_subject_type_subject_id_idx on consents (tenant_id, subject_type, subject_id);
create index consents_patient_id_consent_type_idx on consents (tenant_id, patient_id, consent_type);
create index consents_expires_at_idx on consents (tenant_id, expires_at);
create index consents_status_id_idx on consents (tenant_id, status, id);
create index consents_granted_at_id_idx on consents (tenant_id, granted_at, id);
create index consents_recipient_tenant_id_idx on consents (tenant_id, recipient_tenant_id);
create index consents_consent_text_tenant_id_consent_text_id_idx on consents (tenant_id, consent_text_tenant_id, consent_text_id);
create index consents_granted_by_idx on consents (tenant_id, granted_by);
create index consents_renewed_from_id_idx on consents (tenant_id, renewed_from_id);
create unique index consents_renewed_from_id_key on consents (tenant_id, renewed_from_id) nulls not distinct where renewed_from_id is not null;
create index consents_document_id_idx on consents (tenant_id, document_id);
create index consents_updated_at_id_idx on consents (tenant_id, updated_at, id);
create index consents_subject_id_idx on consents (tenant_id, subject_id);
create index consents_consent_text_id_idx on consents (tenant_id, consent_text_id);
comment on table consents is 'A consent or agreement of a patient, provider or tenant. Sensitivity: phi.';
comment on column consents.scope is 'entities covered';
comment on column consents.recipient_tenant_id is 'chosen clinic of a sharing consent';
comment on column consents.consent_text_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column consents.text_snapshot is 'exact words shown';
comment on column consents.granted_by is 'patient, guardian or staff for paper';
comment on column consents.evidence is 'time, address, agent of the tick';
select kernel.record('consents');

-- A live view of one patient's chart for another tenant, for a time
create table record_shares (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    grantee_tenant_id uuid not null references tenants (id),
    permissions text[] not null,
    consent_id uuid,
    valid_from timestamptz not null,
    valid_until timestamptz not null check (valid_until > valid_from),
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, consent_id) references consents (tenant_id, id)
);
create index record_shares_id_grantee_tenant_id_idx on record_shares (id, grantee_tenant_id);
create index record_shares_valid_until_id_idx on record_shares (tenant_id, valid_until, id);
create index record_shares_patient_id_idx on record_shares (tenant_id, patient_id);
create index record_shares_grantee_tenant_id_idx on record_shares (tenant_id, grantee_tenant_id);
create index record_shares_consent_id_idx on record_shares (tenant_id, consent_id);
create index record_shares_updated_at_id_idx on record_shares (tenant_id, updated_at, id);
comment on table record_shares is 'A live view of one patient''s chart for another tenant, for a time. Sensitivity: phi.';
select kernel.record('record_shares');

-- Register of processors with their agreements
create table processor_agreements (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    processor_name text not null check (char_length(processor_name) <= 300),
    kind text not null check (kind in ('BAA', 'DPA', 'SUBPROCESSOR', 'TRANSFER')),
    purpose text not null check (char_length(purpose) <= 2000),
    region text not null check (char_length(region) <= 300),
    signed_on date,
    expires_on date,
    document_id uuid,
    status text not null default 'DRAFT' check (status in ('DRAFT', 'SIGNED', 'EXPIRED', 'TERMINATED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id),
    constraint processor_agreements_signed_on_check check (signed_on is not null or status = 'DRAFT'),
    constraint processor_agreements_expires_on_check check (expires_on > signed_on)
);
create index processor_agreements_processor_name_id_idx on processor_agreements (tenant_id, processor_name, id);
create index processor_agreements_status_id_idx on processor_agreements (tenant_id, status, id);
create index processor_agreements_document_id_idx on processor_agreements (tenant_id, document_id);
comment on table processor_agreements is 'Register of processors with their agreements. Sensitivity: business.';
select kernel.record('processor_agreements');

-- Permission for another clinic to have a patient's document, made when a booking is confirmed
create table document_grants (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    file_id uuid not null,
    document_id uuid,
    grantee_tenant_id uuid not null references tenants (id),
    booking_id uuid,
    consent_id uuid,
    reason text not null default 'BOOKING_CONFIRMED' check (reason in ('BOOKING_CONFIRMED', 'PATIENT_SHARED', 'REFERRAL')),
    granted_at timestamptz not null,
    revoked_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id),
    foreign key (tenant_id, consent_id) references consents (tenant_id, id)
);
create unique index document_grants_file_id_grantee_tenant_id_key on document_grants (tenant_id, file_id, grantee_tenant_id) nulls not distinct where revoked_at is null;
create index document_grants_granted_at_id_idx on document_grants (tenant_id, granted_at, id);
create index document_grants_patient_id_idx on document_grants (tenant_id, patient_id);
create index document_grants_file_id_idx on document_grants (tenant_id, file_id);
create index document_grants_document_id_idx on document_grants (tenant_id, document_id);
create index document_grants_grantee_tenant_id_idx on document_grants (tenant_id, grantee_tenant_id);
create index document_grants_consent_id_idx on document_grants (tenant_id, consent_id);
create index document_grants_updated_at_id_idx on document_grants (tenant_id, updated_at, id);
comment on table document_grants is 'Permission for another clinic to have a patient''s document, made when a booking is confirmed. Sensitivity: phi.';
comment on column document_grants.booking_id is 'booking in the clinic''s tenant';
select kernel.record('document_grants');

-- A key to a share, for whoever holds it
create table share_links (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    share_id uuid not null,
    token_hash bytea not null,
    asks_birth_date boolean not null default true,
    uses_max integer not null default 1 check (uses_max between 1 and 100),
    uses integer not null default 0,
    failures integer not null default 0,
    last_used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, share_id) references record_shares (tenant_id, id)
);
create index share_links_token_hash_idx on share_links (token_hash);
create index share_links_share_id_idx on share_links (tenant_id, share_id);
comment on table share_links is 'A key to a share, for whoever holds it. Sensitivity: secret.';
comment on column share_links.token_hash is 'SHA-256; the token is shown once; sensitivity: secret';
comment on column share_links.failures is 'wrong birth dates; five close the link';
select kernel.record('share_links');

-- What a link has opened, until it closes
create table share_visits (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    link_id uuid not null,
    token_hash bytea not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, link_id) references share_links (tenant_id, id)
);
create index share_visits_token_hash_idx on share_visits (token_hash);
create index share_visits_link_id_idx on share_visits (tenant_id, link_id);
comment on table share_visits is 'What a link has opened, until it closes. Sensitivity: secret.';
comment on column share_visits.token_hash is 'SHA-256; sensitivity: secret';
select kernel.record('share_visits');
