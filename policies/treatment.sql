-- Who may see and change what in treatment; planes and permissions as the model lists them.
select kernel.protect('treatment_plans',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', rows => 'visible_to_patient',
    staff_only => '{internal_notes}', sec => 'rw');
select kernel.protect('treatment_plan_items',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', rows => 'visible_to_patient',
    sec => 'rw');
select kernel.protect('treatment_plan_revisions',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/document_id', read => 'view_treatment',
    write => 'view_treatment', patient => 'patient_id', rows => 'presented_at is not null', sec => 'rw');
select kernel.protect('quotes', 'staff=all/all group=all/none patient=own/own audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', sec => 'rw', proxy => 'plans/plans');
select kernel.protect('quote_events',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_treatment',
    write => 'view_treatment', patient => 'patient_id', sec => 'rw');
select kernel.protect('bookings',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', sec => 'rw');
select kernel.protect('procedures',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id', sec => 'r');
select kernel.protect('plan_item_procedures',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', sec => 'r');
select kernel.protect('procedure_materials',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('clinical_outcomes',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('payment_methods', 'staff=all/all group=all/none patient=own/own audit=all/none jobs=all/all',
    read => 'view_payments', write => 'edit_payments', patient => 'patient_id',
    secret => '{gateway_customer_token_enc,gateway_method_token_enc}', proxy => 'billing/billing');
select kernel.protect('payments',
    'staff=all/all group=all/none patient=own/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_payments', write => 'edit_payments', patient => 'patient_id', secret => '{gateway_payment_id}',
    sec => 'rw');
select kernel.protect('payment_events', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_payments', write => 'view_payments', secret => '{payload_enc}', sec => 'rw');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('treatment_plans', 'status', '{
    DRAFT>PRESENTED,DRAFT>CANCELLED,PRESENTED>ACCEPTED,PRESENTED>PARTIALLY_ACCEPTED,PRESENTED>DECLINED,
    PRESENTED>SUPERSEDED,ACCEPTED>IN_TREATMENT,PARTIALLY_ACCEPTED>IN_TREATMENT,ACCEPTED>CANCELLED,
    PARTIALLY_ACCEPTED>CANCELLED,ACCEPTED>SUPERSEDED,PARTIALLY_ACCEPTED>SUPERSEDED,IN_TREATMENT>COMPLETED,
    IN_TREATMENT>CANCELLED}');
select kernel.moves('treatment_plan_items', 'status', '{
    PROPOSED>ACCEPTED,PROPOSED>DECLINED,ACCEPTED>SCHEDULED,ACCEPTED>IN_PROGRESS,SCHEDULED>IN_PROGRESS,
    ACCEPTED>COMPLETED,SCHEDULED>COMPLETED,IN_PROGRESS>COMPLETED,PROPOSED>CANCELLED,ACCEPTED>CANCELLED,
    SCHEDULED>CANCELLED,IN_PROGRESS>CANCELLED}');
select kernel.moves('quotes', 'status', '{
    BUILDING>SUBMITTED,SUBMITTED>PLANNED,BUILDING>WITHDRAWN,SUBMITTED>WITHDRAWN,PLANNED>WITHDRAWN,BUILDING>EXPIRED,
    SUBMITTED>EXPIRED}');
select kernel.moves('bookings', 'status', '{
    PENDING>CONFIRMED,PENDING>CANCELLED,CONFIRMED>CANCELLED,CONFIRMED>COMPLETED}');
select kernel.moves('bookings', 'deposit_status', '{
    PENDING>PAID,PENDING>FAILED,FAILED>PENDING,PAID>REFUNDED}');
select kernel.moves('procedures', 'status', '{
    PLANNED>SCHEDULED,PLANNED>IN_PROGRESS,SCHEDULED>IN_PROGRESS,IN_PROGRESS>COMPLETED,SCHEDULED>COMPLETED,
    PLANNED>COMPLETED,PLANNED>CANCELLED,SCHEDULED>CANCELLED,IN_PROGRESS>CANCELLED,COMPLETED>ENTERED_IN_ERROR}');
select kernel.moves('payments', 'status', '{
    PENDING>REQUIRES_ACTION,PENDING>SUCCEEDED,REQUIRES_ACTION>SUCCEEDED,PENDING>FAILED,REQUIRES_ACTION>FAILED,
    PENDING>CANCELLED,REQUIRES_ACTION>CANCELLED,SUCCEEDED>PARTIALLY_REFUNDED,SUCCEEDED>REFUNDED,
    PARTIALLY_REFUNDED>REFUNDED,SUCCEEDED>DISPUTED,PARTIALLY_REFUNDED>DISPUTED,DISPUTED>SUCCEEDED,DISPUTED>REFUNDED}');

-- ── Plans: what is derived, what follows a move ────────────────────────────────────────────────────────────────
-- Triggers run ahead of policies: an insert the caller may not make is left to those, so that nothing else tells about it.
create or replace function sec.minds(tenant uuid) returns boolean language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
begin return coalesce(tenant = any (sec.tenants(0)), false); end $$;

-- Who made it, its totals (always the sum of its items), its revision and the moments of its moves.
create or replace function sec.plan_row() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); prior record; sums record;
begin
    if tg_op = 'UPDATE' then
        new.created_by_party := old.created_by_party; new.created_by_id := old.created_by_id; new.revision_no := old.revision_no;
    else
        new.created_by_party := case when c.plane is null then coalesce(new.created_by_party, 'CLINIC')
                                     when c.plane = 'patient' then 'PATIENT' else 'CLINIC' end;
        new.created_by_id := (select u.id from enamel.users u where u.id = c.actor);
        if c.plane is not null then new.status := 'DRAFT'; end if;
        if new.supersedes_id is not null and sec.minds(new.tenant_id) then
            select p.revision_no, p.patient_id into prior from enamel.treatment_plans p
             where p.tenant_id = new.tenant_id and p.id = new.supersedes_id;
            if prior.patient_id <> new.patient_id then
                perform kernel.refuse(422, 'rule', 'supersedes_id', 'It is a plan of another patient.');
            end if;
            new.revision_no := coalesce(prior.revision_no, 0) + 1;
        end if;
    end if;
    select count(*) as items, coalesce(sum(i.estimated_fee_minor), 0) as fee, coalesce(sum(i.estimated_insurance_minor), 0) as insurance,
           coalesce(sum(i.estimated_patient_portion_minor), 0) as portion, coalesce(bool_and(i.currency = new.currency), true) as one
      into sums from enamel.treatment_plan_items i
     where i.tenant_id = new.tenant_id and i.plan_id = new.id and i.deleted_at is null and i.status not in ('DECLINED', 'CANCELLED');
    new.total_estimated_cost_minor := sums.fee;
    new.estimated_insurance_coverage_minor := sums.insurance;
    new.estimated_patient_portion_minor := sums.portion;
    if tg_op = 'UPDATE' and new.status <> old.status then
        case new.status
            when 'PRESENTED' then
                if sums.items = 0 then
                    perform kernel.refuse(422, 'rule', 'treatment_details', 'A plan is presented with at least one item.');
                elsif not sums.one then
                    perform kernel.refuse(422, 'rule', 'currency', 'All items are priced in the currency of the plan.');
                end if;
                new.presented_at := now(); new.presented_revision_no := new.revision_no;
            when 'ACCEPTED', 'PARTIALLY_ACCEPTED' then new.accepted_at := now(); new.accepted_revision_no := new.revision_no;
            when 'DECLINED' then new.declined_at := now();
            when 'IN_TREATMENT' then new.started_at := now();
            when 'COMPLETED' then new.completed_at := now();
            else null;
        end case;
    end if;
    return new;
end $$;
create or replace trigger plan_row before insert or update on enamel.treatment_plans for each row execute function sec.plan_row();

-- Told to the logins of a patient's own; no clinical word in it.
create or replace function sec.tell_patient(tenant uuid, patient uuid, kind text, resource text, resource_id uuid, title text)
returns void language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into enamel.notifications (tenant_id, id, audience, user_id, patient_id, type, resource_type, resource_id, title, message)
    select a.tenant_id, gen_random_uuid(), 'PATIENT', a.user_id, a.patient_id, kind, resource, resource_id, title,
           'Open the portal to see it.'
      from enamel.patient_portal_accounts a where a.tenant_id = tenant and a.patient_id = patient and a.status = 'ACTIVE' $$;
create or replace function sec.tell_clinic(tenant uuid, patient uuid, kind text, resource text, resource_id uuid, title text)
returns void language sql volatile set search_path = pg_catalog, pg_temp as $$
    insert into enamel.notifications (tenant_id, id, audience, patient_id, type, resource_type, resource_id, title, message)
    values (tenant, gen_random_uuid(), 'TENANT', patient, kind, resource, resource_id, title, 'Open the record to see it.') $$;

-- The quote a plan came from: made for this clinic and this patient (or a record merged into theirs), or none.
create or replace function sec.quote_of(quote uuid, clinic uuid, patient uuid) returns enamel.quotes language sql stable
set search_path = pg_catalog, pg_temp as $$
    select q from enamel.quotes q
     where q.id = quote and q.clinic_tenant_id = clinic and (q.clinic_patient_id = patient or exists (
           select from enamel.patients m where m.tenant_id = clinic and m.id = q.clinic_patient_id and m.merged_into_id = patient))
     limit 1 $$;
create or replace function sec.tell_quote(q enamel.quotes, kind text, plan_status text, changed text[]) returns void language sql volatile
set search_path = pg_catalog, pg_temp as $$
    insert into enamel.quote_events (tenant_id, id, quote_id, patient_id, event_type, plan_status, changed_fields, occurred_at)
    select q.tenant_id, gen_random_uuid(), q.id, q.patient_id, kind, plan_status, changed, now() where q.id is not null $$;

-- A plan as the patient sees it, frozen.
create or replace function sec.plan_content(p enamel.treatment_plans) returns jsonb language sql stable
set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object(
        'plan', jsonb_build_object('id', p.id, 'title', p.title, 'revision_no', p.revision_no, 'provider_id', p.provider_id,
            'location_id', p.location_id, 'currency', p.currency, 'notes', p.notes, 'expires_on', p.expires_on,
            'total_estimated_cost_minor', p.total_estimated_cost_minor,
            'estimated_insurance_coverage_minor', p.estimated_insurance_coverage_minor,
            'estimated_patient_portion_minor', p.estimated_patient_portion_minor),
        'items', (select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'code_system', i.code_system, 'cdt_code', i.cdt_code,
                'code_version', i.code_version, 'description', i.description, 'tooth_number', i.tooth_number,
                'tooth_system', i.tooth_system, 'oral_area', i.oral_area, 'surface', i.surface, 'phase', i.phase,
                'sequence_order', i.sequence_order, 'quantity', i.quantity, 'option_group', i.option_group,
                'depends_on_item_id', i.depends_on_item_id, 'currency', i.currency, 'estimated_fee_minor', i.estimated_fee_minor,
                'estimated_write_off_minor', i.estimated_write_off_minor, 'estimated_insurance_minor', i.estimated_insurance_minor,
                'estimated_patient_portion_minor', i.estimated_patient_portion_minor, 'provider_id', i.provider_id, 'notes', i.notes)
                order by i.phase, i.sequence_order, i.id), '[]')
             from enamel.treatment_plan_items i where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.deleted_at is null
              and i.status not in ('DECLINED', 'CANCELLED'))) $$;
create or replace function kernel.hash_content() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.content_hash := encode(sha256(convert_to(new.content::text, 'UTF8')), 'hex');
    return new;
end $$;
create or replace trigger hash_content before insert on enamel.treatment_plan_revisions for each row execute function kernel.hash_content();

-- What a plan's move brings, whoever made it and on whatever plane.
create or replace function sec.plan_moved() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare q enamel.quotes; plan enamel.treatment_plans; told text;
begin
    if new.source_quote_id is not null then q := sec.quote_of(new.source_quote_id, new.tenant_id, new.patient_id); end if;
    if tg_op = 'INSERT' then
        update enamel.quotes x set clinic_plan_id = new.id
         where new.supersedes_id is not null and x.tenant_id = q.tenant_id and x.id = q.id and x.clinic_plan_id = new.supersedes_id;
        return null;
    end if;
    update enamel.treatment_plan_items i set visible_to_patient = new.visible_to_patient
     where i.tenant_id = new.tenant_id and i.plan_id = new.id and i.visible_to_patient <> new.visible_to_patient;
    if new.status = 'PRESENTED' then
        select p.* into plan from enamel.treatment_plans p where p.tenant_id = new.tenant_id and p.id = new.id;
        insert into enamel.treatment_plan_revisions (tenant_id, id, plan_id, patient_id, revision_no, content, content_hash, presented_at)
        values (new.tenant_id, gen_random_uuid(), new.id, new.patient_id, new.revision_no, sec.plan_content(plan), '', now());
        update enamel.quotes x set status = 'PLANNED' where x.tenant_id = q.tenant_id and x.id = q.id and x.status = 'SUBMITTED';
    end if;
    if new.status in ('DECLINED', 'CANCELLED') then
        update enamel.treatment_plan_items i set status = case when i.status = 'PROPOSED' and new.status = 'DECLINED' then 'DECLINED' else 'CANCELLED' end
         where i.tenant_id = new.tenant_id and i.plan_id = new.id and i.status in ('PROPOSED', 'ACCEPTED', 'SCHEDULED', 'IN_PROGRESS');
        -- The sum of what is left.
        update enamel.treatment_plans p set updated_at = now() where p.tenant_id = new.tenant_id and p.id = new.id;
    end if;
    if new.status in ('DECLINED', 'CANCELLED', 'SUPERSEDED') then
        -- Nobody is asked to pay for what is not offered any more; what was paid, people decide about.
        update enamel.payments x set status = 'CANCELLED'
         where x.tenant_id = new.tenant_id and x.plan_id = new.id and x.status in ('PENDING', 'REQUIRES_ACTION');
    end if;
    if new.status = 'COMPLETED' then
        update enamel.bookings b set status = 'COMPLETED'
         where b.tenant_id = new.tenant_id and b.plan_id = new.id and b.status = 'CONFIRMED';
    end if;
    told := case new.status when 'PRESENTED' then 'A treatment plan is ready for you.' when 'SUPERSEDED' then 'Your treatment plan is being revised.'
                            when 'CANCELLED' then case when old.status <> 'DRAFT' then 'A treatment plan was cancelled.' end end;
    if told is not null then
        perform sec.tell_patient(new.tenant_id, new.patient_id, 'TREATMENT_PLAN_UPDATED', 'treatment_plans', new.id, told);
    elsif new.status in ('ACCEPTED', 'PARTIALLY_ACCEPTED', 'DECLINED') then
        perform sec.tell_clinic(new.tenant_id, new.patient_id, 'TREATMENT_PLAN_UPDATED', 'treatment_plans', new.id,
                                'A patient has answered a treatment plan.');
    end if;
    perform sec.tell_quote(q, case new.status when 'PRESENTED' then 'PLAN_PRESENTED' when 'ACCEPTED' then 'PLAN_ACCEPTED'
        when 'PARTIALLY_ACCEPTED' then 'PLAN_ACCEPTED' when 'DECLINED' then 'PLAN_DECLINED' when 'IN_TREATMENT' then 'IN_TREATMENT'
        when 'COMPLETED' then 'COMPLETED' when 'CANCELLED' then 'CANCELLED' else 'PLAN_CHANGED' end, new.status, '{status}');
    return null;
end $$;
create or replace trigger plan_made after insert on enamel.treatment_plans for each row when (new.source_quote_id is not null)
    execute function sec.plan_moved();
create or replace trigger plan_moved after update on enamel.treatment_plans for each row when (old.status <> new.status)
    execute function sec.plan_moved();
-- The operator is told which fields of a quoted plan were edited, never what they say.
create or replace function sec.plan_edited() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare changed text[]; was jsonb := to_jsonb(old);
begin
    select array_agg(n.key order by n.key) into changed from jsonb_each(to_jsonb(new)) n
     where n.value is distinct from was -> n.key and n.key in ('title', 'currency', 'notes', 'provider_id', 'location_id', 'expires_on',
           'total_estimated_cost_minor', 'estimated_insurance_coverage_minor', 'estimated_patient_portion_minor');
    if changed is not null then
        perform sec.tell_quote(sec.quote_of(new.source_quote_id, new.tenant_id, new.patient_id), 'PLAN_CHANGED', new.status, changed);
    end if;
    return null;
end $$;
create or replace trigger plan_edited after update on enamel.treatment_plans for each row
    when (new.source_quote_id is not null and old.status = new.status) execute function sec.plan_edited();

-- An item is its plan's: patient, currency, visibility. It waits for the plan's row, so that two items of one plan, or an
-- item and the plan's presentation, come one after the other.
create or replace function sec.plan_item_row() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); p record; own jsonb := '{}'::jsonb;
begin
    if tg_op = 'INSERT' and (sec.left_to_policies(c, new.tenant_id) or c.plane is not null and not sec.minds(new.tenant_id)) then
        return new;
    end if;
    select x.status, x.patient_id, x.currency, x.visible_to_patient into p from enamel.treatment_plans x
     where x.tenant_id = new.tenant_id and x.id = new.plan_id for no key update;
    if not found then return new; end if;
    if tg_op = 'INSERT' then
        if p.patient_id <> new.patient_id then
            perform kernel.refuse(422, 'rule', 'patient_id', 'It is not the patient of the plan.');
        end if;
        if new.estimated_patient_portion_minor = 0 then
            new.estimated_patient_portion_minor :=
                greatest(new.estimated_fee_minor - new.estimated_write_off_minor - new.estimated_insurance_minor, 0);
        end if;
    end if;
    if p.status = 'DRAFT' then
        if new.currency <> p.currency then
            perform kernel.refuse(422, 'rule', 'currency', 'It is priced in the currency of the plan.');
        end if;
        if new.surface <> '{}' then new.surface := array(select distinct s from unnest(new.surface) s order by s); end if;
        if tg_op = 'UPDATE' then
            if new.estimated_patient_portion_minor = old.estimated_patient_portion_minor
               and (new.estimated_fee_minor, new.estimated_write_off_minor, new.estimated_insurance_minor)
                <> (old.estimated_fee_minor, old.estimated_write_off_minor, old.estimated_insurance_minor) then
                new.estimated_patient_portion_minor :=
                    greatest(new.estimated_fee_minor - new.estimated_write_off_minor - new.estimated_insurance_minor, 0);
            end if;
            -- What was accepted in an earlier revision was accepted as it was.
            if old.accepted_at is not null and to_jsonb(new) - sec.item_state() <> to_jsonb(old) - sec.item_state() then
                new.accepted_at := null; new.accepted_by := null; new.acceptance_method := null; new.signature_document_id := null;
            end if;
        end if;
    end if;
    new.visible_to_patient := p.visible_to_patient;
    return new;
end $$;
create or replace function sec.item_state() returns text[] language sql immutable parallel safe as $$
    select array['status', 'accepted_at', 'accepted_by', 'acceptance_method', 'signature_document_id', 'visible_to_patient',
                 'patient_id', 'version', 'updated_at', 'updated_by', 'sequence_order', 'phase'] $$;
create or replace trigger before_plan before insert or update on enamel.treatment_plan_items for each row
    execute function sec.plan_item_row();

-- The plan goes on with its items: begun by the first, done when every accepted one is done or cancelled.
create or replace function sec.plan_follows() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if new.status in ('IN_PROGRESS', 'COMPLETED') then
        update enamel.treatment_plans p set status = 'IN_TREATMENT'
         where p.tenant_id = new.tenant_id and p.id = new.plan_id and p.status in ('ACCEPTED', 'PARTIALLY_ACCEPTED');
    end if;
    if new.status in ('COMPLETED', 'CANCELLED') then
        update enamel.treatment_plans p set status = 'COMPLETED'
         where p.tenant_id = new.tenant_id and p.id = new.plan_id and p.status = 'IN_TREATMENT' and not exists (
               select from enamel.treatment_plan_items i where i.tenant_id = p.tenant_id and i.plan_id = p.id
                  and i.deleted_at is null and i.status in ('ACCEPTED', 'SCHEDULED', 'IN_PROGRESS'));
    end if;
    return null;
end $$;
create or replace trigger plan_follows after update on enamel.treatment_plan_items for each row
    when (old.status <> new.status) execute function sec.plan_follows();

select kernel.freeze('treatment_plans', $$old.status <> 'DRAFT'$$, 'Revise the plan.',
    '{status,internal_notes,provider_id,location_id,consultation_appointment_id,visible_to_patient}');
select kernel.freeze_with('treatment_plan_items', 'plan_id', 'treatment_plans', $$p.status <> 'DRAFT'$$, 'Revise the plan.',
    '{status,accepted_at,accepted_by,acceptance_method,signature_document_id,visible_to_patient}');
select kernel.freeze('treatment_plan_revisions', 'true', 'Revise the plan: each revision is kept as it was shown.', '{document_id}');
select kernel.freeze('quotes', $$old.status <> 'BUILDING'$$, 'Withdraw the quote and make a new one.',
    '{status,submitted_at,consent_id,clinic_patient_id,clinic_plan_id}');
select kernel.freeze('bookings', $$old.status in ('CANCELLED', 'COMPLETED')$$, 'Make a new booking.', '{deposit_status}');
select kernel.freeze('procedures', $$old.status in ('COMPLETED', 'CANCELLED', 'ENTERED_IN_ERROR')$$,
    'Void the procedure and record it again.', '{status,status_reason}');
select kernel.freeze('payments', $$old.status <> 'PENDING'$$, 'Record another payment or a refund.',
    '{status,refunded_minor,failure_code,paid_at,claim_id,booking_id,receipt_document_id,gateway_payment_id}');

select kernel.same_patient('bookings', 'plan_id', 'treatment_plans');
select kernel.same_patient('bookings', 'appointment_id', 'appointments');
select kernel.same_patient('treatment_plans', 'consultation_appointment_id', 'appointments');
select kernel.same_patient('procedures', 'encounter_id', 'encounters');
select kernel.same_patient('plan_item_procedures', 'plan_item_id', 'treatment_plan_items');
select kernel.same_patient('plan_item_procedures', 'procedure_id', 'procedures');
select kernel.same_patient('procedure_materials', 'procedure_id', 'procedures');
select kernel.same_patient('clinical_outcomes', 'procedure_id', 'procedures');
select kernel.same_patient('clinical_outcomes', 'encounter_id', 'encounters');
select kernel.same_patient('payments', 'plan_id', 'treatment_plans');
select kernel.same_patient('payments', 'booking_id', 'bookings');
select kernel.same_patient('payments', 'payment_method_id', 'payment_methods');

-- Revisions that were presented lately and are kept as no document yet; a server that was away finds them for a week.
create or replace function sec.plan_documents_due(most int) returns table (tenant_id uuid, id uuid) language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'jobs' then raise exception 'jobs ask this' using errcode = '42501'; end if;
    return query
        select r.tenant_id, r.id from enamel.treatment_plan_revisions r
         where r.document_id is null and r.presented_at > now() - interval '7 days' order by r.presented_at limit most;
end $$;
grant execute on function sec.plan_documents_due(int) to enamel_jobs;

-- ── Answers to a plan ──────────────────────────────────────────────────────────────────────────────────────────
-- Staff of the tenant with that permission; the patient's own login with it (an application may have less), or a proxy with
-- that scope.
create or replace function sec.may(tenant uuid, patient uuid, needs text, proxy_needs text) returns boolean language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    return coalesce(case c.plane
        when 'staff' then c.tenant = tenant and c.caps & kernel.bit(needs) = kernel.bit(needs)
        when 'patient' then exists (select from sec.charts(kernel.bit(needs), c, proxy_needs) h
                                     where h.tenant_id = tenant and h.patient_id = patient) end, false);
end $$;

-- The plan to answer, locked; null when the caller has none of that id.
create or replace function sec.plan_to_answer(plan uuid) returns enamel.treatment_plans language sql volatile
set search_path = pg_catalog, pg_temp as $$
    select p from enamel.treatment_plans p
     where p.tenant_id = any (sec.tenants(0)) and p.id = plan and sec.may(p.tenant_id, p.patient_id, 'edit_treatment', 'plans')
       and (p.visible_to_patient or (sec.claims()).plane = 'staff') for no key update $$;

-- What the tenant's rule asks for before treatment: none, a fixed amount, a part of the patient's portion or all of it.
create or replace function sec.deposit_of(tenant uuid, plan uuid) returns bigint language sql stable
set search_path = pg_catalog, pg_temp as $$
    select case s.deposit_rule when 'FIXED' then least(s.deposit_amount_minor, p.estimated_patient_portion_minor)
                when 'PERCENT' then (p.estimated_patient_portion_minor * s.deposit_percent + 50) / 100
                when 'FULL' then p.estimated_patient_portion_minor else 0 end
      from enamel.treatment_plans p join enamel.tenant_settings s on s.tenant_id = p.tenant_id
     where p.tenant_id = tenant and p.id = plan $$;

-- One answer to one revision; the same answer twice is one answer. chosen null: everything that is offered.
create or replace function sec.accept_plan(plan uuid, revision int, chosen uuid[], method text, signature uuid) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    c sec.claims := sec.claims(); p enamel.treatment_plans := sec.plan_to_answer(plan); q enamel.quotes; rest bigint; due bigint;
    accepted uuid[];
begin
    if p.id is null then return null; end if;
    if c.plane = 'patient' then method := 'PORTAL'; end if;
    if p.status in ('ACCEPTED', 'PARTIALLY_ACCEPTED') and p.accepted_revision_no = revision then
        select array_agg(i.id) into accepted from enamel.treatment_plan_items i
         where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.deleted_at is null and i.accepted_at is not null and i.status <> 'DECLINED';
        if coalesce(chosen, accepted) @> accepted and coalesce(chosen, accepted) <@ accepted then return p.id; end if;
    end if;
    if p.status <> 'PRESENTED' then
        perform kernel.refuse(409, 'state', 'status', 'Only a plan that is presented can be accepted.');
    elsif p.presented_revision_no is distinct from revision then
        perform kernel.refuse(422, 'rule', 'revision_no', 'It is not the revision that was presented.');
    elsif p.expires_on < current_date then
        perform kernel.refuse(409, 'state', 'status', 'The offer has expired.');
    end if;
    if p.source_quote_id is not null then
        q := sec.quote_of(p.source_quote_id, p.tenant_id, p.patient_id);
        if not exists (select from enamel.consents k where k.tenant_id = q.tenant_id and k.related_id = q.id
                          and k.consent_type = 'DATA_SHARING' and k.recipient_tenant_id = p.tenant_id and k.status = 'ACTIVE') then
            perform kernel.refuse(409, 'state', 'status', 'The consent of the quote is not on record any more.');
        end if;
    end if;
    if chosen is null then
        chosen := array(select i.id from enamel.treatment_plan_items i where i.tenant_id = p.tenant_id and i.plan_id = p.id
                           and i.deleted_at is null and i.status = 'PROPOSED');
    end if;
    if chosen = '{}' or exists (select from unnest(chosen) x where not exists (
            select from enamel.treatment_plan_items i where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.id = x
               and i.deleted_at is null and i.status = 'PROPOSED')) then
        perform kernel.refuse(422, 'rule', 'item_ids', 'They must be items of this plan that are offered.');
    end if;
    if exists (select from enamel.treatment_plan_items i where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.id = any (chosen)
                  and i.option_group is not null group by i.option_group having count(*) > 1) then
        perform kernel.refuse(422, 'rule', 'item_ids', 'Of an option group one item is accepted.');
    end if;
    if signature is not null and not exists (select from enamel.documents d where d.tenant_id = p.tenant_id and d.id = signature
                                                and d.patient_id = p.patient_id and d.deleted_at is null) then
        perform kernel.refuse(422, 'reference', 'signature', 'It is no document of this patient.');
    end if;
    update enamel.treatment_plan_items i
       set status = 'ACCEPTED', accepted_at = now(), accepted_by = (select u.id from enamel.users u where u.id = c.actor),
           acceptance_method = method, signature_document_id = signature
     where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.id = any (chosen);
    -- Alternatives to what was chosen are no part of the answer; anything else left out makes it a partial one.
    select count(*) into rest from enamel.treatment_plan_items i
     where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.deleted_at is null and i.status = 'PROPOSED' and not exists (
           select from enamel.treatment_plan_items o where o.tenant_id = i.tenant_id and o.plan_id = i.plan_id
              and o.option_group = i.option_group and o.status = 'ACCEPTED');
    update enamel.treatment_plan_items i set status = 'DECLINED'
     where i.tenant_id = p.tenant_id and i.plan_id = p.id and i.deleted_at is null and i.status = 'PROPOSED';
    update enamel.treatment_plans x set status = case when rest = 0 then 'ACCEPTED' else 'PARTIALLY_ACCEPTED' end
     where x.tenant_id = p.tenant_id and x.id = p.id;
    -- What was paid before it was accepted is part of it.
    select sec.deposit_of(p.tenant_id, p.id) - coalesce(sum(x.amount_minor - x.refunded_minor), 0) into due from enamel.payments x
     where x.tenant_id = p.tenant_id and x.plan_id = p.id and x.purpose = 'DEPOSIT' and x.status not in ('FAILED', 'CANCELLED');
    if due > 0 then
        insert into enamel.payments (tenant_id, id, patient_id, plan_id, purpose, amount_minor, currency, idempotency_key, plan_revision_no)
        values (p.tenant_id, gen_random_uuid(), p.patient_id, p.id, 'DEPOSIT', due, p.currency, 'deposit:' || p.id, revision);
    end if;
    return p.id;
end $$;

create or replace function sec.decline_plan(plan uuid) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare p enamel.treatment_plans := sec.plan_to_answer(plan);
begin
    if p.status = 'PRESENTED' then
        update enamel.treatment_plans x set status = 'DECLINED' where x.tenant_id = p.tenant_id and x.id = p.id;
    elsif p.status <> 'DECLINED' then
        perform kernel.refuse(409, 'state', 'status', 'Only a plan that is presented can be declined.');
    end if;
    return p.id;
end $$;

-- Every change of a plan and its items, for those who may see the plan.
create or replace function sec.plan_history(plan uuid) returns table (occurred_at timestamptz, table_name text, record_id uuid,
    action text, record_version bigint, changed_fields text[], old_values jsonb, new_values jsonb, user_id uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane = 'staff' and c.caps & kernel.bit('view_treatment') <> 0, false) then return; end if;
    return query
        select l.occurred_at, l.table_name, l.record_id, l.action, l.record_version, l.changed_fields,
               (select jsonb_object_agg(f, l.old_values -> f) from unnest(l.changed_fields) f where l.action = 'UPDATE'),
               (select jsonb_object_agg(f, l.new_values -> f) from unnest(l.changed_fields) f), l.user_id
          from enamel.change_log l
         where l.tenant_id = c.tenant and l.changed_fields <> '{}' and (
               l.table_name = 'treatment_plans' and l.record_id = plan
               or l.table_name = 'treatment_plan_items' and l.record_id in (
                   select i.id from enamel.treatment_plan_items i where i.tenant_id = c.tenant and i.plan_id = plan))
         order by l.occurred_at, l.id;
end $$;

-- ── Quotes: from the patient's portal into the clinic's own space ──────────────────────────────────────────────
-- The patient's row in the chosen clinic: the one this login has there already, or a new one that the clinic checks.
create or replace function sec.patient_at(clinic uuid, q enamel.quotes, login uuid) returns uuid language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare found_id uuid;
begin
    if clinic = q.tenant_id then return q.patient_id; end if;
    select a.patient_id into found_id from enamel.patient_portal_accounts a
     where a.tenant_id = clinic and a.user_id = login and a.status = 'ACTIVE';
    if found_id is not null then return found_id; end if;
    found_id := gen_random_uuid();
    insert into enamel.patients (tenant_id, id, first_name, last_name, middle_name, name_prefix, name_suffix, dob, administrative_gender,
        contact_email, phone_mobile, preferred_language, preferred_contact_method, needs_identity_check)
    select clinic, found_id, p.first_name, p.last_name, p.middle_name, p.name_prefix, p.name_suffix, p.dob, p.administrative_gender,
           p.contact_email, p.phone_mobile, p.preferred_language, p.preferred_contact_method, true
      from enamel.patients p where p.tenant_id = q.tenant_id and p.id = q.patient_id;
    insert into enamel.patient_portal_accounts (tenant_id, id, patient_id, user_id, status, activated_at)
    values (clinic, gen_random_uuid(), found_id, login, 'ACTIVE', now());
    return found_id;
end $$;

-- One tick, two purposes: storing what was entered, and sharing it with this clinic.
create or replace function sec.consents_of_quote(q enamel.quotes, wording enamel.consent_texts, clinic uuid, login uuid) returns uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare purpose text; made uuid;
begin
    foreach purpose in array array['DATA_STORAGE', 'DATA_SHARING'] loop
        made := gen_random_uuid();
        insert into enamel.consents (tenant_id, id, subject_type, subject_id, patient_id, consent_type, recipient_tenant_id,
            consent_text_tenant_id, consent_text_id, text_snapshot, text_version, text_locale, granted_at, granted_by, source,
            related_type, related_id, evidence)
        values (q.tenant_id, made, 'PATIENT', q.patient_id, q.patient_id, purpose,
            case when purpose = 'DATA_SHARING' then clinic end, wording.tenant_id, wording.id, wording.body, wording.version_no,
            wording.locale, now(), login, 'PORTAL', 'quotes', q.id, jsonb_build_object('ticked', true));
    end loop;
    return made;
end $$;

-- The items of a quote as items of a draft: an offered treatment or package brings its name and price, anything else is
-- taken as the patient wrote it.
create or replace function sec.items_of_quote(q enamel.quotes, clinic uuid, plan uuid, patient uuid) returns void language sql volatile
set search_path = pg_catalog, pg_temp as $$
    insert into enamel.treatment_plan_items (tenant_id, id, plan_id, patient_id, code_system, description, sequence_order, quantity,
        currency, estimated_fee_minor, clinic_treatment_id)
    select clinic, gen_random_uuid(), plan, patient, 'INTERNAL', left(coalesce(t.name, k.name, l.item ->> 'description', 'Treatment'), 4000),
           l.place, n.quantity, q.currency,
           n.quantity * coalesce(case when t.currency = q.currency then t.price_from_minor end,
                                 case when k.currency = q.currency then k.price_minor end, 0), t.id
      from jsonb_array_elements(q.items) with ordinality l(item, place)
     cross join lateral (select case when l.item ->> 'quantity' ~ '^[1-9][0-9]{0,2}$' then (l.item ->> 'quantity')::int else 1 end as quantity) n
      left join enamel.clinic_treatments t on t.tenant_id = clinic and t.id::text = l.item ->> 'clinic_treatment_id'
           and t.is_active and t.deleted_at is null
      left join enamel.clinic_packages k on k.tenant_id = clinic and k.id::text = l.item ->> 'clinic_package_id'
           and k.is_active and k.deleted_at is null $$;

-- A quote names a clinic that is published, or the tenant itself. Nobody learns of any other tenant by asking.
create or replace function sec.quote_row() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if sec.minds(new.tenant_id) and new.clinic_tenant_id <> new.tenant_id and not exists (
        select from enamel.clinic_profiles f where f.tenant_id = new.clinic_tenant_id and f.status = 'PUBLISHED') then
        perform kernel.refuse(422, 'rule', 'clinic_tenant_id', 'The clinic is not published.');
    end if;
    return new;
end $$;
create or replace trigger quote_row before insert or update of clinic_tenant_id on enamel.quotes for each row
    execute function sec.quote_row();

create or replace function sec.submit_quote(quote uuid, clinic uuid, consent_text uuid) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); q enamel.quotes; wording enamel.consent_texts; patient uuid; plan uuid := gen_random_uuid(); agreed uuid;
begin
    select x.* into q from enamel.quotes x
     where x.tenant_id = any (sec.tenants(0)) and x.id = quote and c.plane = 'patient'
       and sec.may(x.tenant_id, x.patient_id, 'edit_treatment', 'plans') for no key update;
    if not found then return null; end if;
    clinic := coalesce(clinic, q.clinic_tenant_id);
    if q.status <> 'BUILDING' then
        perform kernel.refuse(409, 'state', 'status', 'The quote was submitted or closed before.');
    elsif q.expires_at <= now() then
        perform kernel.refuse(409, 'state', 'status', 'The quote has expired.');
    elsif jsonb_array_length(q.items) = 0 then
        perform kernel.refuse(422, 'rule', 'items', 'A quote names at least one treatment.');
    elsif not exists (select from enamel.clinic_profiles f join enamel.tenants t on t.id = f.tenant_id
                       where f.tenant_id = clinic and f.status = 'PUBLISHED' and t.status = 'ACTIVE') then
        perform kernel.refuse(422, 'rule', 'clinic_tenant_id', 'The clinic is not published.');
    elsif not exists (select from enamel.patient_portal_accounts a where a.tenant_id = q.tenant_id and a.patient_id = q.patient_id
                         and a.user_id = c.actor and a.status = 'ACTIVE') then
        perform kernel.refuse(409, 'state', 'status', 'A quote is submitted by the patient''s own login.');
    end if;
    select x.* into wording from enamel.consent_texts x
     where x.id = consent_text and x.tenant_id in (q.tenant_id, '00000000-0000-7000-8000-000000000001')
       and x.effective_from <= now() and x.retired_at is null and x.consent_types @> '{DATA_STORAGE,DATA_SHARING}'
     order by x.tenant_id = q.tenant_id desc limit 1;
    if not found then
        perform kernel.refuse(422, 'rule', 'consent_text_id', 'It must be a wording in force that covers storing and sharing.');
    end if;
    agreed := sec.consents_of_quote(q, wording, clinic, c.actor);
    patient := sec.patient_at(clinic, q, c.actor);
    update enamel.quotes x set status = 'SUBMITTED', submitted_at = now(), clinic_tenant_id = clinic, consent_id = agreed,
           clinic_patient_id = patient, clinic_plan_id = plan
     where x.tenant_id = q.tenant_id and x.id = q.id returning x.* into q;
    insert into enamel.treatment_plans (tenant_id, id, patient_id, created_by_party, title, currency, notes, source_quote_id)
    values (clinic, plan, patient, 'PATIENT', 'Quote', q.currency, q.patient_notes, q.id);
    perform sec.items_of_quote(q, clinic, plan, patient);
    perform sec.tell_quote(q, 'PLAN_CREATED', 'DRAFT', '{}');
    perform sec.tell_clinic(clinic, patient, 'SYSTEM_MESSAGE', 'treatment_plans', plan, 'A patient has sent a quote.');
    return q.id;
