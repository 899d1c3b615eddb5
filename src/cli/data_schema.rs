//! `openapi/data-schema.yaml`: the logical model as it stands in the database and the code, complete enough to make the
//! tables from it. Generated, never written by hand; a test makes an empty database of it and compares (catalogue 15.17).

use crate::kernel::error::{Error, Result};
use crate::kernel::table::{Field, Refers, Sensitivity, Table};
use crate::server::domains;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tokio_postgres::Client;

const COLUMNS: &str = "
    select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
           case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
           case when a.attcollation <> t.typcollation then quote_ident(l.collname) end, col_description(c.oid, a.attnum)
      from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'enamel'
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_type t on t.oid = a.atttypid left join pg_collation l on l.oid = a.attcollation
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.relkind = 'r' order by c.relname, a.attnum";
const CONSTRAINTS: &str = "
    select c.relname::text, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid)
      from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'enamel'
     where c.relkind = 'r' and k.contype in ('p', 'u', 'c', 'f', 'x') order by c.relname, k.contype, k.conname";
const INDEXES: &str = "
    select c.relname::text, i.relname::text, pg_get_indexdef(i.oid)
      from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class c on c.oid = x.indrelid
      join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'enamel'
     where c.relkind = 'r' and not exists (select from pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
     order by c.relname, i.relname";
const STATISTICS: &str = "
    select c.relname::text, s.stxname::text, pg_get_statisticsobjdef(s.oid)
      from pg_statistic_ext s join pg_class c on c.oid = s.stxrelid join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'enamel'
     order by c.relname, s.stxname";
const COMMENTS: &str = "
    select c.relname::text, obj_description(c.oid, 'pg_class') from pg_class c
      join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'enamel'
     where c.relkind = 'r' and obj_description(c.oid, 'pg_class') is not null";
const VIEWS: &str = "
    select c.relname::text, pg_get_viewdef(c.oid), coalesce(array_to_string(c.reloptions, ', '), '') from pg_class c
      join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'enamel' where c.relkind = 'v' order by 1";
/// What stored columns and checks are made of; they may call each other.
const FUNCTIONS: &str = "
    select p.proname::text, pg_get_functiondef(p.oid) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      join pg_language l on l.oid = p.prolang
     where n.nspname = 'kernel' and l.lanname = 'sql' and p.provolatile = 'i' order by 1";

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSchema {
    pub functions: BTreeMap<String, String>,
    pub tables: BTreeMap<String, TableSchema>,
    pub views: BTreeMap<String, ViewSchema>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableSchema {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comment: Option<String>,
    /// Where the REST contract serves it, and as what.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contract: Option<ContractSchema>,
    pub columns: Vec<ColumnSchema>,
    pub constraints: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub indexes: BTreeMap<String, String>,
    /// What the planner learns of several columns together.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub statistics: BTreeMap<String, String>,
    /// By column: `FROM > TO: operation`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub states: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContractSchema {
    pub path: String,
    pub schema: String,
    pub read: String,
    pub write: String,
    pub verbs: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnSchema {
    pub name: String,
    pub r#type: String,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub not_null: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub default: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub collation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comment: Option<String>,
    /// The field of the contract, where it has another name or none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sensitivity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refers: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewSchema {
    pub definition: String,
    pub options: String,
}

/// The catalogue of that database; what the code says beside it comes by [`describe`].
pub async fn read(client: &Client) -> Result<DataSchema> {
    let mut out = DataSchema::default();
    client.batch_execute("set search_path = enamel, pg_catalog").await?;
    for row in client.query(COLUMNS, &[]).await? {
        out.tables.entry(row.try_get(0)?).or_default().columns.push(ColumnSchema {
            name: row.try_get(1)?,
            r#type: row.try_get(2)?,
            not_null: row.try_get(3)?,
            default: row.try_get(4)?,
            generated: row.try_get(5)?,
            collation: row.try_get(6)?,
            comment: row.try_get(7)?,
            ..ColumnSchema::default()
        });
    }
    for row in client.query(CONSTRAINTS, &[]).await? {
        out.tables.entry(row.try_get(0)?).or_default().constraints.insert(row.try_get(1)?, row.try_get(3)?);
    }
    for row in client.query(INDEXES, &[]).await? {
        out.tables.entry(row.try_get(0)?).or_default().indexes.insert(row.try_get(1)?, row.try_get(2)?);
    }
    for row in client.query(STATISTICS, &[]).await? {
        out.tables.entry(row.try_get(0)?).or_default().statistics.insert(row.try_get(1)?, row.try_get(2)?);
    }
    for row in client.query(COMMENTS, &[]).await? {
        out.tables.entry(row.try_get(0)?).or_default().comment = row.try_get(1)?;
    }
    for row in client.query(VIEWS, &[]).await? {
        out.views.insert(row.try_get(0)?, ViewSchema { definition: row.try_get(1)?, options: row.try_get(2)? });
    }
    for row in client.query(FUNCTIONS, &[]).await? {
        out.functions.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(out)
}

/// Adds what only the code knows: the contract, field names, sensitivity, states.
pub fn describe(schema: &mut DataSchema) {
    for table in domains::tables() {
        let Some(held) = schema.tables.get_mut(table.name) else { continue };
        held.contract = Some(ContractSchema {
            path: table.path.to_owned(),
            schema: table.schema.to_owned(),
            read: table.read.word().to_owned(),
            write: table.write.word().to_owned(),
            verbs: table.verbs.iter().map(|verb| format!("{verb:?}").to_lowercase()).collect(),
        });
        for machine in table.machines {
            let moves = machine.moves.iter().map(|step| format!("{} > {}: {}", step.from, step.to, step.by)).collect();
            held.states.insert(machine.column.to_owned(), moves);
        }
        for column in &mut held.columns {
            if let Some(field) = field_of(table, &column.name) {
                column.field = (field.name != column.name).then(|| field.name.to_owned());
                column.sensitivity = match field.sensitivity {
                    Sensitivity::Business => None,
                    other => Some(format!("{other:?}").to_lowercase()),
                };
                column.refers = match field.refers {
                    Refers::Nothing => None,
                    Refers::Tenant(to) | Refers::Installation(to) | Refers::Shared(to, _) => Some(to.to_owned()),
                };
            }
        }
    }
}

fn field_of(table: &Table, column: &str) -> Option<&'static Field> {
    let plain = column.strip_suffix("_enc").unwrap_or(column);
    table.field(column).or_else(|| table.field(plain).filter(|_| plain != column))
}

impl DataSchema {
    pub fn to_yaml(&self) -> Result<String> {
        let body = serde_yaml::to_string(self).map_err(Error::internal)?;
        Ok(format!("# The logical model: generated from the database and the code by `make openapi`; never edited by hand.\n{body}"))
    }
    pub fn from_yaml(text: &str) -> Result<DataSchema> {
        serde_yaml::from_str(text).map_err(Error::internal)
    }

    /// Views over tables alone; others ask functions of the security schema, which is no part of the logical model.
    pub fn stored_views(&self) -> impl Iterator<Item = (&String, &ViewSchema)> {
        self.views.iter().filter(|(_, view)| !view.definition.contains("sec."))
    }

    /// Statements that make these tables in an empty database.
    pub fn ddl(&self) -> String {
        let mut sql = String::from(
            "set check_function_bodies = off;\ncreate schema kernel; create schema enamel;\n\
             create extension if not exists btree_gist; create extension if not exists btree_gin;\nset search_path = enamel, pg_catalog;\n",
        );
        for definition in self.functions.values() {
            sql += &format!("{definition};\n");
        }
        for (name, table) in &self.tables {
            let columns: Vec<String> = table.columns.iter().map(ColumnSchema::ddl).collect();
            let _ = writeln!(sql, "create table {name} ({});", columns.join(", "));
        }
        // Keys before the references to them.
        for references in [false, true] {
            for (name, table) in &self.tables {
                for (constraint, definition) in &table.constraints {
                    if definition.starts_with("FOREIGN KEY") == references {
                        let _ = writeln!(sql, "alter table {name} add constraint {constraint} {definition};");
                    }
                }
            }
        }
        for (name, table) in &self.tables {
            table.indexes.values().chain(table.statistics.values()).for_each(|definition| sql += &format!("{definition};\n"));
            if let Some(comment) = &table.comment {
                let _ = writeln!(sql, "comment on table {name} is {};", literal(comment));
            }
            for column in &table.columns {
                if let Some(comment) = &column.comment {
                    let _ = writeln!(sql, "comment on column {name}.{} is {};", column.name, literal(comment));
                }
            }
        }
        for (name, view) in self.stored_views() {
            let options = if view.options.is_empty() { String::new() } else { format!(" with ({})", view.options) };
            let _ = writeln!(sql, "create view {name}{options} as {}", view.definition);
        }
        sql
    }
}

impl ColumnSchema {
    /// As with views: what asks the security schema is no part of the logical model.
    pub fn stored_default(&self) -> Option<&String> {
        self.default.as_ref().filter(|default| !default.contains("sec."))
    }
    fn ddl(&self) -> String {
        let mut sql = format!("{} {}", self.name, self.r#type);
        if let Some(collation) = &self.collation {
            sql += &format!(" collate {collation}");
        }
        if self.not_null {
            sql += " not null";
        }
        if let Some(default) = self.stored_default() {
            sql += &format!(" default {default}");
        }
        if let Some(generated) = &self.generated {
            sql += &format!(" generated always as ({generated}) stored");
        }
        sql
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
