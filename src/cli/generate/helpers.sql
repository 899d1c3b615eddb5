-- SEED is replaced. They live as long as the connection.
create function pg_temp.id(kind int, n bigint) returns uuid language sql stable as $$
    select (lpad(to_hex(SEED), 8, '0') || '-' || lpad(kind::text, 4, '0') || '-7000-8000-' || (100000000000 + n))::uuid $$;
create function pg_temp.dice(n bigint, salt int, sides int) returns int language sql stable as $$
    select ((hashint8extended(n, SEED::bigint * 64 + salt) & 2147483647) % sides)::int $$;
-- When a patient joined the practice.
create function pg_temp.since(day date, n bigint) returns timestamptz language sql stable as $$
    select (day - 100 - pg_temp.dice(n, 1, 1800) + interval '8 hours') at time zone 'UTC' + pg_temp.dice(n, 2, 30000) * interval '1 second' $$;
-- Half an hour in a room for the k-th patient of the tenant: 16 a day, before the day (visit 0) or after it (visit 1).
create function pg_temp.slot(day date, tenant bigint, k bigint, patients bigint, visit int) returns table (room bigint, start_at timestamptz, visit int)
language sql stable as $$
    select tenant * 10000 + k % (3 + patients / 1000),
           ((case visit when 0 then day - 7 - (s.place / 16)::int else day + 1 + (s.place / 16)::int end) + interval '8 hours'
            + s.place % 16 * interval '30 minutes') at time zone 'Europe/Berlin', visit
      from (select k / (3 + patients / 1000) as place) s $$;
create function pg_temp.tooth(n bigint) returns text language sql stable as $$
    select (1 + pg_temp.dice(n, 17, 4))::text || (1 + pg_temp.dice(n, 18, 7))::text $$;
create function pg_temp.first_name(n bigint) returns text language sql stable as $$
    select (array['Anna', 'Boris', 'Chloé', 'Dmitri', 'Elif', 'Farid', 'Grete', 'Hans', 'Ines', 'Jakob', 'Klara'])[1 + pg_temp.dice(n, 19, 11)] $$;
create function pg_temp.last_name(n bigint) returns text language sql stable as $$
    select (array['Müller', 'Schmidt', 'Yılmaz', 'Nowak', 'Okafor', 'Lindqvist', 'García', 'Ionescu', 'Haddad', 'Kim', 'Fischer', 'Weber', 'Ruiz'])[1 + pg_temp.dice(n, 20, 13)]
        || '-' || (array['Ahrens', 'Brandt', 'Cordes', 'Dietz', 'Ebert', 'Falk', 'Gross', 'Hahn', 'Issel', 'Jung', 'Kern', 'Lange', 'Moser', 'Noll', 'Otto', 'Peil', 'Quast'])[1 + pg_temp.dice(n, 21, 17)] $$;
-- What became of the claim for the n-th visit, in minor units: most were paid, at four fifths. Where triggers judge, all begin as drafts.
create function pg_temp.claim(n bigint) returns table (status text, billed bigint, paid bigint, owed bigint, is_judged boolean) language sql stable as $$
    select k.status, k.billed, case k.status when 'PAID' then k.billed * 4 / 5 when 'DENIED' then 0 end,
           case k.status when 'PAID' then k.billed - k.billed * 4 / 5 when 'DENIED' then 0 end, k.status in ('PAID', 'DENIED')
      from (select case when current_setting('session_replication_role') <> 'replica' then 'DRAFT' else
                   (array['DRAFT', 'READY', 'SUBMITTED', 'SUBMITTED', 'ACCEPTED', 'DENIED', 'PAID', 'PAID', 'PAID', 'PAID'])[1 + pg_temp.dice(n, 22, 10)] end as status,
                   4000 + 100 * pg_temp.dice(n, 16, 90)::bigint as billed) k $$;
-- What the payer took off, as its advice says it.
create function pg_temp.adjustments(status text, billed bigint, owed bigint) returns jsonb language sql stable as $$
    select case status when 'PAID' then jsonb_build_array(jsonb_build_object('group', 'PR', 'reason', '2', 'amount_minor', owed))
                when 'DENIED' then jsonb_build_array(jsonb_build_object('group', 'CO', 'reason', '50', 'amount_minor', billed)) else '[]' end $$;
-- When the payers' advices were posted: the evening before the day.
create function pg_temp.posted(day date) returns timestamptz language sql stable as $$
    select (day - 1 + interval '18 hours') at time zone 'UTC' $$;
