//! Conditions of a search as SQL over our own columns; every value of the caller is a parameter.

use super::apart::Side;
use super::dates::{self, date, span};
use super::indexed::{self, Search};
use super::writing::{NEVER, Sql, Writing, any_of_these};
use super::{amount, chain, dental, held, search, token};
use crate::fhir::find::{Find, Namespace};
use crate::fhir::index::{Index, typed_value};
use crate::fhir::mapping::Mapping;
use crate::fhir::reference::Literal;
use crate::fhir::search::value::{Ids, ReferenceValue, System, Text, Token};
use crate::fhir::search::{Condition, Filter, Modifier, Value as Asked, text};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::crypto::TenantKeys;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::Value;
use crate::sql;
use std::borrow::Cow;
use std::sync::Arc;
use tokio_postgres::types::Type;
use uuid::Uuid;

const IDENTIFIER_TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
/// Tenants whose keyed hashes one search may need.
const TENANTS_MAX: usize = 1_000;

sql! {
    /// $1 the permission a caller of many tenants reads with.
    TENANTS_READ(INT8) = "select unnest((select sec.tenants($1))::uuid[])";
}

/// Who asks which records, and how.
struct Asking<'a> {
    caller: &'a Caller,
    context: &'a Context,
    mapping: &'static Mapping,
    modifier: Option<Modifier>,
    side: Side,
}

impl<'a> Asking<'a> {
    /// The same of what is kept beside the records.
    fn search<'s>(&'s self, hashes: &'s [String]) -> Search<'s> {
        let tenant = self.context.tenant.filter(|_| self.context.plane.single_tenant());
        Search { mapping: self.mapping, tenant, modifier: self.modifier, hashes, is_beside: false }
    }
}

/// One condition on records of one mapping.
pub async fn condition(caller: &Caller, context: &Context, mapping: &'static Mapping, condition: &Condition) -> Result<Sql> {
    if !condition.chains.is_empty() {
        return chain::condition(caller, context, mapping, condition).await;
    }
    sided(caller, context, mapping, condition, Side::All).await
}

/// The part of a condition without chains that one side answers.
pub(super) async fn sided(caller: &Caller, context: &Context, mapping: &'static Mapping, condition: &Condition, side: Side) -> Result<Sql> {
    let asking = Asking { caller, context, mapping, modifier: condition.modifier, side };
    let mut writing = Writing::default();
    let mut any = Vec::with_capacity(condition.any_of.len());
    for asked in &condition.any_of {
        any.push(match condition.param.name {
            "_id" => by_id(&mut writing, asked),
            "_lastUpdated" => date(&mut writing, asked, &format!("r.{}", search::changed(mapping.table)), false),
            name => {
                let find = mapping.find(name);
                // Of a type's several tables some have nothing that the parameter asks for.
                let find = find.filter(|find| asking.side.has(find)).unwrap_or(&Find::Never);
                match &*dental::normalised(condition.param, asked)? {
                    Asked::Missing(is_missing) => missing(&asking, &mut writing, find, *is_missing).await?,
                    asked => one(&asking, &mut writing, find, asked).await?,
                }
            }
        });
    }
    let any = any_of_these(any);
    let text = match condition.modifier {
        Some(Modifier::Not | Modifier::NotIn) => format!("not coalesce({any}, false)"),
        _ => any,
    };
    Ok((Cow::Owned(text), writing.values))
}

/// A filter's comparisons, joined as it joins them.
pub async fn filter(caller: &Caller, context: &Context, mapping: &'static Mapping, filter: &Filter) -> Result<Sql> {
    let (parts, joint) = match filter {
        Filter::Is(one) => return condition(caller, context, mapping, one).await,
        Filter::Not(inner) => {
            let (text, values) = Box::pin(self::filter(caller, context, mapping, inner)).await?;
            return Ok((Cow::Owned(format!("not coalesce(({text}), false)")), values));
        }
        Filter::All(parts) => (parts, " and "),
        Filter::Any(parts) => (parts, " or "),
    };
    let (mut texts, mut values) = (Vec::with_capacity(parts.len()), Vec::new());
    for part in parts {
        let (text, more) = Box::pin(self::filter(caller, context, mapping, part)).await?;
        texts.push(format!("({text})"));
        values.extend(more);
    }
    Ok((Cow::Owned(texts.join(joint)), values))
}

