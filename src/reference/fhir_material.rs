//! Materials of the reference as FHIR Substance, and equipment as DeviceDefinition.

use super::equipment_reference::EQUIPMENT_REFERENCE;
use super::material_reference::MATERIAL_REFERENCE;
use crate::fhir::bind::{Bind, How, identifier, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;

static SUBSTANCE: TypeDef = TypeDef::all("Substance");
static EQUIPMENT: TypeDef = TypeDef::all("DeviceDefinition");

pub static MATERIAL: Mapping = Mapping { render: Some(state), ..Mapping::shown(&SUBSTANCE, &MATERIAL_REFERENCE, PEOPLE, MATERIALS) };

const MATERIALS: &[Bind] = &[
    Bind::item("identifier", identifier("product_code", "urn:enamel:product-code")),
    Bind::item("category", words("category")),
    Bind::one("code", words("name")),
];

fn state(whole: &Whole, out: &mut Resource) {
    out.code("status", if whole.root.flag("is_active") { "active" } else { "inactive" });
}

pub static DEFINITION: Mapping = Mapping::shown(&EQUIPMENT, &EQUIPMENT_REFERENCE, PEOPLE, EQUIPMENTS);

const EQUIPMENTS: &[Bind] = &[
    Bind::one("manufacturerString", text("manufacturer")),
    Bind::item("deviceName", How::Within(&[Bind::one("name", text("name")), Bind::one("type", How::Always(r#""model-name""#))])),
    Bind::one("modelNumber", text("model")),
    Bind::one("type", words("category")),
];
