//! A server that would not be safe does not start, and policies applied twice are the same policies.

use super::arena::{Arena, superuser, texts};
use crate::world;
use enamel::kernel::db::{Connector, check};
use enamel::server::start;

#[test]
fn an_unsafe_database_is_refused() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "startup").await;
        let staff = arena.connector("staff");
        check::refuse_unsafe(&[&staff]).await.unwrap();
        let why = async |connector: &Connector| check::refuse_unsafe(&[connector]).await.unwrap_err().cause.unwrap().to_string();
        let admin = Connector { config: world.cluster().superuser_config(&arena.name), tls: None };
        assert!(why(&admin).await.contains("superuser"));

        let truth = arena.truth().await;
        truth.batch_execute("create role isolation_bypass login bypassrls password 'x'; create role isolation_member login password 'x' in role isolation_bypass").await.unwrap();
        truth.batch_execute(&format!("grant connect on database {} to isolation_bypass, isolation_member", arena.name)).await.unwrap();
        let role = |name: &str| Connector { config: world.cluster().config(name, "x", &arena.name), tls: None };
        assert!(why(&role("isolation_bypass")).await.contains("may bypass"));
        assert!(why(&role("isolation_member")).await.contains("member of another role"));
        truth.batch_execute("alter table enamel.teams no force row level security").await.unwrap();
        assert!(why(&staff).await.contains("teams is not under forced row-level security"));
        truth
            .batch_execute("alter table enamel.teams force row level security; create policy open on enamel.teams using (true)")
            .await
            .unwrap();
        assert!(why(&staff).await.contains("policy for everybody"));
        assert!(check::too_old(150_018).is_some());
        drop(truth);
        let name = arena.name.clone();
        arena.drop().await;
        superuser(world, "postgres")
            .await
            .batch_execute("drop role isolation_member, isolation_bypass")
            .await
            .unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    });
}

#[test]
fn policies_applied_twice_are_the_same() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "twice").await;
        let truth = arena.truth().await;
        let state = "select c.relname || ' ' || coalesce(c.relacl::text, '') from pg_class c where relnamespace = 'enamel'::regnamespace
            union all select a.attrelid::regclass || '.' || a.attname || ' ' || a.attacl::text from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace = 'enamel'::regnamespace and a.attacl is not null
            union all select tablename || '.' || policyname || roles::text || cmd || coalesce(qual, '') || coalesce(with_check, '') from pg_policies
            union all select p.oid::regprocedure || ' ' || p.proowner::regrole || coalesce(p.proacl::text, '') from pg_proc p where pronamespace in ('sec'::regnamespace, 'kernel'::regnamespace)
            order by 1";
        let before = texts(&truth, state).await.unwrap();
        start::migrate_as(world.cluster().superuser_config(&arena.name), &world.config).await.unwrap();
        let after = texts(&truth, state).await.unwrap();
        let differ: Vec<_> = before.iter().zip(&after).filter(|(one, two)| one != two).take(3).collect();
        assert!(before == after, "{differ:?}");
        drop(truth);
        arena.drop().await;
    });
}
