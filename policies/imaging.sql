-- Who may see and change what in imaging; planes and permissions as the model lists them.
-- Studies of which nobody has said yet whose images they hold: their patient sees no row of them.
create or replace function sec.withheld_studies() returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce((select array_agg(s.id) from sec.charts(0, sec.claims(), null) h
                       join enamel.imaging_studies s on s.tenant_id = h.tenant_id and s.patient_id = h.patient_id
                      where s.status = 'QUARANTINED'), '{}');
end $$;
-- Their pictures: what is drawn on one is as little told as the picture.
create or replace function sec.withheld_objects() returns uuid[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce((select array_agg(o.id) from sec.charts(0, sec.claims(), null) h
                       join enamel.imaging_studies s on s.tenant_id = h.tenant_id and s.patient_id = h.patient_id
                       join enamel.imaging_objects o on o.tenant_id = s.tenant_id and o.study_id = s.id
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
    rows => 'study_id <> all ((select sec.withheld_studies())::uuid[])', sec => 'r');

-- What holds a whole record or research data opens for few, by where it comes from: nobody makes another file of it.
select kernel.freeze('files', $$old.source in ('patient-record', 'research')$$, 'Order another one.',
    '{status,scan_result,file_size,sha256,uploaded_at,purge_after,deleted_at,delete_reason}');

-- What another clinic shared lies with that clinic, and counts here from the moment a copy is taken. A copy of records that
-- the server made stays a month and counts for nothing: a tenant at its limit can leave.
create or replace function kernel.takes_storage(f enamel.files) returns boolean language sql stable as $$
    select f.storage_key <> f.tenant_id || '/shared/' || f.id
           and (f.source = 'patient-record' and f.uploaded_by_party = 'SYSTEM') is not true $$;
grant execute on function kernel.takes_storage(enamel.files) to enamel_staff, enamel_patient, enamel_jobs, enamel_platform, enamel_sec;

-- Announced bytes count: uploads of a tenant take turns where its plan limits them.
create or replace trigger within_quota before insert on enamel.files for each row
    when (kernel.takes_storage(new)) execute function sec.within_quota('max_storage_bytes');
create or replace trigger kept_within_quota before update of storage_key on enamel.files for each row
    when (old.storage_key = old.tenant_id || '/shared/' || old.id and new.storage_key <> old.storage_key)
    execute function sec.within_quota('max_storage_bytes');

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
    rows => 'visibility = ''PATIENT'' and status <> ''DRAFT''', sec => 'r');
select kernel.protect('document_grants', 'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', sec => 'rw');
select kernel.protect('image_annotations',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id',
    rows => 'source_type = ''USER'' and imaging_object_id <> all ((select sec.withheld_objects())::uuid[])');
select kernel.protect('received_documents',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/all', read => 'view_clinical',
    write => 'view_clinical', patient => 'patient_id', sec => 'rw');
select kernel.moves('devices', 'status', '{
    ACTIVE>MAINTENANCE,MAINTENANCE>ACTIVE,ACTIVE>RETIRED,MAINTENANCE>RETIRED}');
select kernel.moves('documents', 'status', '{
    DRAFT>FINAL,DRAFT>SIGNED,FINAL>SIGNED,DRAFT>ENTERED_IN_ERROR,FINAL>ENTERED_IN_ERROR,SIGNED>ENTERED_IN_ERROR}');

-- ── Rules of documents and grants ─────────────────────────────────────────────────────────────────────────────────
-- A document is its file: the hash is the registry's, the patient the file's; it becomes final when the file can be opened.
create or replace function sec.document_of_file() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); f record;
begin
    -- Before-triggers run ahead of policies: a row of another tenant is left to them, so that its refusal stays theirs.
    if c.tenant is distinct from new.tenant_id then return new; end if;
    select sha256, status, patient_id into f from enamel.files
     where tenant_id = new.tenant_id and id = new.file_id and deleted_at is null;
    if not found or f.patient_id <> new.patient_id then
        raise exception 'no file of the patient' using errcode = '23503', table = 'documents', constraint = 'documents_tenant_id_file_id_fkey';
    end if;
    if new.status in ('FINAL', 'SIGNED') and (f.status <> 'READY' or f.sha256 is null) then
        raise exception 'the file cannot be opened' using errcode = '23514', table = 'documents', constraint = 'documents_file_id_check';
    end if;
    if new.status <> 'ENTERED_IN_ERROR' then new.hash := coalesce(f.sha256, ''); end if;
    return new;
