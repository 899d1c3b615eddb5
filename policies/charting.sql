-- Who may see and change what in charting; planes and permissions as the model lists them.
select kernel.protect('chart_entries',
    'staff=all/create group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', sec => 'rw');
select kernel.protect('tooth_chart_snapshots',
    'staff=all/create group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('perio_exams',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('perio_tooth_findings',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('perio_measurements',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');

-- What checks and computed fields are made of.
grant execute on function kernel.universal_of(text), kernel.tooth_in(text, text, boolean), kernel.tooth_of(text, text),
    kernel.has_furcation(text, text) to enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit, enamel_jobs, enamel_sec;

-- ── The chart as events ─────────────────────────────────────────────────────────────────────────────────────────
-- The chart at a moment: what was observed by then and not superseded yet. A correction counts from when it was made, so
-- that a past date shows what the clinic knew then.
create or replace function kernel.chart_entries_at(tenant uuid, patient uuid, at timestamptz) returns setof enamel.chart_entries
language sql stable parallel restricted as $$
    select * from enamel.chart_entries e
     where e.tenant_id = tenant and e.patient_id = patient and e.observed_at <= at
       and (e.supersedes_id is null or e.created_at <= at) and (e.superseded_at is null or e.superseded_at > at) $$;

-- One entry as the chart shows it.
create or replace function kernel.charted(e enamel.chart_entries) returns jsonb language sql stable parallel restricted as $$
    select jsonb_strip_nulls(jsonb_build_object('entry_id', e.id, 'surfaces', case when e.surfaces <> '{}' then to_jsonb(e.surfaces) end,
        'presence', e.presence, 'missing_reason', e.missing_reason, 'finding_code_system', e.finding_code_system,
        'finding_code', e.finding_code, 'finding_display', e.finding_display, 'caries_depth', e.caries_depth, 'icdas', e.icdas,
        'work_layer', e.work_layer, 'restoration_kind', e.restoration_kind, 'material_code', e.material_code,
        'severity', e.severity, 'observed_at', e.observed_at at time zone 'UTC', 'source', e.source)) $$;

-- Schema 1: per tooth its status (the last said about its presence), conditions, restorations and prostheses; areas of the
-- mouth the same. The same entries give the same text, whoever asks and whenever.
create or replace function kernel.tooth_chart(tenant uuid, patient uuid, at timestamptz) returns jsonb
language sql stable parallel restricted as $$
    with said as (
        select e.fdi_tooth, e.supernumerary_ordinal, e.oral_area, e.observed_at, e.created_at, e.id, kernel.charted(e) as entry,
               case when e.axis = 'PRESENCE' then 'status' when e.axis = 'FINDING' then 'conditions'
                    when e.restoration_kind in ('BRIDGE', 'DENTURE', 'IMPLANT') then 'prostheses' else 'restorations' end as part
          from kernel.chart_entries_at(tenant, patient, at) e),
    places as (
        select fdi_tooth, supernumerary_ordinal, oral_area,
               coalesce(jsonb_agg(entry order by observed_at desc, created_at desc, id desc) filter (where part = 'status') -> 0, 'null') as status,
               coalesce(jsonb_agg(entry order by observed_at, created_at, id) filter (where part = 'conditions'), '[]') as conditions,
               coalesce(jsonb_agg(entry order by observed_at, created_at, id) filter (where part = 'restorations'), '[]') as restorations,
               coalesce(jsonb_agg(entry order by observed_at, created_at, id) filter (where part = 'prostheses'), '[]') as prostheses
          from said group by 1, 2, 3)
    select jsonb_build_object('schema_version', 1, 'numbering', 'FDI', 'teeth', coalesce((
            select jsonb_agg(jsonb_build_object('fdi_tooth', fdi_tooth, 'supernumerary_ordinal', supernumerary_ordinal, 'status', status,
                       'conditions', conditions, 'restorations', restorations, 'prostheses', prostheses)
                       order by fdi_tooth collate "C", supernumerary_ordinal nulls first)
              from places where fdi_tooth is not null), '[]'),
        'areas', coalesce((
            select jsonb_agg(jsonb_build_object('oral_area', oral_area, 'conditions', conditions, 'restorations', restorations,
                       'prostheses', prostheses) order by oral_area collate "C")
              from places where oral_area is not null), '[]')) $$;

