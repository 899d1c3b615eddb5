//! The CapabilityStatement, made from the registry: what works is declared, what is declared works.

use super::operation::{self, Operation};
use super::registry::{Interaction, Registry, TypeDef};
use super::search::param::{ID, LAST_UPDATED};
use super::search::{Kind, SearchParam};
use serde_json::{Map, Value, json};

const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
const SECURITY_SERVICE: &str = "http://terminology.hl7.org/CodeSystem/restful-security-service";

/// What the statement says about this server.
pub struct Server<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// When the software was released; a date or dateTime.
    pub date: &'a str,
    pub base: &'a str,
    /// Set once an authorization server answers at these URLs.
    pub security: Option<Security<'a>>,
}

/// The OAuth URLs of SMART App Launch.
pub struct Security<'a> {
    pub authorize: &'a str,
    pub token: &'a str,
    pub introspect: Option<&'a str>,
    pub revoke: Option<&'a str>,
}

pub fn statement(registry: &Registry, server: &Server<'_>) -> Value {
    let mut rest = Map::new();
    rest.insert("mode".into(), json!("server"));
    let text = "An update makes a resource that is not there under a UUID, and answers 405 for any other id.";
    rest.insert("documentation".into(), json!(text));
    if let Some(security) = &server.security {
        rest.insert("security".into(), smart(security));
    }
    let types: Vec<Value> = registry.types().iter().map(|def| resource(def)).collect();
    if !types.is_empty() {
        rest.insert("resource".into(), Value::Array(types));
    }
    rest.insert(
        "interaction".into(),
        json!([{"code": "transaction"}, {"code": "batch"}, {"code": "history-system"}, {"code": "search-system"}]),
    );
    rest.insert("operation".into(), operation::of_system().map(named).chain(bulk(None)).collect());
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": server.date,
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": server.name, "version": server.version},
        "implementation": {"description": server.name, "url": server.base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "patchFormat": ["application/json-patch+json", "application/fhir+json"],
        "rest": [rest],
    })
}

fn resource(def: &TypeDef) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), json!(def.name));
    if !def.profiles.is_empty() {
        out.insert("supportedProfile".into(), json!(def.profiles));
    }
    let interactions: Vec<Value> = def.interactions.iter().map(|interaction| json!({"code": interaction.code()})).collect();
    let offers = |interaction: Interaction| def.interactions.contains(&interaction);
    if !interactions.is_empty() {
        out.insert("interaction".into(), Value::Array(interactions));
        out.insert("versioning".into(), json!("versioned-update"));
        out.insert("readHistory".into(), json!(offers(Interaction::Vread)));
        out.insert("updateCreate".into(), json!(offers(Interaction::Create) && offers(Interaction::Update)));
        // A condition is a search.
        let conditional = |interaction: Interaction| offers(interaction) && offers(Interaction::SearchType);
        out.insert("conditionalCreate".into(), json!(conditional(Interaction::Create)));
        out.insert("conditionalRead".into(), json!(if offers(Interaction::Read) { "full-support" } else { "not-supported" }));
        out.insert("conditionalUpdate".into(), json!(conditional(Interaction::Update)));
        out.insert("conditionalDelete".into(), json!(if conditional(Interaction::Delete) { "single" } else { "not-supported" }));
    }
    if offers(Interaction::SearchType) {
        let references = def.search.iter().filter(|param| param.kind == Kind::Reference);
        let includes: Vec<Value> = references.map(|param| json!(format!("{}:{}", def.name, param.name))).collect();
        if !includes.is_empty() {
            out.insert("searchInclude".into(), Value::Array(includes));
        }
        let params: Vec<Value> = [&ID, &LAST_UPDATED].into_iter().chain(def.search).map(param).collect();
        out.insert("searchParam".into(), Value::Array(params));
    }
    let operations: Vec<Value> = operation::of_type(def).map(named).chain(bulk(Some(def.name))).collect();
    if !operations.is_empty() {
        out.insert("operation".into(), Value::Array(operations));
    }
    Value::Object(out)
}

fn named(operation: &Operation) -> Value {
    json!({"name": operation.name, "definition": operation.url()})
}

/// What becomes a job, of a type or of the server itself.
fn bulk(of: Option<&str>) -> impl Iterator<Item = Value> {
    operation::BULK.iter().filter(move |known| known.of == of).map(|known| json!({"name": known.name, "definition": known.definition}))
}

/// What `/metadata?mode=terminology` says: the operations over codes. Systems are found by searching CodeSystem.
pub fn terminology(server: &Server<'_>) -> Value {
    let parameters = ["url", "valueSet", "filter", "offset", "count"].map(|name| json!({"name": name}));
    json!({
        "resourceType": "TerminologyCapabilities",
        "status": "active",
        "date": server.date,
        "kind": "instance",
        "software": {"name": server.name, "version": server.version},
        "implementation": {"description": server.name, "url": server.base},
        "codeSearch": "all",
        "expansion": {
            "hierarchical": false,
            "paging": true,
            "parameter": parameters,
        },
        "validateCode": {"translations": false},
        "translation": {"needsMap": true},
    })
}

fn param(param: &SearchParam) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(param.name));
    if !param.definition.is_empty() {
        out.insert("definition".into(), json!(param.definition));
    }
    out.insert("type".into(), json!(param.kind.code()));
    Value::Object(out)
}

fn smart(security: &Security<'_>) -> Value {
    let urls = [
        ("authorize", Some(security.authorize)),
        ("token", Some(security.token)),
        ("introspect", security.introspect),
        ("revoke", security.revoke),
    ];
    let uris: Vec<Value> = urls.iter().filter_map(|(name, url)| Some(json!({"url": name, "valueUri": (*url)?}))).collect();
    json!({
        "extension": [{"url": OAUTH_URIS, "extension": uris}],
        "service": [{"coding": [{"system": SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
    })
}

#[cfg(test)]
mod tests {
    use super::super::check::faults;
    use super::super::registry::tests::{COVERAGE, PATIENT};
    use super::*;

    fn server(security: Option<Security<'static>>) -> Server<'static> {
        Server { name: "Enamel", version: "1", date: "2026-11-21", base: "https://enamel.test/fhir/r4", security }
    }

    #[test]
    fn the_statement_is_valid_and_says_what_is_registered() {
        let urls = Security {
            authorize: "https://a.test/authorize",
            token: "https://a.test/token",
            introspect: None,
            revoke: Some("https://a.test/revoke"),
        };
        let told = statement(&Registry::new([&PATIENT, &COVERAGE]), &server(Some(urls)));
        assert_eq!(faults(&told), []);
        let rest = &told["rest"][0];
        assert_eq!(rest["resource"][0]["type"], "Coverage");
        assert!(rest["resource"][0].get("searchParam").is_none());
        let names: Vec<&str> = rest["resource"][1]["searchParam"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["_id", "_lastUpdated", "name", "identifier", "birthdate", "general-practitioner", "organization", "photo-url"]);
        assert_eq!(rest["resource"][1]["operation"].as_array().unwrap().len(), 7);
        assert_eq!(faults(&terminology(&server(None))), []);
        assert_eq!(rest["security"]["extension"][0]["extension"].as_array().unwrap().len(), 3);
        let bare = statement(&Registry::default(), &server(None));
        assert_eq!(faults(&bare), []);
        assert!(bare["rest"][0].get("security").is_none());
    }
}
