//! Bundles: pages of a search going out, batches coming in and their answers.

use super::DOCUMENT;
use super::outcome::{note, outcome};
use super::primitive::is_id;
use super::search::{Query, form};
use crate::kernel::error::{Error, MALFORMED, Result};
use crate::kernel::json::parse;
use chrono::{DateTime, SecondsFormat, Utc};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a search found for one page.
#[derive(Debug, Default)]
pub struct Page {
    /// Resources with their ids, in order.
    pub matches: Vec<(String, Value)>,
    /// What was asked for beside them.
    pub included: Vec<(String, Value)>,
    pub total: Option<u64>,
    /// Where the next page starts, if there is one.
    pub next: Option<String>,
}

/// A page as a Bundle. The self link tells what took effect; what was passed over is told by an entry of its own.
pub fn searchset(base: &str, type_name: &str, query: &Query, page: Page) -> Value {
    let mut bundle = Map::new();
    bundle.insert("resourceType".into(), json!("Bundle"));
    bundle.insert("type".into(), json!("searchset"));
    if let Some(total) = page.total {
        bundle.insert("total".into(), json!(total));
    }
    let mut links = vec![link("self", base, type_name, query, None)];
    if let Some(next) = &page.next {
        links.push(link("next", base, type_name, query, Some(next)));
    }
    bundle.insert("link".into(), Value::Array(links));
    let mut entries: Vec<Value> = Vec::with_capacity(page.matches.len() + 1);
    for (mode, found) in [("match", page.matches), ("include", page.included)] {
        for (id, resource) in found {
            let name = resource["resourceType"].as_str().unwrap_or_default();
            let mut entry = Map::with_capacity(3);
            entry.insert("fullUrl".into(), format!("{base}/{name}/{id}").into());
            // json!() would write a copy.
            entry.insert("resource".into(), resource);
            entry.insert("search".into(), json!({"mode": mode}));
            entries.push(Value::Object(entry));
        }
    }
    if !query.ignored.is_empty() {
        let text = format!("Passed over: {}.", query.ignored.join(", "));
        entries.push(json!({"resource": note("warning", "not-supported", &text), "search": {"mode": "outcome"}}));
    }
    if !entries.is_empty() {
        bundle.insert("entry".into(), Value::Array(entries));
    }
    Value::Object(bundle)
}

fn link(relation: &str, base: &str, type_name: &str, query: &Query, cursor: Option<&str>) -> Value {
    let kept = query.applied.iter().filter(|(name, _)| cursor.is_none() || name != "_cursor");
    let pairs = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(cursor.map(|cursor| ("_cursor", cursor)));
    let text = form::encode(pairs);
    let mark = if text.is_empty() { "" } else { "?" };
    let slash = if type_name.is_empty() { "" } else { "/" };
    json!({"relation": relation, "url": format!("{base}{slash}{type_name}{mark}{text}")})
}

/// What an entry's request is aimed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub type_name: String,
    pub id: Option<String>,
    /// `…/_history`, and behind it a version.
    pub history: bool,
    pub version: Option<String>,
    /// Without its question mark.
    pub query: String,
}

/// One request of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub full_url: Option<String>,
    pub method: Method,
    pub target: Target,
    pub resource: Option<Value>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<String>,
    pub if_none_exist: Option<String>,
}

/// A Bundle of requests.
#[derive(Debug)]
pub enum Posted {
    /// Each entry readable or refused for itself.
    Batch(Vec<Result<Entry>>),
    /// All of them readable.
    Transaction(Vec<Entry>),
}

pub fn parse_posted(bytes: &[u8], base: &str) -> Result<Posted> {
    let Value::Object(mut bundle) = parse(bytes, DOCUMENT)? else {
        return Err(Error::new(&MALFORMED).detail("A Bundle is expected."));
    };
    if bundle.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Err(Error::new(&MALFORMED).fault("resourceType", "type", "A Bundle is expected."));
    }
    let is_batch = match bundle.get("type").and_then(Value::as_str) {
        Some("batch") => true,
        Some("transaction") => false,
        _ => return Err(Error::new(&MALFORMED).fault("Bundle.type", "code", "The type must be batch or transaction.")),
    };
    let entries = match bundle.remove("entry") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            return Err(Error::new(&MALFORMED).fault("Bundle.entry", "type", "The element repeats, so it is a JSON array."));
        }
    };
    let mut entries = entries.into_iter().enumerate().map(|(index, entry)| parse_entry(entry, index, base));
    Ok(if is_batch { Posted::Batch(entries.collect()) } else { Posted::Transaction(entries.by_ref().collect::<Result<_>>()?) })
}

