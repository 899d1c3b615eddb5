//! A search as it was asked, read against what a type declares (R4 §3.1.1). The result names columns to nobody: a
//! domain turns each [`Condition`] into SQL of its own.

pub mod amount;
mod filter;
pub mod form;
mod links;
pub mod near;
pub mod param;
mod query;
pub mod text;
pub mod value;

pub use filter::Filter;
pub use links::{Chain, Include};
pub use param::{Kind, Modifier, SearchParam};
pub use query::{Condition, Query, Rules, Sort, Summary, Total, parse};
pub use value::Value;