end $$;

-- What a clinic was given of a patient's files ends, in both spaces.
create or replace function sec.end_grants(clinic uuid, only_booking uuid, only_consent uuid) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare ended record;
begin
    for ended in update enamel.document_grants g set revoked_at = now()
                  where g.grantee_tenant_id = clinic and g.revoked_at is null
                    and (g.booking_id = only_booking or g.consent_id = only_consent) returning g.id loop
        update enamel.received_documents r set revoked_at = now()
         where r.tenant_id = clinic and r.grant_id = ended.id and r.revoked_at is null;
    end loop;
end $$;

create or replace function sec.withdraw_quote(quote uuid) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); q enamel.quotes;
begin
    select x.* into q from enamel.quotes x
     where x.tenant_id = any (sec.tenants(0)) and x.id = quote and c.plane = 'patient'
       and sec.may(x.tenant_id, x.patient_id, 'edit_treatment', 'plans') for no key update;
    if not found then return null; end if;
    if q.status not in ('BUILDING', 'SUBMITTED', 'PLANNED') then
        perform kernel.refuse(409, 'state', 'status', 'The quote is not open any more.');
    end if;
    update enamel.quotes x set status = 'WITHDRAWN' where x.tenant_id = q.tenant_id and x.id = q.id;
    update enamel.consents k set status = 'REVOKED', revoked_at = now()
     where k.tenant_id = q.tenant_id and k.related_id = q.id and k.consent_type = 'DATA_SHARING' and k.status = 'ACTIVE';
    if q.status <> 'BUILDING' then
        perform sec.end_grants(q.clinic_tenant_id, null, q.consent_id);
        perform sec.tell_clinic(q.clinic_tenant_id, q.clinic_patient_id, 'SYSTEM_MESSAGE', 'treatment_plans', q.clinic_plan_id,
                                'A patient has withdrawn a quote.');
    end if;
    return q.id;
