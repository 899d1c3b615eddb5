//! PostgreSQL: pools by plane, the sealed transaction, our statements, migrations and the checks before serving.
pub mod check;
mod fault;
pub mod migrate;
pub mod pool;
pub mod scope;
mod shapes;
mod sql;

pub use pool::{Connector, Pools};
pub use scope::{Door, Param, Scope, Shaped, SharedDoor};
pub use sql::{Query, Sql};
