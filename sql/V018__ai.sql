-- V018  Models, inference, predictions, review, research data sets (catalogue §11). Expands only.

-- A family of models
create table ai_models (
    id uuid not null primary key,
    name text not null check (char_length(name) <= 300),
    description text check (char_length(description) <= 4000),
    domain text not null check (domain in ('CARIES', 'PERIO', 'PATHOLOGY', 'ORTHO', 'IMPLANT', 'CDS')),
    vendor text not null check (vendor in ('INTERNAL', 'EXTERNAL')),
    vendor_name text check (char_length(vendor_name) <= 300),
    vendor_tenant_id uuid references tenants (id),
    regulatory_class text not null check (regulatory_class in ('FDA_510K', 'CE_MDR', 'EXPERIMENTAL')),
    regulatory_reference text check (char_length(regulatory_reference) <= 300),
    intended_use text check (char_length(intended_use) <= 300),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index ai_models_name_key on ai_models (name) nulls not distinct;
create index ai_models_name_id_idx on ai_models (name, id);
create index ai_models_vendor_tenant_id_idx on ai_models (vendor_tenant_id);
comment on table ai_models is 'A family of models. Sensitivity: business.';
comment on column ai_models.vendor is 'EXTERNAL_TAG is accepted as EXTERNAL';
select kernel.record('ai_models');

-- One version of a model
create table ai_model_versions (
    id uuid not null primary key,
    model_id uuid not null references ai_models (id),
    version_tag text not null check (version_tag ~ '^[0-9]+[.][0-9]+[.][0-9]+([-+][0-9A-Za-z.-]+)?$'),
    artifact_uri text not null check (char_length(artifact_uri) <= 2000),
    artifact_hash text not null check (char_length(artifact_hash) <= 300),
    artifact_signature text check (char_length(artifact_signature) <= 300),
    input_types text[] not null,
    output_types text[] not null,
    intended_use jsonb not null default '{}',
    performance_metrics jsonb not null default '{}',
    validated_on timestamptz,
    validation_summary_uri text check (char_length(validation_summary_uri) <= 2000),
    sbom_uri text check (char_length(sbom_uri) <= 2000),
    change_plan_reference text check (char_length(change_plan_reference) <= 300),
    release_notes text check (char_length(release_notes) <= 4000),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'VALIDATED', 'RELEASED', 'RETIRED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1
);
create unique index ai_model_versions_model_id_version_tag_key on ai_model_versions (model_id, version_tag) nulls not distinct;
create index ai_model_versions_version_tag_id_idx on ai_model_versions (version_tag, id);
comment on table ai_model_versions is 'One version of a model. Sensitivity: business.';
comment on column ai_model_versions.artifact_uri is 'sensitivity: secret';
comment on column ai_model_versions.artifact_signature is 'sensitivity: secret';
comment on column ai_model_versions.intended_use is 'image types, dentition, minimum age, reader role; jobs outside are refused or flagged';
comment on column ai_model_versions.performance_metrics is 'sensitivity, specificity, AUC with intervals and unit of analysis';
select kernel.record('ai_model_versions');

-- Which version is active where
create table ai_model_deployments (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    model_id uuid not null references ai_models (id),
    model_version_id uuid not null references ai_model_versions (id),
    status text not null default 'CANARY' check (status in ('ROLLED_OUT', 'CANARY', 'DISABLED')),
    rollout_strategy text not null check (rollout_strategy in ('PERCENTAGE', 'TENANT_GROUP', 'LOCATION_GROUP')),
    percentage integer check (percentage between 0 and 100),
    tenant_ids uuid[] not null default '{}',
    location_ids uuid[] not null default '{}',
    bucket_salt text not null check (char_length(bucket_salt) <= 300),
    is_shadow boolean not null default false,
    guardrails jsonb not null default '{}',
    created_by_id uuid references users (id),
    disabled_reason text check (char_length(disabled_reason) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint ai_model_deployments_percentage_check2 check (percentage is null or rollout_strategy = 'PERCENTAGE')
);
create unique index ai_model_deployments_model_id_key on ai_model_deployments (tenant_id, model_id) nulls not distinct where status = 'ROLLED_OUT' and rollout_strategy <> 'LOCATION_GROUP';
create index ai_model_deployments_model_id_idx on ai_model_deployments (tenant_id, model_id);
create index ai_model_deployments_model_version_id_idx on ai_model_deployments (tenant_id, model_version_id);
create index ai_model_deployments_created_by_id_idx on ai_model_deployments (tenant_id, created_by_id);
comment on table ai_model_deployments is 'Which version is active where. Sensitivity: business.';
comment on column ai_model_deployments.is_shadow is 'stores, does not show';
comment on column ai_model_deployments.guardrails is 'error rate, latency, override rate, drift limits for automatic roll-back';
select kernel.record('ai_model_deployments');

-- One run of a model version
create table ai_inference_jobs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    model_version_id uuid not null references ai_model_versions (id),
    deployment_tenant_id uuid,
    deployment_id uuid,
    patient_id uuid,
    input_type text not null check (input_type in ('IMAGING_STUDY', 'PATIENT_SNAPSHOT', 'TEXT_NOTE', 'MULTIMODAL')),
    input_ref_id uuid not null,
    input_hash text not null check (char_length(input_hash) <= 300),
    status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    requested_by_user_id uuid not null references users (id),
    consent_id uuid,
    priority integer not null default 0,
    attempts integer not null default 0,
    lease_until timestamptz,
    queued_at timestamptz not null,
    started_at timestamptz,
    completed_at timestamptz,
    cloud_region text check (char_length(cloud_region) <= 300),
    gpu_type text check (char_length(gpu_type) <= 300),
    error_details text check (char_length(error_details) <= 4000),
    is_shadow boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (deployment_tenant_id, deployment_id) references ai_model_deployments (tenant_id, id),
    constraint ai_inference_jobs_deployment_id_check2 check (deployment_tenant_id in (tenant_id, '00000000-0000-7000-8000-000000000001')),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, consent_id) references consents (tenant_id, id)
);
create unique index ai_inference_jobs_model_version_id_input_hash_key on ai_inference_jobs (tenant_id, model_version_id, input_hash) nulls not distinct where status in ('QUEUED','RUNNING','SUCCEEDED');
create index ai_inference_jobs_model_version_id_status_created_at_idx on ai_inference_jobs (tenant_id, model_version_id, status, created_at);
create index ai_inference_jobs_status_id_idx on ai_inference_jobs (tenant_id, status, id);
create index ai_inference_jobs_created_at_id_idx on ai_inference_jobs (tenant_id, created_at, id);
create index ai_inference_jobs_deployment_tenant_id_deployment_id_idx on ai_inference_jobs (tenant_id, deployment_tenant_id, deployment_id);
create index ai_inference_jobs_patient_id_idx on ai_inference_jobs (tenant_id, patient_id);
create index ai_inference_jobs_requested_by_user_id_idx on ai_inference_jobs (tenant_id, requested_by_user_id);
create index ai_inference_jobs_consent_id_idx on ai_inference_jobs (tenant_id, consent_id);
create index ai_inference_jobs_updated_at_id_idx on ai_inference_jobs (tenant_id, updated_at, id);
create index ai_inference_jobs_input_ref_id_idx on ai_inference_jobs (tenant_id, input_ref_id);
create index ai_inference_jobs_deployment_id_idx on ai_inference_jobs (tenant_id, deployment_id);
comment on table ai_inference_jobs is 'One run of a model version. Sensitivity: phi.';
comment on column ai_inference_jobs.deployment_tenant_id is 'owner of the shared-or-own row; first half of the composite foreign key';
comment on column ai_inference_jobs.error_details is 'without patient data';
select kernel.record('ai_inference_jobs');

