//! Slices: which of a list's items is which, told by discriminators, and what each slice then asks.

use super::Check;
use super::value::{has_pattern, is_fixed};
use crate::fhir::definitions::codes;
use crate::fhir::definitions::structure::{Discriminator, Slicing};
use crate::fhir::definitions::{Element, Strength};
use crate::fhir::path::{Item, Items, Node};
use crate::kernel::path::Segment;
use serde_json::Value;

/// What a slice says stands at a discriminator's path.
enum Wanted<'a> {
    Element(&'a Element),
    /// Part of a value that is fixed, or a pattern, further up.
    Part(&'a Value),
}

impl<'a> Check<'a> {
    pub(super) fn slices(&mut self, element: &'a Element, nodes: &[Node<'a>]) {
        let Some(slicing) = &element.slicing else { return };
        let mut counts = vec![0usize; element.slices.len()];
        let mut last = 0;
        for (index, node) in nodes.iter().enumerate() {
            let found = element.slices.iter().position(|slice| self.is_in(slicing, slice, *node));
            self.place(element, *node, index, |check| match found.and_then(|at| element.slices.get(at).map(|slice| (at, slice))) {
                Some((at, slice)) => {
                    if let Some(count) = counts.get_mut(at) {
                        *count += 1;
                    }
                    if slicing.is_ordered && at < last {
                        check.fault("slice", "The slices are not in the order they must have.");
                    }
                    last = at;
                    check.conform(slice, *node);
                }
                None if slicing.is_closed => check.fault("slice", "The element is none of the slices that may stand here."),
                None => {}
            });
        }
        for (slice, count) in element.slices.iter().zip(counts) {
            let (rule, text) = match count {
                0 if slice.min > 0 => ("required", format!("The slice {} is required.", slice.slice)),
                count if count < slice.min as usize => ("cardinality", format!("The slice {} stands here too seldom.", slice.slice)),
                count if slice.max.is_some_and(|max| count > max as usize) => {
                    ("cardinality", format!("The slice {} stands here too often.", slice.slice))
                }
                _ => continue,
            };
            self.at(Segment::Key(&element.name), |check| check.fault(rule, text));
        }
    }

    fn is_in(&self, slicing: &'a Slicing, slice: &'a Element, node: Node<'a>) -> bool {
        !slicing.by.is_empty() && slicing.by.iter().all(|by| self.is_discriminated(by, slice, node))
    }

    fn is_discriminated(&self, by: &Discriminator, slice: &'a Element, node: Node<'a>) -> bool {
        let Some(actual) = self.actual(&by.path, node) else { return false };
        if by.kind == "exists" {
            let wanted = self.wanted(&by.path, slice);
            return !matches!(wanted, Some(Wanted::Element(it)) if (it.max == Some(0)) != actual.is_empty() || (it.min > 0 && actual.is_empty()));
        }
        let Some(wanted) = self.wanted(&by.path, slice) else { return false };
        actual.iter().any(|node| match (by.kind.as_str(), &wanted) {
            ("type", Wanted::Element(it)) => {
                it.types.iter().any(|of| of.name == node.shape.name || of.targets.iter().any(|target| target == node.shape.name))
            }
            ("profile", Wanted::Element(it)) => {
                let mut known =
                    it.types.iter().flat_map(|of| of.profiles.iter().chain(&of.targets)).filter_map(|url| self.profiles.structure(url));
                known.any(|known| known.type_name == node.shape.name && self.conforms(&known.root, *node))
            }
            (_, Wanted::Part(part)) => node.value.is_some_and(|value| has_pattern(part, value)),
            (_, Wanted::Element(it)) => self.has_value(it, *node),
        })
    }

    /// By value: fixed, by pattern, by a required binding (what cannot be told may be it), or all that its children say so.
    fn has_value(&self, wanted: &'a Element, node: Node<'a>) -> bool {
        let Some(value) = node.value else { return false };
        match (&wanted.fixed, &wanted.pattern, &wanted.binding) {
            (Some(fixed), _, _) => is_fixed(fixed, value),
            (_, Some(pattern), _) => has_pattern(pattern, value),
            _ if !wanted.children.is_empty() && wanted.children.iter().any(says_value) => {
                let told = wanted.children.iter().filter(|child| says_value(child));
                told.into_iter().all(|child| {
                    let mut found: Items<'a> = Vec::new();
                    let _ = node.child(&child.name, &mut found);
                    found.iter().any(|item| matches!(item, Item::Node(node) if self.has_value_or_slice(child, *node)))
                })
            }
            (_, _, Some(binding)) if binding.strength == Strength::Required => {
                let code = |value: &Value| {
                    let text = |key: &str| value.get(key).and_then(Value::as_str);
                    codes::contains(&binding.set, text("system"), text("code").unwrap_or_default(), self.profiles)
                };
                match value {
                    Value::String(text) => codes::contains(&binding.set, None, text, self.profiles) != Some(false),
                    value => match value.get("coding").and_then(Value::as_array) {
                        Some(codings) => codings.iter().any(|coding| code(coding) != Some(false)),
                        None => code(value) != Some(false),
                    },
                }
            }
            _ => false,
        }
    }

    fn has_value_or_slice(&self, wanted: &'a Element, node: Node<'a>) -> bool {
        let mut required = wanted.slices.iter().filter(|slice| slice.min > 0 && says_value(slice)).peekable();
        if required.peek().is_some() { required.any(|slice| self.has_value(slice, node)) } else { self.has_value(wanted, node) }
    }

    /// What stands at the path. None: the path cannot be followed here.
    fn actual(&self, path: &str, node: Node<'a>) -> Option<Vec<Node<'a>>> {
        let mut nodes = vec![node];
        for step in steps(path) {
            let mut next: Items<'a> = Vec::new();
            for node in &nodes {
                match step {
                    "$this" => next.push(Item::Node(*node)),
                    name if is_name(name) => drop(node.child(name, &mut next)),
                    call => next.extend(self.call(call, *node)?),
                }
            }
            nodes = next.into_iter().filter_map(|item| if let Item::Node(node) = item { Some(node) } else { None }).collect();
        }
        Some(nodes)
    }

    /// `resolve()`, `extension('…')`, `ofType(…)`: the few functions a discriminator may use.
    fn call(&self, text: &str, node: Node<'a>) -> Option<Items<'a>> {
        let (name, argument) = text.strip_suffix(')')?.split_once('(')?;
        let argument = argument.trim_matches(['\'', '"']);
        Some(match name {
            "resolve" => node.leads_to(self.root, self.document).map(Item::Node).into_iter().collect(),
            "ofType" if node.shape.name == argument => vec![Item::Node(node)],
            "ofType" => vec![],
            "extension" => node.extensions(argument),
            _ => return None,
        })
    }

    /// What the slice says of the path, in itself or in the profile of its type.
    fn wanted(&self, path: &str, slice: &'a Element) -> Option<Wanted<'a>> {
        let mut at = slice;
        let mut steps = steps(path).into_iter();
        while let Some(step) = steps.next() {
            if let Some(known) = at.fixed.as_ref().or(at.pattern.as_ref()).filter(|_| is_name(step)) {
                return part(known, std::iter::once(step).chain(steps)).map(Wanted::Part);
            }
            at = match step {
                "$this" | "resolve()" => at,
                call if call.starts_with("ofType(") => at,
                call if call.starts_with("extension(") => self.opened(at)?.child("extension").and_then(|it| {
                    let url = call.trim_start_matches("extension(").trim_end_matches(')').trim_matches(['\'', '"']);
                    it.slices
                        .iter()
                        .find(|slice| slice.types.iter().any(|of| of.profiles.iter().any(|known| known == url)) || slice.slice == url)
                })?,
                name => {
                    let child = self.opened(at)?.child(name)?;
                    // What a required slice of the child says, the child says.
                    if says_itself(child) || child.slices.is_empty() {
                        child
                    } else {
                        child.slices.iter().find(|slice| slice.min > 0).unwrap_or(child)
                    }
                }
            };
        }
        Some(Wanted::Element(at))
    }

    /// The element that has children: itself, or the profile of its type.
    fn opened(&self, element: &'a Element) -> Option<&'a Element> {
        if !element.children.is_empty() {
            return Some(element);
        }
        let url = element.types.first()?.profiles.first()?;
        self.profiles.structure(url).map(|known| &known.root)
    }
}

fn is_name(step: &str) -> bool {
    step.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether it, or anything below it, says what a value is.
fn says_value(element: &Element) -> bool {
    says_itself(element) || element.slices.iter().any(says_value)
}

/// The same without its slices, which are of some of its items only.
fn says_itself(element: &Element) -> bool {
    element.fixed.is_some() || element.pattern.is_some() || element.children.iter().any(says_value)
}

/// The steps of a path; the points within a call's argument are no ends of steps.
fn steps(path: &str) -> Vec<&str> {
    let mut depth = 0usize;
    path.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '.' && depth == 0
    })
    .collect()
}

/// Follows names into a JSON value; of a list, the first item.
fn part<'v, 's>(value: &'v Value, mut names: impl Iterator<Item = &'s str>) -> Option<&'v Value> {
    names.try_fold(value, |value, name| {
        let value = value.get(name)?;
        value.as_array().map_or(Some(value), |items| items.first())
    })
}