end $$;

-- ── Bookings ───────────────────────────────────────────────────────────────────────────────────────────────────
create or replace function sec.booking_row() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare q enamel.quotes;
begin
    if not sec.minds(new.tenant_id) then return new; end if;
    new.source_quote_id := coalesce(new.source_quote_id, (
        select p.source_quote_id from enamel.treatment_plans p where p.tenant_id = new.tenant_id and p.id = new.plan_id));
    if new.source_quote_id is not null then
        q := sec.quote_of(new.source_quote_id, new.tenant_id, new.patient_id);
        new.operator_tenant_id := nullif(q.tenant_id, new.tenant_id);
    end if;
    new.deposit_amount_minor := coalesce(new.deposit_amount_minor, sec.deposit_of(new.tenant_id, new.plan_id));
    if coalesce(new.deposit_amount_minor, 0) = 0 then new.deposit_status := 'NOT_REQUIRED'; end if;
    return new;
end $$;
create or replace trigger booking_row before insert on enamel.bookings for each row execute function sec.booking_row();

-- Whether the deposits of a booking are paid, as its payments say.
create or replace function sec.booking_follows(tenant uuid, booking uuid) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare b enamel.bookings; paid bigint; lost bigint; failed bigint; wanted text;
begin
    select x.* into b from enamel.bookings x where x.tenant_id = tenant and x.id = booking for no key update;
    if not found or b.deposit_status in ('NOT_REQUIRED', 'REFUNDED') then return; end if;
    select coalesce(sum(p.amount_minor - p.refunded_minor) filter (where p.status in ('SUCCEEDED', 'PARTIALLY_REFUNDED')), 0),
           count(*) filter (where p.status = 'REFUNDED'), count(*) filter (where p.status = 'FAILED')
      into paid, lost, failed from enamel.payments p where p.tenant_id = tenant and p.booking_id = booking and p.purpose = 'DEPOSIT';
    wanted := case when paid >= b.deposit_amount_minor then 'PAID'
                   when b.deposit_status = 'PAID' and lost > 0 and paid = 0 then 'REFUNDED'
                   when b.deposit_status = 'PENDING' and failed > 0 then 'FAILED' else b.deposit_status end;
    if wanted = b.deposit_status then return; end if;
    if b.deposit_status = 'FAILED' then
        update enamel.bookings x set deposit_status = 'PENDING' where x.tenant_id = tenant and x.id = booking;
    end if;
    update enamel.bookings x set deposit_status = wanted where x.tenant_id = tenant and x.id = booking;
