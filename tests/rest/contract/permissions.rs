//! Every operation of the document names the capability it needs: who has all others is refused, and who has that one is
//! not, with what everybody has who works with patients: a row about one asks for that besides.

use super::bodies;
use super::stage::{Answer, Stage, grown};
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
    "beginPasskeySignIn",
    "findSlots",
    "getAuditKeys",
    "getPublicReferralStatus",
    "getReferralForm",
    "openShareLink",
    "refreshSession",
    "requestPasswordReset",
    "resetPassword",
    "respondToReferralByLink",
    "runBatch",
    "signIn",
    "signInWithPasskey",
    "submitPublicReferral",
    "verifyEmail",
];

fn named(route: &Route) -> Option<Permission> {
    let word = route.operation["x-permission"].as_str()?;
    Some(*Permission::ALL.iter().find(|known| known.word() == word).unwrap_or_else(|| panic!("{}: {word}", route.name())))
}

/// The planes on which the lack of a capability is told.
fn is_for(route: &Route, planes: &[Plane]) -> bool {
    let words = route.operation["x-planes"].as_array();
    words.is_none_or(|words| words.iter().any(|word| planes.iter().any(|plane| word == plane.word())))
}

async fn ask(stage: &Stage, route: &Route, caps: Caps, path: &str, body: &Json) -> Answer {
    let body = (route.method != Method::GET && route.method != Method::DELETE).then(|| body.to_string());
    stage.send(&stage.holder(Plane::Staff, caps), &route.method, path, Some("W/\"1\""), body).await
}

fn without(permission: Permission) -> Caps {
    Caps::of(&Permission::ALL.iter().copied().filter(|held| *held != permission).collect::<Vec<_>>())
}

fn refused_for(answer: &Answer, permission: Permission) -> bool {
    let told = format!("The permission {} is needed.", permission.word());
    answer.status == 403 && answer.body["code"] == "auth.forbidden" && answer.body["detail"] == told.as_str()
}

#[test]
fn every_operation_names_its_capability() {
    let nameless: Vec<&str> = walk::routes().filter(|route| named(route).is_none()).map(|route| route.id()).collect();
    let mut free = nameless.clone();
    free.sort_unstable();
    assert_eq!(free, FREE);
    // Policies alone decide for patients: what is theirs asks for no capability of staff.
    let theirs = walk::routes().filter(|route| !is_for(route, &[Plane::Staff, Plane::Group, Plane::Audit, Plane::Platform]));
    let misnamed: Vec<&str> =
        theirs.filter(|route| named(route).is_some_and(|named| named != Permission::Own)).map(|route| route.id()).collect();
    assert_eq!(misnamed, Vec::<&str>::new());
}

#[test]
fn who_lacks_the_capability_is_refused() {
    world::with(async |world| {
        let stage = Stage::shared(world).await;
        let before = stage.rows().await;
        let (mut wrong, mut asked) = (Vec::new(), 0);
        for (route, permission) in walk::routes().filter_map(|route| named(&route).map(|permission| (route, permission))) {
            // A record that is not there and a member nobody knows: what is said then is not about permissions.
            let nowhere = route.path.replace("{id}", &Uuid::now_v7().to_string());
            let odd = json!({"no_such_member": 1});
            if permission == Permission::Own
                || !is_for(&route, &[Plane::Staff])
                || ask(stage, &route, Caps::ALL, &nowhere, &odd).await.status == 403
            {
                continue;
            }
            asked += 1;
            let good = route.body().map_or(json!({}), |_| Json::Object(bodies::example(&route, NORTH)));
            let lacking = ask(stage, &route, without(permission), &stage.path(&route, NORTH), &good).await;
            if !refused_for(&lacking, permission) {
                wrong.push(format!("{} without {}: {} {}", route.name(), permission.word(), lacking.status, lacking.body));
            }
            let holding =
                ask(stage, &route, Caps::of(&[permission, Permission::ViewTenant, Permission::ViewPatient]), &nowhere, &odd).await;
            if holding.status == 403 {
                wrong.push(format!("{} with {} alone: {}", route.name(), permission.word(), holding.body));
            }
        }
        wrong.extend(grown(&before, &stage.rows().await));
        assert!(asked > 900, "{asked}");
        assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    });
}
