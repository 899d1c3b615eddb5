-- Who may see and change what in messaging; planes and permissions as the model lists them.
select kernel.protect('notifications',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_tenant',
    write => 'view_tenant', patient => 'user_id', sec => 'rw',
    -- To one person, or to all of a tenant or role; patients are told as persons, and no longer than the chart is theirs.
    staff_rows => '(user_id is null or user_id = (select sec.actor(0))) and ' || kernel.about_a_patient('view_patient'),
    rows => '(patient_id is null or (uuid_send(tenant_id) || uuid_send(patient_id)) = any ((select sec.pairs(0))::bytea[]))');
select kernel.protect('notification_reads', 'staff=own/own patient=own/own jobs=all/all', patient => 'user_id', sec => 'rw');
select kernel.protect('notification_deliveries', 'staff=all/none group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'view_tenant');
select kernel.protect('notification_preferences', 'staff=own/own patient=own/own jobs=all/all', patient => 'user_id');
select kernel.protect('conversations', 'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all',
    read => 'view_messages', write => 'send_messages', patient => 'patient_id',
    rows => 'kind = ''PATIENT_MESSAGING''', proxy => 'messages/messages', sec => 'rw');
select kernel.protect('conversation_participants',
    'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all', read => 'view_messages',
    write => 'send_messages', patient => 'patient_id', sec => 'rw');
select kernel.protect('messages', 'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all',
    read => 'view_messages', write => 'send_messages', patient => 'patient_id', proxy => 'messages/messages', sec => 'rw');
select kernel.protect('message_attachments',
    'staff=all/all group=all/none patient=own/create audit=all/none jobs=all/all', read => 'view_messages',
    write => 'send_messages', patient => 'patient_id', proxy => 'messages/messages');
select kernel.protect('knowledge_documents',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_knowledge',
    rows => 'status = ''PUBLISHED'' and kind = ''PATIENT_EDUCATION''', sec => 'rw');
select kernel.protect('knowledge_versions',
    'staff=all/create group=all/none patient=linked/none audit=all/none jobs=all/create platform=all/create',
    home => 'shared', read => 'view_tenant', write => 'manage_knowledge', rows => 'is_patient_visible', sec => 'rw');
select kernel.protect('knowledge_localizations',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_knowledge', rows => 'is_patient_visible', sec => 'rw');
select kernel.protect('patient_material_assignments',
    'staff=all/all group=all/none patient=own/none audit=all/none jobs=all/all', read => 'view_clinical',
    write => 'edit_clinical', patient => 'patient_id', sec => 'rw');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('notification_deliveries', 'state', '{
    QUEUED>SENT,QUEUED>SUPPRESSED,SENT>DELIVERED,SENT>BOUNCED,QUEUED>FAILED,SENT>FAILED,FAILED>QUEUED}');
select kernel.moves('conversations', 'status', '{
    OPEN>CLOSED,CLOSED>OPEN,CLOSED>ARCHIVED}');
select kernel.moves('messages', 'delivery_state', '{
    QUEUED>SENT,SENT>DELIVERED,SENT>READ,DELIVERED>READ,QUEUED>FAILED,SENT>FAILED,FAILED>QUEUED}');
select kernel.moves('knowledge_documents', 'status', '{
    DRAFT>IN_REVIEW,IN_REVIEW>PUBLISHED,IN_REVIEW>DRAFT,PUBLISHED>RETIRED,PUBLISHED>DRAFT}');

-- ── Notifications: each reader reads for themselves ────────────────────────────────────────────────────────────
-- To every login that has the patient's chart; without a word about what it says.
create or replace function sec.tell_patient(tenant uuid, patient uuid, kind text, of_type text, of_id uuid, title text, message text)
returns void language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    insert into enamel.notifications (tenant_id, id, audience, user_id, patient_id, type, resource_type, resource_id, title, message)
    select tenant, gen_random_uuid(), 'PATIENT', a.user_id, patient, kind, of_type, of_id, title, message
      from enamel.patient_portal_accounts a where a.tenant_id = tenant and a.patient_id = patient and a.status = 'ACTIVE' and a.user_id is not null;
end $$;
create or replace function sec.is_read(tenant uuid, notification uuid) returns boolean language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    return exists (select from enamel.notification_reads n
                    where n.tenant_id = tenant and n.notification_id = notification and n.user_id = (sec.claims()).actor);
end $$;
-- Whether the caller is one of those a notification is for.
create or replace function sec.is_addressed(n enamel.notifications, c sec.claims) returns boolean language plpgsql stable
set search_path = pg_catalog, pg_temp as $$
begin
    if c.actor is null or n.user_id is not null then return coalesce(n.user_id = c.actor, false); end if;
    if c.plane is distinct from 'staff' or c.tenant <> n.tenant_id then return false; end if;
    return n.audience = 'TENANT' or exists (
        select from enamel.user_roles u join enamel.roles o on o.tenant_id = u.role_tenant_id and o.id = u.role_id
         where u.tenant_id = n.tenant_id and u.user_id = c.actor and u.deleted_at is null and o.code = n.role_code);
end $$;
-- Reads of the caller: of one notification, or of all that are for them and unread. How many were marked, null when there is
-- no such notification for them.
create or replace function sec.mark_read(notification uuid) returns bigint language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); homes uuid[] := case when c.plane = 'staff' then array[c.tenant] else sec.tenants(0) end; marked bigint;
begin
    if c.plane not in ('staff', 'patient') then raise exception 'not here' using errcode = '42501'; end if;
    if notification is not null and not exists (select from enamel.notifications n where n.tenant_id = any (homes)
                                                   and n.id = notification and sec.is_addressed(n, c)) then
        return null;
    end if;
    insert into enamel.notification_reads (tenant_id, id, notification_id, user_id, read_at)
    select n.tenant_id, gen_random_uuid(), n.id, c.actor, now() from enamel.notifications n
     where n.tenant_id = any (homes) and (notification is null or n.id = notification) and sec.is_addressed(n, c)
       and not exists (select from enamel.notification_reads r
                        where r.tenant_id = n.tenant_id and r.notification_id = n.id and r.user_id = c.actor)
        on conflict do nothing;
    get diagnostics marked = row_count;
    return marked;
end $$;
grant execute on function sec.is_read(uuid, uuid) to enamel_staff, enamel_group, enamel_patient, enamel_audit, enamel_jobs;
grant execute on function sec.mark_read(uuid) to enamel_staff, enamel_patient;

-- ── Conversations ──────────────────────────────────────────────────────────────────────────────────────────────
create or replace function sec.begin_conversation() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane = 'patient' and new.kind <> 'PATIENT_MESSAGING' then
        raise exception 'patients write to the clinic' using errcode = '42501';
    end if;
    if c.plane = 'staff' and c.actor is not null then
        insert into enamel.conversation_participants (tenant_id, id, conversation_id, user_id, role)
        values (new.tenant_id, gen_random_uuid(), new.id, c.actor, 'AUTHOR');
    end if;
    if new.kind = 'PATIENT_MESSAGING' then
        insert into enamel.conversation_participants (tenant_id, id, conversation_id, patient_id, role)
        values (new.tenant_id, gen_random_uuid(), new.id, new.patient_id, case when c.plane = 'patient' then 'AUTHOR' else 'PARTICIPANT' end);
    end if;
    return null;
end $$;
create or replace trigger begin_conversation after insert on enamel.conversations for each row execute function sec.begin_conversation();
-- A thread of the team never becomes one the patient reads.
select kernel.freeze('conversations', 'true', 'Begin another conversation.',
    '{subject,team_id,referral_id,plan_id,status,last_message_at,assigned_user_id}');
create or replace function sec.reopen_conversation(conversation uuid) returns setof enamel.conversations language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare was enamel.conversations;
begin
    select x.* into was from enamel.conversations x where x.id = conversation and x.kind = 'PATIENT_MESSAGING'
       and sec.is_own(x.tenant_id, x.patient_id, kernel.bit('send_messages'), 'messages') for no key update;
    if was.status <> 'CLOSED' then
        raise exception 'it is not closed' using errcode = '23514', table = 'conversations', constraint = 'conversations_status_move';
    end if;
    return query update enamel.conversations x set status = 'OPEN' where x.tenant_id = was.tenant_id and x.id = was.id returning x.*;
end $$;
grant execute on function sec.reopen_conversation(uuid) to enamel_patient;

create or replace function sec.check_participant() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if num_nonnulls(new.user_id, new.patient_id) <> 1 then
        raise exception 'a member of staff or a patient' using errcode = '23514', table = 'conversation_participants',
            constraint = 'conversation_participants_user_id_check';
    end if;
    if new.patient_id is not null and not exists (
        select from enamel.conversations x where x.tenant_id = new.tenant_id and x.id = new.conversation_id
           and x.kind = 'PATIENT_MESSAGING' and x.patient_id = new.patient_id) then
        raise exception 'not a thread with this patient' using errcode = '23514', table = 'conversation_participants',
            constraint = 'conversation_participants_patient_id_check';
    end if;
    return null;
end $$;
create or replace trigger check_participant after insert or update on enamel.conversation_participants
    for each row when (new.deleted_at is null) execute function sec.check_participant();

-- ── Messages: who sent it and whose thread it is in is never said by the sender ────────────────────────────────
create or replace function sec.fill_message() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    new.sent_at := now(); new.delivery_state := 'SENT'; new.sender_user_id := c.actor;
    new.sender_type := case c.plane when 'staff' then 'USER' when 'patient' then 'PATIENT' else 'SYSTEM' end;
    select case x.kind when 'PATIENT_MESSAGING' then x.patient_id end into new.patient_id
      from enamel.conversations x where x.tenant_id = new.tenant_id and x.id = new.conversation_id;
    return new;
end $$;
create or replace trigger fill_message before insert on enamel.messages for each row execute function sec.fill_message();
create or replace function sec.send_message() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare thread enamel.conversations; who uuid;
begin
    select x.* into thread from enamel.conversations x
     where x.tenant_id = new.tenant_id and x.id = new.conversation_id for no key update;
    if not found then return null; end if;                           -- the foreign key says so
    if thread.status <> 'OPEN' then
        raise exception 'the conversation is not open' using errcode = '55000', hint = 'Reopen the conversation first.';
    end if;
    if exists (select from enamel.conversation_participants p where p.tenant_id = new.tenant_id and p.conversation_id = thread.id
                  and p.user_id = new.sender_user_id and p.role = 'OBSERVER' and p.left_at is null and p.deleted_at is null) then
        raise exception 'an observer reads' using errcode = '42501';
    end if;
    if new.reply_to_id is not null and not exists (select from enamel.messages m where m.tenant_id = new.tenant_id
                                                     and m.id = new.reply_to_id and m.conversation_id = thread.id) then
        raise exception 'an answer within the thread' using errcode = '23514', table = 'messages', constraint = 'messages_reply_to_id_check';
    end if;
    update enamel.conversations x set last_message_at = new.sent_at where x.tenant_id = thread.tenant_id and x.id = thread.id;
    if new.sender_type <> 'PATIENT' and thread.kind = 'PATIENT_MESSAGING' then
        perform sec.tell_patient(new.tenant_id, thread.patient_id, 'MESSAGE_RECEIVED', 'Conversation', thread.id,
                                 'A new message', 'Your clinic has written to you.');
    end if;
    for who in
        select p.user_id from enamel.conversation_participants p
         where p.tenant_id = new.tenant_id and p.conversation_id = thread.id and p.user_id is not null and not p.muted
           and p.left_at is null and p.deleted_at is null
        union select thread.assigned_user_id where thread.assigned_user_id is not null loop
        if who is distinct from new.sender_user_id then
            insert into enamel.notifications (tenant_id, id, audience, user_id, type, resource_type, resource_id, title, message, priority)
            values (new.tenant_id, gen_random_uuid(), 'USER', who, 'MESSAGE_RECEIVED', 'Conversation', thread.id, 'A new message',
                    'There is a new message in a conversation of yours.', case when new.is_urgent then 'HIGH' else 'NORMAL' end);
        end if;
    end loop;
    return null;
end $$;
create or replace trigger send_message after insert on enamel.messages for each row execute function sec.send_message();
select kernel.freeze('messages', 'true', 'Send another message.', '{delivery_state}');

create or replace function sec.fill_attachment() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    select m.patient_id into new.patient_id from enamel.messages m where m.tenant_id = new.tenant_id and m.id = new.message_id;
    return new;
end $$;
create or replace trigger fill_attachment before insert on enamel.message_attachments for each row execute function sec.fill_attachment();
create or replace function sec.check_attachment() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane in ('staff', 'patient') and not exists (select from enamel.messages m where m.tenant_id = new.tenant_id
                                                         and m.id = new.message_id and m.sender_user_id is not distinct from c.actor) then
        raise exception 'only the sender attaches' using errcode = '42501';
    end if;
    -- Into a thread with a patient goes only what is theirs.
    if new.patient_id is not null and not exists (select from enamel.files f where f.tenant_id = new.tenant_id and f.id = new.file_id
                                                    and f.patient_id = new.patient_id and f.status = 'READY') then
        raise exception 'not a file of the patient' using errcode = '23514', table = 'message_attachments',
            constraint = 'message_attachments_file_id_check';
    end if;
    return null;
end $$;
create or replace trigger check_attachment after insert on enamel.message_attachments for each row execute function sec.check_attachment();
select kernel.freeze('message_attachments', 'true', 'Send another message.');

-- Reading is said by a participant: how far they have read, and that the message was read when they did not write it.
create or replace function sec.read_message(message uuid) returns setof enamel.messages language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); m enamel.messages; n bigint;
begin
    select x.* into m from enamel.messages x where x.id = message and case c.plane
        when 'staff' then x.tenant_id = c.tenant and c.caps & kernel.bit('view_messages') <> 0
        when 'patient' then sec.is_own(x.tenant_id, x.patient_id, kernel.bit('view_messages'), 'messages') else false end for no key update;
    if not found then return; end if;
    update enamel.conversation_participants p set last_read_at = greatest(p.last_read_at, now())
     where p.tenant_id = m.tenant_id and p.conversation_id = m.conversation_id and p.left_at is null and p.deleted_at is null
       and case c.plane when 'staff' then p.user_id = c.actor else p.patient_id = m.patient_id end;
    get diagnostics n = row_count;
    if n = 0 then raise exception 'only a participant reads for the thread' using errcode = '42501'; end if;
    if m.sender_user_id is distinct from c.actor and m.delivery_state in ('SENT', 'DELIVERED') then
        update enamel.messages x set delivery_state = 'READ' where x.tenant_id = m.tenant_id and x.id = m.id;
    end if;
    return query select x.* from enamel.messages x where x.tenant_id = m.tenant_id and x.id = m.id;
