-- V038  What FHIR searches ask of columns that had no index. Expands only.

alter table patient_addresses
    add column city_key text collate "C" generated always as (kernel.fold(city)) stored,
    add column postal_code_key text collate "C" generated always as (kernel.fold(postal_code)) stored;
alter table patients
    add column middle_name_key text collate "C" generated always as (kernel.fold(middle_name)) stored,
    add column has_middle_names boolean generated always as (strpos(kernel.fold(middle_name), ' ') > 0) stored;

create index ai_inference_jobs_queued_at_idx on ai_inference_jobs (tenant_id, queued_at);
create index chart_entries_finding_code_idx on chart_entries (tenant_id, finding_code);
create index devices_modality_code_idx on devices (tenant_id, modality_code);
create index dsar_requests_received_at_idx on dsar_requests (tenant_id, received_at);
create index eligibility_checks_created_at_idx on eligibility_checks (tenant_id, created_at);
create index external_contacts_email_idx on external_contacts (tenant_id, email);
create index external_contacts_phone_idx on external_contacts (tenant_id, phone);
create index image_annotations_fdi_tooth_idx on image_annotations (tenant_id, fdi_tooth);
create index imaging_objects_created_at_idx on imaging_objects (tenant_id, created_at);
create index imaging_studies_accession_number_idx on imaging_studies (tenant_id, accession_number);
create index imaging_objects_sop_class_uid_idx on imaging_objects (tenant_id, sop_class_uid);
create index imaging_series_modality_code_idx on imaging_series (tenant_id, modality_code);
create index material_reference_product_code_idx on material_reference (tenant_id, product_code);
create index patient_addresses_city_key_idx on patient_addresses (tenant_id, city_key);
create index patient_addresses_postal_code_key_idx on patient_addresses (tenant_id, postal_code_key);
create index patient_allergies_code_idx on patient_allergies (tenant_id, code);
create index patient_conditions_abatement_date_idx on patient_conditions (tenant_id, abatement_date);
create index patient_conditions_fdi_tooth_idx on patient_conditions (tenant_id, fdi_tooth);
create index patient_medications_code_idx on patient_medications (tenant_id, code);
create index patients_deceased_at_idx on patients (tenant_id, deceased_at) where deceased_at is not null;
create index patients_has_middle_names_idx on patients (tenant_id, id) where has_middle_names;
create index patients_middle_name_key_idx on patients (tenant_id, middle_name_key) where middle_name_key is not null;
create index patients_preferred_language_idx on patients (tenant_id, preferred_language);
create index perio_exams_signed_at_idx on perio_exams (tenant_id, signed_at);
create index referrals_sent_at_idx on referrals (tenant_id, sent_at);
create index remittances_created_at_idx on remittances (tenant_id, created_at);
create index slot_holds_start_at_idx on slot_holds (tenant_id, start_at);
create index tasks_created_at_idx on tasks (tenant_id, created_at);
create index treatment_plan_items_accepted_at_idx on treatment_plan_items (tenant_id, accepted_at);
