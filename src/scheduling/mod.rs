//! Appointments, availability and recalls. Catalogue §6.
pub mod appointment;
pub mod appointment_event;
pub mod appointment_procedure;
pub mod appointment_provider;
pub mod appointment_series;
pub mod appointment_type;
pub mod availability_block;
pub mod recall;
pub mod recall_type;
pub mod schedule_closure;
pub mod slot_hold;
pub mod waitlist_entry;

use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

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

pub static OPERATIONS: &[&Operation] = &[];
