//! What records are searched by beside their columns: rows made from the resource with every write of it, and the
//! conditions over them.

use super::amount;
use super::dates;
use super::read::{Shown, owner};
use super::rows::{UNSAID, rows};
use super::token::between;
use super::writing::{NEVER, Writing};
use crate::fhir::find::Find;
use crate::fhir::index::{BY_IDENTIFIER, CANONICAL, Index, OF_TYPE, Row, cut};
use crate::fhir::mapping::Mapping;
use crate::fhir::search::value::{Codes, Ids, ReferenceValue, System, Text, Token};
use crate::fhir::search::{Kind, Modifier, Value as Asked};
use crate::integrations::kept_resource::KEPT_RESOURCE;
use crate::kernel::context::Permission;
use crate::kernel::crypto::{Keyring, TenantKeys};
use crate::kernel::db::{Scope, Sql};
use crate::kernel::error::Result;
use crate::kernel::table::store::fold;
use crate::kernel::table::{Record, Value};
use crate::sql;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde_json::Value as Json;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

sql! {
    /// $1 tenant, then a list for each column: of each value its id, its record, its patient and what it is.
    VALUES_ADD(UUID, UUID_ARRAY, UUID_ARRAY, UUID_ARRAY, TEXT_ARRAY, INT4_ARRAY, INT4_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, UUID_ARRAY, TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY, FLOAT8_ARRAY, FLOAT8_ARRAY, TEXT_ARRAY) = "
        insert into search_values (tenant_id, id, record_id, patient_id, param, element, part, system, code, words, target, starts_at, ends_at, low, high, tokens)
        select $1, * from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    CLINICAL_ADD(UUID, UUID_ARRAY, UUID_ARRAY, UUID_ARRAY, TEXT_ARRAY, INT4_ARRAY, INT4_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, UUID_ARRAY, TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY, FLOAT8_ARRAY, FLOAT8_ARRAY, TEXT_ARRAY) = "
        insert into clinical_search_values (tenant_id, id, record_id, patient_id, param, element, part, system, code, words, target, starts_at, ends_at, low, high, tokens)
        select $1, * from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    /// $1 tenant, $2 record.
    VALUES_FORGET(UUID, UUID) = "delete from search_values where tenant_id = $1 and record_id = $2";
    CLINICAL_FORGET(UUID, UUID) = "delete from clinical_search_values where tenant_id = $1 and record_id = $2";
}

/// Where the values of such records stand: those of somebody's health apart, for they are for fewer.
struct Place {
    table: &'static str,
    add: &'static Sql,
    forget: &'static Sql,
}

fn place(mapping: &Mapping) -> Place {
    use Permission::{ViewClaims, ViewPatient, ViewPayments, ViewSchedule, ViewTenant};
    match mapping.table.read {
        ViewTenant | ViewPatient | ViewSchedule | ViewClaims | ViewPayments => {
            Place { table: "search_values", add: &VALUES_ADD, forget: &VALUES_FORGET }
        }
        _ => Place { table: "clinical_search_values", add: &CLINICAL_ADD, forget: &CLINICAL_FORGET },
    }
}

/// Where the values of such records stand.
pub fn table(mapping: &Mapping) -> &'static str {
    place(mapping).table
}

/// What the values of a parameter stand under: those of a type's several tables apart, so that none looks through another's.
pub fn param(mapping: &Mapping, name: &str) -> String {
    if std::ptr::eq(mapping.table, &KEPT_RESOURCE) { name.to_owned() } else { format!("{name}@{}", mapping.table.name) }
}

/// The index among the ways a parameter is answered.
pub fn of(find: &Find) -> Option<&'static Index> {
    match find {
        Find::Indexed(index) => Some(index),
        Find::Any(finds) => finds.iter().find_map(of),
        _ => None,
    }
}

