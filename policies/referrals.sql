-- Who may see and change what in referrals; planes and permissions as the model lists them.
select kernel.protect('referrals',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_referral', write => 'edit_referral', patient => 'patient_id', sec => 'rw');
select kernel.protect('referral_files',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_referral', write => 'edit_referral', patient => 'patient_id', sec => 'rw');
select kernel.protect('referral_links', 'staff=all/all group=all/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_referral', write => 'manage_tenant', sec => 'r');
-- Slugs are claimed by sec.name_link alone: who could write one could take another clinic's.
select kernel.protect('referral_link_slugs', 'auth=all/none jobs=all/none', home => 'catalogue', sec => 'rw');
select kernel.protect('referral_submissions', 'staff=all/none audit=all/none auth=none/all jobs=all/all',
    read => 'view_referral', write => 'edit_referral', secret => '{status_token_hash}');
select kernel.protect('referral_events',
    'staff=all/none group=all/none patient=own/none share=own/none audit=all/none jobs=all/create',
    read => 'view_referral', write => 'view_referral', patient => 'patient_id', sec => 'rw');
select kernel.protect('referral_exchanges', 'jobs=all/all', home => 'catalogue', secret => '{answer_token_hash}', sec => 'rw');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('referrals', 'status', '{
    DRAFT>SENT,DRAFT>CANCELLED,SENT>CANCELLED,ACCEPTED>CANCELLED,IN_PROGRESS>CANCELLED,SENT>ACCEPTED,SENT>REJECTED,
    ACCEPTED>IN_PROGRESS,ACCEPTED>COMPLETED,IN_PROGRESS>COMPLETED}');
select kernel.moves('referral_links', 'status', '{
    ACTIVE>INACTIVE,INACTIVE>ACTIVE}');
select kernel.moves('referral_submissions', 'status', '{
    RECEIVED>SCANNING,SCANNING>ACCEPTED,SCANNING>QUARANTINED,QUARANTINED>ACCEPTED,QUARANTINED>REFUSED,
    RECEIVED>REFUSED}');

grant execute on function kernel.is_fdi(text), kernel.are_fdi(text[]) to enamel_staff, enamel_jobs, enamel_sec;

-- ── A referral's life ───────────────────────────────────────────────────────────────────────────────────────────
-- What comes in has been sent; what goes out begins as a draft.
create or replace function kernel.new_referral() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.referral_type = 'INCOMING' and new.status = 'DRAFT' then new.status := 'SENT'; end if;
    if new.status = 'SENT' then new.sent_at := coalesce(new.sent_at, now()); end if;
    return new;
end $$;
create or replace trigger new_referral before insert on enamel.referrals for each row execute function kernel.new_referral();

-- The receiver alone answers, the sender alone cancels. The other's row of an exchange follows by sec.tell_referral.
create or replace function kernel.referral_party() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user <> 'enamel_sec' and (
           new.referral_type = 'INCOMING' and new.status = 'CANCELLED'
           or new.referral_type = 'OUTGOING' and new.exchange_id is not null
              and new.status in ('ACCEPTED', 'REJECTED', 'IN_PROGRESS', 'COMPLETED')) then
        raise exception 'the other side decides this'
            using errcode = '23514', table = 'referrals', constraint = 'referrals_status_move';
    end if;
    return new;
end $$;
create or replace trigger party before update on enamel.referrals
    for each row when (old.status is distinct from new.status) execute function kernel.referral_party();

select kernel.freeze('referrals',
    $$old.exchange_id is not null or old.source = 'PUBLIC_FORM' or old.referral_type = 'OUTGOING' and old.status <> 'DRAFT'$$,
    'What was sent stays as it was sent: write to the other side, or cancel it and send another.',
    '{status,sent_at,accepted_at,rejected_at,rejection_reason,completed_at,cancelled_at,cancel_reason,outcome_report,outcome_document_id,reminder_due_at,assigned_provider_id,patient_id,consent_id,notes}');

-- A draft that is sent to another tenant of the platform: one row in each of the two, joined by an exchange. Only this
-- snapshot crosses; nothing is ever read across afterwards.
create or replace function sec.hand_over_referral() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare
    c sec.claims := sec.claims(); sender record; arrived uuid := gen_random_uuid(); snapshot jsonb;
begin
    if not exists (select from enamel.tenants t where t.id = new.recipient_tenant_id and t.status = 'ACTIVE'
                      and t.type in ('SOLO_PRACTICE', 'GROUP_PRACTICE', 'DSO', 'ACADEMIC')) then
        raise exception 'no clinic that takes referrals'
            using errcode = '23503', table = 'referrals', constraint = 'referrals_recipient_tenant_id_fkey';
    end if;
    select t.name, l.email, l.phone, p.full_name as dentist into sender
      from enamel.tenants t
      left join enamel.locations l on l.tenant_id = t.id and l.id = t.default_location_id and l.deleted_at is null
      left join enamel.providers p on p.tenant_id = t.id and p.id = new.referring_provider_id
     where t.id = new.tenant_id;
    snapshot := jsonb_build_object('patient_name', new.patient_name, 'patient_dob', new.patient_dob, 'patient_phone', new.patient_phone,
        'patient_email', new.patient_email, 'reason', new.reason, 'fdi_teeth', new.fdi_teeth, 'specialty', new.specialty,
        'urgency', new.urgency, 'purpose', new.purpose);
    new.exchange_id := gen_random_uuid();
    insert into enamel.referral_exchanges (id, sender_tenant_id, sender_referral_id, recipient_tenant_id, recipient_referral_id,
        snapshot_hash, last_event_no, created_by, updated_by)
    values (new.exchange_id, new.tenant_id, new.id, new.recipient_tenant_id, arrived,
        encode(sha256(convert_to(snapshot::text, 'UTF8')), 'hex'), 1, c.actor, c.actor);
    insert into enamel.referrals (tenant_id, id, referral_type, purpose, sender_tenant_id, sender_clinic_name, sender_clinic_email,
        sender_clinic_phone, referring_dentist, patient_name, patient_dob, patient_phone, patient_email, reason, fdi_teeth,
        specialty, urgency, status, exchange_id, source, sent_at)
    values (new.recipient_tenant_id, arrived, 'INCOMING', new.purpose, new.tenant_id, sender.name, sender.email, sender.phone,
        coalesce(sender.dentist, new.referring_dentist), new.patient_name, new.patient_dob, new.patient_phone, new.patient_email,
        new.reason, new.fdi_teeth, new.specialty, new.urgency, 'SENT', new.exchange_id, 'PLATFORM', new.sent_at);
    return new;
end $$;
create or replace trigger hand_over before update on enamel.referrals
    for each row when (old.status = 'DRAFT' and new.status = 'SENT' and new.recipient_tenant_id is not null)
    execute function sec.hand_over_referral();

-- To everybody of a tenant, about one of its referrals. Called by the functions below only.
create or replace function sec.notify_referral(r enamel.referrals, kind text, title text) returns void language sql volatile
set search_path = pg_catalog, pg_temp as $$
    insert into enamel.notifications (tenant_id, id, audience, type, referral_id, title, message, priority)
    values (r.tenant_id, gen_random_uuid(), 'TENANT', kind, r.id, title, 'Open the referral to read it.',
            case when r.urgency = 'EMERGENCY' then 'HIGH' else 'NORMAL' end) $$;

-- The accounting of what left the clinic with a referral. One without a patient's record has no account to stand in.
create or replace function sec.disclose_referral(r enamel.referrals) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); recipient record;
begin
    if r.patient_id is null then return; end if;
    select coalesce(t.name, k.organization_name, k.name) as name, k.address into recipient
      from (select) one
      left join enamel.tenants t on t.id = r.recipient_tenant_id
      left join enamel.contacts k on k.tenant_id = r.tenant_id and k.id = r.contact_id;
    insert into enamel.disclosures (tenant_id, id, patient_id, disclosed_at, recipient_name, recipient_address, recipient_tenant_id,
        what, purpose, category, legal_basis, is_accountable, resource_type, resource_id, request_id, disclosed_by, created_by)
    values (r.tenant_id, gen_random_uuid(), r.patient_id, now(), coalesce(recipient.name, 'unknown'), left(recipient.address, 300),
        r.recipient_tenant_id, 'Referral: identity, reason, teeth, attached files', 'Treatment by another practice', 'REFERRAL', 'Treatment', false,
        'Referral', r.id, c.request, c.actor, c.actor);
end $$;

-- What the sender attached goes with the referral as long as it stands, file by file: those of the patient it is about.
create or replace function sec.hand_over_files(r enamel.referrals) returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare f enamel.files; arrived enamel.referrals;
begin
    select x.* into arrived from enamel.referrals x where x.tenant_id = r.recipient_tenant_id and x.exchange_id = r.exchange_id;
    if arrived.id is null then return; end if;
    for f in select x.* from enamel.referral_files a join enamel.files x on x.tenant_id = a.tenant_id and x.id = a.file_id
              where a.tenant_id = r.tenant_id and a.referral_id = r.id and a.deleted_at is null
                and x.patient_id = r.patient_id and x.status = 'READY' and x.deleted_at is null loop
        perform sec.share_file(f, arrived.tenant_id, arrived.patient_id, null, arrived.id, r.consent_id, 'REFERRAL');
    end loop;
end $$;

create or replace function sec.tell_referral() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); x enamel.referral_exchanges; other uuid;
begin
    if tg_op = 'INSERT' then
        insert into enamel.referral_events (tenant_id, id, referral_id, patient_id, event_type, to_status, actor_party, created_at, created_by)
        values (new.tenant_id, gen_random_uuid(), new.id, new.patient_id, 'CREATED', new.status,
            case when new.referral_type = 'OUTGOING' or new.source in ('PUBLIC_FORM', 'PLATFORM') then 'SENDER' else 'RECEIVER' end,
            clock_timestamp(), c.actor);
        if new.source in ('PUBLIC_FORM', 'PLATFORM') then
            perform sec.notify_referral(new, 'NEW_INCOMING_REFERRAL', 'A new referral has arrived');
        end if;
        return null;
    end if;
    if new.patient_id is distinct from old.patient_id then
        update enamel.referral_files f set patient_id = new.patient_id where f.tenant_id = new.tenant_id and f.referral_id = new.id;
        update enamel.received_documents d set patient_id = new.patient_id where d.tenant_id = new.tenant_id and d.referral_id = new.id;
        update enamel.files f set patient_id = new.patient_id from enamel.received_documents d
         where d.tenant_id = new.tenant_id and d.referral_id = new.id and f.tenant_id = d.tenant_id and f.id = d.file_id;
        update enamel.referral_events e set patient_id = new.patient_id where e.tenant_id = new.tenant_id and e.referral_id = new.id;
        insert into enamel.referral_events (tenant_id, id, referral_id, patient_id, event_type, from_status, to_status, actor_party, created_at, created_by)
        values (new.tenant_id, gen_random_uuid(), new.id, new.patient_id, 'MATCHED', old.status, new.status, 'RECEIVER', clock_timestamp(), c.actor);
    end if;
    if new.status = old.status then return null; end if;
    insert into enamel.referral_events (tenant_id, id, referral_id, patient_id, event_type, from_status, to_status, actor_party, note, created_at, created_by)
    values (new.tenant_id, gen_random_uuid(), new.id, new.patient_id, case new.status when 'IN_PROGRESS' then 'STARTED' else new.status end,
        old.status, new.status, case when new.status in ('SENT', 'CANCELLED') then 'SENDER' else 'RECEIVER' end,
        case new.status when 'REJECTED' then new.rejection_reason when 'CANCELLED' then new.cancel_reason end, clock_timestamp(), c.actor);
    if new.status in ('REJECTED', 'CANCELLED') then
        update enamel.document_grants g set revoked_at = now() from enamel.received_documents d
         where d.tenant_id = new.tenant_id and d.referral_id = new.id and g.tenant_id = d.source_tenant_id and g.id = d.grant_id
           and g.revoked_at is null;
    end if;
    if new.status = 'SENT' then
        perform sec.disclose_referral(new);
        perform sec.hand_over_files(new);
        return null;
    end if;
    -- Another tenant moved it: its people are told.
    if c.tenant is distinct from new.tenant_id then
        perform sec.notify_referral(new,
            case when new.status in ('ACCEPTED', 'REJECTED', 'COMPLETED') then 'REFERRAL_' || new.status else 'REFERRAL_STATUS_UPDATE' end,
            case new.status when 'ACCEPTED' then 'A referral was accepted' when 'REJECTED' then 'A referral was rejected'
                 when 'COMPLETED' then 'A referral was completed' when 'CANCELLED' then 'A referral was cancelled'
                 else 'The treatment of a referral has begun' end);
        return null;
    end if;
    if new.exchange_id is not null then
        update enamel.referral_exchanges e set last_event_no = e.last_event_no + 1, updated_at = now(), updated_by = c.actor,
               version = e.version + 1 where e.id = new.exchange_id returning e.* into x;
        other := case when x.sender_tenant_id = new.tenant_id then x.recipient_tenant_id else x.sender_tenant_id end;
        update enamel.referrals r
           set status = new.status, accepted_at = new.accepted_at, rejected_at = new.rejected_at, rejection_reason = new.rejection_reason,
               completed_at = new.completed_at, outcome_report = new.outcome_report, cancelled_at = new.cancelled_at,
               cancel_reason = new.cancel_reason
         where r.tenant_id = other and r.exchange_id = new.exchange_id and r.status <> new.status;
    end if;
    return null;
