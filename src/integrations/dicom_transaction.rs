//! One exchange with a DICOM peer (catalogue 15.06, B9, B13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static DICOM_TRANSACTION: Table = Table {
    name: "dicom_transactions",
    schema: "DicomTransaction",
    plural: "DicomTransactions",
    path: "/dicom-transactions",
    tag: "Integrations",
    doc: "One exchange with a DICOM peer.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: false,
    patient: None,
    sorts: &[Sort { name: "started_at", column: "started_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "node_id", how: How::Equal },
        Filter { name: "operation", how: How::Equal },
        Filter { name: "direction", how: How::Equal },
        Filter { name: "study_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("node_id").refers(Refers::Tenant("dicom_nodes")),
        Field::choice(
            "operation",
            &["C_STORE", "C_FIND", "C_MOVE", "C_ECHO", "C_GET", "N_ACTION", "N_EVENT_REPORT", "STOW", "QIDO", "WADO"],
        )
        .means(&["store", "find", "move", "echo", "get", "action", "event report", "STOW-RS", "QIDO-RS", "WADO-RS"])
        .required(),
        Field::choice("direction", &["IN", "OUT"]).means(&["received", "sent"]).required(),
        Field::text("study_uid").phi(),
        Field::uuid("study_id").refers(Refers::Tenant("imaging_studies")),
        Field::text("status_code").required().phi(),
        Field::int("object_count").defaulted(),
        Field::big("byte_count").defaulted().doc("unit: bytes"),
        Field::text("error_details").length(4000).phi(),
        Field::instant("started_at").required(),
        Field::instant("completed_at"),
    ],
    machines: &[],
};
