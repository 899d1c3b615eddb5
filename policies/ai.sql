-- Who may see and change what in ai; planes and permissions as the model lists them.
select kernel.protect('ai_models', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('ai_model_versions', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform',
    secret => '{artifact_uri,artifact_signature}', sec => 'rw');
select kernel.protect('ai_model_deployments',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all', home => 'shared',
    read => 'view_tenant', write => 'manage_platform', sec => 'r');
select kernel.protect('ai_inference_jobs', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'run_ai_analysis', patient => 'patient_id', sec => 'rw');
select kernel.protect('ai_predictions', 'staff=all/create group=all/none audit=all/none jobs=all/create',
    read => 'view_imaging', write => 'run_ai_analysis', patient => 'patient_id', sec => 'rw');
select kernel.protect('ai_review_events', 'staff=all/create group=all/none audit=all/none jobs=all/create',
    read => 'view_imaging', write => 'review_ai', patient => 'patient_id');
select kernel.protect('ai_ground_truth', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'review_ai', patient => 'patient_id');
select kernel.protect('ai_outcome_links', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'review_ai', patient => 'patient_id');
select kernel.protect('research_datasets', 'staff=all/all audit=all/none jobs=all/all', read => 'use_research_data',
    write => 'manage_governance', sec => 'r');
select kernel.protect('research_dataset_members', 'staff=all/none audit=all/none jobs=all/all',
    read => 'use_research_data', write => 'use_research_data', patient => 'patient_id',
    secret => '{patient_id,consent_id}', sec => 'rw');
select kernel.protect('research_access_logs', 'staff=all/none audit=all/none jobs=all/create',
    read => 'use_research_data', write => 'manage_governance');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('ai_model_versions', 'status', '{
    DRAFT>VALIDATED,VALIDATED>RELEASED,RELEASED>RETIRED,VALIDATED>RETIRED}');
select kernel.moves('ai_model_deployments', 'status', '{
    CANARY>ROLLED_OUT,CANARY>DISABLED,ROLLED_OUT>DISABLED,DISABLED>CANARY}');
select kernel.moves('ai_inference_jobs', 'status', '{
    QUEUED>RUNNING,RUNNING>SUCCEEDED,RUNNING>FAILED,RUNNING>QUEUED,QUEUED>FAILED,FAILED>QUEUED,QUEUED>CANCELLED}');
select kernel.moves('research_datasets', 'status', '{
    DRAFT>BUILDING,BUILDING>PUBLISHED,BUILDING>DRAFT,PUBLISHED>WITHDRAWN}');

-- ── Who may run what, and where a version is in force ─────────────────────────────────────────────────────────────
-- What an analysis of a patient needs: the feature, and the consent where the tenant asks for one.
create or replace function sec.ai_gate(patient uuid) returns table (feature boolean, consent_needed boolean, consent uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane = 'staff' and c.caps & kernel.bit('run_ai_analysis') <> 0, false) then
        raise exception 'analysing needs run_ai_analysis' using errcode = '42501';
    end if;
    return query select
        exists (select from enamel.tenant_features f
                 where f.tenant_id = c.tenant and f.feature_code = 'AI_DIAGNOSTICS' and f.is_enabled and f.deleted_at is null
                   and coalesce(f.valid_from <= now(), true) and coalesce(f.valid_until > now(), true)),
        coalesce((select bool_or(s.require_ai_consent) from enamel.tenant_settings s where s.tenant_id = c.tenant), true),
        (select k.id from enamel.consents k
          where k.tenant_id = c.tenant and k.patient_id = ai_gate.patient and k.consent_type = 'AI_ANALYSIS' and k.status = 'ACTIVE'
            and coalesce(k.expires_at > now(), true) order by k.granted_at desc limit 1);
end $$;

-- However a job is made, who asked, what it reads and whether it may be run is ours to say.
create or replace function sec.admit_inference() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); gate record; broken text;
begin
    if c.tenant is distinct from new.tenant_id then return new; end if;
    new.requested_by_user_id := coalesce(c.actor, new.requested_by_user_id);
    new.queued_at := now();
    if new.input_type = 'IMAGING_STUDY' then
        -- The same images under the same version are one job.
        select s.patient_id, encode(sha256(convert_to(string_agg(o.hash, ',' order by o.hash), 'UTF8')), 'hex')
          into new.patient_id, new.input_hash
          from enamel.imaging_studies s join enamel.imaging_objects o on o.tenant_id = s.tenant_id and o.study_id = s.id
         where s.tenant_id = new.tenant_id and s.id = new.input_ref_id and s.status = 'AVAILABLE' and s.deleted_at is null
         group by s.patient_id;
    else
        new.input_hash := encode(sha256(convert_to(concat_ws(':', new.input_type, new.input_ref_id, now()), 'UTF8')), 'hex');
    end if;
    if c.plane = 'staff' then
        select * into gate from sec.ai_gate(new.patient_id);
        new.consent_id := gate.consent;
        broken := case
            when new.input_hash is null then 'input_ref_id'
            when not exists (select from enamel.ai_model_versions v where v.id = new.model_version_id and v.status = 'RELEASED')
                then 'model_version_id'
            when not gate.feature then 'feature'
            when gate.consent_needed and gate.consent is null then 'consent_id' end;
        if broken is not null then
            raise exception 'the analysis may not run: %', broken using errcode = '23514', table = 'ai_inference_jobs',
                constraint = 'ai_inference_jobs_' || broken || '_check';
        end if;
    end if;
    return new;
