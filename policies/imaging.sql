-- Who may see and change what in imaging; planes and permissions as the model lists them.
select kernel.protect('files',
    'staff=all/all group=all/none patient=own/create share=own/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id',
    rows => 'status = ''READY'' and is_patient_visible', secret => '{storage_key,encryption_key_id}');
select kernel.protect('imaging_studies',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id');
select kernel.protect('imaging_series',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id');
select kernel.protect('imaging_objects',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'edit_imaging', patient => 'patient_id');
