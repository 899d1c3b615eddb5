//! A field table: everything that is true of a record's columns, said once.
//!
//! From it come the SQL column list, JSON reading and checking with every fault named, filters, keyset pages, the
//! OpenAPI schemas and the FHIR mapping's ground. Behaviour never lives here; it is a plain function of its domain.

pub use super::machine::{Machine, Move};
pub use super::shape::{Filter, Home, How, Sort, Stamps, Table, Verb};
use super::{Record, Value};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use futures_util::future::BoxFuture;
use tokio_postgres::types::Type;

/// What a value is, in JSON and in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Uuid,
    Text,
    Enum(&'static [&'static str]),
    Bool,
    Int,
    BigInt,
    Double,
    Date,
    Time,
    Instant,
    Json,
    TextArray,
    UuidArray,
    IntArray,
    Bytes,
    Inet,
}

impl Ty {
    pub fn pg(self) -> Type {
        match self {
            Ty::Uuid => Type::UUID,
            Ty::Text | Ty::Enum(_) => Type::TEXT,
            Ty::Bool => Type::BOOL,
            Ty::Int => Type::INT4,
            Ty::BigInt => Type::INT8,
            Ty::Double => Type::FLOAT8,
            Ty::Date => Type::DATE,
            Ty::Time => Type::TIME,
            Ty::Instant => Type::TIMESTAMPTZ,
            Ty::Json => Type::JSONB,
            Ty::TextArray => Type::TEXT_ARRAY,
            Ty::UuidArray => Type::UUID_ARRAY,
            Ty::IntArray => Type::INT4_ARRAY,
            Ty::Bytes => Type::BYTEA,
            Ty::Inet => Type::INET,
        }
    }
}

/// Who may set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// On create and by PATCH.
    Write,
    /// On create only.
    Fixed,
    /// By operations and the server only.
    Read,
    /// Set, never shown.
    WriteOnly,
    /// Neither set nor shown; operations use it.
    Hidden,
}

/// The form of a text beyond its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Any,
    /// E.164.
    Phone,
    Email,
    /// ISO 3166-1 alpha-2.
    Country,
    /// ISO 3166-1, with an optional ISO 3166-2 part.
    Jurisdiction,
    /// ISO 4217.
    Currency,
    /// BCP 47.
    Language,
    /// IANA time zone.
    TimeZone,
    Npi,
    Colour,
    Slug,
    /// CIDR.
    Network,
    /// Where a browser may be sent (RFC 9700 §2.1).
    Address,
    /// DICOM PS3.5 §9.1.
    DicomUid,
}

/// How a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    Plain,
    /// AES-256-GCM-SIV under the tenant's column key, in `<name>_enc`.
    Sealed,
    /// Sealed, with a keyed hash in `<name>_bidx` to find it by.
    Blind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitivity {
    Business,
    Pii,
    Phi,
    Secret,
}

