//! Every operation of the document names the capability it needs: who has all others is refused, and who has that one is not.

use super::bodies;
use super::stage::{Answer, Stage};
use super::walk::{self, Route};
use crate::isolation::arena::NORTH;
use crate::world;
use enamel::kernel::context::{Caps, Permission, Plane};
use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Not asked for a capability: for nobody yet known, for whoever holds a key, for everybody who is signed in, and the batch,
/// whose steps are asked one by one.
const FREE: &[&str] = &[
    "findFreeSlots",
    "getReferralForm",
    "getReferralPublicStatus",
    "listAuditKeys",
    "openShareLink",
    "refreshSession",
    "runBatch",
    "signIn",
    "submitPublicReferral",
];

fn named(route: &Route) -> Option<Permission> {
    let word = route.operation["x-permission"].as_str()?;
    Some(*Permission::ALL.iter().find(|known| known.word() == word).unwrap_or_else(|| panic!("{}: {word}", route.name())))
}

/// Whom its own planes, or else its table's policies, let in.
fn is_for(route: &Route, plane: Plane) -> bool {
    let planes = route.operation["x-planes"].as_array();
    planes.is_none_or(|planes| planes.iter().any(|word| word == plane.word()))
}

async fn ask(stage: &Stage, route: &Route, plane: Plane, caps: Caps, path: &str, body: &Json) -> Answer {
    let body = (route.method != Method::GET && route.method != Method::DELETE).then(|| body.to_string());
    stage.send(&stage.holder(plane, caps), &route.method, path, Some("W/\"1\""), body).await
}

fn without(permission: Permission) -> Caps {
    Caps::of(&Permission::ALL.iter().copied().filter(|held| *held != permission).collect::<Vec<_>>())
}

fn refused_for(answer: &Answer, permission: Permission) -> bool {
    let told = format!("The permission {} is needed.", permission.word());
    answer.status == 403 && answer.body["code"] == "auth.forbidden" && answer.body["detail"] == told.as_str()
}

fn empty(answer: &Answer) -> bool {
    answer.body["items"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn every_operation_names_its_capability() {
    let nameless: Vec<&str> = walk::routes().filter(|route| named(route).is_none()).map(|route| route.id()).collect();
    let mut free = nameless.clone();
    free.sort_unstable();
    assert_eq!(free, FREE);
}

#[test]
fn who_lacks_the_capability_is_refused() {
    world::with(async |world| {
        let stage = Stage::shared(world).await;
        let (mut wrong, mut asked) = (Vec::new(), 0);
        for (route, permission) in walk::routes().filter_map(|route| named(&route).map(|permission| (route, permission))) {
            if permission == Permission::Own || !is_for(&route, Plane::Staff) {
                continue;
            }
            asked += 1;
            let good = route.body().map_or(json!({}), |_| Json::Object(bodies::example(&route, NORTH)));
            let lacking = ask(stage, &route, Plane::Staff, without(permission), &stage.path(&route, NORTH), &good).await;
            if !refused_for(&lacking, permission) {
                wrong.push(format!("{} without {}: {} {}", route.name(), permission.word(), lacking.status, lacking.body));
            }
            // A record that is not there and a member nobody knows: what is said then is not about permissions.
            let nowhere = route.path.replace("{id}", &Uuid::now_v7().to_string());
            let holding = ask(stage, &route, Plane::Staff, Caps::of(&[permission]), &nowhere, &json!({"no_such_member": 1})).await;
            if holding.status == 403 {
                wrong.push(format!("{} with {} alone: {}", route.name(), permission.word(), holding.body));
            }
        }
        assert!(asked > 800, "{asked}");
        assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// Other planes are told nothing, not even what they lack: they find nothing, or are refused.
#[test]
fn on_the_other_planes_nothing_is_found_without_it() {
    world::with(async |world| {
        let stage = Stage::raise(world).await;
        let before = stage.rows().await;
        let (mut wrong, mut asked) = (Vec::new(), 0);
        for plane in [Plane::Group, Plane::Patient, Plane::Audit, Plane::Platform] {
            for (route, permission) in walk::routes().filter_map(|route| named(&route).map(|permission| (route, permission))) {
                if permission == Permission::Own || !is_for(&route, plane) || !route.operation["x-planes"].is_array() {
                    continue;
                }
                asked += 1;
                let good = route.body().map_or(json!({}), |_| Json::Object(bodies::example(&route, NORTH)));
                let lacking = ask(&stage, &route, plane, without(permission), &stage.path(&route, NORTH), &good).await;
                if lacking.status < 300 && !empty(&lacking) {
                    wrong.push(format!("{} on {} without {}: {} {}", route.name(), plane.word(), permission.word(), lacking.status, lacking.body));
                }
            }
        }
        let after = stage.rows().await;
        stage.strike().await;
        assert!(asked > 50, "{asked}");
        assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
        assert_eq!(after, before, "nothing was stored");
    });
}