end $$;
-- A deposit asked for when the plan was accepted is the deposit of its booking.
create or replace function sec.booking_made() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.payments p set booking_id = new.id
     where p.tenant_id = new.tenant_id and p.plan_id = new.plan_id and p.patient_id = new.patient_id and p.purpose = 'DEPOSIT'
       and p.booking_id is null;
    perform sec.booking_follows(new.tenant_id, new.id);
    return null;
end $$;
create or replace trigger booking_made after insert on enamel.bookings for each row when (new.plan_id is not null)
    execute function sec.booking_made();

create or replace function sec.booking_to_change(booking uuid) returns enamel.bookings language sql volatile
set search_path = pg_catalog, pg_temp as $$
    select b from enamel.bookings b
     where b.tenant_id = any (sec.tenants(0)) and b.id = booking and sec.may(b.tenant_id, b.patient_id, 'edit_treatment', 'plans')
       for no key update $$;

-- The patient's files at the operator, granted to the clinic of the booking and entered in its own space.
create or replace function sec.open_documents(b enamel.bookings, q enamel.quotes) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare f enamel.files;
begin
    if q.tenant_id = b.tenant_id or not exists (
        select from enamel.consents k where k.tenant_id = q.tenant_id and k.related_id = q.id and k.consent_type = 'DATA_SHARING'
           and k.recipient_tenant_id = b.tenant_id and k.status = 'ACTIVE') then return; end if;
    for f in select x.* from enamel.files x where x.tenant_id = q.tenant_id and x.patient_id = q.patient_id and x.status = 'READY'
                and x.is_patient_visible and x.deleted_at is null loop
        perform sec.share_file(f, b.tenant_id, b.patient_id, b.id, null, q.consent_id, 'BOOKING_CONFIRMED');
    end loop;