-- One predicted finding
create table ai_predictions (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    job_id uuid not null,
    patient_id uuid not null,
    imaging_object_id uuid,
    prediction_type text not null check (prediction_type in ('CARIES', 'BONE_LOSS', 'PATHOLOGY', 'RISK_SCORE', 'TREATMENT_RECOMMENDATION')),
    code_system text check (char_length(code_system) <= 300),
    code text check (char_length(code) <= 300),
    confidence double precision not null check (confidence between 0 and 1),
    severity text check (severity in ('NONE', 'MILD', 'MODERATE', 'SEVERE')),
    fdi_tooth text check (kernel.is_fdi(fdi_tooth)),
    surfaces text[] not null default '{}',
    value double precision,
    value_unit text check (char_length(value_unit) <= 300),
    roi_ref uuid,
    raw_output jsonb,
    review_status text not null default 'UNREVIEWED' check (review_status in ('UNREVIEWED', 'CONFIRMED', 'REJECTED', 'EDITED')),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    constraint ai_predictions_surfaces_check check (kernel.are_surfaces(fdi_tooth, surfaces)),
    foreign key (tenant_id, job_id) references ai_inference_jobs (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, imaging_object_id) references imaging_objects (tenant_id, id),
    foreign key (tenant_id, roi_ref) references image_annotations (tenant_id, id)
);
create index ai_predictions_patient_id_prediction_type_idx on ai_predictions (tenant_id, patient_id, prediction_type);
create index ai_predictions_created_at_id_idx on ai_predictions (tenant_id, created_at, id);
create index ai_predictions_job_id_idx on ai_predictions (tenant_id, job_id);
create index ai_predictions_imaging_object_id_idx on ai_predictions (tenant_id, imaging_object_id);
create index ai_predictions_roi_ref_idx on ai_predictions (tenant_id, roi_ref);
create index ai_predictions_code_idx on ai_predictions (tenant_id, code);
comment on table ai_predictions is 'One predicted finding. Sensitivity: phi.';
select kernel.record('ai_predictions');