end $$;
-- Words of messages the caller may read; the index knows no tenant, so nobody but this function asks it.
create or replace function sec.search_messages(words text, conversation uuid, most int) returns setof enamel.messages
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); own bytea[];
begin
    if c.plane = 'patient' then own := sec.pairs(kernel.bit('view_messages'), 'messages'); end if;
    return query select m.* from enamel.messages m
     where to_tsvector('simple', coalesce(m.content, '')) @@ plainto_tsquery('simple', words)
       and (conversation is null or m.conversation_id = conversation)
       and case c.plane when 'staff' then m.tenant_id = c.tenant and c.caps & kernel.bit('view_messages') <> 0
                        when 'patient' then uuid_send(m.tenant_id) || uuid_send(m.patient_id) = any (own) else false end
     order by m.sent_at desc, m.id desc limit least(most, 200);
end $$;
grant execute on function sec.read_message(uuid), sec.search_messages(text, uuid, int) to enamel_staff, enamel_patient;

-- ── Knowledge: versions are written while the document is a draft, approved by another than their author ───────
create or replace function sec.fill_version() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane in ('staff', 'platform') then
        new.author_id := coalesce(c.actor, new.author_id); new.is_patient_visible := false;
        new.reviewer_id := null; new.reviewed_at := null; new.approved_by := null; new.approved_at := null;
    end if;
    new.version_no := coalesce(new.version_no, (select coalesce(max(v.version_no), 0) + 1 from enamel.knowledge_versions v
                                                 where v.tenant_id = new.tenant_id and v.document_id = new.document_id));
    return new;