end $$;

create or replace function sec.confirm_booking(booking uuid) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare b enamel.bookings := sec.booking_to_change(booking); held boolean;
begin
    if b.id is null then return null; end if;
    if b.status <> 'PENDING' then
        perform kernel.refuse(409, 'state', 'status', 'Only a pending booking is confirmed.');
    end if;
    select s.booking_confirmation_requires_deposit into held from enamel.tenant_settings s where s.tenant_id = b.tenant_id;
    if coalesce(held, true) and b.deposit_status not in ('PAID', 'NOT_REQUIRED') then
        perform kernel.refuse(409, 'state', 'deposit_status', 'The deposit is not paid.');
    end if;
    if not exists (select from enamel.treatment_plans p where p.tenant_id = b.tenant_id and p.id = b.plan_id
                      and p.status in ('ACCEPTED', 'PARTIALLY_ACCEPTED', 'IN_TREATMENT', 'COMPLETED'))
       and not exists (select from enamel.appointments a where a.tenant_id = b.tenant_id
                          and a.id in (b.appointment_id, (select p.consultation_appointment_id from enamel.treatment_plans p
                                                           where p.tenant_id = b.tenant_id and p.id = b.plan_id))
                          and a.status not in ('HELD', 'CANCELLED', 'NO_SHOW')) then
        perform kernel.refuse(409, 'state', 'plan_id', 'Neither is its plan accepted nor a consultation booked.');
    end if;
    update enamel.bookings x set status = 'CONFIRMED', confirmed_at = now() where x.tenant_id = b.tenant_id and x.id = b.id;
    return b.id;
