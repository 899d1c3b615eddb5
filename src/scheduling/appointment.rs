//! A booked time of a patient (catalogue 6.01, 6.02, 6.03, 6.04, 6.05, 16.11, B5).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

/// The words of older systems for the same states (catalogue C-A, 6.04).
pub static STATUS_WORDS: &[(&str, &str)] = &[
    ("Pending", "PENDING"),
    ("pending", "PENDING"),
    ("Scheduled", "SCHEDULED"),
    ("scheduled", "SCHEDULED"),
    ("Confirmed", "CONFIRMED"),
    ("confirmed", "CONFIRMED"),
    ("Completed", "COMPLETED"),
    ("completed", "COMPLETED"),
    ("Canceled", "CANCELLED"),
    ("canceled", "CANCELLED"),
    ("CANCELED", "CANCELLED"),
    ("Cancelled", "CANCELLED"),
    ("cancelled", "CANCELLED"),
    ("NoShow", "NO_SHOW"),
    ("no_show", "NO_SHOW"),
    ("no-show", "NO_SHOW"),
];

pub static APPOINTMENT: Table = Table {
    name: "appointments",
    schema: "Appointment",
    plural: "Appointments",
    path: "/appointments",
    tag: "Appointments",
    doc: "A booked time of a patient.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: Some("patient_id"),
    sorts: &[
        Sort { name: "start_at", column: "start_at", ty: Ty::Instant, nullable: false },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "start_at_from", how: How::From("start_at") },
        Filter { name: "start_at_to", how: How::Before("start_at") },
        Filter { name: "status", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "operatory_id", how: How::Equal },
        Filter { name: "appointment_type_id", how: How::Equal },
        Filter { name: "source", how: How::Equal },
        Filter { name: "is_overbook", how: How::Equal },
        Filter { name: "series_id", how: How::Equal },
        Filter { name: "recall_id", how: How::Equal },
        Filter { name: "referral_id", how: How::Equal },
        Filter { name: "rescheduled_from_id", how: How::Equal },
        Filter { name: "confirmed_via", how: How::Equal },
        Filter { name: "cancelled_by_party", how: How::Equal },
        Filter { name: "is_late_cancel", how: How::Equal },
        Filter { name: "reminder_state", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").example("id").fixed().refers(Refers::Tenant("patients")),
        Field::uuid("provider_id")
            .example("id")
            .refers(Refers::Tenant("providers"))
            .doc("lead provider; all of them in appointment_providers"),
        Field::uuid("location_id").required().refers(Refers::Tenant("locations")),
        Field::uuid("operatory_id").refers(Refers::Tenant("operatories")),
        Field::uuid("appointment_type_id").refers(Refers::Tenant("appointment_types")),
        Field::instant("start_at").required(),
        Field::instant("end_at").defaulted().doc("start and duration will do; without both, the usual length of the kind of visit"),
        Field::int("duration_minutes")
            .example("30")
            .defaulted()
            .at_least(1)
            .at_most(1_440)
            .doc("minutes between start_at and end_at; unit: min"),
        Field::text("local_start").required().read_only().phi().doc("wall time as booked, to re-resolve when zone rules change"),
        Field::text("time_zone").required().read_only().form(Form::TimeZone).phi(),
        Field::choice(
            "status",
            &["HELD", "PENDING", "SCHEDULED", "CONFIRMED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW"],
        )
        .means(&[
            "time kept while the patient decides",
            "asked for, not yet agreed",
            "agreed, not yet confirmed by the patient",
            "the patient said they will come",
            "the patient is there",
            "treatment goes on",
            "took place",
            "called off",
            "the patient did not come",
        ])
        .defaulted()
        .read_only()
        .aliases(STATUS_WORDS),
        Field::choice("source", &["STAFF", "PORTAL", "IMPORT", "RECALL", "WAITLIST", "REFERRAL", "API"])
            .means(&[
                "by staff",
                "by the patient in the portal",
                "from another system",
                "from a recall",
                "from the waiting list",
                "from a referral",
                "by an application",
            ])
            .defaulted(),
        Field::text("notes").length(4000).phi().staff_only(),
        Field::text("patient_note").phi(),
        Field::flag("is_overbook").defaulted(),
        Field::text("overbook_reason").length(4000).phi().staff_only(),
        Field::uuid("series_id").refers(Refers::Tenant("appointment_series")),
        Field::uuid("recall_id").refers(Refers::Tenant("recalls")),
        Field::uuid("referral_id").refers(Refers::Tenant("referrals")),
        Field::uuid("rescheduled_from_id").refers(Refers::Tenant("appointments")).doc("a cancelled appointment is rebooked as a new row"),
        Field::instant("held_until").fixed().doc("makes it HELD: a time that is kept free for nobody yet"),
        Field::instant("confirmed_at").read_only(),
        Field::choice("confirmed_via", &["PORTAL", "SMS", "EMAIL", "PHONE", "STAFF"])
            .means(&[
                "by the patient in the portal",
                "by answering a text message",
                "by answering an e-mail",
                "by telephone",
                "to staff, in person",
            ])
            .read_only(),
        Field::instant("arrived_at").read_only(),
        Field::instant("completed_at").read_only(),
        Field::instant("cancelled_at").read_only(),
        Field::choice("cancelled_by_party", &["PATIENT", "CLINIC", "SYSTEM"])
            .means(&["the patient", "the clinic", "the server by itself"])
            .read_only(),
        Field::text("cancel_reason").length(4000).phi(),
        Field::flag("is_late_cancel").defaulted().read_only(),
        Field::instant("no_show_at").read_only(),
        Field::text("telehealth_url").length(2000).phi(),
        Field::choice("reminder_state", &["NONE", "SCHEDULED", "SENT", "CONFIRMED"])
            .means(&["none is due", "planned", "went out", "the patient confirmed by it"])
            .defaulted()
            .read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["HELD", "PENDING", "SCHEDULED"],
        moves: &[
            Move { from: "HELD", to: "PENDING", by: "book" },
            Move { from: "HELD", to: "SCHEDULED", by: "book" },
            Move { from: "HELD", to: "CANCELLED", by: "system" },
            Move { from: "PENDING", to: "SCHEDULED", by: "schedule" },
            Move { from: "PENDING", to: "CONFIRMED", by: "confirm" },
            Move { from: "SCHEDULED", to: "CONFIRMED", by: "confirm" },
            Move { from: "PENDING", to: "CANCELLED", by: "cancel" },
            Move { from: "SCHEDULED", to: "CANCELLED", by: "cancel" },
            Move { from: "CONFIRMED", to: "CANCELLED", by: "cancel" },
            Move { from: "ARRIVED", to: "CANCELLED", by: "cancel" },
            Move { from: "IN_PROGRESS", to: "CANCELLED", by: "cancel" },
            Move { from: "SCHEDULED", to: "ARRIVED", by: "check-in" },
            Move { from: "CONFIRMED", to: "ARRIVED", by: "check-in" },
            Move { from: "SCHEDULED", to: "NO_SHOW", by: "mark-no-show" },
            Move { from: "CONFIRMED", to: "NO_SHOW", by: "mark-no-show" },
            Move { from: "ARRIVED", to: "IN_PROGRESS", by: "start" },
            Move { from: "IN_PROGRESS", to: "COMPLETED", by: "complete" },
            Move { from: "NO_SHOW", to: "SCHEDULED", by: "undo-no-show" },
            // What was confirmed was the old time.
            Move { from: "CONFIRMED", to: "SCHEDULED", by: "reschedule" },
        ],
    }],
};
