//! A team of a clinic as FHIR CareTeam.

use super::team::TEAM;
use crate::fhir::bind::{Bind, How, code, note, text, words};
use crate::fhir::mapping::{Mapping, STAFF};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("CareTeam");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &TEAM, STAFF, BINDS);

const BINDS: &[Bind] = &[
    Bind::one("status", code("status", &[("ACTIVE", "active"), ("INACTIVE", "inactive")])),
    Bind::item("category", words("kind")),
    Bind::one("name", text("name")),
    Bind::item("managingOrganization", How::Tenant),
    Bind::item("note", note("description")),
];