/// At least one of these.
pub async fn any_of(caller: &Caller, context: &Context, mapping: &'static Mapping, conditions: &[Condition]) -> Result<Sql> {
    let (mut texts, mut values) = (Vec::with_capacity(conditions.len()), Vec::new());
    for one in conditions {
        let (text, more) = condition(caller, context, mapping, one).await?;
        texts.push(text.into_owned());
        values.extend(more);
    }
    Ok((Cow::Owned(any_of_these(texts)), values))
}

fn by_id(writing: &mut Writing, asked: &Asked) -> String {
    let id = match asked {
        Asked::Ids(Ids { of, .. }) => return format!("r.id = any ({})", writing.ids(of)),
        Asked::Token(Token { system: System::Any, code: Some(code) }) => code.parse::<Uuid>().ok(),
        _ => None,
    };
    match id {
        Some(id) => {
            writing.value(Value::Uuid(id), Type::UUID);
            "r.id = $value".into()
        }
        None => NEVER.into(),
    }
}

async fn one(asking: &Asking<'_>, writing: &mut Writing, find: &Find, asked: &Asked) -> Result<String> {
    if let Some(told) = token::condition(writing, find, asked) {
        return Ok(told);
    }
    Ok(match (find, asked) {
        (Find::Never, _) => NEVER.into(),
        (find, Asked::Words(words)) => Box::pin(worded(asking, writing, find, words)).await?,
        (Find::Indexed(index), asked) => indexed(asking, writing, index, asked, false).await?,
        (Find::Any(finds), asked) => {
            let index = finds.iter().find_map(indexed::of);
            let mut any = Vec::with_capacity(finds.len());
            for find in finds.iter().flat_map(Find::each).filter(|find| asking.side.has(find)) {
                let told = match find {
                    Find::Indexed(index) => indexed(asking, writing, index, asked, matches!(asking.side, Side::All)).await?,
                    find => Box::pin(one(asking, writing, find, asked)).await?,
                };
                let gainsaid = index.filter(|_| find.is_gainsaid() && told != NEVER);
                any.push(match gainsaid.and_then(|index| Some((index, unsaid(asking, writing, find, asked)?))) {
                    // Where somebody said another one, or none, it is not found.
                    Some((index, test)) => format!("({told}) and not {}", indexed::unsaid(asking.mapping, index, &test)),
                    None => told,
                });
            }
            any_of_these(any)
        }
        (Find::Text { within, starts, words, exact }, Asked::Text(text)) => {
            let any = texts(writing, starts, words, exact, text);
            within.replace("{}", &format!("({any})"))
        }
        (Find::Said(column), Asked::Text(text)) => texts(writing, &[], &[&format!("kernel.fold({column})")], &[column], text),
        (Find::Plain { within, namespace, value, stored }, Asked::Token(token)) if is_in(*namespace, &token.system) => {
            let told = token.code.as_ref().map(|code| format!("{value} = {}", writing.text(&stored(code))));
            identified(writing, within, *namespace, token, told.unwrap_or_else(|| format!("{value} is not null")))
        }
        (Find::Blind { within, table, column, kind, .. }, Asked::OfType(asked)) if asked.system == IDENTIFIER_TYPES => {
            let value = blind(asking, writing, table, column, &held::sealed(within, column), &asked.value).await?;
            within.replace("{}", &format!("{value} and {kind} = {}", writing.text(&asked.code)))
        }
        (Find::Blind { within, namespace, table, column, .. }, Asked::Token(token)) if is_in(*namespace, &token.system) => {
            let held = held::sealed(within, column);
            let told = match &token.code {
                Some(code) => blind(asking, writing, table, column, &held, code).await?,
                None => format!("{held} is not null"),
            };
            identified(writing, within, *namespace, token, told)
        }
        (Find::Day(column), asked) => date(writing, asked, column, true),
        (Find::Moment(column), asked) => date(writing, asked, column, false),
        (Find::Days { from, until }, asked) => span(writing, asked, from, until, true),
        (Find::Moments { from, until }, asked) => span(writing, asked, from, until, false),
        // The address of a resource of ours, in whichever form.
        (Find::Points { column, to }, Asked::Uri(url)) => match Literal::parse(url, &super::base(&asking.caller.kernel)) {
            Literal::Local { id, version: None, .. } => {
                let asked = Asked::Reference(ReferenceValue::Local { type_name: None, id: id.into() });
                pointing(writing, &format!("{column} = $value"), to, &asked)
            }
            _ => NEVER.into(),
        },
        (Find::Points { column, to }, asked) => pointing(writing, &format!("{column} = $value"), to, asked),
        (Find::Leads { rows, to, .. }, asked) => pointing(writing, rows, to, asked),
        (Find::Rows { from, column, to }, asked) => {
            pointing(writing, &format!("exists (select from {from} and {column} = $value)"), to, asked)
        }
        (Find::Amount { .. } | Find::Money { .. } | Find::Place { .. }, asked) => amount::condition(writing, find, asked),
        _ => NEVER.into(),
    })
}

