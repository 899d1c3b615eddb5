//! The server: listeners, what every request passes through, the one form of errors, and the contracts it assembles.
pub mod admin;
pub mod app;
mod authenticate;
mod database_tls;
pub mod domains;
pub mod fhir;
pub mod idempotency;
pub mod limits;
mod listener;
pub mod middleware;
mod parts;
pub mod problem;
pub mod record_copy;
pub mod reference;
pub mod rest;
mod run;
mod scopes;
pub mod start;
pub mod worker;

pub use admin::Admin;
pub use listener::{Bound, bind, bind_admin};
pub use middleware::{AllowTable, BodyLimits, Contract, Guarded, InFlight, Origins, guard};
pub use problem::Renderers;
pub use run::run;