end $$;
create or replace trigger tell after insert or update of status, patient_id on enamel.referrals
    for each row execute function sec.tell_referral();

-- ── Answers of receivers without a login ────────────────────────────────────────────────────────────────────────────
-- One key at a time: a new one takes the place of the one before. The caller has seen the referral with their own eyes.
create or replace function sec.make_answer_link(referral uuid, hash bytea, until timestamptz) returns boolean language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare own uuid := sec.tenant(kernel.bit('edit_referral')); c sec.claims := sec.claims(); r enamel.referrals;
begin
    select x.* into r from enamel.referrals x where x.tenant_id = own and x.id = referral;
    if r.id is null then return false; end if;
    if r.referral_type <> 'OUTGOING' or r.exchange_id is not null then
        perform kernel.refuse(409, 'party', 'referral_type', 'Only a receiver outside the platform answers by a link.');
    end if;
    if r.status not in ('SENT', 'ACCEPTED', 'IN_PROGRESS') then
        perform kernel.refuse(409, 'state', 'status', 'There is nothing to answer.');
    end if;
    insert into enamel.referral_exchanges (id, sender_tenant_id, sender_referral_id, snapshot_hash, answer_token_hash, token_expires_at,
        created_by, updated_by)
    values (gen_random_uuid(), own, referral, '', hash, until, c.actor, c.actor)
    on conflict (sender_tenant_id, sender_referral_id) do update
       set answer_token_hash = excluded.answer_token_hash, token_expires_at = excluded.token_expires_at, updated_by = excluded.updated_by,
           updated_at = now(), version = referral_exchanges.version + 1;
    return true;
