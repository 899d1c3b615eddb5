//! What PostgreSQL refuses, as our errors. Its texts may hold values: they stay out of answers, and of what a constraint or a
//! type says nothing but the code reaches the log.

use crate::kernel::error::{self, Code, Error};
use tokio_postgres::error::{DbError, SqlState};

impl From<tokio_postgres::Error> for Error {
    fn from(failure: tokio_postgres::Error) -> Error {
        let Some(db) = failure.as_db_error() else {
            return if failure.is_closed() || std::error::Error::source(&failure).is_some_and(|s| s.is::<std::io::Error>()) {
                Error::unavailable(failure)
            } else {
                Error::internal(failure)
            };
        };
        // Only the code, the table and the constraint: never the detail.
        let cause = format!("{} {}.{}", db.code().code(), db.table().unwrap_or("-"), db.constraint().unwrap_or("-"));
        match broken(db).or_else(|| guarded(db)).or_else(|| stopped(db)) {
            Some(error) => error.because(cause),
            // These messages are about statements and names, and those of the policies are constants.
            None if ["42", "P0"].contains(&db.code().code().get(..2).unwrap_or_default()) => {
                Error::internal(format!("{cause} {}", db.message()))
            }
            None => Error::internal(cause),
        }
    }
}

/// A constraint of a table or the type of a column.
fn broken(db: &DbError) -> Option<Error> {
    let (table, constraint) = (db.table(), db.constraint().unwrap_or_default());
    let field = || field_of(table, constraint);
    let refused = |code: &'static Code, field: String, rule, text: &str| Some(Error::new(code).fault(field, rule, text));
    match db.code() {
        c if *c == SqlState::UNIQUE_VIOLATION => {
            refused(&error::DUPLICATE, key_of(table, constraint), "unique", "Another resource has this key.")
        }
        c if *c == SqlState::FOREIGN_KEY_VIOLATION && db.message().starts_with("update or delete") => Some(Error::new(&error::IN_USE)),
        c if *c == SqlState::FOREIGN_KEY_VIOLATION => {
            refused(&error::REFERENCE_UNKNOWN, field(), "reference", "It points to nothing the caller can see.")
        }
        // Raised by kernel.refuse_move in policies/kernel.sql; the hint is a constant, here and below.
        c if *c == SqlState::CHECK_VIOLATION && constraint.ends_with("_move") => Some(hinted(&error::MOVE_REFUSED, db)),
        c if *c == SqlState::CHECK_VIOLATION => {
            refused(&error::INVALID, field(), "check", db.hint().unwrap_or("The value breaks the rule of the field."))
        }
        c if *c == SqlState::NOT_NULL_VIOLATION => {
            refused(&error::INVALID, db.column().unwrap_or_default().to_owned(), "required", "The field is needed.")
        }
        // Two that want the same time: `appointments_operatory_busy` is about the operatory.
        c if *c == SqlState::EXCLUSION_VIOLATION => {
            let taken = Error::new(&error::CONFLICT).detail("The time is taken.");
            Some(taken.fault(field().replace("_busy", "_id"), "busy", "It is taken at that time."))
        }
        c if c.code().starts_with("22") => {
            refused(&error::INVALID, db.column().unwrap_or_default().to_owned(), "type", "The value cannot be stored.")
        }
        _ => None,
    }
}

/// What the policies guard by functions of their own: rule, field and sentence are constants there.
fn guarded(db: &DbError) -> Option<Error> {
    let constraint = db.constraint().unwrap_or_default();
    match db.code() {
        // sec.within_quota
        c if *c == SqlState::CONFIGURATION_LIMIT_EXCEEDED && constraint.starts_with("max_") => {
            Some(Error::new(&error::QUOTA_EXCEEDED).fault(constraint, "quota", "The limit of the tenant's plan is reached."))
        }
        // kernel.refuse_frozen
        c if *c == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => Some(hinted(&error::APPEND_ONLY, db)),
        // kernel.refuse
        c if matches!(c.code(), "EN409" | "EN422") => {
            let status = if c.code() == "EN409" { &error::MOVE_REFUSED } else { &error::INVALID };
            let rule = GUARDS.iter().find(|word| constraint == **word).copied().unwrap_or("rule");
            let text = db.hint().unwrap_or(status.title);
            Some(Error::new(status).detail(text).fault(db.column().unwrap_or_default(), rule, text))
        }
        c if c.code() == "EN001" => Some(Error::new(&error::LAST_ADMINISTRATOR)),
        c if *c == SqlState::INSUFFICIENT_PRIVILEGE || *c == SqlState::READ_ONLY_SQL_TRANSACTION => Some(Error::new(&error::FORBIDDEN)),
        _ => None,
    }
}

/// What was stopped, and might go through another time.
fn stopped(db: &DbError) -> Option<Error> {
    match db.code() {
        c if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE].contains(c) => {
            Some(Error::new(&error::CONFLICT).detail("Another change of the same records was under way; try again."))
        }
        c if *c == SqlState::QUERY_CANCELED => Some(Error::new(&error::DEADLINE)),
        c if ["53", "57", "08"].contains(&c.code().get(..2).unwrap_or_default()) => Some(Error::new(&error::UNAVAILABLE)),
        _ => None,
    }
}

fn hinted(code: &'static Code, db: &DbError) -> Error {
    match db.hint() {
        Some(why) => Error::new(code).detail(why),
        None => Error::new(code),
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
