-- V006  Patients, family, portal accounts, insurance policies (catalogue §4, §14.01–14.02). Expands only.

-- A person receiving care in a tenant
create table patients (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    first_name text check (char_length(first_name) <= 300),
    first_name_key text collate "C" generated always as (kernel.fold(first_name)) stored,
    last_name text not null check (char_length(last_name) <= 300),
    last_name_key text collate "C" not null generated always as (kernel.fold(last_name)) stored,
    middle_name text check (char_length(middle_name) <= 300),
    name_prefix text check (char_length(name_prefix) <= 300),
    name_suffix text check (char_length(name_suffix) <= 300),
    full_name text not null generated always as (kernel.join_name(name_prefix, first_name, middle_name, last_name, name_suffix)) stored,
    name_needs_review boolean not null default false,
    dob date check (dob between date '1870-01-01' and date '2200-01-01'),
    administrative_gender text check (administrative_gender in ('MALE', 'FEMALE', 'OTHER', 'UNKNOWN')),
    sex_at_birth text check (sex_at_birth in ('MALE', 'FEMALE', 'INTERSEX', 'UNKNOWN')),
    gender_identity text check (char_length(gender_identity) <= 300),
    contact_email text check (char_length(contact_email) <= 300),
    contact_email_key text collate "C" generated always as (kernel.fold(contact_email)) stored,
    phone_mobile text check (phone_mobile ~ '^\+[1-9][0-9]{6,14}$'),
    phone_home text check (phone_home ~ '^\+[1-9][0-9]{6,14}$'),
    preferred_language text check (preferred_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    preferred_contact_method text check (preferred_contact_method in ('EMAIL', 'SMS', 'PHONE', 'POST', 'PORTAL')),
    primary_location_id uuid,
    primary_provider_id uuid,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'INACTIVE', 'DECEASED')),
    is_active boolean not null generated always as (status = 'ACTIVE') stored,
    base_medical_history_enc bytea,
    deceased_at timestamptz,
    external_ref text check (char_length(external_ref) <= 300),
    merged_into_id uuid,
    needs_identity_check boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, primary_location_id) references locations (tenant_id, id),
    foreign key (tenant_id, primary_provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, merged_into_id) references patients (tenant_id, id)
);
create unique index patients_external_ref_key on patients (tenant_id, external_ref) nulls not distinct where external_ref is not null and deleted_at is null;
create index patients_last_name_key_dob_idx on patients (tenant_id, last_name_key, dob);
create index patients_is_active_idx on patients (tenant_id, is_active) where deleted_at is null;
create index patients_status_id_idx on patients (tenant_id, status, id);
create index patients_last_name_key_id_idx on patients (tenant_id, last_name_key, id);
create index patients_dob_id_idx on patients (tenant_id, dob, id);
create index patients_created_at_id_idx on patients (tenant_id, created_at, id);
create index patients_first_name_key_idx on patients (tenant_id, first_name_key);
create index patients_contact_email_key_idx on patients (tenant_id, contact_email_key);
create index patients_phone_mobile_idx on patients (tenant_id, phone_mobile);
create index patients_phone_home_idx on patients (tenant_id, phone_home);
create index patients_primary_location_id_idx on patients (tenant_id, primary_location_id);
create index patients_primary_provider_id_idx on patients (tenant_id, primary_provider_id);
create index patients_merged_into_id_idx on patients (tenant_id, merged_into_id);
create index patients_updated_at_id_idx on patients (tenant_id, updated_at, id);
comment on table patients is 'A person receiving care in a tenant. Sensitivity: phi.';
comment on column patients.first_name is 'sensitivity: phi';
comment on column patients.last_name is 'sensitivity: phi';
comment on column patients.middle_name is 'sensitivity: phi';
comment on column patients.name_prefix is 'sensitivity: phi';
comment on column patients.name_suffix is 'sensitivity: phi';
comment on column patients.full_name is 'sensitivity: phi';
comment on column patients.name_needs_review is 'set when an import had one name only';
comment on column patients.dob is 'sensitivity: phi';
comment on column patients.administrative_gender is 'sensitivity: phi';
comment on column patients.sex_at_birth is 'sensitivity: phi';
comment on column patients.gender_identity is 'sensitivity: phi';
comment on column patients.contact_email is 'sensitivity: pii';
comment on column patients.phone_mobile is 'sensitivity: pii';
comment on column patients.phone_home is 'sensitivity: pii';
comment on column patients.base_medical_history_enc is 'sensitivity: phi; encrypted with the tenant''s column key';
comment on column patients.deceased_at is 'sensitivity: phi';
comment on column patients.external_ref is 'identifier in the source system; other ids live in external_ids';
comment on column patients.needs_identity_check is 'made by a referral or import, not yet confirmed by a person';
select kernel.record('patients', patient => 'id');
create trigger within_quota before insert on patients for each row when (new.deleted_at is null)
    execute function sec.within_quota('max_patients');

