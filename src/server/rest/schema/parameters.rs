//! What a request brings beside its body, described.

use super::{base, inline};
use crate::kernel::table::{Filter, How, Sealing, Table, Ty};
use poem_openapi::registry::{MetaOperationParam, MetaParamIn, MetaSchema};
use serde_json::Value as Json;

pub fn parameter(name: &str, place: MetaParamIn, schema: MetaSchema, required: bool, doc: &str) -> MetaOperationParam {
    MetaOperationParam {
        name: name.to_owned(),
        schema: inline(schema),
        in_type: place,
        description: (!doc.is_empty()).then(|| doc.to_owned()),
        required,
        deprecated: false,
        explode: true,
        style: None,
    }
}

pub fn include_deleted() -> MetaOperationParam {
    parameter("include_deleted", MetaParamIn::Query, base(Ty::Bool), false, "Retired rows too.")
}
pub fn path_id() -> MetaOperationParam {
    parameter("id", MetaParamIn::Path, base(Ty::Uuid), true, "")
}
pub fn if_match(required: bool) -> MetaOperationParam {
    parameter(
        "If-Match",
        MetaParamIn::Header,
        base(Ty::Text),
        required,
        "The ETag of the version that was read; 412 when it is no longer current.",
    )
}
const KEY_DOC: &str = "One key, one effect, for 24 hours: the same request gets the same answer, another one 422, a twin that \
    still runs 409. An answer that held a secret is not told again (409).";
pub fn idempotency_key() -> MetaOperationParam {
    parameter("Idempotency-Key", MetaParamIn::Header, base(Ty::Text), false, KEY_DOC)
}

pub fn list_parameters(table: &'static Table) -> Vec<MetaOperationParam> {
    let mut out = page_parameters(table.sorts.iter().map(|sort| sort.name), table.soft_delete);
    out.extend(
        table.filters.iter().map(|filter| parameter(filter.name, MetaParamIn::Query, of_filter(table, filter), false, doc_of(filter))),
    );
    out
}

pub fn page_parameters(sorts: impl Iterator<Item = &'static str>, soft_delete: bool) -> Vec<MetaOperationParam> {
    let limit = MetaSchema { minimum: Some(1.0), maximum: Some(200.0), default: Some(Json::from(20)), ..base(Ty::Int) };
    let sorts = sorts.chain(["id"]).flat_map(|name| [name.to_owned(), format!("-{name}")]);
    let sort = MetaSchema { enum_items: sorts.map(Json::from).collect(), ..base(Ty::Text) };
    let mut out = vec![
        parameter("limit", MetaParamIn::Query, limit, false, ""),
        parameter("cursor", MetaParamIn::Query, base(Ty::Text), false, "`next` of the page before."),
        parameter("sort", MetaParamIn::Query, sort, false, "Creation order when left out."),
        parameter("total", MetaParamIn::Query, base(Ty::Bool), false, "Count the whole list too."),
    ];
    if soft_delete {
        out.push(include_deleted());
    }
    out
}

pub fn of_filter(table: &'static Table, filter: &Filter) -> MetaSchema {
    let name = match filter.how {
        How::Equal | How::Each(_) => filter.name,
        How::From(name) | How::Before(name) => name,
        How::Elsewhere { .. } if table.field(filter.name).is_some_and(|field| matches!(field.ty, Ty::Enum(_))) => filter.name,
        _ => return base(Ty::Text),
    };
    table.filtered(name).filter(|field| field.sealing == Sealing::Plain).map_or_else(|| base(Ty::Text), |field| base(field.ty))
}

pub fn doc_of(filter: &Filter) -> &'static str {
    match filter.how {
        How::From(_) => "At or after.",
        How::Before(_) => "Before.",
        How::Words(_) => "Words, each the beginning of a name.",
        How::Folded(_) => "Whatever the case and accents.",
        _ => "",
    }
}
