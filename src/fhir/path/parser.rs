//! An expression as a tree, by the grammar of FHIRPath 2.0.

use super::functions::{self, Function};
use super::lexer::{Token, tokens};
use super::quantity::{Quantity, calendar_word};
use super::value::Item;
use super::{DEPTH_MAX, LENGTH_MAX, Trouble};
use rust_decimal::Decimal;

pub enum Expr {
    Literal(Item<'static>),
    /// `{}`.
    Empty,
    Variable(String),
    This,
    Index,
    Total,
    /// A member of the focus, or of what stands before the point.
    Member(Option<Box<Expr>>, String),
    Call { on: Option<Box<Expr>>, function: &'static Function, args: Vec<Expr> },
    At(Box<Expr>, Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Is(Box<Expr>, TypeTest),
    As(Box<Expr>, TypeTest),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Plus,
    Minus,
    Concatenate,
    Times,
    Over,
    Div,
    Mod,
}

/// `FHIR.Patient`, `Quantity`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeTest {
    pub namespace: Option<String>,
    pub name: String,
}

/// Operators of one strength, weakest first. Type tests stand between union and addition.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("implies", Operator::Implies)],
    &[("or", Operator::Or), ("xor", Operator::Xor)],
    &[("and", Operator::And)],
    &[("in", Operator::In), ("contains", Operator::Contains)],
    &[("=", Operator::Equal), ("~", Operator::Equivalent), ("!=", Operator::NotEqual), ("!~", Operator::NotEquivalent)],
    &[("<", Operator::Less), ("<=", Operator::LessOrEqual), (">", Operator::Greater), (">=", Operator::GreaterOrEqual)],
    &[("|", Operator::Union)],
    &[],
    &[("+", Operator::Plus), ("-", Operator::Minus), ("&", Operator::Concatenate)],
    &[("*", Operator::Times), ("/", Operator::Over), ("div", Operator::Div), ("mod", Operator::Mod)],
];
const TYPE_LEVEL: usize = 7;
/// Names that cannot be members without back quotes after an operand.
const OPERATOR_WORDS: &[&str] = &["implies", "or", "xor", "and", "in", "contains", "is", "as", "div", "mod"];

pub fn parse(text: &str) -> Result<Expr, Trouble> {
    if text.len() > LENGTH_MAX {
        return Err(Trouble::Limit);
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let made = parser.level(0)?;
    if *parser.peek() != Token::End {
        return Err(Trouble::Syntax("There is more after the end of the expression."));
    }
    Ok(made)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }
    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }
    fn eat(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(known) if *known == sign);
        self.at += usize::from(found);
        found
    }
    fn expect(&mut self, sign: &'static str) -> Result<(), Trouble> {
        if self.eat(sign) { Ok(()) } else { Err(Trouble::Syntax("A sign is missing.")) }
    }

    fn operator(&mut self, level: usize) -> Option<Operator> {
        let known = LEVELS.get(level)?;
        let found = match self.peek() {
            Token::Sign(sign) => known.iter().find(|(text, _)| text == sign),
            Token::Name(name) => known.iter().find(|(text, _)| text == name),
            _ => None,
        };
        let operator = found.map(|(_, operator)| *operator);
        self.at += usize::from(operator.is_some());
        operator
    }

    /// Each operand binds stronger than its operator; equal operators go from the left. What grows is counted, for the
    /// tree is walked (and dropped) recursively.
    fn level(&mut self, level: usize) -> Result<Expr, Trouble> {
        if level >= LEVELS.len() {
            return self.unary();
        }
        let before = self.depth;
        let mut left = self.level(level + 1)?;
        loop {
            if level == TYPE_LEVEL {
                let word = match self.peek() {
                    Token::Name(name) if name == "is" || name == "as" => name.clone(),
                    _ => break,
                };
                self.at += 1;
                self.deeper()?;
                let test = self.type_test()?;
                left = if word == "is" { Expr::Is(Box::new(left), test) } else { Expr::As(Box::new(left), test) };
            } else {
                let Some(operator) = self.operator(level) else { break };
                self.deeper()?;
                let right = self.level(level + 1)?;
                left = Expr::Binary(operator, Box::new(left), Box::new(right));
            }
        }
        self.depth = before;
        Ok(left)
    }

    fn deeper(&mut self) -> Result<(), Trouble> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(Trouble::Limit) } else { Ok(()) }
    }

    fn unary(&mut self) -> Result<Expr, Trouble> {
        let before = self.depth;
        self.deeper()?;
        let made = if self.eat("-") {
            Expr::Negative(Box::new(self.unary()?))
        } else if self.eat("+") {
            Expr::Positive(Box::new(self.unary()?))
        } else {
            self.chain()?
        };
        self.depth = before;
        Ok(made)
    }

    /// A term with what follows it: `.member`, `.function()`, `[0]`.
    fn chain(&mut self) -> Result<Expr, Trouble> {
        let mut made = self.term()?;
        loop {
            if self.eat(".") {
                self.deeper()?;
                made = self.invocation(Some(Box::new(made)))?;
            } else if self.eat("[") {
                self.deeper()?;
                let index = self.level(0)?;
                self.expect("]")?;
                made = Expr::At(Box::new(made), Box::new(index));
            } else {
                return Ok(made);
            }
        }
    }

    fn term(&mut self) -> Result<Expr, Trouble> {
        match self.peek().clone() {
            Token::Sign("(") => {
                self.at += 1;
                let inner = self.level(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("{") => {
                self.at += 1;
                self.expect("}")?;
                Ok(Expr::Empty)
            }
            Token::Name(_) | Token::Quoted(_) | Token::Special(_) => self.name_term(),
            Token::Text(text) => self.literal(Item::text(text)),
            Token::Moment(moment) => self.literal(Item::Moment(moment)),
            Token::Integer(number) => self.number(Item::Integer(number), Decimal::from(number)),
            Token::Decimal(number) => self.number(Item::Decimal(number), number),
            Token::Variable(name) => {
                self.at += 1;
                Ok(Expr::Variable(name))
            }
            _ => Err(Trouble::Syntax("Something is missing where a value should stand.")),
        }
    }

    fn literal(&mut self, item: Item<'static>) -> Result<Expr, Trouble> {
        self.at += 1;
        Ok(Expr::Literal(item))
    }

    /// A number, or with a unit after it a quantity.
    fn number(&mut self, plain: Item<'static>, value: Decimal) -> Result<Expr, Trouble> {
        self.at += 1;
        let quantity = match self.peek() {
            Token::Text(unit) => Some(Quantity::ucum(value, unit.clone())),
            Token::Name(word) => calendar_word(word).map(|word| Quantity::calendar(value, word)),
            _ => None,
        };
        self.at += usize::from(quantity.is_some());
        Ok(Expr::Literal(quantity.map_or(plain, Item::Quantity)))
    }

    fn name_term(&mut self) -> Result<Expr, Trouble> {
        let is_call = self.tokens.get(self.at + 1) == Some(&Token::Sign("("));
        let word = match self.peek() {
            Token::Name(name) if !is_call => name.clone(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" => self.literal(Item::Boolean(true)),
            "false" => self.literal(Item::Boolean(false)),
            _ => self.invocation(None),
        }
    }

    fn invocation(&mut self, on: Option<Box<Expr>>) -> Result<Expr, Trouble> {
        match self.next() {
            Token::Special(_) if on.is_some() => Err(Trouble::Syntax("$this, $index and $total stand first.")),
            Token::Special("this") => Ok(Expr::This),
            Token::Special("index") => Ok(Expr::Index),
            Token::Special(_) => Ok(Expr::Total),
            Token::Name(name) | Token::Quoted(name) if self.eat("(") => self.call(on, &name),
            Token::Quoted(name) => Ok(Expr::Member(on, name)),
            Token::Name(name) if on.is_none() && matches!(name.as_str(), "div" | "mod" | "implies" | "and" | "or" | "xor" | "in") => {
                Err(Trouble::Syntax("An operator stands where a value should."))
            }
            Token::Name(name) => Ok(Expr::Member(on, name)),
            _ => Err(Trouble::Syntax("A name is missing.")),
        }
    }

    fn call(&mut self, on: Option<Box<Expr>>, name: &str) -> Result<Expr, Trouble> {
        let function = functions::named(name).ok_or(Trouble::Syntax("There is no such function."))?;
        let mut args = Vec::new();
        if !self.eat(")") {
            loop {
                args.push(self.level(0)?);
                if self.eat(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        if !function.arity.contains(&args.len()) {
            return Err(Trouble::Syntax("A function has too few or too many arguments."));
        }
        Ok(Expr::Call { on, function, args })
    }

    fn type_test(&mut self) -> Result<TypeTest, Trouble> {
        let mut name = || match self.next() {
            Token::Name(name) if OPERATOR_WORDS.contains(&name.as_str()) => Err(Trouble::Syntax("The name of a type is missing.")),
            Token::Name(name) | Token::Quoted(name) => Ok(name),
            _ => Err(Trouble::Syntax("The name of a type is missing.")),
        };
        let first = name()?;
        // `value is Quantity.unit` is none of the grammar: a point here belongs to the type's name.
        if self.eat(".") {
            let (Token::Name(second) | Token::Quoted(second)) = self.next() else { return Err(Trouble::Syntax("The name of a type is missing.")) };
            return Ok(TypeTest { namespace: Some(first), name: second });
        }
        Ok(TypeTest { namespace: None, name: first })
    }
}

impl Expr {
    /// The type an argument names: `ofType(FHIR.Patient)`.
    pub fn as_type(&self) -> Option<TypeTest> {
        match self {
            Expr::Member(None, name) => Some(TypeTest { namespace: None, name: name.clone() }),
            Expr::Member(Some(namespace), name) => match &**namespace {
                Expr::Member(None, namespace) => Some(TypeTest { namespace: Some(namespace.clone()), name: name.clone() }),
                _ => None,
            },
            _ => None,
        }
    }
}
