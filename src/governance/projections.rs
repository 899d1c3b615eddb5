//! Changes in the words of a requirement text (catalogue 3.02, C07).

use super::change_log_entry::CHANGE_LOG_ENTRY;
use crate::kernel::table::projection::{Name, Projection};

pub static CENTRE_AUDIT_LOG: Projection = Projection::new(
    &CHANGE_LOG_ENTRY,
    "MedicalCentreAuditLog",
    "MedicalCentreAuditLogs",
    "/projections/medical-centre/audit-logs",
    &[
        Name::of("log_id", "id"),
        Name::same("table_name"),
        Name::same("record_id"),
        Name::same("action"),
        Name::same("old_values"),
        Name::same("new_values"),
        Name::same("user_id"),
    ],
);
