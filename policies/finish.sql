-- Last: every function of ours belongs to the role it should, is closed to PUBLIC and open to the planes that need it.
do $$
declare f record;
begin
    for f in select p.oid::regprocedure as fn, p.proname, n.nspname, p.prorettype = 'trigger'::regtype as is_trigger
               from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('sec', 'kernel') loop
        execute format('revoke all on function %s from public', f.fn);
        if f.nspname = 'sec' then execute format('alter function %s owner to enamel_sec', f.fn); end if;
        if f.nspname = 'sec' and f.is_trigger then execute format('grant execute on function %s to enamel_owner', f.fn); end if;
        if f.nspname = 'sec' and f.proname in ('tenant', 'tenants', 'patients', 'pairs', 'shared', 'actor', 'members', 'known',
                                               'everything', 'audit_append') then
            execute format('grant execute on function %s to enamel_staff, enamel_group, enamel_patient, enamel_share,
                            enamel_audit, enamel_auth, enamel_jobs, enamel_platform', f.fn);
        end if;
        if f.nspname = 'kernel' and f.proname in ('fold', 'join_name', 'is_npi') then
            execute format('grant execute on function %s to enamel_staff, enamel_group, enamel_patient, enamel_share,
                            enamel_audit, enamel_auth, enamel_jobs, enamel_platform, enamel_sec', f.fn);
        end if;
        if f.nspname = 'kernel' and f.proname in ('bit', 'permissions') then
            execute format('grant execute on function %s to enamel_sec', f.fn);
        end if;
    end loop;
end $$;
grant execute on function sec.audit_append(jsonb) to enamel_log;
grant execute on function sec.resolve_token(bytea, interval) to enamel_auth;
grant execute on function sec.sweep(interval) to enamel_jobs;
grant execute on function sec.audit_horizon(), sec.open_audit_epoch(int) to enamel_sealer;
