//! What a resource is searched by beside the columns of its record.

use super::dental;
use super::indexed::{of, param};
use super::read::Shown;
use crate::fhir::find::Find;
use crate::fhir::index::{self, Index, Row, words};
use crate::fhir::mapping::Mapping;
use serde_json::Value as Json;

/// What a resource is searched by beside its columns, each under the name it stands under.
pub fn rows(mapping: &Mapping, shown: &Shown, own: &Json, base: &str) -> Vec<Row> {
    let indexes: Vec<&Index> = mapping.search.iter().filter_map(|(_, find)| of(find)).collect();
    // The parts of a composite belong together, whoever says one of them; what no column answers is answered here alone.
    let answered =
        |row: &Row| mapping.search.iter().any(|(_, find)| matches!(find, Find::Any(_)) && of(find).is_some_and(|it| is_of(row, it)));
    let resource = &Json::Object(shown.resource.as_map().clone());
    let said = dental::rows(index::rows(indexes.iter().copied(), own, base));
    let mut rows = dental::rows(index::rows(indexes.iter().copied(), resource, base));
    let unsaid: Vec<Row> = unsaid(&said, &rows).filter(|row| answered(row)).collect();
    rows.retain(|row| row.part > 0 || !said.contains(row) || !answered(row));
    rows.extend(unsaid);
    rows.extend(words::rows(mapping.of.name, resource, own));
    rows.into_iter().map(|row| Row { param: param(mapping, &row.param), ..row }).collect()
}

/// Behind a parameter: what the record says of it by itself and nobody said who sent it.
pub const UNSAID: &str = ":unsaid";

/// Of what the record says by itself that which the resource does not say: it says another code, text or time, or none. A year is
/// another where the column has its first day.
fn unsaid<'r>(own: &'r [Row], resource: &'r [Row]) -> impl Iterator<Item = Row> + 'r {
    let plain = |row: &&Row| row.part == 0 && !row.is_identifier && row.range.is_none();
    let said = |row: &Row| {
        let mut others = resource.iter().filter(|other| other.param == row.param);
        others.any(|other| (&other.system, &other.code, other.span) == (&row.system, &row.code, row.span))
    };
    own.iter().filter(plain).filter(move |row| !said(row)).map(|row| Row {
        param: format!("{}{UNSAID}", row.param),
        words: None,
        ..row.clone()
    })
}

fn is_of(row: &Row, index: &Index) -> bool {
    row.param.strip_prefix(&index.name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}
