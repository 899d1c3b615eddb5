//! The catalogue lint: no error on our world, many on the naive twin.

use super::arena::{self, Arena};
use super::naive::Naive;
use crate::world;
use tokio_postgres::Client;

pub const LINT: &str = include_str!("lint.sql");

/// Violations of the rules, errors only.
pub async fn errors(client: &Client, schema: &str, planes: &str, definer: &str) -> Vec<String> {
    client
        .batch_execute(&format!("set lint.schema = '{schema}'; set lint.planes = '{planes}'; set lint.definer = '{definer}'"))
        .await
        .unwrap();
    arena::texts(client, LINT).await.unwrap().into_iter().filter(|row| row.starts_with("ERROR")).collect()
}

/// Of our own schema.
pub async fn ours(client: &Client) -> Vec<String> {
    let planes = "^enamel_(staff|group|patient|share|audit|auth|jobs|platform|log|sealer)$";
    errors(client, "enamel", planes, "enamel_sec").await
}

#[test]
fn our_catalogue_has_no_error_and_the_naive_one_many() {
    world::with(async |world| {
        let arena = Arena::shared(world).await;
        let ours = ours(&arena.truth().await).await;
        assert!(ours.is_empty(), "{} violations:\n{}", ours.len(), ours.join("\n"));
        let naive = errors(&Naive::get(world).await.truth().await, "app", "^naive_app$", "enamel_sec").await;
        let mut rules: Vec<&str> = naive.iter().filter_map(|row| row.split(' ').nth(1)).collect();
        rules.dedup();
        assert!(naive.len() > 20, "only {} on the naive twin:\n{}", naive.len(), naive.join("\n"));
        assert!(rules.len() >= 14, "only these rules: {rules:?}");
    });
}

/// What a connection of every plane is held to, whatever the server asks.
#[test]
fn every_plane_is_bounded() {
    world::with(async |world| {
        let sql = "with planes as (select oid, rolname from pg_roles where rolcanlogin and rolname like 'enamel\\_%' and not rolsuper)
             select count(*)::text from planes
             union all
             select p.rolname || ' lacks ' || wanted
               from planes p left join pg_db_role_setting s on s.setrole = p.oid
              cross join unnest('{statement_timeout=15s,idle_in_transaction_session_timeout=10s,lock_timeout=3s,TimeZone=UTC,enable_material=off}'::text[]) wanted
              where (wanted = any (s.setconfig)) is not true";
        assert_eq!(arena::texts(&world.truth().await, sql).await.unwrap(), ["10"]);
    });
}
