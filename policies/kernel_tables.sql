-- Who may see and change what in kernel tables; planes and permissions as the model lists them.
-- Tables whose rows the caller may not read: what the change log says of them is not shown either.
create or replace function sec.untold() returns text[] language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); may bigint := case c.plane when 'audit' then c.caps & ~kernel.clinical() else c.caps end;
begin return coalesce((select array_agg(k.rel) from kernel.reach k where k.plane = 'staff' and k.bit & may <> k.bit), '{}'); end $$;
-- Written by the change trigger alone; no plane can plant or hide an event.
select kernel.protect('outbox_events', 'jobs=all/all', sec => 'rw');
select kernel.protect('idempotency_keys', 'staff=own/own patient=own/own auth=all/all jobs=all/all platform=all/all',
    patient => 'caller_id', sec => 'rd');
select kernel.protect('jobs',
    'staff=all/status,run_after,lease_until,attempts,error_details,finished_at jobs=all/all platform=all/all',
    read => 'view_tenant', write => 'manage_tenant', secret => '{params,cursor}', sec => 'r');
-- Handed out by the server alone, to who ordered them.
select kernel.protect('job_files', 'jobs=all/all', sec => 'r');
select kernel.protect('encryption_keys', 'staff=all/none auth=all/none jobs=all/all platform=all/none',
    patient => 'patient_id', secret => '{wrapped_key}', staff_rows => kernel.about_a_patient('view_patient'), sec => 'r');
select kernel.protect('change_log', 'staff=all/none group=all/none audit=all/none jobs=all/all',
    read => 'view_audit', write => 'view_audit', patient => 'patient_id', sec => 'rw',
    staff_rows => 'table_name <> all ((select sec.untold())::text[])');
-- What a FHIR client sent beyond our columns, sealed with the tenant's key; read beside the record it belongs to.
select kernel.protect('fhir_extras',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all', patient => 'patient_id',
    staff_rows => kernel.about_a_patient('view_patient'), sec => 'r');
-- What records are searched by beside their columns. A search asks for the record too, so its own policies hold as well.
select kernel.protect('search_values',
    'staff=all/replace group=all/none patient=own/none share=own/none audit=all/none jobs=all/all', patient => 'patient_id',
    staff_rows => kernel.about_a_patient('view_patient'), sec => 'r');
select kernel.protect('clinical_search_values',
    'staff=all/replace group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', sec => 'r');

-- ── Search values follow their records ──────────────────────────────────────────────────────────────────────────
-- They are made from the whole resource. Whatever changes a record that has any marks it; whoever searches next has them made
-- anew first, or the worker does. FHIR makes those of what it writes itself, and says of which record (app.renews; nothing that
-- policies ask: whoever could lie about it may delete the values too).
select kernel.protect('search_stale', 'jobs=all/all', sec => 'rwd');
-- A plan for just these records would be made each time, and cost more than it saves.
create or replace function sec.mark_stale(home uuid, rel text, records uuid[]) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
    insert into enamel.search_stale (tenant_id, table_name, record_id)
    select home, rel, r from unnest(records) r
     where r::text is distinct from current_setting('app.renews', true)
       and (exists (select from enamel.fhir_extras e where e.tenant_id = home and e.record_id = r)
         or exists (select from enamel.search_values v where v.tenant_id = home and v.record_id = r)
         or exists (select from enamel.clinical_search_values v where v.tenant_id = home and v.record_id = r))
    -- Whoever makes them anew meanwhile has read the row as it was.
    on conflict (tenant_id, record_id) do update set due_at = excluded.due_at;
end $$;
create or replace function sec.record_changed() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if tg_table_name = 'tenants' then perform sec.mark_stale(new.id, 'tenants', array[new.id]);
    else perform sec.mark_stale(new.tenant_id, tg_table_name, array[new.id]); end if;
    return null;
end $$;
-- Of a row that other records show as theirs: those.
create or replace function sec.shown_changed() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare records uuid[];
begin
    if tg_table_name = 'providers' then
        records := array(select r.id from enamel.provider_locations r where r.tenant_id = new.tenant_id and r.provider_id = new.id);
        if cardinality(records) > 0 then perform sec.mark_stale(new.tenant_id, 'provider_locations', records); end if;
        return null;
    elsif tg_table_name = 'external_contacts' then
        records := array(select r.id from enamel.patient_relationships r where r.tenant_id = new.tenant_id and r.external_contact_id = new.id);
    elsif tg_table_name = 'patients' then
        records := array(select r.id from enamel.patient_relationships r where r.tenant_id = new.tenant_id and r.related_patient_id = new.id);
    else
        perform sec.mark_stale(new.tenant_id, 'perio_exams', array[new.exam_id]);
        return null;
    end if;
    if cardinality(records) > 0 then perform sec.mark_stale(new.tenant_id, 'patient_relationships', records); end if;
    return null;
