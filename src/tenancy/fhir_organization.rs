//! A tenant as FHIR Organization; the payers of a clinic are the others of the type.

use super::tenant::TENANT;
use crate::fhir::datatype::CodeableConcept;
use crate::fhir::find::{Find, HERE};
use crate::fhir::mapping::{Mapping, PEOPLE, Taken, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;
use crate::kernel::error::Result;
use crate::kernel::table::{Sort, Ty};

pub const ORGANIZATION_TYPES: &str = "http://terminology.hl7.org/CodeSystem/organization-type";

pub static TYPE: TypeDef =
    TypeDef { profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-organization"], ..TypeDef::all("Organization") };

const KINDS: crate::fhir::bind::Words = &[
    ("PAYER", "pay"),
    ("REGULATOR", "govt"),
    ("ACADEMIC", "edu"),
    ("AI_VENDOR", "other"),
    ("OTHER", "other"),
    ("SOLO_PRACTICE", "prov"),
    ("GROUP_PRACTICE", "prov"),
    ("DSO", "prov"),
];

const SITE: &str =
    "exists (select from locations l where l.tenant_id = r.id and l.id = r.default_location_id and l.deleted_at is null and ({}))";

pub static MAPPING: Mapping = Mapping {
    render: Some(render),
    take: Some(take),
    search: &[
        ("name", Find::Text { within: HERE, starts: &["r.name_key"], words: &[], exact: &["r.name"] }),
        (
            "address",
            Find::Text {
                within: SITE,
                starts: &[],
                words: &["kernel.fold(concat_ws(' ', l.city, l.region, l.postal_code, l.country))"],
                exact: &["l.city", "l.region", "l.postal_code"],
            },
        ),
        ("active", Find::Flag("r.is_active")),
        ("type", Find::Words { column: "r.type", system: ORGANIZATION_TYPES, words: KINDS }),
        ("partof", Find::Points { column: "r.parent_tenant_id", to: "Organization" }),
    ],
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    ..Mapping::new(&TYPE, &TENANT, PEOPLE)
};

fn render(whole: &Whole, out: &mut Resource) {
    let tenant = &whole.root;
    let kind = KINDS.iter().find(|(word, _)| tenant.text("type") == Some(word)).map_or("prov", |(_, code)| *code);
    out.boolean("active", tenant.flag("is_active"))
        .push("type", &CodeableConcept::of(ORGANIZATION_TYPES, kind))
        .string("name", tenant.text("name"));
    if let Some(parent) = tenant.uuid("parent_tenant_id") {
        out.reference("partOf", "Organization", parent);
    }
}

/// The name; what else a tenant is changes by operations of its own.
fn take(resource: &Resource, _base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let columns = &mut taken.root;
    columns.set("name", root.string("name")?, root.at("name"));
    Ok(())
}