/// The values of resources as they were just written, in place of those they had. What the columns say (beside each) is
/// theirs to answer: they change without us. All are of one tenant.
pub async fn keep(scope: &mut Scope, mapping: &Mapping, shown: &[(Shown, Json)], keys: &Keyring, base: &str) -> Result<()> {
    let Some(tenant) = shown.first().map(|(first, _)| owner(&first.record)).filter(|_| is_indexed(mapping)) else { return Ok(()) };
    let all = shown.iter().flat_map(|(shown, own)| rows(mapping, shown, own, base).into_iter().map(|row| (&shown.record, row)));
    // A record that was just made has none.
    let old = shown.iter().map(|(shown, _)| &shown.record).filter(|record| record.version > 1).map(|record| record.id).collect();
    replace(scope, place(mapping), tenant, old, &all.collect::<Vec<_>>(), keys).await
}

/// The same of one record as everything it is: one row may be resources of several types.
pub async fn keep_all(scope: &mut Scope, told: &[(&'static Mapping, Shown, Json)], keys: &Keyring, base: &str) -> Result<()> {
    let Some((first, shown, _)) = told.iter().find(|(mapping, ..)| is_indexed(mapping)) else { return Ok(()) };
    let all = told.iter().flat_map(|(mapping, shown, own)| rows(mapping, shown, own, base).into_iter().map(|row| (&shown.record, row)));
    replace(scope, place(first), owner(&shown.record), vec![shown.record.id], &all.collect::<Vec<_>>(), keys).await
}

fn is_indexed(mapping: &Mapping) -> bool {
    mapping.search.iter().any(|(_, find)| of(find).is_some())
}

/// `old`: records that may have values already.
async fn replace(scope: &mut Scope, place: Place, tenant: Uuid, old: Vec<Uuid>, all: &[(&Record, Row)], keys: &Keyring) -> Result<()> {
    let tenant_keys = keys.of(tenant).await?;
    let rows = || all.iter().map(|(_, row)| row);
    let codes = rows().map(|row| code(row, &tenant_keys)).collect::<Result<Vec<Option<String>>>>()?;
    let tokens = rows().map(|row| tokens(row, &tenant_keys)).collect::<Result<Vec<Option<String>>>>()?;
    for record in old {
        scope.post(place.forget, vec![Box::new(tenant), Box::new(record)]).await?;
    }
    if all.is_empty() {
        return Ok(());
    }
    let values: [Box<dyn ToSql + Sync + Send>; 16] = [
        Box::new(tenant),
        // Made in turn: they stand together in the index of ids.
        list(all.iter().map(|_| scope.new_id())),
        list(all.iter().map(|(record, _)| record.id)),
        list(all.iter().map(|(record, _)| record.patient)),
        list(rows().map(|row| row.param.clone())),
        list(rows().map(|row| row.element)),
        list(rows().map(|row| row.part)),
        list(rows().map(|row| row.system.clone())),
        Box::new(codes),
        list(rows().map(|row| row.words.as_deref().map(fold))),
        list(rows().map(|row| row.target)),
        list(rows().map(|row| row.span.map(|span| span.0))),
        list(rows().map(|row| row.span.map(|span| span.1))),
        list(rows().map(|row| row.range.map(|range| range.0))),
        list(rows().map(|row| row.range.map(|range| range.1))),
        Box::new(tokens),
    ];
    scope.post(place.add, values.into()).await
}

/// One column of all rows.
fn list<T: ToSql + Sync + Send + 'static>(values: impl Iterator<Item = T>) -> Box<dyn ToSql + Sync + Send> {
    Box::new(values.collect::<Vec<T>>())
}

/// Of a record that was retired.
pub async fn forget(scope: &mut Scope, mapping: &Mapping, record: &Record) -> Result<()> {
    if is_indexed(mapping) {
        scope.exec(place(mapping).forget, &[&owner(record), &record.id]).await?;
    }
    Ok(())
}

fn code(row: &Row, keys: &TenantKeys) -> Result<Option<String>> {
    match &row.code {
        Some(code) if row.is_identifier => hashed(keys, code).map(Some),
        code => Ok(code.clone()),
    }
}

/// As an identifier stands in the index.
pub fn hashed(keys: &TenantKeys, code: &str) -> Result<String> {
    Ok(format!("={}", BASE64_STANDARD_NO_PAD.encode(keys.blind("search_values", "code", code)?)))
}

/// As a word stands among the tokens of a text: short, for a text has many.
pub fn token(keys: &TenantKeys, word: &str) -> Result<String> {
    let hash = keys.blind("search_values", "tokens", word)?;
    Ok(BASE64_STANDARD_NO_PAD.encode(hash.get(..6).unwrap_or_default()))
}

fn tokens(row: &Row, keys: &TenantKeys) -> Result<Option<String>> {
    let tokens = row.said.iter().map(|word| token(keys, word)).collect::<Result<Vec<String>>>()?;
    Ok((!tokens.is_empty()).then(|| format!(" {} ", tokens.join(" "))))
}

/// One parameter asked of the index: where, and the identifiers' hashes of all tenants searched.
pub struct Search<'s> {
    pub mapping: &'static Mapping,
    pub tenant: Option<Uuid>,
    pub modifier: Option<Modifier>,
    pub hashes: &'s [String],
    /// Whether a record may be found another way too: then it is known of each, or of all, as costs less.
    pub is_beside: bool,
}

