//! What FHIR adds to FHIRPath.

use super::{Call, Function, function};
use crate::fhir::definitions::Definitions;
use crate::fhir::path::eval::{Evaluator, Outcome, boolean, maybe, single};
use crate::fhir::path::value::{Item, Items, Node};
use crate::fhir::path::Trouble;
use crate::fhir::xhtml;

pub const ALL: &[Function] = &[
    function("extension", 1, 1, extension),
    function("hasValue", 0, 0, |_, call| {
        boolean(matches!(call.input.as_slice(), [Item::Node(node)] if node.plain().is_some()) || is_system(&call.input))
    }),
    function("getValue", 0, 0, |_, call| maybe(single(&call.input)?.and_then(Item::plain))),
    function("resolve", 0, 0, resolve),
    function("memberOf", 1, 1, member_of),
    function("subsumes", 1, 1, |evaluator, call| subsumption(evaluator, call, false)),
    function("subsumedBy", 1, 1, |evaluator, call| subsumption(evaluator, call, true)),
    function("conformsTo", 1, 1, conforms_to),
    function("htmlChecks", 0, 0, |_, call| {
        let text = single(&call.input)?.and_then(Item::plain);
        maybe(text.map(|text| Item::Boolean(matches!(text, Item::Text(text) if xhtml::check(&text).is_ok()))))
    }),
    function("elementDefinition", 0, 0, |_, _| Ok(Vec::new())),
    function("slice", 2, 2, |_, _| Ok(Vec::new())),
    function("checkModifiers", 0, 16, check_modifiers),
];

fn is_system(items: &[Item<'_>]) -> bool {
    matches!(items, [item] if !matches!(item, Item::Node(_) | Item::Type(_)))
}

fn extension<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let Some(url) = call.text(evaluator, 0)? else { return Ok(Vec::new()) };
    let nodes = call.input.iter().filter_map(|item| if let Item::Node(node) = item { Some(node) } else { None });
    Ok(nodes.flat_map(|node| node.extensions(&url)).collect())
}

fn resolve<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let (root, document) = (evaluator.context.root, evaluator.context.document);
    let found = call.input.iter().filter_map(|item| match item {
        Item::Node(node) => node.leads_to(root, document),
        Item::Text(reference) => led_by(reference, root, document),
        _ => None,
    });
    Ok(found.map(Item::Node).collect())
}

/// A fragment leads to what the outermost resource contains, anything else to an entry of the Bundle.
fn led_by<'a>(reference: &str, root: Node<'a>, document: Node<'a>) -> Option<Node<'a>> {
    match reference.strip_prefix('#') {
        Some("") => Some(root),
        Some(id) => contained(root, id),
        None => entry(document, reference),
    }
}

impl<'a> Node<'a> {
    /// Where a Reference, or a primitive that refers, leads within the document.
    pub fn leads_to(&self, root: Node<'a>, document: Node<'a>) -> Option<Node<'a>> {
        let reference = if self.shape.primitive.is_some() { self.value?.as_str() } else { self.text("reference") };
        led_by(reference?, root, document)
    }
    pub fn extensions(&self, url: &str) -> Items<'a> {
        let mut found = Vec::new();
        let _ = self.child("extension", &mut found);
        found.retain(|item| matches!(item, Item::Node(node) if node.text("url") == Some(url)));
        found
    }
}

fn contained<'a>(root: Node<'a>, id: &str) -> Option<Node<'a>> {
    let all = root.object()?.get("contained")?.as_array()?;
    Node::resource(all.iter().find(|it| it.get("id").and_then(|known| known.as_str()) == Some(id))?)
}

