-- V020  Notifications, conversations, patient education (catalogue §13). Expands only.

-- Something a user or all users of a tenant should see
create table notifications (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    audience text not null check (audience in ('USER', 'TENANT', 'ROLE', 'PATIENT')),
    user_id uuid references users (id),
    role_code text check (char_length(role_code) <= 300),
    patient_id uuid,
    type text not null check (type in ('NEW_INCOMING_REFERRAL', 'REFERRAL_ACCEPTED', 'REFERRAL_REJECTED', 'REFERRAL_COMPLETED', 'REFERRAL_STATUS_UPDATE', 'SYSTEM_MESSAGE', 'TREATMENT_PLAN_UPDATED', 'APPOINTMENT_REMINDER', 'APPOINTMENT_UPDATED', 'BOOKING_CONFIRMED', 'PAYMENT_UPDATED', 'MATERIAL_ASSIGNED', 'MESSAGE_RECEIVED', 'AI_REVIEW_NEEDED', 'CONSENT_EXPIRING', 'TASK_ASSIGNED')),
    referral_id uuid,
    resource_type text check (char_length(resource_type) <= 300),
    resource_id uuid,
    title text not null check (char_length(title) <= 200),
    message text not null check (char_length(message) <= 4000),
    priority text not null default 'NORMAL' check (priority in ('NORMAL', 'HIGH')),
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    constraint notifications_role_code_check2 check ((audience = 'ROLE') = (role_code is not null)),
    constraint notifications_user_id_check2 check ((audience in ('USER', 'PATIENT')) = (user_id is not null)),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, referral_id) references referrals (tenant_id, id)
);
create index notifications_user_id_created_at_idx on notifications (tenant_id, user_id, created_at);
create index notifications_created_at_id_idx on notifications (tenant_id, created_at, id);
create index notifications_patient_id_idx on notifications (tenant_id, patient_id);
create index notifications_referral_id_idx on notifications (tenant_id, referral_id);
comment on table notifications is 'Something a user or all users of a tenant should see. Sensitivity: pii.';
select kernel.record('notifications');

-- Who has read a notification
create table notification_reads (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    notification_id uuid not null,
    user_id uuid not null references users (id),
    read_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, notification_id) references notifications (tenant_id, id)
);
create unique index notification_reads_notification_id_user_id_key on notification_reads (tenant_id, notification_id, user_id) nulls not distinct;
create index notification_reads_user_id_idx on notification_reads (tenant_id, user_id);
comment on table notification_reads is 'Who has read a notification. Sensitivity: business.';

-- One delivery of a notification over one channel
create table notification_deliveries (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    notification_id uuid not null,
    user_id uuid references users (id),
    channel text not null check (channel in ('IN_APP', 'EMAIL', 'SMS', 'PUSH')),
    state text not null default 'QUEUED' check (state in ('QUEUED', 'SENT', 'DELIVERED', 'FAILED', 'BOUNCED', 'SUPPRESSED')),
    destination_enc bytea,
    provider_message_id text check (char_length(provider_message_id) <= 300),
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    error_code text check (char_length(error_code) <= 300),
    sent_at timestamptz,
    delivered_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, notification_id) references notifications (tenant_id, id)
);
create index notification_deliveries_state_next_attempt_at_idx on notification_deliveries (tenant_id, state, next_attempt_at);
create index notification_deliveries_created_at_id_idx on notification_deliveries (tenant_id, created_at, id);
create index notification_deliveries_notification_id_idx on notification_deliveries (tenant_id, notification_id);
create index notification_deliveries_user_id_idx on notification_deliveries (tenant_id, user_id);
comment on table notification_deliveries is 'One delivery of a notification over one channel. Sensitivity: pii.';
comment on column notification_deliveries.destination_enc is 'sensitivity: pii; encrypted with the tenant''s column key';
select kernel.record('notification_deliveries');

-- Which channels a user wants per notification type
create table notification_preferences (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    user_id uuid not null references users (id),
    type text not null check (char_length(type) <= 300),
    channel text not null check (channel in ('IN_APP', 'EMAIL', 'SMS', 'PUSH')),
    is_enabled boolean not null default true,
    opted_out_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create unique index notification_preferences_user_id_type_channel_key on notification_preferences (tenant_id, user_id, type, channel) nulls not distinct where deleted_at is null;
create index notification_preferences_user_id_idx on notification_preferences (tenant_id, user_id);
comment on table notification_preferences is 'Which channels a user wants per notification type. Sensitivity: pii.';
comment on column notification_preferences.type is 'a notification type or *';
select kernel.record('notification_preferences');

-- A thread: patient messaging, team chat or case discussion
create table conversations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    kind text not null check (kind in ('PATIENT_MESSAGING', 'TEAM_CHAT', 'CASE_DISCUSSION')),
    patient_id uuid,
    subject text check (char_length(subject) <= 300),
    team_id uuid,
    referral_id uuid,
    plan_id uuid,
    status text not null default 'OPEN' check (status in ('OPEN', 'CLOSED', 'ARCHIVED')),
    last_message_at timestamptz,
    assigned_user_id uuid references users (id),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint conversations_patient_id_check2 check (patient_id is not null or kind <> 'PATIENT_MESSAGING'),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, team_id) references teams (tenant_id, id),
    foreign key (tenant_id, referral_id) references referrals (tenant_id, id),
    foreign key (tenant_id, plan_id) references treatment_plans (tenant_id, id)
);
create index conversations_status_last_message_at_idx on conversations (tenant_id, status, last_message_at);
create index conversations_last_message_at_id_idx on conversations (tenant_id, last_message_at, id);
create index conversations_patient_id_idx on conversations (tenant_id, patient_id);
create index conversations_team_id_idx on conversations (tenant_id, team_id);
create index conversations_referral_id_idx on conversations (tenant_id, referral_id);
create index conversations_plan_id_idx on conversations (tenant_id, plan_id);
create index conversations_assigned_user_id_idx on conversations (tenant_id, assigned_user_id);
create index conversations_updated_at_id_idx on conversations (tenant_id, updated_at, id);
comment on table conversations is 'A thread: patient messaging, team chat or case discussion. Sensitivity: phi.';
comment on column conversations.subject is 'sensitivity: phi';
select kernel.record('conversations');