end $$;
create or replace trigger admit_inference before insert on enamel.ai_inference_jobs for each row execute function sec.admit_inference();
create or replace trigger within_quota before insert on enamel.ai_inference_jobs for each row when (not new.is_shadow)
    execute function sec.within_quota('max_ai_inferences_per_month');

-- Only a released version of the same model is in force; the version waits with its retirement for who puts it there.
create or replace function sec.fill_deployment() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); v record;
begin
    if tg_op = 'INSERT' then
        new.bucket_salt := replace(gen_random_uuid()::text, '-', '');
        new.created_by_id := coalesce(c.actor, new.created_by_id);
    end if;
    if c.tenant is distinct from new.tenant_id or new.status = 'DISABLED' then return new; end if;
    if tg_op = 'UPDATE' and (new.status, new.model_id, new.model_version_id) = (old.status, old.model_id, old.model_version_id) then
        return new;
    end if;
    select x.status, x.model_id into v from enamel.ai_model_versions x where x.id = new.model_version_id for share;
    if found and (v.status <> 'RELEASED' or v.model_id <> new.model_id) then
        raise exception 'not a released version of the model' using errcode = '23514', table = 'ai_model_deployments',
            constraint = 'ai_model_deployments_model_version_id_check';
    end if;
    return new;
end $$;
create or replace trigger in_force before insert or update on enamel.ai_model_deployments for each row
    execute function sec.fill_deployment();
select kernel.freeze('ai_model_versions', $$old.status <> 'DRAFT'$$, 'Add a new version.',
    '{status,validated_on,sbom_uri,change_plan_reference,release_notes}');

-- Is the version in force in any tenant?
create or replace function sec.version_deployed(version uuid) returns boolean language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'platform' then raise exception 'the platform asks this' using errcode = '42501'; end if;
    return exists (select from enamel.ai_model_deployments d
                    where d.model_version_id = version_deployed.version and d.status in ('ROLLED_OUT', 'CANARY'));
end $$;
grant execute on function sec.version_deployed(uuid) to enamel_platform;

-- How a deployment of the caller's has done, in counts over every tenant it serves.
create or replace function sec.deployment_health(deployment uuid)
returns table (succeeded bigint, failed bigint, mean_ms double precision, reviewed bigint, overridden bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane = 'platform' or c.plane = 'staff' and c.caps & kernel.bit('manage_platform') <> 0, false) then
        raise exception 'the health of a deployment needs manage_platform' using errcode = '42501';
    end if;
    return query with jobs as (
        select j.tenant_id, j.id, j.status, j.started_at, j.completed_at from enamel.ai_inference_jobs j
         where j.deployment_tenant_id = c.tenant and j.deployment_id = deployment_health.deployment),
    seen as (
        select p.review_status from jobs j join enamel.ai_predictions p on p.tenant_id = j.tenant_id and p.job_id = j.id
         where p.review_status <> 'UNREVIEWED')
    select (select count(*) from jobs j where j.status = 'SUCCEEDED'), (select count(*) from jobs j where j.status = 'FAILED'),
        (select (avg(extract(epoch from j.completed_at - j.started_at)) * 1000)::double precision from jobs j where j.status = 'SUCCEEDED'),
        (select count(*) from seen), (select count(*) from seen s where s.review_status in ('REJECTED', 'EDITED'));
end $$;
grant execute on function sec.deployment_health(uuid) to enamel_staff, enamel_platform;

-- ── Review ────────────────────────────────────────────────────────────────────────────────────────────────────────
-- So is what an examiner says is true of a picture.
select kernel.speaks_for('ai_ground_truth', 'evaluator_id');
-- A verdict is its writer's, about the prediction's patient; teaching with it needs the tenant's word and the patient's.
create or replace function sec.verdict() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); patient uuid;
begin
    if c.tenant is distinct from new.tenant_id then return new; end if;
    select p.patient_id into patient from enamel.ai_predictions p where p.tenant_id = new.tenant_id and p.id = new.prediction_id;
    new.patient_id := coalesce(patient, new.patient_id);
    if c.plane = 'staff' then new.reviewer_id := coalesce(c.actor, new.reviewer_id); end if;
    if new.use_for_training and not (
            coalesce((select bool_and(s.allow_training_use) from enamel.tenant_settings s where s.tenant_id = new.tenant_id), false)
            and exists (select from enamel.consents k
                         where k.tenant_id = new.tenant_id and k.patient_id = new.patient_id and k.consent_type = 'RESEARCH'
                           and k.status = 'ACTIVE' and coalesce(k.expires_at > now(), true))) then
        raise exception 'not to be used for training' using errcode = '23514', table = 'ai_review_events',
            constraint = 'ai_review_events_use_for_training_check';
    end if;
    return new;
