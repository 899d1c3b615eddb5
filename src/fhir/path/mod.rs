//! FHIRPath 2.0 (N1) with FHIR R4's additions: [`Expression::parse`] once, [`Expression::evaluate`] over a [`Node`] as often
//! as wished. Typed by the definitions, three-valued, exact in decimals. Bounded in depth, steps and the size of what it
//! collects, so a stranger's expression may be run.

mod boundary;
mod compare;
mod eval;
mod functions;
mod lexer;
mod moment;
mod parser;
mod quantity;
pub mod ucum;
mod value;

pub use moment::{Form, Moment};
pub use quantity::Quantity;
pub use value::{Item, Items, Node, Shape, TypeName, decimal};

use chrono::{DateTime, FixedOffset};
use eval::{Evaluator, Frame};
use std::fmt;

/// How deep an expression may nest, and how many members a path may have.
const DEPTH_MAX: usize = 64;
const LENGTH_MAX: usize = 16 * 1024;
/// What one evaluation may cost, in steps of about a microsecond: a stranger's expression, and one of the specification.
pub const STEPS_OF_STRANGERS: usize = 50_000;
pub const STEPS_OF_RULES: usize = 2_000_000;
/// Items of one collection; the largest resources taken hold fewer elements.
const ITEMS_MAX: usize = 200_000;
/// Characters of one text made by an expression.
const TEXT_MAX: usize = 2 * 1024 * 1024;

/// Why an expression has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is no FHIRPath.
    Syntax(&'static str),
    /// It cannot be judged on this input: a wrong type, several items where one is asked for, an unknown name.
    Execution(&'static str),
    /// It is larger, or asks for more, than is done.
    Limit,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Syntax(text) | Trouble::Execution(text) => f.write_str(text),
            Trouble::Limit => f.write_str("The expression asks for more than is done at once."),
        }
    }
}

/// What lies outside of the resource: profiles and value sets.
pub trait World {
    /// None: the profile is not known here.
    fn conforms(&self, _node: Node<'_>, _profile: &str) -> Option<bool> {
        None
    }
    /// None: the value set is not known here, or not wholly.
    fn is_member(&self, _set: &str, _system: Option<&str>, _code: &str) -> Option<bool> {
        None
    }
    fn subsumes(&self, _system: &str, _above: &str, _below: &str) -> Option<bool> {
        None
    }
}

/// Nothing but the resource itself.
pub struct Alone;
impl World for Alone {}

/// What an evaluation knows beside its input.
pub struct Context<'a, 'c> {
    /// `%resource`: the resource the input stands in.
    pub resource: Node<'a>,
    /// `%rootResource`: the one around a contained resource.
    pub root: Node<'a>,
    /// The outermost of all; references are resolved within it when it is a Bundle.
    pub document: Node<'a>,
    pub now: DateTime<FixedOffset>,
    pub world: &'c dyn World,
    /// A member that the type does not have is an error, as in a reviewed expression, and not just nothing.
    pub is_strict: bool,
    /// Steps after which it is given up.
    pub steps_max: usize,
    /// Further `%name`s.
    pub variables: &'c [(&'c str, Items<'a>)],
}

impl<'a> Context<'a, '_> {
    /// For a stranger's expression over one resource, with nothing known beside it.
    pub fn of_stranger(resource: Node<'a>, now: DateTime<FixedOffset>) -> Self {
        Self {
            resource,
            root: resource,
            document: resource,
            now,
            world: &Alone,
            is_strict: false,
            steps_max: STEPS_OF_STRANGERS,
            variables: &[],
        }
    }
}

/// An expression that was read.
pub struct Expression(parser::Expr);

impl Expression {
    pub fn parse(text: &str) -> Result<Self, Trouble> {
        parser::parse(text).map(Self)
    }
    pub fn evaluate<'a>(&'a self, input: Item<'a>, context: &Context<'a, '_>) -> Result<Items<'a>, Trouble> {
        let mut evaluator = Evaluator::new(context);
        evaluator.eval(&self.0, &Frame::of(Some(input)))
    }
    /// As an invariant: whether it holds. Nothing at all is no breach: R4's own rules ask after elements that may be absent
    /// (`fullUrl.contains('/_history/').not()`).
    pub fn holds<'a>(&'a self, input: Item<'a>, context: &Context<'a, '_>) -> Result<bool, Trouble> {
        let items = self.evaluate(input, context)?;
        eval::truth(&items).map(|truth| truth != Some(false))
    }
}

#[cfg(test)]
mod tests;
