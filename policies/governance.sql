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
declare c sec.claims; covered uuid[]; for_all boolean := session_user = 'enamel_log'; n bigint;
begin
    if not for_all then
        c := sec.claims();
        covered := case when c.plane in ('auth', 'platform') then null when c.scope = 'tenant' then array[c.tenant]
                        else coalesce(sec.tenants(0), '{}') end;
        -- A patient's own login is a row of the installation, met in no clinic.
        if c.plane = 'patient' then covered := covered || '00000000-0000-7000-8000-000000000001'::uuid; end if;
    end if;
    insert into enamel.audit_events (tenant_id, id, user_id, actor_type, api_client_id, plane, event_type, resource_type,
        resource_id, patient_id, action, outcome, purpose_of_use, occurred_at, request_id, session_id, ip_address, user_agent,
        break_glass_id, metadata, detail_salt, leaf_hash, created_by, transaction_id)
    select e.tenant_id, e.id, e.user_id, e.actor_type, e.api_client_id, e.plane, e.event_type, e.resource_type,
        e.resource_id, e.patient_id, e.action, e.outcome, e.purpose_of_use, e.occurred_at, e.request_id, e.session_id,
        e.ip_address, e.user_agent, e.break_glass_id, e.metadata, decode(e.detail_salt, 'hex'), decode(e.leaf_hash, 'hex'),
        e.user_id, (select sec.audit_transaction())
      from jsonb_to_recordset(events) e(tenant_id uuid, id uuid, user_id uuid, actor_type text, api_client_id uuid, plane text,
        event_type text, resource_type text, resource_id uuid, patient_id uuid, action text, outcome text, purpose_of_use text,
        occurred_at timestamptz, request_id uuid, session_id uuid, ip_address inet, user_agent text, break_glass_id uuid,
        metadata jsonb, detail_salt text, leaf_hash text)
     where for_all or (c.plane = 'auth' or e.user_id is not distinct from c.actor) and coalesce(e.tenant_id = any (covered), covered is null);
    get diagnostics n = row_count;
    if n <> jsonb_array_length(events) then
        raise exception 'an audit event may only speak for its own caller' using errcode = '42501';
    end if;
end $$;

-- Who is behind an event about a patient, for those who may see the event: patients learn who saw their record, though they
-- see no logins. `what` is name, role (the strongest the login has in the tenant today), behalf (of whom a proxy looked) or
-- emergency (why emergency access was taken).
create or replace function sec.viewer(tenant uuid, event uuid, what text) returns text language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); e enamel.audit_events;
begin
    select a.* into e from enamel.audit_events a
     where a.tenant_id = tenant and a.id = event and a.patient_id is not null and case
           when c.scope = 'patient' then exists (
               select from sec.charts(0, c, 'manage_consents') h where h.tenant_id = a.tenant_id and h.patient_id = a.patient_id)
           else a.tenant_id = any (sec.tenants(kernel.bit('view_audit'))) end;
    return case what
        when 'name' then (select u.full_name from enamel.users u where u.id = e.user_id)
        when 'role' then sec.role_in(e.tenant_id, e.user_id)
        when 'behalf' then (select e.patient_id where e.plane = 'PATIENT' and not exists (
            select from enamel.patient_portal_accounts p
             where p.tenant_id = e.tenant_id and p.patient_id = e.patient_id and p.user_id = e.user_id))::text
        when 'emergency' then (select g.reason from enamel.break_glass_grants g where g.tenant_id = e.tenant_id and g.id = e.break_glass_id)
    end;
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
    write => 'manage_governance', patient => 'patient_id', sec => 'w', proxy => 'manage_consents/');
select kernel.protect('consent_texts',
    'staff=all/create patient=linked/none audit=all/none auth=all/none jobs=all/none platform=all/create',
    home => 'shared', read => 'view_tenant', write => 'manage_governance', rows => 'retired_at is null', sec => 'r');
select kernel.protect('data_retention_policies',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/none', read => 'view_tenant',
    write => 'manage_governance');
