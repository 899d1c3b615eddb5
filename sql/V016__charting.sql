-- V016  The tooth chart as events, periodontal exams (catalogue §7). Expands only.

-- Universal numbers of the 52 teeth: 1 to 32 and A to T. src/charting/tooth.rs holds the same rules (a test compares).
create function kernel.universal_of(fdi text) returns text language sql immutable strict parallel safe as $$
    select case left(fdi, 1)
        when '1' then (9 - n)::text when '2' then (8 + n)::text when '3' then (25 - n)::text when '4' then (24 + n)::text
        when '5' then chr(70 - n) when '6' then chr(69 + n) when '7' then chr(80 - n) when '8' then chr(79 + n) end
      from (select right(fdi, 1)::int as n) p where kernel.is_fdi(fdi) $$;
-- A tooth as that system writes it; only Universal has codes for supernumerary teeth.
create function kernel.tooth_in(system text, fdi text, is_supernumerary boolean) returns text
language sql immutable strict parallel safe as $$
    select case system
        when 'FDI' then fdi
        when 'PALMER' then (array['UR', 'UL', 'LL', 'LR'])[(quadrant - 1) % 4 + 1] || case when quadrant > 4 then chr(64 + n) else n::text end
        when 'UNIVERSAL' then case when not is_supernumerary then u when quadrant > 4 then u || 'S' else (u::int + 50)::text end end
      from (select left(fdi, 1)::int as quadrant, right(fdi, 1)::int as n, kernel.universal_of(fdi) as u) p where kernel.is_fdi(fdi) $$;
-- The FDI code of what was written in that system, with '+' behind it for a supernumerary tooth; null for anything else.
create function kernel.tooth_of(system text, entered text) returns text language sql immutable strict parallel safe as $$
    select fdi || case when extra then '+' else '' end
      from (select quadrant::text || n as fdi, extra from generate_series(1, 8) quadrant, generate_series(1, 8) n, (values (false), (true)) e(extra)
             where kernel.is_fdi(quadrant::text || n) and (system = 'UNIVERSAL' or not extra)) known
     where kernel.tooth_in(system, fdi, extra) = entered $$;

-- Sites at which a furcation of the tooth is entered: upper molars buccal, mesial, distal; lower molars buccal, lingual;
-- upper first premolars mesial and distal. Mesial and distal ones are reached from the palate.
create function kernel.has_furcation(fdi text, site text) returns boolean language sql immutable strict parallel safe as $$
    select case
        when fdi ~ '^([12][678]|[56][45])$' then site in ('B', 'ML', 'DL')
        when fdi ~ '^([34][678]|[78][45])$' then site in ('B', 'L')
        when fdi in ('14', '24') then site in ('ML', 'DL')
        else false end $$;

