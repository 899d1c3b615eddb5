//! Dates and times asked of columns: a day, a moment, or what lasts from one column to another (R4 §3.1.1.4.7); and of search rows.

use super::writing::{NEVER, Writing};
use crate::fhir::find::Find;
use crate::fhir::search::Value as Asked;
use crate::fhir::search::value::{Compare, DateTest, DateValue, Edge, Side};
use crate::kernel::table::Value;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use std::cmp::Ordering;
use tokio_postgres::types::Type;

const OR: &str = " or ";

/// The comparisons, and what joins them.
fn edges(value: &DateValue) -> (Vec<Edge>, &'static str) {
    match value.test() {
        DateTest::All(edges) => (edges, " and "),
        DateTest::Any(edges) => (edges, OR),
    }
}

/// One column alone is both edges, so of two comparisons in one direction one decides, and its index has one range to walk.
pub fn date(writing: &mut Writing, asked: &Asked, column: &str, day: bool) -> String {
    let Asked::Date(value) = asked else { return NEVER.into() };
    let (edges, joint) = edges(value);
    let told: Vec<Told> = edges.into_iter().map(|edge| Told::of(edge, day)).collect();
    match told[..] {
        [one] => one.write(writing, column),
        [one, other] if one.is_least() == other.is_least() => one.either(other, joint == OR).write(writing, column),
        _ => told.iter().map(|one| one.write(writing, column)).collect::<Vec<_>>().join(joint),
    }
}

/// A row lasts from one column's start to the other's end; one of them without a value is open, a row without both is never.
pub fn span(writing: &mut Writing, asked: &Asked, from: &str, until: &str, day: bool) -> String {
    let Asked::Date(value) = asked else { return NEVER.into() };
    let (edges, joint) = edges(value);
    let one = |writing: &mut Writing, edge: Edge| {
        let column = if edge.edge == Side::Start { from } else { until };
        let told = Told::of(edge, day).write(writing, column);
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

/// When what the columns say starts.
pub fn starts(find: &Find) -> Option<String> {
    match find {
        Find::Day(column) | Find::Days { from: column, .. } => Some(format!("({column})::timestamp at time zone 'UTC'")),
        Find::Moment(column) | Find::Moments { from: column, .. } => Some((*column).to_owned()),
        _ => None,
    }
}

/// Whether what the columns say may answer otherwise than what was said in their place: a day does for a year, a stamp for no time
/// at all. A moment and what begins with it have the same answer of what is after.
pub fn may_differ(find: &Find, date: &DateValue) -> bool {
    let is_about_an_end = || edges(date).0.iter().any(|edge| edge.edge == Side::End && matches!(edge.compare, Compare::Lt | Compare::Le));
    match find {
        Find::Moment(column) | Find::Moments { from: column, .. } => STAMPS.contains(column) || is_about_an_end(),
        _ => true,
    }
}

/// Columns that have a time whatever a sender says.
const STAMPS: [&str; 2] = ["r.created_at", "r.updated_at"];

/// On a search row `x`, which has both edges or none. What the bound has let through nearly always passes, but the planner takes
/// the edges for independent, and rows without any for nearly all: it would expect a hundredth. So it is asked what is left out.
pub fn of_row(writing: &mut Writing, date: &DateValue) -> String {
    let (edges, joint) = edges(date);
    let mut told = |edge: Edge, compare: Compare| {
        let column = if edge.edge == Side::Start { "x.starts_at" } else { "x.ends_at" };
        writing.value(Value::Instant(edge.at), Type::TIMESTAMPTZ);
        format!("{column} {} $value", compare.sign())
    };
    let Some(bound) = date.bound() else {
        return edges.into_iter().map(|edge| told(edge, edge.compare)).collect::<Vec<_>>().join(joint);
    };
    // Both ends of a range of one column are for its index.
    let (of_range, others): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(|edge| joint != OR && edge.edge == bound.edge);
    let range: Vec<String> = std::iter::once(bound).chain(of_range).map(|edge| told(edge, edge.compare)).collect();
    let out: Vec<String> = others.into_iter().map(|edge| told(edge, edge.compare.opposite())).collect();
    format!("{} and ({}) is not true", range.join(" and "), out.join(if joint == OR { " and " } else { OR }))
}

/// What an edge comes to for a column that has days or moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    compare: Compare,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Day(NaiveDate),
    Moment(DateTime<Utc>),
}

impl Told {
    fn of(edge: Edge, day: bool) -> Told {
        if day { Told::on_day(edge) } else { Told::at_moment(edge) }
    }

    /// A day is the interval from its midnight to the next; the comparison is turned into one of days, for the index.
    fn on_day(edge: Edge) -> Told {
        let at = if edge.edge == Side::End { edge.at - TimeDelta::days(1) } else { edge.at };
        let whole = at.time() == NaiveTime::MIN;
        let (floor, ceiling) = (at.date_naive(), if whole { at.date_naive() } else { at.date_naive() + Days::new(1) });
        let day = match edge.compare {
            Compare::Ge | Compare::Lt => ceiling,
            Compare::Gt | Compare::Le => floor,
        };
        Told { compare: edge.compare, at: At::Day(day) }
    }

    /// A stored moment lasts one microsecond, the finest PostgreSQL keeps.
    fn at_moment(edge: Edge) -> Told {
        let compare = match (edge.edge, edge.compare) {
            (Side::End, Compare::Gt) => Compare::Ge,
            (Side::End, Compare::Le) => Compare::Lt,
            (_, compare) => compare,
        };
        Told { compare, at: At::Moment(edge.at) }
    }

    fn is_least(self) -> bool {
        matches!(self.compare, Compare::Gt | Compare::Ge)
    }

    /// Of two in one direction the one that decides: of either the weaker, of both the stronger.
    fn either(self, other: Told, any: bool) -> Told {
        let itself = matches!(self.compare, Compare::Ge | Compare::Le);
        let holds_where_the_other_does = match self.at.cmp(&other.at) {
            Ordering::Equal => itself || self.compare == other.compare,
            order => (order == Ordering::Less) == self.is_least(),
        };
        if holds_where_the_other_does == any { self } else { other }
    }

    fn write(self, writing: &mut Writing, column: &str) -> String {
        let (value, ty) = match self.at {
            At::Day(day) => (Value::Date(day), Type::DATE),
            At::Moment(at) => (Value::Instant(at), Type::TIMESTAMPTZ),
        };
        writing.value(value, ty);
        format!("{column} {} $value", self.compare.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told() -> impl Strategy<Value = Told> {
        let compare = prop_oneof![Just(Compare::Lt), Just(Compare::Le), Just(Compare::Gt), Just(Compare::Ge)];
        (compare, 0u64..5).prop_map(|(compare, day)| Told { compare, at: At::Day(NaiveDate::default() + Days::new(day)) })
    }

    fn holds(told: Told, column: u64) -> bool {
        let column = At::Day(NaiveDate::default() + Days::new(column));
        match told.compare {
            Compare::Lt => column < told.at,
            Compare::Le => column <= told.at,
            Compare::Gt => column > told.at,
            Compare::Ge => column >= told.at,
        }
    }

    proptest! {
        #[test]
        fn of_two_in_one_direction_one_decides(one in told(), other in told(), column in 0u64..6) {
            prop_assume!(one.is_least() == other.is_least());
            let (first, second) = (holds(one, column), holds(other, column));
            prop_assert_eq!(holds(one.either(other, true), column), first || second);
            prop_assert_eq!(holds(one.either(other, false), column), first && second);
        }
    }
}
