//! A fee schedule from a table of codes and fees (catalogue 14.04): what the file says is the schedule afterwards. Lines that
//! cannot be read are told and change nothing.

use super::fee_schedule::FEE_SCHEDULE;
use crate::imaging::access;
use crate::imaging::media;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::money::digits;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Refers, store};
use crate::reference::sheet;
use crate::sql;
use serde_json::{Value as Json, json};
use std::collections::HashSet;

sql! {
    /// $1 tenant, $2 schedule, $3 codes that stand in the file.
    RETIRE(UUID, UUID, JSONB) = "
        update fee_schedule_items i set deleted_at = now(), delete_reason = 'not in the imported file'
         where i.tenant_id = $1 and i.fee_schedule_id = $2 and i.deleted_at is null and not exists (
               select from jsonb_to_recordset($3) as g(code_system text, code text) where g.code_system = i.code_system and g.code = i.code)";
    REPRICE(UUID, UUID, JSONB) = "
        update fee_schedule_items i set fee_minor = g.fee_minor, allowed_minor = g.allowed_minor
          from jsonb_to_recordset($3) as g(code_system text, code text, fee_minor bigint, allowed_minor bigint)
         where i.tenant_id = $1 and i.fee_schedule_id = $2 and i.deleted_at is null and g.code_system = i.code_system and g.code = i.code
           and (i.fee_minor, i.allowed_minor) is distinct from (g.fee_minor, g.allowed_minor)";
    /// $4 currency.
    ADD(UUID, UUID, JSONB, TEXT) = "
        insert into fee_schedule_items (tenant_id, id, fee_schedule_id, code_system, code, fee_minor, allowed_minor, currency)
        select $1, gen_random_uuid(), $2, g.code_system, g.code, g.fee_minor, g.allowed_minor, $4
          from jsonb_to_recordset($3) as g(code_system text, code text, fee_minor bigint, allowed_minor bigint)
         where not exists (select from fee_schedule_items i where i.tenant_id = $1 and i.fee_schedule_id = $2 and i.deleted_at is null
                              and i.code_system = g.code_system and i.code = g.code)";
}

const BYTES_MAX: u64 = 4 << 20;
const LINES_MAX: usize = 20_000;
const REFUSED_MAX: usize = 200;

const REPORT: &[Field] = &[
    Field::int("added").required(),
    Field::int("changed").required(),
    Field::int("retired").required(),
    Field::json("refused").required().doc("line and rule of each line that was not taken, the first 200"),
];

pub static IMPORT: Operation = Operation {
    id: "importFeeSchedule",
    method: Method::Post,
    path: "/fee-schedules/{id}/import",
    tag: "Fee schedules",
    doc: "Replace the items of a schedule by a CSV file with a line of names: code, fee, and where wanted code_system, allowed",
    takes: &[Field::uuid("file_id").required().refers(Refers::Tenant("files"))],
    gives: Gives::Object("FeeScheduleImport", REPORT),
    planes: &[Plane::Staff],
    permission: Permission::ManageBilling,
    run: Run::Apart(|call| Box::pin(import(call))),
};

async fn import(call: Call) -> Result<Answer> {
    let (caller, keys, id) = (&call.caller, &call.caller.kernel.keys, call.id()?);
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("file_id", "reference", "It points to nothing the caller can see.");
    let file = call.uuid("file_id").ok_or_else(unknown)?;
    let file = access::read(caller, &caller.context, file).await.map_err(|_| unknown())?;
    if file.text("status") != Some("READY") || file.text("file_type") != Some(media::CSV) {
        return Err(Error::new(&error::INVALID).fault("file_id", "csv", "It must be a CSV file that is READY."));
    }
    let key = access::object_key(caller, file.tenant, file.id).await?;
    let bytes = caller.kernel.storage.read_prefix(&key, BYTES_MAX + 1).await?;
    let text = std::str::from_utf8(&bytes).ok().filter(|_| bytes.len() as u64 <= BYTES_MAX);
    let text = text.ok_or_else(|| Error::new(&error::INVALID).fault("file_id", "csv", "It must be UTF-8 of at most 4 MiB."))?;

    let mut scope = caller.write(Permission::ManageBilling).await?;
    let schedule = store::lock(&mut scope, &FEE_SCHEDULE, id, call.version, keys).await?;
    scope.commit().await?;
    let currency = schedule.text("currency").unwrap_or_default();
    let read = read(text, digits(currency))?;
    // Replacing is what the caller may do; retiring rows one by one they may not.
    let mut scope = caller.kernel.door.open(&caller.acting(schedule.tenant, call.operation.permission)?).await?;
    store::lock(&mut scope, &FEE_SCHEDULE, id, Some(schedule.version), keys).await?;
    let (items, named) = (Json::Array(read.items), Json::Array(read.named));
    let retired = scope.exec(&RETIRE, &[&schedule.tenant, &id, &named]).await?;
    let changed = scope.exec(&REPRICE, &[&schedule.tenant, &id, &items]).await?;
    let added = scope.exec(&ADD, &[&schedule.tenant, &id, &items, &currency]).await?;
    let mut event = audit_store::of_record(&caller.context, Action::Execute, &schedule, scope.now());
    event.metadata = Metadata::new().text("operation", call.operation.id);
    scope.audit(event);
    scope.commit().await?;
    let report =
        [("added", json!(added)), ("changed", json!(changed)), ("retired", json!(retired)), ("refused", Json::Array(read.refused))];
    Ok(Answer::Object(report.into_iter().map(|(name, json)| (name.to_owned(), json)).collect()))
}