-- Which entries a chart was made of, and what they said.
create or replace function kernel.chart_hash(tenant uuid, patient uuid, at timestamptz) returns text
language sql stable parallel restricted as $$
    select encode(sha256(convert_to(coalesce(string_agg((to_jsonb(e) - array['patient_id', 'superseded_at']::text[]
               || jsonb_build_object('observed_at', e.observed_at at time zone 'UTC', 'created_at', e.created_at at time zone 'UTC'))::text,
               E'\n' order by e.id), ''), 'UTF8')), 'hex')
      from kernel.chart_entries_at(tenant, patient, at) e $$;

-- What a careful reader would ask about an entry, by the tooth's status when it was observed (catalogue 8.02).
create or replace function kernel.chart_doubts(e enamel.chart_entries) returns text[] language sql stable parallel restricted as $$
    select array_remove(array[
        case when gone and e.axis = 'WORK' and e.restoration_kind in ('FILLING', 'CROWN', 'VENEER', 'INLAY', 'ONLAY', 'ROOT_CANAL',
                  'SEALANT', 'POST_CORE', 'BRACKET') then 'restoration_on_missing_tooth' end,
        case when gone and e.surfaces <> '{}' then 'surface_on_missing_tooth' end,
        case when e.surfaces_entered is not null then 'surfaces_mapped' end], null)
      from (select coalesce((
                select p.presence in ('CONGENITALLY_MISSING', 'EXTRACTED', 'MISSING')
                  from kernel.chart_entries_at(e.tenant_id, e.patient_id, e.observed_at) p
                 where p.axis = 'PRESENCE' and p.fdi_tooth = e.fdi_tooth and p.id <> e.id
                   and p.supernumerary_ordinal is not distinct from e.supernumerary_ordinal
                 order by p.observed_at desc, p.created_at desc, p.id desc limit 1), false) as gone) status
     where e.axis <> 'PRESENCE' $$;
grant execute on function kernel.chart_entries_at(uuid, uuid, timestamptz), kernel.charted(enamel.chart_entries),
    kernel.tooth_chart(uuid, uuid, timestamptz), kernel.chart_hash(uuid, uuid, timestamptz), kernel.chart_doubts(enamel.chart_entries)
    to enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit, enamel_jobs, enamel_sec;

-- Strict charting is a setting of the tenant; a tenant without settings is strict.
create or replace function kernel.is_strict(tenant uuid) returns boolean language sql stable parallel restricted as $$
    select coalesce((select s.strict_charting from enamel.tenant_settings s where s.tenant_id = tenant), true) $$;
grant execute on function kernel.is_strict(uuid) to enamel_staff, enamel_jobs, enamel_sec;

-- What was entered, as it is stored: the FDI code, and surfaces in their order by the names the tooth has for them.
create or replace function kernel.canonical_entry() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare tooth text; known text[]; entered text[] := new.surfaces; mapped text[] := '{}'; s text; lenient boolean := not kernel.is_strict(new.tenant_id);
begin
    if new.tooth_entered is not null then
        tooth := kernel.tooth_of(new.tooth_system, new.tooth_entered);
        new.fdi_tooth := coalesce(new.fdi_tooth, rtrim(tooth, '+'));
        if tooth like '%+' then new.is_supernumerary := true; end if;
    end if;
    if new.is_supernumerary then new.supernumerary_ordinal := coalesce(new.supernumerary_ordinal, 1); end if;
    known := kernel.surfaces_of(new.fdi_tooth);
    if known is not null and entered <> '{}' then
        foreach s in array entered loop
            s := upper(s);
            -- Local words that mean one thing.
            if s = 'P' and left(new.fdi_tooth, 1) in ('1', '2', '5', '6') then s := 'L';
            elsif s = 'V' then s := case when 'F' = any (known) then 'F' else 'B' end;
            elsif s = 'LA' and 'F' = any (known) then s := 'F'; end if;
            -- Words of the other kind of tooth: mapped where the clinic is lenient.
            if lenient and s <> all (known) then
                s := case s when 'O' then 'I' when 'I' then 'O' when 'B' then 'F' when 'F' then 'B' when 'B5' then 'F5' when 'F5' then 'B5' else s end;
            end if;
            mapped := mapped || s;
        end loop;
        if mapped <@ known and cardinality(mapped) = (select count(distinct m) from unnest(mapped) m) then
            new.surfaces := array(select k from unnest(known) with ordinality o(k, place) where k = any (mapped) order by place);
            if not (entered <@ new.surfaces) then new.surfaces_entered := entered; end if;
        end if;
    end if;
    return new;