-- Who takes part in a thread and how
create table conversation_participants (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    conversation_id uuid not null,
    user_id uuid references users (id),
    patient_id uuid,
    role text not null default 'PARTICIPANT' check (role in ('AUTHOR', 'PARTICIPANT', 'OBSERVER')),
    last_read_at timestamptz,
    muted boolean not null default false,
    left_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index conversation_participants_conversation_id_user_id_key on conversation_participants (tenant_id, conversation_id, user_id) nulls not distinct where deleted_at is null and user_id is not null;
create index conversation_participants_conversation_id_idx on conversation_participants (tenant_id, conversation_id);
create index conversation_participants_user_id_idx on conversation_participants (tenant_id, user_id);
create index conversation_participants_patient_id_idx on conversation_participants (tenant_id, patient_id);
create index conversation_participants_updated_at_id_idx on conversation_participants (tenant_id, updated_at, id);
comment on table conversation_participants is 'Who takes part in a thread and how. Sensitivity: pii.';
select kernel.record('conversation_participants');

-- One message of a thread
create table messages (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    conversation_id uuid not null,
    patient_id uuid,
    sender_type text not null check (sender_type in ('USER', 'SYSTEM', 'PATIENT')),
    sender_user_id uuid references users (id),
    content_type text not null default 'TEXT' check (content_type in ('TEXT', 'RICH_TEXT', 'FILE')),
    content text check (char_length(content) <= 20000),
    sent_at timestamptz not null,
    delivery_state text not null default 'QUEUED' check (delivery_state in ('QUEUED', 'SENT', 'DELIVERED', 'READ', 'FAILED')),
    reply_to_id uuid,
    is_urgent boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint messages_content_check2 check (content is not null or content_type = 'FILE'),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, reply_to_id) references messages (tenant_id, id)
);
create index messages_content_idx on messages using gin (to_tsvector('simple', coalesce(content, '')));
create index messages_conversation_id_sent_at_idx on messages (tenant_id, conversation_id, sent_at);
create index messages_sent_at_id_idx on messages (tenant_id, sent_at, id);
create index messages_patient_id_idx on messages (tenant_id, patient_id);
create index messages_sender_user_id_idx on messages (tenant_id, sender_user_id);
create index messages_reply_to_id_idx on messages (tenant_id, reply_to_id);
create index messages_updated_at_id_idx on messages (tenant_id, updated_at, id);
comment on table messages is 'One message of a thread. Sensitivity: phi.';
comment on column messages.patient_id is 'set in PATIENT_MESSAGING threads only';
comment on column messages.content is 'sensitivity: phi';
select kernel.record('messages');

-- Files sent with a message
create table message_attachments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    message_id uuid not null,
    patient_id uuid,
    file_id uuid not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, message_id) references messages (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id)
);
create unique index message_attachments_message_id_file_id_key on message_attachments (tenant_id, message_id, file_id) nulls not distinct;
create index message_attachments_patient_id_idx on message_attachments (tenant_id, patient_id);
create index message_attachments_file_id_idx on message_attachments (tenant_id, file_id);
create index message_attachments_updated_at_id_idx on message_attachments (tenant_id, updated_at, id);
comment on table message_attachments is 'Files sent with a message. Sensitivity: phi.';
comment on column message_attachments.patient_id is 'as on the message';
select kernel.record('message_attachments');

