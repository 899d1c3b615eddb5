-- What a load writes for one tenant, part by part. $1 tenant, $2 first patient, $3 patients, $4 author, $5 the day it is made
-- for, $6 the tenant's number, $7 and $8 policy numbers sealed and blinded. Ids and what looks like chance follow from the
-- seed (helpers.sql). Fewer than 1000 patients share a room and its provider.

-- part locations
insert into locations (tenant_id, id, name, kind, address_line1, city, postal_code, country, time_zone, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(10, $6), 'Practice ' || $6, 'CLINIC', 'Marktplatz ' || 1 + $6 % 90, 'Köln', '50667', 'DE', 'Europe/Berlin', w.at, $4, w.at, $4
  from (select $5::date - interval '6 years' as at) w;

-- part operatories
insert into operatories (tenant_id, id, location_id, name, short_code, sort_order, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(11, $6 * 10000 + n), pg_temp.id(10, $6), 'Room ' || 1 + n, 'R' || 1 + n, n, w.at, $4, w.at, $4
  from generate_series(0, 2 + $3 / 1000) n cross join (select $5::date - interval '6 years' as at) w;

-- part providers
insert into providers (tenant_id, id, full_name, first_name, last_name, title, provider_type, specialty, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(12, $6 * 10000 + n), 'Dr. ' || p.first || ' ' || p.last, p.first, p.last, 'Dr.', 'DENTIST', 'GENERAL', w.at, $4, w.at, $4
  from generate_series(0, 2 + $3 / 1000) n cross join (select $5::date - interval '6 years' as at) w
 cross join lateral (select pg_temp.first_name($6 * 10000 + n) as first, pg_temp.last_name($6 * 10000 + n) as last) p;

-- part payers
insert into payers (tenant_id, id, name, kind, country, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(13, $6 * 10000 + n), (array['Mutual of the North', 'City Health Fund', 'Guild Insurance'])[1 + n], 'COMMERCIAL', 'DE', w.at, $4, w.at, $4
  from generate_series(0, 2) n cross join (select $5::date - interval '6 years' as at) w;

-- part patients
insert into patients (tenant_id, id, first_name, last_name, dob, administrative_gender, contact_email, phone_mobile, preferred_language,
                      primary_location_id, primary_provider_id, external_ref, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(20, n), p.first, p.last, date '1930-01-01' + pg_temp.dice(n, 3, 33000),
       (array['FEMALE', 'MALE', 'OTHER', 'UNKNOWN'])[1 + least(pg_temp.dice(n, 4, 40) / 19, 2) + pg_temp.dice(n, 4, 40) / 39],
       lower(p.first || '.' || p.last) || n || '@mail.example', '+4915' || 100000000 + pg_temp.dice(n, 5, 800000) * 1000 + n % 1000, 'de',
       pg_temp.id(10, $6), pg_temp.id(12, $6 * 10000 + n % (3 + $3 / 1000)), 'PMS-' || n, w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral (select pg_temp.since($5, n) as at) w
 cross join lateral (select pg_temp.first_name(n) as first, pg_temp.last_name(n) as last) p;

-- part patient_addresses
insert into patient_addresses (tenant_id, id, patient_id, line1, city, postal_code, country, is_primary, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(21, n), pg_temp.id(20, n), 'Ahornweg ' || 1 + pg_temp.dice(n, 6, 180), (array['Köln', 'Bonn', 'Aachen', 'Düren'])[1 + pg_temp.dice(n, 7, 4)],
       50000 + pg_temp.dice(n, 8, 3000) || '', 'DE', true, w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral (select pg_temp.since($5, n) as at) w;

-- part patient_insurance_policies
insert into patient_insurance_policies (tenant_id, id, patient_id, payer_tenant_id, payer_id, plan_name, policy_number_enc, policy_number_bidx,
                                        coverage_start, currency, annual_maximum_minor, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(22, n), pg_temp.id(20, n), $1, pg_temp.id(13, $6 * 10000 + n % 3), (array['Basic', 'Comfort', 'Plus'])[1 + pg_temp.dice(n, 9, 3)], k.enc, k.bidx,
       w.at::date, 'EUR', 100000 + 50000 * pg_temp.dice(n, 10, 5), w.at, $4, w.at, $4
  from unnest($7::bytea[], $8::bytea[]) with ordinality k(enc, bidx, place) cross join lateral (select $2 + k.place - 1 as n) o
 cross join lateral (select pg_temp.since($5, n) as at) w;

-- part appointments
insert into appointments (tenant_id, id, patient_id, provider_id, location_id, operatory_id, start_at, end_at, duration_minutes, local_start,
                          time_zone, status, source, arrived_at, completed_at, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(23, 2 * n + s.visit), pg_temp.id(20, n), pg_temp.id(12, s.room), pg_temp.id(10, $6), pg_temp.id(11, s.room), s.start_at, s.start_at + interval '30 minutes', 30,
       to_char(s.start_at at time zone 'Europe/Berlin', 'YYYY-MM-DD"T"HH24:MI:SS'), 'Europe/Berlin', case when d.done then 'COMPLETED' else 'SCHEDULED' end,
       'IMPORT', case when d.done then s.start_at end, case when d.done then s.start_at + interval '30 minutes' end, w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral (select pg_temp.since($5, n) as at) w
 cross join lateral generate_series(0, 1 - (n % 2)::int) visit
 cross join lateral pg_temp.slot($5, $6, n - $2, $3, visit) s
 -- Under the triggers a visit begins booked.
 cross join lateral (select s.visit = 0 and current_setting('session_replication_role') = 'replica' as done) d;

-- part appointment_providers
insert into appointment_providers (tenant_id, id, appointment_id, patient_id, provider_id, role, busy_start_at, busy_end_at,
                                   created_at, created_by, updated_at, updated_by)
select a.tenant_id, pg_temp.id(33, 2 * n + visit), a.id, a.patient_id, a.provider_id, 'LEAD', a.start_at, a.end_at, a.created_at, $4, a.updated_at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral generate_series(0, 1 - (n % 2)::int) visit
  join appointments a on a.tenant_id = $1 and a.id = pg_temp.id(23, 2 * n + visit)
 -- A trigger may have written it.
 where current_setting('session_replication_role') = 'replica';

-- part encounters
insert into encounters (tenant_id, id, patient_id, location_id, provider_id, appointment_id, scheduled_start_at, check_in_at, check_out_at,
                        encounter_type, status, reason, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(24, n), pg_temp.id(20, n), pg_temp.id(10, $6), pg_temp.id(12, s.room), pg_temp.id(23, 2 * n), s.start_at, s.start_at, s.start_at + interval '30 minutes',
       (array['EXAM', 'HYGIENE', 'EMERGENCY', 'CONSULTATION'])[1 + pg_temp.dice(n, 11, 4)], 'COMPLETED', 'Check-up', s.start_at, $4, s.start_at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.slot($5, $6, n - $2, $3, 0) s;

-- part patient_conditions
insert into patient_conditions (tenant_id, id, patient_id, code_system, code, display, category, severity, onset_date, is_alert,
                                created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(25, n), pg_temp.id(20, n), 'INTERNAL', 'C' || 100 + c.pick, (array['Raised blood pressure', 'Type 2 diabetes', 'Hay fever', 'Grinding at night', 'Dry mouth'])[1 + c.pick],
       case when c.pick < 3 then 'MEDICAL' else 'DENTAL' end, (array['MILD', 'MODERATE', 'SEVERE'])[1 + pg_temp.dice(n, 13, 3)], w.at::date - pg_temp.dice(n, 14, 3000),
       c.pick = 1, w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral (select pg_temp.since($5, n) as at) w cross join lateral (select pg_temp.dice(n, 12, 5) as pick) c;

-- part procedures
insert into procedures (tenant_id, id, patient_id, encounter_id, provider_id, code_system, cdt_code, description, tooth_number, tooth_system,
                        start_at, end_at, status, fee_minor, currency, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(26, n), pg_temp.id(20, n), pg_temp.id(24, n), pg_temp.id(12, s.room), 'INTERNAL', 'T' || 1000 + pg_temp.dice(n, 15, 40), 'Filling', pg_temp.tooth(n), 'FDI',
       s.start_at, s.start_at + interval '25 minutes', 'COMPLETED', 4000 + 100 * pg_temp.dice(n, 16, 90), 'EUR', s.start_at, $4, s.start_at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.slot($5, $6, n - $2, $3, 0) s;

-- part chart_entries
insert into chart_entries (tenant_id, id, patient_id, encounter_id, axis, tooth_system, fdi_tooth, work_layer, restoration_kind, procedure_id,
                           observed_at, recorded_by_provider_id, source, created_at, created_by)
select $1, pg_temp.id(27, n), pg_temp.id(20, n), pg_temp.id(24, n), 'WORK', 'FDI', pg_temp.tooth(n), 'COMPLETED', 'FILLING', pg_temp.id(26, n), s.start_at, pg_temp.id(12, s.room), 'IMPORT', s.start_at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.slot($5, $6, n - $2, $3, 0) s;

-- part claims
insert into claims (tenant_id, id, patient_id, payer_tenant_id, payer_id, policy_id, encounter_id, claim_number, billing_provider_id,
                    rendering_provider_id, location_id, currency, status, total_billed_minor, total_allowed_minor, total_paid_minor, patient_responsibility_minor,
                    submitted_at, adjudicated_at, paid_at, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(28, n), pg_temp.id(20, n), $1, pg_temp.id(13, $6 * 10000 + n % 3), pg_temp.id(22, n), pg_temp.id(24, n), 'C-' || n, pg_temp.id(12, s.room), pg_temp.id(12, s.room),
       pg_temp.id(10, $6), 'EUR', k.status, k.billed, k.paid + k.owed, k.paid, k.owed, case when k.status not in ('DRAFT', 'READY') then s.start_at + interval '1 day' end,
       case when k.is_judged then pg_temp.posted($5) end, case k.status when 'PAID' then pg_temp.posted($5) end, s.start_at, $4,
       case when k.is_judged then pg_temp.posted($5) else s.start_at end, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.slot($5, $6, n - $2, $3, 0) s cross join lateral pg_temp.claim(n) k where n % 2 = 0;

-- part claim_lines
insert into claim_lines (tenant_id, id, claim_id, patient_id, procedure_id, line_no, code_system, code, tooth_number, service_date, billed_minor, allowed_minor,
                         paid_minor, adjustments, currency, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(29, n), pg_temp.id(28, n), pg_temp.id(20, n), pg_temp.id(26, n), 1, 'INTERNAL', 'T' || 1000 + pg_temp.dice(n, 15, 40), pg_temp.tooth(n), s.start_at::date,
       k.billed, k.paid + k.owed, k.paid, pg_temp.adjustments(k.status, k.billed, k.owed), 'EUR', s.start_at, $4, case when k.is_judged then pg_temp.posted($5) else s.start_at end, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.slot($5, $6, n - $2, $3, 0) s cross join lateral pg_temp.claim(n) k where n % 2 = 0;

-- part claim_status_events
insert into claim_status_events (tenant_id, id, claim_id, patient_id, from_status, to_status, source, payer_code, amount_minor, currency, occurred_at, created_at, created_by)
select $1, pg_temp.id(34, 4 * n + step), pg_temp.id(28, n), pg_temp.id(20, n), w.way[step], w.way[step + 1], case step when 3 then 'PORTAL' else 'STAFF' end,
       case when step = 4 then case k.status when 'PAID' then '1' else '4' end end, case when step = 4 then k.paid end, case when step = 4 then 'EUR' end, o.at, o.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.slot($5, $6, n - $2, $3, 0) s cross join lateral pg_temp.claim(n) k
 cross join lateral (select array['DRAFT', 'READY', 'SUBMITTED', 'ACCEPTED', k.status] as way) w
 cross join lateral generate_series(1, case when k.is_judged then 4 else array_position(w.way, k.status) - 1 end) step
 cross join lateral (select case step when 4 then pg_temp.posted($5) else s.start_at + step * interval '12 hours' end as at) o where n % 2 = 0;

-- part remittances
insert into remittances (tenant_id, id, payer_tenant_id, payer_id, trace_number, payment_date, payment_method, amount_minor, currency, status, posted_at,
                         created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(35, $6 * 10000 + n % 3), $1, pg_temp.id(13, $6 * 10000 + n % 3), 'R-' || $6 || '-' || n % 3, $5::date - 1, 'ACH', sum(k.paid), 'EUR', 'POSTED', w.at, w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.claim(n) k cross join (select pg_temp.posted($5) as at) w
 where n % 2 = 0 and k.is_judged group by n % 3, w.at;

-- part remittance_lines
insert into remittance_lines (tenant_id, id, remittance_id, claim_id, claim_line_id, status_code, billed_minor, paid_minor, patient_responsibility_minor,
                              adjustments, currency, created_at, created_by)
select $1, pg_temp.id(36, 2 * n + part), pg_temp.id(35, $6 * 10000 + n % 3), pg_temp.id(28, n), case part when 1 then pg_temp.id(29, n) end, case k.status when 'PAID' then '1' else '4' end,
       k.billed, k.paid, k.owed, pg_temp.adjustments(k.status, k.billed, k.owed), 'EUR', pg_temp.posted($5), $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.claim(n) k cross join generate_series(0, 1) part where n % 2 = 0 and k.is_judged;

-- part payments
insert into payments (tenant_id, id, patient_id, claim_id, purpose, amount_minor, currency, status, method, idempotency_key, paid_at, created_at, created_by,
                      updated_at, updated_by)
select $1, pg_temp.id(37, n), pg_temp.id(20, n), pg_temp.id(28, n), 'OTHER', k.paid, 'EUR', 'SUCCEEDED', 'INSURANCE',
       'remittance:' || pg_temp.id(35, $6 * 10000 + n % 3) || ':' || pg_temp.id(28, n), w.at, w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral pg_temp.claim(n) k cross join (select pg_temp.posted($5) as at) w where n % 2 = 0 and k.status = 'PAID';

-- part conversations
insert into conversations (tenant_id, id, kind, patient_id, subject, last_message_at, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(30, n), 'PATIENT_MESSAGING', pg_temp.id(20, n), 'Your next visit', w.at, w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral (select pg_temp.since($5, n) as at) w where n % 2 = 1;

-- part conversation_participants
insert into conversation_participants (tenant_id, id, conversation_id, patient_id, role, created_at, created_by, updated_at, updated_by)
select $1, pg_temp.id(31, n), pg_temp.id(30, n), pg_temp.id(20, n), 'PARTICIPANT', w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral (select pg_temp.since($5, n) as at) w where n % 2 = 1;

-- part messages
insert into messages (tenant_id, id, conversation_id, patient_id, sender_type, sender_user_id, content, sent_at, delivery_state, created_at, created_by,
                      updated_at, updated_by)
select $1, pg_temp.id(32, n), pg_temp.id(30, n), pg_temp.id(20, n), 'USER', $4, 'Please remember to bring your card.', w.at, 'SENT', w.at, $4, w.at, $4
  from generate_series($2, $2 + $3 - 1) n cross join lateral (select pg_temp.since($5, n) as at) w where n % 2 = 1;
