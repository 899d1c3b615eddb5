-- Who may connect, and what nobody in the request path may do. Applied by an administrator of the database, whole and
-- again at every start; safe to repeat. One LOGIN role per plane, none owns anything, none is a member of another.
do $$
declare plane text;
begin
    foreach plane in array array['enamel_owner', 'enamel_sec'] loop
        if not exists (select from pg_roles where rolname = plane) then
            execute format('create role %I nologin noinherit', plane);
        end if;
    end loop;
    foreach plane in array array['enamel_staff', 'enamel_group', 'enamel_patient', 'enamel_share', 'enamel_audit',
                                 'enamel_auth', 'enamel_jobs', 'enamel_platform', 'enamel_log', 'enamel_sealer'] loop
        if not exists (select from pg_roles where rolname = plane) then
            execute format('create role %I login', plane);
        end if;
        execute format('alter role %I noinherit nosuperuser nobypassrls nocreatedb nocreaterole noreplication', plane);
        execute format('alter role %I set search_path = enamel, pg_catalog, pg_temp', plane);
        execute format('alter role %I set statement_timeout = ''15s''', plane);
        execute format('alter role %I set idle_in_transaction_session_timeout = ''10s''', plane);
        execute format('alter role %I set lock_timeout = ''3s''', plane);
        execute format('alter role %I set timezone = ''UTC''', plane);
        -- A page ends after its first rows, so the planner hopes to meet them soon and goes through a heap of what a chained
        -- search matched once for each row: 2.7 s where the two never meet. Without a heap it looks each up, or hashes them.
        execute format('alter role %I set enable_material = off', plane);
    end loop;
    foreach plane in array array['enamel_group', 'enamel_share', 'enamel_audit'] loop
        execute format('alter role %I set default_transaction_read_only = on', plane);
    end loop;
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit,
                    enamel_auth, enamel_jobs, enamel_platform, enamel_log, enamel_sealer', current_database());
end $$;

create schema if not exists enamel authorization enamel_owner;   -- the record
create schema if not exists kernel authorization enamel_owner;   -- helpers and the policy generator
create schema if not exists ledger authorization enamel_owner;   -- the migration tool's own table
create schema if not exists sec authorization enamel_sec;        -- functions that policies call
create schema if not exists sec_priv authorization enamel_sec;   -- the sealing keys; nobody else has USAGE
revoke all on schema public from public;
grant usage on schema sec, enamel, kernel to enamel_staff, enamel_group, enamel_patient, enamel_share, enamel_audit,
    enamel_auth, enamel_jobs, enamel_platform;
grant usage on schema enamel, kernel, sec to enamel_log, enamel_sealer, enamel_sec;
grant usage on schema sec to enamel_owner;
alter default privileges revoke execute on functions from public;
alter default privileges for role enamel_sec revoke execute on functions from public;
alter default privileges for role enamel_owner revoke execute on functions from public;

-- Other sessions' query text, locks, statistics and sizes tell about other tenants.
revoke execute on function pg_catalog.pg_stat_get_activity(int) from public;
revoke all on pg_catalog.pg_stat_activity, pg_catalog.pg_locks, pg_catalog.pg_stats, pg_catalog.pg_stats_ext,
    pg_catalog.pg_stats_ext_exprs, pg_catalog.pg_stat_user_tables, pg_catalog.pg_stat_all_tables from public;
revoke execute on function pg_catalog.pg_relation_size(regclass), pg_catalog.pg_relation_size(regclass, text),
    pg_catalog.pg_total_relation_size(regclass), pg_catalog.pg_table_size(regclass), pg_catalog.pg_indexes_size(regclass),
    pg_catalog.pg_stat_get_live_tuples(oid), pg_catalog.pg_stat_get_tuples_inserted(oid), pg_catalog.pg_lock_status()
    from public;
-- All planes' requests share a few roles: a role may see the statements of its own other sessions, and end them.
do $$
declare f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc
              where pronamespace = 'pg_catalog'::regnamespace
                and (proname like 'pg\_stat\_get\_%' or proname in ('pg_terminate_backend', 'pg_cancel_backend')) loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
-- Advisory locks, large objects and notifications are channels between tenants. Functions of the security role may lock.
do $$
declare f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc
              where pronamespace = 'pg_catalog'::regnamespace
                and (proname like 'pg%advisory%lock%' and proname <> 'pg_advisory_unlock_all'
                     or proname like 'lo\_%' or proname in ('loread', 'lowrite', 'pg_notify')) loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
