//! Named operations: what they are given, and which function answers.

use super::answer::{self, Asked, Shape};
use super::{document, everything, library, matching, meta, profiles, read, terminology, types};
use crate::fhir::check::judge_as;
use crate::fhir::definitions::profiles::Profiles;
use crate::fhir::negotiate::{self, Format};
use crate::fhir::operation::{self, Level, Operation};
use crate::fhir::outcome::{all_ok, outcome};
use crate::fhir::registry::TypeDef;
use crate::fhir::search::form;
use crate::fhir::terminology::Coding;
use crate::fhir::{DOCUMENT, Resource};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Fault, Result};
use crate::kernel::json;
use crate::server::scopes;
use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use serde_json::Value as Json;
use uuid::Uuid;

/// The input parameters of one call, from the query of a GET or from a Parameters resource.
#[derive(Default)]
pub struct Inputs(Vec<(String, Json)>);

impl Inputs {
    pub fn of_query(text: &str) -> Result<Inputs> {
        Ok(Inputs(form::decode(text)?.into_iter().map(|(name, value)| (name, Json::from(value))).collect()))
    }

    /// Those of the body come before those of the query.
    pub fn of_body(body: Json, query: &str) -> Result<Inputs> {
        let mut inputs = Vec::new();
        match body.get("resourceType").and_then(Json::as_str) {
            Some("Parameters") => {
                for parameter in body["parameter"].as_array().into_iter().flatten() {
                    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                    let mut members = parameter.as_object().into_iter().flatten();
                    let value = members.find(|(key, _)| key.starts_with("value") || *key == "resource");
                    inputs.extend(value.map(|(_, value)| (name, value.clone())));
                }
            }
            _ => inputs.push(("resource".to_owned(), body)),
        }
        inputs.extend(Inputs::of_query(query)?.0);
        Ok(Inputs(inputs))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Json> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).filter_map(|(_, value)| value.as_str())
    }
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| *value == Json::Bool(true) || value == "true")
    }
    pub fn whole(&self, name: &'static str) -> Result<Option<usize>> {
        let read = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse::<usize>();
        let wrong = |_| Error::new(&error::PARAMETER_INVALID).fault(name, "format", "The value must be a whole number from 0.");
        self.get(name).map(read).transpose().map_err(wrong)
    }
    /// `coding`, `codeableConcept`, or `system`, `code` and `display`.
    pub fn codings(&self) -> Vec<Coding> {
        let of = |value: &Json| {
            let text = |key: &str| value.get(key).and_then(Json::as_str).map(str::to_owned);
            Some(Coding { system: text("system"), code: text("code")?, display: text("display") })
        };
        let concept = self.get("codeableConcept").and_then(|concept| concept["coding"].as_array());
        let mut found: Vec<Coding> = concept.into_iter().flatten().chain(self.get("coding")).filter_map(of).collect();
        let text = |name: &str| self.text(name).map(str::to_owned);
        found.extend(text("code").map(|code| Coding { system: text("system"), code, display: text("display") }));
        found
    }
}

/// One call.
pub struct Call<'a> {
    pub caller: &'a Caller,
    pub def: &'static TypeDef,
    pub id: Option<&'a str>,
    pub inputs: &'a Inputs,
    pub base: &'a str,
}

pub async fn run(fhir: super::Fhir, mut request: Request) -> Result<Response> {
    let caller = super::caller(&request)?;
    let id = request.raw_path_param("id").map(str::to_owned);
    let name = request.uri().path().rsplit_once('$').map(|(_, name)| name.to_owned()).unwrap_or_default();
    let of = request.raw_path_param("type").map(|name| types::registry().find(name)).transpose()?;
    let known = match of {
        Some(def) => {
            let level = if id.is_some() { Level::Instance } else { Level::Type };
            operation::of_type(def).find(|known| known.name == name && known.levels_of(def).any(|offered| offered == level))
        }
        None => operation::of_system().find(|known| known.name == name),
    };
    let known = known.ok_or_else(|| Error::new(&error::NO_ROUTE).detail("The type has no such operation."))?;
    if let Some(def) = of {
        permitted(&caller, def, id.as_deref()).await?;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let inputs = match (request.method() == Method::GET, known.by_get) {
        (true, false) => return Err(Error::new(&error::METHOD_NOT_ALLOWED)),
        (true, true) => Inputs::of_query(&query)?,
        (false, _) => {
            let (_, bytes) = Asked::with_body(&mut request).await?;
            Inputs::of_body(json::parse(&bytes, DOCUMENT)?, &query)?
        }
    };
    let shape = shape(&request, &inputs)?;
    let def = match of {
        Some(def) => def,
        None => {
            let def = said(&inputs)?;
            permitted(&caller, def, None).await?;
            def
        }
    };
    let call = Call { caller: &caller, def, id: id.as_deref(), inputs: &inputs, base: &fhir.base };
    let told = super::told(&caller, def, id.as_deref().and_then(|id| id.parse().ok()), Action::Read, answered(known, &call).await).await?;
    answer::body(StatusCode::OK, &told, &shape)
}

async fn permitted(caller: &Caller, def: &TypeDef, id: Option<&str>) -> Result<()> {
    let permitted = scopes::on_type(caller, def.name, 'r');
    super::told(caller, def, id.and_then(|id| id.parse().ok()), Action::Read, permitted).await
}

/// The type of the resource that the server itself is asked about.
fn said(inputs: &Inputs) -> Result<&'static TypeDef> {
    let invalid = |text: &str| Error::new(&error::PARAMETER_INVALID).fault("resource", "type", text);
    let resource = inputs.get("resource").ok_or_else(|| invalid("The resource is required."))?;
    let name = resource.get("resourceType").and_then(Json::as_str).unwrap_or_default();
    types::registry().find(name).map_err(|_| invalid("The resource is of no type of R4."))
}

