//! The link between a login and a patient in a tenant (catalogue 4.21, C11, 4.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static PATIENT_PORTAL_ACCOUNT: Table = Table {
    name: "patient_portal_accounts",
    schema: "PatientPortalAccount",
    plural: "PatientPortalAccounts",
    path: "/patient-portal-accounts",
    tag: "Patients",
    doc: "The link between a login and a patient in a tenant.",
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
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("user_id").required().fixed().refers(Refers::Installation("users")),
        Field::choice("status", &["INVITED", "ACTIVE", "SUSPENDED", "CLOSED"])
            .means(&["invited, never signed in", "in use", "on hold", "opens no more"])
            .defaulted()
            .read_only(),
        Field::text("email_key").read_only().pii().doc("folded e-mail at activation, unique per tenant"),
        Field::instant("activated_at").read_only(),
        Field::instant("closed_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["INVITED"],
        moves: &[
            Move { from: "INVITED", to: "ACTIVE", by: "activate" },
            Move { from: "ACTIVE", to: "SUSPENDED", by: "suspend" },
            Move { from: "SUSPENDED", to: "ACTIVE", by: "reinstate" },
            Move { from: "INVITED", to: "CLOSED", by: "close" },
            Move { from: "ACTIVE", to: "CLOSED", by: "close" },
            Move { from: "SUSPENDED", to: "CLOSED", by: "close" },
        ],
    }],
};