end $$;
create or replace trigger document_of_file before insert or update of file_id, patient_id, status on enamel.documents for each row
    execute function sec.document_of_file();
select kernel.freeze('documents', $$old.status in ('SIGNED', 'ENTERED_IN_ERROR')$$,
    'Mark the document as entered in error and make a new one.', '{status,retain_until}');
create or replace trigger frozen_final before update on enamel.documents for each row when (old.status = 'FINAL')
    execute function kernel.refuse_frozen('Mark the document as entered in error and make a new one.',
        '{status,signed_at,signer_id,signer_name,signature_method,visibility,retain_until}');

-- Only a patient's own file goes to another clinic; what was revoked stays so, here and there, in one transaction.
create or replace function sec.grant_of_file() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.tenant is distinct from new.tenant_id then return new; end if;
    if not exists (select from enamel.files f where f.tenant_id = new.tenant_id and f.id = new.file_id
                      and f.patient_id = new.patient_id and f.deleted_at is null
                      and f.source is distinct from 'patient-record' and f.source is distinct from 'research') then
        raise exception 'no file of the patient' using errcode = '23503', table = 'document_grants',
            constraint = 'document_grants_tenant_id_file_id_fkey';
    end if;
    return new;
end $$;
create or replace trigger grant_of_file before insert on enamel.document_grants for each row execute function sec.grant_of_file();
select kernel.freeze('document_grants', 'old.revoked_at is not null', 'Give a new grant.');
create or replace function sec.revoke_received() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.received_documents set revoked_at = new.revoked_at
     where tenant_id = new.grantee_tenant_id and source_tenant_id = new.tenant_id and grant_id = new.id and revoked_at is null;
    return null;
end $$;
create or replace trigger revoke_received after update on enamel.document_grants for each row
    when (old.revoked_at is null and new.revoked_at is not null) execute function sec.revoke_received();

-- One file of a patient, granted to another tenant and entered in its own space. Called by the functions that confirm a
-- booking and send a referral. The bytes stay where they are: the entry is not READY there, so it opens by way of its grant,
-- until that tenant takes a copy.
drop function if exists sec.share_file(enamel.files, uuid, uuid, uuid, uuid, uuid, text);
create or replace function sec.share_file(f enamel.files, clinic uuid, patient uuid, booking uuid, referral uuid, consent uuid, why text,
    until timestamptz default null) returns uuid language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare grant_id uuid := gen_random_uuid(); entry uuid := gen_random_uuid();
begin
    insert into enamel.document_grants (tenant_id, id, patient_id, file_id, grantee_tenant_id, booking_id, consent_id, reason, granted_at, expires_at)
    values (f.tenant_id, grant_id, f.patient_id, f.id, clinic, booking, consent, why, now(), until)
    on conflict do nothing;
    if not found then return null; end if;
    insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, sha256, storage_key, storage_region,
        status, uploaded_at, uploaded_by_party, source, is_patient_visible)
    values (clinic, entry, patient, f.kind, f.file_name, f.file_type, f.file_size, f.sha256, clinic || '/shared/' || entry,
        f.storage_region, 'SCANNING', f.uploaded_at, 'PATIENT', 'DOCUMENT_GRANT', false);
    insert into enamel.received_documents (tenant_id, id, patient_id, source_tenant_id, grant_id, booking_id, referral_id, file_id, received_at)
    values (clinic, gen_random_uuid(), patient, f.tenant_id, grant_id, booking, referral, entry, now());
    return grant_id;
end $$;

