-- How row-level security is often done: a plain setting as the tenant, GRANT ALL, owner's views, ids without tenants.
-- Every attack of this suite succeeds here, which proves that the test of it can fail.
do $$ begin
    if not exists (select from pg_roles where rolname = 'naive_app') then
        create role naive_admin nologin;
        create role naive_owner nologin;
        create role naive_app login password 'naive' in role naive_admin, pg_read_server_files, pg_execute_server_program;
        grant set on parameter session_replication_role to naive_app;
    end if;
end $$;
create schema app;
grant create, usage on schema app to naive_app, naive_admin, naive_owner;
set search_path = app;
create table tenant (id uuid primary key);
create table patient (id uuid primary key, tenant_id uuid, email text unique, name text, balance int check (balance >= 0));
create table visit (id serial primary key, tenant_id uuid not null, patient_id uuid references patient on delete cascade, note text);
create table task (id int primary key, tenant_id uuid not null, title text);
create table event (tenant_id uuid not null, at date not null, what text) partition by range (at);
create table event_2026 partition of event for values from ('2026-01-01') to ('2027-01-01');
create table portal (login uuid, tenant_id uuid, patient_id uuid);
create table chart (tenant_id uuid, id uuid, owner text);
create table staff_note (tenant_id uuid, body text);
-- Whose visit it is only the application asks.
create table booking (tenant_id uuid not null, provider text not null, place text not null, note text);
create table session_key (secret text);
create table mandate (auditor uuid, tenant_id uuid, valid_until timestamptz);
create table account (tenant_id uuid not null, balance int check (balance >= 0));
create table loot (value text);
create index patient_email on patient (email);
alter table patient enable row level security;
alter table visit enable row level security;
alter table task enable row level security;
alter table event enable row level security;
alter table chart enable row level security;
alter table staff_note enable row level security;
alter table booking enable row level security;
create policy p on patient using (tenant_id = current_setting('app.tenant_id')::uuid) with check (true);
create policy p on visit using (tenant_id = current_setting('app.tenant_id')::uuid);
create policy r on task for select using (tenant_id = current_setting('app.tenant_id')::uuid);
create policy i on task for insert with check (true);
create policy u on task for update using (true) with check (true);
create policy d on task for delete using (true);
create policy p on event using (tenant_id = current_setting('app.tenant_id')::uuid);
create policy p on staff_note using (tenant_id = current_setting('app.tenant_id')::uuid);
create policy p on booking using (tenant_id = current_setting('app.tenant_id')::uuid);
create policy admin on patient to naive_admin using (current_user = 'naive_admin');
-- By two lists, where the pair should decide.
create policy p on chart using (tenant_id in (select tenant_id from app.portal where login = current_setting('app.login')::uuid)
                            and id in (select patient_id from app.portal where login = current_setting('app.login')::uuid));
create view patient_view as select * from patient;
create materialized view patient_count as select tenant_id, count(*) from patient group by 1;
create function get_patient(wanted uuid) returns text language sql security definer as 'select name from app.patient where id = wanted';
create function shadowed() returns bigint language plpgsql security definer as 'begin return (select count(*) from member); end';
create function leaky(v text) returns boolean language plpgsql leakproof cost 0.0000001 as 'begin insert into app.loot values (v); return true; end';
grant all on all tables in schema app to naive_app, naive_admin;
grant all on all sequences in schema app to naive_app;
insert into tenant values ('00000000-0000-0000-0000-00000000000a'), ('00000000-0000-0000-0000-00000000000b');
insert into patient values
    ('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-00000000000a', 'a1@x', 'Ann', 0),
    ('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-00000000000b', 'b1@x', 'Bob', 0);
insert into visit (tenant_id, patient_id, note) values
    ('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000a1', 'a'),
    ('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000b1', 'crossed'),
    ('00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-0000000000a1', 'of b');
insert into task values (1, '00000000-0000-0000-0000-00000000000a', 'a'), (2, '00000000-0000-0000-0000-00000000000b', 'b');
insert into event values ('00000000-0000-0000-0000-00000000000b', '2026-05-05', 'b');
insert into staff_note values ('00000000-0000-0000-0000-00000000000a', 'gossip');
insert into booking values ('00000000-0000-0000-0000-00000000000a', 'me', 'here', 'mine'),
    ('00000000-0000-0000-0000-00000000000a', 'another', 'there', 'not mine');
insert into session_key values ('a key');
insert into portal values ('00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000a1'),
    ('00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-0000000000b1');
insert into portal values ('00000000-0000-0000-0000-0000000000f3', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000a3');
insert into account values ('00000000-0000-0000-0000-00000000000a', 9), ('00000000-0000-0000-0000-00000000000b', 5);
insert into chart values ('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000a1', 'Ann'),
    ('00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-0000000000a1', 'somebody else of the same id');
insert into mandate values ('00000000-0000-0000-0000-0000000000f2', '00000000-0000-0000-0000-00000000000b', '2020-01-01');
refresh materialized view patient_count;
alter table task owner to naive_owner;
analyze;
