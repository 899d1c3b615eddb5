-- V011  Availability, appointments, waiting list and recall (catalogue §6). Expands only.

create extension if not exists btree_gist;

-- Kinds of visit with length, colour and booking rules
create table appointment_types (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code text not null check (char_length(code) <= 50),
    name text not null check (char_length(name) <= 300),
    duration_minutes integer not null default 30 check (duration_minutes between 5 and 720),
    buffer_before_minutes integer not null default 0,
    buffer_after_minutes integer not null default 0,
    color text check (char_length(color) <= 300),
    encounter_type text check (encounter_type in ('EXAM', 'EMERGENCY', 'HYGIENE', 'ORTHO', 'IMPLANT', 'TEACHING', 'CONSULTATION')),
    online_bookable boolean not null default false,
    requires_confirmation boolean not null default true,
    allowed_provider_types text[] not null default '{}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create unique index appointment_types_code_key on appointment_types (tenant_id, code) nulls not distinct where deleted_at is null;
create index appointment_types_name_id_idx on appointment_types (tenant_id, name, id);
create index appointment_types_updated_at_id_idx on appointment_types (tenant_id, updated_at, id);
comment on table appointment_types is 'Kinds of visit with length, colour and booking rules. Sensitivity: public.';
comment on column appointment_types.duration_minutes is 'unit: min';
comment on column appointment_types.buffer_before_minutes is 'unit: min';
comment on column appointment_types.buffer_after_minutes is 'unit: min';
select kernel.record('appointment_types');

-- When a provider works or is away: weekly, extra or blocked
create table availability_blocks (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    provider_id uuid not null,
    location_id uuid,
    operatory_id uuid,
    kind text not null check (kind in ('WEEKLY', 'EXTRA', 'BLOCKED')),
    day_of_week integer check (day_of_week between 1 and 7),
    exception_date date,
    start_time time,
    end_time time,
    valid_from date,
    valid_until date constraint availability_blocks_valid_until_check2 check (valid_until >= valid_from),
    time_pattern text check (char_length(time_pattern) <= 300),
    reason text check (char_length(reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint availability_blocks_day_of_week_check2 check ((kind = 'WEEKLY') = (day_of_week is not null)),
    constraint availability_blocks_exception_date_check2 check ((kind = 'WEEKLY') = (exception_date is null)),
    constraint availability_blocks_start_time_check2 check (start_time is not null or kind = 'BLOCKED'),
    constraint availability_blocks_end_time_check2 check ((start_time is null) = (end_time is null)),
    constraint availability_blocks_end_time_check3 check (end_time > start_time),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, operatory_id) references operatories (tenant_id, id)
);
create index availability_blocks_provider_id_day_of_week_idx on availability_blocks (tenant_id, provider_id, day_of_week);
create index availability_blocks_provider_id_exception_date_idx on availability_blocks (tenant_id, provider_id, exception_date);
create index availability_blocks_location_id_idx on availability_blocks (tenant_id, location_id);
create index availability_blocks_operatory_id_idx on availability_blocks (tenant_id, operatory_id);
create index availability_blocks_updated_at_id_idx on availability_blocks (tenant_id, updated_at, id);
create index availability_blocks_exception_date_idx on availability_blocks (tenant_id, exception_date);
comment on table availability_blocks is 'When a provider works or is away: weekly, extra or blocked. Sensitivity: business.';
comment on column availability_blocks.time_pattern is 'provider busy or waiting marks per 5 to 15 minutes';
select kernel.record('availability_blocks');

-- Days or hours a tenant or location is closed
create table schedule_closures (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    location_id uuid,
    starts_at timestamptz not null,
    ends_at timestamptz not null constraint schedule_closures_ends_at_check2 check (ends_at > starts_at),
    reason text not null check (char_length(reason) <= 4000),
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
create index schedule_closures_starts_at_id_idx on schedule_closures (tenant_id, starts_at, id);
create index schedule_closures_location_id_idx on schedule_closures (tenant_id, location_id);
create index schedule_closures_updated_at_id_idx on schedule_closures (tenant_id, updated_at, id);
comment on table schedule_closures is 'Days or hours a tenant or location is closed. Sensitivity: business.';
comment on column schedule_closures.location_id is 'null: all locations';
select kernel.record('schedule_closures');

-- A recurring set of appointments, expanded into rows
create table appointment_series (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    appointment_type_id uuid not null,
    provider_id uuid not null,
    location_id uuid not null,
    recurrence_rule text not null check (recurrence_rule ~ '^FREQ=(DAILY|WEEKLY|MONTHLY)(;INTERVAL=[1-9][0-9]?)?(;BYDAY=(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*)?(;(COUNT=[1-9][0-9]{0,2}|UNTIL=[0-9]{8}))?$'
        and (recurrence_rule ~ '^FREQ=WEEKLY' or recurrence_rule !~ 'BYDAY')),
    starts_on date not null,
    ends_on date not null,
    local_start_time time not null,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'ENDED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    constraint appointment_series_ends_on_check2 check (ends_on between starts_on and (starts_on + interval '2 years')::date),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, appointment_type_id) references appointment_types (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id)
);
create index appointment_series_status_id_idx on appointment_series (tenant_id, status, id);
create index appointment_series_patient_id_idx on appointment_series (tenant_id, patient_id);
create index appointment_series_appointment_type_id_idx on appointment_series (tenant_id, appointment_type_id);
create index appointment_series_provider_id_idx on appointment_series (tenant_id, provider_id);
create index appointment_series_location_id_idx on appointment_series (tenant_id, location_id);
create index appointment_series_updated_at_id_idx on appointment_series (tenant_id, updated_at, id);
comment on table appointment_series is 'A recurring set of appointments, expanded into rows. Sensitivity: phi.';
select kernel.record('appointment_series');

-- A booked time of a patient
create table appointments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid,
    provider_id uuid,
    location_id uuid not null,
    operatory_id uuid,
    appointment_type_id uuid,
    start_at timestamptz not null,
    end_at timestamptz not null constraint appointments_end_at_check2 check (end_at > start_at),
    duration_minutes integer not null check (duration_minutes between 1 and 1440),
    local_start text not null check (char_length(local_start) <= 300),
    time_zone text not null check (char_length(time_zone) <= 300),
    status text not null default 'HELD' check (status in ('HELD', 'PENDING', 'SCHEDULED', 'CONFIRMED', 'ARRIVED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'NO_SHOW')),
    source text not null default 'STAFF' check (source in ('STAFF', 'PORTAL', 'IMPORT', 'RECALL', 'WAITLIST', 'REFERRAL', 'API')),
    notes text check (char_length(notes) <= 4000),
    patient_note text check (char_length(patient_note) <= 300),
    is_overbook boolean not null default false,
    overbook_reason text check (char_length(overbook_reason) <= 4000),
    series_id uuid,
    recall_id uuid,
    referral_id uuid,
    rescheduled_from_id uuid,
    held_until timestamptz,
    confirmed_at timestamptz,
    confirmed_via text check (confirmed_via in ('PORTAL', 'SMS', 'EMAIL', 'PHONE', 'STAFF')),
    arrived_at timestamptz,
    completed_at timestamptz,
    cancelled_at timestamptz,
    cancelled_by_party text check (cancelled_by_party in ('PATIENT', 'CLINIC', 'SYSTEM')),
    cancel_reason text check (char_length(cancel_reason) <= 4000),
    is_late_cancel boolean not null default false,
    no_show_at timestamptz,
    telehealth_url text check (char_length(telehealth_url) <= 2000),
    reminder_state text not null default 'NONE' check (reminder_state in ('NONE', 'SCHEDULED', 'SENT', 'CONFIRMED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint appointments_overbook_reason_check2 check (overbook_reason is not null or not is_overbook),
    constraint appointments_patient_id_check2 check (patient_id is not null or status in ('HELD', 'CANCELLED')),
    constraint appointments_end_at_check3 check (end_at > start_at),
    constraint appointments_operatory_busy exclude using gist (tenant_id with =, operatory_id with =, tstzrange(start_at, end_at) with &&)
        where (status not in ('CANCELLED', 'NO_SHOW') and not is_overbook),
    constraint appointments_patient_busy exclude using gist (tenant_id with =, patient_id with =, tstzrange(start_at, end_at) with &&)
        where (status not in ('CANCELLED', 'NO_SHOW') and not is_overbook),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, operatory_id) references operatories (tenant_id, id),
    foreign key (tenant_id, appointment_type_id) references appointment_types (tenant_id, id),
    foreign key (tenant_id, series_id) references appointment_series (tenant_id, id),
    foreign key (tenant_id, rescheduled_from_id) references appointments (tenant_id, id)
);
create index appointments_start_at_status_idx on appointments (tenant_id, start_at, status);
create index appointments_provider_id_start_at_idx on appointments (tenant_id, provider_id, start_at);
create index appointments_patient_id_start_at_idx on appointments (tenant_id, patient_id, start_at);
create index appointments_start_at_end_at_idx on appointments (tenant_id, start_at, end_at);
create index appointments_location_id_start_at_idx on appointments (tenant_id, location_id, start_at);
create index appointments_status_id_idx on appointments (tenant_id, status, id);
create index appointments_start_at_id_idx on appointments (tenant_id, start_at, id);
create index appointments_created_at_id_idx on appointments (tenant_id, created_at, id);
create index appointments_operatory_id_idx on appointments (tenant_id, operatory_id);
create index appointments_appointment_type_id_idx on appointments (tenant_id, appointment_type_id);
create index appointments_series_id_idx on appointments (tenant_id, series_id);
create index appointments_recall_id_idx on appointments (tenant_id, recall_id);
create index appointments_referral_id_idx on appointments (tenant_id, referral_id);
create index appointments_rescheduled_from_id_idx on appointments (tenant_id, rescheduled_from_id);
create index appointments_updated_at_id_idx on appointments (tenant_id, updated_at, id);
comment on table appointments is 'A booked time of a patient. Sensitivity: phi.';
comment on column appointments.provider_id is 'lead provider; all of them in appointment_providers';
comment on column appointments.duration_minutes is 'minutes between start_at and end_at; unit: min';
comment on column appointments.local_start is 'wall time as booked, to re-resolve when zone rules change';
comment on column appointments.rescheduled_from_id is 'a cancelled appointment is rebooked as a new row';
select kernel.record('appointments');

-- The providers of an appointment with their role and busy time
create table appointment_providers (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    appointment_id uuid not null,
    patient_id uuid,
    provider_id uuid not null,
    role text not null default 'LEAD' check (role in ('LEAD', 'HYGIENIST', 'ASSISTANT', 'OBSERVER')),
    busy_start_at timestamptz not null,
    busy_end_at timestamptz not null constraint appointment_providers_busy_end_at_check2 check (busy_end_at > busy_start_at),
    is_overbook boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
create unique index appointment_providers_appointment_id_provider_id_key on appointment_providers (tenant_id, appointment_id, provider_id) nulls not distinct where deleted_at is null;
create index appointment_providers_provider_id_busy_start_at_idx on appointment_providers (tenant_id, provider_id, busy_start_at);
create index appointment_providers_appointment_id_idx on appointment_providers (tenant_id, appointment_id);
create index appointment_providers_patient_id_idx on appointment_providers (tenant_id, patient_id);
create index appointment_providers_updated_at_id_idx on appointment_providers (tenant_id, updated_at, id);
comment on table appointment_providers is 'The providers of an appointment with their role and busy time. Sensitivity: phi.';
select kernel.record('appointment_providers', parent => 'appointments', parent_column => 'appointment_id');

-- Planned procedures of an appointment
create table appointment_procedures (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    appointment_id uuid not null,
    patient_id uuid not null,
    plan_item_id uuid not null,
    sequence_order integer not null default 1,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index appointment_procedures_appointment_id_plan_item_id_key on appointment_procedures (tenant_id, appointment_id, plan_item_id) nulls not distinct where deleted_at is null;
create index appointment_procedures_appointment_id_idx on appointment_procedures (tenant_id, appointment_id);
create index appointment_procedures_patient_id_idx on appointment_procedures (tenant_id, patient_id);
create index appointment_procedures_plan_item_id_idx on appointment_procedures (tenant_id, plan_item_id);
create index appointment_procedures_updated_at_id_idx on appointment_procedures (tenant_id, updated_at, id);
comment on table appointment_procedures is 'Planned procedures of an appointment. Sensitivity: phi.';
select kernel.record('appointment_procedures', parent => 'appointments', parent_column => 'appointment_id');

-- What happened to an appointment: made, moved, confirmed, cancelled
create table appointment_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    appointment_id uuid not null,
    patient_id uuid,
    event_type text not null check (event_type in ('CREATED', 'RESCHEDULED', 'STATUS_CHANGED', 'CONFIRMED', 'REMINDER_SENT', 'CANCELLED', 'NOTE')),
    from_status text check (char_length(from_status) <= 300),
    to_status text check (char_length(to_status) <= 300),
    old_start_at timestamptz,
    new_start_at timestamptz,
    reason text check (char_length(reason) <= 4000),
    actor_party text not null check (actor_party in ('STAFF', 'PATIENT', 'SYSTEM')),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index appointment_events_created_at_id_idx on appointment_events (tenant_id, created_at, id);
create index appointment_events_appointment_id_idx on appointment_events (tenant_id, appointment_id);
create index appointment_events_patient_id_idx on appointment_events (tenant_id, patient_id);
comment on table appointment_events is 'What happened to an appointment: made, moved, confirmed, cancelled. Sensitivity: phi.';
select kernel.record('appointment_events');

-- A short reservation of a time while a patient books
create table slot_holds (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    provider_id uuid not null,
    location_id uuid not null,
    operatory_id uuid,
    appointment_type_id uuid not null,
    patient_id uuid,
    start_at timestamptz not null,
    end_at timestamptz not null constraint slot_holds_end_at_check2 check (end_at > start_at),
    held_until timestamptz not null,
    status text not null default 'HELD' check (status in ('HELD', 'USED', 'EXPIRED', 'RELEASED')),
    appointment_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, operatory_id) references operatories (tenant_id, id),
    foreign key (tenant_id, appointment_type_id) references appointment_types (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id)
);
create index slot_holds_held_until_id_idx on slot_holds (tenant_id, held_until, id);
create index slot_holds_provider_id_idx on slot_holds (tenant_id, provider_id);
create index slot_holds_location_id_idx on slot_holds (tenant_id, location_id);
create index slot_holds_operatory_id_idx on slot_holds (tenant_id, operatory_id);
create index slot_holds_appointment_type_id_idx on slot_holds (tenant_id, appointment_type_id);
create index slot_holds_patient_id_idx on slot_holds (tenant_id, patient_id);
create index slot_holds_appointment_id_idx on slot_holds (tenant_id, appointment_id);
create index slot_holds_updated_at_id_idx on slot_holds (tenant_id, updated_at, id);
comment on table slot_holds is 'A short reservation of a time while a patient books. Sensitivity: business.';
comment on column slot_holds.appointment_id is 'the HELD appointment row that blocks the time';
select kernel.record('slot_holds');

-- A patient waiting for an earlier or any time
create table waitlist_entries (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    appointment_id uuid,
    appointment_type_id uuid,
    provider_id uuid,
    location_id uuid,
    earliest_date date,
    latest_date date,
    preferred_times jsonb not null default '{}',
    priority integer not null default 0,
    status text not null default 'WAITING' check (status in ('WAITING', 'OFFERED', 'BOOKED', 'REMOVED')),
    offered_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id),
    foreign key (tenant_id, appointment_type_id) references appointment_types (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id)
);
create index waitlist_entries_status_id_idx on waitlist_entries (tenant_id, status, id);
create index waitlist_entries_priority_id_idx on waitlist_entries (tenant_id, priority, id);
create index waitlist_entries_patient_id_idx on waitlist_entries (tenant_id, patient_id);
create index waitlist_entries_appointment_id_idx on waitlist_entries (tenant_id, appointment_id);
create index waitlist_entries_appointment_type_id_idx on waitlist_entries (tenant_id, appointment_type_id);
create index waitlist_entries_provider_id_idx on waitlist_entries (tenant_id, provider_id);
create index waitlist_entries_location_id_idx on waitlist_entries (tenant_id, location_id);
create index waitlist_entries_updated_at_id_idx on waitlist_entries (tenant_id, updated_at, id);
comment on table waitlist_entries is 'A patient waiting for an earlier or any time. Sensitivity: phi.';
comment on column waitlist_entries.appointment_id is 'the appointment to bring forward';
select kernel.record('waitlist_entries');

-- Kinds of recall with interval and trigger procedures
create table recall_types (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    interval_months integer not null check (interval_months between 1 and 120),
    interval_days integer not null default 0,
    trigger_codes text[] not null default '{}',
    appointment_type_id uuid,
    exclusive_group text check (char_length(exclusive_group) <= 300),
    is_default boolean not null default false,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, appointment_type_id) references appointment_types (tenant_id, id)
);
create unique index recall_types_name_key on recall_types (tenant_id, name) nulls not distinct where deleted_at is null;
create index recall_types_name_id_idx on recall_types (tenant_id, name, id);
create index recall_types_appointment_type_id_idx on recall_types (tenant_id, appointment_type_id);
create index recall_types_updated_at_id_idx on recall_types (tenant_id, updated_at, id);
comment on table recall_types is 'Kinds of recall with interval and trigger procedures. Sensitivity: business.';
comment on column recall_types.trigger_codes is 'procedure codes that restart the interval';
comment on column recall_types.exclusive_group is 'types of one group exclude each other, for example prophylaxis and perio';
select kernel.record('recall_types');

-- A patient's next due date of a recall type
create table recalls (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    recall_type_id uuid not null,
    due_on date not null,
    last_trigger_on date,
    override_interval_months integer,
    status text not null default 'DUE' check (status in ('DUE', 'SCHEDULED', 'DONE', 'DISABLED')),
    disable_reason text check (char_length(disable_reason) <= 4000),
    last_contacted_at timestamptz,
    contact_count integer not null default 0,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, recall_type_id) references recall_types (tenant_id, id)
);
create unique index recalls_patient_id_recall_type_id_key on recalls (tenant_id, patient_id, recall_type_id) nulls not distinct where status in ('DUE','SCHEDULED') and deleted_at is null;
create index recalls_status_due_on_idx on recalls (tenant_id, status, due_on);
create index recalls_due_on_id_idx on recalls (tenant_id, due_on, id);
create index recalls_patient_id_idx on recalls (tenant_id, patient_id);
create index recalls_recall_type_id_idx on recalls (tenant_id, recall_type_id);
create index recalls_updated_at_id_idx on recalls (tenant_id, updated_at, id);
comment on table recalls is 'A patient''s next due date of a recall type. Sensitivity: phi.';
select kernel.record('recalls');

-- References that waited for their target.
alter table appointments add foreign key (tenant_id, recall_id) references recalls (tenant_id, id);