select kernel.protect('legal_holds', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'manage_governance', sec => 'r');
select kernel.protect('legal_hold_items', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'manage_governance', patient => 'patient_id', sec => 'r');
select kernel.protect('break_glass_grants', 'staff=all/all audit=all/none jobs=all/all platform=all/all',
    read => 'view_audit', patient => 'patient_id', sec => 'rw');
select kernel.protect('data_dictionary_columns', 'staff=all/none audit=all/none jobs=all/none platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('retention_runs', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_governance', write => 'manage_governance', sec => 'r');
select kernel.protect('retention_items', 'staff=all/none audit=all/none jobs=all/all', read => 'manage_governance',
    write => 'manage_governance', patient => 'patient_id');
select kernel.protect('consents',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id', sec => 'rw', proxy => 'any/manage_consents');
select kernel.protect('record_shares',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id',
    proxy => 'manage_consents/manage_consents', sec => 'rw');
select kernel.protect('processor_agreements',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all', read => 'view_tenant',
    write => 'manage_governance', sec => 'rw');
select kernel.protect('dsar_requests', 'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all',
    read => 'view_patient', write => 'manage_governance', patient => 'patient_id',
    proxy => 'manage_consents/manage_consents', sec => 'rw');
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

-- Whether a chart is the caller's own, or one they act for with that scope. For functions that change what patients may not.
create or replace function sec.is_own(tenant uuid, patient uuid, cap bigint, proxy text) returns boolean language plpgsql stable
parallel restricted set search_path = pg_catalog, pg_temp as $$
begin
    return exists (select from sec.charts(cap, sec.claims(), proxy) h where h.tenant_id = tenant and h.patient_id = patient);
end $$;

-- ── Consents: the wording is frozen with the tick ──────────────────────────────────────────────────────────────
-- Fills only; what is wrong is refused after the policies have judged the row.
create or replace function sec.fill_consent() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); wording enamel.consent_texts;
begin
    if c.plane = 'patient' then
        new.source := 'PORTAL'; new.granted_at := now(); new.granted_by := c.actor;
    end if;
    new.granted_at := coalesce(new.granted_at, now()); new.granted_by := coalesce(new.granted_by, c.actor);
    if new.subject_type = 'PATIENT' then new.patient_id := coalesce(new.patient_id, new.subject_id); end if;
    select t.* into wording from enamel.consent_texts t
     where t.tenant_id = coalesce(new.consent_text_tenant_id, new.tenant_id) and t.id = new.consent_text_id
       and t.tenant_id in (new.tenant_id, '00000000-0000-7000-8000-000000000001');
    if found then
        new.consent_text_tenant_id := wording.tenant_id; new.text_snapshot := wording.body;
        new.text_version := wording.version_no; new.text_locale := wording.locale;
    end if;
    return new;
end $$;
create or replace trigger fill_consent before insert on enamel.consents for each row execute function sec.fill_consent();
create or replace function sec.check_consent() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if new.consent_text_id is not null and not exists (
        select from enamel.consent_texts t where t.tenant_id = new.consent_text_tenant_id and t.id = new.consent_text_id
           and new.consent_type = any (t.consent_types) and t.effective_from <= new.granted_at
           and (t.retired_at is null or t.retired_at > new.granted_at)) then
        raise exception 'the wording is not in force for this purpose' using errcode = '23514', table = 'consents',
            constraint = 'consents_consent_text_id_check';
    end if;
    if new.granted_at > now() + interval '5 minutes' then
        raise exception 'not given yet' using errcode = '23514', table = 'consents', constraint = 'consents_granted_at_check';
    end if;
    if new.subject_type = 'TENANT' and new.subject_id <> new.tenant_id then
        raise exception 'a tenant consents for itself' using errcode = '23514', table = 'consents', constraint = 'consents_subject_id_check';
    end if;
    if new.renewed_from_id is not null and not exists (
        select from enamel.consents k where k.tenant_id = new.tenant_id and k.id = new.renewed_from_id and k.subject_id = new.subject_id
           and k.consent_type = new.consent_type and k.recipient_tenant_id is not distinct from new.recipient_tenant_id) then
        raise exception 'it renews another consent' using errcode = '23514', table = 'consents', constraint = 'consents_renewed_from_id_check';
    end if;
    return null;
