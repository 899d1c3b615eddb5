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
