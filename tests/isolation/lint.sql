-- Catalogue lint: every row is a violation. Schema and the plane roles' pattern come as the settings lint.schema and
-- lint.planes; lint.definer is the only role that may own a SECURITY DEFINER function.
with ns as (select oid from pg_namespace where nspname = current_setting('lint.schema')),
planes as (select oid, rolname from pg_roles where rolcanlogin and rolname ~ current_setting('lint.planes')),
rel as (select c.* from pg_class c join ns on ns.oid = c.relnamespace),
tab as (select * from rel where relkind in ('r', 'p')),
ten as (select t.oid, a.attnum tcol from tab t join pg_attribute a on a.attrelid = t.oid and a.attname = 'tenant_id' and not a.attisdropped),
-- Tables without a tenant, each for its reason.
glob(relname, why) as (values
    ('tenants', 'the tree itself'), ('tenant_closure', 'the tree itself'), ('users', 'a person works in several tenants'),
    ('user_auth_identities', 'of a person'), ('user_mfa_factors', 'of a person'), ('user_recovery_codes', 'of a person'),
    ('user_tokens', 'of a person'), ('sessions', 'of a person'), ('refresh_tokens', 'of a person'),
    ('sign_in_attempts', 'before anybody is known'), ('shown_assertions', 'before anybody is known'), ('signing_keys', 'installation'), ('permissions', 'catalogue'), ('subscription_plans', 'catalogue'),
    ('ai_models', 'catalogue'), ('ai_model_versions', 'catalogue'), ('data_dictionary_columns', 'catalogue'),
    ('external_systems', 'catalogue'), ('app_vendors', 'catalogue'), ('vendor_apps', 'catalogue'), ('usage_meters', 'catalogue'), ('referral_exchanges', 'between two tenants, ids only'),
    ('referral_link_slugs', 'unique over all tenants, public'), ('tenant_placements', 'installation'), ('tenant_moves', 'installation'),
    ('audit_seals', 'one tree over all tenants, hashes only'), ('audit_anchors', 'one tree over all tenants, hashes only')),
-- Indexes that the security role or the workers walk across tenants; planes reach them through functions only.
across(index) as (values
    ('api_clients_client_id_key'), ('api_clients_origins_idx'), ('api_clients_vendor_app_id_any_idx'), ('oauth_authorizations_code_hash_idx'), ('oauth_requests_handle_hash_any_idx'), ('identity_providers_scim_token_hash_key'), ('identity_providers_proven_domains_idx'), ('quotes_id_idx'), ('share_links_token_hash_idx'), ('share_visits_token_hash_idx'), ('user_roles_user_id_tenant_idx'), ('member_invitations_email_key_tenant_idx'), ('user_tenants_user_id_tenant_idx'),
    ('patient_portal_accounts_user_id_tenant_idx'), ('patient_proxies_user_id_tenant_idx'), ('audit_mandates_auditor_user_id_tenant_idx')),
policy as (
    select pol.*, c.relname, (select array_agg(case r when 0 then 'public' else r::regrole::text end) from unnest(pol.polroles) r) as roles
      from pg_policy pol join tab c on c.oid = pol.polrelid),
expression as (
    select p.*, regexp_replace(regexp_replace(raw, '::(bigint|uuid\[\]|bytea\[\]|text\[\]|text)|[()\s'']', '', 'g'), '\d+', 'N', 'g') as e
      from policy p, lateral unnest(array[pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)]) raw where raw is not null),
form(pattern) as (values ('^(' ||
    'SELECTsec\.everythingASeverything|SELECTsec\.knownNASknown|' ||
    '[a-z_]+=SELECTsec\.actorNASactor|' ||
    'id=(SELECTsec\.tenantNAStenant|ANYSELECTsec\.tenantsNAStenants|ANYSELECTsec\.membersNASmembers)|' ||
    -- Whoever has the permission throughout, or somebody whose part it is.
    replace('COALESCEtenant_id=SELECTsec\.tenantNAStenant,falseORtenant_id=SELECTsec\.homeNAShomeANDWAY(ORWAY)*|',
            'WAY', '[a-z_]+=(SELECTsec\.meASme|ANYSELECTsec\.my_[a-z]+N(,[a-z]+)?ASmy_[a-z]+)') ||
    'tenant_id=(SELECTsec\.tenantNAStenant|SELECTsec\.homeNAShome|ANYSELECTsec\.tenantsNAStenants|ANYSELECTsec\.sharedNASshared))' ||
    '(ANDSELECTsec\.wholeNASwhole)?' ||
    '(AND(id|patient_id)=ANYSELECTsec\.patientsNASpatients(ANDuuid_sendtenant_id\|\|uuid_send(id|patient_id)=ANYSELECTsec\.pairsN(,[a-z_]+)?ASpairs)?)?' ||
    '(AND(user_id|caller_id)=SELECTsec\.actorNASactor)?(ANDuser_idISNULLORuser_id=SELECTsec\.actorNASactor)?' ||
    '(ANDpatient_idISNULLOR(SELECTsec\.any_patientNASany_patientORpatient_id=SELECTsec\.one_patientNASone_patient|uuid_sendtenant_id\|\|uuid_sendpatient_id=ANYSELECTsec\.pairsNASpairs))?' ||
    '(ANDtable_name<>ALLSELECTsec\.untoldASuntold)?(AND[a-z_]+(=[A-Z_]+|<>[A-Z_]+|ISNULL|ISNOTNULL)?)*' ||
    '(AND(study_id<>ALLSELECTsec\.withheld_studiesASwithheld_studies|imaging_object_id<>ALLSELECTsec\.withheld_objectsASwithheld_objects))?$')),