end $$;
create or replace trigger check_consent after insert on enamel.consents for each row execute function sec.check_consent();
select kernel.freeze('consents', 'true', 'Revoke it, or renew it with the words that are right.', '{status,revoked_at}');
-- Named to come after "frozen": a merge of two patients carries the subject along.
create or replace function kernel.subject_follows() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin new.subject_id := new.patient_id; return new; end $$;
create or replace trigger subject_follows before update on enamel.consents for each row
    when (new.patient_id is distinct from old.patient_id and new.subject_type = 'PATIENT') execute function kernel.subject_follows();

-- What was built on a consent stops with it: shares, grants, AI work that waits, research. Of a consent that was renewed, what
-- was built on the ones before hangs on the last.
create or replace function sec.consent_ended() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare chain uuid[];
begin
    if exists (select from enamel.consents k where k.tenant_id = new.tenant_id and k.renewed_from_id = new.id and k.status = 'ACTIVE') then
        return null;
    end if;
    with recursive back(id, from_id) as (
        select new.id, new.renewed_from_id
        union select k.id, k.renewed_from_id from enamel.consents k join back b on k.tenant_id = new.tenant_id and k.id = b.from_id)
    select array_agg(b.id) into chain from back b;
    update enamel.record_shares set revoked_at = now()
     where tenant_id = new.tenant_id and consent_id = any (chain) and revoked_at is null;
    update enamel.document_grants set revoked_at = now()
     where tenant_id = new.tenant_id and consent_id = any (chain) and revoked_at is null;
    update enamel.ai_inference_jobs set status = 'CANCELLED', completed_at = now()
     where tenant_id = new.tenant_id and consent_id = any (chain) and status = 'QUEUED';
    update enamel.research_dataset_members set valid_until = now()
     where tenant_id = new.tenant_id and consent_id = any (chain) and (valid_until is null or valid_until > now());
    return null;
end $$;
create or replace trigger consent_ended after update on enamel.consents for each row
    when (old.status = 'ACTIVE' and new.status <> 'ACTIVE') execute function sec.consent_ended();

-- ── Shares: a live view lent to another clinic ─────────────────────────────────────────────────────────────────
create or replace function sec.check_share() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if cardinality(new.permissions) = 0
       or exists (select from unnest(new.permissions) p where p is null or p not like 'view\_%' or p <> all (kernel.permissions())) then
        raise exception 'permissions' using errcode = '23514', table = 'record_shares', constraint = 'record_shares_permissions_check';
    end if;
    if new.grantee_tenant_id = new.tenant_id then
        raise exception 'a share is for somebody else' using errcode = '23514', table = 'record_shares',
            constraint = 'record_shares_grantee_tenant_id_check';
    end if;
    if tg_op = 'INSERT' and new.consent_id is not null and not exists (
        select from enamel.consents k where k.tenant_id = new.tenant_id and k.id = new.consent_id and k.patient_id = new.patient_id
           and k.status = 'ACTIVE' and k.consent_type in ('DATA_SHARING', 'TREATMENT_PLANNING')
           and (k.recipient_tenant_id is null or k.recipient_tenant_id = new.grantee_tenant_id)) then
        raise exception 'the consent does not carry the share' using errcode = '23514', table = 'record_shares',
            constraint = 'record_shares_consent_id_check';
    end if;
    return null;
end $$;
create or replace trigger check_share after insert or update on enamel.record_shares for each row execute function sec.check_share();
select kernel.freeze('record_shares', 'old.revoked_at is not null', 'Make a new share.');

-- ── Holds ──────────────────────────────────────────────────────────────────────────────────────────────────────
create or replace function sec.fill_hold() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    new.placed_at := coalesce(new.placed_at, now()); new.placed_by := coalesce((sec.claims()).actor, new.placed_by);
    return new;
