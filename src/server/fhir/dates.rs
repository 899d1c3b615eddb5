//! Dates and times asked of columns: a day, a moment, or what lasts from one column to another (R4 §3.1.1.4.7).

use super::find::{NEVER, Writing};
use crate::fhir::find::Find;
use crate::fhir::search::Value as Asked;
use crate::fhir::search::value::{Compare, DateTest, DateValue, Edge, Side};
use crate::kernel::table::Value;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use tokio_postgres::types::Type;

pub fn date(writing: &mut Writing, asked: &Asked, column: &str, day: bool) -> String {
    let Asked::Date(value) = asked else { return NEVER.into() };
    let (edges, joint) = match DateValue::test(value) {
        DateTest::All(edges) => (edges, " and "),
        DateTest::Any(edges) => (edges, " or "),
    };
    let edges = edges.into_iter().map(|edge| if day { on_day(writing, column, edge) } else { at_moment(writing, column, edge) });
    edges.collect::<Vec<_>>().join(joint)
}

/// A row lasts from one column's start to the other's end; one of them without a value is open, a row without both is never.
pub fn span(writing: &mut Writing, asked: &Asked, from: &str, until: &str, day: bool) -> String {
    let Asked::Date(value) = asked else { return NEVER.into() };
    let (edges, joint) = match DateValue::test(value) {
        DateTest::All(edges) => (edges, " and "),
        DateTest::Any(edges) => (edges, " or "),
    };
    let one = |writing: &mut Writing, edge: Edge| {
        let column = if edge.edge == Side::Start { from } else { until };
        let told = if day { on_day(writing, column, edge) } else { at_moment(writing, column, edge) };
        // Since ever is before any date, until further notice after it.
        let open = match edge.edge {
            Side::Start => matches!(edge.compare, Compare::Lt | Compare::Le),
            Side::End => matches!(edge.compare, Compare::Gt | Compare::Ge),
        };
        if open { format!("({told} or {column} is null)") } else { told }
    };
    let tests: Vec<String> = edges.into_iter().map(|edge| one(writing, edge)).collect();
    format!("({from} is not null or {until} is not null) and ({})", tests.join(joint))
}

/// When what the column says starts, where it may answer what was said less exactly (`2020`, which it has as a day) or more
/// exactly (a time of the day). None: both have the same answer, as a moment and what begins with it have of what is after.
pub fn narrowed(find: &Find, asked: &Asked) -> Option<String> {
    let Asked::Date(value) = asked else { return None };
    let (DateTest::All(edges) | DateTest::Any(edges)) = value.test();
    let is_about_an_end = edges.iter().any(|edge| edge.edge == Side::End && matches!(edge.compare, Compare::Lt | Compare::Le));
    match find {
        Find::Day(column) | Find::Days { from: column, .. } => Some(format!("({column})::timestamp at time zone 'UTC'")),
        Find::Moment(column) | Find::Moments { from: column, .. } if is_about_an_end => Some((*column).to_owned()),
        _ => None,
    }
}

/// A day is the interval from its midnight to the next; the comparison is turned into one of days, for the index.
fn on_day(writing: &mut Writing, column: &str, edge: Edge) -> String {
    let at = if edge.edge == Side::End { edge.at - TimeDelta::days(1) } else { edge.at };
    let whole = at.time() == NaiveTime::MIN;
    let (floor, ceiling) = (at.date_naive(), if whole { at.date_naive() } else { at.date_naive() + Days::new(1) });
    let (sign, day): (_, NaiveDate) = match edge.compare {
        Compare::Ge => (">=", ceiling),
        Compare::Gt => (">", floor),
        Compare::Lt => ("<", ceiling),
        Compare::Le => ("<=", floor),
    };
    writing.value(Value::Date(day), Type::DATE);
    format!("{column} {sign} $value")
}

/// A stored moment lasts one microsecond, the finest PostgreSQL keeps.
fn at_moment(writing: &mut Writing, column: &str, edge: Edge) -> String {
    let sign = match (edge.edge, edge.compare) {
        (Side::Start, Compare::Ge) | (Side::End, Compare::Gt | Compare::Ge) => ">=",
        (Side::Start, Compare::Gt) => ">",
        (Side::Start, Compare::Lt) | (Side::End, Compare::Le | Compare::Lt) => "<",
        (Side::Start, Compare::Le) => "<=",
    };
    let at: DateTime<Utc> = edge.at;
    writing.value(Value::Instant(at), Type::TIMESTAMPTZ);
    format!("{column} {sign} $value")
}
