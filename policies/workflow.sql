-- Who may see and change what in workflow; planes and permissions as the model lists them.
select kernel.protect('tasks', 'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'view_tenant', patient => 'patient_id', rows => 'visible_to_patient', sec => 'rw',
    proxy => 'messages/', staff_rows => kernel.about_a_patient('view_patient'));
select kernel.protect('custom_field_definitions', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_workflow', sec => 'r');
select kernel.protect('custom_field_values', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_patient', write => 'edit_patient', patient => 'patient_id');
select kernel.protect('workflows', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_workflow', sec => 'r');
select kernel.protect('workflow_instances', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_workflow', patient => 'patient_id', sec => 'rw',
    staff_rows => kernel.about_a_patient('view_patient'));
select kernel.protect('workflow_transitions', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_tenant', write => 'view_tenant', sec => 'rw');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('tasks', 'status', '{
    OPEN>IN_PROGRESS,OPEN>DONE,IN_PROGRESS>DONE,OPEN>CANCELLED,IN_PROGRESS>CANCELLED,DONE>OPEN,CANCELLED>OPEN}');
select kernel.moves('workflows', 'status', '{
    DRAFT>ACTIVE,ACTIVE>RETIRED}');
select kernel.moves('workflow_instances', 'status', '{
    RUNNING>COMPLETED,RUNNING>CANCELLED,RUNNING>FAILED}');

-- ── Custom fields: a value is of its definition's type ─────────────────────────────────────────────────────────
create or replace function kernel.check_definition() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare r jsonb := new.validation_rules;
begin
    if jsonb_typeof(r) <> 'object'
       or exists (select from jsonb_each(r) e where case
              when e.key in ('min', 'max') then new.data_type <> 'NUMBER' or jsonb_typeof(e.value) <> 'number'
              when e.key = 'max_length' then new.data_type <> 'TEXT' or jsonb_typeof(e.value) <> 'number'
              when e.key = 'choices' then new.data_type <> 'CHOICE' or jsonb_typeof(e.value) <> 'array' or jsonb_array_length(e.value) = 0
              else true end)
       or new.data_type = 'CHOICE' and not r ? 'choices' or (r ->> 'min')::numeric > (r ->> 'max')::numeric then
        raise exception 'rules that do not fit the type' using errcode = '23514', table = 'custom_field_definitions',
            constraint = 'custom_field_definitions_validation_rules_check';
    end if;
    return null;
end $$;
create or replace trigger check_definition after insert or update on enamel.custom_field_definitions
    for each row execute function kernel.check_definition();
select kernel.freeze('custom_field_definitions', 'true', 'Retire the field and define a new one.',
    '{label,validation_rules,is_indexed,is_required,is_phi,sort_order,is_active,deleted_at,delete_reason}');

create or replace function kernel.is_day(value text) returns boolean language plpgsql immutable as $$
begin
    return value ~ '^\d{4}-\d{2}-\d{2}$' and value::date is not null;
exception when others then return false;
end $$;
grant execute on function kernel.is_day(text) to enamel_sec;
-- Fills only; what is wrong is refused after the policies have judged the row.
create or replace function sec.fill_value() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare d enamel.custom_field_definitions;
begin
    select x.* into d from enamel.custom_field_definitions x where x.tenant_id = new.tenant_id and x.id = new.definition_id;
    -- A definition that is not there is the foreign key's to refuse.
    new.entity_type := coalesce(new.entity_type, d.entity_type, 'LOCATION');
    new.field_key := coalesce(new.field_key, d.field_key, 'none');
    if new.entity_type = 'PATIENT' and new.patient_id is null then
        select p.id into new.patient_id from enamel.patients p where p.tenant_id = new.tenant_id and p.id = new.entity_id;
    end if;
    return new;
end $$;
create or replace trigger fill_value before insert on enamel.custom_field_values for each row execute function sec.fill_value();
create or replace function sec.check_value() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare d enamel.custom_field_definitions; r jsonb; wrong text; is_there boolean;
begin
    select x.* into d from enamel.custom_field_definitions x where x.tenant_id = new.tenant_id and x.id = new.definition_id;
    r := d.validation_rules;
    wrong := case
        when not found then null                                              -- the foreign key says so
        when d.entity_type <> new.entity_type or d.field_key <> new.field_key or d.deleted_at is not null or not d.is_active
            then 'definition_id'
        when new.entity_type = 'PATIENT' and new.patient_id <> new.entity_id then 'patient_id'
        when num_nonnulls(new.value_text, new.value_number, new.value_json) <> 1
             or d.data_type = 'NUMBER' and new.value_number is null
             or d.data_type in ('TEXT', 'CHOICE', 'DATE', 'BOOLEAN') and new.value_text is null
             or d.data_type = 'JSON' and new.value_json is null 
            then case d.data_type when 'NUMBER' then 'value_number' when 'JSON' then 'value_json' else 'value_text' end
        when char_length(new.value_text) > (r ->> 'max_length')::numeric
             or d.data_type = 'CHOICE' and not r -> 'choices' ? new.value_text
             or d.data_type = 'BOOLEAN' and new.value_text not in ('true', 'false')
             or d.data_type = 'DATE' and not kernel.is_day(new.value_text) then 'value_text'
        when new.value_number < (r ->> 'min')::double precision or new.value_number > (r ->> 'max')::double precision then 'value_number'
        end;
    if wrong is null and d.id is not null then
        execute format('select exists (select from enamel.%I x where x.tenant_id = $1 and x.id = $2)', case new.entity_type
            when 'PATIENT' then 'patients' when 'ENCOUNTER' then 'encounters' when 'PROCEDURE' then 'procedures'
            when 'APPOINTMENT' then 'appointments' when 'TREATMENT_PLAN' then 'treatment_plans' when 'REFERRAL' then 'referrals'
            when 'CLAIM' then 'claims' when 'PROVIDER' then 'providers' else 'locations' end)
          into is_there using new.tenant_id, new.entity_id;
        if not is_there then
            raise exception 'a value of nothing' using errcode = '23503', table = 'custom_field_values',
                constraint = 'custom_field_values_tenant_id_entity_id_fkey';
        end if;
    end if;
    if wrong is not null then
        raise exception 'not a value of the field' using errcode = '23514', table = 'custom_field_values',
            constraint = 'custom_field_values_' || wrong || '_check';
    end if;
    return null;
end $$;
create or replace trigger check_value after insert or update on enamel.custom_field_values
    for each row when (new.deleted_at is null) execute function sec.check_value();
select kernel.freeze('custom_field_values', 'true', 'Retire the value and give a new one.',
    '{value_text,value_number,value_json,deleted_at,delete_reason}');

-- ── Workflows: an active version is as it is; one of a code is active ──────────────────────────────────────────
select kernel.freeze('workflows', $$old.status <> 'DRAFT'$$, 'Make a new version.', '{status}');

create or replace function sec.begin_instance() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    new.started_at := now(); new.status := 'RUNNING';
    select w.definition ->> 'initial' into new.state from enamel.workflows w
     where w.tenant_id = new.workflow_tenant_id and w.id = new.workflow_id
       and w.tenant_id in (new.tenant_id, '00000000-0000-7000-8000-000000000001');
    return new;
end $$;
create or replace trigger begin_instance before insert on enamel.workflow_instances for each row execute function sec.begin_instance();
create or replace function sec.check_instance() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from enamel.workflows w where w.tenant_id = new.workflow_tenant_id and w.id = new.workflow_id and w.status = 'ACTIVE') then
        raise exception 'the workflow is not active' using errcode = '23514', table = 'workflow_instances',
            constraint = 'workflow_instances_workflow_id_check';
    end if;
    return null;
end $$;
create or replace trigger check_instance after insert on enamel.workflow_instances for each row execute function sec.check_instance();

-- A state that is entered makes its tasks; one that is left takes those still open with it.
create or replace function sec.enter_state() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.tasks t set status = 'CANCELLED'
     where t.tenant_id = new.tenant_id and t.workflow_instance_id = new.id and t.status in ('OPEN', 'IN_PROGRESS');
    insert into enamel.tasks (tenant_id, id, title, kind, priority, patient_id, resource_type, resource_id, workflow_instance_id)
    select new.tenant_id, gen_random_uuid(), k.task ->> 'title', coalesce(k.task ->> 'kind', 'GENERAL'),
           coalesce(k.task ->> 'priority', 'NORMAL'), new.patient_id, new.resource_type, new.resource_id, new.id
      from enamel.workflows w cross join lateral jsonb_array_elements(w.definition -> 'states' -> new.state -> 'tasks') k(task)
     where w.tenant_id = new.workflow_tenant_id and w.id = new.workflow_id and new.status = 'RUNNING';
    return null;
end $$;
create or replace trigger enter_first_state after insert on enamel.workflow_instances for each row execute function sec.enter_state();
create or replace trigger enter_state after update on enamel.workflow_instances for each row
    when (old.state is distinct from new.state or old.status is distinct from new.status) execute function sec.enter_state();

-- One step of a running instance, as its definition allows it; `asked` is the transition's name, null for the one that follows
-- when all tasks are done.
create or replace function sec.take_step(instance enamel.workflow_instances, asked text, said text) returns boolean language plpgsql
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); step jsonb; plan jsonb; is_end boolean;
begin
    select w.definition into plan from enamel.workflows w where w.tenant_id = instance.workflow_tenant_id and w.id = instance.workflow_id;
    select t.value into step from jsonb_array_elements(plan -> 'transitions') t
     where t.value ->> 'from' = instance.state
       and case when asked is null then (t.value ->> 'when_tasks_done')::boolean else t.value ->> 'name' = asked end limit 1;
    if step is null then return false; end if;
    if asked is not null and step ? 'permission' and c.caps & kernel.bit(step ->> 'permission') = 0 then
        raise exception 'the transition needs a permission' using errcode = '42501';
    end if;
    is_end := coalesce((plan -> 'states' -> (step ->> 'to') ->> 'final')::boolean, false);
    insert into enamel.workflow_transitions (tenant_id, id, instance_id, transition, from_state, to_state, actor_id, comment, occurred_at)
    values (instance.tenant_id, gen_random_uuid(), instance.id, step ->> 'name', instance.state, step ->> 'to', c.actor, said, now());
    update enamel.workflow_instances i set state = step ->> 'to', status = case when is_end then 'COMPLETED' else 'RUNNING' end,
           completed_at = case when is_end then now() end
     where i.tenant_id = instance.tenant_id and i.id = instance.id;
    return true;
end $$;
create or replace function sec.running_instance(instance uuid) returns enamel.workflow_instances language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); found_one enamel.workflow_instances;
begin
    if not coalesce(c.plane = 'staff' and c.caps & kernel.bit('view_tenant') <> 0, false) then
        raise exception 'workflows are for staff' using errcode = '42501';
    end if;
    select i.* into found_one from enamel.workflow_instances i where i.tenant_id = c.tenant and i.id = instance for no key update;
    if found_one.status <> 'RUNNING' then
        raise exception 'it does not run' using errcode = '23514', table = 'workflow_instances', constraint = 'workflow_instances_status_move';
    end if;
    return found_one;
end $$;
create or replace function sec.transition_instance(instance uuid, asked text, said text) returns setof enamel.workflow_instances
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare i enamel.workflow_instances := sec.running_instance(instance);
begin
    if i.id is null then return; end if;
    if not sec.take_step(i, asked, said) then
        raise exception 'no such transition from here' using errcode = '23514', table = 'workflow_instances',
            constraint = 'workflow_instances_transition_check';
    end if;
    return query select x.* from enamel.workflow_instances x where x.tenant_id = i.tenant_id and x.id = i.id;
end $$;
create or replace function sec.cancel_instance(instance uuid, said text) returns setof enamel.workflow_instances
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); i enamel.workflow_instances := sec.running_instance(instance);
begin
    if i.id is null then return; end if;
    if c.caps & kernel.bit('manage_workflow') = 0 then raise exception 'cancelling needs manage_workflow' using errcode = '42501'; end if;
    insert into enamel.workflow_transitions (tenant_id, id, instance_id, transition, from_state, to_state, actor_id, comment, occurred_at)
    values (i.tenant_id, gen_random_uuid(), i.id, 'cancel', i.state, i.state, c.actor, said, now());
    return query update enamel.workflow_instances x set status = 'CANCELLED', completed_at = now()
     where x.tenant_id = i.tenant_id and x.id = i.id returning x.*;
end $$;
grant execute on function sec.transition_instance(uuid, text, text), sec.cancel_instance(uuid, text) to enamel_staff;

-- The last task that is done lets its workflow go on. Tasks of one instance end one after the other, so the last is known.
create or replace function sec.task_done() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare i enamel.workflow_instances;
begin
    select x.* into i from enamel.workflow_instances x
     where x.tenant_id = new.tenant_id and x.id = new.workflow_instance_id for no key update;
    if i.status = 'RUNNING' and not exists (select from enamel.tasks t where t.tenant_id = i.tenant_id and t.workflow_instance_id = i.id
                                               and t.status in ('OPEN', 'IN_PROGRESS')) then
        perform sec.take_step(i, null, null);
    end if;
    return null;
end $$;
create or replace trigger task_done after update on enamel.tasks for each row
    when (old.status <> 'DONE' and new.status = 'DONE' and new.workflow_instance_id is not null) execute function sec.task_done();
select kernel.freeze('tasks', $$old.status in ('DONE', 'CANCELLED')$$, 'Reopen the task first.', '{status,completed_at}');
