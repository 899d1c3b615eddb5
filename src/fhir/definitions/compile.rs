//! StructureDefinition, ValueSet, CodeSystem and SearchParameter resources become tables: at build time the official ones,
//! at run time the profiles of a tenant.

use super::structure::{Binding, Constraint, Discriminator, Element, Found, Kind, Of, Slicing, Strength, Structure, choice_key};
use serde_json::Value;

const SYSTEM_TYPE: &str = "http://hl7.org/fhirpath/System.";
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
pub const PREFIX: &str = "http://hl7.org/fhir/StructureDefinition/";
/// Judged by the walk itself, so not kept with each element.
const EVERYWHERE: &[&str] = &["ele-1", "ext-1", "dom-2"];
/// An element may be this deep in a definition.
const DEPTH_MAX: usize = 32;

/// Finds a definition by its address.
pub type Find<'f> = &'f dyn Fn(&str) -> Option<Structure>;

/// The tables of one StructureDefinition, by its snapshot, or by its differential over a base that `find` knows.
pub fn structure(definition: &Value, find: Find<'_>) -> Result<Structure, &'static str> {
    let text = |key: &str| definition[key].as_str().unwrap_or_default().to_owned();
    let kind = match definition["kind"].as_str() {
        Some("primitive-type") => Kind::Primitive,
        Some("resource") => Kind::Resource,
        Some("complex-type") => Kind::Complex,
        _ => return Err("The kind of the definition is not one of R4's."),
    };
    let mut made = Structure {
        url: text("url"),
        type_name: text("type"),
        kind,
        is_abstract: definition["abstract"] == true,
        is_profile: definition["derivation"] == "constraint",
        base: text("baseDefinition"),
        contexts: contexts(definition),
        root: Element::default(),
    };
    if made.url.is_empty() || made.type_name.is_empty() {
        return Err("A definition has a url and a type.");
    }
    let (elements, source) = match definition["snapshot"]["element"].as_array() {
        Some(elements) => (elements, None),
        None => (definition["differential"]["element"].as_array().ok_or("The definition has no elements.")?, Some(find)),
    };
    if source.is_some() {
        let mut base = find(&made.base).ok_or("The base of the definition is not known here.")?;
        if !base.is_profile {
            forget_constraints(&mut base.root);
        }
        made.root = base.root;
    }
    let is_root = |element: &Value| element["path"].as_str().is_some_and(|path| !path.contains('.'));
    for element in elements {
        let id = element["id"].as_str().or(element["path"].as_str()).ok_or("An element has neither id nor path.")?;
        let target = if is_root(element) { &mut made.root } else { place(&mut made.root, id, source)? };
        merge(target, element, &made.url, made.is_profile, kind);
    }
    if made.root.name.is_empty() {
        made.root.name.clone_from(&made.type_name);
    }
    Ok(made)
}

fn contexts(definition: &Value) -> Vec<String> {
    let given = definition["context"].as_array().map(Vec::as_slice).unwrap_or_default();
    let elements = given.iter().filter(|context| context["type"] == "element").filter_map(|context| context["expression"].as_str());
    if given.iter().all(|context| context["type"] == "element") { elements.map(String::from).collect() } else { Vec::new() }
}

/// What a base type says is judged when the base is.
fn forget_constraints(element: &mut Element) {
    element.constraints.clear();
    element.children.iter_mut().chain(&mut element.slices).for_each(forget_constraints);
}

/// The element an id names, made where it is not there yet.
fn place<'e>(root: &'e mut Element, id: &str, source: Option<Find<'_>>) -> Result<&'e mut Element, &'static str> {
    let mut at = root;
    for (depth, segment) in id.split('.').skip(1).enumerate() {
        if depth > DEPTH_MAX {
            return Err("An element stands too deep.");
        }
        if at.children.is_empty() && let Some(find) = source {
            open(at, find);
        }
        let (name, slice) = segment.split_once(':').map_or((segment, None), |(name, slice)| (name, Some(slice)));
        let name = name.strip_suffix("[x]").unwrap_or(name);
        let (index, slice) = match at.children.iter().position(|child| child.name == name) {
            Some(index) => (index, slice),
            None if source.is_some() => (of_choice(at, name).ok_or("An element is not one of its base.")?, Some(name)),
            None => {
                at.children.push(Element { name: name.into(), ..Element::default() });
                (at.children.len() - 1, slice)
            }
        };
        let Some(child) = at.children.get_mut(index) else { return Err("An element is not one of its base.") };
        at = match slice {
            Some(slice) => sliced(child, slice, source.is_some()),
            None => child,
        };
    }
    Ok(at)
}

/// `valueQuantity`, where a differential says so in short.
fn of_choice(parent: &Element, name: &str) -> Option<usize> {
    let is_it = |child: &Element| child.is_choice && child.types.iter().any(|of| choice_key(&child.name, &of.name) == name);
    parent.children.iter().position(is_it)
}

fn sliced<'e>(element: &'e mut Element, slice: &str, from_base: bool) -> &'e mut Element {
    let index = match element.slices.iter().position(|known| known.slice == slice) {
        Some(index) => index,
        None => {
            let base = if from_base { element.clone() } else { Element { name: element.name.clone(), ..Element::default() } };
            let types = base.types.iter().filter(|of| !base.is_choice || choice_key(&base.name, &of.name) == slice).cloned();
            let types: Vec<Of> = types.collect();
            let types = if types.is_empty() { base.types.clone() } else { types };
            if base.is_choice && element.slicing.is_none() {
                element.slicing = Some(Slicing { by: vec![Discriminator { kind: "type".into(), path: "$this".into() }], ..Slicing::default() });
            }
            let min = 0;
            element.slices.push(Element { slice: slice.into(), types, min, slices: vec![], slicing: None, ..base });
            element.slices.len() - 1
        }
    };
    &mut element.slices[index]
}

