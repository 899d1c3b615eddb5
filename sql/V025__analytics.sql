-- V025  Rollups and loads of the warehouse (catalogue §15). Expands only.

-- Daily figures per tenant and location for dashboards and reports
create table analytics_rollups (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    metric text not null check (metric in ('APPOINTMENTS', 'NO_SHOWS', 'NEW_PATIENTS', 'REFERRALS_OUT', 'REFERRALS_IN', 'PRODUCTION_MINOR', 'COLLECTIONS_MINOR', 'PLANS_PRESENTED', 'PLANS_ACCEPTED', 'AI_INFERENCES', 'AI_OVERRIDES', 'CLAIMS_SUBMITTED', 'CLAIMS_DENIED', 'STORAGE_BYTES')),
    day date not null,
    location_id uuid,
    provider_id uuid,
    value bigint not null,
    currency text check (char_length(currency) <= 300),
    computed_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
create unique index analytics_rollups_metric_day_location_id_provider_id_key on analytics_rollups (tenant_id, metric, day, location_id, provider_id) nulls not distinct;
create index analytics_rollups_day_id_idx on analytics_rollups (tenant_id, day, id);
create index analytics_rollups_location_id_idx on analytics_rollups (tenant_id, location_id);
create index analytics_rollups_provider_id_idx on analytics_rollups (tenant_id, provider_id);
comment on table analytics_rollups is 'Daily figures per tenant and location for dashboards and reports. Sensitivity: business.';

-- One incremental load into the warehouse
create table warehouse_loads (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    target text not null check (char_length(target) <= 300),
    from_change timestamptz not null,
    to_change timestamptz not null,
    row_count bigint not null,
    status text not null default 'RUNNING' check (status in ('RUNNING', 'SUCCEEDED', 'FAILED')),
    error_details text check (char_length(error_details) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
comment on table warehouse_loads is 'One incremental load into the warehouse. Sensitivity: business.';
