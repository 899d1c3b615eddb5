-- V019  Referrals, public referral links and what comes in through them (catalogue §12). Expands only.

-- A patient sent to or received from another practice, or a second opinion
create table referrals (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    referral_type text not null check (referral_type in ('INCOMING', 'OUTGOING')),
    purpose text not null default 'REFERRAL' check (purpose in ('REFERRAL', 'SECOND_OPINION')),
    contact_id uuid,
    recipient_tenant_id uuid references tenants (id),
    sender_tenant_id uuid references tenants (id),
    sender_clinic_name text check (char_length(sender_clinic_name) <= 300),
    sender_clinic_email text check (char_length(sender_clinic_email) <= 300),
    sender_clinic_phone text check (char_length(sender_clinic_phone) <= 300),
    referring_dentist text check (char_length(referring_dentist) <= 300),
    referring_provider_id uuid,
    assigned_provider_id uuid,
    patient_id uuid,
    patient_name text not null check (char_length(patient_name) <= 300),
    patient_dob date not null,
    patient_phone text check (char_length(patient_phone) <= 300),
    patient_email text check (char_length(patient_email) <= 300),
    reason text not null check (char_length(reason) <= 4000),
    fdi_teeth text[] not null default '{}' check (kernel.are_fdi(fdi_teeth)),
    specialty text check (char_length(specialty) <= 300),
    urgency text not null default 'ROUTINE' check (urgency in ('ROUTINE', 'URGENT', 'EMERGENCY')),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'SENT', 'ACCEPTED', 'REJECTED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED')),
    notes text check (char_length(notes) <= 4000),
    exchange_id uuid,
    source text not null default 'STAFF' check (source in ('STAFF', 'PUBLIC_FORM', 'PLATFORM', 'IMPORT')),
    referral_link_id uuid,
    consent_id uuid,
    sent_at timestamptz,
    accepted_at timestamptz,
    rejected_at timestamptz,
    rejection_reason text check (char_length(rejection_reason) <= 4000),
    completed_at timestamptz,
    cancelled_at timestamptz,
    cancel_reason text check (char_length(cancel_reason) <= 4000),
    outcome_report text check (char_length(outcome_report) <= 4000),
    outcome_document_id uuid,
    reminder_due_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    -- What was sent went to somebody.
    constraint referrals_contact_id_check check (
        referral_type <> 'OUTGOING' or status in ('DRAFT', 'CANCELLED') or num_nonnulls(contact_id, recipient_tenant_id) > 0),
    constraint referrals_recipient_tenant_id_check check (recipient_tenant_id <> tenant_id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id),
    foreign key (tenant_id, referring_provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, assigned_provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, consent_id) references consents (tenant_id, id),
    foreign key (tenant_id, outcome_document_id) references documents (tenant_id, id)
);
create index referrals_referral_type_status_idx on referrals (tenant_id, referral_type, status);
create index referrals_status_created_at_idx on referrals (tenant_id, status, created_at);
create index referrals_created_at_id_idx on referrals (tenant_id, created_at, id);
create index referrals_urgency_id_idx on referrals (tenant_id, urgency, id);
create index referrals_contact_id_idx on referrals (tenant_id, contact_id);
create index referrals_recipient_tenant_id_idx on referrals (tenant_id, recipient_tenant_id);
create index referrals_sender_tenant_id_idx on referrals (tenant_id, sender_tenant_id);
create index referrals_referring_provider_id_idx on referrals (tenant_id, referring_provider_id);
create index referrals_assigned_provider_id_idx on referrals (tenant_id, assigned_provider_id);
create index referrals_patient_id_idx on referrals (tenant_id, patient_id);
create index referrals_exchange_id_idx on referrals (tenant_id, exchange_id);
create index referrals_referral_link_id_idx on referrals (tenant_id, referral_link_id);
create index referrals_consent_id_idx on referrals (tenant_id, consent_id);
create index referrals_outcome_document_id_idx on referrals (tenant_id, outcome_document_id);
create index referrals_updated_at_id_idx on referrals (tenant_id, updated_at, id);
comment on table referrals is 'A patient sent to or received from another practice, or a second opinion. Sensitivity: phi.';
comment on column referrals.sender_clinic_email is 'sensitivity: pii';
comment on column referrals.sender_clinic_phone is 'sensitivity: pii';
comment on column referrals.patient_id is 'null until matched';
comment on column referrals.patient_name is 'sensitivity: phi';
comment on column referrals.patient_dob is 'sensitivity: phi';
comment on column referrals.patient_phone is 'sensitivity: phi';
comment on column referrals.patient_email is 'sensitivity: phi';
comment on column referrals.reason is 'sensitivity: phi';
comment on column referrals.notes is 'sensitivity: phi';
comment on column referrals.outcome_report is 'sensitivity: phi';
select kernel.record('referrals');

