//! Statements: named, static, prepared. The name is the metric, the span and the line in the test that plans them all.

use std::borrow::Cow;
use tokio_postgres::types::Type;

/// One statement of ours. Made by [`sql!`]; never from a caller's text.
#[derive(Debug)]
pub struct Sql {
    pub name: &'static str,
    pub text: &'static str,
    /// Types of the parameters, so that preparing asks the catalogue nothing.
    pub types: &'static [Type],
}

/// A statement of ours, or a generated one made of our own column names.
#[derive(Clone)]
pub struct Query {
    pub text: Cow<'static, str>,
    pub types: Cow<'static, [Type]>,
    /// How it is planned, where that is not left to PostgreSQL: `set local` of the settings below, which end with the statement.
    pub planning: Option<&'static str>,
}

impl Query {
    pub const fn new(text: Cow<'static, str>, types: Cow<'static, [Type]>) -> Query {
        Query { text, types, planning: None }
    }
}

impl From<&'static Sql> for Query {
    fn from(sql: &'static Sql) -> Query {
        Query::new(Cow::Borrowed(sql.text), Cow::Borrowed(sql.types))
    }
}

/// `sql! { NAME(UUID, TEXT) = "select …" }` makes `static NAME: Sql`.
#[macro_export]
macro_rules! sql {
    ($($(#[$doc:meta])* $vis:vis $name:ident ($($ty:ident),*) = $text:expr;)*) => {
        $($(#[$doc])* $vis static $name: $crate::kernel::db::Sql = $crate::kernel::db::Sql {
            name: stringify!($name), text: $text, types: &[$(::tokio_postgres::types::Type::$ty),*],
        };)*
    };
}
