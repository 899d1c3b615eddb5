//! Kick-offs: the parameters are read whole and what is wrong with them is told at once; the rest is a job's.

use super::head::parameters;
use super::jobs::EXPORT;
use super::order::{Asked, Level, Order, PATIENTS_MAX};
use crate::fhir::operation::BULK;
use crate::fhir::reference::Literal;
use crate::identity::step_up;
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::Permission;
use crate::kernel::error::{self, Error, Result};
use crate::server::fhir::operations::Inputs;
use crate::server::fhir::{Fhir, allowed, answer, caller, read, record_id, types};
use crate::workflow::long_work;
use crate::workflow::order::By;
use chrono::Utc;
use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use serde::Serialize;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Exports of a tenant that wait or run.
const EXPORTS_MAX: i64 = 3;

pub async fn export(fhir: Fhir, mut request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let done = ordered(&fhir, &caller, &mut request).await;
    if let Err(refusal) = &done {
        caller.refused("Export", None, Action::Execute, refusal).await?;
    }
    let id = done?;
    accepted(&fhir, id)
}

async fn ordered(fhir: &Fhir, caller: &Caller, request: &mut Request) -> Result<Uuid> {
    let by = By::of(caller, Permission::ManageGovernance)?;
    step_up::ask(caller, "createExportJob").await?;
    let is_async = is_asked_for(request)?;
    let (level, group) = level(request)?;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let url =
        format!("{}{}", fhir.base, request.uri().path_and_query().map_or("", |all| all.as_str().trim_start_matches(super::super::PATH)));
    let is_post = request.method() == Method::POST;
    let inputs = if is_post { posted(request, &query).await? } else { Inputs::of_query(&query)? };
    let members = match group {
        Some(id) => Some(members(caller, id, &fhir.base).await?),
        None => None,
    };
    let asked = Asked { caller, inputs: &inputs, level, members, is_post, lenient: is_async, base: &fhir.base };
    let order = Order::read(&asked, by, url).await?;
    queued(caller, EXPORT, EXPORTS_MAX, &order, order.types.iter().map(String::as_str)).await
}

/// The job, and that it was ordered.
pub async fn queued<'a>(
    caller: &Caller,
    kind: &'static str,
    most: i64,
    order: &impl Serialize,
    types: impl Iterator<Item = &'a str>,
) -> Result<Uuid> {
    let kernel = &caller.kernel;
    let id = long_work::queue(kernel, &caller.server(caller.tenant()?), kind, most, order).await?;
    let mut event = audit_store::of(&caller.context, "EXPORT_STARTED", Action::Execute, Outcome::Success, Utc::now());
    event.resource_type = Some(Cow::Borrowed("Job"));
    event.resource_id = Some(id);
    event.metadata = Metadata::new().text("operation", kind).texts("types", types);
    kernel.audit.record(event).await?;
    Ok(id)
}

/// `202` with the place where the job is asked for.
pub fn accepted(fhir: &Fhir, id: Uuid) -> Result<Response> {
    let place = format!("{}/$job/{id}", fhir.base);
    Ok(Response::builder().status(StatusCode::ACCEPTED).header(header::CONTENT_LOCATION, place).finish())
}

async fn posted(request: &mut Request, query: &str) -> Result<Inputs> {
    match parameters(request).await? {
        None => Inputs::of_query(query),
        Some(body) => Inputs::of_body(body, query),
    }
}

/// That it is to be done behind the request; whether what cannot be done is to be passed over.
pub fn is_asked_for(request: &Request) -> Result<bool> {
    let prefer = answer::Asked::of(request)?.prefer;
    if !prefer.respond_async {
        let text = "It is done as a job: the header Prefer says respond-async.";
        return Err(Error::new(&error::PARAMETER_INVALID).fault("Prefer", "required", text));
    }
    let given = request.headers().get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    Ok(given.flat_map(|value| value.split([',', ';'])).any(|word| word.trim().eq_ignore_ascii_case("handling=lenient")))
}

fn level(request: &Request) -> Result<(Level, Option<Uuid>)> {
    let (of, id) = (request.raw_path_param("type"), request.raw_path_param("id"));
    if !BULK.iter().any(|known| known.name == "export" && known.of == of && known.path().contains(":id") == id.is_some()) {
        return Err(Error::new(&error::NO_ROUTE).detail("The type has no such operation."));
    }
    Ok(match (of, id) {
        (None, _) => (Level::System, None),
        (_, None) => (Level::Patient, None),
        (_, Some(id)) => (Level::Group, Some(record_id(Some(id))?)),
    })
}

/// The patients who are members of a group that the caller sees.
async fn members(caller: &Caller, id: Uuid, base: &str) -> Result<Vec<Uuid>> {
    let def = types::registry().find("Group")?;
    allowed(caller, def, crate::fhir::registry::Interaction::Read)?;
    let own = Caller { reads_subtree: false, ..caller.clone() };
    let group = read::one(&own, types::sources(def.name)?, id).await?.resource.into_value();
    let mut members = BTreeSet::new();
    for member in group["member"].as_array().into_iter().flatten().filter(|member| member["inactive"] != Json::Bool(true)) {
        let reference = member["entity"]["reference"].as_str().unwrap_or_default();
        if let Literal::Local { type_name: "Patient", id, .. } = Literal::parse(reference, base) {
            members.extend(id.parse::<Uuid>());
        }
    }
    if members.len() > PATIENTS_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A group of at most 100,000 patients is exported."));
    }
    Ok(members.into_iter().collect())
}