end $$;
-- What follows from a booking's state, whoever moved it: its appointment may confirm it too.
create or replace function sec.booking_moved() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare q enamel.quotes;
begin
    if new.status = 'CANCELLED' then perform sec.end_grants(new.tenant_id, new.id, null); end if;
    if new.status <> 'CONFIRMED' then return null; end if;
    q := sec.quote_of(new.source_quote_id, new.tenant_id, new.patient_id);
    if q.status in ('SUBMITTED', 'PLANNED') then
        perform sec.tell_quote(q, 'BOOKING_CONFIRMED', null, '{}');
        perform sec.open_documents(new, q);
    end if;
    perform sec.tell_patient(new.tenant_id, new.patient_id, 'BOOKING_CONFIRMED', 'bookings', new.id, 'Your booking is confirmed.');
    perform sec.tell_clinic(new.tenant_id, new.patient_id, 'BOOKING_CONFIRMED', 'bookings', new.id, 'A booking is confirmed.');
    return null;
end $$;
create or replace trigger booking_moved after update on enamel.bookings for each row when (old.status <> new.status)
    execute function sec.booking_moved();

-- Grants end. What was paid by hand is due back where the tenant's rule says so; a gateway gives its own back.
create or replace function sec.cancel_booking(booking uuid, why text) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare b enamel.bookings := sec.booking_to_change(booking); back boolean;
begin
    if b.id is null then return null; end if;
    if b.status not in ('PENDING', 'CONFIRMED') then
        perform kernel.refuse(409, 'state', 'status', 'Only a pending or confirmed booking is cancelled.');
    end if;
    select s.deposit_refundable into back from enamel.tenant_settings s where s.tenant_id = b.tenant_id;
    update enamel.payments p set status = 'CANCELLED'
     where p.tenant_id = b.tenant_id and p.booking_id = b.id and p.status in ('PENDING', 'REQUIRES_ACTION');
    if coalesce(back, true) then
        update enamel.payments p set status = 'REFUNDED', refunded_minor = p.amount_minor
         where p.tenant_id = b.tenant_id and p.booking_id = b.id and p.purpose = 'DEPOSIT' and p.gateway is null and p.method <> 'CARD'
           and p.status in ('SUCCEEDED', 'PARTIALLY_REFUNDED');
    end if;
    update enamel.bookings x set status = 'CANCELLED', cancelled_at = now(), cancel_reason = why
     where x.tenant_id = b.tenant_id and x.id = b.id;
    return b.id;