end $$;
-- One answer. Its row says which referral the key is for; the key is spent when the answer was taken.
create or replace function sec.answer_by_link(hash bytea, answer text, note text)
returns table (tenant_id uuid, referral_id uuid, patient_id uuid, taken boolean) language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare e enamel.referral_exchanges; r enamel.referrals; fits boolean;
begin
    if (sec.claims()).plane is distinct from 'auth' then raise exception 'not here' using errcode = '42501'; end if;
    select x.* into e from enamel.referral_exchanges x where x.answer_token_hash = hash and x.token_expires_at > now() for no key update;
    if e.id is null then return; end if;
    select x.* into r from enamel.referrals x where x.tenant_id = e.sender_tenant_id and x.id = e.sender_referral_id for no key update;
    fits := r.status = 'SENT' and answer in ('ACCEPTED', 'REJECTED') or r.status in ('ACCEPTED', 'IN_PROGRESS') and answer = 'COMPLETED';
    if fits then
        update enamel.referrals x set status = answer,
               accepted_at = case answer when 'ACCEPTED' then now() else x.accepted_at end,
               rejected_at = case answer when 'REJECTED' then now() end, rejection_reason = case answer when 'REJECTED' then note end,
               completed_at = case answer when 'COMPLETED' then now() end, outcome_report = case answer when 'COMPLETED' then note end
         where x.tenant_id = r.tenant_id and x.id = r.id;
        update enamel.referral_events v set note = answer_by_link.note
         where v.tenant_id = r.tenant_id and v.referral_id = r.id and v.event_type = 'ACCEPTED' and answer = 'ACCEPTED';
        update enamel.referral_exchanges x set answer_token_hash = null, token_expires_at = null, updated_at = now(), version = x.version + 1
         where x.id = e.id;
    end if;
    return query select r.tenant_id, r.id, r.patient_id, fits;
