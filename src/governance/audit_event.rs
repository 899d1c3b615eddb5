//! Immutable log of security-relevant actions, without patient data (catalogue 3.01, 3.11, 9.07, 16.14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static AUDIT_EVENT: Table = Table {
    name: "audit_events",
    schema: "AuditEvent",
    plural: "AuditEvents",
    path: "/audit-events",
    tag: "Audit",
    doc: "Immutable log of security-relevant actions, without patient data.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::ViewAudit,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "occurred_at", column: "occurred_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "event_type", how: How::Equal },
        Filter { name: "resource_type", how: How::Equal },
        Filter { name: "resource_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "occurred_at_from", how: How::From("occurred_at") },
        Filter { name: "occurred_at_to", how: How::Before("occurred_at") },
        Filter { name: "request_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "actor_type", how: How::Equal },
        Filter { name: "plane", how: How::Equal },
        Filter { name: "action", how: How::Equal },
        Filter { name: "outcome", how: How::Equal },
        Filter { name: "purpose_of_use", how: How::Equal },
        Filter { name: "break_glass_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").refers(Refers::Installation("users")).doc("null for the system"),
        Field::choice("actor_type", &["USER", "SYSTEM", "API_CLIENT"]).means(&["a person", "the system", "an application"]).required(),
        Field::uuid("api_client_id"),
        Field::choice("plane", &["STAFF", "GROUP", "PATIENT", "SHARE", "AUDIT", "AUTH", "JOBS", "PLATFORM"])
            .means(&[
                "staff of a tenant",
                "a DSO over its clinics",
                "patients and proxies",
                "holders of a share",
                "regulators with a mandate",
                "before sign-in",
                "background work",
                "those who run the installation",
            ])
            .required(),
        Field::text("event_type").required().pii(),
        Field::text("resource_type").pii().doc("for example PATIENT, IMAGE_STUDY"),
        Field::uuid("resource_id"),
        Field::uuid("patient_id").fixed().doc("whose record; an id, no content; not a foreign key so that purges keep the log"),
        Field::choice("action", &["CREATE", "READ", "UPDATE", "DELETE", "EXECUTE", "SEARCH"])
            .means(&["made", "one record was looked at", "changed", "retired or erased", "an operation was called", "a list was looked at"])
            .required(),
        Field::choice("outcome", &["SUCCESS", "DENIED", "FAILED", "ABORTED"])
            .means(&["done", "refused", "an error of ours", "broken off"])
            .required(),
        Field::choice(
            "purpose_of_use",
            &["TREATMENT", "PAYMENT", "OPERATIONS", "PATIENT_REQUEST", "RESEARCH", "LEGAL", "EMERGENCY", "AUDIT"],
        )
        .means(&[
            "care of the patient",
            "claims and payments for the care",
            "running the clinic",
            "the patient asked",
            "study of data",
            "demanded by law",
            "emergency access",
            "watching over others' access",
        ]),
        Field::instant("occurred_at").required(),
        Field::uuid("request_id").required().staff_only(),
        Field::uuid("session_id").staff_only(),
        Field::inet("ip_address").pii().staff_only(),
        Field::text("user_agent").pii().staff_only(),
        Field::uuid("break_glass_id"),
        Field::json("metadata").defaulted().pii().staff_only().doc("fine details without patient data"),
        Field::bytes("detail_salt").hidden(),
        Field::bytes("leaf_hash").hidden(),
        Field::text("transaction_id").hidden().doc("the 64-bit transaction id, for sealing by commit horizon"),
    ],
    machines: &[],
};
