-- Who may see and change what in clinical; planes and permissions as the model lists them.
select kernel.protect('encounters',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', sec => 'rw');
select kernel.protect('encounter_diagnoses',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('clinical_notes',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id',
    rows => 'visibility = ''PATIENT'' and status <> ''DRAFT''', sec => 'r');
select kernel.protect('clinical_note_amendments',
    'staff=all/none group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_clinical', write => 'sign_clinical', patient => 'patient_id', rows => 'is_patient_visible',
    sec => 'rw');
select kernel.protect('vital_signs',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_conditions',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_medications',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_allergies',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_social_history',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('medical_records',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id',
    rows => 'visibility = ''PATIENT'' and status <> ''DRAFT''', sec => 'rw');
select kernel.protect('medical_record_files',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', rows => 'is_patient_visible');
select kernel.protect('templates', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical');

-- What checks are made of.
grant execute on function kernel.is_fdi(text), kernel.surfaces_of(text), kernel.are_surfaces(text, text[])
    to enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit, enamel_auth, enamel_jobs, enamel_platform, enamel_sec;

-- A row that points to a visit, a note or an exam is about the same patient.
select kernel.same_patient('encounters', 'appointment_id', 'appointments');
select kernel.same_patient('encounter_diagnoses', 'encounter_id', 'encounters');
select kernel.same_patient('encounter_diagnoses', 'condition_id', 'patient_conditions');
select kernel.same_patient('clinical_notes', 'encounter_id', 'encounters');
select kernel.same_patient('vital_signs', 'encounter_id', 'encounters');
select kernel.same_patient('patient_medications', 'encounter_id', 'encounters');
select kernel.same_patient('medical_records', 'encounter_id', 'encounters');
select kernel.same_patient('medical_records', 'condition_id', 'patient_conditions');
select kernel.same_patient('medical_records', 'clinical_note_id', 'clinical_notes');
select kernel.same_patient('medical_record_files', 'medical_record_id', 'medical_records');

-- ── Visits and appointments (catalogue C44) ─────────────────────────────────────────────────────────────────────
-- Before check-in the appointment is the master and the visit is planned as it is; from check-in on the appointment follows
-- the visit. Where an appointment leads the visit along its states, scheduling says (sec.appointment_visit).
create or replace function sec.mirror_appointment() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.encounters set provider_id = coalesce(new.provider_id, provider_id), location_id = new.location_id,
           scheduled_start_at = new.start_at
     where tenant_id = new.tenant_id and appointment_id = new.id and status = 'SCHEDULED' and check_in_at is null;
    return null;
end $$;
create or replace trigger plan_of_visit after update on enamel.appointments for each row
    when ((old.provider_id, old.location_id, old.start_at) is distinct from (new.provider_id, new.location_id, new.start_at))
    execute function sec.mirror_appointment();

create or replace function sec.mirror_encounter() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare was text;
begin
    select a.status into was from enamel.appointments a where a.tenant_id = new.tenant_id and a.id = new.appointment_id for no key update;
    if new.status = 'IN_PROGRESS' and was = 'ARRIVED' then
        update enamel.appointments set status = 'IN_PROGRESS' where tenant_id = new.tenant_id and id = new.appointment_id;
    elsif new.status = 'COMPLETED' and was = 'IN_PROGRESS' then
        update enamel.appointments set status = 'COMPLETED', completed_at = new.check_out_at
         where tenant_id = new.tenant_id and id = new.appointment_id;
    elsif new.status = 'CANCELLED' and was not in ('CANCELLED', 'COMPLETED', 'NO_SHOW') then
        update enamel.appointments set status = 'CANCELLED', cancelled_at = now(), cancelled_by_party = 'CLINIC', cancel_reason = new.cancel_reason
         where tenant_id = new.tenant_id and id = new.appointment_id;
    elsif new.status <> was then
        raise exception 'the appointment is elsewhere' using errcode = '55000', hint = 'The appointment is in another state: check the patient in first.';
    end if;
    return null;
end $$;
create or replace trigger mirror_to_appointment after update on enamel.encounters for each row
    when (new.appointment_id is not null and old.status is distinct from new.status and new.status in ('IN_PROGRESS', 'COMPLETED', 'CANCELLED'))
    execute function sec.mirror_encounter();

-- Before check-in nobody writes what the appointment says.
create or replace function kernel.refuse_mirrored() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user <> 'enamel_sec' then
        raise exception 'the visit follows its appointment' using errcode = '55000',
            hint = 'Before check-in the visit follows its appointment: change the appointment.';
    end if;
    return new;
end $$;
create or replace trigger mirrored before update on enamel.encounters for each row
    when (old.appointment_id is not null and old.check_in_at is null and old.status = 'SCHEDULED'
          and (old.provider_id, old.location_id, old.scheduled_start_at, old.appointment_id, old.check_out_at, old.cancel_reason)
              is distinct from (new.provider_id, new.location_id, new.scheduled_start_at, new.appointment_id, new.check_out_at, new.cancel_reason)
          or old.appointment_id is not null and old.check_in_at is null and old.status = 'SCHEDULED' and new.check_in_at is null
          and old.status is distinct from new.status)
    execute function kernel.refuse_mirrored();

-- ── Notes ───────────────────────────────────────────────────────────────────────────────────────────────────────
select kernel.freeze('clinical_notes', $$old.status <> 'DRAFT'$$, 'A signed note stays as it is: POST /clinical-notes/{id}/amend.',
    '{status,amended_at,cosigned_at,cosigned_by}');

-- An amendment of a signed note, by its caller and now; it is seen by whom the note is seen. $1 note, $2 id of the amendment.
create or replace function sec.amend_note(note uuid, amendment uuid, content text, reason text) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); own uuid := sec.tenant(kernel.bit('sign_clinical')); n record;
begin
    if c.plane is distinct from 'staff' or own is null then
        raise exception 'signing is needed' using errcode = '42501';
    end if;
    select p.patient_id, p.visibility into n from enamel.clinical_notes p
     where p.tenant_id = own and p.id = note and p.status in ('SIGNED', 'AMENDED') for no key update;
    if not found then
        raise exception 'the note is not signed' using errcode = '55000', hint = 'Only a signed note is amended.';
    end if;
    insert into enamel.clinical_note_amendments (tenant_id, id, note_id, patient_id, amendment_no, content, reason, author_id, signed_at, is_patient_visible)
    select own, amendment, note, n.patient_id, count(*) + 1, amend_note.content, amend_note.reason, c.actor, now(), n.visibility = 'PATIENT'
      from enamel.clinical_note_amendments a where a.tenant_id = own and a.note_id = note;
end $$;
grant execute on function sec.amend_note(uuid, uuid, text, text) to enamel_staff;

-- Full text over the notes of the caller's tenant. The words are looked up with the tenant in the index; row-level security
-- would read every note first. $1 words, $2 patient, $3 at or after, $4 before, $5 how many.
create or replace function sec.search_notes(words text, patient uuid, since timestamptz, until timestamptz, most int)
returns table (id uuid, rank real) language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); own uuid := sec.tenant(kernel.bit('view_clinical')); wanted tsquery;
begin
    if c.plane is distinct from 'staff' or own is null then return; end if;
    -- Each word may be the beginning of one in the note.
    select to_tsquery('simple', string_agg(quote_literal(w) || ':*', ' & ')) into wanted
      from unnest(tsvector_to_array(to_tsvector('simple', kernel.fold(words)))) w;
    if wanted is null then return; end if;
    return query
        select n.id, ts_rank(to_tsvector('simple', kernel.fold(n.content)), wanted) as rank
          from enamel.clinical_notes n
         where n.tenant_id = own and to_tsvector('simple', kernel.fold(n.content)) @@ wanted and n.status <> 'ENTERED_IN_ERROR'
           and (patient is null or n.patient_id = patient) and (since is null or n.created_at >= since)
           and (until is null or n.created_at < until)
         order by 2 desc, n.created_at desc, n.id limit most;
end $$;
grant execute on function sec.search_notes(text, uuid, timestamptz, timestamptz, int) to enamel_staff;

-- ── Narrative records and their files ───────────────────────────────────────────────────────────────────────────
select kernel.freeze('medical_records', $$old.status <> 'DRAFT'$$, 'A signed record stays as it is: mark it in error and write a new one.',
    '{status}');
select kernel.freeze_with('medical_record_files', 'medical_record_id', 'medical_records', $$p.status <> 'DRAFT'$$,
    'A signed record keeps its files: mark it in error and write a new one.', '{is_patient_visible}');

-- A file of a record is seen by whom the record is seen.
create or replace function kernel.file_of_record() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.is_patient_visible := coalesce((select m.visibility = 'PATIENT' from enamel.medical_records m
        where m.tenant_id = new.tenant_id and m.id = new.medical_record_id), false);
    return new;
end $$;
create or replace trigger visible before insert or update of medical_record_id, is_patient_visible on enamel.medical_record_files
    for each row execute function kernel.file_of_record();
create or replace function kernel.files_of_record() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.medical_record_files set is_patient_visible = new.visibility = 'PATIENT'
     where tenant_id = new.tenant_id and medical_record_id = new.id;
    return null;
end $$;
create or replace trigger visible_files after update of visibility on enamel.medical_records for each row
    when (old.visibility is distinct from new.visibility) execute function kernel.files_of_record();

select kernel.protect('sterilisation_cycles', 'staff=all/create group=all/none audit=all/none jobs=all/create',
    read => 'view_tenant', write => 'edit_clinical');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('encounters', 'status', '{
    SCHEDULED>IN_PROGRESS,IN_PROGRESS>COMPLETED,SCHEDULED>CANCELLED,IN_PROGRESS>CANCELLED,SCHEDULED>NO_SHOW}');
select kernel.moves('clinical_notes', 'status', '{
    DRAFT>SIGNED,SIGNED>AMENDED,SIGNED>ENTERED_IN_ERROR,AMENDED>ENTERED_IN_ERROR,DRAFT>ENTERED_IN_ERROR}');
select kernel.moves('medical_records', 'status', '{
    DRAFT>FINAL,DRAFT>ENTERED_IN_ERROR,FINAL>ENTERED_IN_ERROR}');
