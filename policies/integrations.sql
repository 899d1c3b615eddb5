-- Who may see and change what in integrations; planes and permissions as the model lists them.
select kernel.protect('external_systems', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('tenant_integrations', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('integration_credentials', 'staff=all/all audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations', secret => '{secret_enc,refresh_secret_enc}');
select kernel.protect('external_ids', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_integrations');
select kernel.protect('sync_jobs', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('sync_job_logs', 'staff=all/none audit=all/none jobs=all/create',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('export_jobs', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/none',
    read => 'manage_governance', write => 'manage_governance');
select kernel.protect('fhir_resources',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    patient => 'patient_id');
select kernel.protect('dicom_nodes', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('dicom_transactions', 'staff=all/none audit=all/none jobs=all/create',
    read => 'manage_integrations', write => 'manage_integrations');
select kernel.protect('webhook_subscriptions', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'manage_integrations', write => 'manage_integrations', secret => '{secret_enc,previous_secret_enc}');
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