/// The resource of a Bundle whose full address is, or ends in, the reference.
fn entry<'a>(document: Node<'a>, reference: &str) -> Option<Node<'a>> {
    let plain = reference.split("/_history/").next().unwrap_or(reference);
    let is_it = |url: &str| url == plain || url.strip_suffix(plain).is_some_and(|base| base.ends_with('/') && !plain.contains(':'));
    let entries = document.object()?.get("entry")?.as_array()?;
    let found = entries.iter().find(|entry| entry.get("fullUrl").and_then(|url| url.as_str()).is_some_and(is_it))?;
    Node::resource(found.get("resource")?)
}

/// System and code of a code, Coding, or each Coding of a CodeableConcept.
fn codings<'a>(item: &Item<'a>) -> Vec<(Option<&'a str>, &'a str)> {
    let coding = |node: &Node<'a>| node.text("code").map(|code| (node.text("system"), code));
    match item {
        Item::Node(node) if node.shape.primitive.is_some() => node.value.and_then(|it| it.as_str()).map(|code| (None, code)).into_iter().collect(),
        Item::Node(node) if node.shape.name == "CodeableConcept" => {
            let mut codings: Items<'a> = Vec::new();
            let _ = node.child("coding", &mut codings);
            codings.iter().filter_map(|item| if let Item::Node(node) = item { coding(node) } else { None }).collect()
        }
        Item::Node(node) => coding(node).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn member_of<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let (Some(item), Some(set)) = (single(&call.input)?, call.text(evaluator, 0)?) else { return Ok(Vec::new()) };
    let world = evaluator.context.world;
    let set = set.split('|').next().unwrap_or(&set);
    let known: Vec<Option<bool>> = match item {
        Item::Text(code) => vec![world.is_member(set, None, code)],
        item => codings(item).into_iter().map(|(system, code)| world.is_member(set, system, code)).collect(),
    };
    let verdict = if known.contains(&Some(true)) { Some(true) } else { known.iter().all(Option::is_some).then_some(false) };
    maybe(verdict.map(Item::Boolean))
}

fn subsumption<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>, is_turned: bool) -> Outcome<'a> {
    let other = call.items(evaluator, 0)?;
    let (Some(this), Some(other)) = (single(&call.input)?, single(&other)?) else { return Ok(Vec::new()) };
    let (above, below) = if is_turned { (codings(other), codings(this)) } else { (codings(this), codings(other)) };
    let mut is_known = false;
    for (system, above) in above {
        for (_, below) in below.iter().filter(|(known, _)| *known == system) {
            let known = evaluator.context.world.subsumes(system.unwrap_or_default(), above, below);
            if known == Some(true) || above == *below {
                return boolean(true);
            }
            is_known |= known.is_some();
        }
    }
    maybe(is_known.then_some(Item::Boolean(false)))
}

fn conforms_to<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let (Some(item), Some(profile)) = (single(&call.input)?, call.text(evaluator, 0)?) else { return Ok(Vec::new()) };
    let Item::Node(node) = item else { return boolean(false) };
    let unknown = Trouble::Execution("The profile is not known here.");
    match Definitions.by_url(&profile) {
        Some(base) if !base.is_profile => boolean(Definitions.is_a(node.shape.name, &base.type_name)),
        _ => boolean(evaluator.context.world.conforms(*node, &profile).ok_or(unknown)?),
    }
}

/// An error where an element carries modifier extensions other than the ones named.
fn check_modifiers<'a>(evaluator: &mut Evaluator<'a, '_>, call: Call<'a, '_>) -> Outcome<'a> {
    let mut allowed = Vec::new();
    for index in 0..call.args.len() {
        allowed.extend(call.text(evaluator, index)?);
    }
    for item in &call.input {
        let mut found = Vec::new();
        if let Item::Node(node) = item {
            let _ = node.child("modifierExtension", &mut found);
        }
        let is_allowed = |item: &Item<'_>| matches!(item, Item::Node(node) if node.text("url").is_some_and(|url| allowed.iter().any(|it| it == url)));
        if !found.iter().all(is_allowed) {
            return Err(Trouble::Execution("There is a modifier extension that is not understood."));
        }
    }
    Ok(call.input)
}
