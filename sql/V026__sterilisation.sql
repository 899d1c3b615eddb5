-- V026  The steriliser's log: which cycle the instruments of a visit came from (catalogue §10.14). Expands only.

-- One run of a steriliser, with what its indicators said
create table sterilisation_cycles (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    location_id uuid not null,
    steriliser text not null check (char_length(steriliser) <= 300),
    cycle_no integer not null check (cycle_no >= 1),
    program text not null check (char_length(program) <= 300),
    started_at timestamptz not null,
    ended_at timestamptz,
    temperature_c double precision check (temperature_c between 0 and 300),
    result text not null check (result in ('PASSED', 'FAILED', 'ABORTED')),
    load text check (char_length(load) <= 4000),
    released_by uuid references users (id),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, location_id) references locations (tenant_id, id),
    constraint sterilisation_cycles_ended_at_check check (ended_at >= started_at),
    constraint sterilisation_cycles_released_by_check check (released_by is null or result = 'PASSED')
);
create unique index sterilisation_cycles_cycle_key on sterilisation_cycles (tenant_id, location_id, steriliser, cycle_no);
create index sterilisation_cycles_started_at_id_idx on sterilisation_cycles (tenant_id, started_at, id);
create index sterilisation_cycles_released_by_idx on sterilisation_cycles (tenant_id, released_by);
comment on table sterilisation_cycles is 'One run of a steriliser, with what its indicators said. Sensitivity: business.';
comment on column sterilisation_cycles.temperature_c is 'unit: Cel';
comment on column sterilisation_cycles.released_by is 'who let the load be used; of a passed cycle only';
select kernel.record('sterilisation_cycles');