-- A person's verdict on a prediction
create table ai_review_events (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    prediction_id uuid not null,
    patient_id uuid not null,
    reviewer_id uuid not null references users (id),
    review_action text not null check (review_action in ('CONFIRMED', 'REJECTED', 'EDITED')),
    reason_code text check (char_length(reason_code) <= 300),
    comment text check (char_length(comment) <= 4000),
    edited_annotation_id uuid,
    use_for_training boolean not null default false,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, prediction_id) references ai_predictions (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, edited_annotation_id) references image_annotations (tenant_id, id)
);
create index ai_review_events_prediction_id_idx on ai_review_events (tenant_id, prediction_id);
create index ai_review_events_patient_id_idx on ai_review_events (tenant_id, patient_id);
create index ai_review_events_reviewer_id_idx on ai_review_events (tenant_id, reviewer_id);
create index ai_review_events_edited_annotation_id_idx on ai_review_events (tenant_id, edited_annotation_id);
comment on table ai_review_events is 'A person''s verdict on a prediction. Sensitivity: phi.';
comment on column ai_review_events.comment is 'sensitivity: phi';
select kernel.record('ai_review_events');

-- What was true at a site, with or without a prediction
create table ai_ground_truth (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    imaging_object_id uuid,
    fdi_tooth text check (kernel.is_fdi(fdi_tooth)),
    surface text constraint ai_ground_truth_surface_check check (surface is null or kernel.are_surfaces(fdi_tooth, array[surface])),
    finding_type text not null check (finding_type in ('CARIES', 'BONE_LOSS', 'PATHOLOGY', 'RISK_SCORE', 'TREATMENT_RECOMMENDATION')),
    is_present boolean not null,
    code_system text check (char_length(code_system) <= 300),
    code text check (char_length(code) <= 300),
    source text not null check (source in ('PATHOLOGY_REPORT', 'FOLLOWUP_IMAGING', 'CLINICAL_NOTE')),
    evaluated_at timestamptz not null,
    evaluator_id uuid not null references users (id),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, imaging_object_id) references imaging_objects (tenant_id, id)
);
create index ai_ground_truth_evaluated_at_id_idx on ai_ground_truth (tenant_id, evaluated_at, id);
create index ai_ground_truth_patient_id_idx on ai_ground_truth (tenant_id, patient_id);
create index ai_ground_truth_imaging_object_id_idx on ai_ground_truth (tenant_id, imaging_object_id);
create index ai_ground_truth_evaluator_id_idx on ai_ground_truth (tenant_id, evaluator_id);
comment on table ai_ground_truth is 'What was true at a site, with or without a prediction. Sensitivity: phi.';
select kernel.record('ai_ground_truth');

