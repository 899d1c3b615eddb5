//! The server.
pub mod domains;
pub mod problem;
pub mod rest;