-- A file given to a clinic that knows the patient, because the patient wants it to: by a quote that stands there, else by the
-- patient's own login at both.
create or replace function sec.grant_file(file uuid, clinic uuid, until timestamptz) returns setof enamel.document_grants
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); f enamel.files; agreed uuid; there uuid; made uuid;
begin
    select x.* into f from enamel.files x
     where x.tenant_id = any (sec.tenants(0)) and x.id = file and x.deleted_at is null
       and sec.may(x.tenant_id, x.patient_id, 'edit_clinical', 'documents')
       and (c.plane <> 'patient' or x.is_patient_visible and x.status = 'READY');
    if not found then
        perform kernel.refuse(422, 'reference', 'file_id', 'It points to nothing the caller can see.');
    elsif f.status <> 'READY' then
        perform kernel.refuse(409, 'state', 'file_id', 'The file cannot be opened.');
    elsif f.tenant_id = clinic then
        perform kernel.refuse(422, 'value', 'grantee_tenant_id', 'The file is its own.');
    end if;
    select k.id into agreed from enamel.consents k
     where k.tenant_id = f.tenant_id and k.patient_id = f.patient_id and k.consent_type = 'DATA_SHARING' and k.status = 'ACTIVE'
       and k.recipient_tenant_id = clinic and coalesce(k.expires_at > now(), true) order by k.granted_at desc limit 1;
    if not found then
        perform kernel.refuse(409, 'consent', 'grantee_tenant_id', 'The patient has not agreed to sharing with it.');
    end if;
    select coalesce(
        (select q.clinic_patient_id from enamel.quotes q
          where q.tenant_id = f.tenant_id and q.patient_id = f.patient_id and q.clinic_tenant_id = clinic and q.status <> 'WITHDRAWN'
            and q.clinic_patient_id is not null order by q.submitted_at desc limit 1),
        (select t.patient_id from enamel.patient_portal_accounts h
           join enamel.patient_portal_accounts t on t.tenant_id = clinic and t.user_id = h.user_id and t.status = 'ACTIVE'
          where h.tenant_id = f.tenant_id and h.patient_id = f.patient_id and h.status = 'ACTIVE' limit 1)) into there;
    if there is null then
        perform kernel.refuse(409, 'recipient', 'grantee_tenant_id', 'It has no record of the patient.');
    end if;
    made := sec.share_file(f, clinic, there, null, null, agreed, 'PATIENT_SHARED', until);
    if made is null then
        perform kernel.refuse(409, 'exists', 'file_id', 'It is shared with that clinic already.');
    end if;
    return query select g.* from enamel.document_grants g where g.tenant_id = f.tenant_id and g.id = made;
end $$;
grant execute on function sec.grant_file(uuid, uuid, timestamptz) to enamel_staff, enamel_patient;

-- What comes to the patient's files after a booking was confirmed opens at its clinic too.
create or replace function sec.share_later() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare found record;
begin
    for found in select b.tenant_id, b.patient_id, b.id, q.consent_id from enamel.quotes q
                   join enamel.bookings b on b.tenant_id = q.clinic_tenant_id and b.patient_id = q.clinic_patient_id
                    and b.source_quote_id = q.id and b.status = 'CONFIRMED'
                   join enamel.consents k on k.tenant_id = q.tenant_id and k.patient_id = q.patient_id and k.related_id = q.id
                    and k.consent_type = 'DATA_SHARING' and k.recipient_tenant_id = b.tenant_id and k.status = 'ACTIVE'
                  where q.tenant_id = new.tenant_id and q.patient_id = new.patient_id and q.clinic_tenant_id <> q.tenant_id loop
        perform sec.share_file(new, found.tenant_id, found.patient_id, found.id, null, found.consent_id, 'BOOKING_CONFIRMED');
    end loop;
    return null;
end $$;
create or replace trigger share_later after update on enamel.files for each row
    when (new.patient_id is not null and new.status = 'READY' and new.is_patient_visible
          and (old.status <> 'READY' or not old.is_patient_visible)) execute function sec.share_later();

