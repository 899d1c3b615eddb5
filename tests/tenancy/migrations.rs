//! Migrating: two servers at once are safe, and doing it again changes nothing.

use crate::world;
use enamel::kernel::db::Connector;
use enamel::server::start;

/// Everything about rights that a start could change.
const RIGHTS: &str = "
    select 'policy ' || tablename || ' ' || policyname || ' ' || cmd || ' ' || roles::text || ' ' || coalesce(qual, '') || ' ' || coalesce(with_check, '')
      from pg_policies where schemaname = 'enamel'
    union all select 'table ' || c.relname || ' ' || coalesce(c.relacl::text, '') || c.relowner::regrole || c.relrowsecurity || c.relforcerowsecurity
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('enamel', 'sec', 'sec_priv', 'ledger') and c.relkind in ('r', 'v')
    union all select 'column ' || a.attrelid::regclass || '.' || a.attname || ' ' || a.attacl::text from pg_attribute a where a.attacl is not null
    union all select 'function ' || p.oid::regprocedure || ' ' || coalesce(p.proacl::text, '') || p.proowner::regrole || md5(p.prosrc)
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('sec', 'kernel')
    union all select 'trigger ' || t.tgrelid::regclass || ' ' || pg_get_triggerdef(t.oid) from pg_trigger t where not t.tgisinternal
    union all select 'schema ' || nspname || ' ' || coalesce(nspacl::text, '') from pg_namespace
    union all select 'key ' || kid from sec_priv.ctx_key
    order by 1";

#[test]
fn two_servers_migrate_at_once_and_again_changes_nothing() {
    world::with(async |world| {
        world::database(world.cluster(), "twice").await;
        let at = world.cluster().superuser_config("twice");
        let (first, second) = tokio::join!(start::migrate_as(at.clone(), &world.config), start::migrate_as(at.clone(), &world.config));
        first.unwrap();
        second.unwrap();
        let client = Connector { config: at.clone(), tls: None }.connect().await.unwrap();
        let rights = async || client.query(RIGHTS, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>();
        let before = rights().await;
        assert!(before.len() > 1_000, "{} lines", before.len());
        start::migrate_as(at, &world.config).await.unwrap();
        let after = rights().await;
        let differ: Vec<_> =
            before.iter().filter(|line| !after.contains(line)).chain(after.iter().filter(|line| !before.contains(line))).collect();
        assert!(differ.is_empty(), "{differ:#?}");
    });
}