/// What a UUID points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refers {
    Nothing,
    /// A row of the same tenant: the composite foreign key decides.
    Tenant(&'static str),
    /// A row of the installation (users, tenants): the caller's own policies decide.
    Installation(&'static str),
    /// A row of the tenant or a shared one; the second word is the column that keeps whose it is.
    Shared(&'static str, &'static str),
}

/// What a JSON list in an answer is made of.
#[derive(Debug, Clone, Copy)]
pub enum Lists {
    Nothing,
    /// Records as their own resource shows them; a token needs its scope too.
    Records(&'static Table),
    Objects(&'static [Field]),
}

/// Writes what a field says into rows of their own, after its record is written.
pub type Unfold = for<'a> fn(&'a mut Scope, &'a Record, &'a Value, &'a Keyring) -> BoxFuture<'a, Result<()>>;

#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub ty: Ty,
    /// NOT NULL without a default: a create must give it.
    pub required: bool,
    /// NOT NULL with a default: a create may leave it out, nobody may null it.
    pub defaulted: bool,
    pub access: Access,
    pub form: Form,
    pub length_max: u32,
    pub range: (i64, i64),
    /// A column `<name>_key` holds the folded text for search and sorting.
    pub folded: bool,
    pub sealing: Sealing,
    pub refers: Refers,
    pub sensitivity: Sensitivity,
    /// The patient, share and auth planes have no grant on the column.
    pub staff_only: bool,
    /// Nothing is stored: SQL over the row `r`, asked under the caller's own policies.
    pub computed: Option<&'static str>,
    /// A look elsewhere under policies of its own: readers that have no use for it leave it out.
    pub costly: bool,
    /// What an enum's words mean, in their order.
    pub means: &'static [&'static str],
    /// Other spellings of an enum's words.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Not stored either, and taken all the same.
    pub unfolds: Option<Unfold>,
    /// In an answer: a JSON list of these.
    pub lists: Lists,
    pub doc: &'static str,
    /// JSON that stands in the document's examples, where a plain value of the type would not do (whatever is said for an id,
    /// it is some id); such a field is always part of them.
    pub example: &'static str,
}

impl Field {
    const fn new(name: &'static str, ty: Ty) -> Field {
        Field {
            name,
            ty,
            required: false,
            defaulted: false,
            access: Access::Write,
            form: Form::Any,
            length_max: 300,
            range: (i64::MIN, i64::MAX),
            folded: false,
            sealing: Sealing::Plain,
            refers: Refers::Nothing,
            sensitivity: Sensitivity::Business,
            staff_only: false,
            computed: None,
            costly: false,
            means: &[],
            aliases: &[],
            unfolds: None,
            lists: Lists::Nothing,
            doc: "",
            example: "",
        }
    }
    pub const fn uuid(name: &'static str) -> Field {
        Field::new(name, Ty::Uuid)
    }
    pub const fn text(name: &'static str) -> Field {
        Field::new(name, Ty::Text)
    }
    pub const fn choice(name: &'static str, words: &'static [&'static str]) -> Field {
        Field::new(name, Ty::Enum(words))
    }
    pub const fn flag(name: &'static str) -> Field {
        Field::new(name, Ty::Bool)
    }
    pub const fn int(name: &'static str) -> Field {
        Field::new(name, Ty::Int)
    }
    pub const fn big(name: &'static str) -> Field {
        Field::new(name, Ty::BigInt)
    }
    pub const fn double(name: &'static str) -> Field {
        Field::new(name, Ty::Double)
    }
    pub const fn date(name: &'static str) -> Field {
        Field::new(name, Ty::Date)
    }
    pub const fn time(name: &'static str) -> Field {
        Field::new(name, Ty::Time)
    }
    pub const fn instant(name: &'static str) -> Field {
        Field::new(name, Ty::Instant)
    }
    pub const fn json(name: &'static str) -> Field {
        Field::new(name, Ty::Json)
    }
    /// A list of records in an answer.
    pub const fn records(name: &'static str, table: &'static Table) -> Field {
        Field { lists: Lists::Records(table), ..Field::new(name, Ty::Json) }
    }
    /// A list of objects in an answer.
    pub const fn objects(name: &'static str, fields: &'static [Field]) -> Field {
        Field { lists: Lists::Objects(fields), ..Field::new(name, Ty::Json) }
    }
    pub const fn texts(name: &'static str) -> Field {
        Field::new(name, Ty::TextArray)
    }
    pub const fn uuids(name: &'static str) -> Field {
        Field::new(name, Ty::UuidArray)
    }
    pub const fn ints(name: &'static str) -> Field {
        Field::new(name, Ty::IntArray)
    }
    pub const fn bytes(name: &'static str) -> Field {
        Field::new(name, Ty::Bytes)
    }
    pub const fn inet(name: &'static str) -> Field {
        Field::new(name, Ty::Inet)
    }

    pub const fn required(mut self) -> Field {
        self.required = true;
        self
    }
    pub const fn defaulted(mut self) -> Field {
        self.defaulted = true;
        self
    }
    pub const fn fixed(mut self) -> Field {
        self.access = Access::Fixed;
        self
    }
    pub const fn read_only(mut self) -> Field {
        self.access = Access::Read;
        self
    }
    pub const fn write_only(mut self) -> Field {
        self.access = Access::WriteOnly;
        self
    }
    pub const fn hidden(mut self) -> Field {
        self.access = Access::Hidden;
        self.sensitivity = Sensitivity::Secret;
        self
    }
    pub const fn form(mut self, form: Form) -> Field {
        self.form = form;
        self
    }
    pub const fn length(mut self, max: u32) -> Field {
        self.length_max = max;
        self
    }
    pub const fn at_least(mut self, min: i64) -> Field {
        self.range.0 = min;
        self
    }
    pub const fn at_most(mut self, max: i64) -> Field {
        self.range.1 = max;
        self
    }
    pub const fn folded(mut self) -> Field {
        self.folded = true;
        self
    }
    pub const fn sealed(mut self) -> Field {
        self.sealing = Sealing::Sealed;
        self
    }
    pub const fn blind(mut self) -> Field {
        self.sealing = Sealing::Blind;
        self
    }
    pub const fn refers(mut self, to: Refers) -> Field {
        self.refers = to;
        self
    }
    pub const fn pii(mut self) -> Field {
        self.sensitivity = Sensitivity::Pii;
        self
    }
    pub const fn phi(mut self) -> Field {
        self.sensitivity = Sensitivity::Phi;
        self
    }
    /// A secret that stands in the answer of one operation and is kept nowhere in clear.
    pub const fn shown_once(mut self) -> Field {
        self.sensitivity = Sensitivity::Secret;
        self
    }
    pub const fn staff_only(mut self) -> Field {
        self.staff_only = true;
        self
    }
    pub const fn computed(mut self, sql: &'static str) -> Field {
        self.computed = Some(sql);
        self.read_only()
    }
    pub const fn costly(mut self) -> Field {
        self.costly = true;
        self
    }
    /// The meaning of each word, in their order.
    pub const fn means(self, means: &'static [&'static str]) -> Field {
        if let Ty::Enum(words) = self.ty {
            assert!(words.len() == means.len(), "each word has one meaning");
        }
        Field { means, ..self }
    }
    pub const fn aliases(self, aliases: &'static [(&'static str, &'static str)]) -> Field {
        Field { aliases, ..self }
    }
    /// Shown by the SQL, like [`Self::computed`]; what is given for it is written by the function.
    pub const fn projected(mut self, sql: &'static str, write: Unfold) -> Field {
        self.computed = Some(sql);
        self.unfolds = Some(write);
        self
    }
    pub const fn doc(mut self, doc: &'static str) -> Field {
        self.doc = doc;
        self
    }
    pub const fn example(mut self, json: &'static str) -> Field {
        self.example = json;
        self
    }

    /// An enum's words with their meanings.
    pub fn words(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let words = if let Ty::Enum(words) = self.ty { words } else { &[] };
        words.iter().copied().zip(self.means.iter().copied())
    }
    /// Shown in answers.
    pub fn shown(&self) -> bool {
        !matches!(self.access, Access::WriteOnly | Access::Hidden)
    }
    pub fn on_create(&self) -> bool {
        matches!(self.access, Access::Write | Access::Fixed | Access::WriteOnly)
    }
    pub fn on_patch(&self) -> bool {
        matches!(self.access, Access::Write | Access::WriteOnly)
    }
}
