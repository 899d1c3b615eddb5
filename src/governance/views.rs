//! The change log without what is about people, and what of a patient's record went to others (catalogue 3.03, 3.06).

use super::change_log_entry::CHANGE_LOG_ENTRY;
use super::disclosure::DISCLOSURE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::page::{CURSOR, LIMIT, page};
use crate::kernel::table::{Field, List, Value};
use crate::patients::patient::PATIENT;
use crate::sql;
use chrono::Months;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use tokio_postgres::types::Type;

sql! {
    /// $1 tables: their columns that anybody of the house may read.
    OPEN_COLUMNS(TEXT_ARRAY) = "
        select table_name, column_name from data_dictionary_columns
         where table_name = any ($1) and phi_sensitivity_level in ('NONE', 'BUSINESS')";
}

pub static REDACTED: Operation = Operation {
    id: "listRedactedChangeLog",
    method: Method::Get,
    path: "/change-log/redacted",
    tag: CHANGE_LOG_ENTRY.tag,
    doc: "Who changed what and when, newest first, with every value about a person hidden",
    takes: &[
        Field::text("table_name").length(100),
        Field::uuid("record_id"),
        Field::uuid("user_id"),
        Field::instant("occurred_at_from"),
        Field::instant("occurred_at_to"),
        LIMIT,
        CURSOR,
    ],
    gives: Gives::Page(&CHANGE_LOG_ENTRY),
    planes: &[Plane::Staff],
    permission: Permission::ViewAudit,
    run: Run::Apart(|call| Box::pin(redacted(call))),
};

async fn redacted(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&CHANGE_LOG_ENTRY)?;
    let list = newest(&CHANGE_LOG_ENTRY, "occurred_at")?;
    let (mut records, next) = page(&call, &context, list).await?;
    let tables: HashSet<String> = records.iter().filter_map(|record| record.text("table_name").map(str::to_owned)).collect();
    let tables: Vec<String> = tables.into_iter().collect();
    // The dictionary is a catalogue of the installation; the staff plane reads it.
    let scope = caller.kernel.door.open(&caller.context).await?;
    let answers = scope.once(&[((&OPEN_COLUMNS).into(), vec![&tables])]).await?;
    let mut open: HashSet<(String, String)> = HashSet::new();
    for row in answers.iter().flatten() {
        open.insert((row.try_get(0)?, row.try_get(1)?));
    }
    for record in &mut records {
        let table = record.text("table_name").unwrap_or_default().to_owned();
        for image in ["old_values", "new_values"] {
            if let Some(Json::Object(members)) = record.json.get_mut(image) {
                members.iter_mut().for_each(|(column, value)| hide(value, open.contains(&(table.clone(), column.clone()))));
            }
        }
    }
    Ok(Answer::Page(records, next))
}

const HIDDEN: &str = "[hidden]";

/// What is empty stays empty: that a value was set or cleared may be seen.
fn hide(value: &mut Json, open: bool) {
    if !open && !value.is_null() {
        *value = json!(HIDDEN);
    }
}

/// Six years (45 CFR 164.528).
const ACCOUNTED: Months = Months::new(72);

pub static ACCOUNTING: Operation = Operation {
    id: "getPatientDisclosures",
    method: Method::Get,
    path: "/patients/{id}/disclosures",
    tag: DISCLOSURE.tag,
    doc: "To whom this record was disclosed in the last six years, beside treatment, payment and operations; newest first",
    takes: &[LIMIT, CURSOR],
    gives: Gives::Page(&DISCLOSURE),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewAudit,
    run: Run::Apart(|call| Box::pin(accounting(call))),
};

async fn accounting(call: Call) -> Result<Answer> {
    let (caller, patient) = (&call.caller, call.id()?);
    let context = &caller.context;
    let mut list = newest(&DISCLOSURE, "disclosed_at")?;
    let since = chrono::Utc::now().checked_sub_months(ACCOUNTED).ok_or_else(|| Error::internal("no date six years ago"))?;
    // A cursor belongs to its list: the day, not the moment, decides.
    let since = since.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    list.extra.push((
        "r.patient_id = $value and r.disclosed_at >= $value and r.is_accountable".into(),
        vec![(Value::Uuid(patient), Type::UUID), (Value::Instant(since), Type::TIMESTAMPTZ)],
    ));
    let (records, next) = page(&call, context, list).await?;
    if records.is_empty() {
        caller.glance(context, &PATIENT, patient).await?;
    }
    Ok(Answer::Page(records, next))
}

/// All of a log, newest first.
fn newest(table: &'static crate::kernel::table::Table, by: &str) -> Result<List> {
    Ok(List { descending: true, ..List::by(table, by)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_columns_keep_their_value() {
        let (mut open, mut shut, mut empty) = (json!("ACTIVE"), json!("Maria"), Json::Null);
        hide(&mut open, true);
        hide(&mut shut, false);
        hide(&mut empty, false);
        assert_eq!((open, shut, empty), (json!("ACTIVE"), json!(HIDDEN), Json::Null));
    }
}