impl Search<'_> {
    /// As a condition on the record `r`; of what is missing, that it is there.
    pub fn condition(&self, index: &Index, writing: &mut Writing, asked: &Asked) -> String {
        let held = match asked {
            Asked::Missing(_) => self.any(writing, index),
            Asked::Composite(values) => return self.composite(index, writing, values),
            asked => {
                let test = self.test(writing, asked);
                // Read from the index in the order of a page, so that a page ends the walk over what is met by many.
                let is_walked = is_one_code(asked) && self.modifier.is_none() && !self.is_beside;
                let select = if is_walked { "select distinct" } else { "select" };
                self.rows(writing, select, &names(index, self.form(asked)), None, &test)
            }
        };
        if self.is_beside {
            let tenant = if self.mapping.table.has_tenant() { "r.tenant_id" } else { "r.id" };
            return format!("exists (select from ({held}) k where k.tenant_id = {tenant} and k.record_id = r.id)");
        }
        format!("{} in ({held})", self.key())
    }

    /// Under what the values of a parameter are kept that are asked for so.
    fn form(&self, asked: &Asked) -> &'static str {
        match asked {
            Asked::OfType(_) => OF_TYPE,
            Asked::Quantity(quantity) if quantity.canonical().is_some() => CANONICAL,
            _ if self.modifier == Some(Modifier::Identifier) => BY_IDENTIFIER,
            _ => "",
        }
    }

    /// The records that have any value of it.
    fn any(&self, writing: &mut Writing, index: &Index) -> String {
        let tenant = if self.tenant.is_some() { " and x.tenant_id = $value" } else { "" };
        self.tenant.into_iter().for_each(|tenant| writing.value(Value::Uuid(tenant), Type::UUID));
        let table = place(self.mapping).table;
        let names = among(self.mapping, &["", BY_IDENTIFIER].map(|form| names(index, form)).concat());
        format!("select x.tenant_id, x.record_id from {table} x where {names}{tenant}")
    }

    /// What the values of a record are kept under.
    fn key(&self) -> &'static str {
        if self.mapping.table.has_tenant() { "(r.tenant_id, r.id)" } else { "(r.id, r.id)" }
    }

    /// The records with such a row; of a composite's component with its element.
    fn rows(&self, writing: &mut Writing, select: &str, names: &[String], part: Option<usize>, test: &str) -> String {
        let tenant = if self.tenant.is_some() { " and x.tenant_id = $value" } else { "" };
        self.tenant.into_iter().for_each(|tenant| writing.value(Value::Uuid(tenant), Type::UUID));
        let (element, part) = part.map_or(("", 0), |part| (", x.element", part));
        // The parameter's name is R4's; as a constant it lets the planner know how common it is.
        let (table, names) = (place(self.mapping).table, among(self.mapping, names));
        format!("{select} x.tenant_id, x.record_id{element} from {table} x where {names} and x.part = {part} and ({test}){tenant}")
    }

    /// The records one of whose texts has the word.
    pub fn worded(&self, writing: &mut Writing, names: &[&str]) -> String {
        let any = names.iter().map(|name| {
            let has = match self.hashes {
                [one] => format!("strpos(x.tokens, {}) > 0", writing.text(one)),
                many => format!("exists (select from unnest({}) h where strpos(x.tokens, h) > 0)", writing.texts(many.to_vec())),
            };
            format!("{} in ({})", self.key(), self.rows(writing, "select", &[(*name).to_owned()], None, &format!("x.code = '' and {has}")))
        });
        any.collect::<Vec<_>>().join(" or ")
    }

    fn composite(&self, index: &Index, writing: &mut Writing, values: &[Asked]) -> String {
        // Elements are counted under each name.
        let mut ways = Vec::with_capacity(1);
        for name in index.names() {
            let mut parts = Vec::with_capacity(values.len());
            for (place, value) in (1..).zip(values) {
                let test = self.test(writing, value);
                parts.push(self.rows(writing, "select", &[format!("{name}{}", self.form(value))], Some(place), &test));
            }
            ways.push(format!("select k.tenant_id, k.record_id from ({}) k", parts.join(" intersect ")));
        }
        format!("{} in ({})", self.key(), ways.join(" union all "))
    }

    /// On a row `x` of the parameter.
    fn test(&self, writing: &mut Writing, asked: &Asked) -> String {
        match asked {
            Asked::Token(token) => self.token(writing, token),
            Asked::Text(text) => words(writing, text),
            Asked::Reference(ReferenceValue::Local { type_name, id }) => {
                let id = format!("x.code = {}", writing.text(id));
                of_type(writing, id, *type_name)
            }
            Asked::Ids(Ids { type_name, of }) => {
                let ids = format!("x.code = any (({})::text[])", writing.ids(of));
                of_type(writing, ids, *type_name)
            }
            Asked::Reference(ReferenceValue::Foreign(url)) => format!("x.code = {}", writing.text(cut(url))),
            Asked::Uri(url) => self.uri(writing, cut(url)),
            Asked::Date(date) => dates::of_row(writing, date),
            Asked::Number(number) => amount::range(writing, ("x.low", "x.high"), number),
            Asked::Quantity(quantity) => match quantity.canonical() {
                Some((number, unit)) => amount::in_base(writing, &number, &unit),
                None => amount::as_written(writing, quantity),
            },
            Asked::Codes(codes) => of_codes(writing, codes),
            Asked::OfType(asked) => {
                let hash = format!("x.code = any ({})", writing.texts(self.hashes.to_vec()));
                format!("{hash} and x.system = {}", writing.text(cut(&asked.system)))
            }
            Asked::Between(asked) => between(writing, "x.code", asked, "x.system"),
            Asked::Missing(_) | Asked::Composite(_) | Asked::Near(_) | Asked::Words(_) => NEVER.into(),
        }
    }

    fn token(&self, writing: &mut Writing, token: &Token) -> String {
        let mut all = Vec::new();
        if let Some(code) = &token.code {
            all.push(writing.is_one_of("x.code", [cut(code).to_owned()].into_iter().chain(self.hashes.iter().cloned()).collect()));
        }
        match &token.system {
            System::Any => {}
            System::None => all.push("coalesce(x.system, '') = ''".into()),
            System::Is(system) => all.push(format!("(x.system = {} or x.system is null)", writing.text(cut(system)))),
        }
        all.join(" and ")
    }

    fn uri(&self, writing: &mut Writing, url: &str) -> String {
        match self.modifier {
            Some(Modifier::Below) => {
                let url = url.trim_end_matches('/');
                let (same, from, to) = (writing.text(url), writing.text(&format!("{url}/")), writing.text(&format!("{url}0")));
                format!("x.code = {same} or x.code >= {from} and x.code < {to}")
            }
            Some(Modifier::Above) => {
                let cuts = url.match_indices('/').map(|(at, _)| url[..at].to_owned());
                let all = cuts.chain([url.to_owned()]).filter(|above| !above.is_empty()).collect();
                format!("x.code = any ({})", writing.texts(all))
            }
            Some(Modifier::Contains) => format!("strpos(x.code, {}) > 0", writing.text(url)),
            _ => format!("x.code = {}", writing.text(url)),
        }
    }
}