/// Words wherever the record says them, each by itself.
async fn worded(asking: &Asking<'_>, writing: &mut Writing, find: &Find, words: &text::Asked) -> Result<String> {
    let word = match words {
        text::Asked::Word(word) => word,
        text::Asked::All(of) => {
            let mut all = Vec::with_capacity(of.len());
            for words in of {
                all.push(format!("({})", Box::pin(worded(asking, writing, find, words)).await?));
            }
            return Ok(all.join(" and "));
        }
        text::Asked::Any(of) => {
            let mut any = Vec::with_capacity(of.len());
            for words in of {
                any.push(Box::pin(worded(asking, writing, find, words)).await?);
            }
            return Ok(any_of_these(any));
        }
    };
    let begins = Text::StartsWith(word.clone());
    let spaced = |expr: &str| format!("translate({expr}, '-/.,;:()', '        ')");
    Ok(match find {
        Find::Any(finds) => {
            let mut any = Vec::with_capacity(finds.len());
            for find in *finds {
                any.push(Box::pin(worded(asking, writing, find, words)).await?);
            }
            any_of_these(any)
        }
        Find::Text { within, starts, words, .. } => {
            let all: Vec<String> = starts.iter().chain(*words).map(|expr| spaced(expr)).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            within.replace("{}", &format!("({})", texts(writing, &[], &all, &[], &begins)))
        }
        Find::Said(column) => texts(writing, &[], &[&spaced(&format!("kernel.fold({column})"))], &[], &begins),
        Find::Worded(names) => {
            let mut hashes = Vec::new();
            for keys in keys(asking).await? {
                hashes.push(format!(" {} ", indexed::token(&keys, word)?));
            }
            asking.search(&hashes).worded(writing, names)
        }
        _ => NEVER.into(),
    })
}

/// `rows` with its `= $value` filled in.
fn pointing(writing: &mut Writing, rows: &str, to: &str, asked: &Asked) -> String {
    let (type_name, id) = match asked {
        Asked::Reference(ReferenceValue::Local { type_name, id }) => (type_name, id.parse::<Uuid>().ok()),
        Asked::Ids(Ids { type_name, of }) if type_name.is_none_or(|name| name == to) => {
            let filled = |text: String, _| text.replacen("= $value", &format!("= any ({})", writing.ids(of)), 1);
            return rows.matches("= $value").fold(rows.to_owned(), filled);
        }
        _ => return NEVER.into(),
    };
    match id.filter(|_| type_name.is_none_or(|name| name == to)) {
        Some(id) => {
            rows.matches("$value").for_each(|_| writing.value(Value::Uuid(id), Type::UUID));
            rows.to_owned()
        }
        None => NEVER.into(),
    }
}

/// Which row `x` of what nobody said gainsays the record's own value. Of rows of the record it is the value that is asked for.
fn unsaid(asking: &Asking<'_>, writing: &mut Writing, find: &Find, asked: &Asked) -> Option<String> {
    match asked {
        Asked::Token(token) if find.is_of_rows() => token.code.as_ref().map(|code| format!("x.code = {}", writing.text(code))),
        Asked::Date(date) if !dates::may_differ(find, date) => None,
        _ => held::gainsaid(find, asking.mapping),
    }
}

/// Whether the record has a value at all, or has none.
async fn missing(asking: &Asking<'_>, writing: &mut Writing, find: &'static Find, is_missing: bool) -> Result<String> {
    let mut told = match indexed::of(find) {
        Some(index) => format!("({})", held::said(find, asking.mapping, index)),
        None => format!("({})", held::present(find)),
    };
    if let Some(index) = indexed::of(find) {
        let beside = indexed(asking, writing, index, &Asked::Missing(false), true).await?;
        told = format!("({told} or {beside})");
    }
    Ok(if is_missing { format!("not coalesce({told}, false)") } else { told })
}

