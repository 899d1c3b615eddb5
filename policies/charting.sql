-- Who may see and change what in charting; planes and permissions as the model lists them.
select kernel.protect('chart_entries',
    'staff=all/create group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('tooth_chart_snapshots',
    'staff=all/create group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('perio_exams',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('perio_tooth_findings',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('perio_measurements',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('perio_exams', 'status', '{
    DRAFT>SIGNED,SIGNED>SUPERSEDED}');
