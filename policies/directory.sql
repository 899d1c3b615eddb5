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

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('contacts', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');
select kernel.moves('providers', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');

select kernel.protect('clinic_profiles',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory', rows => 'status = ''PUBLISHED''',
    staff_only => '{contact_email,contact_phone,contact_address}');
select kernel.protect('clinic_treatments',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory', rows => 'is_active');
select kernel.protect('clinic_packages',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory', rows => 'is_active');
select kernel.protect('clinic_images',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory');
select kernel.protect('clinic_certifications',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all platform=all/none',
    read => 'view_tenant', write => 'manage_directory');
select kernel.protect('clinic_reviews',
    'staff=all/all group=all/none patient=linked/create audit=all/none auth=all/none jobs=all/all platform=all/none',
    read => 'view_tenant', write => 'manage_directory', patient => 'patient_id', rows => 'status = ''PUBLISHED''',
    staff_only => '{patient_id,booking_id,moderated_by,moderated_at,moderation_reason}', proxy => 'any/messages');
select kernel.moves('clinic_profiles', 'status', '{
    DRAFT>PUBLISHED,HIDDEN>PUBLISHED,PUBLISHED>HIDDEN}');
select kernel.moves('clinic_reviews', 'status', '{
    PENDING>PUBLISHED,PENDING>REJECTED,PUBLISHED>REJECTED,PENDING>WITHDRAWN,PUBLISHED>WITHDRAWN}');
