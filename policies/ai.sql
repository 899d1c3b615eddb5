-- Who may see and change what in ai; planes and permissions as the model lists them.
select kernel.protect('ai_models', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('ai_model_versions', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform',
    secret => '{artifact_uri,artifact_signature}');
select kernel.protect('ai_model_deployments',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all', home => 'shared',
    read => 'view_tenant', write => 'manage_platform');
select kernel.protect('ai_inference_jobs', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'run_ai_analysis', patient => 'patient_id', sec => 'rw');
select kernel.protect('ai_predictions', 'staff=all/create group=all/none audit=all/none jobs=all/create',
    read => 'view_imaging', write => 'run_ai_analysis', patient => 'patient_id');
select kernel.protect('ai_review_events', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_imaging', write => 'review_ai', patient => 'patient_id');
select kernel.protect('ai_ground_truth', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'review_ai', patient => 'patient_id');
select kernel.protect('ai_outcome_links', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_imaging', write => 'review_ai', patient => 'patient_id');
select kernel.protect('research_datasets', 'staff=all/all audit=all/none jobs=all/all', read => 'use_research_data',
    write => 'manage_governance');
select kernel.protect('research_dataset_members', 'staff=all/none audit=all/none jobs=all/all',
    read => 'use_research_data', write => 'use_research_data', patient => 'patient_id',
    secret => '{patient_id,consent_id}', sec => 'rw');
select kernel.protect('research_access_logs', 'staff=all/none audit=all/none jobs=all/create',
    read => 'use_research_data', write => 'manage_governance');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('ai_model_versions', 'status', '{
    DRAFT>VALIDATED,VALIDATED>RELEASED,RELEASED>RETIRED,VALIDATED>RETIRED}');
select kernel.moves('ai_model_deployments', 'status', '{
    CANARY>ROLLED_OUT,CANARY>DISABLED,ROLLED_OUT>DISABLED,DISABLED>CANARY}');
select kernel.moves('ai_inference_jobs', 'status', '{
    QUEUED>RUNNING,RUNNING>SUCCEEDED,RUNNING>FAILED,RUNNING>QUEUED,QUEUED>FAILED,FAILED>QUEUED,QUEUED>CANCELLED}');
select kernel.moves('research_datasets', 'status', '{
    DRAFT>BUILDING,BUILDING>PUBLISHED,BUILDING>DRAFT,PUBLISHED>WITHDRAWN}');
