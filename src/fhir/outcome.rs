//! A kernel [`Error`] in FHIR's words: an OperationOutcome.

use crate::kernel::error::{Error, Fault, PARAMETER_INVALID};
use serde_json::{Value, json};

/// One issue for each fault, or one for the error itself. `details` is the public title, `diagnostics` what is public
/// about this occurrence; the cause stays in the log.
pub fn outcome(error: &Error) -> Value {
    let severity = if error.code.status >= 500 { "fatal" } else { "error" };
    let issue = |code: &str| json!({"severity": severity, "code": code, "details": {"text": error.code.title}});
    let mut issues: Vec<Value> = Vec::with_capacity(error.faults.len().max(1));
    for fault in &error.faults {
        let mut issue = issue(issue_type(error, fault));
        issue["diagnostics"] = Value::from(fault.text.as_str());
        if *error.code == PARAMETER_INVALID {
            // R4 names a parameter or header by location, for it is no element that FHIRPath could reach.
            issue["location"] = json!([format!("http.{}", fault.field)]);
        } else if !fault.field.is_empty() {
            issue["expression"] = json!([fault.field]);
        }
        issues.push(issue);
    }
    if issues.is_empty() {
        let mut issue = issue(error.code.issue);
        if let Some(detail) = &error.detail {
            issue["diagnostics"] = Value::from(detail.as_str());
        }
        issues.push(issue);
    }
    json!({"resourceType": "OperationOutcome", "issue": issues})
}

/// Nothing to complain about: the body of `Prefer: return=OperationOutcome` and of a clean `$validate`.
pub fn all_ok() -> Value {
    note("information", "informational", "All is well.")
}

/// A remark that is no refusal.
pub fn note(severity: &str, code: &str, text: &str) -> Value {
    let issue = json!({"severity": severity, "code": code, "details": {"text": text}});
    json!({"resourceType": "OperationOutcome", "issue": [issue]})
}

/// The rule of a fault says more than the code of the whole error.
fn issue_type(error: &Error, fault: &Fault) -> &'static str {
    match fault.rule {
        "required" => "required",
        "unknown" | "type" | "empty" | "cardinality" | "duplicate" | "depth" | "nul" if error.code.status < 500 => "structure",
        "format" | "range" => "value",
        "length" => "too-long",
        "code" => "code-invalid",
        "invariant" => "invariant",
        "not-supported" => "not-supported",
        _ => error.code.issue,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::faults;
    use super::*;
    use crate::kernel::error::{ALL, INTERNAL, INVALID, STALE};

    #[test]
    fn every_error_makes_a_valid_outcome() {
        for code in ALL {
            let error = Error::new(code).detail("d").because("the cause is private").fault("Patient.name", "required", "t");
            for error in [Error::new(code), error] {
                let outcome = outcome(&error);
                assert_eq!(faults(&outcome), [], "{}", code.code);
                assert!(!outcome.to_string().contains("private"));
            }
        }
        assert_eq!(faults(&all_ok()), []);
    }

    #[test]
    fn each_fault_is_an_issue_with_its_place() {
        let error =
            Error::new(&INVALID).fault("Patient.birthDate", "format", "The value must be a date.").fault("Patient.foo", "unknown", "t");
        assert_eq!(
            outcome(&error)["issue"][0],
            json!({"severity": "error", "code": "value", "details": {"text": "A field breaks a rule."},
                "diagnostics": "The value must be a date.", "expression": ["Patient.birthDate"]})
        );
        assert_eq!(outcome(&error)["issue"][1]["code"], "structure");
        assert_eq!(outcome(&Error::new(&STALE))["issue"][0]["code"], "conflict");
        assert_eq!(outcome(&Error::new(&INTERNAL))["issue"][0]["severity"], "fatal");
    }
}
