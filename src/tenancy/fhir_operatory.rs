//! A chair or room of a site as FHIR Location, part of the site. Read only: the schedule makes and changes them.

use super::fhir_location::{PLACES, STATUSES, TYPE};
use super::operatory::OPERATORY;
use crate::fhir::datatype::CodeableConcept;
use crate::fhir::find::{Find, HERE, TENANT};
use crate::fhir::mapping::{Mapping, STAFF, Whole};
use crate::fhir::resource::Resource;

pub static MAPPING: Mapping = Mapping {
    render: Some(render),
    writes: false,
    search: &[
        ("name", Find::Text { within: HERE, starts: &["kernel.fold(r.name)"], words: &[], exact: &["r.name"] }),
        ("address", Find::Never),
        ("address-city", Find::Never),
        ("address-state", Find::Never),
        ("address-postalcode", Find::Never),
        ("near", Find::Never),
        (
            "status",
            Find::Words {
                column: "r.status",
                system: STATUSES,
                words: &[("OUT_OF_SERVICE", "suspended"), ("RETIRED", "inactive"), ("ACTIVE", "active")],
            },
        ),
        ("organization", TENANT),
        ("partof", Find::Points { column: "r.location_id", to: "Location" }),
    ],
    sorts: &[],
    ..Mapping::new(&TYPE, &OPERATORY, STAFF)
};

fn render(whole: &Whole, out: &mut Resource) {
    let room = &whole.root;
    let status = match room.text("status") {
        Some("OUT_OF_SERVICE") => "suspended",
        Some("RETIRED") => "inactive",
        _ => "active",
    };
    out.code("status", status).string("name", room.text("name")).code("mode", "instance");
    out.put("physicalType", &CodeableConcept::of(PLACES, "ro")).reference("managingOrganization", "Organization", room.tenant);
    if let Some(site) = room.uuid("location_id") {
        out.reference("partOf", "Location", site);
    }
}
