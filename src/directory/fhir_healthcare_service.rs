//! What a clinic offers, as FHIR HealthcareService.

use super::clinic_treatment::CLINIC_TREATMENT;
use crate::fhir::bind::{Bind, How, plain, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("HealthcareService");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &CLINIC_TREATMENT, PEOPLE, BINDS);

const BINDS: &[Bind] = &[
    Bind::one("active", plain("is_active")),
    Bind::one("providedBy", How::Tenant),
    Bind::item("category", words("category")),
    Bind::one("name", text("name")),
    Bind::one("comment", text("description")),
];
