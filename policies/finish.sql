select kernel.tell_columns();
-- Last: every function of ours belongs to the role it should, is closed to PUBLIC and open to the planes that need it.
do $$
declare f record;
begin
    for f in select p.oid::regprocedure as fn, p.proname, n.nspname, p.prorettype = 'trigger'::regtype as is_trigger
               from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('sec', 'kernel') loop
        execute format('revoke all on function %s from public', f.fn);
        if f.nspname = 'sec' then execute format('alter function %s owner to enamel_sec', f.fn); end if;
        if f.nspname = 'sec' and f.is_trigger then execute format('grant execute on function %s to enamel_owner', f.fn); end if;
        if f.nspname = 'sec' and f.proname in ('tenant', 'home', 'whole', 'me', 'my_places', 'my_teams', 'my_providers',
                                               'my_patients', 'tenants', 'patients', 'pairs', 'shared', 'actor', 'members', 'known',
                                               'everything', 'any_patient', 'one_patient', 'withheld_studies', 'withheld_objects',
                                               'untold', 'audit_append') then
            execute format('grant execute on function %s to enamel_staff, enamel_group, enamel_patient, enamel_share,
                            enamel_audit, enamel_auth, enamel_jobs, enamel_platform', f.fn);
        end if;
        -- What must be known before it is known who asks.
        if f.nspname = 'sec' and f.proname in ('resolve_token', 'resolve_session', 'session_in_force', 'reaches', 'homes_of', 'clients_of', 'client_of', 'client_above', 'client_came', 'app_stands', 'is_app_origin', 'tenant_of', 'face_of', 'listed_brands', 'prove_domain', 'end_codes', 'provider_of', 'scim_provider', 'member_elsewhere',
                                               'invitations_of', 'accept_invitation') then
            execute format('grant execute on function %s to enamel_auth', f.fn);
        end if;
        -- ANALYZE computes an index's expressions as the table's owner.
        if f.nspname = 'kernel' and f.proname in ('fold', 'join_name', 'origins', 'is_npi', 'is_fdi') then
            execute format('grant execute on function %s to enamel_staff, enamel_group, enamel_patient, enamel_share,
                            enamel_audit, enamel_auth, enamel_jobs, enamel_platform, enamel_sec, enamel_owner', f.fn);
        end if;
        if f.nspname = 'kernel' and f.proname in ('bit', 'permissions', 'clinical', 'secrets', 'moment') then
            execute format('grant execute on function %s to enamel_sec', f.fn);
        end if;
    end loop;
end $$;
-- A mandate names an auditor of elsewhere, a client its service: each has a check of its own.
do $$
declare f record;
begin
    for f in select k.conrelid::regclass as rel, a.attname as col
               from pg_constraint k join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
              where k.contype = 'f' and k.confrelid = 'enamel.users'::regclass
                and has_table_privilege('enamel_staff', k.conrelid, 'insert') and a.attname not in ('auditor_user_id', 'service_user_id')
                and exists (select from pg_attribute t where t.attrelid = k.conrelid and t.attname = 'tenant_id') loop
        execute format('create or replace trigger %I before insert or update of %I on %s for each row
                        when (current_user = ''enamel_staff'') execute function sec.guard_login(%L)', 'guard_login_' || f.col, f.col, f.rel, f.col);
    end loop;
end $$;
grant execute on function sec.audit_append(jsonb) to enamel_log;
grant execute on function sec.take_logouts(int, int, int[]), sec.sweep(interval), sec.sweep_sessions(interval, interval, bigint), sec.tenants_to_sweep(timestamptz, bigint),
    sec.unfinished_exports(), sec.export_is_dead(uuid, uuid) to enamel_jobs;
grant execute on function sec.audit_horizon(), sec.open_audit_epoch(int), sec.hold_export(uuid) to enamel_sealer;
grant execute on function sec.tenant_contact(uuid), sec.role_of(uuid), sec.user_type_of(uuid) to enamel_staff, enamel_group, enamel_patient,
    enamel_audit, enamel_auth, enamel_jobs, enamel_platform;
grant execute on function sec.quota_usage(uuid) to enamel_staff, enamel_group, enamel_audit, enamel_platform;
grant execute on function sec.apply_plan(uuid) to enamel_staff, enamel_platform;
grant execute on function sec.create_child_tenant(jsonb), sec.rotate_secret(uuid, bytea, timestamptz) to enamel_staff;
grant execute on function sec.viewer(uuid, uuid, text) to enamel_staff, enamel_patient, enamel_audit;
grant execute on function sec.repoint_patient(uuid, uuid, text[]) to enamel_staff;
grant execute on function sec.history(text, uuid, bigint, int) to enamel_staff, enamel_group;
grant execute on function sec.part_with(text, uuid, uuid, text, uuid, bigint),
    sec.versions(jsonb, uuid, bigint, timestamptz, timestamptz, timestamptz, timestamptz, uuid, int)
    to enamel_staff, enamel_group, enamel_patient, enamel_audit;
grant execute on function sec.one_by_one(text) to enamel_staff, enamel_jobs;