end $$;
create or replace trigger verdict before insert on enamel.ai_review_events for each row execute function sec.verdict();
create or replace function sec.reviewed() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.ai_predictions set review_status = new.review_action where tenant_id = new.tenant_id and id = new.prediction_id;
    return null;
end $$;
create or replace trigger reviewed after insert on enamel.ai_review_events for each row execute function sec.reviewed();

-- ── Research ──────────────────────────────────────────────────────────────────────────────────────────────────────
select kernel.freeze('research_datasets', $$old.status in ('PUBLISHED', 'WITHDRAWN')$$, 'Make a new version of the data set.', '{status}');
-- What is withdrawn gives nobody's data any more.
create or replace function sec.withdraw_members() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.research_dataset_members set valid_until = now()
     where tenant_id = new.tenant_id and dataset_id = new.id and (valid_until is null or valid_until > now());
    return null;
end $$;
create or replace trigger withdraw_members after update on enamel.research_datasets for each row
    when (old.status <> 'WITHDRAWN' and new.status = 'WITHDRAWN') execute function sec.withdraw_members();
-- Whom a data set may be about today: its criteria, a consent that stands, and nobody in a group smaller than k.
create or replace function kernel.research_cohort(dataset uuid)
returns table (patient_id uuid, consent_id uuid, age_band text, gender text, region text)
language sql stable set search_path = enamel, pg_catalog, pg_temp as $$
    with d as (select s.tenant_id, s.required_consent_type, s.inclusion_criteria as c, coalesce(s.k_anonymity, 5) as k
                 from research_datasets s where s.tenant_id = sec.tenant(0) and s.id = dataset),
    one as (
        select p.id, k.id as consent, coalesce(p.administrative_gender, 'UNKNOWN') as gender, coalesce(a.region, '') as region,
               case when p.dob is null then 'unknown' when y.age >= 90 then '90+' else y.age / 10 * 10 || '-' || y.age / 10 * 10 + 9 end as band
          from d join patients p on p.tenant_id = d.tenant_id and p.deleted_at is null and p.merged_into_id is null
          cross join lateral (select extract(year from age(current_date, p.dob))::int as age) y
          cross join lateral (
               select x.id from consents x
                where x.tenant_id = p.tenant_id and x.patient_id = p.id and x.consent_type = d.required_consent_type and x.status = 'ACTIVE'
                  and coalesce(x.expires_at > now(), true) order by x.granted_at desc limit 1) k
          left join lateral (
               select x.region from patient_addresses x
                where x.tenant_id = p.tenant_id and x.patient_id = p.id and x.deleted_at is null order by x.is_primary desc, x.id limit 1) a on true
         where coalesce(y.age >= (d.c ->> 'min_age')::int, not d.c ? 'min_age')
           and coalesce(y.age <= (d.c ->> 'max_age')::int, not d.c ? 'max_age')
           and (coalesce(d.c -> 'genders', '[]') = '[]' or d.c -> 'genders' ? coalesce(p.administrative_gender, 'UNKNOWN'))
           and (coalesce(d.c -> 'condition_codes', '[]') = '[]' or exists (
                select from patient_conditions x where x.tenant_id = p.tenant_id and x.patient_id = p.id and x.deleted_at is null
                   and d.c -> 'condition_codes' ? x.code))
           and (not d.c ?| '{procedure_codes,seen_from,seen_before}' or exists (
                select from procedures x where x.tenant_id = p.tenant_id and x.patient_id = p.id and x.status = 'COMPLETED'
                   and (coalesce(d.c -> 'procedure_codes', '[]') = '[]' or d.c -> 'procedure_codes' ? x.cdt_code)
                   and coalesce(x.start_at >= (d.c ->> 'seen_from')::date, not d.c ? 'seen_from')
                   and coalesce(x.start_at < (d.c ->> 'seen_before')::date, not d.c ? 'seen_before'))))
    select g.id, g.consent, g.band, g.gender, g.region
      from (select o.*, count(*) over (partition by o.band, o.gender, o.region) as members from one o) g, d where g.members >= d.k
$$;
grant execute on function kernel.research_cohort(uuid) to enamel_jobs;
create or replace function sec.research_due() returns table (tenant_id uuid, id uuid, is_export boolean) language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query
        select s.tenant_id, s.id, false from enamel.research_datasets s where s.status = 'BUILDING' and s.member_count = 0
        union all
        select j.tenant_id, j.id, true from enamel.export_jobs j
         where j.export_type = 'REPORT' and j.params ? 'dataset_id'
           and (j.status = 'QUEUED' or j.status = 'RUNNING' and j.updated_at < now() - interval '2 minutes') limit 100;
end $$;
grant execute on function sec.research_due() to enamel_jobs;
