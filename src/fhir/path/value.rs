//! What a FHIRPath collection holds: an element of a resource, or a value of the System types.

use super::moment::Moment;
use super::quantity::Quantity;
use crate::fhir::definitions::{Definitions, Element, Kind, Link, Of, Structure};
use crate::fhir::primitive::Primitive;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::str::FromStr;

#[derive(Clone, Debug)]
pub enum Item<'a> {
    Node(Node<'a>),
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(Cow<'a, str>),
    Moment(Moment),
    Quantity(Quantity),
    /// What `type()` gives.
    Type(TypeName),
}

pub type Items<'a> = Vec<Item<'a>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    pub namespace: &'static str,
    pub name: Cow<'static, str>,
}

/// An element of a resource: its value, what stands beside it (`_birthDate`), and its type.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub value: Option<&'a Value>,
    pub beside: Option<&'a Map<String, Value>>,
    pub shape: Shape,
}

#[derive(Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    pub primitive: Option<Primitive>,
    /// Where its children are told: a type's root, or a backbone element.
    pub content: Option<&'static Element>,
    /// The type that paths of content references start from.
    pub within: Option<&'static Structure>,
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.shape.name, self.value)
    }
}

impl Shape {
    pub fn of_resource(value: &Value) -> Option<Self> {
        let known = Definitions.named(value.get("resourceType")?.as_str()?)?;
        Some(Self { name: &known.type_name, primitive: None, content: Some(&known.root), within: Some(known) })
    }
    /// The shape of a child element in one of its types.
    pub fn of_child(self, element: &'static Element, of: &'static Of, value: Option<&Value>) -> Self {
        let unknown = Self { name: &of.name, primitive: None, content: None, within: None };
        if !element.children.is_empty() {
            return Self { content: Some(element), within: self.within, ..unknown };
        }
        if let Some(path) = &element.content {
            return Self { content: self.within.and_then(|within| within.at(path)), within: self.within, ..unknown };
        }
        match of.link() {
            Link::Primitive(primitive) => Self { primitive: Some(primitive), content: Definitions.named("Element").map(|known| &known.root), ..unknown },
            Link::Complex(known) => Self { content: Some(&known.root), within: Some(known), ..unknown },
            Link::Resource => value.and_then(Self::of_resource).unwrap_or(unknown),
            Link::Unknown => unknown,
        }
    }
    pub fn is_resource(self) -> bool {
        self.within.is_some_and(|within| within.kind == Kind::Resource && self.name == within.type_name)
    }
}

impl<'a> Node<'a> {
    /// A whole resource. None: it has no type that R4 knows.
    pub fn resource(value: &'a Value) -> Option<Self> {
        Some(Self { value: Some(value), beside: None, shape: Shape::of_resource(value)? })
    }