end $$;

-- ── Payments ───────────────────────────────────────────────────────────────────────────────────────────────────
-- What is paid for a booking is paid for its plan.
create or replace function sec.payment_row() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.idempotency_key := coalesce(new.idempotency_key, new.id::text);
    if new.plan_id is null and new.booking_id is not null then
        select b.plan_id into new.plan_id from enamel.bookings b
         where b.tenant_id = new.tenant_id and b.id = new.booking_id and b.patient_id = new.patient_id;
    end if;
    return new;
end $$;
create or replace trigger payment_row before insert on enamel.payments for each row execute function sec.payment_row();
drop function if exists kernel.payment_row();

-- What was taken by hand is asked for no more: what was asked for the same of the plan or booking, then its balance, the oldest
-- first.
create or replace function sec.settle(paid enamel.payments) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare rest bigint := paid.amount_minor; asked enamel.payments;
begin
    for asked in select x.* from enamel.payments x
                  where x.tenant_id = paid.tenant_id and x.patient_id = paid.patient_id and x.status = 'PENDING' and x.gateway is null
                    and x.currency = paid.currency and x.purpose in (paid.purpose, 'BALANCE')
                    and (x.plan_id = paid.plan_id or x.booking_id = paid.booking_id or x.purpose = paid.purpose
                         and coalesce(x.plan_id, x.booking_id, x.claim_id, paid.plan_id, paid.booking_id, paid.claim_id) is null)
                  order by x.purpose <> paid.purpose, x.created_at, x.id for no key update loop
        exit when rest = 0;
        if asked.amount_minor > rest then
            update enamel.payments x set amount_minor = x.amount_minor - rest where x.tenant_id = asked.tenant_id and x.id = asked.id;
            return;
        end if;
        update enamel.payments x set status = 'CANCELLED' where x.tenant_id = asked.tenant_id and x.id = asked.id;
        rest := rest - asked.amount_minor;
    end loop;
end $$;

-- Money that no gateway reports has its events from here; a paid deposit opens its booking, whoever took it.
create or replace function sec.payment_moved() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare was bigint := case when tg_op = 'UPDATE' then old.refunded_minor else 0 end; p enamel.treatment_plans;
begin
    if new.gateway is null then
        insert into enamel.payment_events (tenant_id, id, payment_id, gateway_event_id, event_type, amount_minor, currency, received_at, processed_at)
        values (new.tenant_id, gen_random_uuid(), new.id, 'own:' || new.id || ':' || new.version,
            case when new.refunded_minor > was then 'REFUNDED' when new.status = 'PENDING' then 'CREATED'
                 when new.status in ('REQUIRES_ACTION', 'SUCCEEDED', 'FAILED', 'CANCELLED') then new.status else 'UNKNOWN' end,
            case when new.refunded_minor > was then new.refunded_minor - was else new.amount_minor end, new.currency, now(), now());
    end if;
    if tg_op = 'INSERT' and new.status = 'SUCCEEDED' and new.gateway is null then perform sec.settle(new); end if;
    if new.booking_id is not null and new.purpose = 'DEPOSIT' then perform sec.booking_follows(new.tenant_id, new.booking_id); end if;
    if new.plan_id is not null and new.status = 'SUCCEEDED' and (tg_op = 'INSERT' or old.status <> 'SUCCEEDED') then
        select x.* into p from enamel.treatment_plans x where x.tenant_id = new.tenant_id and x.id = new.plan_id;
        if p.source_quote_id is not null then
            perform sec.tell_quote(sec.quote_of(p.source_quote_id, p.tenant_id, p.patient_id), 'PAYMENT', p.status, '{}');
        end if;
    end if;
    return null;