end $$;
grant execute on function sec.make_answer_link(uuid, bytea, timestamptz) to enamel_staff;
grant execute on function sec.answer_by_link(bytea, text, text) to enamel_auth;

-- ── Names of public forms ───────────────────────────────────────────────────────────────────────────────────────
create or replace function kernel.slug(name text) returns text language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select btrim(left(regexp_replace(string_agg(coalesce(l.latin, x.letter), '' order by x.place), '[^a-z0-9]+', '-', 'g'), 50), '-')
      -- Lower case beyond ASCII is the locale's, and an installation may have none.
      from regexp_split_to_table(translate(kernel.fold(name), 'ÆŒØŁĐÐÞАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ',
               'æœøłđðþабвгдежзиклмнопрстуфхцчшщъыьэюяαβγδεζηθικλμνξοπρστυφχψω'), '') with ordinality x(letter, place)
      left join (values ('ß', 'ss'), ('æ', 'ae'), ('œ', 'oe'), ('ø', 'o'), ('ł', 'l'), ('đ', 'd'), ('ð', 'd'), ('þ', 'th'), ('ı', 'i'),
          ('а', 'a'), ('б', 'b'), ('в', 'v'), ('г', 'g'), ('д', 'd'), ('е', 'e'), ('ж', 'zh'), ('з', 'z'), ('и', 'i'), ('к', 'k'),
          ('л', 'l'), ('м', 'm'), ('н', 'n'), ('о', 'o'), ('п', 'p'), ('р', 'r'), ('с', 's'), ('т', 't'), ('у', 'u'), ('ф', 'f'),
          ('х', 'kh'), ('ц', 'ts'), ('ч', 'ch'), ('ш', 'sh'), ('щ', 'shch'), ('ъ', ''), ('ы', 'y'), ('ь', ''), ('э', 'e'), ('ю', 'yu'),
          ('я', 'ya'), ('α', 'a'), ('β', 'v'), ('γ', 'g'), ('δ', 'd'), ('ε', 'e'), ('ζ', 'z'), ('η', 'i'), ('θ', 'th'), ('ι', 'i'),
          ('κ', 'k'), ('λ', 'l'), ('μ', 'm'), ('ν', 'n'), ('ξ', 'x'), ('ο', 'o'), ('π', 'p'), ('ρ', 'r'), ('σ', 's'), ('ς', 's'),
          ('τ', 't'), ('υ', 'y'), ('φ', 'f'), ('χ', 'ch'), ('ψ', 'ps'), ('ω', 'o')) l(letter, latin) on l.letter = x.letter $$;
