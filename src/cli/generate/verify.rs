//! What triggers would have judged row by row, asked of a whole tenant: foreign keys, and rows that point to a row about the
//! same patient. The questions come from the catalogue, so that a rule that is added to a table is asked, too.

use crate::cli::{Outcome, line};
use std::collections::BTreeMap;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement, Transaction};
use uuid::Uuid;

const FOREIGN_KEYS: &str = "
    select k.conrelid::regclass::text, k.conname::text, format('exists (select from %s c where c.tenant_id = $1 and %s and not exists (select from %s p where %s))',
           k.conrelid::regclass, string_agg(format('c.%I is not null', a.attname), ' and '), k.confrelid::regclass,
           string_agg(format('p.%I = c.%I', b.attname, a.attname), ' and '))
      from pg_constraint k cross join lateral unnest(k.conkey, k.confkey) u(own, other)
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.own
      join pg_attribute b on b.attrelid = k.confrelid and b.attnum = u.other
     where k.contype = 'f' and k.connamespace = 'enamel'::regnamespace and k.conrelid = any ($1::text[]::regclass[])
     group by k.oid, k.conname, k.conrelid, k.confrelid";
const SAME_PATIENT: &str = "
    select t.tgrelid::regclass::text, t.tgname || ' of ' || t.tgrelid::regclass, format('exists (select from %s c join enamel.%I p on p.tenant_id = c.tenant_id
           and p.id = c.%I where c.tenant_id = $1 and p.patient_id is distinct from c.patient_id)', t.tgrelid::regclass, w.words[2], w.words[1])
      from pg_trigger t cross join lateral (select string_to_array(encode(t.tgargs, 'escape'), '\\000') as words) w
     where t.tgfoid = 'kernel.refuse_other_patient'::regproc and t.tgrelid = any ($1::text[]::regclass[])";

/// What a connection asks of each tenant, prepared once: a statement for each table, which names the first rule that is broken.
pub async fn questions(client: &Client, tables: &[&str]) -> Outcome<Vec<Statement>> {
    let mut by_table: BTreeMap<String, String> = BTreeMap::new();
    for sql in [FOREIGN_KEYS, SAME_PATIENT] {
        for row in client.query(sql, &[&tables]).await? {
            let (table, name, broken): (String, &str, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            by_table.entry(table).or_default().push_str(&format!(" when {broken} then '{name}'"));
        }
    }
    let mut questions = Vec::with_capacity(by_table.len());
    for cases in by_table.values() {
        questions.push(client.prepare_typed(&format!("select case{cases} end"), &[Type::UUID]).await?);
    }
    Ok(questions)
}

pub async fn verify(transaction: &Transaction<'_>, questions: &[Statement], tenant: Uuid) -> Outcome {
    for question in questions {
        if let Some(broken) = transaction.query_one(question, &[&tenant]).await?.try_get::<_, Option<&str>>(0)? {
            return Err(line(format!("the load breaks {broken}")));
        }
    }
    Ok(())
}
