-- Who may see and change what in claims; planes and permissions as the model lists them.
select kernel.protect('fee_schedules', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'manage_billing');
select kernel.protect('fee_schedule_items', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'manage_billing');
select kernel.protect('eligibility_checks', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claims',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claim_lines',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claim_diagnoses',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claim_attachments', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claim_status_events',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_claims',
    write => 'view_claims', patient => 'patient_id');
select kernel.protect('remittances', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims');
select kernel.protect('remittance_lines', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_claims', write => 'view_claims');
select kernel.protect('x12_interchanges', 'staff=all/none audit=all/none jobs=all/all', read => 'edit_claims',
    write => 'edit_claims');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('eligibility_checks', 'status', '{
    QUEUED>SENT,SENT>ANSWERED,QUEUED>FAILED,SENT>FAILED}');
select kernel.moves('claims', 'status', '{
    DRAFT>READY,READY>DRAFT,READY>SUBMITTED,SUBMITTED>ACCEPTED,SUBMITTED>REJECTED,REJECTED>DRAFT,ACCEPTED>PENDED,
    ACCEPTED>PARTIALLY_PAID,PENDED>PARTIALLY_PAID,ACCEPTED>PAID,PENDED>PAID,PARTIALLY_PAID>PAID,ACCEPTED>DENIED,
    PENDED>DENIED,DENIED>APPEALED,PARTIALLY_PAID>APPEALED,APPEALED>PENDED,APPEALED>PAID,APPEALED>DENIED,
    DRAFT>VOIDED,READY>VOIDED,SUBMITTED>VOIDED,ACCEPTED>VOIDED,REJECTED>VOIDED,DENIED>VOIDED}');
select kernel.moves('remittances', 'status', '{
    RECEIVED>BALANCED,RECEIVED>UNBALANCED,UNBALANCED>BALANCED,BALANCED>POSTED}');
select kernel.moves('x12_interchanges', 'status', '{
    QUEUED>SENT,SENT>ACKNOWLEDGED,SENT>REJECTED,RECEIVED>PARSED,QUEUED>FAILED,RECEIVED>FAILED}');
