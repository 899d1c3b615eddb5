//! Finding patients without putting anything about them into a URL (catalogue 4.14, C50).

use super::patient::PATIENT;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::page::{CURSOR, LIMIT, page};
use crate::kernel::table::list::sort_of;
use crate::kernel::table::{Field, List, Record, Value, store};
use serde_json::json;

pub static SEARCH: Operation = Operation {
    id: "searchPatients",
    method: Method::Post,
    path: "/patients/search",
    tag: "Patients",
    doc: "The same list as GET /patients, with the criteria in the body",
    takes: &[
        Field::text("q").doc("words, each the beginning of a name"),
        Field::date("dob"),
        Field::text("identifier").doc("system|value or value"),
        Field::text("phone"),
        Field::text("email"),
        Field::choice("status", &["ACTIVE", "INACTIVE", "DECEASED"]).means(&["is treated here", "no longer treated here", "has died"]),
        Field::text("sort").doc("as in GET /patients"),
        LIMIT,
        CURSOR,
    ],
    gives: Gives::Page(&PATIENT),
    planes: &[Plane::Staff, Plane::Audit],
    permission: Permission::ViewPatient,
    run: Run::Apart(|call| Box::pin(search(call))),
};

const CRITERIA: [&str; 6] = ["q", "dob", "identifier", "phone", "email", "status"];

async fn search(call: Call) -> Result<Answer> {
    if CRITERIA.iter().all(|name| call.value(name).is_none()) {
        return Err(Error::new(&error::INVALID).fault("q", "required", "At least one criterion is needed."));
    }
    let mut list = List::new(&PATIENT);
    if let Some(sort) = call.text("sort") {
        let (descending, name) = sort.strip_prefix('-').map_or((false, sort), |name| (true, name));
        let sort = sort_of(&PATIENT, name).ok_or_else(|| Error::new(&error::INVALID).fault("sort", "value", "There is no such order."))?;
        (list.sort, list.descending) = (sort, descending);
    }
    let (records, next) = page(&call, &call.caller.reading(&PATIENT)?, list).await?;
    Ok(Answer::Page(records, next))
}

static CANDIDATES: &[Field] = &[Field::json("candidates").required().doc("id, score from 0 to 100, and what agreed; best first")];

pub static MATCH: Operation = Operation {
    id: "matchPatients",
    method: Method::Post,
    path: "/patients/match",
    tag: "Patients",
    doc: "Candidates for a person who may be known already; writes nothing",
    takes: &[
        Field::text("first_name"),
        Field::text("last_name"),
        Field::date("dob"),
        Field::text("phone"),
        Field::text("email"),
        Field::text("identifier"),
    ],
    gives: Gives::Object("PatientCandidates", CANDIDATES),
    planes: &[Plane::Staff],
    permission: Permission::ViewPatient,
    run: Run::Apart(|call| Box::pin(find_candidates(call))),
};

/// What each agreement is worth; a hundred and more counts as certain.
const WORTH: [(&str, u32); 6] = [("identifier", 100), ("dob", 35), ("last_name", 30), ("first_name", 20), ("email", 40), ("phone", 40)];

async fn find_candidates(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&PATIENT)?;
    let mut found: Vec<Record> = Vec::new();
    // Each criterion alone brings its candidates by its own index; together they are scored.
    for (criterion, filter) in [("identifier", "identifier"), ("dob", "dob"), ("last_name", "q"), ("email", "email"), ("phone", "phone")] {
        let (Some(value), Some(filter)) = (call.value(criterion), PATIENT.filters.iter().find(|line| line.name == filter)) else {
            continue;
        };
        let mut list = List::new(&PATIENT);
        list.limit = 50;
        list.filters.push((filter, value.clone()));
        list.hash_blind(caller).await?;
        let scope = caller.kernel.door.open(&context).await?;
        let (records, _) = store::list(scope, &list, &caller.kernel.keys).await?;
        for mut record in records {
            if criterion == "identifier" {
                record.json.insert("matched_identifier".into(), true.into());
            }
            match found.iter_mut().find(|known| known.id == record.id) {
                Some(known) => known.json.extend(record.json),
                None => found.push(record),
            }
        }
    }
    let mut scored: Vec<(u32, Vec<&str>, Record)> = found.into_iter().map(|record| score(&call, record)).collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.2.id.cmp(&b.2.id)));
    scored.truncate(10);
    let records: Vec<Record> = scored.iter().map(|(.., record)| record.clone()).collect();
    caller.searched(&context, &PATIENT, &records).await?;
    let candidates = scored.iter().map(|(score, agreed, record)| json!({"id": record.id, "score": score, "agreed": agreed})).collect();
    Ok(Answer::Object([("candidates".to_owned(), candidates)].into_iter().collect()))
}

fn score(call: &Call, record: Record) -> (u32, Vec<&'static str>, Record) {
    let same = |name: &str| -> bool {
        let given = match call.value(name) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Date(day)) => day.to_string(),
            _ => return false,
        };
        let held = |field: &str| record.text(field).is_some_and(|text| store::fold(text) == store::fold(&given));
        match name {
            "identifier" => record.json.contains_key("matched_identifier"),
            "email" => held("contact_email"),
            "phone" => held("phone_mobile") || held("phone_home"),
            other => held(other),
        }
    };
    let agreed: Vec<(&'static str, u32)> = WORTH.iter().copied().filter(|(name, _)| same(name)).collect();
    let total = agreed.iter().map(|(_, worth)| worth).sum::<u32>().min(100);
    (total, agreed.into_iter().map(|(name, _)| name).collect(), record)
}
