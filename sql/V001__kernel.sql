-- V001  Functions that stored columns and checks are made of. Immutable by nature: a change is a new migration
-- that also rewrites what was stored. Expands only.

-- Folded text for searching and sorting: lower case, accents removed, blanks joined.
create function kernel.fold(value text) returns text language sql immutable strict parallel safe as $$
    select btrim(regexp_replace(regexp_replace(lower(normalize(value, NFKD)), '[\u0300-\u036f]', '', 'g'), '\s+', ' ', 'g')) $$;

-- Scheme, host and port of each address.
create function kernel.origins(uris text[]) returns text[] language sql immutable parallel safe as $$
    select coalesce(array_agg(distinct o.origin order by o.origin), '{}')
      from (select lower(substring(u from '^https?://[^/?#]+')) as origin from unnest(uris) u) o where o.origin is not null $$;
create function kernel.join_name(prefix text, first text, middle text, last text, suffix text)
returns text language sql immutable parallel safe as $$
    select btrim(coalesce(prefix || ' ', '') || coalesce(first || ' ', '') || coalesce(middle || ' ', '')
                 || last || coalesce(' ' || suffix, '')) $$;

-- National Provider Identifier: ten digits, the first 1 or 2, Luhn over the number prefixed by 80840 (45 CFR 162.406).
create function kernel.is_npi(value text) returns boolean language sql immutable strict parallel safe as $$
    select value ~ '^[12][0-9]{9}$' and (24 + (
        select sum(case when place % 2 = 1 then (digit * 2) / 10 + (digit * 2) % 10 else digit end)
          from (select place, substr(value, place, 1)::int as digit from generate_series(1, 10) place) digits)) % 10 = 0 $$;

-- One of the 52 codes of ISO 3950: 32 permanent, 20 primary teeth; and whether each of a list is.
create function kernel.is_fdi(value text) returns boolean language sql immutable strict parallel safe as $$
    select value ~ '^([1-4][1-8]|[5-8][1-5])$' $$;
create function kernel.are_fdi(teeth text[]) returns boolean language sql immutable strict parallel safe as $$
    select coalesce(bool_and(kernel.is_fdi(tooth)), true) from unnest(teeth) tooth $$;
