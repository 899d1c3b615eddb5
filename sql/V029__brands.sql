-- V029  What a clinic shows to applications that look for it (SMART App Launch 2.2 §8). Expands only.

alter table tenant_branding
    add column is_listed boolean not null default false,
    add column aliases text[] not null default '{}' check (cardinality(aliases) <= 20),
    add column logo_url text check (char_length(logo_url) <= 2000);
comment on column tenant_branding.is_listed is 'in the public list of clinics that applications read; a clinic is in it by its own wish only';
comment on column tenant_branding.aliases is 'other names under which people look for the clinic';
comment on column tenant_branding.logo_url is 'where the logo is published, for that list';