-- Who draws is its author; what was drawn elsewhere comes in with its own by those who connect systems.
select kernel.speaks_for('image_annotations', 'author_user_id', $$new.source_type = 'USER'$$);

-- An edited annotation is a new version; the one before it stays and is current no more.
create or replace function kernel.next_annotation() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare former record;
begin
    select version_no, imaging_object_id into former from enamel.image_annotations
     where tenant_id = new.tenant_id and id = new.supersedes_id;
    if not found and new.tenant_id is distinct from sec.tenant(0) then return new; end if;
    if not found or former.imaging_object_id <> new.imaging_object_id then
        raise exception 'no annotation of the same image' using errcode = '23503', table = 'image_annotations',
            constraint = 'image_annotations_tenant_id_supersedes_id_fkey';
    end if;
    new.version_no := former.version_no + 1; new.is_current := true;
    return new;
end $$;
create or replace trigger next_annotation before insert on enamel.image_annotations for each row when (new.supersedes_id is not null)
    execute function kernel.next_annotation();
create or replace function kernel.former_annotation() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.image_annotations set is_current = false where tenant_id = new.tenant_id and id = new.supersedes_id and is_current;
    return null;
end $$;
create or replace trigger former_annotation after insert on enamel.image_annotations for each row when (new.supersedes_id is not null)
    execute function kernel.former_annotation();

-- ── Where an annotation lies ──────────────────────────────────────────────────────────────────────────────────────
-- [[x, y], …] in pixels of the picture, from its upper left corner: null when it is so, else what is wrong.
create or replace function kernel.points_fault(points jsonb, fewest int, most int, wide float8, high float8) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare found record;
begin
    if jsonb_typeof(points) is distinct from 'array' then return 'Its points must be a list.'; end if;
    if jsonb_array_length(points) > most then return format('It has more than %s points.', most); end if;
    if exists (select from jsonb_array_elements(points) p
                where case when jsonb_typeof(p) <> 'array' then true when jsonb_array_length(p) <> 2 then true
                           else jsonb_typeof(p -> 0) <> 'number' or jsonb_typeof(p -> 1) <> 'number' end) then
        return 'Each point must be two numbers.';
    end if;
    select count(distinct p) as distinct_points,
           bool_or(not ((p ->> 0)::numeric between 0 and wide::numeric and (p ->> 1)::numeric between 0 and high::numeric)) as outside
      into found from jsonb_array_elements(points) p;
    if found.outside then return 'It must lie inside the picture.'; end if;
    if found.distinct_points < fewest then return format('It needs %s different points or more.', fewest); end if;
    return null;
end $$;

-- A ring's last point is joined to its first, whether it is said again or not.
create or replace function kernel.ring_fault(ring jsonb, wide float8, high float8) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare fault text := kernel.points_fault(ring, 3, 3000, wide, high); area numeric;
begin
    if fault is not null then return fault; end if;
    select sum(x * next_y - next_x * y) into area
      from (select x, y, coalesce(lead(x) over w, first_value(x) over w) as next_x,
                   coalesce(lead(y) over w, first_value(y) over w) as next_y
              from (select n, (p ->> 0)::numeric as x, (p ->> 1)::numeric as y from jsonb_array_elements(ring) with ordinality e(p, n)) e
            window w as (order by n rows between unbounded preceding and unbounded following)) edges;
    return case when area = 0 then 'An area must have a size.' end;
end $$;

