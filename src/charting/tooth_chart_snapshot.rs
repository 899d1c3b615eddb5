//! The whole chart of a patient at one moment, built from chart_entries (catalogue 8.01, 8.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TOOTH_CHART_SNAPSHOT: Table = Table {
    name: "tooth_chart_snapshots",
    schema: "ToothChartSnapshot",
    plural: "ToothChartSnapshots",
    path: "/tooth-chart-snapshots",
    tag: "Dental charting and periodontal charting",
    doc: "The whole chart of a patient at one moment, built from chart_entries.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "as_of", column: "as_of", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "as_of_from", how: How::From("as_of") },
        Filter { name: "as_of_to", how: How::Before("as_of") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("encounter_id").refers(Refers::Tenant("encounters")).doc("null for a chart outside a visit"),
        Field::json("chart_json")
            .required()
            .read_only()
            .phi()
            .doc("schema version, tooth system metadata, per tooth and surface conditions, restorations, prostheses, statuses"),
        Field::int("schema_version").defaulted().read_only(),
        Field::instant("as_of").required(),
        Field::text("entries_hash").required().read_only().phi().doc("the rebuild from entries must give the same hash"),
    ],
    machines: &[],
};
