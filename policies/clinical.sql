-- Who may see and change what in clinical; planes and permissions as the model lists them.
select kernel.protect('encounters',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('encounter_diagnoses',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('clinical_notes',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id',
    rows => 'visibility = ''PATIENT'' and status <> ''DRAFT''');
select kernel.protect('clinical_note_amendments',
    'staff=all/none group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_clinical', write => 'sign_clinical', patient => 'patient_id', rows => 'is_patient_visible');
select kernel.protect('vital_signs',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_conditions',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_medications',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_allergies',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('patient_social_history',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('medical_records',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id',
    rows => 'visibility = ''PATIENT'' and status <> ''DRAFT''');
select kernel.protect('medical_record_files',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', rows => 'is_patient_visible');
select kernel.protect('templates', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('encounters', 'status', '{
    SCHEDULED>IN_PROGRESS,IN_PROGRESS>COMPLETED,SCHEDULED>CANCELLED,IN_PROGRESS>CANCELLED,SCHEDULED>NO_SHOW}');
select kernel.moves('clinical_notes', 'status', '{
    DRAFT>SIGNED,SIGNED>AMENDED,SIGNED>ENTERED_IN_ERROR,AMENDED>ENTERED_IN_ERROR,DRAFT>ENTERED_IN_ERROR}');
select kernel.moves('medical_records', 'status', '{
    DRAFT>FINAL,DRAFT>ENTERED_IN_ERROR,FINAL>ENTERED_IN_ERROR}');
