-- Who may see and change what in referrals; planes and permissions as the model lists them.
select kernel.protect('referrals',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_referral', write => 'edit_referral', patient => 'patient_id');
select kernel.protect('referral_files',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_referral', write => 'edit_referral', patient => 'patient_id');
select kernel.protect('referral_links', 'staff=all/all group=all/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_referral', write => 'manage_tenant');
select kernel.protect('referral_link_slugs', 'staff=none/create auth=all/none jobs=all/create', home => 'catalogue');
select kernel.protect('referral_submissions', 'staff=all/none audit=all/none auth=none/all jobs=all/all',
    read => 'view_referral', write => 'edit_referral', secret => '{status_token_hash}');
select kernel.protect('referral_events',
    'staff=all/none group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_referral', write => 'view_referral', patient => 'patient_id');
select kernel.protect('referral_exchanges', 'jobs=all/all', home => 'catalogue', secret => '{answer_token_hash}');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('referrals', 'status', '{
    DRAFT>SENT,DRAFT>CANCELLED,SENT>CANCELLED,ACCEPTED>CANCELLED,IN_PROGRESS>CANCELLED,SENT>ACCEPTED,SENT>REJECTED,
    ACCEPTED>IN_PROGRESS,ACCEPTED>COMPLETED,IN_PROGRESS>COMPLETED}');
select kernel.moves('referral_links', 'status', '{
    ACTIVE>INACTIVE,INACTIVE>ACTIVE}');
select kernel.moves('referral_submissions', 'status', '{
    RECEIVED>SCANNING,SCANNING>ACCEPTED,SCANNING>QUARANTINED,QUARANTINED>ACCEPTED,QUARANTINED>REFUSED,
    RECEIVED>REFUSED}');
