//! Accounting of disclosures to others (catalogue 3.06).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static DISCLOSURE: Table = Table {
    name: "disclosures",
    schema: "Disclosure",
    plural: "Disclosures",
    path: "/disclosures",
    tag: "Audit",
    doc: "Accounting of disclosures to others.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::ManageGovernance,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "disclosed_at", column: "disclosed_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "disclosed_at_from", how: How::From("disclosed_at") },
        Filter { name: "disclosed_at_to", how: How::Before("disclosed_at") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "recipient_tenant_id", how: How::Equal },
        Filter { name: "category", how: How::Equal },
        Filter { name: "is_accountable", how: How::Equal },
        Filter { name: "disclosed_by", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::instant("disclosed_at").required(),
        Field::text("recipient_name").required().phi(),
        Field::text("recipient_address").phi(),
        Field::uuid("recipient_tenant_id"),
        Field::text("what").required().phi(),
        Field::text("purpose").required().length(2000).phi(),
        Field::choice(
            "category",
            &["REFERRAL", "PAYER", "EXPORT", "THIRD_PARTY_APP", "LEGAL", "PUBLIC_HEALTH", "RESEARCH", "PATIENT_REQUEST", "OTHER"],
        )
        .means(&[
            "to who was referred to",
            "to a payer",
            "an export",
            "to an application",
            "by law",
            "to public health",
            "for research",
            "the patient asked",
            "another",
        ])
        .required(),
        Field::text("legal_basis").phi(),
        Field::flag("is_accountable").defaulted().doc("false for treatment, payment, operations"),
        Field::text("resource_type").phi(),
        Field::uuid("resource_id"),
        Field::uuid("request_id").read_only(),
        Field::uuid("disclosed_by").read_only().refers(Refers::Installation("users")),
    ],
    machines: &[],
};
