//! The tree of tenants: its closure is what the parents say, whatever was moved where.

use crate::world::operations::{patch, read};
use crate::world::{self, dice::Dice};
use enamel::kernel::context::{Permission, Plane};
use enamel::tenancy::tenant::TENANT;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

type Parents = BTreeMap<Uuid, Option<Uuid>>;

/// Every ancestor and descendant with the steps between, from the parents alone.
fn closure(parents: &Parents) -> BTreeSet<(Uuid, Uuid, i32)> {
    let mut pairs = BTreeSet::new();
    for node in parents.keys() {
        let (mut at, mut depth) = (Some(*node), 0);
        while let Some(ancestor) = at {
            pairs.insert((ancestor, *node, depth));
            (at, depth) = (parents[&ancestor], depth + 1);
        }
    }
    pairs
}

#[test]
fn the_closure_follows_every_move_and_no_ring_ever_closes() {
    world::with(async |world| {
        let truth = world.truth().await;
        for seed in 0..4u64 {
            let mut dice = Dice::new(seed);
            let mut parents = Parents::new();
            let mut nodes: Vec<Uuid> = Vec::new();
            for _ in 0..12 {
                let parent = (!nodes.is_empty() && dice.below(10) < 8).then(|| nodes[dice.below(nodes.len())]);
                let made = world.tenant("DSO", parent).await.id;
                parents.insert(made, parent);
                nodes.push(made);
            }
            for _ in 0..25 {
                let (node, parent) = (nodes[dice.below(nodes.len())], nodes[dice.below(nodes.len())]);
                let parent = (dice.below(10) > 0).then_some(parent);
                let ring = parent.is_some_and(|parent| closure(&parents).iter().any(|(a, d, _)| *a == node && *d == parent));
                let moved = truth.execute("update enamel.tenants set parent_tenant_id = $2 where id = $1", &[&node, &parent]).await;
                assert_eq!(moved.is_err(), ring, "seed {seed}");
                if !ring {
                    parents.insert(node, parent);
                }
            }
            let rows = truth.query("select ancestor_id, descendant_id, depth from enamel.tenant_closure where descendant_id = any ($1) or ancestor_id = any ($1)", &[&nodes]).await.unwrap();
            let stored: BTreeSet<_> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
            assert_eq!(stored, closure(&parents), "seed {seed}");
            for row in truth.query("select id, root_tenant_id from enamel.tenants where id = any ($1)", &[&nodes]).await.unwrap() {
                let (mut root, id): (Uuid, Uuid) = (row.get(0), row.get(0));
                while let Some(parent) = parents[&root] {
                    root = parent;
                }
                assert_eq!(row.get::<_, Uuid>(1), root, "the root of {id}, seed {seed}");
            }
        }
    });
}

#[test]
fn moving_a_subtree_rewrites_no_data_rows() {
    world::with(async |world| {
        let (old, new) = (world.tenant("DSO", None).await, world.tenant("DSO", None).await);
        let clinic = world.tenant("GROUP_PRACTICE", Some(old.id)).await;
        let patient = clinic.patient("Moved").await.unwrap();
        let truth = world.truth().await;
        let place = "select ctid::text || xmin::text from enamel.patients where id = $1";
        let before: String = truth.query_one(place, &[&patient.id]).await.unwrap().get(0);
        truth.execute("update enamel.tenants set parent_tenant_id = $2 where id = $1", &[&clinic.id, &new.id]).await.unwrap();
        assert_eq!(truth.query_one(place, &[&patient.id]).await.unwrap().get::<_, String>(0), before);
        for (dso, sees) in [(old.id, false), (new.id, true)] {
            let group = world.caller(Plane::Group, dso, None, &[Permission::ViewPatient]);
            assert_eq!(read(&group, &enamel::patients::patient::PATIENT, patient.id).await.is_ok(), sees);
        }
    });
}

#[test]
fn staff_change_their_own_tenant_and_its_log_says_so() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let changed = patch(&clinic.staff(), &TENANT, clinic.id, 1, json!({"legal_name": "New Ltd", "tax_id": "DE 123"})).await.unwrap();
        assert_eq!((changed.version, changed.text("tax_id")), (2, Some("DE 123")));
        assert_eq!(patch(&clinic.staff(), &TENANT, other.id, 1, json!({"legal_name": "Mine"})).await.unwrap_err().code.status, 404);
        let truth = world.truth().await;
        let told: i64 = truth
            .query_one(
                "select count(*) from enamel.audit_events where tenant_id = $1 and resource_id = $1 and action = 'UPDATE'",
                &[&clinic.id],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(told, 1);
    });
}