-- A file attached to a referral
create table referral_files (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    referral_id uuid not null,
    patient_id uuid,
    file_id uuid not null,
    file_name text not null check (char_length(file_name) <= 300),
    file_type text not null check (char_length(file_type) <= 300),
    file_size bigint not null check (file_size >= 0),
    uploaded_at timestamptz not null,
    category text check (category in ('XRAY', 'NOTE', 'DOCUMENT', 'PHOTO', 'OTHER')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, referral_id) references referrals (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id)
);
create unique index referral_files_referral_id_file_id_key on referral_files (tenant_id, referral_id, file_id) nulls not distinct where deleted_at is null;
create index referral_files_referral_id_idx on referral_files (tenant_id, referral_id);
create index referral_files_patient_id_idx on referral_files (tenant_id, patient_id);
create index referral_files_file_id_idx on referral_files (tenant_id, file_id);
create index referral_files_updated_at_id_idx on referral_files (tenant_id, updated_at, id);
comment on table referral_files is 'A file attached to a referral. Sensitivity: phi.';
comment on column referral_files.file_size is 'unit: bytes';
select kernel.record('referral_files');

-- The public address of a clinic's referral form
create table referral_links (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    slug text not null check (slug ~ '^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$'),
    location_id uuid,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'INACTIVE')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    intro_text text check (char_length(intro_text) <= 4000),
    allow_files boolean not null default true,
    max_files integer not null default 10 check (max_files between 0 and 50),
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
create unique index referral_links_location_id_key on referral_links (tenant_id, location_id) nulls not distinct where deleted_at is null;
create index referral_links_status_id_idx on referral_links (tenant_id, status, id);
create index referral_links_location_id_idx on referral_links (tenant_id, location_id);
create index referral_links_updated_at_id_idx on referral_links (tenant_id, updated_at, id);
comment on table referral_links is 'The public address of a clinic''s referral form. Sensitivity: public.';
comment on column referral_links.location_id is 'null: the tenant''s default link';
select kernel.record('referral_links');

-- Every slug ever used, for uniqueness and redirects
create table referral_link_slugs (
    id uuid not null primary key,
    slug text not null check (char_length(slug) <= 300),
    owner_tenant_id uuid not null references tenants (id),
    referral_link_id uuid not null,
    is_current boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid
);
create unique index referral_link_slugs_slug_key on referral_link_slugs (slug) nulls not distinct;
create index referral_link_slugs_owner_tenant_id_idx on referral_link_slugs (owner_tenant_id);
comment on table referral_link_slugs is 'Every slug ever used, for uniqueness and redirects. Sensitivity: public.';

