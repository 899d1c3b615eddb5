//! Materials of the reference as FHIR Substance, and equipment as DeviceDefinition.

use super::equipment_reference::EQUIPMENT_REFERENCE;
use super::fhir_medication::IN_USE;
use super::material_reference::MATERIAL_REFERENCE;
use crate::fhir::bind::{Bind, How, code, identifier, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static SUBSTANCE: TypeDef = TypeDef::all("Substance");
static EQUIPMENT: TypeDef = TypeDef::all("DeviceDefinition");

pub static MATERIAL: Mapping = Mapping::shown(&SUBSTANCE, &MATERIAL_REFERENCE, PEOPLE, MATERIALS);

const MATERIALS: &[Bind] = &[
    Bind::item("identifier", identifier("product_code", "urn:enamel:product-code")),
    Bind::one("status", code("is_active", IN_USE)),
    Bind::item("category", words("category")),
    Bind::one("code", words("name")),
];

pub static DEFINITION: Mapping = Mapping::shown(&EQUIPMENT, &EQUIPMENT_REFERENCE, PEOPLE, EQUIPMENTS);

const EQUIPMENTS: &[Bind] = &[
    Bind::one("manufacturerString", text("manufacturer")),
    Bind::item("deviceName", How::Within(&[Bind::one("name", text("name")), Bind::one("type", How::Always(r#""model-name""#))])),
    Bind::one("modelNumber", text("model")),
    Bind::one("type", words("category")),
];
