-- Who may see audit and mandates. Events are written by two functions alone; planes have no INSERT.
select kernel.protect('audit_events', 'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/none',
    read => 'view_audit', patient => 'patient_id',
    staff_only => '{request_id,session_id,ip_address,user_agent,metadata}',
    secret => '{detail_salt,leaf_hash,transaction_id}', sec => 'rws',
    -- Who looked at a chart is for the patient and for those who decide about it in their place.
    proxy => 'manage_consents/');
select kernel.protect('audit_seals', 'audit=all/none jobs=all/none platform=all/none', home => 'catalogue', read => 'view_audit', sec => 'sa');
select kernel.protect('audit_digests', 'staff=all/none audit=all/none jobs=all/none', read => 'view_audit', sec => 'sa');
select kernel.protect('audit_anchors', 'staff=all/none audit=all/none jobs=all/none platform=all/none', home => 'catalogue', read => 'view_audit', sec => 'sa');
select kernel.protect('audit_mandates', 'staff=all/all audit=all/none jobs=all/none platform=all/all',
    read => 'view_audit', write => 'manage_governance', sec => 'r');
grant select on enamel.phi_access_logs to enamel_staff, enamel_patient, enamel_audit;

-- A mandate lends reading only, and only to a regulator. The auditor is nobody the tenant can see; the foreign key knows.
create or replace function sec.check_mandate() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if cardinality(new.permissions) = 0
       or exists (select from unnest(new.permissions) p where p is null or p not like 'view\_%' or p <> all (kernel.permissions())) then
        raise exception 'permissions' using errcode = '23514', table = 'audit_mandates', constraint = 'audit_mandates_permissions_check';
    end if;
    if new.auditor_tenant_id is not null and not exists (
        select from enamel.tenants t where t.id = new.auditor_tenant_id and t.type = 'REGULATOR') then
        raise exception 'auditor_tenant_id' using errcode = '23503', table = 'audit_mandates', constraint = 'audit_mandates_auditor_tenant_id_fkey';
    end if;
    return new;
end $$;
-- After the policies have judged the row: a refusal before them would tell what a foreign tenant holds.
create or replace trigger check_mandate after insert or update on enamel.audit_mandates
    for each row execute function sec.check_mandate();

-- Appends audit events. A plane may only speak for its own sealed actor and the tenants it covers; the auth plane, which
-- has no actor before it knows who signs in, for whoever that is; the log role, which the server uses for reads and
-- denials, for all. events: [{id, tenant_id, …, detail_salt, leaf_hash}], bytes as hex.
create or replace function sec.audit_append(events jsonb) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims; covered uuid[];
begin
    if session_user <> 'enamel_log' then
        c := sec.claims();
        covered := case when c.plane in ('auth', 'platform') then null else coalesce(sec.tenants(0), '{}') end;
        -- A patient's own login is a row of the installation, met in no clinic.
        if c.plane = 'patient' then covered := covered || '00000000-0000-7000-8000-000000000001'::uuid; end if;
        if c is null or exists (select from jsonb_to_recordset(events) e(tenant_id uuid, user_id uuid)
                                 where c.plane <> 'auth' and e.user_id is distinct from c.actor or not coalesce(e.tenant_id = any (covered), covered is null)) then
            raise exception 'an audit event may only speak for its own caller' using errcode = '42501';
        end if;
    end if;
    insert into enamel.audit_events (tenant_id, id, user_id, actor_type, api_client_id, plane, event_type, resource_type,
        resource_id, patient_id, action, outcome, purpose_of_use, occurred_at, request_id, session_id, ip_address, user_agent,
        break_glass_id, metadata, detail_salt, leaf_hash, created_by)
    select e.tenant_id, e.id, e.user_id, e.actor_type, e.api_client_id, e.plane, e.event_type, e.resource_type,
        e.resource_id, e.patient_id, e.action, e.outcome, e.purpose_of_use, e.occurred_at, e.request_id, e.session_id,
        e.ip_address, e.user_agent, e.break_glass_id, e.metadata, decode(e.detail_salt, 'hex'), decode(e.leaf_hash, 'hex'),
        e.user_id
      from jsonb_to_recordset(events) e(tenant_id uuid, id uuid, user_id uuid, actor_type text, api_client_id uuid, plane text,
        event_type text, resource_type text, resource_id uuid, patient_id uuid, action text, outcome text, purpose_of_use text,
        occurred_at timestamptz, request_id uuid, session_id uuid, ip_address inet, user_agent text, break_glass_id uuid,
        metadata jsonb, detail_salt text, leaf_hash text);
end $$;

-- The name behind an event about a patient, for those who may see the event: patients learn who saw their record, though
-- they see no logins.
create or replace function sec.viewer_name(tenant uuid, event uuid) returns text language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    return (select u.full_name from enamel.audit_events e join enamel.users u on u.id = e.user_id
             where e.tenant_id = tenant and e.id = event and e.patient_id is not null and case
                 when c.scope = 'patient' then exists (
                     select from sec.charts(0, c, 'manage_consents') h where h.tenant_id = e.tenant_id and h.patient_id = e.patient_id)
                 else e.tenant_id = any (sec.tenants(kernel.bit('view_audit'))) end);