fn parse_entry(entry: Value, index: usize, base: &str) -> Result<Entry> {
    let fault = |field: &str, rule, text: &str| Error::new(&MALFORMED).fault(format!("Bundle.entry[{index}]{field}"), rule, text);
    let Value::Object(mut entry) = entry else { return Err(fault("", "type", "The entry is a JSON object.")) };
    let resource = entry.remove("resource");
    let Some(Value::Object(request)) = entry.get("request") else {
        return Err(fault(".request", "required", "The element is required."));
    };
    let text = |key: &str| match request.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(fault(&format!(".request.{key}"), "type", "The value must be a JSON string.")),
    };
    let method =
        text("method")?.as_deref().and_then(method).ok_or_else(|| fault(".request.method", "code", "The method must be an HTTP verb."))?;
    let url = text("url")?.ok_or_else(|| fault(".request.url", "required", "The element is required."))?;
    let target = target(&url, base).ok_or_else(|| fault(".request.url", "format", "The URL must be one of this server's FHIR URLs."))?;
    let carries = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    match &resource {
        None if carries => return Err(fault(".resource", "required", "The element is required.")),
        Some(_) if !carries => return Err(fault(".resource", "unknown", "The method carries no resource.")),
        _ => {}
    }
    Ok(Entry {
        full_url: entry.get("fullUrl").and_then(Value::as_str).map(String::from),
        method,
        target,
        resource,
        if_match: text("ifMatch")?,
        if_none_match: text("ifNoneMatch")?,
        if_modified_since: text("ifModifiedSince")?,
        if_none_exist: text("ifNoneExist")?,
    })
}

fn method(verb: &str) -> Option<Method> {
    let verbs = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    verbs.into_iter().find(|known| known.as_str() == verb)
}

fn target(url: &str, base: &str) -> Option<Target> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = if path.contains("://") { path.strip_prefix(base)?.strip_prefix('/')? } else { path.strip_prefix('/').unwrap_or(path) };
    let parts: Vec<&str> = path.split('/').collect();
    // An operation or `_search` is none of a batch's targets here.
    let (name, id, history, version) = match parts.as_slice() {
        [name] => (name, None, false, None),
        [name, "_history"] => (name, None, true, None),
        [name, id] => (name, Some(id), false, None),
        [name, id, "_history"] => (name, Some(id), true, None),
        [name, id, "_history", version] => (name, Some(id), true, Some(version)),
        _ => return None,
    };
    let is_sound = is_id(name) && [id, version].into_iter().flatten().all(|id| is_id(id));
    let text = |part: Option<&&str>| part.map(|part| (*part).to_owned());
    is_sound.then(|| Target { type_name: (*name).to_owned(), id: text(id), history, version: text(version), query: query.into() })
}

/// The answer to one entry of a batch.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    pub status: u16,
    pub location: Option<String>,
    pub etag: Option<String>,
    pub last_modified: Option<DateTime<Utc>>,
    pub resource: Option<Value>,
    pub outcome: Option<Value>,
}

impl Reply {
    pub fn failed(error: &Error) -> Self {
        Self { status: error.code.status, outcome: Some(outcome(error)), ..Self::default() }
    }

    fn into_entry(self) -> Value {
        let mut response = Map::new();
        let status = http::StatusCode::from_u16(self.status).map_or_else(|_| self.status.to_string(), |status| status.to_string());
        response.insert("status".into(), Value::from(status));
        let modified = self.last_modified.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        for (key, value) in [("location", self.location), ("etag", self.etag), ("lastModified", modified)] {
            if let Some(value) = value {
                response.insert(key.into(), Value::from(value));
            }
        }
        if let Some(outcome) = self.outcome {
            response.insert("outcome".into(), outcome);
        }
        let mut entry = Map::new();
        if let Some(resource) = self.resource {
            entry.insert("resource".into(), resource);
        }
        entry.insert("response".into(), Value::Object(response));
        Value::Object(entry)
    }
}

/// One version in a history: what made it, and the resource unless it was removed.
pub struct Past {
    pub type_name: &'static str,
    pub id: String,
    pub method: Method,
    pub reply: Reply,
}

/// A page of a history, newest first. `path` is what stands between base and query.
pub fn history(base: &str, path: &str, query: &Query, past: Vec<Past>, next: Option<&str>) -> Value {
    let mut links = vec![link("self", base, path, query, None)];
    links.extend(next.map(|next| link("next", base, path, query, Some(next))));
    let mut bundle = json!({"resourceType": "Bundle", "type": "history", "link": links});
    let entry = |past: Past| {
        let Past { type_name, id, method, reply } = past;
        let url = if method == Method::POST { type_name.to_owned() } else { format!("{type_name}/{id}") };
        let mut entry = reply.into_entry();
        entry["fullUrl"] = format!("{base}/{type_name}/{id}").into();
        entry["request"] = json!({"method": method.as_str(), "url": url});
        entry
    };
    if !past.is_empty() {
        bundle["entry"] = past.into_iter().map(entry).collect();
    }
    bundle
}

/// The answers to a batch, in the order of its entries.
pub fn batch_response(replies: Vec<Reply>) -> Value {
    response("batch-response", replies)
}

pub fn transaction_response(replies: Vec<Reply>) -> Value {
    response("transaction-response", replies)
}

