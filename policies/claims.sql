-- Who may see and change what in claims; planes and permissions as the model lists them.
select kernel.protect('fee_schedules', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'manage_billing');
select kernel.protect('fee_schedule_items', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'manage_billing');
select kernel.protect('eligibility_checks', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claims',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id', sec => 'rw');
select kernel.protect('claim_lines',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id', sec => 'r');
select kernel.protect('claim_diagnoses',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claim_attachments', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims', patient => 'patient_id');
select kernel.protect('claim_status_events',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_claims',
    write => 'view_claims', patient => 'patient_id', sec => 'w');
select kernel.protect('remittances', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_claims', write => 'edit_claims');
select kernel.protect('remittance_lines', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_claims', write => 'view_claims');
select kernel.protect('x12_interchanges', 'staff=all/none audit=all/none jobs=all/all', read => 'edit_claims',
    write => 'edit_claims');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('eligibility_checks', 'status', '{
    QUEUED>SENT,SENT>ANSWERED,QUEUED>FAILED,SENT>FAILED}');
select kernel.moves('claims', 'status', '{
    DRAFT>READY,READY>DRAFT,READY>SUBMITTED,SUBMITTED>ACCEPTED,SUBMITTED>REJECTED,REJECTED>DRAFT,ACCEPTED>PENDED,
    ACCEPTED>PARTIALLY_PAID,PENDED>PARTIALLY_PAID,ACCEPTED>PAID,PENDED>PAID,PARTIALLY_PAID>PAID,ACCEPTED>DENIED,
    PENDED>DENIED,DENIED>APPEALED,PARTIALLY_PAID>APPEALED,APPEALED>PENDED,APPEALED>PAID,APPEALED>DENIED,
    DRAFT>VOIDED,READY>VOIDED,SUBMITTED>VOIDED,ACCEPTED>VOIDED,REJECTED>VOIDED,DENIED>VOIDED}');
select kernel.moves('remittances', 'status', '{
    RECEIVED>BALANCED,RECEIVED>UNBALANCED,UNBALANCED>BALANCED,BALANCED>POSTED}');
select kernel.moves('x12_interchanges', 'status', '{
    QUEUED>SENT,SENT>ACKNOWLEDGED,SENT>REJECTED,RECEIVED>PARSED,QUEUED>FAILED,RECEIVED>FAILED}');

grant execute on function kernel.is_fdi(text) to enamel_staff, enamel_jobs, enamel_sec;

-- ── Claims ──────────────────────────────────────────────────────────────────────────────────────────────────────
-- Our id for the payer (CLM01): at most 20 characters, never told by a caller.
create or replace function kernel.number_claim() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.claim_number := coalesce(new.claim_number,
        'C' || to_char(now(), 'YYMMDD') || '-' || upper(left(replace(gen_random_uuid()::text, '-', ''), 10)));
    return new;
end $$;
create or replace trigger number_claim before insert on enamel.claims for each row execute function kernel.number_claim();

-- A policy of somebody else pays for nobody. Before-triggers run ahead of policies: what they do not show is left to them.
create or replace function kernel.policy_of_patient() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare insured uuid;
begin
    if current_user = 'enamel_sec' then return new; end if;
    select p.patient_id into insured from enamel.patient_insurance_policies p where p.tenant_id = new.tenant_id and p.id = new.policy_id;
    if insured <> new.patient_id then
        raise exception 'a policy of another patient'
            using errcode = '23514', table = tg_table_name, constraint = tg_table_name || '_policy_id_check';
    end if;
    return new;
end $$;
create or replace trigger policy_of_patient before insert or update of policy_id, patient_id on enamel.claims
    for each row execute function kernel.policy_of_patient();
create or replace trigger policy_of_patient before insert or update of policy_id, patient_id on enamel.eligibility_checks
    for each row execute function kernel.policy_of_patient();

-- Parts of a claim are about its patient and take turns: whoever adds one holds the claim, so that sums are right.
create or replace function kernel.part_of_claim() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare k record; wrong text;
begin
    if current_user = 'enamel_sec' then return new; end if;
    select c.patient_id, c.currency, c.use into k from enamel.claims c
     where c.tenant_id = new.tenant_id and c.id = new.claim_id for no key update;
    if not found then return new; end if;
    if new.patient_id <> k.patient_id then wrong := 'patient_id'; end if;
    if tg_table_name = 'claim_lines' then
        if (to_jsonb(new) ->> 'currency') <> k.currency then wrong := 'currency'; end if;
        if (to_jsonb(new) ->> 'service_date' is null) <> (k.use = 'PREDETERMINATION') then wrong := 'service_date'; end if;
    end if;
    if wrong is not null then
        raise exception 'the part does not fit its claim'
            using errcode = '23514', table = tg_table_name, constraint = tg_table_name || '_' || wrong || '_check';
    end if;
    return new;
end $$;
create or replace trigger belongs before insert or update of patient_id, currency, service_date on enamel.claim_lines
    for each row execute function kernel.part_of_claim();
create or replace trigger belongs before insert or update of patient_id on enamel.claim_diagnoses
    for each row execute function kernel.part_of_claim();
create or replace trigger belongs before insert or update of patient_id on enamel.claim_attachments
    for each row execute function kernel.part_of_claim();

create or replace function kernel.sum_claim() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.claims c set total_billed_minor = (
        select coalesce(sum(l.billed_minor), 0) from enamel.claim_lines l
         where l.tenant_id = new.tenant_id and l.claim_id = new.claim_id and l.deleted_at is null)
     where c.tenant_id = new.tenant_id and c.id = new.claim_id;
    return null;
end $$;
create or replace trigger sum_claim after insert or update of billed_minor, deleted_at on enamel.claim_lines
    for each row execute function kernel.sum_claim();

-- What was checked is what is sent, and what was sent stays as it was sent.
select kernel.freeze('claims', $$old.status <> 'DRAFT'$$,
    'Reopen the claim while it is READY or REJECTED; void one that was sent and write a replacement.',
    '{status,total_allowed_minor,total_paid_minor,patient_responsibility_minor,submitted_at,adjudicated_at,paid_at,payer_claim_number,timely_filing_due_on,notes}');
select kernel.freeze_with('claim_lines', 'claim_id', 'claims', $$p.status <> 'DRAFT'$$,
    'Reopen the claim while it is READY or REJECTED; void one that was sent and write a replacement.',
    '{allowed_minor,paid_minor,adjustments}');
select kernel.freeze_with('claim_diagnoses', 'claim_id', 'claims', $$p.status <> 'DRAFT'$$,
    'Reopen the claim while it is READY or REJECTED; void one that was sent and write a replacement.');
-- An appeal adds papers; none that was sent is taken away.
create or replace trigger frozen_with before update on enamel.claim_attachments for each row
    execute function kernel.refuse_frozen_part('claim_id', 'claims', $$p.status not in ('DRAFT', 'READY')$$, 'What was sent with a claim stays.', '{}');

-- One step of a claim, told by those who may move it; the claim itself says where it stands.
-- said: {source, payer_code, message, amount_minor, interchange_id}
create or replace function sec.claim_event(claim uuid, was text, said jsonb) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane = 'jobs' or c.plane = 'staff' and c.caps & kernel.bit('edit_claims') <> 0, false) then
        raise exception 'telling about a claim needs edit_claims' using errcode = '42501';
    end if;
    insert into enamel.claim_status_events (tenant_id, id, claim_id, patient_id, from_status, to_status, source, payer_code, message,
        amount_minor, currency, interchange_id, occurred_at, created_at, created_by)
    select k.tenant_id, gen_random_uuid(), k.id, k.patient_id, was, k.status, said ->> 'source', said ->> 'payer_code', said ->> 'message',
           (said ->> 'amount_minor')::bigint, case when said ->> 'amount_minor' is not null then k.currency end,
           (said ->> 'interchange_id')::uuid, clock_timestamp(), clock_timestamp(), c.actor
      from enamel.claims k where k.tenant_id = c.tenant and k.id = claim;
end $$;
grant execute on function sec.claim_event(uuid, text, jsonb) to enamel_staff, enamel_jobs;

-- Lines of a bill whose procedure is not done, whoever may see procedures.
create or replace function sec.undone_lines(claim uuid) returns setof integer language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane = 'staff' and c.caps & kernel.bit('edit_claims') <> 0, false) then
        raise exception 'submitting needs edit_claims' using errcode = '42501';
    end if;
    return query select l.line_no from enamel.claim_lines l
      join enamel.procedures p on p.tenant_id = l.tenant_id and p.id = l.procedure_id
     where l.tenant_id = c.tenant and l.claim_id = claim and l.deleted_at is null
       and (p.status <> 'COMPLETED' or p.patient_id <> l.patient_id) order by 1;
end $$;
grant execute on function sec.undone_lines(uuid) to enamel_staff;

-- What a payer is sent stands in the patient's account of disclosures, whoever sends it.
create or replace function sec.disclose_claim() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    insert into enamel.disclosures (tenant_id, id, patient_id, disclosed_at, recipient_name, what, purpose, category, legal_basis,
        is_accountable, resource_type, resource_id, request_id, disclosed_by, created_by)
    select new.tenant_id, gen_random_uuid(), new.patient_id, now(), p.name, 'Claim: identity, services, diagnoses', 'Payment for care',
           'PAYER', 'Payment', false, 'Claim', new.id, c.request, c.actor, c.actor
      from enamel.payers p where p.tenant_id = new.payer_tenant_id and p.id = new.payer_id;
    return null;
end $$;
create or replace trigger disclose after update on enamel.claims
    for each row when (old.status = 'READY' and new.status = 'SUBMITTED') execute function sec.disclose_claim();

-- ── Remittances ─────────────────────────────────────────────────────────────────────────────────────────────────
select kernel.freeze('remittances', $$old.status = 'POSTED'$$, 'What was posted is corrected by a reversal in a later remittance.');
select kernel.freeze_with('remittance_lines', 'remittance_id', 'remittances', $$p.status = 'POSTED'$$,
    'What was posted is corrected by a reversal in a later remittance.');

-- Balanced: what is paid by claim is what was paid in all, and on each line what was billed less what was adjusted is what
-- was paid (ASC X12N 005010X221A1). A claim with a line of its own counts by it, else by its services. Looked at when the
-- transaction ends, for lines come many at a time.
create or replace function kernel.balance_remittance() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare r record; paid bigint; odd boolean;
begin
    select x.amount_minor, x.status into r from enamel.remittances x
     where x.tenant_id = new.tenant_id and x.id = new.remittance_id for no key update;
    select coalesce(sum(l.paid_minor) filter (where l.claim_line_id is null or l.claim_id is null or not l.has_whole), 0),
           coalesce(bool_or(l.billed_minor - l.adjusted <> l.paid_minor), false)
      into paid, odd
      from (select x.*, bool_or(x.claim_line_id is null) over (partition by x.claim_id) as has_whole,
                   (select coalesce(sum((a ->> 'amount_minor')::bigint), 0) from jsonb_array_elements(x.adjustments) a) as adjusted
              from enamel.remittance_lines x where x.tenant_id = new.tenant_id and x.remittance_id = new.remittance_id) l;
    update enamel.remittances x
       set difference_minor = r.amount_minor - paid,
           status = case when r.amount_minor = paid and not odd then 'BALANCED' else 'UNBALANCED' end
     where x.tenant_id = new.tenant_id and x.id = new.remittance_id
       and (x.difference_minor, x.status) is distinct from
           (r.amount_minor - paid, case when r.amount_minor = paid and not odd then 'BALANCED' else 'UNBALANCED' end);
    return null;
end $$;
drop trigger if exists balance on enamel.remittance_lines;
create constraint trigger balance after insert on enamel.remittance_lines deferrable initially deferred
    for each row execute function kernel.balance_remittance();
