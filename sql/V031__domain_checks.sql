-- V029  Proven domains are looked up again. Expands only.

-- When a proven domain was looked up last, and how often its record was missing since it was there
create table domain_checks (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    provider_id uuid not null,
    domain text not null check (char_length(domain) <= 253),
    misses integer not null default 0,
    checked_at timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, provider_id) references identity_providers (tenant_id, id)
);
create unique index domain_checks_provider_id_domain_key on domain_checks (tenant_id, provider_id, domain);
comment on table domain_checks is 'When a proven domain was looked up last. Sensitivity: business.';
comment on column domain_checks.misses is 'how often its record was missing since it was last there';