end $$;
create or replace trigger fill_hold before insert on enamel.legal_holds for each row execute function sec.fill_hold();
select kernel.freeze('legal_holds', $$old.status = 'RELEASED'$$, 'Place a new hold.');
select kernel.freeze_with('legal_hold_items', 'hold_id', 'legal_holds', $$p.status = 'RELEASED'$$, 'Place a new hold.');
create or replace function kernel.fill_hold_item() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.resource_type = 'Patient' then new.patient_id := new.resource_id; end if;
    return new;
end $$;
create or replace trigger fill_hold_item before insert on enamel.legal_hold_items for each row execute function kernel.fill_hold_item();

-- ── Requests of people: answered in one month, three when extended (GDPR Art. 12(3)) ───────────────────────────
create or replace function sec.fill_request() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane = 'patient' then new.received_at := now(); new.due_on := null; end if;
    new.received_at := coalesce(new.received_at, now());
    new.due_on := coalesce(new.due_on, ((new.received_at at time zone 'UTC')::date + interval '1 month')::date);
    return new;
end $$;
create or replace trigger fill_request before insert on enamel.dsar_requests for each row execute function sec.fill_request();
select kernel.freeze('dsar_requests', $$old.status in ('COMPLETED', 'REFUSED', 'WITHDRAWN')$$, 'Record a new request.');
create or replace function sec.withdraw_request(request uuid) returns setof enamel.dsar_requests language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query update enamel.dsar_requests d set status = 'WITHDRAWN', completed_at = now()
     where d.id = request and sec.is_own(d.tenant_id, d.patient_id, kernel.bit('edit_patient'), 'manage_consents') returning d.*;
end $$;
grant execute on function sec.withdraw_request(uuid) to enamel_patient;

-- ── Break-glass: for the caller alone, at once, for four hours at most, and told to those who watch ────────────
create or replace function sec.fill_grant() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    new.user_id := coalesce(c.actor, new.user_id);
    if c.plane in ('staff', 'platform') then
        new.valid_from := now(); new.reviewed_by := null; new.review_note := null;
    end if;
    new.valid_from := coalesce(new.valid_from, now());
    new.valid_until := coalesce(new.valid_until, new.valid_from + interval '4 hours');
    new.notified_at := now();
    return new;
end $$;
create or replace trigger fill_grant before insert on enamel.break_glass_grants for each row execute function sec.fill_grant();
create or replace function sec.tell_of_grant() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    insert into enamel.notifications (tenant_id, id, audience, role_code, type, resource_type, resource_id, title, message, priority)
    values (new.tenant_id, gen_random_uuid(), 'ROLE', 'TENANT_ADMIN', 'SYSTEM_MESSAGE', 'BreakGlassGrant', new.id,
            'Emergency access was opened', 'Somebody opened emergency access. Review the grant when it has ended.', 'HIGH');
    return null;
end $$;
create or replace trigger tell_of_grant after insert on enamel.break_glass_grants for each row execute function sec.tell_of_grant();
select kernel.freeze('break_glass_grants', 'true', 'Close it and open a new one.', '{status,reviewed_by,review_note}');

-- Everybody of the staff may open one for themselves; reading the list needs view_audit.
create or replace function sec.open_grant(reason text, patient uuid, minutes int) returns setof enamel.break_glass_grants
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane in ('staff', 'platform') and c.actor is not null and c.client is null, false) then
        raise exception 'a person opens it for themselves' using errcode = '42501';
    end if;
    return query insert into enamel.break_glass_grants as g (tenant_id, id, user_id, patient_id, reason, valid_from, valid_until)
        values (c.tenant, gen_random_uuid(), c.actor, patient, reason, now(), now() + make_interval(mins => minutes)) returning g.*;
end $$;
create or replace function sec.close_grant(grant_id uuid) returns setof enamel.break_glass_grants language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); was enamel.break_glass_grants;
begin
    select g.* into was from enamel.break_glass_grants g
     where g.tenant_id = c.tenant and g.id = grant_id and c.plane in ('staff', 'platform')
       and (g.user_id = c.actor or c.caps & kernel.bit('view_audit') <> 0) for no key update;
    if was.status <> 'OPEN' then
        raise exception 'it is not open' using errcode = '23514', table = 'break_glass_grants', constraint = 'break_glass_grants_status_move';
    end if;
    return query update enamel.break_glass_grants g set status = 'CLOSED' where g.tenant_id = was.tenant_id and g.id = was.id returning g.*;
