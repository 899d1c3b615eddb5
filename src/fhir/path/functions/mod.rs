//! The functions by name. Each is one line of a table and one Rust function.

mod collection;
mod convert;
mod fhir;
mod math;
mod text;

use super::Trouble;
use super::eval::{Evaluator, Frame, Outcome, single};
use super::parser::Expr;
use super::value::{Item, Items};
use std::ops::RangeInclusive;

pub struct Function {
    pub name: &'static str,
    pub arity: RangeInclusive<usize>,
    pub run: Run,
}

type Run = for<'a, 'x, 'e> fn(&'x mut Evaluator<'a, 'e>, Call<'a, 'x>) -> Outcome<'a>;

/// What a function is called on and with.
pub struct Call<'a, 'x> {
    pub input: Items<'a>,
    pub args: &'a [Expr],
    pub scope: &'x Frame<'a>,
}

pub fn named(name: &str) -> Option<&'static Function> {
    [collection::ALL, convert::ALL, fhir::ALL, math::ALL, text::ALL].into_iter().flatten().find(|function| function.name == name)
}

const fn function(name: &'static str, least: usize, most: usize, run: Run) -> Function {
    Function { name, arity: least..=most, run }
}

impl<'a> Call<'a, '_> {
    fn arg(&self, index: usize) -> Result<&'a Expr, Trouble> {
        self.args.get(index).ok_or(Trouble::Syntax("An argument is missing."))
    }
    /// The collection an argument gives, seen from where the call stands.
    fn items(&self, evaluator: &mut Evaluator<'a, '_>, index: usize) -> Outcome<'a> {
        match self.args.get(index) {
            Some(arg) => evaluator.eval(arg, self.scope),
            None => Ok(Vec::new()),
        }
    }
    fn value(&self, evaluator: &mut Evaluator<'a, '_>, index: usize) -> Result<Option<Item<'a>>, Trouble> {
        let items = self.items(evaluator, index)?;
        Ok(single(&items)?.map(|item| item.plain().unwrap_or_else(|| item.clone())))
    }
    fn text(&self, evaluator: &mut Evaluator<'a, '_>, index: usize) -> Result<Option<String>, Trouble> {
        match self.value(evaluator, index)? {
            None => Ok(None),
            Some(Item::Text(text)) => Ok(Some(text.into_owned())),
            Some(_) => Err(Trouble::Execution("The argument is a text.")),
        }
    }
    fn integer(&self, evaluator: &mut Evaluator<'a, '_>, index: usize) -> Result<Option<i64>, Trouble> {
        match self.value(evaluator, index)? {
            None => Ok(None),
            Some(Item::Integer(number)) => Ok(Some(number)),
            Some(_) => Err(Trouble::Execution("The argument is a whole number.")),
        }
    }
    /// What the argument gives with each item as `$this`.
    fn each(&self, evaluator: &mut Evaluator<'a, '_>, arg: &'a Expr, item: Item<'a>, index: usize) -> Outcome<'a> {
        let scope = Frame { this: Some(item), index: i64::try_from(index).unwrap_or(i64::MAX), total: self.scope.total.clone() };
        evaluator.eval(arg, &scope)
    }
    /// The single item the function is called on, as a System value.
    fn subject(&self) -> Result<Option<Item<'a>>, Trouble> {
        Ok(single(&self.input)?.map(|item| item.plain().unwrap_or_else(|| item.clone())))
    }
    fn subject_text(&self) -> Result<Option<String>, Trouble> {
        match self.subject()? {
            None => Ok(None),
            Some(Item::Text(text)) => Ok(Some(text.into_owned())),
            Some(_) => Err(Trouble::Execution("The function is for texts.")),
        }
    }
}
