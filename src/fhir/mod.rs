//! The FHIR R4 engine. It knows the specification and no table: a domain registers its types here
//! ([`registry`]), maps its records by hand ([`resource`]), and what no column holds is kept ([`keep`]).
//!
//! Bytes pass once, downwards: [`negotiate`] → [`crate::kernel::json`] → [`check`] → the domain → [`keep`] → [`bundle`].
pub mod bind;
pub mod bundle;
pub mod capability;
pub mod check;
pub mod contact;
pub mod datatype;
pub mod definitions;
pub mod find;
pub mod index;
pub mod keep;
pub mod link;
pub mod mapping;
pub mod negotiate;
pub mod operation;
pub mod outcome;
pub mod patch;
pub mod path;
pub mod primitive;
pub mod reference;
pub mod registry;
pub mod resource;
pub mod search;
pub mod subset;
pub mod systems;
pub mod temporal;
pub mod terminology;
pub mod xhtml;
pub mod xml;

pub use check::accept;
pub use resource::{Node, Resource};

/// A resource or a Bundle of them; real ones stay under a depth of 20.
pub const DOCUMENT: crate::kernel::json::Limits =
    crate::kernel::json::Limits { depth_max: 64, bytes_per_value: 8, named_by: Some("resourceType") };