/// Gives an element the children of its type, so that a profile can speak of them.
fn open(element: &mut Element, find: Find<'_>) {
    let Some(of) = element.types.first() else { return };
    let profiled = of.profiles.first().and_then(|url| find(url));
    if let Some(mut known) = profiled.or_else(|| find(&format!("{PREFIX}{}", of.name))) {
        if !known.is_profile {
            forget_constraints(&mut known.root);
        }
        element.children = known.root.children;
    }
}

/// What one ElementDefinition adds to an element.
fn merge(element: &mut Element, from: &Value, url: &str, is_profile: bool, kind: Kind) {
    let path = from["path"].as_str().unwrap_or_default();
    if path.ends_with("[x]") {
        element.is_choice = true;
    }
    if let Some(min) = from["min"].as_u64() {
        element.min = u32::try_from(min).unwrap_or(u32::MAX);
    }
    if let Some(max) = from["max"].as_str() {
        element.max = max.parse().ok();
        if !is_profile {
            element.is_list = element.max != Some(1);
        }
    }
    if let Some(max) = from["base"]["max"].as_str() {
        element.is_list = max != "1";
    }
    if let Some(types) = from["type"].as_array() {
        let is_id = kind == Kind::Resource && path.ends_with(".id") && path.matches('.').count() == 1;
        element.types = types.iter().map(|of| of_type(of, is_id)).collect();
    }
    if let Some(content) = from["contentReference"].as_str() {
        element.content = Some(content.rsplit('#').next().unwrap_or(content).to_owned());
        element.types = vec![Of::named("BackboneElement")];
    }
    element.is_summary |= from["isSummary"] == true;
    element.is_modifier |= from["isModifier"] == true;
    element.max_length = from["maxLength"].as_u64().and_then(|max| u32::try_from(max).ok()).or(element.max_length);
    element.binding = binding(&from["binding"]).or(element.binding.take());
    for (key, value) in from.as_object().into_iter().flatten() {
        if key.starts_with("fixed") {
            element.fixed = Some(value.clone());
        } else if key.starts_with("pattern") {
            element.pattern = Some(value.clone());
        }
    }
    if from["slicing"].is_object() {
        element.slicing = Some(slicing(&from["slicing"]));
    }
    for constraint in from["constraint"].as_array().into_iter().flatten().filter_map(|it| constraint(it, url, is_profile)) {
        if !element.constraints.iter().any(|known| known.key == constraint.key) {
            element.constraints.push(constraint);
        }
    }
}

fn of_type(of: &Value, is_id: bool) -> Of {
    let code = of["code"].as_str().unwrap_or_default();
    let texts = |key: &str| -> Vec<String> {
        of[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(|url| url.split('|').next().unwrap_or(url).to_owned()).collect()
    };
    let name = match code.starts_with(SYSTEM_TYPE) {
        // 4.0.1 calls Resource.id a string; the text of the specification gives it the id type.
        true if is_id => "id",
        true => {
            let told = of["extension"].as_array().and_then(|all| all.iter().find(|it| it["url"] == FHIR_TYPE));
            told.and_then(|it| it["valueUrl"].as_str().or(it["valueUri"].as_str())).unwrap_or("string")
        }
        false => code,
    };
    let targets: Vec<String> = texts("targetProfile").into_iter().map(short).collect();
    let targets = if targets.iter().any(|target| target == "Resource") { vec![] } else { targets };
    Of { profiles: texts("profile"), targets, ..Of::named(name) }
}

/// A base type by its name, a profile by its address.
fn short(url: String) -> String {
    match url.strip_prefix(PREFIX) {
        Some(name) if name.starts_with(|c: char| c.is_ascii_uppercase()) => name.to_owned(),
        _ => url,
    }
}

fn binding(from: &Value) -> Option<Binding> {
    let strength = match from["strength"].as_str()? {
        "required" => Strength::Required,
        "extensible" => Strength::Extensible,
        "preferred" => Strength::Preferred,
        _ => Strength::Example,
    };
    let set = from["valueSet"].as_str()?.split('|').next()?.to_owned();
    Some(Binding { strength, set })
}

fn slicing(from: &Value) -> Slicing {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let given = from["discriminator"].as_array().into_iter().flatten();
    Slicing {
        by: given.map(|it| Discriminator { kind: text(&it["type"]), path: text(&it["path"]) }).collect(),
        is_closed: from["rules"] == "closed",
        is_ordered: from["ordered"] == true,
    }
}

/// None for what is judged elsewhere: on every element, or with the base type of a profile.
fn constraint(from: &Value, url: &str, is_profile: bool) -> Option<Constraint> {
    let text = |key: &str| from[key].as_str().unwrap_or_default().to_owned();
    let source = from["source"].as_str().unwrap_or(url);
    let of_base_type = is_profile && source != url && short(source.to_owned()) != source;
    let expression = from["expression"].as_str()?;
    let key = text("key");
    if of_base_type || EVERYWHERE.contains(&key.as_str()) {
        return None;
    }
    Some(Constraint { key, is_error: from["severity"] == "error", human: text("human"), expression: corrected(expression).to_owned(), compiled: Found::default() })
}

/// Expressions that R4 printed wrongly, and how its own errata or the text beside them have them.
fn corrected(expression: &str) -> &str {
    expression
}
