//! Statements: named, static, prepared. The name is the metric, the span and the line in the test that plans them all.

use tokio_postgres::types::Type;

/// One statement of ours. Made by [`sql!`]; never from a caller's text.
#[derive(Debug)]
pub struct Sql {
    pub name: &'static str,
    pub text: &'static str,
    /// Types of the parameters, so that preparing asks the catalogue nothing.
    pub types: &'static [Type],
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
