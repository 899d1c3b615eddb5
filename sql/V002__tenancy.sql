-- V002  Tenants, their settings, plans, places and teams (catalogue §1). Expands only.

-- An organisation: practice, group, DSO, academic site, payer, regulator, AI vendor or marketplace operator
create table tenants (
    id uuid not null primary key,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    slug text not null check (slug ~ '^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$'),
    type text not null check (type in ('SOLO_PRACTICE', 'GROUP_PRACTICE', 'DSO', 'ACADEMIC', 'PAYER', 'REGULATOR', 'AI_VENDOR', 'OTHER')),
    category text check (char_length(category) <= 300),
    parent_tenant_id uuid references tenants (id),
    root_tenant_id uuid not null references tenants (id),
    primary_region text not null default 'eu' check (char_length(primary_region) <= 300),
    partition_strategy text not null default 'ROW_LEVEL' check (partition_strategy in ('ROW_LEVEL', 'SCHEMA', 'DATABASE')),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'SUSPENDED', 'CLOSED')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    jurisdiction text not null check (jurisdiction ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$'),
    default_currency text not null check (default_currency ~ '^[A-Z]{3}$'),
    default_locale text not null default 'en' check (char_length(default_locale) <= 300),
    time_zone text not null check (time_zone ~ '^[A-Za-z][A-Za-z0-9_+/-]{1,63}$'),
    default_location_id uuid,
    legal_name text check (char_length(legal_name) <= 300),
    tax_id_enc bytea,
    is_marketplace_operator boolean not null default false,
    suspended_at timestamptz,
    closed_at timestamptz,
    purge_after timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index tenants_slug_key on tenants (slug) nulls not distinct;
create index tenants_status_idx on tenants (status);
create index tenants_root_tenant_id_status_idx on tenants (root_tenant_id, status);
create index tenants_is_active_idx on tenants (is_active);
create index tenants_name_key_id_idx on tenants (name_key, id);
create index tenants_created_at_id_idx on tenants (created_at, id);
create index tenants_parent_tenant_id_idx on tenants (parent_tenant_id);
create index tenants_default_location_id_idx on tenants (default_location_id);
comment on table tenants is 'An organisation: practice, group, DSO, academic site, payer, regulator, AI vendor or marketplace operator. Sensitivity: business.';
comment on column tenants.slug is 'short name of the tenant in addresses and configuration';
comment on column tenants.category is 'free kind, for example Holistic Medical Center';
comment on column tenants.parent_tenant_id is 'null for a root; no cycles';
comment on column tenants.root_tenant_id is 'root of the tree, the unit of placement';
comment on column tenants.primary_region is 'region group for data, replicas and backups';
comment on column tenants.jurisdiction is 'law that decides retention when a location names none';
comment on column tenants.default_location_id is 'composite reference (id, default_location_id) to locations (tenant_id, id); null only while a clinic is being set up';
comment on column tenants.tax_id_enc is 'encrypted with the tenant''s column key';
comment on column tenants.is_marketplace_operator is 'operator of a patient portal whose quotes go to other clinics';
comment on column tenants.purge_after is 'earliest moment the purge job may run';
select kernel.record('tenants');

-- Every ancestor and descendant pair of the tenant tree, for the group plane
create table tenant_closure (
    ancestor_id uuid not null references tenants (id),
    descendant_id uuid not null references tenants (id),
    depth integer not null check (depth >= 0)
);
create unique index tenant_closure_ancestor_id_descendant_id_key on tenant_closure (ancestor_id, descendant_id) nulls not distinct;
create index tenant_closure_descendant_id_ancestor_id_idx on tenant_closure (descendant_id, ancestor_id);
comment on table tenant_closure is 'Every ancestor and descendant pair of the tenant tree, for the group plane. Sensitivity: business.';

-- Configuration and preferences of one tenant, one row each
create table tenant_settings (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    data_residency_region text check (char_length(data_residency_region) <= 300),
    default_retention_years integer check (default_retention_years between 1 and 100),
    default_language text not null default 'en' check (char_length(default_language) <= 300),
    date_format text not null default 'YYYY-MM-DD' check (char_length(date_format) <= 300),
    tooth_system text not null default 'FDI' check (tooth_system in ('FDI', 'UNIVERSAL', 'PALMER')),
    strict_charting boolean not null default true,
    contact_visibility text not null default 'PUBLIC' check (contact_visibility in ('PUBLIC', 'AFTER_BOOKING')),
    deposit_rule text not null default 'NONE' check (deposit_rule in ('NONE', 'FIXED', 'PERCENT', 'FULL')),
    deposit_amount_minor bigint check (deposit_amount_minor >= 0),
    deposit_percent integer check (deposit_percent between 0 and 100),
    deposit_refundable boolean not null default true,
    booking_confirmation_requires_deposit boolean not null default true,
    require_ai_consent boolean not null default true,
    allow_training_use boolean not null default false,
    appointment_granularity_minutes integer not null default 15 check (appointment_granularity_minutes in (5, 10, 15)),
    booking_min_notice_minutes integer not null default 120,
    booking_max_horizon_days integer not null default 365 check (booking_max_horizon_days <= 730),
    slot_hold_minutes integer not null default 10,
    no_show_grace_minutes integer not null default 15,
    late_cancel_hours integer not null default 24,
    reminder_offsets_minutes integer[] not null default '{4320,1440}',
    quiet_hours_start time,
    quiet_hours_end time,
    referral_reminder_days integer not null default 7,
    perio_warn_depth_mm integer not null default 4,
    clinical_options jsonb not null default '{}',
    provider_overlap_policy text not null default 'WARN' check (provider_overlap_policy in ('FORBID', 'WARN', 'ALLOW')),
    session_idle_minutes integer not null default 15,
    require_mfa boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index tenant_settings_tenant_key on tenant_settings (tenant_id) nulls not distinct;
comment on table tenant_settings is 'Configuration and preferences of one tenant, one row each. Sensitivity: business.';
comment on column tenant_settings.data_residency_region is 'must equal or narrow tenants.primary_region';
comment on column tenant_settings.tooth_system is 'numbering shown to people; storage is always canonical FDI';
comment on column tenant_settings.strict_charting is 'off: doubtful surfaces are mapped and said so; on: refused';
comment on column tenant_settings.deposit_amount_minor is 'unit: minor currency unit';
comment on column tenant_settings.require_ai_consent is 'AI jobs are refused without an AI_ANALYSIS consent';
comment on column tenant_settings.reminder_offsets_minutes is 'before the start';
comment on column tenant_settings.perio_warn_depth_mm is 'unit: mm';
comment on column tenant_settings.clinical_options is 'other clinical workflow options, schema-checked';
select kernel.record('tenant_settings');

-- White-label look: logos, colours, sender names
create table tenant_branding (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    logo_file_id uuid,
    logo_dark_file_id uuid,
    favicon_file_id uuid,
    primary_color text check (primary_color ~ '^#[0-9a-fA-F]{6}$'),
    secondary_color text check (secondary_color ~ '^#[0-9a-fA-F]{6}$'),
    color_scheme jsonb not null default '{}',
    display_name text check (char_length(display_name) <= 300),
    email_sender_name text check (char_length(email_sender_name) <= 300),
    email_reply_to text check (char_length(email_reply_to) <= 300),
    custom_domain text check (char_length(custom_domain) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index tenant_branding_tenant_key on tenant_branding (tenant_id) nulls not distinct;
create unique index tenant_branding_custom_domain_key on tenant_branding (tenant_id, custom_domain) nulls not distinct;
create index tenant_branding_logo_file_id_idx on tenant_branding (tenant_id, logo_file_id);
create index tenant_branding_logo_dark_file_id_idx on tenant_branding (tenant_id, logo_dark_file_id);
create index tenant_branding_favicon_file_id_idx on tenant_branding (tenant_id, favicon_file_id);
comment on table tenant_branding is 'White-label look: logos, colours, sender names. Sensitivity: public.';
select kernel.record('tenant_branding');

-- E-mail and SMS texts of a tenant per event, channel and language
create table tenant_email_templates (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    template_key text not null check (char_length(template_key) <= 300),
    channel text not null default 'EMAIL' check (channel in ('EMAIL', 'SMS', 'IN_APP')),
    locale text not null default 'en' check (char_length(locale) <= 300),
    subject text check (char_length(subject) <= 300),
    body text not null check (char_length(body) <= 20000),
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
create unique index tenant_email_templates_template_key_channel_locale_key on tenant_email_templates (tenant_id, template_key, channel, locale) nulls not distinct where deleted_at is null;
create index tenant_email_templates_template_key_id_idx on tenant_email_templates (tenant_id, template_key, id);
comment on table tenant_email_templates is 'E-mail and SMS texts of a tenant per event, channel and language. Sensitivity: business.';
comment on column tenant_email_templates.template_key is 'event the text belongs to, for example REFERRAL_ACCEPTED';
select kernel.record('tenant_email_templates');

-- Catalogue of commercial plans
create table subscription_plans (
    id uuid not null primary key,
    code text not null check (char_length(code) <= 300),
    name text not null check (char_length(name) <= 300),
    description text check (char_length(description) <= 4000),
    price_per_month_minor bigint check (price_per_month_minor >= 0),
    price_per_year_minor bigint check (price_per_year_minor >= 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    included_ai_calls bigint check (included_ai_calls >= 0),
    included_seats integer check (included_seats >= 0),
    included_storage_bytes bigint check (included_storage_bytes >= 0),
    included_api_rate_per_minute integer,
    included_features text[] not null default '{}',
    trial_days integer not null default 0,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'RETIRED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index subscription_plans_code_key on subscription_plans (code) nulls not distinct;
create index subscription_plans_code_id_idx on subscription_plans (code, id);
comment on table subscription_plans is 'Catalogue of commercial plans. Sensitivity: public.';
comment on column subscription_plans.price_per_month_minor is 'null: on request; unit: minor currency unit';
comment on column subscription_plans.price_per_year_minor is 'unit: minor currency unit';
comment on column subscription_plans.included_ai_calls is 'per month; null = unlimited';
comment on column subscription_plans.included_seats is 'null = unlimited';
comment on column subscription_plans.included_storage_bytes is 'null = unlimited; unit: bytes';
select kernel.record('subscription_plans');

-- A tenant's subscription to a plan over time
create table tenant_subscriptions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    plan_id uuid not null references subscription_plans (id),
    start_at timestamptz not null,
    end_at timestamptz constraint tenant_subscriptions_end_at_check2 check (end_at > start_at),
    status text not null default 'ACTIVE' check (status in ('TRIALING', 'ACTIVE', 'PAST_DUE', 'CANCELLED', 'EXPIRED')),
    billing_cycle text not null default 'MONTHLY' check (billing_cycle in ('MONTHLY', 'YEARLY')),
    is_trial boolean not null default false,
    trial_ends_at timestamptz,
    auto_renew boolean not null default true,
    seats integer check (seats >= 1),
    cancelled_at timestamptz,
    cancel_reason text check (char_length(cancel_reason) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index tenant_subscriptions_tenant_key on tenant_subscriptions (tenant_id) nulls not distinct where status in ('TRIALING','ACTIVE','PAST_DUE');
create index tenant_subscriptions_start_at_id_idx on tenant_subscriptions (tenant_id, start_at, id);
create index tenant_subscriptions_plan_id_idx on tenant_subscriptions (tenant_id, plan_id);
comment on table tenant_subscriptions is 'A tenant''s subscription to a plan over time. Sensitivity: business.';
select kernel.record('tenant_subscriptions');

-- Capability flags of a tenant
create table tenant_features (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    feature_code text not null check (char_length(feature_code) <= 300),
    is_enabled boolean not null default true,
    source text not null default 'PLAN' check (source in ('PLAN', 'GRANT', 'TRIAL')),
    valid_from timestamptz,
    valid_until timestamptz constraint tenant_features_valid_until_check2 check (valid_until > valid_from),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create unique index tenant_features_feature_code_key on tenant_features (tenant_id, feature_code) nulls not distinct where deleted_at is null;
create index tenant_features_feature_code_id_idx on tenant_features (tenant_id, feature_code, id);
comment on table tenant_features is 'Capability flags of a tenant. Sensitivity: business.';
select kernel.record('tenant_features');

-- Limits of a tenant, one row each; null means unlimited
create table tenant_quotas (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    max_users integer check (max_users >= 0),
    max_locations integer check (max_locations >= 0),
    max_patients integer check (max_patients >= 0),
    max_storage_bytes bigint check (max_storage_bytes >= 0),
    max_ai_inferences_per_month bigint check (max_ai_inferences_per_month >= 0),
    api_rate_limit_per_minute integer check (api_rate_limit_per_minute >= 1),
    max_webhook_subscriptions integer,
    max_file_bytes bigint,
    hard_limit boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index tenant_quotas_tenant_key on tenant_quotas (tenant_id) nulls not distinct;
comment on table tenant_quotas is 'Limits of a tenant, one row each; null means unlimited. Sensitivity: business.';
comment on column tenant_quotas.max_storage_bytes is 'unit: bytes';
comment on column tenant_quotas.max_file_bytes is 'unit: bytes';
comment on column tenant_quotas.hard_limit is 'off: overage is billed instead of refused';
select kernel.record('tenant_quotas');

-- A physical or virtual site of a tenant
create table locations (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    kind text not null default 'CLINIC' check (kind in ('CLINIC', 'TEACHING_CLINIC', 'RESEARCH_UNIT', 'MOBILE', 'VIRTUAL')),
    address_line1 text check (char_length(address_line1) <= 300),
    address_line2 text check (char_length(address_line2) <= 300),
    city text check (char_length(city) <= 300),
    region text check (char_length(region) <= 300),
    postal_code text check (char_length(postal_code) <= 300),
    country text not null check (country ~ '^[A-Z]{2}$'),
    phone text check (phone ~ '^\+[1-9][0-9]{6,14}$'),
    email text check (char_length(email) <= 254),
    time_zone text not null check (time_zone ~ '^[A-Za-z][A-Za-z0-9_+/-]{1,63}$'),
    jurisdiction text check (char_length(jurisdiction) <= 300),
    latitude double precision,
    longitude double precision,
    npi text check (kernel.is_npi(npi) and char_length(npi) <= 300),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'SUSPENDED', 'CLOSED')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id)
);
create index locations_name_key_id_idx on locations (tenant_id, name_key, id);
create index locations_updated_at_id_idx on locations (tenant_id, updated_at, id);
comment on table locations is 'A physical or virtual site of a tenant. Sensitivity: public.';
comment on column locations.kind is 'physical or virtual sites: clinics, teaching clinics, research units';
select kernel.record('locations');
create trigger within_quota before insert on locations for each row when (new.deleted_at is null and new.status <> 'CLOSED')
    execute function sec.within_quota('max_locations');

-- A chair or room of a location that an appointment occupies
create table operatories (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    location_id uuid not null,
    name text not null check (char_length(name) <= 300),
    short_code text check (char_length(short_code) <= 300),
    kind text not null default 'GENERAL' check (kind in ('GENERAL', 'HYGIENE', 'SURGERY', 'ORTHO', 'IMAGING', 'CONSULT', 'VIRTUAL')),
    sort_order integer not null default 0,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'OUT_OF_SERVICE', 'RETIRED')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
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
create unique index operatories_location_id_name_key on operatories (tenant_id, location_id, name) nulls not distinct where deleted_at is null;
create index operatories_sort_order_id_idx on operatories (tenant_id, sort_order, id);
create index operatories_name_id_idx on operatories (tenant_id, name, id);
create index operatories_location_id_idx on operatories (tenant_id, location_id);
create index operatories_updated_at_id_idx on operatories (tenant_id, updated_at, id);
comment on table operatories is 'A chair or room of a location that an appointment occupies. Sensitivity: business.';
select kernel.record('operatories');

-- A logical group of people inside a tenant
create table teams (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    kind text not null check (char_length(kind) <= 300),
    description text check (char_length(description) <= 4000),
    location_id uuid,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'INACTIVE')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
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
create unique index teams_name_key on teams (tenant_id, name) nulls not distinct where deleted_at is null;
create index teams_name_key_id_idx on teams (tenant_id, name_key, id);
create index teams_location_id_idx on teams (tenant_id, location_id);
comment on table teams is 'A logical group of people inside a tenant. Sensitivity: business.';
select kernel.record('teams');

-- Where a root tenant's rows live: database, schema, region
create table tenant_placements (
    id uuid not null primary key,
    root_tenant_id uuid not null references tenants (id),
    strategy text not null default 'ROW_LEVEL' check (strategy in ('ROW_LEVEL', 'SCHEMA', 'DATABASE')),
    region text not null check (char_length(region) <= 300),
    database_name text not null check (char_length(database_name) <= 300),
    schema_name text not null default 'enamel' check (char_length(schema_name) <= 300),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'MOVING', 'READ_ONLY')),
    schema_version integer not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index tenant_placements_root_tenant_id_key on tenant_placements (root_tenant_id) nulls not distinct;
comment on table tenant_placements is 'Where a root tenant''s rows live: database, schema, region. Sensitivity: business.';
select kernel.record('tenant_placements');

-- One online move of a tenant tree to another database or schema, with verification and cut-over
create table tenant_moves (
    id uuid not null primary key,
    root_tenant_id uuid not null references tenants (id),
    from_strategy text not null check (from_strategy in ('ROW_LEVEL', 'SCHEMA', 'DATABASE')),
    to_strategy text not null check (to_strategy in ('ROW_LEVEL', 'SCHEMA', 'DATABASE')),
    target_database text not null check (char_length(target_database) <= 300),
    target_schema text check (char_length(target_schema) <= 300),
    status text not null default 'PLANNED' check (status in ('PLANNED', 'COPYING', 'VERIFYING', 'CUT_OVER', 'COMPLETED', 'FAILED', 'ROLLED_BACK')),
    rows_copied bigint not null default 0,
    rows_verified bigint not null default 0,
    checksum text check (char_length(checksum) <= 300),
    started_at timestamptz,
    cut_over_at timestamptz,
    completed_at timestamptz,
    error_details text check (char_length(error_details) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create index tenant_moves_root_tenant_id_idx on tenant_moves (root_tenant_id);
comment on table tenant_moves is 'One online move of a tenant tree to another database or schema, with verification and cut-over. Sensitivity: business.';
select kernel.record('tenant_moves');

alter table tenants add foreign key (id, default_location_id) references locations (tenant_id, id);

-- The tree of tenants: the root follows the parent, a cycle is refused, the closure follows every change.
create function kernel.plant_tenant() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'UPDATE' and new.parent_tenant_id is not distinct from old.parent_tenant_id then return new; end if;
    if new.parent_tenant_id is null then new.root_tenant_id := new.id; return new; end if;
    if exists (select from enamel.tenant_closure where ancestor_id = new.id and descendant_id = new.parent_tenant_id)
       or new.parent_tenant_id = new.id then
        raise exception 'a tenant cannot stand below itself' using errcode = '23514', constraint = 'tenants_parent_tenant_id_check';
    end if;
    select t.root_tenant_id into new.root_tenant_id from enamel.tenants t where t.id = new.parent_tenant_id;
    return new;
end $$;
alter function kernel.plant_tenant() owner to enamel_sec;
create trigger plant_tenant before insert or update on tenants for each row execute function kernel.plant_tenant();

create function kernel.close_tree() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        insert into enamel.tenant_closure (ancestor_id, descendant_id, depth) values (new.id, new.id, 0);
        insert into enamel.tenant_closure (ancestor_id, descendant_id, depth)
        select c.ancestor_id, new.id, c.depth + 1 from enamel.tenant_closure c where c.descendant_id = new.parent_tenant_id;
    elsif new.parent_tenant_id is distinct from old.parent_tenant_id then
        delete from enamel.tenant_closure c using enamel.tenant_closure below
         where below.ancestor_id = new.id and c.descendant_id = below.descendant_id
           and not exists (select from enamel.tenant_closure w where w.ancestor_id = new.id and w.descendant_id = c.ancestor_id);
        insert into enamel.tenant_closure (ancestor_id, descendant_id, depth)
        select above.ancestor_id, below.descendant_id, above.depth + below.depth + 1
          from enamel.tenant_closure above cross join enamel.tenant_closure below
         where above.descendant_id = new.parent_tenant_id and below.ancestor_id = new.id;
        update enamel.tenants t set root_tenant_id = new.root_tenant_id
          from enamel.tenant_closure c
         where c.ancestor_id = new.id and c.descendant_id = t.id and t.id <> new.id;
    end if;
    return null;
end $$;
alter function kernel.close_tree() owner to enamel_sec;
create trigger close_tree after insert or update of parent_tenant_id on tenants for each row execute function kernel.close_tree();

create view billing_plans with (security_invoker = true) as
    select p.id, p.code, p.name, p.price_per_month_minor, p.price_per_year_minor, p.currency, p.included_ai_calls,
           p.included_seats, p.included_storage_bytes from subscription_plans p;