end $$;
grant execute on function sec.open_grant(text, uuid, int), sec.close_grant(uuid) to enamel_staff, enamel_platform;

-- What has an end is ended: consents and grants of every tenant. Validity is judged by time as well.
create or replace function sec.lapse() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform sec.expire('consents', '{ACTIVE}', 'expires_at <= now()');
    perform sec.expire('break_glass_grants', '{OPEN}', 'valid_until <= now()');
    perform sec.expire('patient_proxies', '{PENDING,ACTIVE}', 'valid_until <= now()');
    perform sec.expire('quotes', '{BUILDING,SUBMITTED}', 'expires_at <= now()');
    perform sec.expire('processor_agreements', '{SIGNED}', 'expires_on < current_date');
    perform sec.expire('integration_credentials', '{ACTIVE}', 'expires_at <= now()');
    perform sec.expire('tenant_subscriptions', '{TRIALING}', 'coalesce(trial_ends_at, end_at) <= now()');
    perform sec.expire('tenant_subscriptions', '{ACTIVE,CANCELLED}', 'end_at <= now() and not (auto_renew and status = ''ACTIVE'')');
end $$;
-- Rows in these states whose time is over, each by itself: one that a rule refuses keeps no other. Who asks has crossed the
-- wall already (`sec.sweep`).
create or replace function sec.expire(rel text, states text[], is_over text) returns void language plpgsql
set search_path = pg_catalog, pg_temp as $$
declare due record;
begin
    for due in execute format('select tenant_id, id from enamel.%I where status = any ($1) and (%s) order by random() limit 1000',
                              rel, is_over) using states loop
        begin
            execute format('update enamel.%I set status = ''EXPIRED'' where tenant_id = $1 and id = $2 and status = any ($3) and (%s)',
                           rel, is_over) using due.tenant_id, due.id, states;
        exception when others then
            raise warning 'a row of % cannot expire: %', rel, sqlstate;
        end;
    end loop;
end $$;

-- ── Disclosures: who wrote it is who says it ───────────────────────────────────────────────────────────────────
create or replace function sec.fill_disclosure() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane = 'staff' then new.disclosed_by := c.actor; end if;
    new.request_id := coalesce(c.request, new.request_id);
    return new;
end $$;
create or replace trigger fill_disclosure before insert on enamel.disclosures for each row execute function sec.fill_disclosure();
create or replace function kernel.check_disclosure() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.disclosed_at > now() + interval '5 minutes' then
        raise exception 'not disclosed yet' using errcode = '23514', table = 'disclosures', constraint = 'disclosures_disclosed_at_check';
    end if;
    return null;
end $$;
create or replace trigger check_disclosure after insert on enamel.disclosures for each row execute function kernel.check_disclosure();

-- ── Retention (C09): delete only after max(law, policy), without consent in force and without a hold ───────────
-- Years the law of a place keeps a patient's record at least; places we have no source for ask for none here.
create or replace function kernel.legal_years(data_class text, jurisdiction text) returns int language sql immutable parallel safe as $$
    select case when data_class in ('PATIENT_RECORD', 'IMAGING') then coalesce(
        (select y.years from (values ('US-FL', 4), ('US-TX', 5), ('US-NH', 7), ('US-MA', 7), ('US-IL', 10), ('DE', 10), ('GB', 10),
                ('HU', 30), ('FR', 20), ('ES', 5)) y(place, years)
          where jurisdiction = y.place or jurisdiction like y.place || '-%' limit 1), 0)
        when data_class = 'LOGS' and jurisdiction like 'US%' then 6 else 0 end $$;
-- consent: ACTIVE, LAPSED or NONE. keep_until: null when nothing says that it ends.
create or replace function kernel.retention_decision(today date, keep_until date, consent text, held boolean, strategy text)
returns text language sql immutable parallel safe as $$
    select case when d = 'KEEP' or not held then d else 'HELD' end from (select case
        when consent = 'ACTIVE' then 'KEEP'
        when keep_until is null or today < keep_until then case consent when 'LAPSED' then 'RESTRICT' else 'KEEP' end
        when strategy = 'DELETE' then 'DELETE'
        when strategy = 'NONE' then 'KEEP'
        else 'ARCHIVE' end as d) x $$;