end $$;

-- A running export is known by a lock that its own connection holds for as long as it lives.
create or replace function sec.export_key(export uuid) returns bigint language sql immutable parallel safe as $$
    select hashtextextended(export::text, 20) $$;
create or replace function sec.hold_export(export uuid) returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
begin perform pg_advisory_lock(sec.export_key(export)); end $$;
-- Exports of the last week that have told no end.
create or replace function sec.unfinished_exports() returns table (tenant_id uuid, export uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' then raise exception 'only jobs end exports' using errcode = '42501'; end if;
    return query select s.tenant_id, s.resource_id from enamel.tenants t join enamel.audit_events s on s.tenant_id = t.id
         where s.event_type = 'EXPORT_STARTED' and s.occurred_at >= now() - interval '7 days'
           and not sec.export_has_ended(s.tenant_id, s.resource_id);
end $$;
create or replace function sec.export_has_ended(tenant uuid, export uuid) returns boolean language sql stable as $$
    select exists (select from enamel.audit_events e
                    where e.tenant_id = tenant and e.resource_type = 'AuditEvent' and e.resource_id = export
                      and e.event_type = 'EXPORT_COMPLETED') $$;
-- The lock lasts until the end of the caller's transaction, in which it tells the end: nobody tells it twice.
create or replace function sec.export_is_dead(tenant uuid, export uuid) returns boolean language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' or c.tenant is distinct from tenant then
        raise exception 'only jobs end exports' using errcode = '42501';
    end if;
    if not pg_try_advisory_xact_lock(sec.export_key(export)) then return false; end if;
    -- A statement of its own: it sees what was committed before the lock was had.
    return not sec.export_has_ended(tenant, export);
end $$;
grant execute on function pg_catalog.pg_advisory_lock(bigint), pg_catalog.pg_try_advisory_xact_lock(bigint) to enamel_sec;
select kernel.protect('disclosures',
    'staff=all/create group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_audit',
    write => 'manage_governance', patient => 'patient_id', proxy => 'manage_consents/');
select kernel.protect('consent_texts',
    'staff=all/create patient=linked/none audit=all/none auth=all/none jobs=all/none platform=all/create',
    home => 'shared', read => 'view_tenant', write => 'manage_governance', rows => 'retired_at is null');
select kernel.protect('data_retention_policies',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/none', read => 'view_tenant',
    write => 'manage_governance');
select kernel.protect('legal_holds', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_governance');
select kernel.protect('legal_hold_items', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_governance', patient => 'patient_id');
select kernel.protect('break_glass_grants', 'staff=all/all audit=all/none jobs=all/all platform=all/all',
    read => 'view_audit', patient => 'patient_id');
select kernel.protect('data_dictionary_columns', 'staff=all/none audit=all/none jobs=all/none platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('retention_runs', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_governance', write => 'manage_governance');
select kernel.protect('retention_items', 'staff=all/none audit=all/none jobs=all/all', read => 'manage_governance',
    write => 'manage_governance', patient => 'patient_id');
select kernel.protect('consents',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', proxy => 'any/manage_consents');
select kernel.protect('record_shares',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id',
    proxy => 'manage_consents/manage_consents');
select kernel.protect('processor_agreements',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all', read => 'view_tenant',
    write => 'manage_governance');
select kernel.protect('dsar_requests', 'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all',
    read => 'view_patient', write => 'manage_governance', patient => 'patient_id',
    proxy => 'manage_consents/manage_consents');
select kernel.moves('legal_holds', 'status', '{
    ACTIVE>RELEASED}');
select kernel.moves('break_glass_grants', 'status', '{
    OPEN>CLOSED,OPEN>EXPIRED,CLOSED>REVIEWED,EXPIRED>REVIEWED}');
select kernel.moves('retention_runs', 'status', '{
    QUEUED>RUNNING,RUNNING>REVIEW,RUNNING>FAILED,REVIEW>APPROVED,REVIEW>CANCELLED,APPROVED>COMPLETED,
    APPROVED>FAILED}');
select kernel.moves('consents', 'status', '{
    ACTIVE>REVOKED,ACTIVE>EXPIRED}');
select kernel.moves('processor_agreements', 'status', '{
    DRAFT>SIGNED,SIGNED>EXPIRED,SIGNED>TERMINATED}');
select kernel.moves('dsar_requests', 'status', '{
    RECEIVED>VERIFYING,VERIFYING>IN_PROGRESS,RECEIVED>IN_PROGRESS,IN_PROGRESS>EXTENDED,IN_PROGRESS>COMPLETED,
    EXTENDED>COMPLETED,IN_PROGRESS>REFUSED,EXTENDED>REFUSED,VERIFYING>REFUSED,RECEIVED>WITHDRAWN,
    VERIFYING>WITHDRAWN,IN_PROGRESS>WITHDRAWN,EXTENDED>WITHDRAWN}');
