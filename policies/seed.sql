-- What every installation has: the platform tenant, the permissions by bit, the shared role templates (catalogue 2.14–2.17, C-R).
-- Applied at every start; what is there stays as it is. Shared rows belong to the platform tenant; tenants copy a role to change it.

insert into enamel.tenants (id, name, slug, type, root_tenant_id, primary_region, jurisdiction, default_currency, time_zone)
values ('00000000-0000-7000-8000-000000000001', 'Platform', 'platform', 'OTHER', '00000000-0000-7000-8000-000000000001', 'eu', 'US', 'USD', 'UTC') on conflict do nothing;

insert into enamel.permissions (id, code, name, bit, description) values
    ('00000000-0000-7000-8001-000000000000', 'self', 'Self', 0, 'own sessions, factors and preferences; every user has it'),
    ('00000000-0000-7000-8001-000000000001', 'view_tenant', 'View tenant', 1, 'any member: see settings, locations, people, reference data'),
    ('00000000-0000-7000-8001-000000000002', 'view_patient', 'View patient', 2, 'see patients, identifiers, relations, consents'),
    ('00000000-0000-7000-8001-000000000003', 'edit_patient', 'Edit patient', 3, 'create and change patients'),
    ('00000000-0000-7000-8001-000000000004', 'view_schedule', 'View schedule', 4, 'see appointments and availability'),
    ('00000000-0000-7000-8001-000000000005', 'edit_schedule', 'Edit schedule', 5, 'book, move and cancel'),
    ('00000000-0000-7000-8001-000000000006', 'overbook', 'Overbook', 6, 'book over a taken time, undo a no-show'),
    ('00000000-0000-7000-8001-000000000007', 'view_clinical', 'View clinical', 7, 'see visits, notes, histories, charts, documents'),
    ('00000000-0000-7000-8001-000000000008', 'edit_clinical', 'Edit clinical', 8, 'write visits, notes, charts, documents'),
    ('00000000-0000-7000-8001-000000000009', 'sign_clinical', 'Sign clinical', 9, 'sign, amend, void clinical entries'),
    ('00000000-0000-7000-8001-000000000010', 'view_treatment', 'View treatment', 10, 'see plans, quotes, bookings'),
    ('00000000-0000-7000-8001-000000000011', 'edit_treatment', 'Edit treatment', 11, 'write and present plans'),
    ('00000000-0000-7000-8001-000000000012', 'view_imaging', 'View imaging', 12, 'see studies, images, AI results'),
    ('00000000-0000-7000-8001-000000000013', 'edit_imaging', 'Edit imaging', 13, 'store and annotate images'),
    ('00000000-0000-7000-8001-000000000014', 'run_ai_analysis', 'Run ai analysis', 14, 'start AI jobs'),
    ('00000000-0000-7000-8001-000000000015', 'review_ai', 'Review ai', 15, 'confirm, reject, edit predictions; record ground truth'),
    ('00000000-0000-7000-8001-000000000016', 'view_referral', 'View referral', 16, 'see referrals and contacts'),
    ('00000000-0000-7000-8001-000000000017', 'edit_referral', 'Edit referral', 17, 'write, send, accept, reject referrals'),
    ('00000000-0000-7000-8001-000000000018', 'view_messages', 'View messages', 18, 'read conversations'),
    ('00000000-0000-7000-8001-000000000019', 'send_messages', 'Send messages', 19, 'write messages'),
    ('00000000-0000-7000-8001-000000000020', 'view_claims', 'View claims', 20, 'see fees, policies, claims, remittances'),
    ('00000000-0000-7000-8001-000000000021', 'edit_claims', 'Edit claims', 21, 'write, submit, post claims'),
    ('00000000-0000-7000-8001-000000000022', 'view_payments', 'View payments', 22, 'see patient payments'),
    ('00000000-0000-7000-8001-000000000023', 'edit_payments', 'Edit payments', 23, 'take and refund payments'),
    ('00000000-0000-7000-8001-000000000024', 'manage_billing', 'Manage billing', 24, 'platform billing, subscription, fee schedules'),
    ('00000000-0000-7000-8001-000000000025', 'manage_users', 'Manage users', 25, 'users, roles, teams, providers'),
    ('00000000-0000-7000-8001-000000000026', 'manage_tenant', 'Manage tenant', 26, 'settings, locations, chairs, branding'),
    ('00000000-0000-7000-8001-000000000027', 'manage_directory', 'Manage directory', 27, 'clinic profile, reviews'),
    ('00000000-0000-7000-8001-000000000028', 'manage_integrations', 'Manage integrations', 28, 'API clients, integrations, webhooks, DICOM peers'),
    ('00000000-0000-7000-8001-000000000029', 'view_audit', 'View audit', 29, 'read logs and disclosures'),
    ('00000000-0000-7000-8001-000000000030', 'manage_governance', 'Manage governance', 30, 'retention, holds, requests, mandates, exports'),
    ('00000000-0000-7000-8001-000000000031', 'delete_data', 'Delete data', 31, 'retire rows (soft delete)'),
    ('00000000-0000-7000-8001-000000000032', 'view_analytics', 'View analytics', 32, 'dashboards and reports'),
    ('00000000-0000-7000-8001-000000000033', 'use_research_data', 'Use research data', 33, 'de-identified data sets only'),
    ('00000000-0000-7000-8001-000000000034', 'manage_knowledge', 'Manage knowledge', 34, 'protocols and education'),
    ('00000000-0000-7000-8001-000000000035', 'manage_reference', 'Manage reference', 35, 'code systems, catalogue, payers, master data'),
    ('00000000-0000-7000-8001-000000000036', 'manage_workflow', 'Manage workflow', 36, 'workflows and custom fields'),
    ('00000000-0000-7000-8001-000000000037', 'manage_platform', 'Manage platform', 37, 'plans, meters, models, shared rows; no patient data') on conflict do nothing;