#[derive(Default)]
struct Table {
    items: Vec<Json>,
    /// Every code that a line names, also one that was refused: it is not missing from the file.
    named: Vec<Json>,
    refused: Vec<Json>,
}

/// Where the columns stand.
struct Columns {
    code: usize,
    fee: usize,
    system: Option<usize>,
    allowed: Option<usize>,
    /// Digits behind the point.
    digits: u32,
}

fn read(text: &str, digits: u32) -> Result<Table> {
    let wrong = |text: &str| Error::new(&error::INVALID).fault("file_id", "csv", text);
    let (mut lines, names) = sheet::opened(text.as_bytes()).map_err(wrong)?;
    let place = |name: &str| names.iter().position(|found| found == name);
    let (Some(code), Some(fee)) = (place("code"), place("fee")) else {
        return Err(wrong("Its first line must name the columns code and fee."));
    };
    let columns = Columns { code, fee, system: place("code_system"), allowed: place("allowed"), digits };
    let (mut table, mut seen, mut line) = (Table::default(), HashSet::new(), csv::StringRecord::new());
    let mut count = 0;
    while lines.read_record(&mut line).map_err(|_| wrong("It cannot be read to its end."))? {
        count += 1;
        if count > LINES_MAX {
            return Err(wrong("It has more than 20000 lines."));
        }
        // Behind a quote that nobody closed all further lines are one cell, and their codes would be missing.
        if line.iter().any(|cell| cell.contains('\n')) {
            return Err(wrong("A quote is not closed in its line."));
        }
        if line.iter().all(str::is_empty) {
            continue;
        }
        match columns.item(&line, &mut table.named, &mut seen) {
            Ok(item) => table.items.push(item),
            Err(rule) if table.refused.len() < REFUSED_MAX => {
                table.refused.push(json!({"line": line.position().map_or(0, csv::Position::line), "rule": rule}));
            }
            Err(_) => {}
        }
    }
    if table.items.is_empty() { Err(wrong("No line of it can be read.")) } else { Ok(table) }
}

impl Columns {
    /// The item of a line, or the rule it breaks.
    fn item(
        &self,
        line: &csv::StringRecord,
        named: &mut Vec<Json>,
        seen: &mut HashSet<(String, String)>,
    ) -> std::result::Result<Json, &'static str> {
        let cell = |place: usize| line.get(place).filter(|cell| !cell.is_empty());
        let code = cell(self.code).filter(|code| code.chars().count() <= 300).ok_or("code")?;
        let system = self.system.and_then(cell).unwrap_or("LOCAL");
        named.push(json!({"code_system": system, "code": code}));
        let fee = cell(self.fee).and_then(|text| minor(text, self.digits)).ok_or("fee")?;
        let allowed = self.allowed.and_then(cell).map(|text| minor(text, self.digits).ok_or("allowed")).transpose()?;
        match seen.insert((system.to_owned(), code.to_owned())) {
            true => Ok(json!({"code_system": system, "code": code, "fee_minor": fee, "allowed_minor": allowed})),
            false => Err("duplicate"),
        }
    }
}

/// An amount as people write it, exact: `85`, `85.5`, `85,50`.
fn minor(text: &str, digits: u32) -> Option<i64> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || part.len() > digits as usize || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    format!("{whole}{part:0<width$}", width = digits as usize).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_is_read_and_its_bad_lines_are_told() {
        let table = read("Code;Fee;allowed\nT1;85,5;\n\"T;2\";100;90.25\nT3;x;\nT1;1;\n;5;\nT4;1.999;\n", 2).unwrap();
        let items: Vec<_> = table.items.iter().map(|item| (item["code"].as_str().unwrap(), item["fee_minor"].as_i64().unwrap())).collect();
        assert_eq!(items, [("T1", 8550), ("T;2", 10_000)]);
        assert_eq!(table.items[1]["allowed_minor"], json!(9025));
        let told: Vec<_> = table.refused.iter().map(|line| (line["line"].as_u64().unwrap(), line["rule"].as_str().unwrap())).collect();
        assert_eq!(told, [(4, "fee"), (5, "duplicate"), (6, "code"), (7, "fee")]);
        let named: Vec<_> = table.named.iter().map(|item| item["code"].as_str().unwrap()).collect();
        assert_eq!(named, ["T1", "T;2", "T3", "T1", "T4"], "what was refused is not missing");
        for bad in ["a,b\n1,2\n", "code,fee\n", "", "code,fee\nT1,1\n\"T2,1\nT3,1\n"] {
            assert!(read(bad, 2).is_err(), "{bad}");
        }
        assert_eq!(read("\u{feff}CODE, Fee\n\n ,\nT1, 7\n", 2).unwrap().items.len(), 1);
    }

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        assert_eq!(
            (minor("85", 0), minor("85.5", 0), minor("1.234", 3), minor("-1", 2), minor("", 2)),
            (Some(85), None, Some(1234), None, None)
        );
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(cents in 0..1_000_000_000_000i64, point in "[.,]") {
            let text = format!("{}{point}{:02}", cents / 100, cents % 100);
            prop_assert_eq!(minor(&text, 2), Some(cents));
        }
        #[test]
        fn no_line_breaks_the_reader(line in "\\PC*") {
            let _ = read(&format!("code,fee\nT1,1\n{line}"), 2);
        }
    }
}