fn response(kind: &str, replies: Vec<Reply>) -> Value {
    let entries: Vec<Value> = replies.into_iter().map(Reply::into_entry).collect();
    let mut bundle = json!({"resourceType": "Bundle", "type": kind});
    if !entries.is_empty() {
        bundle["entry"] = Value::Array(entries);
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::super::check::faults;
    use super::*;
    use crate::kernel::error::NOT_FOUND;

    const BASE: &str = "https://enamel.test/fhir/r4";

    fn batch(entries: Value) -> Vec<Result<Entry>> {
        let body = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
        match parse_posted(body.to_string().as_bytes(), BASE).unwrap() {
            Posted::Batch(entries) => entries,
            Posted::Transaction(_) => panic!("it is a batch"),
        }
    }

    #[test]
    fn a_page_links_to_itself_and_to_the_next() {
        let query = Query {
            applied: vec![("name".into(), "Jørgen,a&b".into()), ("_cursor".into(), "c1".into())],
            ignored: vec!["foo".into()],
            ..Query::default()
        };
        let page = Page {
            matches: vec![("1".into(), json!({"resourceType": "Patient", "id": "1"}))],
            included: vec![],
            total: Some(7),
            next: Some("c2".into()),
        };
        let bundle = searchset(BASE, "Patient", &query, page);
        assert_eq!(faults(&bundle), []);
        assert_eq!(bundle["link"][0]["url"], "https://enamel.test/fhir/r4/Patient?name=J%C3%B8rgen,a%26b&_cursor=c1");
        assert_eq!(bundle["link"][1]["url"], "https://enamel.test/fhir/r4/Patient?name=J%C3%B8rgen,a%26b&_cursor=c2");
        assert_eq!(bundle["entry"][0]["fullUrl"], "https://enamel.test/fhir/r4/Patient/1");
        assert_eq!(bundle["entry"][1]["search"]["mode"], "outcome");
        let empty = searchset(BASE, "Patient", &Query::default(), Page::default());
        assert_eq!(
            empty.to_string(),
            "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"link\":[{\"relation\":\"self\",\"url\":\"https://enamel.test/fhir/r4/Patient\"}]}"
        );
    }

    #[test]
    fn a_batch_is_read_entry_by_entry() {
        let entries = batch(json!([
            {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=1"}},
            {"request": {"method": "GET", "url": "/Patient/1/_history/2"}},
            {"request": {"method": "GET", "url": "https://enamel.test/fhir/r4/Patient?name=a"}},
            {"resource": {}, "request": {"method": "PUT", "url": "Patient/1", "ifMatch": "W/\"3\""}},
            {"request": {"method": "BREW", "url": "Patient"}},
            {"request": {"method": "POST", "url": "Patient"}},
            {"request": {"method": "GET", "url": "https://elsewhere.test/Patient/1"}},
            {"request": {"method": "GET"}},
            {}, 4,
        ]));
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| match entry {
                Ok(entry) => format!("{:?} {:?}", entry.method, entry.target.query),
                Err(error) => error.faults[0].field.clone(),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "POST \"\"",
                "GET \"\"",
                "GET \"name=a\"",
                "PUT \"\"",
                "Bundle.entry[4].request.method",
                "Bundle.entry[5].resource",
                "Bundle.entry[6].request.url",
                "Bundle.entry[7].request.url",
                "Bundle.entry[8].request",
                "Bundle.entry[9]"
            ]
        );
        let history = entries[1].as_ref().unwrap();
        assert_eq!(
            history.target,
            Target { type_name: "Patient".into(), id: Some("1".into()), history: true, version: Some("2".into()), query: String::new() }
        );
        assert_eq!(entries[3].as_ref().unwrap().if_match.as_deref(), Some("W/\"3\""));
    }

    #[test]
    fn what_is_no_batch_is_refused_whole() {
        let status = |body: Value| parse_posted(body.to_string().as_bytes(), BASE).unwrap_err().code.status;
        assert_eq!(status(json!({"resourceType": "Bundle", "type": "transaction", "entry": [{}]})), 400);
        assert_eq!(status(json!({"resourceType": "Bundle", "type": "searchset"})), 400);
        assert_eq!(status(json!({"resourceType": "Patient"})), 400);
        assert_eq!(status(json!({"resourceType": "Bundle", "type": "batch", "entry": {}})), 400);
        assert_eq!(status(json!([])), 400);
    }

    #[test]
    fn each_entry_is_answered_in_order() {
        let made = Reply {
            status: 201,
            location: Some("Patient/1/_history/1".into()),
            etag: Some("W/\"1\"".into()),
            last_modified: Some(DateTime::UNIX_EPOCH),
            resource: Some(json!({"resourceType": "Patient", "id": "1"})),
            ..Reply::default()
        };
        let bundle = batch_response(vec![made, Reply::failed(&Error::new(&NOT_FOUND))]);
        assert_eq!(faults(&bundle), []);
        assert_eq!(bundle["entry"][0]["response"]["status"], "201 Created");
        assert_eq!(bundle["entry"][0]["response"]["lastModified"], "1970-01-01T00:00:00Z");
        assert_eq!(bundle["entry"][1]["response"]["status"], "404 Not Found");
        assert_eq!(bundle["entry"][1]["response"]["outcome"]["issue"][0]["code"], "not-found");
    }
}