-- An identifier of a patient in some system
create table patient_identifiers (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    system text not null check (system in ('INTERNAL', 'MRN', 'INSURANCE_MEMBER', 'NATIONAL_ID', 'DSO_GLOBAL_ID')),
    system_uri text check (char_length(system_uri) <= 2000),
    value_enc bytea not null,
    value_bidx bytea not null,
    value_last4 text check (char_length(value_last4) <= 300),
    is_primary boolean not null default false,
    issuer text check (char_length(issuer) <= 2000),
    valid_from date,
    valid_until date constraint patient_identifiers_valid_until_check2 check (valid_until >= valid_from),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index patient_identifiers_system_value_bidx_key on patient_identifiers (tenant_id, system, system_uri, value_bidx) nulls not distinct where deleted_at is null and system in ('INTERNAL','MRN','NATIONAL_ID');
create unique index patient_identifiers_patient_id_system_key on patient_identifiers (tenant_id, patient_id, system) nulls not distinct where is_primary and deleted_at is null;
create index patient_identifiers_patient_id_idx on patient_identifiers (tenant_id, patient_id);
create index patient_identifiers_value_bidx_idx on patient_identifiers (tenant_id, value_bidx);
comment on table patient_identifiers is 'An identifier of a patient in some system. Sensitivity: phi.';
comment on column patient_identifiers.system_uri is 'FHIR identifier system';
comment on column patient_identifiers.value_enc is 'NATIONAL_ID always encrypted; looked up by blind index; sensitivity: phi; encrypted with the tenant''s column key';
comment on column patient_identifiers.value_last4 is 'shown in lists';
select kernel.record('patient_identifiers', parent => 'patients', parent_column => 'patient_id', born => true);

-- A physical or mailing address of a patient
create table patient_addresses (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    kind text not null default 'BOTH' check (kind in ('PHYSICAL', 'MAILING', 'BOTH')),
    use text not null default 'HOME' check (use in ('HOME', 'WORK', 'TEMP', 'OLD')),
    line1 text not null check (char_length(line1) <= 300),
    line2 text check (char_length(line2) <= 300),
    city text check (char_length(city) <= 300),
    region text check (char_length(region) <= 300),
    postal_code text check (char_length(postal_code) <= 300),
    country text check (country ~ '^[A-Z]{2}$'),
    is_primary boolean not null default false,
    valid_from date,
    valid_until date,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index patient_addresses_patient_id_key on patient_addresses (tenant_id, patient_id) nulls not distinct where is_primary and deleted_at is null;
create index patient_addresses_patient_id_idx on patient_addresses (tenant_id, patient_id);
comment on table patient_addresses is 'A physical or mailing address of a patient. Sensitivity: phi.';
comment on column patient_addresses.line1 is 'sensitivity: phi';
comment on column patient_addresses.line2 is 'sensitivity: phi';
comment on column patient_addresses.city is 'sensitivity: phi';
comment on column patient_addresses.region is 'sensitivity: phi';
comment on column patient_addresses.postal_code is 'sensitivity: phi';
select kernel.record('patient_addresses', parent => 'patients', parent_column => 'patient_id', born => true);

-- A person who is no patient: relative, guardian, emergency contact
create table external_contacts (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    full_name text not null check (char_length(full_name) <= 300),
    full_name_key text collate "C" not null generated always as (kernel.fold(full_name)) stored,
    phone text check (char_length(phone) <= 300),
    email text check (char_length(email) <= 254),
    address text check (char_length(address) <= 4000),
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create index external_contacts_full_name_key_id_idx on external_contacts (tenant_id, full_name_key, id);
create index external_contacts_patient_id_idx on external_contacts (tenant_id, patient_id);
comment on table external_contacts is 'A person who is no patient: relative, guardian, emergency contact. Sensitivity: pii.';
comment on column external_contacts.patient_id is 'the patient this contact belongs to';
comment on column external_contacts.full_name is 'sensitivity: pii';
comment on column external_contacts.phone is 'sensitivity: pii';
comment on column external_contacts.email is 'sensitivity: pii';
comment on column external_contacts.address is 'sensitivity: pii';
select kernel.record('external_contacts');

-- Family and guardian relations between a patient and another patient or contact
create table patient_relationships (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    related_patient_id uuid,
    external_contact_id uuid,
    relationship_type text not null check (relationship_type in ('SPOUSE', 'CHILD', 'GUARDIAN', 'EMERGENCY_CONTACT', 'PARENT', 'OTHER')),
    is_legal_guardian boolean not null default false,
    valid_from date,
    valid_until date,
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint patient_relationships_related_patient_id_check2 check (num_nonnulls(related_patient_id, external_contact_id) = 1),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, related_patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, external_contact_id) references external_contacts (tenant_id, id)
);
create unique index patient_relationships_patient_id_related_patient_id__key on patient_relationships (tenant_id, patient_id, related_patient_id, relationship_type) nulls not distinct where deleted_at is null and related_patient_id is not null;
create unique index patient_relationships_patient_id_external_contact_id_key on patient_relationships (tenant_id, patient_id, external_contact_id, relationship_type) nulls not distinct where deleted_at is null and external_contact_id is not null;
create index patient_relationships_patient_id_idx on patient_relationships (tenant_id, patient_id);
create index patient_relationships_related_patient_id_idx on patient_relationships (tenant_id, related_patient_id);
create index patient_relationships_external_contact_id_idx on patient_relationships (tenant_id, external_contact_id);
create index patient_relationships_updated_at_id_idx on patient_relationships (tenant_id, updated_at, id);
comment on table patient_relationships is 'Family and guardian relations between a patient and another patient or contact. Sensitivity: phi.';
select kernel.record('patient_relationships');

-- The link between a login and a patient in a tenant
create table patient_portal_accounts (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    user_id uuid not null references users (id),
    status text not null default 'INVITED' check (status in ('INVITED', 'ACTIVE', 'SUSPENDED', 'CLOSED')),
    email_key text check (char_length(email_key) <= 300),
    activated_at timestamptz,
    closed_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index patient_portal_accounts_patient_id_key on patient_portal_accounts (tenant_id, patient_id) nulls not distinct where status in ('INVITED','ACTIVE','SUSPENDED');
create unique index patient_portal_accounts_user_id_key on patient_portal_accounts (tenant_id, user_id) nulls not distinct where status in ('INVITED','ACTIVE','SUSPENDED');
create unique index patient_portal_accounts_email_key_key on patient_portal_accounts (tenant_id, email_key) nulls not distinct where status = 'ACTIVE';
create index patient_portal_accounts_user_id_tenant_idx on patient_portal_accounts (user_id, tenant_id);
create index patient_portal_accounts_patient_id_idx on patient_portal_accounts (tenant_id, patient_id);
create index patient_portal_accounts_user_id_idx on patient_portal_accounts (tenant_id, user_id);
comment on table patient_portal_accounts is 'The link between a login and a patient in a tenant. Sensitivity: pii.';
comment on column patient_portal_accounts.email_key is 'folded e-mail at activation, unique per tenant';
select kernel.record('patient_portal_accounts');

-- Permission of a family member or guardian to act for a patient, scoped and expiring
create table patient_proxies (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    user_id uuid not null references users (id),
    relationship text not null check (relationship in ('PARENT', 'SPOUSE', 'CHILD', 'GUARDIAN', 'OTHER')),
    relationship_id uuid,
    scopes text[] not null default '{appointments,messages}' check (scopes <@ array['appointments','messages','billing','plans','clinical','documents','imaging','manage_consents']),
    status text not null default 'PENDING' check (status in ('PENDING', 'ACTIVE', 'REVOKED', 'EXPIRED')),
    granted_by text not null check (granted_by in ('PATIENT', 'GUARDIAN', 'CLINIC')),
    evidence_document_id uuid,
    valid_from timestamptz not null,
    valid_until timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, relationship_id) references patient_relationships (tenant_id, id)
);
create unique index patient_proxies_user_id_patient_id_key on patient_proxies (tenant_id, user_id, patient_id) nulls not distinct where status in ('PENDING','ACTIVE');
create index patient_proxies_valid_until_idx on patient_proxies (tenant_id, valid_until);
create index patient_proxies_user_id_tenant_idx on patient_proxies (user_id, tenant_id);
create index patient_proxies_status_id_idx on patient_proxies (tenant_id, status, id);
create index patient_proxies_patient_id_idx on patient_proxies (tenant_id, patient_id);
create index patient_proxies_user_id_idx on patient_proxies (tenant_id, user_id);
create index patient_proxies_relationship_id_idx on patient_proxies (tenant_id, relationship_id);
create index patient_proxies_evidence_document_id_idx on patient_proxies (tenant_id, evidence_document_id);
comment on table patient_proxies is 'Permission of a family member or guardian to act for a patient, scoped and expiring. Sensitivity: phi.';
comment on column patient_proxies.valid_until is 'a parent''s grant ends at the age of majority unless renewed';
select kernel.record('patient_proxies');

-- Who acts for whom, in the words of one requirement text: open proxies
create view family_members with (security_invoker = true) as
    select p.tenant_id, p.id, p.user_id, p.patient_id, p.relationship from patient_proxies p where p.status in ('PENDING', 'ACTIVE');

-- An insurer or public payer
create table payers (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    name_key text collate "C" not null generated always as (kernel.fold(name)) stored,
    payer_tenant_id uuid references tenants (id),
    payer_identifier text check (char_length(payer_identifier) <= 300),
    kind text not null default 'COMMERCIAL' check (kind in ('COMMERCIAL', 'PUBLIC', 'DISCOUNT_PLAN', 'SELF_PAY', 'OTHER')),
    country text check (char_length(country) <= 300),
    claims_address text check (char_length(claims_address) <= 4000),
    phone text check (char_length(phone) <= 300),
    eligibility_supported boolean not null default false,
    claim_format text not null default 'X12_837D' check (claim_format in ('X12_837D', 'FHIR', 'PAPER', 'PORTAL')),
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'INACTIVE')),
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
create unique index payers_payer_identifier_key on payers (tenant_id, payer_identifier) nulls not distinct where deleted_at is null and payer_identifier is not null;
create index payers_name_key_id_idx on payers (tenant_id, name_key, id);
create index payers_payer_tenant_id_idx on payers (tenant_id, payer_tenant_id);
create index payers_updated_at_id_idx on payers (tenant_id, updated_at, id);
comment on table payers is 'An insurer or public payer. Sensitivity: business.';
comment on column payers.payer_tenant_id is 'when the payer is itself a tenant of type PAYER';
comment on column payers.payer_identifier is 'electronic payer id';
select kernel.record('payers');

-- A patient's insurance cover
create table patient_insurance_policies (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    payer_tenant_id uuid,
    payer_id uuid,
    plan_name text check (char_length(plan_name) <= 300),
    policy_number_enc bytea not null,
    policy_number_bidx bytea not null,
    group_number text check (char_length(group_number) <= 300),
    coverage_start date,
    coverage_end date constraint patient_insurance_policies_coverage_end_check2 check (coverage_end >= coverage_start),
    coverage_order text not null default 'PRIMARY' check (coverage_order in ('PRIMARY', 'SECONDARY', 'TERTIARY')),
    subscriber_relationship text not null default 'SELF' check (subscriber_relationship in ('SELF', 'SPOUSE', 'CHILD', 'OTHER')),
    subscriber_name text check (char_length(subscriber_name) <= 300),
    subscriber_dob date,
    annual_maximum_minor bigint,
    deductible_minor bigint,
    currency text not null check (char_length(currency) <= 300),
    benefit_rules jsonb not null default '{}',
    card_file_id uuid,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'CANCELLED', 'DRAFT')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (payer_tenant_id, payer_id) references payers (tenant_id, id),
    constraint patient_insurance_policies_payer_id_check2 check (payer_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001'))
);
create unique index patient_insurance_policies_patient_id_coverage_order_key on patient_insurance_policies (tenant_id, patient_id, coverage_order) nulls not distinct where status = 'ACTIVE' and deleted_at is null;
create index patient_insurance_policies_status_id_idx on patient_insurance_policies (tenant_id, status, id);
create index patient_insurance_policies_patient_id_idx on patient_insurance_policies (tenant_id, patient_id);
create index patient_insurance_policies_payer_tenant_id_payer_id_idx on patient_insurance_policies (tenant_id, payer_tenant_id, payer_id);
create index patient_insurance_policies_payer_id_idx on patient_insurance_policies (tenant_id, payer_id);
create index patient_insurance_policies_coverage_end_idx on patient_insurance_policies (tenant_id, coverage_end);
create index patient_insurance_policies_policy_number_bidx_idx on patient_insurance_policies (tenant_id, policy_number_bidx);
create index patient_insurance_policies_card_file_id_idx on patient_insurance_policies (tenant_id, card_file_id);
create index patient_insurance_policies_updated_at_id_idx on patient_insurance_policies (tenant_id, updated_at, id);
comment on table patient_insurance_policies is 'A patient''s insurance cover. Sensitivity: phi.';
comment on column patient_insurance_policies.payer_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column patient_insurance_policies.policy_number_enc is 'sensitivity: phi; encrypted with the tenant''s column key';
comment on column patient_insurance_policies.coverage_order is 'primary or secondary flag';
comment on column patient_insurance_policies.subscriber_name is 'sensitivity: phi';
comment on column patient_insurance_policies.subscriber_dob is 'sensitivity: phi';
comment on column patient_insurance_policies.annual_maximum_minor is 'unit: minor currency unit';
comment on column patient_insurance_policies.deductible_minor is 'unit: minor currency unit';
comment on column patient_insurance_policies.benefit_rules is 'percentages, waiting, frequency, missing-tooth clause, downgrade';
select kernel.record('patient_insurance_policies');

alter table oauth_authorizations add foreign key (tenant_id, patient_id) references patients (tenant_id, id);

-- The portal login's e-mail, folded: unique among active accounts of a tenant (C03).
create function kernel.portal_email() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    select u.email_key into new.email_key from enamel.users u where u.id = new.user_id;
    return new;
end $$;
create trigger portal_email before insert on patient_portal_accounts for each row execute function kernel.portal_email();
alter function kernel.portal_email() owner to enamel_sec;
