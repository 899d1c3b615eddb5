//! Records: field tables, and the one way to read and write them.
pub mod clock;
mod create;
mod cursor;
pub mod draft;
pub mod field;
pub mod form;
pub mod list;
mod machine;
pub mod ordered;
pub mod projection;
pub mod record;
mod references;
mod shape;
pub mod store;
pub mod value;

pub use clock::Clock;
pub use cursor::Cursor;
pub use draft::Draft;
pub use field::{
    Access, Field, Filter, Form, Home, How, Lists, Machine, Move, Refers, Sealing, Sensitivity, Sort, Stamps, Table, Ty, Verb,
};
pub use list::List;
pub use ordered::Order;
pub use projection::{Name, Projection};
pub use record::{Record, Width};
pub use value::Value;
