-- Who may see and change what in patients; planes and permissions as the model lists them. What a proxy may change: how the
-- patient is reached goes with messages, whom else the clinic may talk to with manage_consents, insurance with billing.
select kernel.protect('patients',
    'staff=all/all group=all/none patient=own/contact_email,phone_mobile,phone_home,preferred_language,preferred_contact_method share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'id', sec => 'rw', proxy => 'any/messages');
select kernel.protect('patient_identifiers',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', sec => 'r');
select kernel.protect('patient_addresses',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', proxy => 'any/messages');
select kernel.protect('external_contacts',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', proxy => 'any/manage_consents');
select kernel.protect('patient_relationships',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', sec => 'rw');
select kernel.protect('patient_portal_accounts',
    'staff=all/all group=all/none patient=own/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', sec => 'rw');
select kernel.protect('patient_proxies',
    'staff=all/all group=all/none patient=own/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', sec => 'rw');
select kernel.protect('payers',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_claims', write => 'manage_reference', sec => 'r');
select kernel.protect('patient_insurance_policies',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', proxy => 'billing/billing');
grant select on enamel.family_members to enamel_staff, enamel_patient;

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('patients', 'status', '{
    ACTIVE>INACTIVE,INACTIVE>ACTIVE,ACTIVE>DECEASED,INACTIVE>DECEASED,DECEASED>ACTIVE}');
select kernel.moves('patient_insurance_policies', 'status', '{DRAFT>ACTIVE,ACTIVE>CANCELLED,DRAFT>CANCELLED}');
select kernel.moves('patient_portal_accounts', 'status', '{
    INVITED>ACTIVE,ACTIVE>SUSPENDED,SUSPENDED>ACTIVE,INVITED>CLOSED,ACTIVE>CLOSED,SUSPENDED>CLOSED}');
select kernel.moves('patient_proxies', 'status', '{
    PENDING>ACTIVE,PENDING>REVOKED,ACTIVE>REVOKED,PENDING>EXPIRED,ACTIVE>EXPIRED}');
select kernel.moves('payers', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');

-- Contacts count for the relationship that shows them (FHIR RelatedPerson): its version follows theirs, also when a patient,
-- who may change a contact and not a relationship, makes the change.
create or replace function sec.touch_relationships() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.patient_relationships set updated_at = now()
     where tenant_id = new.tenant_id and external_contact_id = new.id;
    return null;
end $$;
create or replace trigger touch_relationships after update on enamel.external_contacts for each row execute function sec.touch_relationships();

-- Every row of the tenant that points to one patient points to another from now on, whoever may see it: a row left behind
-- would be a finding nobody reads again. `apart`: "table.column" of what follows in its own way or stays.
create or replace function sec.repoint_patient(source uuid, target uuid, apart text[]) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); pointer record;
begin
    if c.plane is distinct from 'staff' or c.caps & kernel.bit('edit_patient') = 0 then
        raise exception 'merging needs edit_patient' using errcode = '42501';
    end if;
    for pointer in
        select k.conrelid::regclass as rel, cl.relname, a.attname from pg_constraint k
          join pg_class cl on cl.oid = k.conrelid join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
         where k.contype = 'f' and k.confrelid = 'enamel.patients'::regclass and a.attname <> 'tenant_id'
           and cl.relname || '.' || a.attname <> all (apart)
        -- Beside their records, without a key of their own.
        union all select format('enamel.%I', v)::regclass, v, 'patient_id' from unnest('{search_values,clinical_search_values}'::text[]) v
         order by 2, 3 loop
        execute format('update %s set %I = $3 where tenant_id = $1 and %I = $2', pointer.rel, pointer.attname, pointer.attname)
          using c.tenant, source, target;
    end loop;
end $$;
