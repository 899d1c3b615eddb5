//! How PostgreSQL carries out what a search over FHIR asks: each parameter of each type, over every table of the type.

use super::arena::Arena;
use super::plans::{Catalogue, FOR_NOTHING, Judge};
use super::volume::{HERE, Volume};
use crate::world;
use enamel::fhir::registry::Interaction;
use enamel::fhir::search::{Kind, SearchParam};
use enamel::kernel::context::Plane;
use enamel::kernel::table::Value;
use enamel::server::{domains, fhir};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Of types that no table is but that of what is kept whole, all are asked alike.
const KEPT: &str = "Basic";

/// What an index cannot answer, or none is kept for: words inside texts, measures, lists of codes, parts of what a column has.
/// Such a search reads what the clinic has of the type, or of the patient where it names one.
fn is_read_through(type_name: &str, param: &SearchParam) -> bool {
    match (type_name, param.name, param.kind) {
        ("RelatedPerson", "name", _) => true,
        (_, "name" | "family" | "given" | "address-city" | "address-postalcode", _) => false,
        (_, "quadrant" | "surface" | "address-use" | "body-site" | "combo-value-concept" | "component-value-concept", _) => true,
        ("ImagingStudy" | "Media" | "ServiceRequest", "tooth", _) => true,
        // Ends that are open; the log, which is asked for of a time, a person or a record.
        ("Schedule", "date", _) | ("AuditEvent", "subtype", _) => true,
        (.., kind) => matches!(kind, Kind::String | Kind::Quantity | Kind::Number | Kind::Special),
    }
}

fn value(param: &SearchParam) -> Option<String> {
    Some(match param.kind {
        Kind::Token if param.name == "tooth" => "11".into(),
        Kind::Token if param.name == "quadrant" => "20".into(),
        Kind::Token if param.name == "surface" => "M".into(),
        Kind::String | Kind::Token => "abc".into(),
        Kind::Date => "2024-05-06".into(),
        Kind::Number => "5".into(),
        Kind::Quantity => "5.4|http://unitsofmeasure.org|mm".into(),
        Kind::Uri => "urn:x".into(),
        Kind::Reference => format!("{}/{}", param.targets.first()?, Uuid::now_v7()),
        Kind::Composite => param.components.iter().map(value).collect::<Option<Vec<_>>>()?.join("$"),
        Kind::Special if param.name == "near" => "47|8|3|km".into(),
        Kind::Special => "A1..B2".into(),
    })
}

/// A type that the reference leads to and that has numbers.
fn chained(param: &SearchParam) -> Option<&'static str> {
    let has_numbers = |target: &&&'static str| ["Patient", "Practitioner", "Organization", "Encounter", "Location"].contains(*target);
    param.targets.iter().filter(|_| param.kind == Kind::Reference).find(has_numbers).copied()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[test]
fn every_search_parameter_walks_its_tenants_part_of_an_index() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let caller = clinic.staff();
        let volume = Volume::make(Arena::fresh(world, "searches").await).await;
        let truth = volume.arena.truth().await;
        let catalogue = Catalogue::read(&truth).await;
        let (session, here) = (volume.session(Plane::Staff).await, volume.id("tenants", HERE, 0));
        session.client.batch_execute("set search_path = enamel, pg_catalog").await.unwrap();
        session.begin(&session.seal(&volume.caller(Plane::Staff))).await;
        // Few rows would be read through whatever index there is.
        session.client.batch_execute("set local enable_seqscan = off").await.unwrap();
        let own = |name: &str| name == KEPT || domains::resources().any(|mapping| mapping.of.name == name);
        let (mut asked, mut wrong) = (0, BTreeMap::<String, Vec<String>>::new());
        for def in fhir::types::registry().types().iter().filter(|def| own(def.name) && def.allows(Interaction::SearchType).is_ok()) {
            for param in def.search {
                let is_read_through = is_read_through(def.name, param);
                let Some(value) = value(param) else { panic!("{} is asked by nothing", param.name) };
                let mut questions = vec![format!("{}={}", param.name, encoded(&value))];
                // What the reference leads to, by its number.
                questions.extend(chained(param).into_iter().map(|target| format!("{}:{target}.identifier=abc", param.name)));
                for question in questions {
                    let statements = fhir::statements(&caller, def.name, &question).await;
                    let question = format!("{}?{question}", def.name);
                    for mut built in statements.unwrap_or_else(|refusal| panic!("{question}: {refusal:?}")) {
                        for value in &mut built.values {
                            if matches!(value, Value::Uuid(id) if *id == clinic.id) {
                                *value = Value::Uuid(here);
                            }
                        }
                        let sql = format!("explain (analyze, timing off, format json) {}", built.query.text);
                        let params: Vec<_> = built.params().into_iter().zip(built.query.types.iter().cloned()).collect();
                        let rows = session
                            .client
                            .query_typed(&sql, &params)
                            .await
                            .unwrap_or_else(|failure| panic!("{question}: {failure:?}\n{sql}"));
                        let plan: Json = rows[0].get(0);
                        let mut judge = Judge {
                            catalogue: &catalogue,
                            large: &volume.large,
                            for_nothing: if is_read_through { f64::INFINITY } else { FOR_NOTHING },
                            by_cost: false,
                            ran: !is_read_through,
                            faults: Vec::new(),
                        };
                        judge.node(&plan[0]["Plan"]);
                        asked += 1;
                        for fault in judge.faults {
                            wrong.entry(format!("{:?} {fault}", param.kind)).or_default().push(question.clone());
                        }
                    }
                }
            }
        }
        session.rollback().await;
        let told: Vec<String> = wrong.iter().map(|(fault, of)| format!("{fault}: {} searches, as {}", of.len(), of.join(" "))).collect();
        assert!(asked > 1_000, "{asked}");
        assert!(wrong.is_empty(), "{asked} plans, {} faults:\n{}", wrong.len(), told.join("\n"));
        drop((session, truth));
        volume.arena.drop().await;
    });
}
