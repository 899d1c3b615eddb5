//! A research data set as FHIR Group that is described and not enumerated.

use super::research_dataset::RESEARCH_DATASET;
use crate::fhir::bind::{Bind, How, plain, text};
use crate::fhir::mapping::{Mapping, STAFF};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Group");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &RESEARCH_DATASET, STAFF, BINDS);

const BINDS: &[Bind] = &[
    Bind::one("type", How::Always(r#""person""#)),
    Bind::one("actual", How::Always("false")),
    Bind::one("name", text("name")),
    Bind::one("quantity", plain("member_count")),
    Bind::one("managingEntity", How::Tenant),
];
