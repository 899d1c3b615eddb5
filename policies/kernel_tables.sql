-- Who may see and change what in kernel tables; planes and permissions as the model lists them.
-- Written by the change trigger alone; no plane can plant or hide an event.
select kernel.protect('outbox_events', 'jobs=all/all', sec => 'rw');
select kernel.protect('idempotency_keys', 'staff=own/own patient=own/own auth=all/all jobs=all/all platform=all/all',
    patient => 'caller_id');
select kernel.protect('jobs', 'staff=all/none jobs=all/all platform=all/all', read => 'view_tenant',
    write => 'view_tenant', secret => '{params,cursor}');
select kernel.protect('encryption_keys', 'staff=all/none auth=all/none jobs=all/all platform=all/none',
    patient => 'patient_id', secret => '{wrapped_key}');
select kernel.protect('change_log', 'staff=all/none group=all/none audit=all/none jobs=all/all',
    read => 'view_audit', write => 'view_audit', patient => 'patient_id', sec => 'rw');
-- What a FHIR client sent beyond our columns, sealed with the tenant's key; read beside the record it belongs to.
select kernel.protect('fhir_extras',
    'staff=all/all group=all/none patient=own/own share=own/none audit=all/none jobs=all/all', patient => 'patient_id');
