-- V024  Tasks, custom fields, workflows (catalogue §16). Expands only.

-- Something a person has to do
create table tasks (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    title text not null check (char_length(title) <= 300),
    description text check (char_length(description) <= 4000),
    kind text not null default 'GENERAL' check (kind in ('GENERAL', 'AI_REVIEW', 'CLAIM_APPEAL', 'REFERRAL_FOLLOW_UP', 'RECALL', 'DSAR', 'IDENTITY_CHECK', 'SIGN_NOTE')),
    status text not null default 'OPEN' check (status in ('OPEN', 'IN_PROGRESS', 'DONE', 'CANCELLED')),
    priority text not null default 'NORMAL' check (priority in ('LOW', 'NORMAL', 'HIGH', 'URGENT')),
    patient_id uuid,
    assigned_user_id uuid references users (id),
    assigned_team_id uuid,
    due_at timestamptz,
    resource_type text check (char_length(resource_type) <= 300),
    resource_id uuid,
    workflow_instance_id uuid,
    completed_at timestamptz,
    visible_to_patient boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, assigned_team_id) references teams (tenant_id, id)
);
create index tasks_assigned_user_id_status_due_at_idx on tasks (tenant_id, assigned_user_id, status, due_at);
create index tasks_status_id_idx on tasks (tenant_id, status, id);
create index tasks_due_at_id_idx on tasks (tenant_id, due_at, id);
create index tasks_patient_id_idx on tasks (tenant_id, patient_id);
create index tasks_assigned_team_id_idx on tasks (tenant_id, assigned_team_id);
create index tasks_workflow_instance_id_idx on tasks (tenant_id, workflow_instance_id);
create index tasks_updated_at_id_idx on tasks (tenant_id, updated_at, id);
comment on table tasks is 'Something a person has to do. Sensitivity: phi.';
comment on column tasks.description is 'sensitivity: phi';
select kernel.record('tasks');

-- A field a tenant adds to an entity
create table custom_field_definitions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    entity_type text not null check (entity_type in ('PATIENT', 'ENCOUNTER', 'PROCEDURE', 'APPOINTMENT', 'TREATMENT_PLAN', 'REFERRAL', 'CLAIM', 'PROVIDER', 'LOCATION')),
    field_key text not null check (field_key ~ '^[a-z][a-z0-9_]{0,62}$'),
    label text not null check (char_length(label) <= 300),
    data_type text not null check (data_type in ('TEXT', 'NUMBER', 'BOOLEAN', 'DATE', 'CHOICE', 'JSON')),
    validation_rules jsonb not null default '{}',
    is_indexed boolean not null default false,
    is_required boolean not null default false,
    is_phi boolean not null default true,
    sort_order integer not null default 0,
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
create unique index custom_field_definitions_entity_type_field_key_key on custom_field_definitions (tenant_id, entity_type, field_key) nulls not distinct where deleted_at is null;
create index custom_field_definitions_sort_order_id_idx on custom_field_definitions (tenant_id, sort_order, id);
create index custom_field_definitions_updated_at_id_idx on custom_field_definitions (tenant_id, updated_at, id);
comment on table custom_field_definitions is 'A field a tenant adds to an entity. Sensitivity: business.';
comment on column custom_field_definitions.is_indexed is 'searchable by value_text';
comment on column custom_field_definitions.is_phi is 'decides encryption and export';
select kernel.record('custom_field_definitions');

