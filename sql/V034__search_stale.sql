-- V034  What records are searched by beside their columns follows the columns. Expands only.

-- A record that changed another way than over FHIR since its search values were made
create table search_stale (
    tenant_id uuid not null references tenants (id),
    id uuid not null default gen_random_uuid(),
    table_name text not null check (char_length(table_name) <= 63),
    record_id uuid not null,
    due_at timestamptz not null default now(),
    primary key (tenant_id, id)
);
create unique index search_stale_record_id_key on search_stale (tenant_id, record_id);
comment on table search_stale is 'A record whose search values are to be made anew. Sensitivity: business.';
comment on column search_stale.due_at is 'not before: later, where they could not be made';
