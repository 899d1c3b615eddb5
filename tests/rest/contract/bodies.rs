//! Bodies that are good: the document's examples, their references pointing to rows that are there.

use super::walk::Route;
use crate::isolation::arena::{NORTH, OAK, STRANGER, Set};
use enamel::kernel::table::{Field, Projection, Refers, Table, Ty};
use enamel::server::domains;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

pub fn table(route: &Route) -> Option<&'static Table> {
    let own = domains::tables().find(|table| table.path == route.collection());
    own.or_else(|| projection(route).map(|projection| projection.table))
}

pub fn projection(route: &Route) -> Option<&'static Projection> {
    domains::projections().find(|projection| projection.path == route.collection())
}

/// What the record's id is called.
pub fn id_name(route: &Route) -> &'static str {
    let named = projection(route).and_then(|projection| projection.names.iter().find(|name| name.of == "id"));
    named.map_or("id", |name| name.name)
}

/// The field behind a property of a body.
fn field(route: &Route, name: &str) -> Option<&'static Field> {
    match domains::operations().find(|operation| operation.id == route.id()) {
        Some(operation) => operation.takes.iter().find(|field| field.name == name),
        None => match projection(route) {
            Some(projection) => projection.shaped().fields.iter().find(|field| field.name == name),
            None => table(route).and_then(|table| table.field(name)),
        },
    }
}

/// The table a property points to: as its field says, or as its name says.
pub fn target(route: &Route, name: &str) -> Option<&'static str> {
    let field = field(route, name).filter(|field| matches!(field.ty, Ty::Uuid | Ty::UuidArray))?;
    match field.refers {
        Refers::Tenant(to) | Refers::Installation(to) | Refers::Shared(to, _) => Some(to),
        Refers::Nothing => LOOSE
            .iter()
            .find(|(loose, _)| *loose == name)
            .map(|(_, to)| *to)
            .or_else(|| named(&snake(name.trim_end_matches("Id").trim_end_matches("_ids").trim_end_matches("_id")))),
    }
}

/// Ids of whatever another field says.
const LOOSE: &[(&str, &str)] =
    &[("input_ref_id", "imaging_studies"), ("subject_id", "patients"), ("entity_id", "patients"), ("resource_id", "patients")];

/// Who plays a part that the set itself does not fit: a picture of nobody, a clinic that is at hand.
const CAST: &[(&str, &str, Set)] =
    &[("/clinic-images", "file_id", STRANGER), ("/knowledge-versions", "document_id", STRANGER), ("/quotes", "clinic_tenant_id", NORTH)];

/// Whether the field table promises a look at what the property points to.
pub fn checked(route: &Route, name: &str) -> bool {
    field(route, name).is_some_and(|field| field.refers != Refers::Nothing)
}

fn named(what: &str) -> Option<&'static str> {
    let fits = |table: &&Table| {
        let one = snake(table.schema);
        what == one || what.ends_with(&format!("_{one}"))
    };
    domains::tables().filter(fits).max_by_key(|table| table.schema.len()).map(|table| table.name)
}

fn snake(schema: &str) -> String {
    let mut out = String::new();
    for letter in schema.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// A property that points to that id, one or a list as its schema says.
pub fn pointing(property: &Json, id: Uuid) -> Json {
    if property["type"] == "array" { json!([id]) } else { json!(id) }
}

/// The example of a route's body, with references to rows of that set.
pub fn example(route: &Route, of: Set) -> Map<String, Json> {
    let mut body = route.body().unwrap()["example"].as_object().cloned().unwrap_or_default();
    let whole = projection(route).and_then(|projection| projection.made_by).map(|(_, id)| id);
    for (name, property) in route.properties().filter(|(name, _)| *name != id_name(route)) {
        if let (Some(held), Some(to)) = (body.get_mut(name), target(route, name)) {
            let own = (route.path.contains("{id}") && table(route).is_some_and(|table| table.name == to)) || whole == Some(name);
            *held = match to {
                _ if CAST.iter().any(|(path, cast, _)| (*path, *cast) == (route.collection(), name)) => {
                    let cast = CAST.iter().find(|(path, cast, _)| (*path, *cast) == (route.collection(), name));
                    pointing(&property, cast.unwrap().2.id(to))
                }
                // The same patient twice is nobody's relative; a clinic deals with another.
                _ if own => pointing(&property, STRANGER.id(to)),
                "tenants" => pointing(&property, OAK.id(to)),
                "permissions" => json!("00000000-0000-7000-8001-000000000002"),
                _ => pointing(&property, of.id(to)),
            };
        }
    }
    body
}
