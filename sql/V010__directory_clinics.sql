-- V010  What a clinic shows of itself: profile, treatments, packages, certificates, images, reviews (catalogue §5). Expands only.

-- The public face of a clinic
create table clinic_profiles (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    headline text check (char_length(headline) <= 300),
    description text check (char_length(description) <= 4000),
    contact_email text check (char_length(contact_email) <= 300),
    contact_phone text check (char_length(contact_phone) <= 300),
    contact_address text check (char_length(contact_address) <= 300),
    website text check (char_length(website) <= 300),
    languages text[] not null default '{}',
    status text not null default 'DRAFT' check (status in ('DRAFT', 'PUBLISHED', 'HIDDEN')),
    published_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id)
);
create unique index clinic_profiles_tenant_key on clinic_profiles (tenant_id) nulls not distinct;
create index clinic_profiles_updated_at_id_idx on clinic_profiles (tenant_id, updated_at, id);
comment on table clinic_profiles is 'The public face of a clinic. Sensitivity: public.';
comment on column clinic_profiles.contact_email is 'masked until the booking is confirmed';
comment on column clinic_profiles.contact_phone is 'masked until the booking is confirmed';
comment on column clinic_profiles.contact_address is 'masked until the booking is confirmed';
select kernel.record('clinic_profiles');

-- A treatment a clinic offers
create table clinic_treatments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    description text check (char_length(description) <= 4000),
    category text check (char_length(category) <= 300),
    procedure_catalog_id uuid,
    price_from_minor bigint check (price_from_minor >= 0),
    price_to_minor bigint,
    currency text not null check (char_length(currency) <= 300),
    duration_minutes integer,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint clinic_treatments_price_to_minor_check2 check (price_to_minor >= price_from_minor),
    foreign key (tenant_id, procedure_catalog_id) references procedure_catalog (tenant_id, id)
);
create unique index clinic_treatments_name_key_key on clinic_treatments (tenant_id, name_key) nulls not distinct where deleted_at is null;
create index clinic_treatments_name_key_id_idx on clinic_treatments (tenant_id, name_key, id);
create index clinic_treatments_procedure_catalog_id_idx on clinic_treatments (tenant_id, procedure_catalog_id);
create index clinic_treatments_updated_at_id_idx on clinic_treatments (tenant_id, updated_at, id);
comment on table clinic_treatments is 'A treatment a clinic offers. Sensitivity: public.';
comment on column clinic_treatments.price_from_minor is 'unit: minor currency unit';
comment on column clinic_treatments.price_to_minor is 'unit: minor currency unit';
comment on column clinic_treatments.duration_minutes is 'unit: min';
select kernel.record('clinic_treatments');

-- A package of treatments at one price
create table clinic_packages (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    description text check (char_length(description) <= 4000),
    includes jsonb not null default '[]',
    price_minor bigint not null check (price_minor >= 0),
    currency text not null check (char_length(currency) <= 300),
    valid_from date,
    valid_until date,
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
create index clinic_packages_name_id_idx on clinic_packages (tenant_id, name, id);
comment on table clinic_packages is 'A package of treatments at one price. Sensitivity: public.';
comment on column clinic_packages.includes is 'clinic_treatment ids with quantities, and extras such as hotel or transfer';
comment on column clinic_packages.price_minor is 'unit: minor currency unit';
select kernel.record('clinic_packages');

-- Pictures for the profile
create table clinic_images (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    file_id uuid not null,
    caption text check (char_length(caption) <= 300),
    alt_text text check (char_length(alt_text) <= 4000),
    sort_order integer not null default 0,
    is_cover boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, file_id) references files (tenant_id, id)
);
create unique index clinic_images_tenant_key on clinic_images (tenant_id) nulls not distinct where is_cover and deleted_at is null;
create index clinic_images_sort_order_id_idx on clinic_images (tenant_id, sort_order, id);
create index clinic_images_file_id_idx on clinic_images (tenant_id, file_id);
comment on table clinic_images is 'Pictures for the profile. Sensitivity: public.';
select kernel.record('clinic_images');

-- A certificate or accreditation, as text or document
create table clinic_certifications (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    issuer text check (char_length(issuer) <= 2000),
    certificate_number text check (char_length(certificate_number) <= 300),
    issued_on date,
    expires_on date,
    document_id uuid,
    external_url text check (char_length(external_url) <= 2000),
    provider_id uuid,
    is_verified boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, provider_id) references providers (tenant_id, id)
);
create index clinic_certifications_document_id_idx on clinic_certifications (tenant_id, document_id);
create index clinic_certifications_provider_id_idx on clinic_certifications (tenant_id, provider_id);
create index clinic_certifications_updated_at_id_idx on clinic_certifications (tenant_id, updated_at, id);
comment on table clinic_certifications is 'A certificate or accreditation, as text or document. Sensitivity: public.';
select kernel.record('clinic_certifications');

-- A patient's review of a clinic, moderated
create table clinic_reviews (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    booking_id uuid,
    rating integer not null check (rating between 1 and 5),
    title text check (char_length(title) <= 300),
    body text check (char_length(body) <= 20000),
    display_name text check (char_length(display_name) <= 300),
    reply text check (char_length(reply) <= 300),
    status text not null default 'PENDING' check (status in ('PENDING', 'PUBLISHED', 'REJECTED', 'WITHDRAWN')),
    moderated_by uuid references users (id),
    moderated_at timestamptz,
    moderation_reason text check (char_length(moderation_reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index clinic_reviews_patient_id_booking_id_key on clinic_reviews (tenant_id, patient_id, booking_id) nulls not distinct;
create index clinic_reviews_status_created_at_idx on clinic_reviews (tenant_id, status, created_at);
create index clinic_reviews_rating_id_idx on clinic_reviews (tenant_id, rating, id);
create index clinic_reviews_booking_id_idx on clinic_reviews (tenant_id, booking_id);
create index clinic_reviews_moderated_by_idx on clinic_reviews (tenant_id, moderated_by);
comment on table clinic_reviews is 'A patient''s review of a clinic, moderated. Sensitivity: pii.';
comment on column clinic_reviews.patient_id is 'never shown in public answers';
comment on column clinic_reviews.booking_id is 'only after a confirmed booking';
select kernel.record('clinic_reviews');