end $$;
create or replace trigger payment_made after insert on enamel.payments for each row execute function sec.payment_moved();
create or replace trigger payment_moved after update on enamel.payments for each row
    when (old.status <> new.status or old.refunded_minor <> new.refunded_minor) execute function sec.payment_moved();

create or replace function sec.cancel_payment(payment uuid) returns uuid language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare p enamel.payments;
begin
    select x.* into p from enamel.payments x
     where x.tenant_id = any (sec.tenants(0)) and x.id = payment and sec.may(x.tenant_id, x.patient_id, 'edit_payments', 'billing')
       for no key update;
    if p.status not in ('PENDING', 'REQUIRES_ACTION') then
        perform kernel.refuse(409, 'state', 'status', 'Only a payment that is not paid is cancelled.');
    end if;
    update enamel.payments x set status = 'CANCELLED' where x.tenant_id = p.tenant_id and x.id = p.id;
    return p.id;
end $$;

-- ── Procedures ─────────────────────────────────────────────────────────────────────────────────────────────────
-- An item goes on with the procedures that carry it out; cancelled and voided ones do not count.
create or replace function sec.item_follows(tenant uuid, item uuid) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare i enamel.treatment_plan_items; all_of record; wanted text;
begin
    select x.* into i from enamel.treatment_plan_items x where x.tenant_id = tenant and x.id = item for no key update;
    select count(*) filter (where p.status = 'COMPLETED') as done, count(*) filter (where p.status = 'IN_PROGRESS') as begun,
           count(*) filter (where p.status = 'SCHEDULED') as booked, count(*) as n
      into all_of from enamel.plan_item_procedures l join enamel.procedures p on p.tenant_id = l.tenant_id and p.id = l.procedure_id
     where l.tenant_id = tenant and l.plan_item_id = item and l.deleted_at is null and p.status not in ('CANCELLED', 'ENTERED_IN_ERROR');
    wanted := case when all_of.n > 0 and all_of.done = all_of.n then 'COMPLETED' when all_of.done + all_of.begun > 0 then 'IN_PROGRESS'
                   when all_of.booked > 0 then 'SCHEDULED' end;
    if i.status = 'ACCEPTED' and wanted is not null or i.status = 'SCHEDULED' and wanted in ('IN_PROGRESS', 'COMPLETED')
       or i.status = 'IN_PROGRESS' and wanted = 'COMPLETED' then
        update enamel.treatment_plan_items x set status = wanted where x.tenant_id = tenant and x.id = item;
    end if;
end $$;
create or replace function sec.link_made() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    perform sec.item_follows(new.tenant_id, new.plan_item_id);
    return null;
end $$;
create or replace trigger link_made after insert on enamel.plan_item_procedures for each row execute function sec.link_made();

-- What the patient owes for it. Of a plan: what its done items come to, less what was asked for already (a deposit is a part
-- of it); else the fee of the procedure.
create or replace function sec.charge(p enamel.procedures, item uuid) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare plan uuid; due bigint := p.fee_minor; money text := p.currency;
begin
    if item is not null then
        select i.plan_id, i.currency into plan, money from enamel.treatment_plan_items i where i.tenant_id = p.tenant_id and i.id = item;
        select coalesce(sum(i.estimated_patient_portion_minor), 0) into due from enamel.treatment_plan_items i
         where i.tenant_id = p.tenant_id and i.plan_id = plan and i.status = 'COMPLETED' and i.deleted_at is null;
        select due - coalesce(sum(x.amount_minor - x.refunded_minor), 0) into due from enamel.payments x
         where x.tenant_id = p.tenant_id and x.plan_id = plan and x.status not in ('FAILED', 'CANCELLED');
    end if;
    if due > 0 then
        insert into enamel.payments (tenant_id, id, patient_id, plan_id, purpose, amount_minor, currency, idempotency_key)
        values (p.tenant_id, gen_random_uuid(), p.patient_id, plan, 'BALANCE', due, money, 'procedure:' || p.id);
    end if;
end $$;

create or replace function sec.procedure_moved() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare item uuid;
begin
    select l.plan_item_id into item from enamel.plan_item_procedures l
     where l.tenant_id = new.tenant_id and l.procedure_id = new.id and l.deleted_at is null;
    if item is not null then perform sec.item_follows(new.tenant_id, item); end if;
    if new.status = 'COMPLETED' then
        if new.tooth_number is not null or new.oral_area is not null then
            insert into enamel.chart_entries (tenant_id, id, patient_id, encounter_id, axis, tooth_system, fdi_tooth, oral_area, surfaces,
                work_layer, observed_at, recorded_by_provider_id, source, procedure_id, plan_item_id)
            values (new.tenant_id, gen_random_uuid(), new.patient_id, new.encounter_id, 'WORK', coalesce(new.tooth_system, 'FDI'),
                new.tooth_number, new.oral_area, new.surface, 'COMPLETED', coalesce(new.end_at, new.start_at, now()), new.provider_id,
                'PROCEDURE', new.id, item);
        end if;
        -- A visit that has an appointment has its recalls recomputed when that is completed.
        if new.cdt_code is not null and not exists (
            select from enamel.encounters e join enamel.appointments a on a.tenant_id = e.tenant_id and a.id = e.appointment_id
             where e.tenant_id = new.tenant_id and e.id = new.encounter_id and a.status <> 'COMPLETED') then
            perform sec.recompute_recalls(new.tenant_id, new.patient_id, coalesce(new.end_at, new.start_at, now())::date,
                                          array[new.cdt_code], null);
        end if;
        perform sec.charge(new, item);
    elsif new.status = 'ENTERED_IN_ERROR' then
        if exists (select from enamel.claim_lines l join enamel.claims k on k.tenant_id = l.tenant_id and k.id = l.claim_id
                    where l.tenant_id = new.tenant_id and l.procedure_id = new.id and l.deleted_at is null
                      and k.status not in ('DRAFT', 'READY', 'VOIDED')) then
            perform kernel.refuse(409, 'state', 'status', 'A submitted claim names it: void the claim first.');
        end if;
        update enamel.chart_entries e set superseded_at = now(), supersede_reason = new.status_reason
         where e.tenant_id = new.tenant_id and e.procedure_id = new.id and e.superseded_at is null;
        update enamel.payments x set status = 'CANCELLED'
         where x.tenant_id = new.tenant_id and x.idempotency_key = 'procedure:' || new.id and x.status = 'PENDING';
    end if;
    return null;
end $$;
create or replace trigger procedure_moved after update on enamel.procedures for each row when (old.status <> new.status)
    execute function sec.procedure_moved();

-- Days between what was done and how it turned out.
create or replace function sec.outcome_row() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    new.days_since := (select new.assessed_at::date - coalesce(p.end_at, p.start_at)::date from enamel.procedures p
                        where p.tenant_id = new.tenant_id and p.id = new.procedure_id);
    return new;
end $$;
create or replace trigger outcome_row before insert or update on enamel.clinical_outcomes for each row execute function sec.outcome_row();

grant execute on function sec.accept_plan(uuid, int, uuid[], text, uuid), sec.decline_plan(uuid), sec.confirm_booking(uuid),
    sec.cancel_booking(uuid, text), sec.cancel_payment(uuid) to enamel_staff, enamel_patient;
grant execute on function sec.submit_quote(uuid, uuid, uuid), sec.withdraw_quote(uuid) to enamel_patient;
grant execute on function sec.plan_history(uuid) to enamel_staff;