create or replace function sec.check_retention_policy() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare place text := new.jurisdiction;
begin
    if place = '*' then select t.jurisdiction into place from enamel.tenants t where t.id = new.tenant_id; end if;
    if new.min_years < kernel.legal_years(new.data_class, place) then
        raise exception 'the law keeps it longer' using errcode = '23514', table = 'data_retention_policies',
            constraint = 'data_retention_policies_min_years_check';
    end if;
    return null;
end $$;
create or replace trigger check_retention_policy after insert or update on enamel.data_retention_policies
    for each row when (new.deleted_at is null) execute function sec.check_retention_policy();

-- What a policy says today about everything it covers, as the jobs plane sees it: patients' records, their images, and the
-- files of people who were never treated, which are held on consent alone.
create or replace function kernel.retention_list(policy uuid) returns table (resource_type text, resource_id uuid, patient_id uuid,
    retain_until date, decision text, consent text, content_hash text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare p enamel.data_retention_policies; place text; today date := (now() at time zone 'UTC')::date; years int;
begin
    select x.* into strict p from enamel.data_retention_policies x where x.tenant_id = (select sec.tenant(0)) and x.id = policy;
    select t.jurisdiction into place from enamel.tenants t where t.id = p.tenant_id;
    if p.deleted_at is not null or not (p.jurisdiction in ('*', place) or place like p.jurisdiction || '-%') then return; end if;
    years := greatest(p.min_years, kernel.legal_years(p.data_class, place));
    return query
    with things as (
        select 'Patient' as kind, x.id, x.id as patient, x.created_at,
               encode(sha256(convert_to(to_jsonb(x)::text, 'UTF8')), 'hex') as hash
          from enamel.patients x where p.data_class = 'PATIENT_RECORD' and x.tenant_id = p.tenant_id and x.deleted_at is null
        union all
        select 'File', f.id, f.patient_id, f.created_at, f.sha256 from enamel.files f
         where p.data_class in ('IMAGING', 'CONSENT_HELD') and f.tenant_id = p.tenant_id and f.deleted_at is null
           and f.patient_id is not null and f.status in ('PENDING', 'READY', 'QUARANTINED')
           and (f.kind in ('XRAY', 'CT_SCAN', 'DICOM')) = (p.data_class = 'IMAGING')),
    dated as (
        select t.*, x.dob, care.last_at, c.state, case p.trigger_event
                   when 'LAST_TREATMENT' then greatest(care.last_at, t.created_at)
                   when 'CREATED' then t.created_at
                   when 'MAJORITY' then x.dob + interval '18 years'
                   when 'DEATH' then x.deceased_at end::date as begins
          from things t join enamel.patients x on x.tenant_id = p.tenant_id and x.id = t.patient
         cross join lateral (select max(v.at) as last_at from (
                   select coalesce(e.check_out_at, e.scheduled_start_at, e.created_at) as at from enamel.encounters e
                    where e.tenant_id = p.tenant_id and e.patient_id = t.patient and e.status = 'COMPLETED'
                   union all select coalesce(o.start_at, o.created_at) from enamel.procedures o
                    where o.tenant_id = p.tenant_id and o.patient_id = t.patient and o.status = 'COMPLETED') v) care
         cross join lateral (select case when bool_or(k.status = 'ACTIVE' and (k.expires_at is null or k.expires_at > now())) then 'ACTIVE'
                                         when count(*) > 0 then 'LAPSED' else 'NONE' end as state
                   from enamel.consents k where k.tenant_id = p.tenant_id and k.patient_id = t.patient
                    and k.consent_type in ('DATA_STORAGE', 'TREATMENT_PLANNING')) c
         where p.data_class <> 'CONSENT_HELD' or care.last_at is null),
    kept as (
        select d.*, greatest((d.begins + make_interval(years => years))::date, case when d.begins < d.dob + interval '18 years'
                   then (d.dob + make_interval(years => p.minor_until_age))::date end) as by_law,
               (d.begins + make_interval(years => p.max_years))::date as by_policy from dated d)
    select k.kind, k.id, k.patient, coalesce(greatest(k.by_law, k.by_policy), today),
           kernel.retention_decision(today, case when k.by_policy is not null then greatest(k.by_law, k.by_policy) end, k.state,
                                     sec.is_held(p.tenant_id, k.id, k.patient), p.archival_strategy), k.state, k.hash
      from kept k;
end $$;
grant execute on function kernel.legal_years(text, text) to enamel_sec, enamel_jobs;
grant execute on function kernel.retention_decision(date, date, text, boolean, text), kernel.retention_list(uuid),
    sec.is_held(uuid, uuid, uuid) to enamel_jobs;

-- Which tenants have a run that waits for the worker.
create or replace function sec.retention_due() returns setof uuid language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'only jobs run' using errcode = '42501'; end if;
    return query select distinct r.tenant_id from enamel.retention_runs r where r.status in ('QUEUED', 'APPROVED');
end $$;
grant execute on function sec.retention_due() to enamel_jobs;
select kernel.freeze('retention_runs', $$old.status in ('COMPLETED', 'FAILED', 'CANCELLED')$$, 'Start a new run.');

-- ── What every column means, as the catalogue has it now ───────────────────────────────────────────────────────
with live as (
    select c.relname::text as rel, a.attname::text as col, format_type(a.atttypid, a.atttypmod) as ty,
           coalesce(substring(col_description(c.oid, a.attnum) from 'sensitivity: ([a-z]+)'),
                    case when a.attname in ('id', 'tenant_id', 'created_at', 'created_by', 'updated_at', 'updated_by', 'version',
                                            'deleted_at', 'status') or a.atttypid = 'boolean'::regtype then 'business'
                         when a.attname like '%\_enc' or a.attname like '%\_bidx' then 'phi' end,
                    substring(obj_description(c.oid, 'pg_class') from 'Sensitivity: ([a-z]+)'), 'business') as level,
           a.attname like '%\_enc' as sealed,
           nullif(regexp_replace(col_description(c.oid, a.attnum), ';? ?sensitivity: [a-z]+;? ?', ''), '') as words
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition),
gone as (delete from enamel.data_dictionary_columns d where not exists (select from live l where l.rel = d.table_name and l.col = d.column_name))
insert into enamel.data_dictionary_columns (id, table_name, column_name, data_type, phi_sensitivity_level, is_encrypted, retention_class, description)
select gen_random_uuid(), l.rel, l.col, l.ty, case l.level when 'public' then 'NONE' else upper(l.level) end, l.sealed,
       case when l.rel like 'audit\_%' or l.rel like '%\_logs' or l.rel = 'change_log' then 'LOGS'
            when l.level in ('phi', 'pii') then 'PATIENT_RECORD' else 'OPERATIONAL' end, l.words
  from live l
    on conflict (table_name, column_name) do update
   set data_type = excluded.data_type, phi_sensitivity_level = excluded.phi_sensitivity_level, is_encrypted = excluded.is_encrypted,
       retention_class = excluded.retention_class, description = excluded.description
 where (data_dictionary_columns.data_type, data_dictionary_columns.phi_sensitivity_level, data_dictionary_columns.is_encrypted,
        data_dictionary_columns.retention_class, data_dictionary_columns.description)
    is distinct from (excluded.data_type, excluded.phi_sensitivity_level, excluded.is_encrypted, excluded.retention_class, excluded.description);

-- ── Links to a share ───────────────────────────────────────────────────────────────────────────────────────────
-- Nobody reads keys. They are made and ended here, for a share that the caller may change.
select kernel.protect('share_links', 'jobs=all/all', secret => '{token_hash}', sec => 'rw');
select kernel.protect('share_visits', 'jobs=all/all', secret => '{token_hash}', sec => 'rwd');
create or replace function sec.own_share(share uuid) returns enamel.record_shares language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); found enamel.record_shares;
begin
    select s.* into found from enamel.record_shares s
     where s.id = share and s.tenant_id = any (sec.tenants(0))
       and case c.plane when 'staff' then s.tenant_id = sec.tenant(kernel.bit('edit_patient'))
                        when 'patient' then sec.is_own(s.tenant_id, s.patient_id, kernel.bit('edit_patient'), 'manage_consents')
                        else false end;
    return found;