end $$;
do $$ declare rel text; begin
    -- All that a FHIR mapping writes.
    foreach rel in array '{appointments,claims,clinical_outcomes,consents,devices,documents,encounters,files,
        kept_directory_entries,kept_resources,locations,
        patient_allergies,patient_conditions,patient_insurance_policies,patient_medications,patient_relationships,
        patient_social_history,patients,payers,perio_exams,procedures,provider_locations,providers,referrals,tasks,tenants,treatment_plan_items,treatment_plans,
        vital_signs}'::text[] loop
        -- Most changes of FHIR's own end here.
        execute format('create or replace trigger record_changed after update on enamel.%I for each row
                        when (new.id::text is distinct from current_setting(''app.renews'', true))
                        execute function sec.record_changed()', rel);
    end loop;
    foreach rel in array '{external_contacts,patients,perio_measurements,perio_tooth_findings,providers}'::text[] loop
        execute format('create or replace trigger shown_changed after %s on enamel.%I for each row execute function sec.shown_changed()',
                       case when rel like 'perio%' then 'insert or update' else 'update' end, rel);
    end loop;
end $$;
-- Tenants of the caller, for the worker all, with records to be made anew.
create or replace function sec.stale_tenants() returns setof uuid language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane = 'jobs' then
        return query select distinct s.tenant_id from enamel.search_stale s where s.due_at <= now();
    else
        return query select t from unnest(case when c.scope = 'tenant' then array[c.tenant] else sec.tenants(0) end) t
            where exists (select from enamel.search_stale s where s.tenant_id = t and s.due_at <= now());
    end if;
end $$;
grant execute on function sec.stale_tenants() to enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit, enamel_jobs;
-- Servers of the release before this one take their own mark away instead, and go on writing while this one begins.
create or replace function sec.made_anew(record uuid) returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin delete from enamel.search_stale where tenant_id = sec.tenant(0) and record_id = record; end $$;
grant execute on function sec.made_anew(uuid) to enamel_staff;

-- Removes what has expired, of every tenant: kept answers, sign-ins that never came back and spent refresh tokens. Validity is
-- always judged by time as well; this only keeps tables small. Sessions have a sweep of their own (`sec.sweep_sessions`). Rows removed.
create or replace function sec.sweep(kept interval) returns bigint language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare swept bigint := 0; n bigint; c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' then raise exception 'only jobs sweep' using errcode = '42501'; end if;
    delete from enamel.idempotency_keys where expires_at < now(); get diagnostics n = row_count; swept := swept + n;
    delete from enamel.shown_assertions where expires_at < now(); get diagnostics n = row_count; swept := swept + n;
    delete from enamel.signing_keys where expires_at < now() - kept; get diagnostics n = row_count; swept := swept + n;
    delete from enamel.oauth_requests where expires_at < now() - kept; get diagnostics n = row_count; swept := swept + n;
    delete from enamel.sign_in_attempts where expires_at < now() - kept; get diagnostics n = row_count; swept := swept + n;
    delete from enamel.refresh_tokens r where r.expires_at < now() - kept
       and not exists (select from enamel.refresh_tokens o where o.replaced_by_id = r.id);
    get diagnostics n = row_count; swept := swept + n;
    delete from enamel.logout_notices where created_at < now() - kept; get diagnostics n = row_count; swept := swept + n;
    delete from enamel.user_tokens where expires_at < now() - kept; get diagnostics n = row_count; swept := swept + n;
    delete from enamel.letters where good_until < now() - kept and state <> 'WAITING'; get diagnostics n = row_count; swept := swept + n;
    delete from enamel.share_visits where expires_at < now() - kept; get diagnostics n = row_count; swept := swept + n;
    perform sec.lapse();
    perform sec.expire_exports();
    return swept;
end $$;

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('jobs', 'status', '{
    QUEUED>RUNNING,RUNNING>SUCCEEDED,RUNNING>QUEUED,RUNNING>FAILED,QUEUED>CANCELLED,RUNNING>CANCELLED,
    FAILED>QUEUED}');

-- Jobs of these kinds that wait, and those whose server went away.
create or replace function sec.jobs_due(kinds text[]) returns table (tenant_id uuid, id uuid) language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select j.tenant_id, j.id from enamel.jobs j
        where j.kind = any (kinds) and j.status in ('QUEUED', 'RUNNING') and j.run_after <= clock_timestamp()
          and (j.status = 'QUEUED' or j.lease_until is null or j.lease_until < clock_timestamp())
        -- Tenants take turns: one that has ordered a hundred waits behind its own.
        order by row_number() over (partition by j.tenant_id order by j.run_after), j.run_after limit 100;
end $$;
-- Files of jobs that were called off, taken back by who ordered them, or ended so long ago.
create or replace function sec.job_files_due(kept interval) returns table (tenant_id uuid, id uuid, storage_key text) language plpgsql
stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select f.tenant_id, f.id, f.storage_key
        from enamel.job_files f join enamel.jobs j on j.tenant_id = f.tenant_id and j.id = f.job_id
        where j.status = 'CANCELLED' or j.params ? 'taken_back' or j.finished_at < clock_timestamp() - kept limit 500;
end $$;
-- Transactions that run at this moment: whoever waits for all of them to end sees what they wrote.
create or replace function sec.open_transactions() returns text[] language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return coalesce((select array_agg(l.virtualtransaction) from pg_catalog.pg_lock_status() l
                      where l.locktype = 'virtualxid' and l.mode = 'ExclusiveLock' and l.pid <> pg_backend_pid()), '{}');
end $$;
grant execute on function pg_catalog.pg_lock_status() to enamel_sec;
grant execute on function sec.jobs_due(text[]), sec.job_files_due(interval), sec.open_transactions() to enamel_jobs;

-- Tenants with keys that something else has wrapped than what wraps now.
create or replace function sec.keys_to_rewrap(wraps text, most bigint) returns setof uuid language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select distinct k.tenant_id from enamel.encryption_keys k
        where k.status <> 'DESTROYED' and k.kms_key_ref <> wraps order by k.tenant_id limit most;
end $$;
create or replace function sec.keys_wrapped() returns table (wrapped_by text, keys bigint) language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select k.kms_key_ref, count(*) from enamel.encryption_keys k where k.status <> 'DESTROYED' group by 1 order by 1;
end $$;
grant execute on function sec.keys_to_rewrap(text, bigint), sec.keys_wrapped() to enamel_jobs;
