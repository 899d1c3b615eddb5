-- Who may see and change what in messaging; planes and permissions as the model lists them.
select kernel.protect('notifications',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_tenant',
    write => 'view_tenant', patient => 'patient_id');
select kernel.protect('notification_reads', 'staff=own/own patient=own/own jobs=all/all', patient => 'user_id');
select kernel.protect('notification_deliveries', 'staff=all/none group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'view_tenant');
select kernel.protect('notification_preferences', 'staff=own/own patient=own/own jobs=all/all', patient => 'user_id');
select kernel.protect('conversations', 'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all',
    read => 'view_messages', write => 'send_messages', patient => 'patient_id',
    rows => 'kind = ''PATIENT_MESSAGING''', proxy => 'messages/messages');
select kernel.protect('conversation_participants',
    'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all', read => 'view_messages',
    write => 'send_messages', patient => 'patient_id');
select kernel.protect('messages', 'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all',
    read => 'view_messages', write => 'send_messages', patient => 'patient_id', proxy => 'messages/messages');
select kernel.protect('message_attachments',
    'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all', read => 'view_messages',
    write => 'send_messages', patient => 'patient_id', proxy => 'messages/messages');
select kernel.protect('knowledge_documents',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_knowledge',
    rows => 'status = ''PUBLISHED'' and kind = ''PATIENT_EDUCATION''');
select kernel.protect('knowledge_versions',
    'staff=all/create group=all/none patient=linked/none audit=all/none jobs=all/create platform=all/create',
    home => 'shared', read => 'view_tenant', write => 'manage_knowledge', rows => 'is_patient_visible');
select kernel.protect('knowledge_localizations',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_knowledge', rows => 'is_patient_visible');
select kernel.protect('patient_material_assignments',
    'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all', read => 'view_clinical',
    write => 'edit_clinical', patient => 'patient_id');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('notification_deliveries', 'state', '{
    QUEUED>SENT,QUEUED>SUPPRESSED,SENT>DELIVERED,SENT>BOUNCED,QUEUED>FAILED,SENT>FAILED,FAILED>QUEUED}');
select kernel.moves('conversations', 'status', '{
    OPEN>CLOSED,CLOSED>OPEN,CLOSED>ARCHIVED}');
select kernel.moves('messages', 'delivery_state', '{
    QUEUED>SENT,SENT>DELIVERED,SENT>READ,DELIVERED>READ,QUEUED>FAILED,SENT>FAILED,FAILED>QUEUED}');
select kernel.moves('knowledge_documents', 'status', '{
    DRAFT>IN_REVIEW,IN_REVIEW>PUBLISHED,IN_REVIEW>DRAFT,PUBLISHED>RETIRED,PUBLISHED>DRAFT}');
