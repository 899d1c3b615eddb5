-- Who may see and change what in integrations; planes and permissions as the model lists them.
select kernel.protect('external_systems', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('tenant_integrations', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('integration_credentials', 'staff=all/all audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations', secret => '{secret_enc,refresh_secret_enc,previous_secret_enc}');
select kernel.protect('external_ids', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'manage_integrations');
select kernel.protect('sync_jobs', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations', sec => 'r');
select kernel.protect('sync_job_logs', 'staff=all/none audit=all/none jobs=all/create',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('export_jobs', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/none',
    read => 'manage_governance', write => 'manage_governance', sec => 'rw');
select kernel.protect('fhir_resources',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all', read => 'view_clinical',
    write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('kept_resources',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('dicom_nodes', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('dicom_transactions', 'staff=all/none audit=all/none jobs=all/create',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('webhook_subscriptions', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations', secret => '{secret_enc,previous_secret_enc}', sec => 'r');
select kernel.protect('webhook_events', 'staff=all/none audit=all/none jobs=all/create',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('webhook_deliveries', 'staff=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('tenant_integrations', 'status', '{
    PENDING>ACTIVE,PAUSED>ACTIVE,ERROR>ACTIVE,ACTIVE>PAUSED,ACTIVE>ERROR,PENDING>DISABLED,ACTIVE>DISABLED,
    PAUSED>DISABLED,ERROR>DISABLED}');
select kernel.moves('integration_credentials', 'status', '{
    ACTIVE>REVOKED,ACTIVE>EXPIRED}');
select kernel.moves('sync_jobs', 'status', '{
    QUEUED>RUNNING,RUNNING>SUCCEEDED,RUNNING>PARTIAL,RUNNING>FAILED,QUEUED>CANCELLED,RUNNING>CANCELLED,
    FAILED>QUEUED,PARTIAL>QUEUED}');
select kernel.moves('export_jobs', 'status', '{
    QUEUED>RUNNING,RUNNING>COMPLETED,RUNNING>FAILED,QUEUED>CANCELLED,RUNNING>CANCELLED,COMPLETED>EXPIRED}');
select kernel.moves('webhook_subscriptions', 'status', '{
    ACTIVE>PAUSED,PAUSED>ACTIVE,ACTIVE>DISABLED,DISABLED>ACTIVE}');
select kernel.moves('webhook_deliveries', 'status', '{
    PENDING>SUCCEEDED,PENDING>FAILED,FAILED>SUCCEEDED,FAILED>DEAD_LETTER,DEAD_LETTER>PENDING,FAILED>PENDING}');

-- ── Rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────
select kernel.freeze('integration_credentials', $$old.status <> 'ACTIVE'$$, 'Add a new credential.', '{deleted_at,delete_reason}');
select kernel.freeze_with('integration_credentials', 'integration_id', 'tenant_integrations', $$p.status = 'DISABLED'$$,
    'Connect the system anew.', '{status,deleted_at,delete_reason}');

-- Imports of codes that wait, and those whose server went away; whoever orders one may manage codes.
create or replace function sec.imports_due() returns table (tenant_id uuid, id uuid) language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select j.tenant_id, j.id from enamel.sync_jobs j
        where j.job_type = 'FILE_IMPORT' and j.params ? 'target'
          and (j.status = 'QUEUED' or j.status = 'RUNNING' and j.updated_at < now() - interval '2 minutes')
        order by row_number() over (partition by j.tenant_id order by j.created_at), j.created_at limit 100;
end $$;
grant execute on function sec.imports_due() to enamel_jobs;
-- Such an order is given by its operation, which asks for the right permission; never by a row alone.
create or replace function kernel.by_operation() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.params ? tg_argv[0] and current_user = 'enamel_staff' then
        raise exception 'an operation orders this' using errcode = '23514', table = tg_table_name,
            constraint = tg_table_name || '_params_check';
    end if;
    return new;
end $$;
create or replace trigger by_operation before insert or update of params on enamel.sync_jobs for each row
    execute function kernel.by_operation('target');
create or replace trigger by_operation before insert or update of params on enamel.export_jobs for each row
    execute function kernel.by_operation('dataset_id');

-- Copies of records that wait, and those whose server went away.
create or replace function sec.record_copies_due() returns table (tenant_id uuid, id uuid) language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if (sec.claims()).plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query select j.tenant_id, j.id from enamel.export_jobs j
        where j.export_type in ('PATIENT_RECORD', 'TENANT_FULL') and j.params ? 'order'
          and (j.status = 'QUEUED' or j.status = 'RUNNING' and j.updated_at < now() - interval '2 minutes')
        order by row_number() over (partition by j.tenant_id order by j.created_at), j.created_at limit 100;
end $$;
grant execute on function sec.record_copies_due() to enamel_jobs;

-- Who asked for an export is the caller, whatever they send.
create or replace function kernel.requested_by_caller() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.requested_by := coalesce(sec.actor(0), new.requested_by);
    return new;
end $$;
create or replace trigger requested_by_caller before insert on enamel.export_jobs for each row
    execute function kernel.requested_by_caller();

-- What an export wrote that was cancelled, failed, is begun again or can be fetched no longer is removed by the sweep of files.
create or replace function sec.drop_export() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.files set status = 'DELETED', scan_result = 'EXPORT_' || case new.status when 'RUNNING' then 'RESTARTED' else new.status end,
           purge_after = current_date
     where tenant_id = new.tenant_id and status in ('PENDING', 'READY', 'QUARANTINED')
       and (id = old.file_id or id in (select (f ->> 'file_id')::uuid from jsonb_array_elements(coalesce(old.params -> 'files', '[]')) f));
    return null;
end $$;
create or replace trigger drop_export after update on enamel.export_jobs for each row
    when (old.file_id is not null and (new.file_id is null or old.status <> new.status and new.status in ('CANCELLED', 'FAILED', 'EXPIRED')))
    execute function sec.drop_export();

-- Exports whose time is over. A request of a person keeps its copy until it is answered. Called by `sec.sweep`.
create or replace function sec.expire_exports() returns void language sql volatile
set search_path = pg_catalog, pg_temp as $$
    update enamel.export_jobs j set status = 'EXPIRED'
      from (select x.tenant_id, x.id from enamel.export_jobs x
             where x.status = 'COMPLETED' and x.expires_at < now()
               and not exists (select from enamel.dsar_requests d where d.tenant_id = x.tenant_id and d.export_job_id = x.id
                                  and d.status not in ('COMPLETED', 'REFUSED', 'WITHDRAWN'))
             limit 100 for no key update skip locked) due
     where j.tenant_id = due.tenant_id and j.id = due.id
$$;

-- Events go to public addresses only: no name of this machine or network, no address of a private one, no credentials.
create or replace function kernel.webhook_address() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    host text := (regexp_match(lower(new.url), '^https://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?([/?].*)?$'))[1];
    private boolean := true; address inet;
begin
    if host ~ '^\[' or host ~ '^[0-9.]+$' then
        address := trim(both '[]' from host)::inet;
        private := exists (select from unnest('{0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,
            192.0.0.0/24,192.168.0.0/16,198.18.0.0/15,224.0.0.0/3,::/127,::ffff:0:0/96,64:ff9b::/96,fc00::/7,fe80::/10,
            ff00::/8}'::cidr[]) net where address <<= net);
    elsif host is not null then
        private := host !~ '[.][a-z]' or host ~ '(^|[.])(localhost|local|internal|home[.]arpa)[.]?$';
    end if;
    if private then
        raise exception 'no public address' using errcode = '23514', table = 'webhook_subscriptions',
            constraint = 'webhook_subscriptions_url_check';
    end if;
    return new;
end $$;
create or replace trigger webhook_address before insert or update of url on enamel.webhook_subscriptions for each row
    execute function kernel.webhook_address();
create or replace trigger within_quota before insert on enamel.webhook_subscriptions for each row when (new.deleted_at is null)
    execute function sec.within_quota('max_webhook_subscriptions');