end $$;
create or replace trigger fill_version before insert on enamel.knowledge_versions for each row execute function sec.fill_version();
create or replace function sec.version_written() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.knowledge_documents d set current_version_no = new.version_no
     where d.tenant_id = new.tenant_id and d.id = new.document_id and d.status = 'DRAFT' and d.current_version_no is distinct from new.version_no;
    if exists (select from enamel.knowledge_documents d where d.tenant_id = new.tenant_id and d.id = new.document_id and d.status <> 'DRAFT') then
        raise exception 'the document is no draft' using errcode = '55000', hint = 'Revise the document first.';
    end if;
    return null;
end $$;
create or replace trigger version_written after insert on enamel.knowledge_versions for each row execute function sec.version_written();
select kernel.freeze('knowledge_documents', $$old.status <> 'DRAFT'$$, 'Reject or revise it first.',
    '{title_key,status,publish_date,current_version_no,review_due_on,tags,deleted_at,delete_reason}');

-- Approves the current version of a document in review; what patients see of it follows.
create or replace function sec.approve_version(document uuid) returns void language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); d enamel.knowledge_documents; v enamel.knowledge_versions; shown boolean;
begin
    if not coalesce(c.plane in ('staff', 'platform') and (c.plane = 'platform' or c.caps & kernel.bit('manage_knowledge') <> 0), false) then
        raise exception 'approving needs manage_knowledge' using errcode = '42501';
    end if;
    select x.* into d from enamel.knowledge_documents x where x.tenant_id = c.tenant and x.id = document and x.status = 'IN_REVIEW' for no key update;
    select x.* into v from enamel.knowledge_versions x
     where x.tenant_id = d.tenant_id and x.document_id = d.id and x.version_no = d.current_version_no for no key update;
    if v.id is null or v.author_id is not distinct from c.actor or c.actor is null then
        raise exception 'somebody else than the author approves' using errcode = '23514', table = 'knowledge_versions',
            constraint = 'knowledge_versions_approved_by_move';
    end if;
    shown := d.kind = 'PATIENT_EDUCATION';
    update enamel.knowledge_versions x set approved_by = c.actor, approved_at = now(), reviewer_id = c.actor, reviewed_at = now(),
           is_patient_visible = shown where x.tenant_id = v.tenant_id and x.id = v.id;
    update enamel.knowledge_versions x set is_patient_visible = false
     where x.tenant_id = d.tenant_id and x.document_id = d.id and x.id <> v.id and x.is_patient_visible;
