//! Walks an expression over collections.

use super::compare;
use super::functions::Call;
use super::parser::{Expr, Operator, TypeTest};
use super::quantity::Quantity;
use super::value::{Item, Items};
use super::{Context, ITEMS_MAX, TEXT_MAX, Trouble};
use crate::fhir::definitions::Definitions;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::cmp::Ordering;

pub struct Evaluator<'a, 'e> {
    pub context: &'e Context<'a, 'e>,
    steps: usize,
}

/// What `$this`, `$index` and `$total` stand for, and what `defineVariable` named on the way.
#[derive(Clone)]
pub struct Frame<'a> {
    pub this: Option<Item<'a>>,
    pub index: i64,
    pub total: Items<'a>,
}

impl<'a> Frame<'a> {
    pub fn of(this: Option<Item<'a>>) -> Self {
        Self { this, index: 0, total: Vec::new() }
    }
}

pub type Outcome<'a> = Result<Items<'a>, Trouble>;

pub fn one(item: Item<'_>) -> Outcome<'_> {
    Ok(vec![item])
}
pub fn boolean<'a>(value: bool) -> Outcome<'a> {
    one(Item::Boolean(value))
}
/// A text that was made, unless it grew too long.
pub fn bounded<'a>(text: String) -> Outcome<'a> {
    if text.len() > TEXT_MAX { Err(Trouble::Limit) } else { one(Item::text(text)) }
}
pub fn maybe(item: Option<Item<'_>>) -> Outcome<'_> {
    Ok(item.into_iter().collect())
}

const SEVERAL: Trouble = Trouble::Execution("There are several items where one is asked for.");

/// The one item, or none.
pub fn single<'i, 'a>(items: &'i [Item<'a>]) -> Result<Option<&'i Item<'a>>, Trouble> {
    match items {
        [] => Ok(None),
        [item] => Ok(Some(item)),
        _ => Err(SEVERAL),
    }
}

/// As a condition: a single item that is no boolean stands for true.
pub fn truth(items: &[Item<'_>]) -> Result<Option<bool>, Trouble> {
    Ok(single(items)?.map(|item| match item {
        Item::Boolean(value) => *value,
        item => !matches!(item.plain(), Some(Item::Boolean(false))),
    }))
}

impl<'a, 'e> Evaluator<'a, 'e> {
    pub fn new(context: &'e Context<'a, 'e>) -> Self {
        Self { context, steps: 0 }
    }

    /// Counts work, so that an evaluation ends.
    pub fn step(&mut self, count: usize) -> Result<(), Trouble> {
        self.steps += count + 1;
        if self.steps > self.context.steps_max || count > ITEMS_MAX { Err(Trouble::Limit) } else { Ok(()) }
    }

    pub fn eval(&mut self, expr: &'a Expr, scope: &Frame<'a>) -> Outcome<'a> {
        let made = self.eval_any(expr, scope)?;
        // Long texts cost what they are long.
        let text = if let [Item::Text(text)] = made.as_slice() { text.len() / 256 } else { 0 };
        self.step(made.len() + text)?;
        Ok(made)
    }

    fn eval_any(&mut self, expr: &'a Expr, scope: &Frame<'a>) -> Outcome<'a> {
        match expr {
            Expr::Literal(item) => one(item.clone()),
            Expr::Empty => Ok(Vec::new()),
            Expr::This => maybe(scope.this.clone()),
            Expr::Index => one(Item::Integer(scope.index)),
            Expr::Total => Ok(scope.total.clone()),
            Expr::Variable(name) => self.variable(name),
            Expr::Member(None, name) => self.first_member(name, scope),
            Expr::Member(Some(on), name) => {
                self.reviewed(on, name)?;
                let input = self.eval(on, scope)?;
                self.members(&input, name)
            }
            Expr::Call { on, function, args } => {
                let asks_for_order = matches!(function.name, "first" | "last" | "tail" | "skip" | "take");
                if self.context.is_strict && asks_for_order && on.as_ref().is_some_and(|on| on.is_unordered()) {
                    return Err(Trouble::Execution("Children come in no order."));
                }
                let input = match on {
                    Some(on) => self.eval(on, scope)?,
                    None => scope.this.clone().into_iter().collect(),
                };
                (function.run)(self, Call { input, args, scope })
            }
            Expr::At(on, index) => {
                let input = self.eval(on, scope)?;
                let index = self.eval(index, scope)?;
                match single(&index)?.and_then(Item::plain) {
                    Some(Item::Integer(at)) => maybe(usize::try_from(at).ok().and_then(|at| input.get(at).cloned())),
                    None => Ok(Vec::new()),
                    _ => Err(Trouble::Execution("An index is a whole number.")),
                }
            }
            Expr::Negative(inner) => self.negative(inner, scope),
            Expr::Positive(inner) => self.eval(inner, scope),
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right, scope),
            Expr::Is(inner, test) => {
                let items = self.eval(inner, scope)?;
                is_type(&items, test)
            }
            Expr::As(inner, test) => {
                // R4's search parameters cast whole lists: `(Group.characteristic.value as CodeableConcept)`.
                let items = self.eval(inner, scope)?;
                filtered(items, test)
            }
        }
    }

    fn variable(&mut self, name: &str) -> Outcome<'a> {
        if let Some((_, items)) = self.context.variables.iter().find(|(known, _)| *known == name) {
            return Ok(items.clone());
        }
        let text = |text: &'static str| one(Item::text(text));
        match name {
            "context" | "resource" => one(Item::Node(self.context.resource)),
            "rootResource" => one(Item::Node(self.context.root)),
            "sct" => text("http://snomed.info/sct"),
            "loinc" => text("http://loinc.org"),
            "ucum" => text("http://unitsofmeasure.org"),
            _ => match (name.strip_prefix("vs-"), name.strip_prefix("ext-")) {
                (Some(set), _) => one(Item::text(format!("http://hl7.org/fhir/ValueSet/{set}"))),
                (_, Some(extension)) => one(Item::text(format!("http://hl7.org/fhir/StructureDefinition/{extension}"))),
                _ => Err(Trouble::Execution("There is no variable of that name.")),
            },
        }
    }

    /// A name at the start of a path is a member, or the type of the focus itself.
    fn first_member(&mut self, name: &str, scope: &Frame<'a>) -> Outcome<'a> {
        let Some(this) = &scope.this else { return Ok(Vec::new()) };
        if let Item::Node(node) = this {
            let is_type_name = name.starts_with(|c: char| c.is_ascii_uppercase());
            if is_type_name && Definitions.is_a(node.shape.name, name) {
                return one(this.clone());
            }
        }
        self.members(std::slice::from_ref(this), name)
    }

    fn members(&mut self, input: &[Item<'a>], name: &str) -> Outcome<'a> {
        let mut made = Vec::new();
        for item in input {
            let is_known = match item {
                Item::Node(node) => node.child(name, &mut made).is_some(),
                Item::Quantity(quantity) => member_of_quantity(quantity, name, &mut made),
                Item::Type(known) => {
                    let text = match name {
                        "namespace" => Some(Item::text(known.namespace)),
                        "name" => Some(Item::Text(known.name.clone())),
                        _ => None,
                    };
                    text.map(|text| made.push(text)).is_some()
                }
                _ => false,
            };
            if !is_known && self.context.is_strict {
                return Err(Trouble::Execution("The type has no such element."));
            }
        }
        Ok(made)
    }

    /// In a reviewed expression, what was cast to a type has that type's elements.
    fn reviewed(&self, on: &Expr, name: &str) -> Result<(), Trouble> {
        let Expr::As(_, test) = on else { return Ok(()) };
        let lacks = Definitions.named(&test.name).is_some_and(|known| known.root.child(name).is_none());
        if self.context.is_strict && lacks { Err(Trouble::Execution("The type has no such element.")) } else { Ok(()) }
    }

    pub fn children(&mut self, input: &[Item<'a>]) -> Outcome<'a> {
        let mut made = Vec::new();
        for item in input {
            if let Item::Node(node) = item {
                node.children(&mut made);
            }
        }
        self.step(made.len())?;
        Ok(made)
    }

    fn negative(&mut self, inner: &'a Expr, scope: &Frame<'a>) -> Outcome<'a> {
        let items = self.eval(inner, scope)?;
        maybe(match single(&items)?.and_then(|item| item.plain().or(Some(item.clone()))) {
            None => None,
            Some(Item::Integer(value)) => value.checked_neg().map(Item::Integer),
            Some(Item::Decimal(value)) => Some(Item::Decimal(-value)),
            Some(Item::Quantity(quantity)) => Some(Item::Quantity(Quantity { value: -quantity.value, ..quantity })),
            Some(_) => return Err(Trouble::Execution("Only numbers and quantities have a sign.")),
        })
    }

    fn binary(&mut self, operator: Operator, left: &'a Expr, right: &'a Expr, scope: &Frame<'a>) -> Outcome<'a> {
        let left = self.eval(left, scope)?;
        use Operator as O;
        if let O::And | O::Or | O::Xor | O::Implies = operator {
            return self.logic(operator, truth(&left)?, right, scope);
        }
        let right = self.eval(right, scope)?;
        match operator {
            O::Union => compare::union(self, left, right),
            O::Equal => maybe(compare::equal(self, &left, &right)?.map(Item::Boolean)),
            O::NotEqual => maybe(compare::equal(self, &left, &right)?.map(|equal| Item::Boolean(!equal))),
            O::Equivalent => boolean(compare::equivalent(self, &left, &right)?),
            O::NotEquivalent => boolean(!compare::equivalent(self, &left, &right)?),
            O::In => self.membership(&left, &right),
            O::Contains => self.membership(&right, &left),
            O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual => {
                let (Some(left), Some(right)) = (single(&left)?, single(&right)?) else { return Ok(Vec::new()) };
                let fits = |order: Ordering| match operator {
                    O::Less => order.is_lt(),
                    O::LessOrEqual => order.is_le(),
                    O::Greater => order.is_gt(),
                    _ => order.is_ge(),
                };
                maybe(compare::order(left, right)?.map(|order| Item::Boolean(fits(order))))
            }
            O::Concatenate => {
                let text = |items: &[Item<'a>]| -> Result<String, Trouble> {
                    let Some(item) = single(items)? else { return Ok(String::new()) };
                    item.written().ok_or(Trouble::Execution("Only texts are put together."))
                };
                bounded(text(&left)? + &text(&right)?)
            }
            _ => {
                let (Some(left), Some(right)) = (single(&left)?, single(&right)?) else { return Ok(Vec::new()) };
                maybe(arithmetic(operator, left, right)?)
            }
        }
    }

    /// The right side is asked only where the left leaves it open.
    fn logic(&mut self, operator: Operator, left: Option<bool>, right: &'a Expr, scope: &Frame<'a>) -> Outcome<'a> {
        match (operator, left) {
            (Operator::And, Some(false)) => return boolean(false),
            (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => return boolean(true),
            _ => {}
        }
        let right = truth(&self.eval(right, scope)?)?;
        let made = match (operator, left, right) {
            (Operator::And, _, Some(false)) => Some(false),
            (Operator::And, Some(true), Some(true)) => Some(true),
            (Operator::Or | Operator::Implies, _, Some(true)) => Some(true),
            (Operator::Or, Some(false), Some(false)) | (Operator::Implies, Some(true), Some(false)) => Some(false),
            (Operator::Xor, Some(left), Some(right)) => Some(left != right),
            _ => None,
        };
        maybe(made.map(Item::Boolean))
    }

    fn membership(&mut self, item: &[Item<'a>], among: &[Item<'a>]) -> Outcome<'a> {
        let Some(item) = single(item)? else { return Ok(Vec::new()) };
        self.step(among.len())?;
        boolean(among.iter().any(|other| compare::is_equal(item, other) == Some(true)))
    }
}

fn member_of_quantity<'a>(quantity: &Quantity, name: &str, into: &mut Items<'a>) -> bool {
    match name {
        "value" => into.push(Item::Decimal(quantity.value)),
        "unit" | "code" => into.push(Item::text(quantity.unit.to_string())),
        _ => return false,
    }
    true
}

fn arithmetic<'a>(operator: Operator, left: &Item<'a>, right: &Item<'a>) -> Result<Option<Item<'a>>, Trouble> {
    use Item as I;
    let wrong = Trouble::Execution("The operator does not take these types.");
    let plain = |item: &Item<'a>| item.plain().or_else(|| item.quantity().map(I::Quantity)).ok_or(wrong);
    Ok(match (operator, plain(left)?, plain(right)?) {
        (Operator::Plus, I::Text(a), I::Text(b)) if a.len() + b.len() > TEXT_MAX => return Err(Trouble::Limit),
        (Operator::Plus, I::Text(a), I::Text(b)) => Some(I::text(a.into_owned() + &b)),
        (Operator::Plus | Operator::Minus, I::Moment(moment), I::Quantity(quantity)) => {
            let (amount, field) = quantity.span().ok_or(Trouble::Execution("A date is moved by calendar units."))?;
            let sign = if operator == Operator::Minus { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
            moment.plus(amount * sign, field).map(I::Moment)
        }
        (Operator::Over, a @ (I::Integer(_) | I::Decimal(_)), b @ (I::Integer(_) | I::Decimal(_))) => {
            let (a, b) = (number(&a).ok_or(wrong)?, number(&b).ok_or(wrong)?);
            a.checked_div(b).map(|value| I::Decimal(value.normalize()))
        }
        (operator, I::Integer(a), I::Integer(b)) => whole(operator, a, b).map(I::Integer),
        (operator, I::Quantity(a), I::Quantity(b)) => quantities(operator, &a, &b).ok_or(wrong)?.map(I::Quantity),
        (Operator::Times, I::Quantity(a), b) => a.times(&Quantity::pure(number(&b).ok_or(wrong)?)).map(I::Quantity),
        (Operator::Times, a, I::Quantity(b)) => Quantity::pure(number(&a).ok_or(wrong)?).times(&b).map(I::Quantity),
        (Operator::Over, I::Quantity(a), b) => a.over(&Quantity::pure(number(&b).ok_or(wrong)?)).map(I::Quantity),
        (operator, a, b) => decimals(operator, number(&a).ok_or(wrong)?, number(&b).ok_or(wrong)?).map(|value| match operator {
            Operator::Div => value.to_i64().map_or(I::Decimal(value), I::Integer),
            _ => I::Decimal(value),
        }),
    })
}

pub fn number(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Integer(value) => Some(Decimal::from(*value)),
        Item::Decimal(value) => Some(*value),
        _ => None,
    }
}

fn whole(operator: Operator, a: i64, b: i64) -> Option<i64> {
    match operator {
        Operator::Plus => a.checked_add(b),
        Operator::Minus => a.checked_sub(b),
        Operator::Times => a.checked_mul(b),
        Operator::Div => a.checked_div(b),
        Operator::Mod => a.checked_rem(b),
        _ => None,
    }
}

fn decimals(operator: Operator, a: Decimal, b: Decimal) -> Option<Decimal> {
    match operator {
        Operator::Plus => a.checked_add(b),
        Operator::Minus => a.checked_sub(b),
        Operator::Times => a.checked_mul(b),
        Operator::Div => a.checked_div(b).map(|value| value.trunc()),
        Operator::Mod => a.checked_rem(b),
        _ => None,
    }
}

/// The outer None: quantities do not take the operator.
fn quantities(operator: Operator, a: &Quantity, b: &Quantity) -> Option<Option<Quantity>> {
    Some(match operator {
        Operator::Plus => a.plus(b, Decimal::ONE),
        Operator::Minus => a.plus(b, Decimal::NEGATIVE_ONE),
        Operator::Times => a.times(b),
        Operator::Over => a.over(b),
        _ => return None,
    })
}

const SYSTEM_TYPES: &[&str] = &["Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any"];

/// Whether an item is of the type; an error for a type nobody knows.
pub fn is_of_type(item: &Item<'_>, test: &TypeTest) -> Result<bool, Trouble> {
    let system = SYSTEM_TYPES.contains(&test.name.as_str());
    let fhir = Definitions.named(&test.name).is_some() || test.name == "Any";
    let known = item.type_name();
    match test.namespace.as_deref() {
        Some("System") => Ok(known.namespace == "System" && known.name == test.name.as_str()),
        Some("FHIR") if fhir => Ok(known.namespace == "FHIR" && Definitions.is_a(&known.name, &test.name)),
        None if system || fhir => {
            let is_system = known.namespace == "System" && known.name == test.name.as_str();
            Ok(is_system || (known.namespace == "FHIR" && fhir && Definitions.is_a(&known.name, &test.name)))
        }
        _ => Err(Trouble::Execution("There is no type of that name.")),
    }
}

/// As [`is_of_type`], but for what `as` and `ofType` give: exactly that primitive, not one derived from it.
pub fn is_exactly(item: &Item<'_>, test: &TypeTest) -> Result<bool, Trouble> {
    let is_primitive = matches!(item, Item::Node(node) if node.shape.primitive.is_some());
    Ok(is_of_type(item, test)? && (!is_primitive || item.type_name().name == test.name.as_str()))
}

pub fn is_type<'a>(items: &[Item<'a>], test: &TypeTest) -> Outcome<'a> {
    let Some(item) = single(items)? else { return Ok(Vec::new()) };
    boolean(is_of_type(item, test)?)
}

/// The items of a type.
pub fn filtered<'a>(items: Items<'a>, test: &TypeTest) -> Outcome<'a> {
    let mut kept = Vec::new();
    for item in items {
        if is_exactly(&item, test)? {
            kept.push(item);
        }
    }
    Ok(kept)
}
