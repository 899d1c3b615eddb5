//! What a profile adds to the base types. The base was judged already, so only what a profile says itself is asked here.

use super::value::{has_pattern, is_fixed};
use super::{Check, PROFILES_DEEP_MAX};
use crate::fhir::definitions::Element;
use crate::fhir::path::{Item, Items, Node};
use crate::kernel::path::Segment;

/// The guides that are known here, each in one version.
const GUIDES: &[(&str, &str)] =
    &[("http://hl7.org/fhir/us/core/", "9.0.0"), ("http://hl7.org/fhir/us/dental-data-exchange/", "2.0.0-ballot")];

impl<'a> Check<'a> {
    /// Whether the address means what is known here. A guide's without a version may mean an older one: who asks whether a
    /// resource conforms is told by ours, and what is stored is not refused by it.
    pub(super) fn is_meant(&self, url: &str) -> bool {
        let (url, version) = url.split_once('|').map_or((url, None), |(url, version)| (url, Some(version)));
        match (GUIDES.iter().find(|(prefix, _)| url.starts_with(prefix)), version) {
            (Some((_, ours)), Some(version)) => version == *ours,
            (Some(_), None) => self.tells_guides,
            (None, _) => true,
        }
    }

    /// A profile by its address; one that is not known here cannot be judged.
    pub(super) fn by_profile(&mut self, url: &str, node: Node<'a>) {
        let Some(known) = self.profiles.structure(url).filter(|known| known.is_profile && self.is_meant(url)) else { return };
        if known.type_name != node.shape.name {
            return self.fault("profile", "The resource is not of the type that the profile is for.");
        }
        self.deeper(|check| check.conform(&known.root, node));
    }

    /// Profiles lead to each other (an extension in an extension) only so far.
    pub(super) fn deeper(&mut self, check: impl FnOnce(&mut Self)) {
        if self.depth < PROFILES_DEEP_MAX {
            self.depth += 1;
            check(self);
            self.depth -= 1;
        }
    }

    /// Whether it would conform, without a word.
    pub(super) fn conforms(&self, element: &'a Element, node: Node<'a>) -> bool {
        let mut check = Check {
            document: self.document,
            root: self.root,
            resource: self.resource,
            depth: self.depth + 1,
            tells_guides: self.tells_guides,
            ..Check::new(node, self.profiles)
        };
        if self.depth < PROFILES_DEEP_MAX {
            check.conform(element, node);
        }
        check.faults.is_empty()
    }

    /// One element, and all below it that the profile speaks of.
    pub(super) fn conform(&mut self, element: &'a Element, node: Node<'a>) {
        self.itself(element, node);
        if element.children.is_empty() {
            return self.by_type(element, node);
        }
        for child in &element.children {
            self.child(child, node);
        }
    }

    fn itself(&mut self, element: &'a Element, node: Node<'a>) {
        if let Some(value) = node.value {
            if element.fixed.as_ref().is_some_and(|fixed| !is_fixed(fixed, value)) {
                self.fault("fixed", "The value is not the one that is fixed here.");
            }
            if element.pattern.as_ref().is_some_and(|pattern| !has_pattern(pattern, value)) {
                self.fault("fixed", "The value does not have the pattern that is asked for here.");
            }
            let length = value.as_str().map_or(0, |text| text.chars().count());
            if element.max_length.is_some_and(|max| length > max as usize) {
                self.fault("length", "The text is longer than it may be.");
            }
        }
        self.coded(element.binding.as_ref(), node);
        self.invariants(&element.constraints, node);
        let mut named = element.types.iter().filter(|of| of.name == node.shape.name);
        if let Some(of) = named.next() {
            self.target(of, node);
        }
    }

    /// A type may itself be profiled; of several profiles one is enough.
    fn by_type(&mut self, element: &'a Element, node: Node<'a>) {
        let urls: Vec<&'a str> =
            element.types.iter().filter(|of| of.name == node.shape.name).flat_map(|of| of.profiles.iter().map(String::as_str)).collect();
        let known: Vec<_> = urls.iter().filter_map(|url| self.profiles.structure(url)).collect();
        match known.as_slice() {
            // One that is not known may be the one.
            known if known.len() < urls.len() => {}
            [] => {}
            [only] => self.deeper(|check| check.conform(&only.root, node)),
            several if several.iter().any(|it| self.conforms(&it.root, node)) => {}
            _ => self.fault("profile", "The element conforms to none of the profiles it may have here."),
        }
    }

    fn child(&mut self, child: &'a Element, node: Node<'a>) {
        let mut items: Items<'a> = Vec::new();
        if node.child(&child.name, &mut items).is_none() {
            return;
        }
        let nodes: Vec<Node<'a>> =
            items.into_iter().filter_map(|item| if let Item::Node(node) = item { Some(node) } else { None }).collect();
        if nodes.len() < child.min as usize {
            let text = if nodes.is_empty() { "The element is required." } else { "The element stands here too seldom." };
            self.at(Segment::Key(&child.name), |check| check.fault(if nodes.is_empty() { "required" } else { "cardinality" }, text));
        }
        if child.max.is_some_and(|max| nodes.len() > max as usize) {
            self.at(Segment::Key(&child.name), |check| check.fault("cardinality", "The element stands here more often than it may."));
        }
        for (index, node) in nodes.iter().enumerate() {
            self.place(child, *node, index, |check| {
                let fits = |name: &str| child.types.iter().any(|of| of.name == name);
                if child.is_choice && !fits(node.shape.name) {
                    check.fault("type", "The element may not be of this type here.");
                }
                check.conform(child, *node);
            });
        }
        if !child.slices.is_empty() {
            self.slices(child, &nodes);
        }
    }

    /// Where an item stands: `name[0]`, `value.ofType(Quantity)`.
    pub(super) fn place(&mut self, child: &'a Element, node: Node<'a>, index: usize, check: impl FnOnce(&mut Self)) {
        self.path.push(Self::segment(child, node.shape.name));
        if child.is_list {
            self.path.push(Segment::Index(index));
        }
        check(self);
        if child.is_list {
            self.path.pop();
        }
        self.path.pop();
    }
}