-- What came through the public form, before staff see it
create table referral_submissions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    referral_link_id uuid not null,
    referral_id uuid,
    payload_enc bytea not null,
    consent_text_tenant_id uuid,
    consent_text_id uuid,
    status text not null default 'RECEIVED' check (status in ('RECEIVED', 'SCANNING', 'ACCEPTED', 'QUARANTINED', 'REFUSED')),
    status_token_hash bytea,
    token_expires_at timestamptz,
    ip_address inet,
    submitted_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, referral_link_id) references referral_links (tenant_id, id),
    foreign key (tenant_id, referral_id) references referrals (tenant_id, id),
    foreign key (consent_text_tenant_id, consent_text_id) references consent_texts (tenant_id, id),
    constraint referral_submissions_consent_text_id_check2 check (consent_text_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create index referral_submissions_status_token_hash_idx on referral_submissions (tenant_id, status_token_hash);
create index referral_submissions_status_id_idx on referral_submissions (tenant_id, status, id);
create index referral_submissions_submitted_at_id_idx on referral_submissions (tenant_id, submitted_at, id);
create index referral_submissions_referral_link_id_idx on referral_submissions (tenant_id, referral_link_id);
create index referral_submissions_referral_id_idx on referral_submissions (tenant_id, referral_id);
create index referral_submissions_consent_text_tenant_id_consent__idx on referral_submissions (tenant_id, consent_text_tenant_id, consent_text_id);
create index referral_submissions_updated_at_id_idx on referral_submissions (tenant_id, updated_at, id);
create index referral_submissions_consent_text_id_idx on referral_submissions (tenant_id, consent_text_id);
comment on table referral_submissions is 'What came through the public form, before staff see it. Sensitivity: phi.';
comment on column referral_submissions.payload_enc is 'sensitivity: phi; encrypted with the tenant''s column key';
comment on column referral_submissions.consent_text_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column referral_submissions.status_token_hash is 'sensitivity: secret';
comment on column referral_submissions.ip_address is 'sensitivity: pii';
select kernel.record('referral_submissions');

-- The life of a referral, append-only
create table referral_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    referral_id uuid not null,
    patient_id uuid,
    event_type text not null check (event_type in ('CREATED', 'SENT', 'DELIVERED', 'OPENED', 'ACCEPTED', 'REJECTED', 'STARTED', 'COMPLETED', 'CANCELLED', 'MATCHED', 'REMINDED', 'MESSAGE')),
    from_status text check (char_length(from_status) <= 300),
    to_status text check (char_length(to_status) <= 300),
    actor_party text not null check (actor_party in ('SENDER', 'RECEIVER', 'SYSTEM')),
    note text check (char_length(note) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, referral_id) references referrals (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index referral_events_created_at_id_idx on referral_events (tenant_id, created_at, id);
create index referral_events_referral_id_idx on referral_events (tenant_id, referral_id);
create index referral_events_patient_id_idx on referral_events (tenant_id, patient_id);
comment on table referral_events is 'The life of a referral, append-only. Sensitivity: phi.';
comment on column referral_events.note is 'sensitivity: phi';
select kernel.record('referral_events');

-- The join of the sender's and the receiver's row, and what was disclosed
create table referral_exchanges (
    id uuid not null primary key,
    sender_tenant_id uuid not null references tenants (id),
    sender_referral_id uuid not null,
    recipient_tenant_id uuid references tenants (id),
    recipient_referral_id uuid,
    snapshot_hash text not null check (char_length(snapshot_hash) <= 300),
    answer_token_hash bytea,
    token_expires_at timestamptz,
    last_event_no integer not null default 0,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index referral_exchanges_sender_tenant_id_sender_referral_id_key on referral_exchanges (sender_tenant_id, sender_referral_id) nulls not distinct;
create unique index referral_exchanges_answer_token_hash_key on referral_exchanges (answer_token_hash) where answer_token_hash is not null;
create index referral_exchanges_recipient_tenant_id_idx on referral_exchanges (recipient_tenant_id);
comment on table referral_exchanges is 'The join of the sender''s and the receiver''s row, and what was disclosed. Sensitivity: business.';
comment on column referral_exchanges.recipient_tenant_id is 'null for an off-platform receiver';
comment on column referral_exchanges.answer_token_hash is 'sensitivity: secret';

-- A document another party shared, as a row in the receiver's own space
create table received_documents (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid,
    source_tenant_id uuid not null references tenants (id),
    grant_id uuid not null,
    booking_id uuid,
    referral_id uuid,
    file_id uuid not null,
    received_at timestamptz not null,
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, booking_id) references bookings (tenant_id, id),
    foreign key (tenant_id, referral_id) references referrals (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id)
);
create unique index received_documents_grant_id_key on received_documents (tenant_id, grant_id) nulls not distinct;
create index received_documents_received_at_id_idx on received_documents (tenant_id, received_at, id);
create index received_documents_patient_id_idx on received_documents (tenant_id, patient_id);
create index received_documents_source_tenant_id_idx on received_documents (tenant_id, source_tenant_id);
create index received_documents_booking_id_idx on received_documents (tenant_id, booking_id);
create index received_documents_referral_id_idx on received_documents (tenant_id, referral_id);
create index received_documents_file_id_idx on received_documents (tenant_id, file_id);
create index received_documents_updated_at_id_idx on received_documents (tenant_id, updated_at, id);
comment on table received_documents is 'A document another party shared, as a row in the receiver''s own space. Sensitivity: phi.';
comment on column received_documents.file_id is 'entry in this tenant''s registry that points at the shared object';
select kernel.record('received_documents');

-- References that waited for their target.
alter table appointments add foreign key (tenant_id, referral_id) references referrals (tenant_id, id);
alter table referrals add foreign key (exchange_id) references referral_exchanges (id);
alter table referrals add foreign key (tenant_id, referral_link_id) references referral_links (tenant_id, id);