create or replace function kernel.geometry_fault(kind text, g jsonb, wide float8, high float8) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare named text[]; wanted text[]; fault text;
begin
    if jsonb_typeof(g) is distinct from 'object' then return 'It must be an object.'; end if;
    select coalesce(array_agg(k order by k), '{}') into named from jsonb_object_keys(g) k;
    wanted := case kind when 'BOUNDING_BOX' then '{height,width,x,y}' when 'MASK' then '{polygons}' else '{points}' end;
    if named <> wanted then return format('It must have %s and nothing else.', array_to_string(wanted, ', ')); end if;
    case kind
        when 'BOUNDING_BOX' then
            if exists (select from jsonb_each(g) m where jsonb_typeof(m.value) <> 'number') then return 'Its members must be numbers.'; end if;
            if (g ->> 'width')::numeric <= 0 or (g ->> 'height')::numeric <= 0 then return 'A box must have a size.'; end if;
            return kernel.points_fault(jsonb_build_array(jsonb_build_array(g -> 'x', g -> 'y'),
                jsonb_build_array((g ->> 'x')::numeric + (g ->> 'width')::numeric, (g ->> 'y')::numeric + (g ->> 'height')::numeric)),
                2, 2, wide, high);
        when 'MASK' then
            if jsonb_typeof(g -> 'polygons') <> 'array' or jsonb_array_length(g -> 'polygons') not between 1 and 100 then
                return 'A mask is one to 100 polygons.';
            end if;
            select f into fault from jsonb_array_elements(g -> 'polygons') ring, kernel.ring_fault(ring, wide, high) f where f is not null limit 1;
            return fault;
        when 'LABEL' then return kernel.points_fault(g -> 'points', 1, 1, wide, high);
        when 'MEASUREMENT' then return kernel.points_fault(g -> 'points', 2, 100, wide, high);
        when 'POLYLINE' then return kernel.points_fault(g -> 'points', 2, 3000, wide, high);
        else return kernel.points_fault(g -> 'points', 1, 3000, wide, high);
    end case;
end $$;

-- An annotation is of its picture: about the same patient, on a frame there is, inside what there is to see.
create or replace function kernel.annotation_in_picture() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare o record; fault text;
begin
    if new.tenant_id is distinct from sec.tenant(0) then return new; end if;
    select patient_id, width, height, greatest(frame_count, depth_slices) as frames into o from enamel.imaging_objects
     where tenant_id = new.tenant_id and id = new.imaging_object_id;
    if not found or o.patient_id <> new.patient_id then
        raise exception 'no image of the patient' using errcode = '23503', table = 'image_annotations',
            constraint = 'image_annotations_tenant_id_imaging_object_id_fkey';
    end if;
    if new.frame_index not between 0 and coalesce(o.frames, 100000) - 1 then
        perform kernel.refuse(422, 'range', 'frame_index', 'The picture has no such frame.');
    end if;
    -- A picture nobody has measured is no larger than any we take.
    fault := kernel.geometry_fault(new.annotation_type, new.geometry, coalesce(o.width, 1000000), coalesce(o.height, 1000000));
    if fault is not null then perform kernel.refuse(422, 'geometry', 'geometry', fault); end if;
    return new;
end $$;
create or replace trigger annotation_in_picture
    before insert or update of geometry, annotation_type, imaging_object_id, frame_index on enamel.image_annotations
    for each row execute function kernel.annotation_in_picture();

-- What was drawn on a picture stays inside it.
create or replace function kernel.picture_keeps_its_size() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare changed text := case when new.width is distinct from old.width then 'width' when new.height is distinct from old.height then 'height'
    when new.frame_count is distinct from old.frame_count then 'frame_count' else 'depth_slices' end;
begin
    if exists (select from enamel.image_annotations a where a.tenant_id = new.tenant_id and a.imaging_object_id = new.id) then
        perform kernel.refuse(422, 'state', changed, 'The picture has annotations; its size stays.');
    end if;
    return new;
end $$;
create or replace trigger keeps_its_size before update of width, height, frame_count, depth_slices on enamel.imaging_objects for each row
    when ((old.width, old.height, old.frame_count, old.depth_slices) is distinct from (new.width, new.height, new.frame_count, new.depth_slices))
    execute function kernel.picture_keeps_its_size();
grant execute on function kernel.points_fault(jsonb, int, int, float8, float8), kernel.ring_fault(jsonb, float8, float8),
    kernel.geometry_fault(text, jsonb, float8, float8) to enamel_staff, enamel_jobs, enamel_sec;
