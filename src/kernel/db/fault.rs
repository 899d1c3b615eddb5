//! What PostgreSQL refuses, as our errors. Its texts may hold values: they stay in the log's cause, reduced to the code.

use crate::kernel::error::{self, Error};
use tokio_postgres::error::SqlState;

impl From<tokio_postgres::Error> for Error {
    fn from(failure: tokio_postgres::Error) -> Error {
        let Some(db) = failure.as_db_error() else {
            return if failure.is_closed() || std::error::Error::source(&failure).is_some_and(|s| s.is::<std::io::Error>()) {
                Error::unavailable(failure)
            } else {
                Error::internal(failure)
            };
        };
        let code = db.code();
        // Only the code, the table and the constraint: never the message or the detail.
        let cause = format!("{} {}.{}", code.code(), db.table().unwrap_or("-"), db.constraint().unwrap_or("-"));
        let field = || field_of(db.table(), db.constraint().unwrap_or_default());
        let error = match code {
            c if *c == SqlState::UNIQUE_VIOLATION => Error::new(&error::DUPLICATE).fault(
                key_of(db.table(), db.constraint().unwrap_or_default()),
                "unique",
                "Another resource has this key.",
            ),
            c if *c == SqlState::FOREIGN_KEY_VIOLATION && db.message().starts_with("update or delete") => Error::new(&error::IN_USE),
            c if *c == SqlState::FOREIGN_KEY_VIOLATION => {
                Error::new(&error::REFERENCE_UNKNOWN).fault(field(), "reference", "It points to nothing the caller can see.")
            }
            // Raised by kernel.refuse_move and sec.within_quota in policies/kernel.sql.
            c if *c == SqlState::CHECK_VIOLATION && db.constraint().is_some_and(|name| name.ends_with("_move")) => {
                // kernel.refuse: the hint is a constant of the policies, here and below.
                let refused = Error::new(&error::MOVE_REFUSED);
                match db.hint() {
                    Some(why) => refused.detail(why),
                    None => refused,
                }
            }
            c if *c == SqlState::CONFIGURATION_LIMIT_EXCEEDED && db.constraint().is_some_and(|name| name.starts_with("max_")) => {
                Error::new(&error::QUOTA_EXCEEDED).fault(
                    db.constraint().unwrap_or_default(),
                    "quota",
                    "The limit of the tenant's plan is reached.",
                )
            }
            c if *c == SqlState::CHECK_VIOLATION => {
                Error::new(&error::INVALID).fault(field(), "check", db.hint().unwrap_or("The value breaks the rule of the field."))
            }
            c if *c == SqlState::NOT_NULL_VIOLATION => {
                Error::new(&error::INVALID).fault(db.column().unwrap_or_default(), "required", "The field is needed.")
            }
            c if *c == SqlState::INSUFFICIENT_PRIVILEGE || *c == SqlState::READ_ONLY_SQL_TRANSACTION => Error::new(&error::FORBIDDEN),
            // kernel.refuse_frozen: the hint is a constant of the policies.
            c if *c == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => {
                let refused = Error::new(&error::APPEND_ONLY);
                match db.hint() {
                    Some(instead) => refused.detail(instead),
                    None => refused,
                }
            }
            c if *c == SqlState::T_R_SERIALIZATION_FAILURE
                || *c == SqlState::T_R_DEADLOCK_DETECTED
                || *c == SqlState::LOCK_NOT_AVAILABLE =>
            {
                Error::new(&error::CONFLICT).detail("Another change of the same records was under way; try again.")
            }
            // Two that want the same time: `appointments_operatory_busy` is about the operatory.
            c if *c == SqlState::EXCLUSION_VIOLATION => {
                let what = field().replace("_busy", "_id");
                Error::new(&error::CONFLICT).detail("The time is taken.").fault(what, "busy", "It is taken at that time.")
            }
            // kernel.refuse: rule, field and sentence are constants of the policies.
            c if matches!(c.code(), "EN409" | "EN422") => {
                let (status, text) = if c.code() == "EN409" { (&error::MOVE_REFUSED, db.hint()) } else { (&error::INVALID, db.hint()) };
                let rule = GUARDS.iter().find(|word| db.constraint() == Some(**word)).copied().unwrap_or("rule");
                let text = text.unwrap_or(status.title);
                Error::new(status).detail(text).fault(db.column().unwrap_or_default(), rule, text)
            }
            c if c.code() == "EN001" => Error::new(&error::LAST_ADMINISTRATOR),
            c if *c == SqlState::QUERY_CANCELED => Error::new(&error::DEADLINE),
            c if c.code().starts_with("22") => {
                Error::new(&error::INVALID).fault(db.column().unwrap_or_default(), "type", "The value cannot be stored.")
            }
            c if c.code().starts_with("53") || c.code().starts_with("57") || c.code().starts_with("08") => Error::new(&error::UNAVAILABLE),
            _ => return Error::internal(format!("{cause} {}", db.message())),
        };
        error.because(cause)
    }
}

/// The rules that guards of the policies name.
const GUARDS: &[&str] = &[
    "complete",
    "day",
    "document",
    "empty",
    "exclusive",
    "geometry",
    "grace",
    "held",
    "offered",
    "place",
    "provider_type",
    "range",
    "reference",
    "required",
    "state",
    "visit",
];

/// `patients_dob_check` on `patients` is about `dob`, as is its second rule `patients_dob_check1`;
/// `…_tenant_id_payer_id_fkey` about `payer_id`.
fn field_of(table: Option<&str>, constraint: &str) -> String {
    let inner = constraint.strip_prefix(table.unwrap_or_default()).unwrap_or(constraint);
    let inner = match inner.trim_end_matches(|c: char| c.is_ascii_digit()) {
        numbered if numbered.ends_with("_check") => numbered,
        _ => inner,
    };
    let inner = inner.trim_start_matches('_').trim_end_matches("_check").trim_end_matches("_fkey");
    inner.strip_prefix("tenant_id_").unwrap_or(inner).to_owned()
}

/// `patients_external_ref_key` on `patients` is the key `external_ref`.
fn key_of(table: Option<&str>, constraint: &str) -> String {
    let inner = constraint.strip_prefix(table.unwrap_or_default()).unwrap_or(constraint);
    inner.trim_start_matches('_').trim_end_matches("_key").trim_end_matches("_pkey").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_names_its_field() {
        assert_eq!(field_of(Some("patients"), "patients_dob_check"), "dob");
        assert_eq!(field_of(Some("patients"), "patients_dob_check1"), "dob");
        assert_eq!(field_of(Some("locations"), "locations_address_line1_check"), "address_line1");
        assert_eq!(field_of(Some("patients"), "patients_tenant_id_primary_location_id_fkey"), "primary_location_id");
        assert_eq!(key_of(Some("patients"), "patients_external_ref_key"), "external_ref");
    }
}
