//! Isolation, proven: everything here is driven by the catalogue of PostgreSQL or by the OpenAPI document, so a table or
//! route added later is inside by construction.
pub mod arena;
mod attacks;
mod copies;
mod functions;
mod http;
mod invent;
mod lint;
mod matrix;
mod model;
mod mutants;
mod naive;
mod plans;
mod pool;
mod probe;
mod properties;
mod roles;
mod scopes;
mod script;
mod searches;
mod seed;
mod shape;
mod startup;
mod volume;
