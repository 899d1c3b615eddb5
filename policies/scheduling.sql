-- Who may see and change what in scheduling; planes and permissions as the model lists them.
select kernel.protect('appointment_types',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_schedule', write => 'manage_tenant', sec => 'r');
select kernel.protect('availability_blocks',
    'staff=all/all group=all/none patient=none/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_schedule', write => 'edit_schedule', sec => 'r');
select kernel.protect('schedule_closures',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all', read => 'view_schedule',
    write => 'manage_tenant', sec => 'r');
select kernel.protect('appointment_series',
    'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all', read => 'view_schedule',
    write => 'edit_schedule', patient => 'patient_id');
select kernel.protect('appointments',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'edit_schedule', patient => 'patient_id',
    staff_only => '{notes,overbook_reason}', sec => 'rw');
select kernel.protect('appointment_providers',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'edit_schedule', patient => 'patient_id', sec => 'rw');
select kernel.protect('appointment_procedures',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'edit_schedule', patient => 'patient_id');
select kernel.protect('appointment_events',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_schedule',
    write => 'edit_schedule', patient => 'patient_id', sec => 'rw');
select kernel.protect('slot_holds', 'staff=all/all patient=own/own auth=all/all jobs=all/all',
    read => 'view_schedule', write => 'edit_schedule', patient => 'patient_id', proxy => 'appointments/appointments',
    sec => 'rw');
select kernel.protect('waitlist_entries', 'staff=all/all group=all/none patient=own/own audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'edit_schedule', patient => 'patient_id', proxy => 'appointments/appointments',
    sec => 'rw');
select kernel.protect('recall_types', 'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'manage_tenant', sec => 'r');
select kernel.protect('recalls', 'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'edit_schedule', patient => 'patient_id', sec => 'rw');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('appointment_series', 'status', '{
    ACTIVE>ENDED}');
select kernel.moves('appointments', 'status', '{
    HELD>PENDING,HELD>SCHEDULED,HELD>CANCELLED,PENDING>SCHEDULED,PENDING>CONFIRMED,SCHEDULED>CONFIRMED,
    PENDING>CANCELLED,SCHEDULED>CANCELLED,CONFIRMED>CANCELLED,ARRIVED>CANCELLED,IN_PROGRESS>CANCELLED,
    SCHEDULED>ARRIVED,CONFIRMED>ARRIVED,SCHEDULED>NO_SHOW,CONFIRMED>NO_SHOW,ARRIVED>IN_PROGRESS,
    IN_PROGRESS>COMPLETED,NO_SHOW>SCHEDULED,CONFIRMED>SCHEDULED}');
select kernel.moves('slot_holds', 'status', '{
    HELD>USED,HELD>EXPIRED,HELD>RELEASED}');
select kernel.moves('waitlist_entries', 'status', '{
    WAITING>OFFERED,OFFERED>WAITING,OFFERED>BOOKED,WAITING>BOOKED,WAITING>REMOVED,OFFERED>REMOVED}');
select kernel.moves('recalls', 'status', '{
    DUE>SCHEDULED,SCHEDULED>DUE,DUE>DONE,SCHEDULED>DONE,DUE>DISABLED,SCHEDULED>DISABLED,DISABLED>DUE}');