grant execute on function kernel.slug(text) to enamel_sec;

-- A slug belongs to one link of the whole system for ever; one that is left leads to its link still. A link without one is
-- named after its place or clinic. Whoever takes the same name at the same moment waits here and takes the next.
create or replace function sec.name_link() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    c sec.claims := sec.claims(); base text; taken int := 1;
    reserved text[] := array['admin', 'api', 'app', 'auth', 'enamel', 'fhir', 'health', 'help', 'login', 'new', 'oauth2', 'public',
        'refer', 'referral', 'root', 'sign-in', 'sign-up', 'static', 'status', 'support', 'system', 'www'];
begin
    if tg_op = 'UPDATE' and new.slug is not distinct from old.slug then return new; end if;
    -- The policies judge after this trigger: another tenant's row is theirs to refuse.
    if sec.left_to_policies(c, new.tenant_id) or c.plane is not null and c.tenant is distinct from new.tenant_id then return new; end if;
    if new.slug is null then
        select kernel.slug(coalesce(l.name, t.name)) into base from enamel.tenants t
          left join enamel.locations l on l.tenant_id = t.id and l.id = new.location_id where t.id = new.tenant_id;
        base := coalesce(base, '');
        if char_length(base) < 3 or base = any (reserved) then base := btrim('clinic-' || base, '-'); end if;
    elsif new.slug = any (reserved) then
        raise exception 'reserved' using errcode = '23514', table = 'referral_links', constraint = 'referral_links_slug_check';
    end if;
    loop
        if base is not null then new.slug := base || case when taken = 1 then '' else '-' || taken end; end if;
        insert into enamel.referral_link_slugs (id, slug, owner_tenant_id, referral_link_id, created_by)
        values (gen_random_uuid(), new.slug, new.tenant_id, new.id, c.actor) on conflict (slug) do nothing;
        exit when found;
        if base is null then
            update enamel.referral_link_slugs s set is_current = true
             where s.slug = new.slug and s.owner_tenant_id = new.tenant_id and s.referral_link_id = new.id;
            exit when found;
            raise exception 'taken' using errcode = '23505', table = 'referral_links', constraint = 'referral_links_slug_key';
        end if;
        taken := taken + 1;
    end loop;
    update enamel.referral_link_slugs s set is_current = false
     where s.owner_tenant_id = new.tenant_id and s.referral_link_id = new.id and s.slug <> new.slug and s.is_current;
    return new;
end $$;
create or replace trigger name_link before insert or update of slug on enamel.referral_links
    for each row execute function sec.name_link();