end $$;
grant execute on function sec.approve_version(uuid) to enamel_staff, enamel_platform;
create or replace function sec.fill_localization() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    select v.is_patient_visible into new.is_patient_visible from enamel.knowledge_versions v
     where v.tenant_id = new.tenant_id and v.id = new.version_id;
    new.is_patient_visible := coalesce(new.is_patient_visible, false);
    return new;
end $$;
create or replace trigger fill_localization before insert or update on enamel.knowledge_localizations
    for each row execute function sec.fill_localization();
create or replace function sec.localizations_follow() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.knowledge_localizations l set is_patient_visible = new.is_patient_visible
     where l.tenant_id = new.tenant_id and l.version_id = new.id and l.is_patient_visible <> new.is_patient_visible;
    return null;
end $$;
create or replace trigger localizations_follow after update on enamel.knowledge_versions for each row
    when (old.is_patient_visible <> new.is_patient_visible) execute function sec.localizations_follow();

-- ── Material for a patient ─────────────────────────────────────────────────────────────────────────────────────
create or replace function sec.fill_assignment() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    new.assigned_by := coalesce(c.actor, new.assigned_by);
    new.assignment_date := coalesce(new.assignment_date, (now() at time zone 'UTC')::date);
    if c.plane = 'staff' then new.viewed_at := null; new.completed_at := null; end if;
    return new;
