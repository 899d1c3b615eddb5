-- Who may see and change what in workflow; planes and permissions as the model lists them.
select kernel.protect('tasks', 'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'view_tenant', patient => 'patient_id', rows => 'visible_to_patient');
select kernel.protect('custom_field_definitions', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_workflow');
select kernel.protect('custom_field_values', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id');
select kernel.protect('workflows', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_workflow');
select kernel.protect('workflow_instances', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_workflow', patient => 'patient_id');
select kernel.protect('workflow_transitions', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_tenant', write => 'view_tenant');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('tasks', 'status', '{
    OPEN>IN_PROGRESS,OPEN>DONE,IN_PROGRESS>DONE,OPEN>CANCELLED,IN_PROGRESS>CANCELLED,DONE>OPEN,CANCELLED>OPEN}');
select kernel.moves('workflows', 'status', '{
    DRAFT>ACTIVE,ACTIVE>RETIRED}');
select kernel.moves('workflow_instances', 'status', '{
    RUNNING>COMPLETED,RUNNING>CANCELLED,RUNNING>FAILED}');

select kernel.protect('tasks', 'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'view_tenant', patient => 'patient_id', rows => 'visible_to_patient');
select kernel.protect('custom_field_definitions', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_workflow');
select kernel.protect('custom_field_values', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id');
select kernel.protect('workflows', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_workflow');
select kernel.protect('workflow_instances', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_workflow', patient => 'patient_id');
select kernel.protect('workflow_transitions', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_tenant', write => 'view_tenant');
select kernel.moves('tasks', 'status', '{
    OPEN>IN_PROGRESS,OPEN>DONE,IN_PROGRESS>DONE,OPEN>CANCELLED,IN_PROGRESS>CANCELLED,DONE>OPEN,CANCELLED>OPEN}');
select kernel.moves('workflows', 'status', '{
    DRAFT>ACTIVE,ACTIVE>RETIRED}');
select kernel.moves('workflow_instances', 'status', '{
    RUNNING>COMPLETED,RUNNING>CANCELLED,RUNNING>FAILED}');
