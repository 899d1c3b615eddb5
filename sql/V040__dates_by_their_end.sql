-- V040  What is asked for since a day is bounded by when it ends, as what is asked for until a day by when it starts. Expands only.

create index search_values_ends_at_idx on search_values (tenant_id, param, ends_at) where ends_at is not null;
create index clinical_search_values_tenant_id_param_ends_at_idx on clinical_search_values (tenant_id, param, ends_at)
    where ends_at is not null;