    pub fn object(&self) -> Option<&'a Map<String, Value>> {
        match (self.shape.primitive, self.value) {
            (None, Some(Value::Object(object))) => Some(object),
            // The children of a primitive are its id and its extensions.
            (Some(_), _) => self.beside,
            _ => None,
        }
    }

    /// The children of one name; None where the type has no such element.
    pub fn child(&self, name: &str, into: &mut Items<'a>) -> Option<()> {
        let content = self.shape.content?;
        let element = content.child(name)?;
        if let Some(object) = self.object() {
            self.push(element, object, into);
        }
        Some(())
    }

    /// All children, in the order of the specification.
    pub fn children(&self, into: &mut Items<'a>) {
        if let (Some(content), Some(object)) = (self.shape.content, self.object()) {
            content.children.iter().for_each(|element| self.push(element, object, into));
        }
    }

    fn push(&self, element: &'static Element, object: &'a Map<String, Value>, into: &mut Items<'a>) {
        if !element.is_choice {
            let Some(of) = element.types.first() else { return };
            return self.push_key(element, of, &element.name, object, into);
        }
        // Few keys stand in an object, many types in a choice.
        for key in object.keys() {
            let plain = key.strip_prefix('_').unwrap_or(key);
            if !plain.starts_with(element.name.as_str()) || (plain.len() != key.len() && object.contains_key(plain)) {
                continue;
            }
            if let Some((found, of)) = self.shape.content.and_then(|content| content.element(plain))
                && std::ptr::eq(found, element)
            {
                self.push_key(element, of, plain, object, into);
            }
        }
    }

    fn push_key(&self, element: &'static Element, of: &'static Of, key: &str, object: &'a Map<String, Value>, into: &mut Items<'a>) {
        let value = object.get(key);
        let beside = match of.link() {
            Link::Primitive(_) => beside(object, key),
            _ => None,
        };
        let mut add = |value: Option<&'a Value>, beside: Option<&'a Value>| {
            let value = value.filter(|value| !value.is_null());
            let beside = beside.and_then(Value::as_object);
            if value.is_some() || beside.is_some() {
                into.push(Item::Node(Node { value, beside, shape: self.shape.of_child(element, of, value) }));
            }
        };
        match (value, beside) {
            (Some(Value::Array(items)), beside) => {
                for (index, item) in items.iter().enumerate() {
                    add(Some(item), beside.and_then(|all| all.get(index)));
                }
            }
            (None, Some(Value::Array(besides))) => besides.iter().for_each(|it| add(None, Some(it))),
            (None, None) => {}
            (value, beside) => add(value, beside),
        }
    }

    /// The value of a primitive as a System type.
    pub fn plain(&self) -> Option<Item<'a>> {
        let value = self.value?;
        Some(match (self.shape.primitive?, value) {
            (Primitive::Boolean, Value::Bool(value)) => Item::Boolean(*value),
            (Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt, Value::Number(value)) => Item::Integer(value.as_i64()?),
            (Primitive::Decimal, Value::Number(value)) => Item::Decimal(decimal(value.as_str())?),
            (primitive, Value::String(text)) => match primitive {
                Primitive::Date => Item::Moment(Moment::date(text)?),
                Primitive::DateTime | Primitive::Instant => Item::Moment(Moment::date_or_time(text)?),
                Primitive::Time => Item::Moment(Moment::time(text)?),
                _ => Item::Text(Cow::Borrowed(text)),
            },
            _ => return None,
        })
    }

    /// A string member, as `reference`, `url` or `system`.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.object()?.get(key)?.as_str()
    }
}

/// `_birthDate` of `birthDate`, looked for only where some key begins so.
fn beside<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.iter().find(|(known, _)| known.strip_prefix('_') == Some(key)).map(|(_, value)| value)
}

/// A decimal as it is written, exponents included.
pub fn decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { Decimal::from_str(text).ok() }
}

impl<'a> Item<'a> {
    /// The System value, of a primitive element too; complex elements stay what they are.
    pub fn plain(&self) -> Option<Item<'a>> {
        match self {
            Item::Node(node) => node.plain(),
            other => Some(other.clone()),
        }
    }
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Item::Text(text.into())
    }
    pub fn type_name(&self) -> TypeName {
        let system = |name: &'static str| TypeName { namespace: "System", name: name.into() };
        match self {
            Item::Node(node) => TypeName { namespace: "FHIR", name: node.shape.name.into() },
            Item::Boolean(_) => system("Boolean"),
            Item::Integer(_) => system("Integer"),
            Item::Decimal(_) => system("Decimal"),
            Item::Text(_) => system("String"),
            Item::Moment(moment) => system(match moment.form {
                super::moment::Form::Date => "Date",
                super::moment::Form::DateTime => "DateTime",
                super::moment::Form::Time => "Time",
            }),
            Item::Quantity(_) => system("Quantity"),
            Item::Type(_) => system("ClassInfo"),
        }
    }
    /// As `toString()` writes it; None for what has no text.
    pub fn written(&self) -> Option<String> {
        Some(match self {
            Item::Node(node) if node.shape.primitive.is_some() => match node.value? {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
            Item::Node(_) => self.quantity()?.to_string(),
            Item::Type(_) => return None,
            Item::Boolean(value) => value.to_string(),
            Item::Integer(value) => value.to_string(),
            Item::Decimal(value) => value.to_string(),
            Item::Text(text) => text.to_string(),
            Item::Moment(moment) => moment.to_string(),
            Item::Quantity(quantity) => quantity.to_string(),
        })
    }
    /// A System quantity, or a FHIR one that has a value.
    pub fn quantity(&self) -> Option<Quantity> {
        match self {
            Item::Quantity(quantity) => Some(quantity.clone()),
            Item::Node(node) if Definitions.is_a(node.shape.name, "Quantity") => Quantity::of_element(node.object()?),
            _ => None,
        }
    }
}
