-- Who may see and change what in directory; planes and permissions as the model lists them.
select kernel.protect('providers',
    'staff=all/all group=all/none patient=linked/none share=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', rows => 'status = ''ACTIVE''', staff_only => '{user_id}',
    sec => 'rw');
select kernel.protect('provider_identifiers', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users');
select kernel.protect('provider_locations',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users');
select kernel.protect('contacts', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_referral', write => 'edit_referral');
select kernel.guard_login('providers');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('contacts', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');
select kernel.moves('providers', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');
