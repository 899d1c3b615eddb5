-- Who may see and change what in imaging; planes and permissions as the model lists them.
select kernel.protect('files',
    'staff=all/all group=all/none patient=own/create share=own/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id',
    rows => 'status = ''READY'' and is_patient_visible', secret => '{storage_key,encryption_key_id}', sec => 'rw',
    proxy => 'any/documents');
select kernel.protect('imaging_studies',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id');
select kernel.protect('imaging_series',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id');
select kernel.protect('imaging_objects',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id');

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
