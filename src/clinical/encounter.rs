//! A clinical visit (catalogue 7.01, 7.11, B8, C44).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

/// What a visit is for; kinds of appointments name it too.
pub const ENCOUNTER_TYPE: Field =
    Field::choice("encounter_type", &["EXAM", "EMERGENCY", "HYGIENE", "ORTHO", "IMPLANT", "TEACHING", "CONSULTATION"]).means(&[
        "examination",
        "unplanned, for pain or injury",
        "cleaning and care of gums",
        "moving of teeth",
        "implants",
        "treatment by students",
        "advice without treatment",
    ]);

pub static ENCOUNTER: Table = Table {
    name: "encounters",
    schema: "Encounter",
    plural: "Encounters",
    path: "/encounters",
    tag: "Encounters",
    doc: "A clinical visit.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[
        Sort { name: "scheduled_start_at", column: "scheduled_start_at", ty: Ty::Instant, nullable: true },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "scheduled_start_at_from", how: How::From("scheduled_start_at") },
        Filter { name: "scheduled_start_at_to", how: How::Before("scheduled_start_at") },
        Filter { name: "check_in_at_from", how: How::From("check_in_at") },
        Filter { name: "check_in_at_to", how: How::Before("check_in_at") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "appointment_id", how: How::Equal },
        Filter { name: "encounter_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "supervising_provider_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("location_id").required().refers(Refers::Tenant("locations")),
        Field::uuid("provider_id").required().refers(Refers::Tenant("providers")),
        Field::uuid("appointment_id").example("id").refers(Refers::Tenant("appointments")).doc("null for a walk-in or emergency"),
        Field::instant("scheduled_start_at"),
        Field::instant("check_in_at"),
        Field::instant("check_out_at"),
        ENCOUNTER_TYPE.required(),
        Field::choice("status", &["SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW"])
            .means(&["planned", "goes on", "done", "called off", "the patient did not come"])
            .defaulted()
            .read_only(),
        Field::text("chief_complaint").phi(),
        Field::text("reason").length(4000).phi(),
        Field::uuid("supervising_provider_id").refers(Refers::Tenant("providers")).doc("for TEACHING"),
        Field::text("cancel_reason").length(4000).phi(),
        Field::uuids("unsigned_note_ids")
            .computed(
                "select coalesce(array_agg(n.id order by n.created_at, n.id), '{}') from clinical_notes n
                  where n.tenant_id = r.tenant_id and n.encounter_id = r.id and n.status = 'DRAFT'",
            )
            .staff_only()
            .doc("notes of this visit that wait for a signature"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["SCHEDULED", "IN_PROGRESS"],
        moves: &[
            Move { from: "SCHEDULED", to: "IN_PROGRESS", by: "start" },
            Move { from: "IN_PROGRESS", to: "COMPLETED", by: "check-out" },
            Move { from: "SCHEDULED", to: "CANCELLED", by: "cancel" },
            Move { from: "IN_PROGRESS", to: "CANCELLED", by: "cancel" },
            Move { from: "SCHEDULED", to: "NO_SHOW", by: "system" },
        ],
    }],
};