-- One statement about a tooth, surface or area; the rows are the truth of the chart
create table chart_entries (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    encounter_id uuid,
    axis text not null check (axis in ('PRESENCE', 'FINDING', 'WORK')),
    tooth_system text not null check (tooth_system in ('FDI', 'UNIVERSAL', 'PALMER')),
    tooth_entered text check (char_length(tooth_entered) <= 300),
    fdi_tooth text check (kernel.is_fdi(fdi_tooth)),
    is_supernumerary boolean not null default false,
    supernumerary_ordinal integer check (supernumerary_ordinal >= 1),
    oral_area text check (oral_area in ('00', '01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '20', '30', '40')),
    surfaces text[] not null default '{}',
    surfaces_entered text[],
    presence text check (presence in ('PRESENT', 'UNERUPTED', 'PARTIALLY_ERUPTED', 'IMPACTED', 'CONGENITALLY_MISSING', 'EXTRACTED', 'MISSING', 'PRIMARY_RETAINED', 'ROOT_REMNANT', 'IMPLANT', 'PONTIC')),
    missing_reason text check (missing_reason in ('EXTRACTED', 'CONGENITAL', 'UNERUPTED', 'OTHER')),
    finding_code_system text check (char_length(finding_code_system) <= 300),
    finding_code text check (char_length(finding_code) <= 300),
    finding_display text check (char_length(finding_display) <= 300),
    caries_depth text check (caries_depth in ('ENAMEL', 'DENTIN', 'PULP')),
    icdas integer check (icdas between 0 and 6),
    work_layer text check (work_layer in ('EXISTING_OTHER', 'EXISTING', 'PLANNED', 'IN_PROGRESS', 'COMPLETED', 'REFERRED', 'CONDITION')),
    restoration_kind text check (char_length(restoration_kind) <= 300),
    material_code text check (char_length(material_code) <= 300),
    severity text check (severity in ('MILD', 'MODERATE', 'SEVERE')),
    observed_at timestamptz not null,
    recorded_by_provider_id uuid,
    source text not null default 'CLINICIAN' check (source in ('CLINICIAN', 'AI_CONFIRMED', 'IMPORT', 'PROCEDURE')),
    ai_prediction_id uuid,
    procedure_id uuid,
    plan_item_id uuid,
    supersedes_id uuid,
    superseded_at timestamptz,
    supersede_reason text check (char_length(supersede_reason) <= 4000),
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    constraint chart_entries_presence_check1 check ((axis = 'PRESENCE') = (presence is not null)),
    constraint chart_entries_work_layer_check1 check ((axis = 'WORK') = (work_layer is not null)),
    constraint chart_entries_fdi_tooth_check1 check (num_nonnulls(fdi_tooth, oral_area) = 1 and (axis <> 'PRESENCE' or fdi_tooth is not null)),
    constraint chart_entries_tooth_entered_check1 check (tooth_entered is null
        or kernel.tooth_of(tooth_system, tooth_entered) in (fdi_tooth, fdi_tooth || case when is_supernumerary then '+' else '' end)),
    constraint chart_entries_surfaces_check check (kernel.are_surfaces(fdi_tooth, surfaces)),
    constraint chart_entries_supernumerary_ordinal_check1 check (is_supernumerary = (supernumerary_ordinal is not null)),
    constraint chart_entries_supersede_reason_check1 check (supersedes_id is null or supersede_reason is not null),
    constraint chart_entries_missing_reason_check1 check (missing_reason is null or axis = 'PRESENCE'),
    constraint chart_entries_caries_depth_check1 check (num_nonnulls(caries_depth, icdas) = 0 or axis = 'FINDING'),
    constraint chart_entries_restoration_kind_check1 check (num_nonnulls(restoration_kind, material_code) = 0 or axis = 'WORK'),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    foreign key (tenant_id, recorded_by_provider_id) references providers (tenant_id, id),
    foreign key (tenant_id, supersedes_id) references chart_entries (tenant_id, id)
);
create index chart_entries_patient_id_fdi_tooth_idx on chart_entries (tenant_id, patient_id, fdi_tooth);
create index chart_entries_patient_id_observed_at_idx on chart_entries (tenant_id, patient_id, observed_at);
create index chart_entries_observed_at_id_idx on chart_entries (tenant_id, observed_at, id);
create index chart_entries_encounter_id_idx on chart_entries (tenant_id, encounter_id);
create index chart_entries_recorded_by_provider_id_idx on chart_entries (tenant_id, recorded_by_provider_id);
create index chart_entries_ai_prediction_id_idx on chart_entries (tenant_id, ai_prediction_id);
create index chart_entries_procedure_id_idx on chart_entries (tenant_id, procedure_id);
create index chart_entries_plan_item_id_idx on chart_entries (tenant_id, plan_item_id);
create unique index chart_entries_supersedes_id_key on chart_entries (tenant_id, supersedes_id) where supersedes_id is not null;
comment on table chart_entries is 'One statement about a tooth, surface or area; the rows are the truth of the chart. Sensitivity: phi.';
comment on column chart_entries.tooth_system is 'as entered';
comment on column chart_entries.surfaces_entered is 'as entered, where that was another way to say it';
comment on column chart_entries.finding_display is 'sensitivity: phi';
comment on column chart_entries.procedure_id is 'the completed procedure that wrote it';
comment on column chart_entries.notes is 'sensitivity: phi';
select kernel.record('chart_entries');

-- The whole chart of a patient at one moment, built from chart_entries
create table tooth_chart_snapshots (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    encounter_id uuid,
    chart_json jsonb not null,
    schema_version integer not null default 1,
    as_of timestamptz not null,
    entries_hash text not null check (char_length(entries_hash) <= 300),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id)
);
create index tooth_chart_snapshots_patient_id_as_of_idx on tooth_chart_snapshots (tenant_id, patient_id, as_of);
create index tooth_chart_snapshots_as_of_id_idx on tooth_chart_snapshots (tenant_id, as_of, id);
create index tooth_chart_snapshots_encounter_id_idx on tooth_chart_snapshots (tenant_id, encounter_id);
comment on table tooth_chart_snapshots is 'The whole chart of a patient at one moment, built from chart_entries. Sensitivity: phi.';
comment on column tooth_chart_snapshots.encounter_id is 'null for a chart outside a visit';
comment on column tooth_chart_snapshots.chart_json is 'schema version, tooth system metadata, per tooth and surface conditions, restorations, prostheses, statuses';
comment on column tooth_chart_snapshots.entries_hash is 'the rebuild from entries must give the same hash';
select kernel.record('tooth_chart_snapshots');

-- Header of a periodontal examination
create table perio_exams (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    patient_id uuid not null,
    encounter_id uuid,
    examiner_id uuid not null,
    examined_at timestamptz not null,
    completeness text not null default 'FULL' check (completeness in ('FULL', 'PARTIAL', 'SCREENING')),
    site_scheme text not null default 'SIX' check (site_scheme in ('SIX', 'FOUR')),
    status text not null default 'DRAFT' check (status in ('DRAFT', 'SIGNED', 'SUPERSEDED')),
    signed_at timestamptz,
    supersedes_id uuid,
    suggested_stage text check (suggested_stage in ('I', 'II', 'III', 'IV')),
    suggested_grade text check (suggested_grade in ('A', 'B', 'C')),
    suggested_extent text check (suggested_extent in ('LOCALISED', 'GENERALISED', 'MOLAR_INCISOR')),
    confirmed_stage text check (confirmed_stage in ('I', 'II', 'III', 'IV')),
    confirmed_grade text check (confirmed_grade in ('A', 'B', 'C')),
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    primary key (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id),
    constraint perio_exams_site_scheme_check1 check (site_scheme = 'SIX' or completeness <> 'FULL'),
    constraint perio_exams_signed_at_check2 check (status = 'DRAFT' or signed_at is not null),
    foreign key (tenant_id, examiner_id) references providers (tenant_id, id),
    foreign key (tenant_id, supersedes_id) references perio_exams (tenant_id, id)
);
create index perio_exams_patient_id_examined_at_idx on perio_exams (tenant_id, patient_id, examined_at);
create index perio_exams_status_id_idx on perio_exams (tenant_id, status, id);
create index perio_exams_examined_at_id_idx on perio_exams (tenant_id, examined_at, id);
create index perio_exams_encounter_id_idx on perio_exams (tenant_id, encounter_id);
create index perio_exams_examiner_id_idx on perio_exams (tenant_id, examiner_id);
-- One correction of an exam at a time.
create unique index perio_exams_supersedes_id_key on perio_exams (tenant_id, supersedes_id) where supersedes_id is not null;
create index perio_exams_updated_at_id_idx on perio_exams (tenant_id, updated_at, id);
comment on table perio_exams is 'Header of a periodontal examination. Sensitivity: phi.';
comment on column perio_exams.site_scheme is 'FOUR only on import';
comment on column perio_exams.suggested_stage is 'suggestion from the measurements, confirmed by the clinician';
comment on column perio_exams.notes is 'sensitivity: phi';
select kernel.record('perio_exams');

-- Per tooth: mobility, implant, gingiva
create table perio_tooth_findings (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    exam_id uuid not null,
    patient_id uuid not null,
    fdi_tooth text not null check (kernel.is_fdi(fdi_tooth)),
    mobility_grade integer check (mobility_grade between 0 and 3),
    mobility_suffix text check (mobility_suffix in ('', '+')),
    is_implant boolean not null default false,
    is_missing boolean not null default false,
    prognosis text check (prognosis in ('GOOD', 'FAIR', 'QUESTIONABLE', 'HOPELESS')),
    notes text check (char_length(notes) <= 4000),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    foreign key (tenant_id, exam_id) references perio_exams (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id)
);
create unique index perio_tooth_findings_exam_id_fdi_tooth_key on perio_tooth_findings (tenant_id, exam_id, fdi_tooth) nulls not distinct where deleted_at is null;
create index perio_tooth_findings_exam_id_idx on perio_tooth_findings (tenant_id, exam_id);
create index perio_tooth_findings_patient_id_idx on perio_tooth_findings (tenant_id, patient_id);
create index perio_tooth_findings_updated_at_id_idx on perio_tooth_findings (tenant_id, updated_at, id);
comment on table perio_tooth_findings is 'Per tooth: mobility, implant, gingiva. Sensitivity: phi.';
comment on column perio_tooth_findings.notes is 'sensitivity: phi';
select kernel.record('perio_tooth_findings');

-- One probing site of one tooth
create table perio_measurements (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    exam_id uuid not null,
    patient_id uuid not null,
    encounter_id uuid,
    tooth_number text not null check (kernel.is_fdi(tooth_number)),
    site text not null check (site in ('MB', 'B', 'DB', 'ML', 'L', 'DL')),
    pocket_depth_mm integer check (pocket_depth_mm between 0 and 20),
    gingival_margin_mm integer check (gingival_margin_mm between -10 and 20),
    cal_mm integer generated always as (pocket_depth_mm + gingival_margin_mm) stored,
    bleeding_on_probing boolean,
    suppuration boolean,
    plaque boolean,
    calculus boolean,
    furcation_involvement integer check (furcation_involvement between 0 and 4),
    furcation_scale text check (furcation_scale in ('GLICKMAN', 'HAMP')),
    mucogingival_junction_mm integer check (mucogingival_junction_mm between 0 and 30),
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    updated_by uuid,
    version bigint not null default 1,
    deleted_at timestamptz,
    delete_reason text check (char_length(delete_reason) <= 1000),
    primary key (tenant_id, id),
    constraint perio_measurements_furcation_involvement_check1 check (furcation_involvement is null or kernel.has_furcation(tooth_number, site)),
    constraint perio_measurements_furcation_scale_check1 check ((coalesce(furcation_involvement, 0) = 0 or furcation_scale is not null)
        and (furcation_scale is null or furcation_involvement <= case furcation_scale when 'HAMP' then 3 else 4 end)),
    constraint perio_measurements_mucogingival_junction_mm_check1 check (mucogingival_junction_mm is null
        or not (left(tooth_number, 1) in ('1', '2', '5', '6') and site in ('ML', 'L', 'DL'))),
    foreign key (tenant_id, exam_id) references perio_exams (tenant_id, id),
    foreign key (tenant_id, patient_id) references patients (tenant_id, id),
    foreign key (tenant_id, encounter_id) references encounters (tenant_id, id)
);
create unique index perio_measurements_exam_id_tooth_number_site_key on perio_measurements (tenant_id, exam_id, tooth_number, site) nulls not distinct where deleted_at is null;
create index perio_measurements_patient_id_tooth_number_site_idx on perio_measurements (tenant_id, patient_id, tooth_number, site);
create index perio_measurements_exam_id_idx on perio_measurements (tenant_id, exam_id);
create index perio_measurements_encounter_id_idx on perio_measurements (tenant_id, encounter_id);
create index perio_measurements_updated_at_id_idx on perio_measurements (tenant_id, updated_at, id);
comment on table perio_measurements is 'One probing site of one tooth. Sensitivity: phi.';
comment on column perio_measurements.tooth_number is 'canonical FDI; the answer also gives the tenant''s numbering';
comment on column perio_measurements.site is 'seed shorthand M, D, B, L only on import of partial exams';
comment on column perio_measurements.pocket_depth_mm is 'unit: mm';
comment on column perio_measurements.gingival_margin_mm is 'distance from the cemento-enamel junction to the margin, positive = recession; unit: mm';
comment on column perio_measurements.cal_mm is 'unit: mm';
comment on column perio_measurements.mucogingival_junction_mm is 'unit: mm';
select kernel.record('perio_measurements');