end $$;
create or replace trigger fill_assignment before insert on enamel.patient_material_assignments for each row execute function sec.fill_assignment();
create or replace function sec.check_assignment() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from enamel.knowledge_documents d where d.tenant_id = new.material_tenant_id and d.id = new.material_id
                      and d.kind = 'PATIENT_EDUCATION' and d.status = 'PUBLISHED' and d.deleted_at is null) then
        raise exception 'no published education' using errcode = '23514', table = 'patient_material_assignments',
            constraint = 'patient_material_assignments_material_id_check';
    end if;
    perform sec.tell_patient(new.tenant_id, new.patient_id, 'MATERIAL_ASSIGNED', 'PatientMaterialAssignment', new.id, 'Something to read',
                             'Your clinic has chosen material for you.');
    return null;
end $$;
create or replace trigger check_assignment after insert on enamel.patient_material_assignments
    for each row execute function sec.check_assignment();
select kernel.freeze('patient_material_assignments', 'true', 'Retire it and assign another material.',
    '{assignment_date,specialist_comments,viewed_at,completed_at,deleted_at,delete_reason}');
create or replace function sec.mark_material(assignment uuid, completed boolean) returns setof enamel.patient_material_assignments
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query update enamel.patient_material_assignments a
       set viewed_at = coalesce(a.viewed_at, now()), completed_at = case when completed then coalesce(a.completed_at, now()) else a.completed_at end
     where a.id = assignment and a.deleted_at is null and sec.is_own(a.tenant_id, a.patient_id, kernel.bit('view_clinical'), null) returning a.*;
end $$;
grant execute on function sec.mark_material(uuid, boolean) to enamel_patient;
grant select on enamel.educational_materials to enamel_staff, enamel_patient;
