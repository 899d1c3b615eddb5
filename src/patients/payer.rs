//! An insurer or public payer (catalogue 14.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PAYER: Table = Table {
    name: "payers",
    schema: "Payer",
    plural: "Payers",
    path: "/payers",
    tag: "Patients",
    doc: "An insurer or public payer.",
    home: Home::Shared,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClaims,
    write: Permission::ManageReference,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["name_key"]) },
        Filter { name: "payer_tenant_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "eligibility_supported", how: How::Equal },
        Filter { name: "claim_format", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().folded(),
        Field::uuid("payer_tenant_id").refers(Refers::Installation("tenants")).doc("when the payer is itself a tenant of type PAYER"),
        Field::text("payer_identifier").doc("electronic payer id"),
        Field::choice("kind", &["COMMERCIAL", "PUBLIC", "DISCOUNT_PLAN", "SELF_PAY", "OTHER"])
            .means(&["private insurance", "public insurance", "lower fees agreed, nothing is paid", "the patient pays", "another"])
            .defaulted(),
        Field::text("country"),
        Field::text("claims_address").length(4000),
        Field::text("phone"),
        Field::flag("eligibility_supported").defaulted(),
        Field::choice("claim_format", &["X12_837D", "FHIR", "PAPER", "PORTAL"])
            .means(&["X12 005010X224A2", "FHIR Claim", "printed form", "portal of the payer"])
            .defaulted(),
        Field::choice("status", &["ACTIVE", "INACTIVE"]).means(&["in use", "out of use"]).defaulted(),
        Field::flag("is_active").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "INACTIVE", by: "update" }, Move { from: "INACTIVE", to: "ACTIVE", by: "update" }],
    }],
};