-- Protocols, evidence summaries and patient education
create table knowledge_documents (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    kind text not null check (kind in ('PROTOCOL', 'EVIDENCE_SUMMARY', 'PATIENT_EDUCATION')),
    title text not null check (char_length(title) <= 200),
    title_key text collate "C" not null generated always as (kernel.fold(title)) stored,
    content_url text check (char_length(content_url) <= 2000),
    file_id uuid,
    material_type text check (char_length(material_type) <= 50),
    publish_date date,
    author_provider_id uuid,
    default_locale text not null default 'en' check (char_length(default_locale) <= 300),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'IN_REVIEW', 'PUBLISHED', 'RETIRED')),
    current_version_no integer not null default 1,
    tags text[] not null default '{}',
    review_due_on date,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id),
    foreign key (tenant_id, author_provider_id) references providers (tenant_id, id)
);
create index knowledge_documents_title_key_id_idx on knowledge_documents (tenant_id, title_key, id);
create index knowledge_documents_publish_date_id_idx on knowledge_documents (tenant_id, publish_date, id);
create index knowledge_documents_file_id_idx on knowledge_documents (tenant_id, file_id);
create index knowledge_documents_author_provider_id_idx on knowledge_documents (tenant_id, author_provider_id);
create index knowledge_documents_updated_at_id_idx on knowledge_documents (tenant_id, updated_at, id);
comment on table knowledge_documents is 'Protocols, evidence summaries and patient education. Sensitivity: public.';
comment on column knowledge_documents.content_url is 'video, PDF or page';
select kernel.record('knowledge_documents');

-- Version history with authorship, review and approval
create table knowledge_versions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    document_id uuid not null,
    version_no integer not null check (version_no >= 1),
    body text check (char_length(body) <= 20000),
    author_id uuid not null references users (id),
    reviewer_id uuid references users (id),
    reviewed_at timestamptz,
    approved_by uuid references users (id),
    approved_at timestamptz,
    change_note text check (char_length(change_note) <= 300),
    is_patient_visible boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, document_id) references knowledge_documents (tenant_id, id)
);
create unique index knowledge_versions_document_id_version_no_key on knowledge_versions (tenant_id, document_id, version_no) nulls not distinct;
create index knowledge_versions_version_no_id_idx on knowledge_versions (tenant_id, version_no, id);
create index knowledge_versions_author_id_idx on knowledge_versions (tenant_id, author_id);
create index knowledge_versions_reviewer_id_idx on knowledge_versions (tenant_id, reviewer_id);
create index knowledge_versions_approved_by_idx on knowledge_versions (tenant_id, approved_by);
comment on table knowledge_versions is 'Version history with authorship, review and approval. Sensitivity: public.';
comment on column knowledge_versions.is_patient_visible is 'patient education, approved and published; by trigger';
select kernel.record('knowledge_versions');

-- Language and regional variants of a version
create table knowledge_localizations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    version_id uuid not null,
    locale text not null check (locale ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    region text check (char_length(region) <= 300),
    title text not null check (char_length(title) <= 300),
    body text check (char_length(body) <= 20000),
    content_url text check (char_length(content_url) <= 2000),
    is_machine_translated boolean not null default false,
    is_patient_visible boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, version_id) references knowledge_versions (tenant_id, id)
);
create unique index knowledge_localizations_version_id_locale_region_key on knowledge_localizations (tenant_id, version_id, locale, region) nulls not distinct where deleted_at is null;
create index knowledge_localizations_version_id_idx on knowledge_localizations (tenant_id, version_id);
create index knowledge_localizations_updated_at_id_idx on knowledge_localizations (tenant_id, updated_at, id);
comment on table knowledge_localizations is 'Language and regional variants of a version. Sensitivity: public.';
comment on column knowledge_localizations.is_patient_visible is 'as on the version';
select kernel.record('knowledge_localizations');

-- Education as one requirement text names it: what is published of it
create view educational_materials with (security_invoker = true) as
    select d.tenant_id, d.id, d.title, d.title_key, d.content_url, d.material_type, d.publish_date, d.author_provider_id as specialist_id
      from knowledge_documents d where d.kind = 'PATIENT_EDUCATION' and d.status = 'PUBLISHED' and d.deleted_at is null;

-- Education assigned to a patient, once per material
create table patient_material_assignments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    material_tenant_id uuid not null,
    material_id uuid not null,
    assignment_date date not null,
    specialist_comments text check (char_length(specialist_comments) <= 300),
    assigned_by uuid not null references users (id),
    viewed_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (material_tenant_id, material_id) references knowledge_documents (tenant_id, id),
    constraint patient_material_assignments_material_id_check2 check (material_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create unique index patient_material_assignments_patient_id_material_ten_key on patient_material_assignments (tenant_id, patient_id, material_tenant_id, material_id) nulls not distinct where deleted_at is null;
create index patient_material_assignments_assignment_date_id_idx on patient_material_assignments (tenant_id, assignment_date, id);
create index patient_material_assignments_patient_id_idx on patient_material_assignments (tenant_id, patient_id);
create index patient_material_assignments_material_tenant_id_mate_idx on patient_material_assignments (tenant_id, material_tenant_id, material_id);
create index patient_material_assignments_assigned_by_idx on patient_material_assignments (tenant_id, assigned_by);
create index patient_material_assignments_updated_at_id_idx on patient_material_assignments (tenant_id, updated_at, id);
create index patient_material_assignments_material_id_idx on patient_material_assignments (tenant_id, material_id);
comment on table patient_material_assignments is 'Education assigned to a patient, once per material. Sensitivity: phi.';
comment on column patient_material_assignments.material_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
select kernel.record('patient_material_assignments');