/// Whether values of the namespace can be of the system that is asked for.
fn is_in(namespace: Namespace, asked: &System) -> bool {
    match (namespace, asked) {
        (_, System::Any) | (Namespace::Column(_), _) | (Namespace::None, System::None) => true,
        (Namespace::Always(uri), System::Is(asked)) => uri == asked,
        (Namespace::None, System::Is(_)) | (Namespace::Always(_), System::None) => false,
    }
}

/// The value's condition comes first in the text, as its parameter does.
fn identified(writing: &mut Writing, within: &str, namespace: Namespace, token: &Token, mut told: String) -> String {
    if let Namespace::Column(column) = namespace {
        match &token.system {
            System::Any => {}
            System::None => told.push_str(&format!(" and {column} is null")),
            System::Is(system) => told.push_str(&format!(" and {column} = {}", writing.text(system))),
        }
    }
    within.replace("{}", &told)
}

/// A sealed value is found by its keyed hash, and each tenant hashes with a key of its own.
async fn blind(asking: &Asking<'_>, writing: &mut Writing, table: &str, column: &str, held: &str, code: &str) -> Result<String> {
    let mut any = Vec::new();
    for keys in keys(asking).await? {
        writing.value(Value::Bytes(keys.blind(table, column, code)?), Type::BYTEA);
        any.push(format!("{held} = $value"));
    }
    Ok(if any.is_empty() { NEVER.into() } else { format!("({})", any.join(" or ")) })
}

async fn keys(asking: &Asking<'_>) -> Result<Vec<Arc<TenantKeys>>> {
    let Asking { caller, context, mapping, .. } = asking;
    let mut tenants: Vec<Uuid> = context.tenant.into_iter().collect();
    if !context.plane.single_tenant() {
        let bit = mapping.table.read.bit();
        let answers = caller.kernel.door.open(context).await?.once(&[((&TENANTS_READ).into(), vec![&bit])]).await?;
        tenants = answers.iter().flatten().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    }
    if tenants.len() > TENANTS_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("An identifier can be looked for in 1000 clinics at once."));
    }
    let mut known = Vec::with_capacity(tenants.len());
    for tenant in tenants {
        known.push(caller.kernel.keys.of(tenant).await?);
    }
    Ok(known)
}

async fn indexed(asking: &Asking<'_>, writing: &mut Writing, index: &Index, asked: &Asked, is_beside: bool) -> Result<String> {
    if index.is_told(asked) {
        return Ok(NEVER.into());
    }
    let mut hashes = Vec::new();
    let is_hashed = index.is_of_identifiers() || asking.modifier == Some(Modifier::Identifier);
    let code = match asked {
        Asked::Token(Token { code: Some(code), .. }) => Some(code.clone()).filter(|_| is_hashed),
        Asked::OfType(asked) => Some(typed_value(&asked.code, &asked.value)),
        _ => None,
    };
    if let Some(code) = code {
        for keys in keys(asking).await? {
            hashes.push(indexed::hashed(&keys, &code)?);
        }
    }
    Ok(Search { is_beside, ..asking.search(&hashes) }.condition(index, writing, asked))
}

pub(super) fn texts(writing: &mut Writing, starts: &[&str], words: &[&str], exact: &[&str], text: &Text) -> String {
    let mut any = Vec::new();
    match text {
        Text::StartsWith(text) => {
            // A range, which an index knows under row-level security.
            for expr in starts {
                let (from, to) = (writing.text(text), writing.text(text));
                any.push(format!("{expr} >= kernel.fold({from}) and {expr} < kernel.fold({to}) || chr(1114109)"));
            }
            for expr in words {
                any.push(format!("strpos(' ' || {expr}, ' ' || kernel.fold({})) > 0", writing.text(text)));
            }
        }
        Text::Contains(text) => {
            for expr in starts.iter().chain(words) {
                any.push(format!("strpos({expr}, kernel.fold({})) > 0", writing.text(text)));
            }
        }
        Text::Exact(text) => {
            for expr in exact {
                any.push(format!("{expr} = {}", writing.text(text)));
            }
        }
        Text::Is(text) => {
            for expr in starts.iter().chain(words) {
                any.push(format!("{expr} = kernel.fold({})", writing.text(text)));
            }
        }
        Text::EndsWith(text) => {
            for expr in starts.iter().chain(words) {
                let (text, same) = (writing.text(text), writing.text(text));
                any.push(format!("right({expr}, length(kernel.fold({text}))) = kernel.fold({same})"));
            }
        }
    }
    any.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" or ")
}