v(level, rule, object) as (
 select 'ERROR', 'R01 RLS not enabled and forced', relname::text from tab where not (relrowsecurity and relforcerowsecurity)
 union all select 'ERROR', 'R02 no tenant_id and not on the allow-list', t.relname from tab t where not exists (select from ten where ten.oid = t.oid) and t.relname not in (select relname from glob)
 union all select 'ERROR', 'R03 tenant_id nullable', t.relname from ten join tab t using (oid) join pg_attribute a on a.attrelid = ten.oid and a.attnum = ten.tcol where not a.attnotnull
 union all select 'ERROR', 'R04 unique index not led by tenant_id', i.indexrelid::regclass::text from pg_index i join ten on ten.oid = i.indrelid join pg_class c on c.oid = i.indexrelid where i.indisunique and i.indkey[0] <> ten.tcol and c.relname not in (select index from across)
 union all select 'WARN', 'R05 index not led by tenant_id', i.indexrelid::regclass::text from pg_index i join ten on ten.oid = i.indrelid join pg_class c on c.oid = i.indexrelid where not i.indisunique and i.indkey[0] <> ten.tcol and c.relname not in (select index from across)
 union all select 'ERROR', 'R06 foreign key between tenant tables without tenant_id', k.conrelid::regclass || '.' || k.conname from pg_constraint k join ten s on s.oid = k.conrelid join ten d on d.oid = k.confrelid where k.contype = 'f'
   and not exists (select from generate_subscripts(k.conkey, 1) g where k.conkey[g] = s.tcol and k.confkey[g] = d.tcol)
   -- A shared row has a second home, the platform's; a check ties the column to the two.
   and not exists (select from generate_subscripts(k.conkey, 1) g join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[g]
                     join pg_constraint c on c.conrelid = k.conrelid and c.contype = 'c' and c.conkey @> array[a.attnum, s.tcol]
                    where k.confkey[g] = d.tcol and a.attname like '%\_tenant\_id')
 union all select 'ERROR', 'R07 ON DELETE/UPDATE CASCADE or SET NULL', k.conrelid::regclass || '.' || k.conname from pg_constraint k join tab on tab.oid = k.conrelid where k.contype = 'f' and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
 union all select 'ERROR', 'R08 plane role with an attribute of power', rolname from pg_roles where oid in (select oid from planes) and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
 union all select 'ERROR', 'R09 plane role is a member of ' || pg_get_userbyid(m.roleid), p.rolname from pg_auth_members m join planes p on p.oid = m.member
 union all select 'ERROR', 'R10 plane role owns an object', p.rolname || ' ' || d.classid::regclass || ' ' || d.objid from pg_shdepend d join planes p on p.oid = d.refobjid where d.deptype = 'o' and d.dbid = (select oid from pg_database where datname = current_database())
 union all select 'ERROR', 'R11 plane or PUBLIC has ' || x.privilege_type, t.relname || ' ' || x.grantee::regrole from tab t, aclexplode(t.relacl) x where x.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER') and (x.grantee = 0 or x.grantee in (select oid from planes))
 union all select 'ERROR', 'R12 UPDATE of tenant_id or id for a plane', t.relname || ' ' || p.rolname from ten join tab t on t.oid = ten.oid cross join planes p where has_column_privilege(p.oid, t.oid, 'tenant_id', 'UPDATE') or exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'id' and has_column_privilege(p.oid, t.oid, 'id', 'UPDATE'))
 union all select 'ERROR', 'R13 grant on a partition', t.relname || ' ' || x.grantee::regrole from tab t, aclexplode(t.relacl) x where t.relispartition and (x.grantee = 0 or x.grantee in (select oid from planes))
 union all select 'ERROR', 'R14 plane can read a materialized view, sequence or foreign table', r.relname || ' ' || p.rolname from rel r cross join planes p where r.relkind in ('m', 'f', 'S') and case when r.relkind = 'S' then has_sequence_privilege(p.oid, r.oid, 'SELECT,USAGE') else has_table_privilege(p.oid, r.oid, 'SELECT') end
 union all select 'ERROR', 'R15 view without security_invoker', r.relname from rel r where r.relkind = 'v' and not coalesce(r.reloptions::text[] && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)
 union all select 'ERROR', 'R16 SECURITY DEFINER without pinned search_path', f.oid::regprocedure::text from pg_proc f where f.prosecdef and f.oid >= 16384 and coalesce(f.proconfig::text, '') !~ 'search_path=pg_catalog'
 union all select 'ERROR', 'R17 SECURITY DEFINER owned by ' || pg_get_userbyid(f.proowner), f.oid::regprocedure::text from pg_proc f where f.prosecdef and f.oid >= 16384 and pg_get_userbyid(f.proowner) <> current_setting('lint.definer')
 union all select 'ERROR', 'R18 user function is LEAKPROOF', f.oid::regprocedure::text from pg_proc f where f.proleakproof and f.oid >= 16384
 union all select 'ERROR', 'R19 function executable by PUBLIC', f.oid::regprocedure::text from pg_proc f left join pg_depend e on e.objid = f.oid and e.deptype = 'e' where f.oid >= 16384 and e.objid is null and f.pronamespace <> coalesce(to_regnamespace('probe'), 0::oid) and (f.proacl is null or exists (select from aclexplode(f.proacl) x where x.grantee = 0))
 union all select 'ERROR', 'R20 policy for PUBLIC', relname || '.' || polname from policy where polroles = array[0::oid]
 union all select 'ERROR', 'R21 policy outside the generator''s forms', relname || '.' || polname || ': ' || e from expression, form
   where not (e = 'true' and roles <@ array['enamel_sec', 'enamel_sealer']) and e !~ pattern
 union all select 'ERROR', 'R21b a patient''s policy without the pair check', relname || '.' || polname from expression x
   where relname not in (select relname from glob)
     -- A share opens one chart, whose tenant and patient are the pair.
     and (roles && array['enamel_patient'] and e !~ 'sec\.(pairs|actor)' or roles && array['enamel_share'] and e !~ 'sec\.patients')
     -- What is published to others names no patient: the plane cannot read the column.
     and exists (select from pg_attribute a where a.attrelid = x.polrelid and a.attname = 'patient_id'
                    and (x.polcmd <> 'r' or has_column_privilege(x.roles[1], x.polrelid, a.attnum, 'select')))
 union all select 'ERROR', 'R21f a login''s rows about patients without the pair check', relname || '.' || polname from expression x
   where roles && array['enamel_patient'] and relname not in ('sessions', 'oauth_authorizations') and e ~ 'sec\.actor' and e !~ 'sec\.pairs'
     and exists (select from pg_attribute a where a.attrelid = x.polrelid and a.attname = 'patient_id')
 union all select 'ERROR', 'R21c a tenant table without its tenant in the policy', relname || '.' || polname from expression x join ten on ten.oid = x.polrelid
   where e <> 'true' and e !~ '^(COALESCE)?tenant_id='
 union all select 'ERROR', 'R22 two permissive policies for one role and command', relname || ' ' || r::regrole || ' ' || polcmd::text from policy, unnest(polroles) r where polpermissive group by relname, r, polcmd having count(*) > 1
 union all select 'WARN', 'R23 indexed column of a type without leakproof operators', i.indexrelid::regclass || '.' || a.attname from pg_index i join tab on tab.oid = i.indrelid join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey) join pg_type ty on ty.oid = a.atttypid where ty.typtype in ('e', 'r') or ty.typname in ('numeric', 'jsonb', 'tsvector', 'citext')
 union all select 'ERROR', 'R24 TEMP or CREATE on database', p.rolname from planes p where has_database_privilege(p.oid, current_database(), 'TEMP') or has_database_privilege(p.oid, current_database(), 'CREATE')
 union all select 'ERROR', 'R25 CREATE on schema ' || n.nspname, p.rolname from planes p, pg_namespace n where has_schema_privilege(p.oid, n.oid, 'CREATE')
 union all select 'ERROR', 'R26 server older than 15.19 (CVE-2026-14666)', current_setting('server_version') where current_setting('server_version_num')::int between 150000 and 150018
 union all select 'ERROR', 'R27 plane can see or end other sessions', p.rolname || ' ' || f.oid::regprocedure from planes p, pg_proc f where f.pronamespace = 'pg_catalog'::regnamespace and f.proname in ('pg_stat_get_activity', 'pg_stat_get_backend_activity', 'pg_terminate_backend', 'pg_cancel_backend', 'pg_advisory_lock', 'pg_notify', 'lo_create') and has_function_privilege(p.oid, f.oid, 'EXECUTE')
 union all select 'ERROR', 'R28 policy function is PARALLEL UNSAFE', f.oid::regprocedure::text from pg_proc f join pg_namespace n on n.oid = f.pronamespace where n.nspname = 'sec' and f.prorettype <> 'trigger'::regtype and f.proparallel = 'u' and exists (select from pg_depend d where d.classid = 'pg_policy'::regclass and d.refobjid = f.oid)
 union all select 'ERROR', 'R29 a record a plane may insert into without a stamp', t.relname || ' ' || p.rolname from tab t cross join planes p where has_table_privilege(p.oid, t.oid, 'INSERT') and p.rolname ~ '_(staff|patient)$'
   and not exists (select from pg_trigger g where g.tgrelid = t.oid and g.tgname = 'stamp') and exists (select from pg_attribute a where a.attrelid = t.oid and a.attname = 'updated_by'))
select level || ' ' || rule || ' | ' || object from v order by 1;