insert into enamel.roles (tenant_id, id, code, name, description, is_system, default_resource_scope) values
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000001', 'PLATFORM_ADMIN', 'Platform admin', 'no patient data; break-glass only (C35)', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000002', 'TENANT_ADMIN', 'Tenant admin', 'all data of the own tenant (C35); signing is a clinician''s', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000003', 'CLINICIAN', 'Clinician', '', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000004', 'CLINIC_STAFF', 'Clinic staff', 'no clinical notes; ASSISTANT also gets view_clinical and view_imaging', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000005', 'READ_ONLY_AUDITOR', 'Read only auditor', 'who did what, within a mandate; nothing clinical', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000006', 'DATA_SCIENTIST', 'Data scientist', 'de-identified only', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000007', 'PAYER_ANALYST', 'Payer analyst', 'own tenant; claims reach it as rows in its space', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000008', 'DEVELOPER', 'Developer', '', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000009', 'API_CLIENT', 'Api client', 'permissions are what the granted scopes map to', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000010', 'PATIENT', 'Patient', '', true, 'ALL_LOCATIONS'),
    ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8002-000000000011', 'PATIENT_PROXY', 'Patient proxy', '', true, 'ALL_LOCATIONS') on conflict do nothing;

-- What each template allows: the capability matrix, as data. tests/isolation/roles.txt shows what comes of it, table by table.
-- An auditor's mandate narrows further and shows nothing clinical, a proxy may what its scopes say (sec.proxy_caps), a client
-- what its granted scopes map to, and CLINIC_STAFF who assist at the chair see charts and images besides (sec.resolve_token).
insert into enamel.role_permissions (tenant_id, id, role_id, permission_id)
select r.tenant_id, ('00000000-0000-7000-8003-' || right(r.id::text, 6) || lpad(p.bit::text, 6, '0'))::uuid, r.id, p.id
  from (values
    ('PLATFORM_ADMIN', 'manage_platform'),
    ('TENANT_ADMIN', 'view_tenant view_patient edit_patient view_schedule edit_schedule overbook view_clinical edit_clinical
        view_treatment edit_treatment view_imaging edit_imaging run_ai_analysis review_ai view_referral edit_referral
        view_messages send_messages view_claims edit_claims view_payments edit_payments manage_billing manage_users
        manage_tenant manage_directory manage_integrations view_audit manage_governance delete_data view_analytics
        use_research_data manage_knowledge manage_reference manage_workflow'),
    ('CLINICIAN', 'view_tenant view_patient edit_patient view_schedule edit_schedule overbook view_clinical edit_clinical
        sign_clinical view_treatment edit_treatment view_imaging edit_imaging run_ai_analysis review_ai view_referral
        edit_referral view_messages send_messages view_claims'),
    ('CLINIC_STAFF', 'view_tenant view_patient edit_patient view_schedule edit_schedule view_treatment view_referral
        edit_referral view_messages send_messages view_claims edit_claims view_payments edit_payments'),
    ('READ_ONLY_AUDITOR', 'view_tenant view_patient view_schedule view_claims view_payments view_audit view_analytics'),
    ('DATA_SCIENTIST', 'view_tenant use_research_data view_analytics'),
    ('PAYER_ANALYST', 'view_tenant view_claims view_analytics'),
    ('DEVELOPER', 'view_tenant manage_integrations'),
    ('PATIENT', 'self view_patient view_schedule view_clinical view_treatment view_imaging view_messages send_messages
        view_claims view_payments'),
    ('PATIENT_PROXY', 'self')) template (code, allows)
  join enamel.roles r on r.tenant_id = '00000000-0000-7000-8000-000000000001' and r.code = template.code
  join enamel.permissions p on p.code = any (regexp_split_to_array(template.allows, '\s+'))
on conflict do nothing;

insert into enamel.subscription_plans (id, code, name, currency, price_per_month_minor, included_seats) values
    ('00000000-0000-7000-8004-000000000001', 'BASIC', 'Basic', 'USD', 9900, 5),
    ('00000000-0000-7000-8004-000000000002', 'PRO', 'Pro', 'USD', 29900, 25),
    ('00000000-0000-7000-8004-000000000003', 'ENTERPRISE', 'Enterprise', 'USD', null, null) on conflict do nothing;

insert into enamel.usage_meters (id, code, name, unit, aggregation) values
    ('00000000-0000-7000-8005-000000000001', 'AI_INFERENCES', 'AI inferences', 'inference', 'SUM'),
    ('00000000-0000-7000-8005-000000000002', 'STORAGE_GB', 'Storage', 'GB', 'LAST'),
    ('00000000-0000-7000-8005-000000000003', 'ACTIVE_USERS', 'Active users', 'user', 'LAST'),
    ('00000000-0000-7000-8005-000000000004', 'API_CALLS', 'API calls', 'call', 'SUM') on conflict do nothing;
