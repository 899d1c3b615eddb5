//! Appointments, availability and recalls. Catalogue §6.
pub mod appointment;
pub mod appointment_event;
pub mod appointment_procedure;
pub mod appointment_provider;
pub mod appointment_series;
pub mod appointment_type;
pub mod availability_block;
mod book;
mod calendar_feed;
pub mod fhir_appointment;
pub mod fhir_appointment_response;
pub mod fhir_recall;
pub mod fhir_schedule;
mod find_slots;
mod history;
mod moves;
mod projections;
pub mod recall;
mod recall_status;
pub mod recall_type;
pub mod schedule_closure;
mod series;
pub mod slot_hold;
mod waiting;
pub mod waitlist_entry;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &appointment_type::APPOINTMENT_TYPE,
    &availability_block::AVAILABILITY_BLOCK,
    &schedule_closure::SCHEDULE_CLOSURE,
    &appointment_series::APPOINTMENT_SERIES,
    &appointment::APPOINTMENT,
    &appointment_provider::APPOINTMENT_PROVIDER,
    &appointment_procedure::APPOINTMENT_PROCEDURE,
    &appointment_event::APPOINTMENT_EVENT,
    &slot_hold::SLOT_HOLD,
    &waitlist_entry::WAITLIST_ENTRY,
    &recall_type::RECALL_TYPE,
    &recall::RECALL,
];

pub static RESOURCES: &[&Mapping] = &[
    &fhir_appointment::MAPPING,
    &fhir_appointment::WAITING,
    &fhir_appointment_response::MAPPING,
    &fhir_schedule::MAPPING,
    &fhir_schedule::HOLD,
    &fhir_schedule::VISIT,
    &fhir_recall::MAPPING,
];

pub static OPERATIONS: &[&Operation] = &[
    &find_slots::FIND_SLOTS,
    &find_slots::FREE_SLOTS,
    &book::BOOK,
    &moves::SCHEDULE,
    &moves::CONFIRM,
    &moves::CHECK_IN,
    &moves::START,
    &moves::COMPLETE,
    &moves::CANCEL,
    &moves::MARK_NO_SHOW,
    &moves::UNDO_NO_SHOW,
    &moves::RESCHEDULE,
    &history::HISTORY,
    &calendar_feed::CALENDAR_FEED,
    &series::END,
    &waiting::RELEASE,
    &waiting::OFFER,
    &waiting::DECLINE,
    &waiting::REMOVE,
    &recall_status::DISABLE,
    &recall_status::ENABLE,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] =
    &[&projections::CENTRE_APPOINTMENT, &projections::SCHEDULING_APPOINTMENT, &projections::CENTRE_AVAILABILITY];
