-- Who may see and change what in directory; planes and permissions as the model lists them.
select kernel.protect('providers',
    'staff=all/all group=all/none patient=linked/none share=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', rows => 'status = ''ACTIVE''', staff_only => '{user_id}',
    sec => 'rw');
select kernel.protect('provider_identifiers', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users');
select kernel.protect('provider_locations',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users', sec => 'r');
select kernel.protect('kept_directory_entries', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_users');
select kernel.protect('contacts', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_referral', write => 'edit_referral', sec => 'r');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('contacts', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');
select kernel.moves('providers', 'status', '{ACTIVE>INACTIVE,INACTIVE>ACTIVE}');

select kernel.protect('clinic_profiles',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory', rows => 'status = ''PUBLISHED''',
    staff_only => '{contact_email,contact_phone,contact_address}', sec => 'r');
select kernel.protect('clinic_treatments',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory', rows => 'is_active', sec => 'r');
select kernel.protect('clinic_packages',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory', rows => 'is_active', sec => 'r');
select kernel.protect('clinic_images',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_directory');
select kernel.protect('clinic_certifications',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all platform=all/none',
    read => 'view_tenant', write => 'manage_directory', sec => 'rw');
select kernel.protect('clinic_reviews',
    'staff=all/all group=all/none patient=linked/create audit=all/none auth=all/none jobs=all/all platform=all/none',
    read => 'view_tenant', write => 'manage_directory', patient => 'patient_id', rows => 'status = ''PUBLISHED''',
    staff_only => '{patient_id,booking_id,moderated_by,moderated_at,moderation_reason}', proxy => 'any/messages',
    sec => 'rw',
    staff_rows => kernel.about_a_patient('view_patient'));
select kernel.moves('clinic_profiles', 'status', '{
    DRAFT>PUBLISHED,HIDDEN>PUBLISHED,PUBLISHED>HIDDEN}');
select kernel.moves('clinic_reviews', 'status', '{
    PENDING>PUBLISHED,PENDING>REJECTED,PUBLISHED>REJECTED,PENDING>WITHDRAWN,PUBLISHED>WITHDRAWN}');

-- ── The profile ─────────────────────────────────────────────────────────────────────────────────────────────────
-- Shown are clinics that can be found and have something to offer.
create or replace function sec.publish_profile() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if sec.left_to_policies(c, new.tenant_id) then return new; end if;
    if tg_op = 'INSERT' then
        raise exception 'a profile begins as a draft' using errcode = '23514', table = 'clinic_profiles', constraint = 'clinic_profiles_status_move';
    end if;
    if not exists (select from enamel.locations l where l.tenant_id = new.tenant_id and l.status = 'ACTIVE' and l.deleted_at is null) then
        perform kernel.refuse(409, 'complete', 'location', 'A clinic that is shown has a place that is open.');
    end if;
    if not exists (select from enamel.clinic_treatments t where t.tenant_id = new.tenant_id and t.is_active and t.deleted_at is null) then
        perform kernel.refuse(409, 'complete', 'treatment', 'A clinic that is shown offers a treatment.');
    end if;
    if not exists (select from enamel.tenants t where t.id = new.tenant_id and btrim(t.name) <> '') then
        perform kernel.refuse(409, 'complete', 'name', 'A clinic that is shown has a name.');
    end if;
    new.published_at := now();
    return new;
end $$;
create or replace trigger begins before insert on enamel.clinic_profiles for each row when (new.status <> 'DRAFT')
    execute function sec.publish_profile();
create or replace trigger published before update on enamel.clinic_profiles for each row
    when (new.status = 'PUBLISHED' and old.status <> 'PUBLISHED') execute function sec.publish_profile();

-- How to reach the clinic as its profile says, for callers who may see it (C15).
create or replace function sec.profile_contact(clinic uuid) returns jsonb language plpgsql stable parallel restricted
security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not sec.contact_shown(clinic) then return null; end if;
    return (select jsonb_build_object('email', p.contact_email, 'phone', p.contact_phone, 'address', p.contact_address)
              from enamel.clinic_profiles p where p.tenant_id = clinic);
end $$;

-- What a clinic shows of itself is no patient's.
create or replace function sec.picture_of_nobody() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not sec.left_to_policies(c, new.tenant_id) and not exists (
            select from enamel.files f where f.tenant_id = new.tenant_id and f.id = new.file_id and f.patient_id is null and f.deleted_at is null) then
        raise exception 'no picture of the clinic' using errcode = '23503', table = 'clinic_images', constraint = 'clinic_images_tenant_id_file_id_fkey';
    end if;
    return new;
end $$;
create or replace trigger picture_of_nobody before insert on enamel.clinic_images for each row execute function sec.picture_of_nobody();
create or replace trigger picture_of_nobody_again before update on enamel.clinic_images for each row
    when (new.file_id is distinct from old.file_id) execute function sec.picture_of_nobody();

-- ── Certificates ────────────────────────────────────────────────────────────────────────────────────────────────
-- What the platform has verified is what it saw: a change of it is to be verified again.
create or replace function kernel.verified_as_seen() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'INSERT' or (new.name, new.issuer, new.certificate_number, new.issued_on, new.expires_on, new.document_id, new.external_url, new.provider_id)
            is distinct from (old.name, old.issuer, old.certificate_number, old.issued_on, old.expires_on, old.document_id, old.external_url, old.provider_id) then
        new.is_verified := false;
    elsif new.is_verified and not old.is_verified and current_user <> 'enamel_sec' then
        raise exception 'the platform verifies' using errcode = '42501';
    end if;
    return new;
end $$;
create or replace trigger verified_as_seen before insert or update on enamel.clinic_certifications for each row
    execute function kernel.verified_as_seen();
create or replace function sec.verify_certification(clinic uuid, certificate uuid) returns setof enamel.clinic_certifications
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare k enamel.clinic_certifications;
begin
    if (sec.claims()).plane is distinct from 'platform' then raise exception 'the platform verifies' using errcode = '42501'; end if;
    select x.* into k from enamel.clinic_certifications x
     where x.tenant_id = clinic and x.id = certificate and x.deleted_at is null for no key update;
    if found and k.document_id is null then
        perform kernel.refuse(409, 'document', 'document_id', 'There is no document to verify.');
    end if;
    return query update enamel.clinic_certifications x set is_verified = true where x.tenant_id = clinic and x.id = k.id returning x.*;
end $$;

-- ── Reviews ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- A review is of a visit: by a booking that was confirmed, or by an appointment that took place. It begins unseen.
create or replace function sec.review_of_a_visit() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if sec.left_to_policies(c, new.tenant_id)
       or c.scope = 'patient' and not exists (select from sec.charts(0, c, 'messages') h
                                               where h.tenant_id = new.tenant_id and h.patient_id = new.patient_id) then return new; end if;
    new.status := 'PENDING'; new.reply := null; new.moderated_by := null; new.moderated_at := null; new.moderation_reason := null;
    if new.booking_id is not null and not exists (
            select from enamel.bookings b where b.tenant_id = new.tenant_id and b.id = new.booking_id and b.patient_id = new.patient_id
               and b.status in ('CONFIRMED', 'COMPLETED')) then
        perform kernel.refuse(422, 'visit', 'booking_id', 'It must be a confirmed booking of the patient.');
    end if;
    if new.booking_id is null and not exists (
            select from enamel.appointments a where a.tenant_id = new.tenant_id and a.patient_id = new.patient_id and a.status = 'COMPLETED') then
        perform kernel.refuse(422, 'visit', 'booking_id', 'Only a patient who was there, or has a confirmed booking, reviews a clinic.');
    end if;
    return new;
end $$;
create or replace trigger review_of_a_visit before insert on enamel.clinic_reviews for each row execute function sec.review_of_a_visit();
-- Who moderates says yes or no, and may answer; what the patient wrote stays as it is.
select kernel.freeze('clinic_reviews', 'true', 'A review is published or rejected as it is; write a reply.',
    '{status,reply,moderated_by,moderated_at,moderation_reason}');
create or replace function kernel.moderated() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.status in ('PUBLISHED', 'REJECTED') and new.status is distinct from old.status and new.moderated_at is not distinct from old.moderated_at then
        raise exception 'reviews are moderated by their operations' using errcode = '42501';
    end if;
    if new.reply is distinct from old.reply and new.status <> 'PUBLISHED' then
        perform kernel.refuse(409, 'state', 'status', 'Only a published review has a reply.');
    end if;
    return new;
end $$;
create or replace trigger moderated before update on enamel.clinic_reviews for each row execute function kernel.moderated();

-- The author does not see a review before it is published; so writing, taking back and the list of one's own go through here.
create or replace function sec.reviews_of(c sec.claims) returns setof enamel.clinic_reviews language sql stable as $$
    select r.* from enamel.clinic_reviews r join sec.charts(0, c, 'messages') h on h.tenant_id = r.tenant_id and h.patient_id = r.patient_id $$;
create or replace function sec.my_reviews() returns setof enamel.clinic_reviews language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
begin return query select r.* from sec.reviews_of(sec.claims()) r order by r.created_at desc, r.id limit 200; end $$;
create or replace function sec.write_review(input jsonb) returns setof enamel.clinic_reviews language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims(); r enamel.clinic_reviews := jsonb_populate_record(null::enamel.clinic_reviews, input); homes uuid[];
begin
    if c.plane = 'patient' then
        select array_agg(h.tenant_id) into homes from sec.charts(0, c, 'messages') h
         where h.patient_id = r.patient_id and (c.tenant is null or h.tenant_id = c.tenant);
    elsif c.plane = 'staff' and c.caps & kernel.bit('manage_directory') <> 0 then homes := array[c.tenant];
    end if;
    if cardinality(homes) is distinct from 1 then
        raise exception 'no such patient' using errcode = '23503', table = 'clinic_reviews', constraint = 'clinic_reviews_tenant_id_patient_id_fkey';
    end if;
    return query insert into enamel.clinic_reviews (tenant_id, id, patient_id, booking_id, rating, title, body, display_name)
        values (homes[1], gen_random_uuid(), r.patient_id, r.booking_id, r.rating, r.title, r.body, r.display_name) returning *;
end $$;
create or replace function sec.withdraw_review(review uuid) returns setof enamel.clinic_reviews language plpgsql volatile
security definer set search_path = pg_catalog, pg_temp as $$
declare r enamel.clinic_reviews;
begin
    select x.* into r from sec.reviews_of(sec.claims()) x where x.id = review limit 1;
    if not found then return; end if;
    return query update enamel.clinic_reviews x set status = 'WITHDRAWN' where x.tenant_id = r.tenant_id and x.id = r.id returning x.*;
end $$;
create or replace function sec.moderate_review(clinic uuid, review uuid, verdict text, reason text) returns setof enamel.clinic_reviews
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if not coalesce(c.plane = 'platform' or c.plane = 'staff' and c.tenant = clinic and c.caps & kernel.bit('manage_directory') <> 0, false)
       or verdict not in ('PUBLISHED', 'REJECTED') then
        raise exception 'moderating needs manage_directory' using errcode = '42501';
    end if;
    return query update enamel.clinic_reviews x
        set status = verdict, moderated_by = c.actor, moderated_at = clock_timestamp(), moderation_reason = reason
      where x.tenant_id = clinic and x.id = review and x.status is distinct from verdict returning x.*;
    if not found and exists (select from enamel.clinic_reviews x where x.tenant_id = clinic and x.id = review) then
        perform kernel.refuse(409, 'state', 'status', 'It is so already.');
    end if;
end $$;
grant execute on function sec.profile_contact(uuid) to enamel_staff, enamel_group, enamel_patient, enamel_audit, enamel_auth, enamel_jobs;
grant execute on function sec.verify_certification(uuid, uuid) to enamel_platform;
grant execute on function sec.my_reviews(), sec.withdraw_review(uuid) to enamel_patient;
grant execute on function sec.write_review(jsonb) to enamel_staff, enamel_patient;
grant execute on function sec.moderate_review(uuid, uuid, text, text) to enamel_staff, enamel_platform;
