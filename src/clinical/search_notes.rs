//! Full text over a tenant's notes (catalogue 16.05). The words are looked up by a function of the security role with the
//! tenant inside; the notes found are then read under the caller's own policies.

use super::clinical_note::CLINICAL_NOTE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, List, Record, Value, store};
use crate::sql;
use tokio_postgres::types::Type;
use uuid::Uuid;

sql! {
    /// $1 words, $2 patient, $3 at or after, $4 before, $5 how many. Best first.
    SEARCH(TEXT, UUID, TIMESTAMPTZ, TIMESTAMPTZ, INT4) = "select id from sec.search_notes($1, $2, $3, $4, $5)";
}

const HITS: i32 = 20;
const HITS_MAX: i64 = 100;

pub static SEARCH_NOTES: Operation = Operation {
    id: "searchClinicalNotes",
    method: Method::Post,
    path: "/clinical-notes/search",
    tag: CLINICAL_NOTE.tag,
    doc: "Notes in which every word, or one that begins with it, occurs; best first. Notes written in error are not found",
    takes: &[
        Field::text("q").example(r#""caries""#).required().length(200).phi().doc("2 characters or more"),
        Field::uuid("patient_id"),
        Field::instant("from").doc("written at or after"),
        Field::instant("to").doc("written before"),
        Field::int("limit").at_least(1).at_most(HITS_MAX).doc("20 when left out"),
    ],
    gives: Gives::Page(&CLINICAL_NOTE),
    planes: &[Plane::Staff],
    permission: Permission::ViewClinical,
    run: Run::Apart(|call| Box::pin(search(call))),
};

async fn search(call: Call) -> Result<Answer> {
    let (caller, context) = (&call.caller, &call.caller.context);
    let words = call.text("q").unwrap_or_default();
    if words.chars().filter(|c| c.is_alphanumeric()).count() < 2 {
        return Err(Error::new(&error::INVALID).fault("q", "length", "It must have 2 letters or digits at least."));
    }
    let limit = match call.value("limit") {
        Some(Value::Int(limit)) => *limit,
        _ => HITS,
    };
    let mut scope = caller.kernel.door.open(context).await?;
    let (patient, from, to) = (call.uuid("patient_id"), call.instant("from"), call.instant("to"));
    let mut ranked: Vec<Uuid> = Vec::new();
    for row in scope.rows(&SEARCH, &[&words, &patient, &from, &to, &limit]).await? {
        ranked.push(row.try_get(0)?);
    }
    scope.commit().await?;
    let mut list = List::new(&CLINICAL_NOTE);
    list.limit = ranked.len();
    list.extra.push(("r.id = any ($value)".into(), vec![(Value::Uuids(ranked.clone()), Type::UUID_ARRAY)]));
    let (mut found, _) = store::list(caller.kernel.door.open(context).await?, &list, &caller.kernel.keys).await?;
    found.sort_by_key(|note: &Record| ranked.iter().position(|id| *id == note.id));
    caller.searched(context, &CLINICAL_NOTE, &found).await?;
    Ok(Answer::Page(found, None))
}
