//! Isolation, proven: everything here is driven by the catalogue of PostgreSQL or by the OpenAPI document, so a table or
//! route added later is inside by construction.
mod arena;
mod lint;
mod matrix;
mod naive;
mod probe;
mod seed;
