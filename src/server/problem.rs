//! One door for errors: whatever a handler, poem or poem-openapi refuses becomes a line of our table, and leaves as
//! RFC 9457 problem+json or in the form its path has registered. The framework's own texts repeat what the caller
//! sent, so they are dropped here, all of them.

use std::error::Error as StdError;

use poem::{
    IntoResponse, Request, Response,
    error::{
        MethodNotAllowedError, NotFoundError, ParseCookieError, ParseFormError, ParseJsonError, ParseMultipartError, ParsePathError,
        ParseQueryError, ParseTypedHeaderError, ReadBodyError, ResponseError, SizedLimitError,
    },
    http::{StatusCode, header},
};
use poem_openapi::error as openapi;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kernel::error::{self, Code, Error};

pub const PROBLEM_JSON: &str = "application/problem+json";

/// Media type and body of one error; the engine that owns a path prefix gives it without knowing poem.
pub type Render = fn(&Error, Uuid) -> (&'static str, Vec<u8>);

/// Which form errors take under which path; problem+json where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Renderers(Vec<(&'static str, Form)>);

#[derive(Debug, Clone, Copy)]
enum Form {
    One(Render),
    /// By what the request says it reads.
    Asked(fn(&Request) -> Render),
}

impl Renderers {
    /// Errors at `prefix` and below are rendered by `render`.
    pub fn under(mut self, prefix: &'static str, render: Render) -> Self {
        self.0.push((prefix, Form::One(render)));
        self
    }

    /// The same, in one of several forms.
    pub fn under_asked(mut self, prefix: &'static str, form: fn(&Request) -> Render) -> Self {
        self.0.push((prefix, Form::Asked(form)));
        self
    }

    pub fn pick(&self, request: &Request) -> Render {
        let owns = |prefix: &str| request.uri().path().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match self.0.iter().find(|(prefix, _)| owns(prefix)) {
            None => problem,
            Some((_, Form::One(render))) => *render,
            Some((_, Form::Asked(form))) => form(request),
        }
    }
}

/// RFC 9457. `type` is a reference relative to the server; `errors` names fields and rules, never values.
pub fn problem(error: &Error, request_id: Uuid) -> (&'static str, Vec<u8>) {
    let mut body = json!({
        "type": format!("/problems/{}", error.code.code),
        "title": error.code.title,
        "status": error.code.status,
        "code": error.code.code,
    });
    if let Some(detail) = &error.detail {
        body["detail"] = json!(detail);
    }
    if !request_id.is_nil() {
        body["request_id"] = json!(request_id);
    }
    if !error.faults.is_empty() {
        let fault = |fault: &error::Fault| json!({"field": fault.field, "rule": fault.rule, "message": fault.text});
        body["errors"] = Value::Array(error.faults.iter().map(fault).collect());
    }
    (PROBLEM_JSON, body.to_string().into_bytes())
}

/// The answer that carries `error`.
pub fn respond(error: &Error, request_id: Uuid, render: Render) -> Response {
    let (media_type, body) = render(error, request_id);
    let mut response = Response::builder().status(status(error.code)).content_type(media_type);
    if let Some(seconds) = error.retry_after_s {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    if error.code.status == 401 {
        // RFC 9110 §11.6.1: a 401 says which scheme would do.
        response = response.header(header::WWW_AUTHENTICATE, "Bearer realm=\"enamel\"");
    }
    response.body(body)
}

fn status(code: &Code) -> StatusCode {
    // A test of the table keeps every status within 400..=599.
    StatusCode::from_u16(code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Lets a handler use `?`. The middleware renders it again with the request's id and form.
impl ResponseError for Error {
    fn status(&self) -> StatusCode {
        status(self.code)
    }
    fn as_response(&self) -> Response {
        respond(self, Uuid::nil(), problem)
    }
}

/// What a refusal is: an answer somebody made on purpose, or an error of our table.
pub enum Refusal {
    Answer(Response),
    Error(Error),
}

/// Sorts a poem error by its type. Its text is not looked at.
pub fn translate(error: poem::Error) -> Refusal {
    if error.is_from_response() {
        return Refusal::Answer(error.into_response());
    }
    match error.downcast::<Error>() {
        Ok(ours) => Refusal::Error(ours),
        Err(foreign) => Refusal::Error(translate_foreign(&foreign)),
    }
}

fn translate_foreign(error: &poem::Error) -> Error {
    if error.is::<NotFoundError>() {
        return Error::new(&error::NO_ROUTE);
    }
    if error.is::<MethodNotAllowedError>() {
        return Error::new(&error::METHOD_NOT_ALLOWED);
    }
    // An id that is no id names nothing: the same answer as for an id nobody has.
    if error.is::<ParsePathError>() || error.is::<openapi::ParsePathError>() {
        return Error::new(&error::NOT_FOUND);
    }
    if let Some(parameter) = error.downcast_ref::<openapi::ParseParamError>() {
        return Error::new(&error::PARAMETER_INVALID).fault(parameter.name, "format", "The parameter cannot be read.");
    }
    if error.is::<ParseQueryError>() || error.is::<ParseCookieError>() || error.is::<ParseTypedHeaderError>() {
        return Error::new(&error::PARAMETER_INVALID);
    }
    if error.is::<openapi::AuthorizationError>() {
        return Error::new(&error::UNAUTHENTICATED);
    }
    if error.is::<openapi::ContentTypeError>() {
        return Error::new(&error::MEDIA_TYPE);
    }
    if error.is::<SizedLimitError>() || matches!(error.downcast_ref(), Some(ReadBodyError::PayloadTooLarge)) {
        return Error::new(&error::TOO_LARGE);
    }
    if let Some(body) = error.downcast_ref::<ReadBodyError>() {
        return match body {
            ReadBodyError::BodyHasBeenTaken => Error::internal("the body was read twice"),
            _ => Error::new(&error::MALFORMED),
        };
    }
    let unreadable = error.is::<ParseJsonError>() || error.is::<ParseFormError>() || error.is::<ParseMultipartError>();
    if unreadable || error.is::<openapi::ParseRequestPayloadError>() || error.is::<openapi::ParseMultipartError>() {
        let media_type = error.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Error::new(if media_type { &error::MEDIA_TYPE } else { &error::MALFORMED });
    }
    by_status(error)
}

/// An error of a type not named above keeps its status and gets the first line of the table with it.
fn by_status(error: &poem::Error) -> Error {
    let status = error.status().as_u16();
    match error::ALL.iter().find(|code| code.status == status) {
        Some(code) if status < 500 => Error::new(code),
        _ if (400..500).contains(&status) => Error::new(&error::MALFORMED),
        _ => Error::internal(Opaque(std::any::type_name_of_val(error))),
    }
}

/// A cause of which nothing may be said but that it was none of ours.
#[derive(Debug)]
struct Opaque(&'static str);

impl std::fmt::Display for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a handler failed with {}", self.0)
    }
}

impl StdError for Opaque {}

/// `GET /problems/:code`, where the `type` of a problem leads: the line of the table.
#[poem::handler]
pub fn explain(poem::web::Path(code): poem::web::Path<String>) -> poem::Result<Response> {
    let line = error::ALL.iter().find(|line| line.code == code).ok_or(Error::new(&error::NOT_FOUND))?;
    let body = json!({"code": line.code, "status": line.status, "title": line.title, "fhir_issue": line.issue});
    Ok(poem::web::Json(body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: poem::Error) -> String {
        match translate(error) {
            Refusal::Answer(answer) => format!("answer {}", answer.status()),
            Refusal::Error(error) => format!("{} {} {:?}", error.code.status, error.code.code, error.faults),
        }
    }

    #[test]
    fn the_frameworks_errors_become_ours_without_their_text() {
        let reason = || "found `hunter2`".to_owned();
        let json = serde_json::from_str::<u8>("\"hunter2\"").unwrap_err();
        let cases: [(poem::Error, &str); 12] = [
            (openapi::ParseParamError { name: "limit", reason: reason() }.into(), "400 parameter.invalid"),
            (openapi::ParsePathError { name: "id", reason: reason() }.into(), "404 not_found"),
            (openapi::ParseRequestPayloadError { reason: reason() }.into(), "400 body.malformed"),
            (openapi::ContentTypeError::NotSupported { content_type: reason() }.into(), "415 body.media_type"),
            (openapi::AuthorizationError.into(), "401 auth.required"),
            (NotFoundError.into(), "404 route.unknown"),
            (MethodNotAllowedError.into(), "405 route.method"),
            (SizedLimitError::PayloadTooLarge.into(), "413 body.too_large"),
            (ReadBodyError::PayloadTooLarge.into(), "413 body.too_large"),
            (ParseJsonError::Parse(json).into(), "400 body.malformed"),
            (poem::Error::from_string(reason(), StatusCode::CONFLICT), "409 conflict"),
            (poem::Error::from_string(reason(), StatusCode::BAD_GATEWAY), "500 internal"),
        ];
        for (error, wanted) in cases {
            let shown = shown(error);
            assert!(shown.starts_with(&format!("{wanted} ")), "{shown} for {wanted}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(shown(poem::Error::from_response(StatusCode::IM_A_TEAPOT.into_response())), "answer 418 I'm a teapot");
    }

    #[test]
    fn a_problem_names_fields_and_rules() {
        let error = Error::new(&error::INVALID).fault("items[2].quantity", "range", "Must be 1 to 9.").because("secret cause");
        let (media_type, body) = problem(&error, Uuid::from_u128(7));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(media_type, PROBLEM_JSON);
        assert_eq!(body["type"], "/problems/field.invalid");
        assert_eq!(body["status"], 422);
        assert_eq!(body["request_id"], "00000000-0000-0000-0000-000000000007");
        assert_eq!(body["errors"], json!([{"field": "items[2].quantity", "rule": "range", "message": "Must be 1 to 9."}]));
        assert!(!body.to_string().contains("secret cause"));
    }

    #[test]
    fn a_path_prefix_owns_whole_segments_only() {
        fn outcome(_: &Error, _: Uuid) -> (&'static str, Vec<u8>) {
            ("application/fhir+json", Vec::new())
        }
        let renderers = Renderers::default().under("/fhir/r4", outcome);
        let media_type =
            |path: &str| renderers.pick(&Request::builder().uri_str(path).finish())(&Error::new(&error::NOT_FOUND), Uuid::nil()).0;
        assert_eq!(media_type("/fhir/r4"), "application/fhir+json");
        assert_eq!(media_type("/fhir/r4/Patient/1"), "application/fhir+json");
        assert_eq!(media_type("/fhir/r45"), PROBLEM_JSON);
        assert_eq!(media_type("/api/v1/patients"), PROBLEM_JSON);
    }

    #[test]
    fn a_503_says_when_to_come_back_and_a_401_how() {
        let busy = respond(&Error::new(&error::UNAVAILABLE), Uuid::nil(), problem);
        assert_eq!(busy.header("retry-after"), Some("1"));
        let unknown = respond(&Error::new(&error::UNAUTHENTICATED), Uuid::nil(), problem);
        assert_eq!(unknown.header("www-authenticate"), Some("Bearer realm=\"enamel\""));
    }
}
