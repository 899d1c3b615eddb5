-- V022  What a tenant pays for the platform (catalogue §1, §14). Expands only.

-- Billing profile of a tenant
create table tenant_billing_accounts (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    invoicing_contact_name text not null check (char_length(invoicing_contact_name) <= 300),
    invoicing_contact_email text not null check (char_length(invoicing_contact_email) <= 300),
    billing_address jsonb not null,
    payment_method_token_enc bytea,
    payment_method_brand text check (char_length(payment_method_brand) <= 300),
    payment_method_last4 text check (char_length(payment_method_last4) <= 300),
    currency text not null check (char_length(currency) <= 300),
    tax_id_enc bytea,
    payment_terms_days integer not null default 14,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'ON_HOLD')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index tenant_billing_accounts_tenant_key on tenant_billing_accounts (tenant_id) nulls not distinct;
create index tenant_billing_accounts_status_id_idx on tenant_billing_accounts (tenant_id, status, id);
create index tenant_billing_accounts_updated_at_id_idx on tenant_billing_accounts (tenant_id, updated_at, id);
comment on table tenant_billing_accounts is 'Billing profile of a tenant. Sensitivity: pii.';
comment on column tenant_billing_accounts.invoicing_contact_name is 'sensitivity: pii';
comment on column tenant_billing_accounts.invoicing_contact_email is 'sensitivity: pii';
comment on column tenant_billing_accounts.payment_method_token_enc is 'sensitivity: secret; encrypted with the tenant''s column key';
comment on column tenant_billing_accounts.tax_id_enc is 'encrypted with the tenant''s column key';
select kernel.record('tenant_billing_accounts');

-- The platform's invoice to a tenant
create table invoices (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    billing_account_id uuid not null,
    invoice_number text not null check (char_length(invoice_number) <= 300),
    period_start date not null,
    period_end date not null constraint invoices_period_end_check2 check (period_end >= period_start),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'OPEN', 'PAID', 'OVERDUE', 'VOID', 'UNCOLLECTIBLE')),
    currency text not null check (char_length(currency) <= 300),
    subtotal_minor bigint not null default 0,
    tax_minor bigint not null default 0,
    total_amount_minor bigint not null default 0,
    due_date date,
    issued_at timestamptz,
    paid_at timestamptz,
    document_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, billing_account_id) references tenant_billing_accounts (tenant_id, id),
    foreign key (tenant_id, document_id) references documents (tenant_id, id)
);
create unique index invoices_period_start_period_end_key on invoices (tenant_id, period_start, period_end) nulls not distinct where status <> 'VOID';
create unique index invoices_invoice_number_key on invoices (tenant_id, invoice_number) nulls not distinct;
create index invoices_status_due_date_idx on invoices (tenant_id, status, due_date);
create index invoices_period_start_id_idx on invoices (tenant_id, period_start, id);
create index invoices_billing_account_id_idx on invoices (tenant_id, billing_account_id);
create index invoices_document_id_idx on invoices (tenant_id, document_id);
comment on table invoices is 'The platform''s invoice to a tenant. Sensitivity: business.';
comment on column invoices.subtotal_minor is 'unit: minor currency unit';
comment on column invoices.tax_minor is 'unit: minor currency unit';
comment on column invoices.total_amount_minor is 'unit: minor currency unit';
select kernel.record('invoices');

-- One line of a platform invoice
create table invoice_line_items (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    invoice_id uuid not null,
    kind text not null check (kind in ('SUBSCRIPTION', 'AI_OVERAGE', 'STORAGE_OVERAGE', 'SUPPORT', 'SEAT_OVERAGE', 'API_OVERAGE', 'CREDIT', 'TAX')),
    description text not null check (char_length(description) <= 4000),
    meter_id uuid,
    quantity double precision not null,
    unit_price_minor bigint not null,
    amount_minor bigint not null,
    currency text not null check (char_length(currency) <= 300),
    line_no integer not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, invoice_id) references invoices (tenant_id, id)
);
create unique index invoice_line_items_invoice_id_line_no_key on invoice_line_items (tenant_id, invoice_id, line_no) nulls not distinct;
create index invoice_line_items_line_no_id_idx on invoice_line_items (tenant_id, line_no, id);
create index invoice_line_items_meter_id_idx on invoice_line_items (tenant_id, meter_id);
comment on table invoice_line_items is 'One line of a platform invoice. Sensitivity: business.';
comment on column invoice_line_items.unit_price_minor is 'unit: minor currency unit';
comment on column invoice_line_items.amount_minor is 'unit: minor currency unit';
select kernel.record('invoice_line_items');

-- What is measured
create table usage_meters (
    id uuid not null primary key,
    code text not null check (code in ('AI_INFERENCES', 'STORAGE_GB', 'ACTIVE_USERS', 'API_CALLS')),
    name text not null check (char_length(name) <= 300),
    unit text not null check (char_length(unit) <= 300),
    aggregation text not null check (aggregation in ('SUM', 'MAX', 'LAST')),
    overage_prices jsonb not null default '{}' check (jsonb_typeof(overage_prices) = 'object'),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index usage_meters_code_key on usage_meters (code) nulls not distinct;
comment on table usage_meters is 'What is measured. Sensitivity: business.';
comment on column usage_meters.overage_prices is 'by currency, for one unit beyond what a plan includes; unit: minor currency unit';
select kernel.record('usage_meters');

-- Periodic aggregates per tenant and meter
create table usage_meter_readings (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    meter_id uuid not null references usage_meters (id),
    period_start timestamptz not null,
    period_end timestamptz not null constraint usage_meter_readings_period_end_check2 check (period_end > period_start),
    value double precision not null,
    included_value double precision,
    overage_value double precision not null default 0,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index usage_meter_readings_meter_id_period_start_period_end_key on usage_meter_readings (tenant_id, meter_id, period_start, period_end) nulls not distinct;
create index usage_meter_readings_period_start_id_idx on usage_meter_readings (tenant_id, period_start, id);
comment on table usage_meter_readings is 'Periodic aggregates per tenant and meter. Sensitivity: business.';
select kernel.record('usage_meter_readings');

-- Raw counts before aggregation
create table usage_events (
    tenant_id uuid not null,
    id uuid not null,
    meter_code text not null check (char_length(meter_code) <= 300),
    quantity double precision not null,
    source_id uuid not null,
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create unique index usage_events_meter_code_source_id_key on usage_events (tenant_id, meter_code, source_id) nulls not distinct;
create index usage_events_meter_code_occurred_at_idx on usage_events (tenant_id, meter_code, occurred_at);
comment on table usage_events is 'Raw counts before aggregation. Sensitivity: business.';

-- References that waited for their target.
alter table invoice_line_items add foreign key (meter_id) references usage_meters (id);