end $$;
create or replace function sec.make_share_link(share uuid, hash bytea, asks boolean, uses int) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare s enamel.record_shares := sec.own_share(share); made uuid;
begin
    if s.id is null then return null; end if;
    if s.revoked_at is not null or s.valid_until <= now() then
        perform kernel.refuse(409, 'state', 'valid_until', 'The share has ended.');
    end if;
    insert into enamel.share_links (tenant_id, id, share_id, token_hash, asks_birth_date, uses_max)
    values (s.tenant_id, gen_random_uuid(), s.id, hash, asks, uses) returning id into made;
    return made;
end $$;
create or replace function sec.end_share_links(share uuid) returns bigint language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare s enamel.record_shares := sec.own_share(share); ended bigint;
begin
    if s.id is null then return null; end if;
    update enamel.share_links l set revoked_at = now() where l.tenant_id = s.tenant_id and l.share_id = s.id and l.revoked_at is null;
    get diagnostics ended = row_count;
    return ended;
end $$;
-- One use. Its row says whose chart it is about; without a share nothing was opened, and without a row there is no such link.
create or replace function sec.open_share(link bytea, born date, visit bytea, until timestamptz)
returns table (tenant_id uuid, share_id uuid, patient_id uuid, permissions text[]) language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare l enamel.share_links; s enamel.record_shares; opens boolean;
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    select k.* into l from enamel.share_links k where k.token_hash = link order by k.created_at limit 1 for no key update;
    if l.id is null then return; end if;
    select r.* into s from enamel.record_shares r where r.tenant_id = l.tenant_id and r.id = l.share_id;
    opens := l.revoked_at is null and l.uses < l.uses_max and l.failures < 5 and s.revoked_at is null
         and s.valid_from <= now() and s.valid_until > now();
    if opens and l.asks_birth_date and not exists (
        select from enamel.patients p where p.tenant_id = s.tenant_id and p.id = s.patient_id and p.dob = born) then
        update enamel.share_links k set failures = k.failures + 1 where k.tenant_id = l.tenant_id and k.id = l.id;
        opens := false;
    end if;
    if opens then
        update enamel.share_links k set uses = k.uses + 1, last_used_at = now() where k.tenant_id = l.tenant_id and k.id = l.id;
        insert into enamel.share_visits (tenant_id, id, link_id, token_hash, expires_at)
        values (l.tenant_id, gen_random_uuid(), l.id, visit, least(until, s.valid_until));
    end if;
    return query select l.tenant_id, case when opens then s.id end, s.patient_id, s.permissions;
end $$;
-- What an open visit may do at this moment.
create or replace function sec.resolve_visit(hash bytea) returns table (
    tenant_id uuid, visit_id uuid, share_id uuid, permissions text[], tenant_rate int) language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    return query select v.tenant_id, v.id, s.id, s.permissions, q.api_rate_limit_per_minute from enamel.share_visits v
        join enamel.share_links l on l.tenant_id = v.tenant_id and l.id = v.link_id
        join enamel.record_shares s on s.tenant_id = l.tenant_id and s.id = l.share_id
        join enamel.tenants t on t.id = v.tenant_id
        left join enamel.tenant_quotas q on q.tenant_id = v.tenant_id
     where v.token_hash = hash and v.expires_at > now() and l.revoked_at is null and t.status = 'ACTIVE' and s.revoked_at is null
       and s.valid_from <= now() and s.valid_until > now();
end $$;
grant execute on function sec.make_share_link(uuid, bytea, boolean, int), sec.end_share_links(uuid) to enamel_staff, enamel_patient;
grant execute on function sec.open_share(bytea, date, bytea, timestamptz), sec.resolve_visit(bytea) to enamel_auth;
