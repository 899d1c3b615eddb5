-- V037  What a record is searched by stands beside it, and so does what was sent of it: both are written with their record, whose
-- own keys hold, some dozen rows at a time. A key of each row was checked for what the record's had proved. Drops constraints.

alter table search_values drop constraint search_values_tenant_id_fkey, drop constraint search_values_tenant_id_patient_id_fkey;
alter table clinical_search_values drop constraint clinical_search_values_tenant_id_fkey,
    drop constraint clinical_search_values_tenant_id_patient_id_fkey;
alter table fhir_extras drop constraint fhir_extras_tenant_id_fkey;