-- A value of a custom field
create table custom_field_values (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    definition_id uuid not null,
    entity_type text not null check (entity_type in ('PATIENT', 'ENCOUNTER', 'PROCEDURE', 'APPOINTMENT', 'TREATMENT_PLAN', 'REFERRAL', 'CLAIM', 'PROVIDER', 'LOCATION')),
    entity_id uuid not null,
    patient_id uuid,
    field_key text not null check (char_length(field_key) <= 300),
    value_text text check (char_length(value_text) <= 4000),
    value_number double precision,
    value_json jsonb,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, definition_id) references custom_field_definitions (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index custom_field_values_entity_type_entity_id_field_key_key on custom_field_values (tenant_id, entity_type, entity_id, field_key) nulls not distinct where deleted_at is null;
create index custom_field_values_entity_type_field_key_value_text_idx on custom_field_values (tenant_id, entity_type, field_key, value_text);
create index custom_field_values_definition_id_idx on custom_field_values (tenant_id, definition_id);
create index custom_field_values_patient_id_idx on custom_field_values (tenant_id, patient_id);
create index custom_field_values_entity_id_idx on custom_field_values (tenant_id, entity_id);
comment on table custom_field_values is 'A value of a custom field. Sensitivity: phi.';
comment on column custom_field_values.value_text is 'sensitivity: phi';
select kernel.record('custom_field_values');

-- A configurable process: AI-assisted review, claim appeal
create table workflows (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    code text not null check (char_length(code) <= 300),
    name text not null check (char_length(name) <= 300),
    description text check (char_length(description) <= 4000),
    version_no integer not null default 1,
    definition jsonb not null,
    trigger_event text check (char_length(trigger_event) <= 300),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'ACTIVE', 'RETIRED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index workflows_code_version_no_key on workflows (tenant_id, code, version_no) nulls not distinct;
create unique index workflows_active_key on workflows (tenant_id, code) nulls not distinct where status = 'ACTIVE';
create index workflows_code_id_idx on workflows (tenant_id, code, id);
create index workflows_updated_at_id_idx on workflows (tenant_id, updated_at, id);
comment on table workflows is 'A configurable process: AI-assisted review, claim appeal. Sensitivity: business.';
comment on column workflows.definition is 'states, transitions, guards, tasks, timers; schema-checked, no unreachable state';
comment on column workflows.trigger_event is 'event type that starts an instance';
select kernel.record('workflows');

-- One case running through a workflow
create table workflow_instances (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    workflow_tenant_id uuid not null,
    workflow_id uuid not null,
    state text not null check (char_length(state) <= 300),
    status text not null default 'RUNNING' check (status in ('RUNNING', 'COMPLETED', 'CANCELLED', 'FAILED')),
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    patient_id uuid,
    context jsonb not null default '{}',
    started_at timestamptz not null,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (workflow_tenant_id, workflow_id) references workflows (tenant_id, id),
    constraint workflow_instances_workflow_id_check2 check (workflow_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001')),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index workflow_instances_resource_type_resource_id_idx on workflow_instances (tenant_id, resource_type, resource_id);
create index workflow_instances_status_id_idx on workflow_instances (tenant_id, status, id);
create index workflow_instances_started_at_id_idx on workflow_instances (tenant_id, started_at, id);
create index workflow_instances_workflow_tenant_id_workflow_id_idx on workflow_instances (tenant_id, workflow_tenant_id, workflow_id);
create index workflow_instances_patient_id_idx on workflow_instances (tenant_id, patient_id);
create index workflow_instances_updated_at_id_idx on workflow_instances (tenant_id, updated_at, id);
create index workflow_instances_resource_id_idx on workflow_instances (tenant_id, resource_id);
create index workflow_instances_workflow_id_idx on workflow_instances (tenant_id, workflow_id);
comment on table workflow_instances is 'One case running through a workflow. Sensitivity: phi.';
comment on column workflow_instances.workflow_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column workflow_instances.state is 'a state of the definition';
select kernel.record('workflow_instances');

-- Every step of a case, for audit
create table workflow_transitions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    instance_id uuid not null,
    transition text not null check (char_length(transition) <= 300),
    from_state text not null check (char_length(from_state) <= 300),
    to_state text not null check (char_length(to_state) <= 300),
    actor_id uuid references users (id),
    comment text check (char_length(comment) <= 4000),
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, instance_id) references workflow_instances (tenant_id, id)
);
create index workflow_transitions_occurred_at_id_idx on workflow_transitions (tenant_id, occurred_at, id);
create index workflow_transitions_instance_id_idx on workflow_transitions (tenant_id, instance_id);
create index workflow_transitions_actor_id_idx on workflow_transitions (tenant_id, actor_id);
comment on table workflow_transitions is 'Every step of a case, for audit. Sensitivity: business.';
select kernel.record('workflow_transitions');

-- References that waited for their target.
alter table tasks add foreign key (tenant_id, workflow_instance_id) references workflow_instances (tenant_id, id);
