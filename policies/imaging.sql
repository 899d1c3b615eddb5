-- Who may see and change what in imaging; planes and permissions as the model lists them.
-- Studies of which nobody has said yet whose images they hold: their patient sees no row of them.
create or replace function sec.withheld_studies() returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce((select array_agg(s.id) from sec.charts(0, sec.claims(), null) h
                       join enamel.imaging_studies s on s.tenant_id = h.tenant_id and s.patient_id = h.patient_id
                      where s.status = 'QUARANTINED'), '{}');
end $$;
select kernel.protect('files',
    'staff=all/all group=all/none patient=own/create share=own/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id',
    rows => 'status = ''READY'' and is_patient_visible', secret => '{storage_key,encryption_key_id}', sec => 'rw',
    proxy => 'any/documents');
select kernel.protect('imaging_studies',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id', rows => 'status <> ''QUARANTINED''', sec => 'r');
select kernel.protect('imaging_series',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id',
    rows => 'study_id <> all ((select sec.withheld_studies())::uuid[])');
select kernel.protect('imaging_objects',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id',
    rows => 'study_id <> all ((select sec.withheld_studies())::uuid[])');

-- Announced bytes count: uploads of a tenant take turns where its plan limits them.
create or replace trigger within_quota before insert on enamel.files for each row execute function sec.within_quota('max_storage_bytes');

-- Tenants with uploads that were announced before that moment and never ended, or with objects to remove.
create or replace function sec.tenants_to_sweep(announced_before timestamptz, most bigint) returns setof uuid language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' then raise exception 'only jobs sweep' using errcode = '42501'; end if;
    -- In no order: a tenant whose turn fails must not keep the others from theirs.
    return query select t.id from enamel.tenants t
         where exists (select from enamel.files f where f.tenant_id = t.id and f.status = 'PENDING' and f.deleted_at is null
                          and f.created_at < announced_before)
            or exists (select from enamel.files f where f.tenant_id = t.id and f.status = 'DELETED' and f.purge_after <= current_date)
         order by random() limit most;
end $$;

-- An object is the bytes of its file: hash and size are copied from the registry, never said by a caller.
create or replace function kernel.object_of_file() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare f record;
begin
    select sha256, file_size into f from enamel.files
     where tenant_id = new.tenant_id and id = new.file_id and patient_id = new.patient_id and status in ('SCANNING', 'READY');
    -- Before-triggers run ahead of policies: a row of another tenant is left to them, so that its refusal stays theirs.
    if not found and new.tenant_id is distinct from sec.tenant(0) then return new; end if;
    if not found then
        raise exception 'no verified file of the patient' using errcode = '23503', table = 'imaging_objects',
            constraint = 'imaging_objects_tenant_id_file_id_fkey';
    end if;
    new.hash := f.sha256; new.byte_size := f.file_size;
    return new;
end $$;
create or replace trigger object_of_file before insert on enamel.imaging_objects for each row execute function kernel.object_of_file();

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('files', 'status', '{
    PENDING>SCANNING,SCANNING>READY,SCANNING>QUARANTINED,QUARANTINED>READY,PENDING>DELETED,READY>DELETED,
    QUARANTINED>DELETED}');
select kernel.moves('imaging_studies', 'status', '{
    REGISTERED>AVAILABLE,REGISTERED>QUARANTINED,QUARANTINED>AVAILABLE,REGISTERED>CANCELLED,AVAILABLE>CANCELLED,
    QUARANTINED>CANCELLED}');

select kernel.protect('devices', 'staff=all/all group=all/none audit=all/none jobs=all/all', read => 'view_imaging',
    write => 'manage_tenant');
select kernel.protect('documents',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id',
    rows => 'visibility = ''PATIENT'' and status <> ''DRAFT''');
select kernel.protect('document_grants', 'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', sec => 'rw');
select kernel.protect('image_annotations',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id', rows => 'source_type = ''USER''');
select kernel.protect('received_documents',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/all', read => 'view_clinical',
    write => 'view_clinical', patient => 'patient_id', sec => 'rw');
select kernel.moves('devices', 'status', '{
    ACTIVE>MAINTENANCE,MAINTENANCE>ACTIVE,ACTIVE>RETIRED,MAINTENANCE>RETIRED}');
select kernel.moves('documents', 'status', '{
    DRAFT>FINAL,DRAFT>SIGNED,FINAL>SIGNED,DRAFT>ENTERED_IN_ERROR,FINAL>ENTERED_IN_ERROR,SIGNED>ENTERED_IN_ERROR}');
