//! What a StructureDefinition says, as a tree of elements. `build.rs` writes it, the engine reads it back, and a profile
//! that is loaded at run time becomes the same.

use super::{Compiled, Link};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Kind {
    Primitive,
    #[default]
    Complex,
    Resource,
}

/// A type, or a profile of one.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Structure {
    #[serde(rename = "u")]
    pub url: String,
    /// `Patient`, also for a profile of it.
    #[serde(rename = "n")]
    pub type_name: String,
    #[serde(rename = "k")]
    pub kind: Kind,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    pub is_abstract: bool,
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub is_profile: bool,
    #[serde(rename = "b", default, skip_serializing_if = "is_default")]
    pub base: String,
    /// For an extension, the elements it may stand on; other kinds of context are not judged and not kept.
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    pub contexts: Vec<String>,
    #[serde(rename = "r")]
    pub root: Element,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Element {
    /// Without the `[x]` of a choice.
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "i", default, skip_serializing_if = "is_default")]
    pub min: u32,
    /// None: no limit.
    #[serde(rename = "x", default, skip_serializing_if = "is_default")]
    pub max: Option<u32>,
    /// An array in JSON, whatever a profile makes of its maximum.
    #[serde(rename = "r", default, skip_serializing_if = "is_default")]
    pub is_list: bool,
    #[serde(rename = "t", default, skip_serializing_if = "is_default")]
    pub types: Vec<Of>,
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    pub is_choice: bool,
    /// Part of `_summary=true`.
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    pub is_summary: bool,
    #[serde(rename = "m", default, skip_serializing_if = "is_default")]
    pub is_modifier: bool,
    /// The path of the element whose content this one has: `Questionnaire.item`.
    #[serde(rename = "l", default, skip_serializing_if = "is_default")]
    pub content: Option<String>,
    #[serde(rename = "b", default, skip_serializing_if = "is_default")]
    pub binding: Option<Binding>,
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    pub constraints: Vec<Constraint>,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    pub fixed: Option<Value>,
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub pattern: Option<Value>,
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    pub max_length: Option<u32>,
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    pub slicing: Option<Slicing>,
    /// The name, where this is a slice of the element.
    #[serde(rename = "z", default, skip_serializing_if = "is_default")]
    pub slice: String,
    #[serde(rename = "y", default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Element>,
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Element>,
    #[serde(skip)]
    pub(super) keys: Found<Vec<Key>>,
}

/// What is worked out from the rest once it is asked for; a copy, which may be changed, works it out anew.
pub struct Found<T>(pub OnceLock<T>);

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}
impl<T> Clone for Found<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What stands behind a JSON key: a child, and which of its types.
#[derive(Clone)]
pub(super) struct Key {
    text: String,
    child: usize,
    of: usize,
}

/// One type an element may have.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Of {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub profiles: Vec<String>,
    /// For a Reference, the types (or profiles, by address) it may point to; empty: any.
    #[serde(rename = "t", default, skip_serializing_if = "is_default")]
    pub targets: Vec<String>,
    #[serde(skip)]
    pub(super) link: Found<Link>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
pub enum Strength {
    Example,
    Preferred,
    Extensible,
    Required,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    #[serde(rename = "s")]
    pub strength: Strength,
    /// The address of the value set, without a version.
    #[serde(rename = "v")]
    pub set: String,
}

/// An invariant.
#[derive(Clone, Serialize, Deserialize)]
pub struct Constraint {
    #[serde(rename = "k")]
    pub key: String,
    #[serde(rename = "e", default, skip_serializing_if = "is_default")]
    pub is_error: bool,
    #[serde(rename = "h")]
    pub human: String,
    #[serde(rename = "x")]
    pub expression: String,
    #[serde(skip)]
    pub(super) compiled: Found<Compiled>,
}

impl PartialEq for Constraint {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.expression == other.expression
    }
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Slicing {
    #[serde(rename = "d")]
    pub by: Vec<Discriminator>,
    /// Nothing but the slices.
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    pub is_closed: bool,
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    pub is_ordered: bool,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Discriminator {
    #[serde(rename = "k")]
    pub kind: String,
    #[serde(rename = "p")]
    pub path: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl PartialEq for Of {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.profiles == other.profiles && self.targets == other.targets
    }
}

impl Of {
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl Element {
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }
    /// The child and the type of it behind a JSON key (`deceasedBoolean`), without a leading underscore.
    pub fn element(&self, key: &str) -> Option<(&Element, &Of)> {
        let keys = self.keys.0.get_or_init(|| self.all_keys());
        let at = keys.binary_search_by(|known| known.text.as_str().cmp(key)).ok()?;
        let Key { child, of, .. } = *keys.get(at)?;
        let child = self.children.get(child)?;
        Some((child, child.types.get(of)?))
    }
    /// The JSON key this element has when it is of this type.
    pub fn key(&self, of: &Of) -> String {
        if self.is_choice { choice_key(&self.name, &of.name) } else { self.name.clone() }
    }

    fn all_keys(&self) -> Vec<Key> {
        let mut keys = Vec::with_capacity(self.children.len());
        for (index, child) in self.children.iter().enumerate() {
            for (of, kind) in child.types.iter().enumerate() {
                // A Reference to several targets can be told in several types; the first stands for all.
                let text = child.key(kind);
                if !keys.iter().any(|known: &Key| known.text == text) {
                    keys.push(Key { text, child: index, of });
                }
            }
        }
        keys.sort_by(|a, b| a.text.cmp(&b.text));
        keys
    }
}

impl Structure {
    pub fn element(&self, key: &str) -> Option<(&Element, &Of)> {
        self.root.element(key)
    }
    /// The element at `Questionnaire.item`.
    pub fn at(&self, path: &str) -> Option<&Element> {
        path.split('.').skip(1).try_fold(&self.root, |element, name| element.child(name))
    }
}

/// `value` and `dateTime` make `valueDateTime`.
pub fn choice_key(name: &str, of: &str) -> String {
    let mut key = String::with_capacity(name.len() + of.len());
    key.push_str(name);
    let mut letters = of.chars();
    key.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    key.push_str(letters.as_str());
    key
}
