//! The server.
pub mod domains;
pub mod problem;
pub mod rest;
//! The server: listeners, what every request passes through, and the one form of errors. It assembles contracts into
//! one poem app and knows none of them.
pub mod admin;
pub mod listener;
pub mod middleware;
pub mod problem;

pub use admin::Admin;
pub use listener::{Bound, bind, bind_admin};
pub use middleware::{AllowTable, BodyLimits, Contract, InFlight, guard};
pub use problem::Renderers;