/// What the values of a parameter that are asked for so are kept under, in all that say them.
fn names(index: &Index, form: &str) -> Vec<String> {
    index.names().iter().map(|name| format!("{name}{form}")).collect()
}

/// On a row `x`: it stands under one of these.
fn among(mapping: &Mapping, names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{}'", param(mapping, name))).collect();
    match quoted.as_slice() {
        [one] => format!("x.param = {one}"),
        many => format!("x.param in ({})", many.join(", ")),
    }
}

/// Whether its rows stand together in the index by code.
fn of_type(writing: &mut Writing, told: String, type_name: Option<&str>) -> String {
    match type_name {
        Some(name) => format!("{told} and x.system = {}", writing.text(name)),
        None => told,
    }
}

fn is_one_code(asked: &Asked) -> bool {
    matches!(asked, Asked::Token(Token { code: Some(_), .. }) | Asked::Reference(_) | Asked::Uri(_))
}

fn words(writing: &mut Writing, text: &Text) -> String {
    match text {
        Text::StartsWith(text) => {
            let text = fold(cut(text));
            // A range, which an index knows under row-level security.
            let (from, to) = (writing.text(&text), writing.text(&format!("{text}\u{10ffff}")));
            format!("x.words >= {from} and x.words < {to}")
        }
        Text::Contains(text) => format!("strpos(x.words, {}) > 0", writing.text(&fold(cut(text)))),
        Text::Exact(text) => format!("x.code = {}", writing.text(cut(text))),
        Text::Is(text) => format!("x.words = {}", writing.text(&fold(cut(text)))),
        Text::EndsWith(text) => {
            let text = fold(cut(text));
            format!("right(x.words, {}) = {}", text.chars().count(), writing.text(&text))
        }
    }
}

