//! A consent or agreement of a patient, provider or tenant (catalogue 3.07, 3.08, C08, C55, 9.10, B11).

use crate::imaging::links::MINTED;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CONSENT: Table = Table {
    name: "consents",
    schema: "Consent",
    plural: "Consents",
    path: "/consents",
    tag: "Audit",
    doc: "A consent or agreement of a patient, provider or tenant.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "granted_at", column: "granted_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "subject_id", how: How::Equal },
        Filter { name: "expires_at_from", how: How::From("expires_at") },
        Filter { name: "expires_at_to", how: How::Before("expires_at") },
        Filter { name: "subject_type", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "consent_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "recipient_tenant_id", how: How::Equal },
        Filter { name: "consent_text_id", how: How::Equal },
        Filter { name: "granted_by", how: How::Equal },
        Filter { name: "renewed_from_id", how: How::Equal },
        Filter { name: "source", how: How::Equal },
        Filter { name: "document_id", how: How::Equal },
    ],
    fields: &[
        Field::choice("subject_type", &["PATIENT", "PROVIDER", "TENANT"]).means(&["a patient", "a provider", "a tenant"]).required(),
        Field::uuid("subject_id").required(),
        Field::uuid("patient_id").example("id").fixed().refers(Refers::Tenant("patients")),
        Field::choice("consent_type", &["AI_ANALYSIS", "RESEARCH", "DATA_SHARING", "MARKETING", "TREATMENT_PLANNING", "DATA_STORAGE"])
            .means(&[
                "analysis by AI",
                "research on de-identified data",
                "sharing with others",
                "advertising",
                "planning of treatment",
                "keeping of data",
            ])
            .required(),
        Field::choice("status", &["ACTIVE", "REVOKED", "EXPIRED"])
            .means(&["in force", "taken back", "ended by time"])
            .defaulted()
            .read_only(),
        Field::json("scope").defaulted().phi().doc("entities covered"),
        Field::uuid("recipient_tenant_id").doc("chosen clinic of a sharing consent"),
        Field::uuid("consent_text_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("consent_text_id").refers(Refers::Shared("consent_texts", "consent_text_tenant_id")),
        Field::text("text_snapshot")
            .example(r#""We may look at your images with a program.""#)
            .defaulted()
            .length(20000)
            .phi()
            .doc("exact words shown; those of the wording when it is named"),
        Field::int("text_version").example("1").defaulted(),
        Field::text("text_locale").example(r#""de""#).defaulted().phi(),
        Field::instant("granted_at").defaulted().doc("now when left out; a patient's is always now"),
        Field::uuid("granted_by").refers(Refers::Installation("users")).doc("patient, guardian or staff for paper"),
        Field::instant("revoked_at").read_only(),
        Field::instant("expires_at"),
        Field::uuid("renewed_from_id").refers(Refers::Tenant("consents")),
        Field::choice("source", &["PORTAL", "IN_CLINIC", "PAPER_SCAN"])
            .means(&["in the portal", "in the clinic", "scanned paper"])
            .required(),
        Field::uuid("document_id").refers(Refers::Tenant("documents")),
        Field::text("document_uri").length(4_000).computed(MINTED).doc("signed link to the document, when the consent is read by itself"),
        Field::json("evidence").defaulted().phi().doc("time, address, agent of the tick"),
        Field::text("related_type").phi(),
        Field::uuid("related_id"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "REVOKED", by: "revoke" }, Move { from: "ACTIVE", to: "EXPIRED", by: "system" }],
    }],
};