-- A prediction joined to what turned out to be true
create table ai_outcome_links (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    prediction_id uuid not null,
    patient_id uuid not null,
    encounter_id uuid,
    procedure_id uuid,
    ground_truth_id uuid,
    ground_truth_code text not null check (char_length(ground_truth_code) <= 300),
    ground_truth_source text not null check (ground_truth_source in ('PATHOLOGY_REPORT', 'FOLLOWUP_IMAGING', 'CLINICAL_NOTE')),
    agreement text check (agreement in ('TRUE_POSITIVE', 'FALSE_POSITIVE', 'PARTIAL')),
    evaluation_timestamp timestamptz not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    constraint ai_outcome_links_procedure_id_check2 check ((encounter_id is null) <> (procedure_id is null)),
    foreign key (tenant_id, prediction_id) references ai_predictions (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    foreign key (tenant_id, procedure_id) references procedures (tenant_id, id),
    foreign key (tenant_id, ground_truth_id) references ai_ground_truth (tenant_id, id)
);
create index ai_outcome_links_evaluation_timestamp_id_idx on ai_outcome_links (tenant_id, evaluation_timestamp, id);
create index ai_outcome_links_prediction_id_idx on ai_outcome_links (tenant_id, prediction_id);
create index ai_outcome_links_patient_id_idx on ai_outcome_links (tenant_id, patient_id);
create index ai_outcome_links_encounter_id_idx on ai_outcome_links (tenant_id, encounter_id);
create index ai_outcome_links_procedure_id_idx on ai_outcome_links (tenant_id, procedure_id);
create index ai_outcome_links_ground_truth_id_idx on ai_outcome_links (tenant_id, ground_truth_id);
comment on table ai_outcome_links is 'A prediction joined to what turned out to be true. Sensitivity: phi.';
select kernel.record('ai_outcome_links');

-- A de-identified data set with its method and consents
create table research_datasets (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    name text not null check (char_length(name) <= 300),
    purpose text not null check (char_length(purpose) <= 2000),
    version_no integer not null default 1,
    status text not null default 'DRAFT' check (status in ('DRAFT', 'BUILDING', 'PUBLISHED', 'WITHDRAWN')),
    deidentification_method text not null check (deidentification_method in ('SAFE_HARBOR', 'EXPERT_DETERMINATION')),
    expert_name text check (char_length(expert_name) <= 300),
    expert_report_document_id uuid,
    inclusion_criteria jsonb not null default '{}',
    required_consent_type text not null default 'RESEARCH' check (char_length(required_consent_type) <= 300),
    k_anonymity integer check (k_anonymity >= 1),
    date_shift boolean not null default true,
    member_count integer not null default 0,
    published_at timestamptz,
    ethics_reference text check (char_length(ethics_reference) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, expert_report_document_id) references documents (tenant_id, id)
);
create unique index research_datasets_name_version_no_key on research_datasets (tenant_id, name, version_no) nulls not distinct;
create index research_datasets_status_id_idx on research_datasets (tenant_id, status, id);
create index research_datasets_expert_report_document_id_idx on research_datasets (tenant_id, expert_report_document_id);
create index research_datasets_updated_at_id_idx on research_datasets (tenant_id, updated_at, id);
comment on table research_datasets is 'A de-identified data set with its method and consents. Sensitivity: business.';
select kernel.record('research_datasets');

-- A pseudonymous member of a data set
create table research_dataset_members (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    dataset_id uuid not null,
    pseudonym text not null check (char_length(pseudonym) <= 300),
    patient_id uuid not null,
    consent_id uuid,
    object_count integer not null default 0,
    included_at timestamptz not null,
    valid_until timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, dataset_id) references research_datasets (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, consent_id) references consents (tenant_id, id)
);
create unique index research_dataset_members_dataset_id_pseudonym_key on research_dataset_members (tenant_id, dataset_id, pseudonym) nulls not distinct;
create index research_dataset_members_patient_id_idx on research_dataset_members (tenant_id, patient_id);
create index research_dataset_members_consent_id_idx on research_dataset_members (tenant_id, consent_id);
create index research_dataset_members_updated_at_id_idx on research_dataset_members (tenant_id, updated_at, id);
comment on table research_dataset_members is 'A pseudonymous member of a data set. Sensitivity: phi.';
comment on column research_dataset_members.patient_id is 'readable by the building job only; sensitivity: secret';
comment on column research_dataset_members.consent_id is 'sensitivity: secret';
comment on column research_dataset_members.valid_until is 'set when consent is withdrawn; later versions leave the member out';
select kernel.record('research_dataset_members');

-- Who used a data set, when, for what
create table research_access_logs (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    dataset_id uuid not null,
    user_id uuid not null references users (id),
    action text not null check (action in ('VIEW', 'QUERY', 'EXPORT', 'DOWNLOAD')),
    purpose text not null check (char_length(purpose) <= 2000),
    record_count bigint,
    request_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, dataset_id) references research_datasets (tenant_id, id)
);
create index research_access_logs_dataset_id_idx on research_access_logs (tenant_id, dataset_id);
create index research_access_logs_user_id_idx on research_access_logs (tenant_id, user_id);
comment on table research_access_logs is 'Who used a data set, when, for what. Sensitivity: business.';

-- References that waited for their target.
alter table image_annotations add foreign key (model_version_id) references ai_model_versions (id);
alter table chart_entries add foreign key (tenant_id, ai_prediction_id) references ai_predictions (tenant_id, id);