/// Those of each system; a row without one is of the only system its element has.
fn of_codes(writing: &mut Writing, codes: &Codes) -> String {
    let mut any = vec![NEVER.to_owned()];
    for (system, codes) in codes {
        let among = format!("x.code = any ({})", writing.texts(codes.clone()));
        any.push(format!("{among} and (x.system = {} or x.system is null)", writing.text(cut(system))));
    }
    any.join(" or ")
}

/// Whether nobody said what the record `r` still says by itself: a row `x` of that meets the test.
pub fn unsaid(mapping: &Mapping, index: &Index, test: &str) -> String {
    let (table, names) = (place(mapping).table, among(mapping, &names(index, UNSAID)));
    let tenant = if mapping.table.has_tenant() { "r.tenant_id" } else { "r.id" };
    format!("exists (select from {table} x where x.tenant_id = {tenant} and x.record_id = r.id and {names} and {test})")
}

/// What a record `r` is ordered by: of its values the least or the greatest.
pub fn key(mapping: &Mapping, index: &Index, kind: Kind, of_rows: &str) -> Option<String> {
    let value = match kind {
        Kind::Date => "extract(epoch from x.starts_at)",
        Kind::Number | Kind::Quantity => "x.low",
        Kind::String => "x.words",
        Kind::Token => "coalesce(x.code, x.words)",
        Kind::Reference | Kind::Uri => "x.code",
        Kind::Composite | Kind::Special => return None,
    };
    let (table, names) = (place(mapping).table, among(mapping, index.names()));
    let tenant = if mapping.table.has_tenant() { "r.tenant_id" } else { "r.id" };
    Some(format!(
        "(select {of_rows}({value}) from {table} x where x.tenant_id = {tenant} and x.record_id = r.id and {names} and x.part = 0)"
    ))
}
