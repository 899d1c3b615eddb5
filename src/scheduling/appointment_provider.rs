//! The providers of an appointment with their role and busy time (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static APPOINTMENT_PROVIDER: Table = Table {
    name: "appointment_providers",
    schema: "AppointmentProvider",
    plural: "AppointmentProviders",
    path: "/appointment-providers",
    tag: "Appointments",
    doc: "The providers of an appointment with their role and busy time.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::EditSchedule,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "appointment_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "role", how: How::Equal },
        Filter { name: "is_overbook", how: How::Equal },
    ],
    fields: &[
        Field::uuid("appointment_id").required().fixed().refers(Refers::Tenant("appointments")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::uuid("provider_id").required().refers(Refers::Tenant("providers")),
        Field::choice("role", &["LEAD", "HYGIENIST", "ASSISTANT", "OBSERVER"])
            .means(&["leads the treatment", "cleans teeth and treats gums", "helps at the chair", "looks on"])
            .defaulted(),
        Field::instant("busy_start_at").required(),
        Field::instant("busy_end_at").required(),
        Field::flag("is_overbook").defaulted(),
    ],
    machines: &[],
};
