//! Permission of a family member or guardian to act for a patient, scoped and expiring (catalogue 4.19, B6, C37, 2.24).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static PATIENT_PROXY: Table = Table {
    name: "patient_proxies",
    schema: "PatientProxy",
    plural: "PatientProxies",
    path: "/patient-proxies",
    tag: "Patients",
    doc: "Permission of a family member or guardian to act for a patient, scoped and expiring.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "relationship", how: How::Equal },
        Filter { name: "relationship_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "granted_by", how: How::Equal },
        Filter { name: "evidence_document_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("user_id").required().fixed().refers(Refers::Installation("users")),
        Field::choice("relationship", &["PARENT", "SPOUSE", "CHILD", "GUARDIAN", "OTHER"]).means(&["father or mother", "husband, wife or partner", "son or daughter", "guardian in law", "another"]).required(),
        Field::uuid("relationship_id").refers(Refers::Tenant("patient_relationships")),
        Field::texts("scopes").defaulted().doc(
            "what the login may see, and change: messages the contact data, manage_consents the contacts, billing the insurance, documents new files",
        ),
        Field::choice("status", &["PENDING", "ACTIVE", "REVOKED", "EXPIRED"]).means(&["identity and authority not checked", "may act", "ended by somebody", "ended by time"]).defaulted().read_only(),
        Field::choice("granted_by", &["PATIENT", "GUARDIAN", "CLINIC"]).means(&["the patient", "a guardian", "the clinic"]).required(),
        Field::uuid("evidence_document_id"),
        Field::instant("valid_from").required(),
        Field::instant("valid_until").doc("a parent's grant ends at the age of majority unless renewed"),
        Field::instant("revoked_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PENDING", "ACTIVE"],
        moves: &[
            Move { from: "PENDING", to: "ACTIVE", by: "confirm" },
            Move { from: "PENDING", to: "REVOKED", by: "revoke" },
            Move { from: "ACTIVE", to: "REVOKED", by: "revoke" },
            Move { from: "PENDING", to: "EXPIRED", by: "system" },
            Move { from: "ACTIVE", to: "EXPIRED", by: "system" },
        ],
    }],
};
