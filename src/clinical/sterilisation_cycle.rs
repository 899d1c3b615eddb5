//! One run of a steriliser, with what its indicators said (catalogue 10.14). A log: nobody rewrites it.

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static STERILISATION_CYCLE: Table = Table {
    name: "sterilisation_cycles",
    schema: "SterilisationCycle",
    plural: "SterilisationCycles",
    path: "/sterilisation-cycles",
    tag: "Encounters",
    doc: "One run of a steriliser, with what its indicators said.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::EditClinical,
    group: true,
    patient: None,
    sorts: &[Sort { name: "started_at", column: "started_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "started_at_from", how: How::From("started_at") },
        Filter { name: "started_at_to", how: How::Before("started_at") },
        Filter { name: "released_by", how: How::Equal },
    ],
    fields: &[
        Field::uuid("location_id").required().refers(Refers::Tenant("locations")),
        Field::text("steriliser").required(),
        Field::int("cycle_no").required().at_least(1),
        Field::text("program").required(),
        Field::instant("started_at").required(),
        Field::instant("ended_at"),
        Field::double("temperature_c").at_least(0).at_most(300).doc("unit: Cel"),
        Field::choice("result", &["PASSED", "FAILED", "ABORTED"]).means(&["sterile", "not sterile", "broken off"]).required(),
        Field::text("load").length(4000),
        Field::uuid("released_by").refers(Refers::Installation("users")).doc("who let the load be used; of a passed cycle only"),
    ],
    machines: &[],
};