end $$;
create or replace trigger canonical before insert on enamel.chart_entries for each row execute function kernel.canonical_entry();

-- After the policies have let the row in: doubts are refused where charting is strict. A statement that only withdraws
-- another makes none.
create or replace function kernel.doubt_entry() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if kernel.is_strict(new.tenant_id) and kernel.chart_doubts(new) && array['restoration_on_missing_tooth', 'surface_on_missing_tooth'] then
        raise exception 'the entry does not fit the tooth''s status' using errcode = '23514', table = 'chart_entries',
            constraint = 'chart_entries_fdi_tooth_check';
    end if;
    return null;
end $$;
create or replace trigger doubt after insert on enamel.chart_entries for each row
    when (new.superseded_at is null and new.axis <> 'PRESENCE') execute function kernel.doubt_entry();

-- An entry ends what it supersedes: once, and of the same patient. Nobody else changes an entry.
create or replace function sec.supersede_entry() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.chart_entries set superseded_at = now()
     where tenant_id = new.tenant_id and id = new.supersedes_id and patient_id = new.patient_id and superseded_at is null;
    if not found then
        raise exception 'superseded before' using errcode = '55000', hint = 'The entry was superseded before, or is not one of this patient.';
    end if;
    return null;
end $$;
create or replace trigger supersede after insert on enamel.chart_entries for each row
    when (new.supersedes_id is not null) execute function sec.supersede_entry();

-- A snapshot is what the entries say; nobody writes one by hand.
create or replace function kernel.take_snapshot() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.as_of > now() then
        raise exception 'nothing is known of the future' using errcode = '23514', table = 'tooth_chart_snapshots',
            constraint = 'tooth_chart_snapshots_as_of_check';
    end if;
    new.schema_version := 1;
    new.chart_json := kernel.tooth_chart(new.tenant_id, new.patient_id, new.as_of);
    new.entries_hash := kernel.chart_hash(new.tenant_id, new.patient_id, new.as_of);
    return new;
end $$;
create or replace trigger derived before insert on enamel.tooth_chart_snapshots for each row execute function kernel.take_snapshot();

-- ── Periodontal exams ───────────────────────────────────────────────────────────────────────────────────────────
select kernel.freeze('perio_exams', $$old.status <> 'DRAFT'$$, 'A signed exam is corrected by a new one: POST /perio-exams/{id}/correct.',
    '{status}');
select kernel.freeze_with('perio_tooth_findings', 'exam_id', 'perio_exams', $$p.status <> 'DRAFT'$$,
    'A signed exam is corrected by a new one: POST /perio-exams/{id}/correct.');
select kernel.freeze_with('perio_measurements', 'exam_id', 'perio_exams', $$p.status <> 'DRAFT'$$,
    'A signed exam is corrected by a new one: POST /perio-exams/{id}/correct.');

