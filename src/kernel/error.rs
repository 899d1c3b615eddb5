//! Every refusal and failure Enamel can speak, in one table.
//!
//! A contract turns an [`Error`] into its own form: RFC 9457 problem+json on REST, OperationOutcome on FHIR,
//! RFC 6749 §5.2 on OAuth. Titles are public; the cause goes to the log and nowhere else.

use std::fmt;

/// One line of the error table. `code` is stable, never used twice and outlives its use.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// FHIR R4 issue-type (value set `issue-type`).
    pub issue: &'static str,
}

macro_rules! errors {
    ($($name:ident $code:literal $status:literal $title:literal $issue:literal;)*) => {
        $(pub static $name: Code = Code { code: $code, status: $status, title: $title, issue: $issue };)*
        /// The whole table, for the error reference and the test that every code is unique.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

errors! {
    NOT_FOUND              "not_found"               404 "There is no such resource." "not-found";
    GONE                   "gone"                    410 "The resource was retired." "deleted";
    NO_ROUTE               "route.unknown"           404 "There is no such path." "not-found";
    METHOD_NOT_ALLOWED     "route.method"            405 "The path does not take this method." "not-supported";
    UNAUTHENTICATED        "auth.required"           401 "A valid access token is needed." "login";
    FORBIDDEN              "auth.forbidden"          403 "The caller may not do this." "forbidden";
    CREDENTIALS_WRONG      "auth.credentials"        401 "The credentials are not right." "login";
    SECOND_FACTOR_NEEDED   "auth.second_factor"      401 "A code of the second factor is needed too." "login";
    ENROLMENT_NEEDED       "auth.enrolment"         403 "The clinic asks for a second factor, and there is none yet: sign in on the sign-in page to add one." "forbidden";
    STEP_UP_NEEDED         "auth.step_up"            403 "Sign in again to do this; the last time is too long ago." "forbidden";
    SIGN_IN_BUSY           "auth.busy"               429 "Too many sign-ins at this moment." "throttled";
    RATE_LIMITED           "rate.limited"            429 "Too many requests." "throttled";
    QUOTA_EXCEEDED         "quota.exceeded"          403 "A limit of the tenant's plan is reached." "too-costly";
    MALFORMED              "body.malformed"          400 "The body cannot be read." "structure";
    INVALID                "field.invalid"           422 "A field breaks a rule." "invalid";
    PARAMETER_INVALID      "parameter.invalid"       400 "A parameter breaks a rule." "invalid";
    TOO_COSTLY             "parameter.too_costly"    400 "The search asks for too much at once." "too-costly";
    TOO_LARGE              "body.too_large"          413 "The body is too large." "too-long";
    HEADERS_TOO_LARGE      "headers.too_large"       431 "The headers are too large." "too-long";
    MEDIA_TYPE             "body.media_type"         415 "The media type is not taken here." "not-supported";
    NOT_ACCEPTABLE         "accept.none"             406 "None of the accepted media types can be given." "not-supported";
    STALE                  "version.stale"           412 "The resource changed after it was read." "conflict";
    SEVERAL                "condition.several"       412 "The condition is met by several resources." "multiple-matches";
    PRECONDITION_REQUIRED  "version.required"        428 "If-Match with the version that was read is needed." "required";
    CONFLICT               "conflict"                409 "The change collides with what is stored." "conflict";
    DUPLICATE              "conflict.duplicate"      409 "A resource with the same key exists." "duplicate";
    IN_USE                 "conflict.in_use"         409 "The resource is still referred to." "conflict";
    REFERENCE_UNKNOWN      "reference.unknown"       422 "A reference points to nothing the caller can see." "not-found";
    MOVE_REFUSED           "state.move_refused"      409 "The record cannot go to that state from here." "business-rule";
    LAST_ADMINISTRATOR     "state.last_administrator" 409 "A tenant keeps at least one administrator." "business-rule";
    APPEND_ONLY            "record.append_only"      409 "This record is never changed." "business-rule";
    KEY_REUSED             "idempotency.reused"      422 "The idempotency key was used with another request." "business-rule";
    KEY_IN_FLIGHT          "idempotency.in_flight"   409 "A request with this idempotency key is still running." "conflict";
    SHOWN_ONCE             "idempotency.shown_once"  409 "The request was done; its answer held a secret, which is shown once." "business-rule";
    UPLOAD_MISMATCH        "file.mismatch"           422 "The stored object is not what was announced." "invalid";
    UPLOAD_MISSING         "file.missing"            409 "The object has not been uploaded." "not-found";
    FILE_NOT_READY         "file.not_ready"          409 "The file cannot be opened in its state." "business-rule";
    DICOM_UNREADABLE       "dicom.unreadable"        422 "The DICOM header cannot be read." "structure";
    NOT_SUPPORTED          "not_supported"           422 "This is not supported here." "not-supported";
    JOB_FAILED             "job.failed"              500 "The job ended before it was done." "exception";
    UNAVAILABLE            "unavailable"             503 "A part the server needs is not reachable." "transient";
    DEADLINE               "deadline"                503 "The request took longer than it may." "timeout";
    INTERNAL               "internal"                500 "Something failed on our side." "exception";
}

/// One broken rule: where (a JSON path or parameter name) and which. Never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `first_name`, `items[2].quantity`, or a FHIRPath like `Patient.name[0].given`.
    pub field: String,
    /// Stable word for the rule: `required`, `unknown`, `type`, `length`, `format`, `range`, `reference` …
    pub rule: &'static str,
    pub text: String,
}

#[derive(Debug)]
pub struct Error {
    pub code: &'static Code,
    /// Public sentence about this occurrence; never holds a value the caller or the database gave.
    pub detail: Option<String>,
    pub faults: Vec<Fault>,
    /// Seconds, where coming back helps: 429, 503 and a key that is in flight.
    pub retry_after_s: Option<u32>,
    /// For the log only.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: &'static Code) -> Self {
        let retry_after_s = (matches!(code.status, 429 | 503) || code == &KEY_IN_FLIGHT).then_some(1);
        Self { code, detail: None, faults: Vec::new(), retry_after_s, cause: None }
    }
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Some(text.into());
        self
    }
    pub fn fault(mut self, field: impl Into<String>, rule: &'static str, text: impl Into<String>) -> Self {
        self.faults.push(Fault { field: field.into(), rule, text: text.into() });
        self
    }
    pub fn faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
    /// A person's session before it is in any clinic: nothing can be written then, for no chart is theirs.
    pub fn no_tenant() -> Self {
        Self::new(&FORBIDDEN).detail("The session is in no tenant; switchTenant puts it in one.")
    }
    /// Something of ours is broken: 500 outside, the cause in the log.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(&INTERNAL).because(cause)
    }
    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(&UNAVAILABLE).because(cause)
    }
}

impl From<&'static Code> for Error {
    fn from(code: &'static Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.code, self.detail.as_deref().unwrap_or(self.code.title))?;
        for fault in &self.faults {
            write!(f, "; {} ({}): {}", fault.field, fault.rule, fault.text)?;
        }
        if let Some(cause) = &self.cause {
            write!(f, " [{cause}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_never_used_twice() {
        let mut seen = std::collections::HashSet::new();
        for line in ALL {
            assert!(seen.insert(line.code), "{} stands twice", line.code);
            assert!((400..=599).contains(&line.status), "{}", line.code);
        }
    }
}