/// The form of the answer; the other parameters are the operation's.
fn shape(request: &Request, inputs: &Inputs) -> Result<Shape> {
    let format: Format = negotiate::answer_format(request.header(header::ACCEPT), inputs.text("_format"))?;
    Ok(Shape::plain(format, inputs.flag("_pretty")))
}

async fn answered(known: &Operation, call: &Call<'_>) -> Result<Json> {
    match (known.name, call.def.name) {
        ("validate", _) => validate(call).await,
        ("everything", _) => everything::run(call).await,
        ("document", _) => document::run(call).await,
        ("match", _) => matching::run(call).await,
        ("meta", _) => meta::shown(call).await,
        ("meta-add", _) => meta::changed(call, meta::add).await,
        ("meta-delete", _) => meta::changed(call, meta::remove).await,
        ("expand", _) => terminology::expand(call).await,
        ("validate-code", "ValueSet") => terminology::in_set(call).await,
        ("validate-code", _) => terminology::in_system(call).await,
        ("lookup", _) => terminology::lookup(call).await,
        ("subsumes", _) => terminology::subsumes(call).await,
        ("translate", _) => terminology::translate(call).await,
        _ => Err(Error::new(&error::NO_ROUTE)),
    }
}

/// What would be said to a create, update or delete, without doing it (R4 §3.1.0.11). What is wrong is no failure of the call.
async fn validate(call: &Call<'_>) -> Result<Json> {
    let invalid = |name: &str, text: &str| Error::new(&error::PARAMETER_INVALID).fault(name, "code", text);
    let mode = call.inputs.text("mode");
    if mode.is_some_and(|mode| !matches!(mode, "create" | "update" | "delete" | "profile")) {
        return Err(invalid("mode", "The mode is create, update, delete or profile."));
    }
    let named: Vec<&str> = call.inputs.texts("profile").collect();
    if mode == Some("profile") && named.is_empty() {
        return Err(invalid("profile", "This mode needs a profile."));
    }
    if mode == Some("delete") {
        read::one(call.caller, types::sources(call.def.name)?, super::record_id(call.id)?).await?;
        let refused = call.def.allows(crate::fhir::registry::Interaction::Delete).err();
        return Ok(refused.map_or_else(all_ok, |refusal| outcome(&refusal)));
    }
    let resource = match (call.inputs.get("resource"), call.id) {
        (Some(resource), _) => resource.clone(),
        (None, None) => return Err(invalid("resource", "The resource is required.")),
        (None, Some(id)) => match library::get(call.def.name, id) {
            Some(known) => known?,
            None => {
                let shown = read::one(call.caller, types::sources(call.def.name)?, super::record_id(Some(id))?).await?;
                shown.resource.into_value()
            }
        },
    };
    let own = own(call, &resource, &named).await?;
    let faults = faults(call, &resource, &named, mode, &own);
    Ok(if faults.is_empty() { all_ok() } else { outcome(&Error::new(&error::INVALID).faults(faults)) })
}

/// The clinic's own profiles, for those who have a clinic.
async fn own(call: &Call<'_>, resource: &Json, named: &[&str]) -> Result<Profiles> {
    if call.caller.context.plane != Plane::Staff {
        return Ok(Profiles::default());
    }
    let mut scope = call.caller.kernel.door.open(&call.caller.context).await?;
    let own = profiles::of(&mut scope, call.caller, resource, named, call.base).await?;
    scope.commit().await?;
    Ok(own)
}

fn faults(call: &Call<'_>, resource: &Json, named: &[&str], mode: Option<&str>, known: &Profiles) -> Vec<Fault> {
    let fault = |field: String, rule, text: &str| Fault { field, rule, text: text.into() };
    if resource.get("resourceType").and_then(Json::as_str) != Some(call.def.name) {
        return match Resource::from_value(resource.clone()) {
            Err(refusal) => refusal.faults,
            Ok(_) => vec![fault("resourceType".into(), "type", "The resource is of another type than the URL.")],
        };
    }
    let mut faults = judge_as(resource, known, named);
    let unknown = named.iter().filter(|url| known.structure(url).is_none());
    faults.extend(unknown.map(|_| fault(call.def.name.into(), "not-supported", "A profile that was named is not known here.")));
    let is_other = call.inputs.get("resource").is_some() && call.id.is_some() && resource.get("id").and_then(Json::as_str) != call.id;
    if is_other || mode == Some("update") && resource.get("id").is_none() {
        faults.push(fault(format!("{}.id", call.def.name), "invariant", "The resource has the id of the URL."));
    }
    faults
}

/// A kept resource of that type and id, or HL7's.
pub async fn by_id(call: &Call<'_>, id: &str) -> Result<Json> {
    if let Some(known) = library::get(call.def.name, id) {
        return known;
    }
    let id: Uuid = super::record_id(Some(id))?;
    Ok(read::one(call.caller, types::sources(call.def.name)?, id).await?.resource.into_value())
}
