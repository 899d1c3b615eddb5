//! Keyset pages: every row once, in order, over ties, empty values, both directions, one clinic and many.

use crate::world::{self, dice::Dice, tenants::Clinic};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::table::list::sort_of;
use enamel::kernel::table::{List, Record, store};
use enamel::patients::patient::PATIENT;
use serde_json::{Value as Json, json};
use std::cmp::Ordering;

const NAMES: [&str; 7] = ["Ågren", "agren", "Østby", "Zoë", "de Vries", "De  Vries", "李"];

async fn fill(clinic: &Clinic, dice: &mut Dice, rows: usize) {
    for _ in 0..rows {
        let mut body = json!({"last_name": NAMES[dice.below(NAMES.len())]});
        if dice.below(3) > 0 {
            body["dob"] = format!("1980-01-0{}", 1 + dice.below(3)).into();
        }
        world::operations::create(&clinic.staff(), &PATIENT, body).await.unwrap();
    }
}

/// Every page after the other.
async fn walk(caller: &Caller, sort: &str, descending: bool, limit: usize, deleted: bool) -> Vec<Record> {
    let mut list = List::new(&PATIENT);
    (list.sort, list.descending, list.limit, list.include_deleted) = (sort_of(&PATIENT, sort).unwrap(), descending, limit, deleted);
    let mut all = Vec::new();
    loop {
        let (records, next) = store::list(caller.read(&PATIENT).await.unwrap(), &list, &caller.kernel.keys).await.unwrap();
        assert!(records.len() <= limit);
        all.extend(records);
        assert!(all.len() < 1_000, "the pages do not end");
        list.after = match next {
            Some(next) => Some(next),
            None => return all,
        };
    }
}

/// As the database folds: asked of it, so that the test sorts by the same text.
async fn sorted(world: &world::World, mut rows: Vec<Record>, sort: &str, descending: bool) -> Vec<(uuid::Uuid, uuid::Uuid)> {
    let truth = world.truth().await;
    let mut folded = std::collections::HashMap::new();
    for name in NAMES {
        folded.insert(name, truth.query_one("select kernel.fold($1)", &[&name]).await.unwrap().get::<_, String>(0));
    }
    let key = |record: &Record| -> Json {
        match sort {
            "id" => Json::Null,
            "last_name" => folded[record.text("last_name").unwrap()].clone().into(),
            name => record.get(name).clone(),
        }
    };
    rows.sort_by(|a, b| {
        let way = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
        match (key(a), key(b)) {
            (Json::String(x), Json::String(y)) => way(x.as_bytes().cmp(y.as_bytes())),
            (Json::Null, Json::String(_)) => Ordering::Greater,
            (Json::String(_), Json::Null) => Ordering::Less,
            _ => Ordering::Equal,
        }
        .then(way(a.id.cmp(&b.id)))
        .then(way(a.tenant.cmp(&b.tenant)))
    });
    rows.iter().map(|record| (record.tenant, record.id)).collect()
}

#[test]
fn every_row_comes_once_and_in_order_whatever_the_page_size() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let mut dice = Dice::new(7);
        let mut clinics = Vec::new();
        for _ in 0..3 {
            let clinic = world.tenant("GROUP_PRACTICE", Some(dso.id)).await;
            fill(&clinic, &mut dice, 11).await;
            clinics.push(clinic);
        }
        // One id in two clinics: the tenant decides between them.
        let shared = uuid::Uuid::now_v7();
        for clinic in &clinics[..2] {
            world::operations::create(&clinic.staff(), &PATIENT, json!({"id": shared, "last_name": "Zoë"})).await.unwrap();
        }
        let retired = walk(&clinics[0].staff(), "id", false, 50, false).await.remove(0);
        world::operations::retire(&clinics[0].staff(), &PATIENT, retired.id, 1).await.unwrap();
        let group = world.caller(Plane::Group, dso.id, None, &[Permission::ViewPatient]);
        for (caller, rows) in [(clinics[0].staff(), 11), (group, 34)] {
            for sort in ["id", "last_name", "dob", "created_at"] {
                for descending in [false, true] {
                    let whole = walk(&caller, sort, descending, 200, false).await;
                    assert_eq!(whole.len(), rows);
                    let expected = sorted(world, whole, sort, descending).await;
                    for limit in [1, 2, 5, 34] {
                        let walked: Vec<_> =
                            walk(&caller, sort, descending, limit, false).await.iter().map(|record| (record.tenant, record.id)).collect();
                        assert_eq!(walked, expected, "{sort} descending {descending} by {limit}, {rows} rows");
                    }
                    assert_eq!(walk(&caller, sort, descending, 3, true).await.len(), rows + 1);
                }
            }
        }
    });
}

#[test]
fn a_cursor_opens_for_whom_it_was_made() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        for clinic in [&clinic, &other] {
            fill(clinic, &mut Dice::new(1), 3).await;
        }
        let (ours, theirs) = (clinic.token("TENANT_ADMIN").await, other.token("TENANT_ADMIN").await);
        let (_, page) = world.get(Some(&ours), "/patients?limit=1&sort=last_name").await;
        let next = format!("/patients?limit=1&sort=last_name&cursor={}", page["next"].as_str().unwrap());
        assert_eq!(world.get(Some(&ours), &next).await.0, 200);
        // A name between two of theirs could be found by asking.
        let (status, refusal) = world.get(Some(&theirs), &next).await;
        assert_eq!((status, refusal["errors"][0]["field"].as_str()), (400, Some("cursor")), "{refusal}");
    });
}

#[test]
fn a_cursor_opens_only_on_its_own_list() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        fill(&clinic, &mut Dice::new(1), 3).await;
        let mut list = List::new(&PATIENT);
        (list.limit, list.sort) = (1, sort_of(&PATIENT, "last_name").unwrap());
        let (_, next) = store::list(clinic.staff().read(&PATIENT).await.unwrap(), &list, &world.kernel.keys).await.unwrap();
        let text = next.unwrap().seal(&list, world.kernel.keys.own()).unwrap();
        assert!(enamel::kernel::table::Cursor::open(&text, &list, world.kernel.keys.own()).is_ok());
        let mut other = list.clone();
        other.descending = true;
        assert!(enamel::kernel::table::Cursor::open(&text, &other, world.kernel.keys.own()).is_err());
        other = List { question: "of somebody else".to_owned(), ..list.clone() };
        assert!(enamel::kernel::table::Cursor::open(&text, &other, world.kernel.keys.own()).is_err());
        other = List { sort: sort_of(&PATIENT, "dob").unwrap(), ..list };
        assert!(enamel::kernel::table::Cursor::open(&text, &other, world.kernel.keys.own()).is_err());
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&text).unwrap();
        let shown = |name: &str| bytes.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
        assert!(!NAMES.iter().any(|name| name.len() > 3 && shown(name)), "a cursor shows no name");
    });
}