-- Why a tooth of an exam cannot be probed: the exam says it is missing, or the chart says so and the exam does not say that
-- an implant stands there.
create or replace function kernel.unprobed(tenant uuid, exam uuid, tooth text) returns text language sql stable parallel restricted as $$
    select case when f.is_missing then 'missing'
                when not coalesce(f.is_implant, false) and (
                    select c.presence from enamel.perio_exams x, kernel.chart_entries_at(tenant, x.patient_id, greatest(x.examined_at, now())) c
                     where x.tenant_id = tenant and x.id = exam and c.axis = 'PRESENCE' and c.fdi_tooth = tooth and not c.is_supernumerary
                       and c.observed_at <= x.examined_at
                     order by c.observed_at desc, c.created_at desc, c.id desc limit 1)
                     in ('UNERUPTED', 'CONGENITALLY_MISSING', 'EXTRACTED', 'MISSING', 'PONTIC') then 'charted' end
      from (values (1)) one left join enamel.perio_tooth_findings f
        on f.tenant_id = tenant and f.exam_id = exam and f.fdi_tooth = tooth and f.deleted_at is null $$;
grant execute on function kernel.unprobed(uuid, uuid, text) to enamel_staff, enamel_jobs, enamel_sec;

-- Who writes into an exam takes it first: what is measured and what is said of the tooth cannot miss each other.
create or replace function kernel.take_exam() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user <> 'enamel_sec' then
        perform from enamel.perio_exams x where x.tenant_id = new.tenant_id and x.id = new.exam_id for no key update;
    end if;
    return new;
end $$;
create or replace trigger exam_taken before insert or update on enamel.perio_measurements for each row execute function kernel.take_exam();
create or replace trigger exam_taken before insert or update on enamel.perio_tooth_findings for each row execute function kernel.take_exam();

create or replace function kernel.probe_tooth() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare tooth text := to_jsonb(new) ->> case tg_table_name when 'perio_measurements' then 'tooth_number' else 'fdi_tooth' end;
begin
    if tg_table_name = 'perio_measurements' then
        if kernel.unprobed(new.tenant_id, new.exam_id, tooth) is not null then
            raise exception 'the tooth is not there' using errcode = '23514', table = tg_table_name, constraint = 'perio_measurements_tooth_number_check';
        end if;
        if new.furcation_involvement is not null and exists (
            select from enamel.perio_tooth_findings f where f.tenant_id = new.tenant_id and f.exam_id = new.exam_id and f.fdi_tooth = tooth
               and f.is_implant and f.deleted_at is null) then
            raise exception 'an implant has no furcation' using errcode = '23514', table = tg_table_name,
                constraint = 'perio_measurements_furcation_involvement_check';
        end if;
    elsif (new.is_missing or new.is_implant) and exists (
        select from enamel.perio_measurements m where m.tenant_id = new.tenant_id and m.exam_id = new.exam_id and m.tooth_number = tooth
           and m.deleted_at is null and (new.is_missing or m.furcation_involvement is not null)) then
        raise exception 'the tooth was measured' using errcode = '23514', table = tg_table_name, constraint = 'perio_tooth_findings_is_missing_check';
    end if;
    return null;
end $$;
create or replace trigger probed after insert or update on enamel.perio_measurements for each row
    when (new.deleted_at is null) execute function kernel.probe_tooth();
create or replace trigger probed after insert or update on enamel.perio_tooth_findings for each row
    when (new.deleted_at is null) execute function kernel.probe_tooth();

-- Rows about one visit or exam are about its patient.
select kernel.same_patient('chart_entries', 'encounter_id', 'encounters');
select kernel.same_patient('tooth_chart_snapshots', 'encounter_id', 'encounters');
select kernel.same_patient('perio_exams', 'encounter_id', 'encounters');
select kernel.same_patient('perio_exams', 'supersedes_id', 'perio_exams');
select kernel.same_patient('perio_tooth_findings', 'exam_id', 'perio_exams');
select kernel.same_patient('perio_measurements', 'exam_id', 'perio_exams');
select kernel.same_patient('perio_measurements', 'encounter_id', 'encounters');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('perio_exams', 'status', '{
    DRAFT>SIGNED,SIGNED>SUPERSEDED}');
