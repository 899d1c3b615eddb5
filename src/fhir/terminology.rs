//! The terminology operations over HL7's code systems and value sets and over those a caller's tenant keeps.

use super::definitions::codes;
use super::definitions::originals::Original;
use super::definitions::profiles::Profiles;
use super::definitions::{Definitions, terminology};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// What is known: HL7's resources, and before them those that were handed in.
#[derive(Default)]
pub struct Known {
    profiles: Profiles,
    kept: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coding {
    pub system: Option<String>,
    pub code: String,
    pub display: Option<String>,
}

/// Whether a code is in a set or system, and what it is called there.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub is_in: bool,
    pub display: Option<String>,
    pub message: Option<&'static str>,
}

fn list<'v>(value: &'v Value, key: &str) -> impl DoubleEndedIterator<Item = &'v Value> + use<'v> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

/// What a value set names that it is not itself: value sets and code systems, by address.
pub fn named_by(set: &Value) -> Vec<(&'static str, String)> {
    let parts = ["include", "exclude"].into_iter().flat_map(|key| set.get("compose").into_iter().flat_map(move |it| list(it, key)));
    let mut named = Vec::new();
    for part in parts {
        named.extend(text(part, "system").map(|url| ("CodeSystem", url.to_owned())));
        named.extend(list(part, "valueSet").filter_map(Value::as_str).map(|url| ("ValueSet", bare(url).to_owned())));
    }
    named
}

/// A canonical address without its version.
pub fn bare(url: &str) -> &str {
    url.split('|').next().unwrap_or(url)
}

/// The concepts of a code system in the order of its hierarchy, each with the code above it.
fn concepts(system: &Value) -> Vec<(&Value, Option<&str>)> {
    let mut open: Vec<(&Value, Option<&str>)> = list(system, "concept").rev().map(|concept| (concept, None)).collect();
    let mut found = Vec::new();
    while let Some((concept, above)) = open.pop() {
        let code = text(concept, "code");
        open.extend(list(concept, "concept").rev().map(|below| (below, code)));
        found.push((concept, above));
    }
    found
}

impl Known {
    pub fn of(kept: Vec<Value>) -> Self {
        let mut profiles = Profiles::default();
        profiles.load(&kept);
        Self { profiles, kept }
    }

    pub fn resource(&self, type_name: &str, url: &str) -> Option<Value> {
        let is_it = |known: &&Value| text(known, "resourceType") == Some(type_name) && text(known, "url") == Some(bare(url));
        let kept = self.kept.iter().find(is_it).cloned();
        kept.or_else(|| Definitions.original_by_url(type_name, url).and_then(Original::resource))
    }

    /// All codes of a value set in its order. None: they cannot all be told here.
    pub fn expanded(&self, set: &Value) -> Option<Vec<Coding>> {
        let mut left = codes::all(text(set, "url")?, &self.profiles)?.codes;
        let mut found = Vec::new();
        let mut take = |system: &str, concept: &Value, left: &mut HashMap<String, HashSet<String>>| {
            let Some(code) = text(concept, "code") else { return };
            if left.get_mut(system).is_some_and(|codes| codes.remove(code)) {
                let display = text(concept, "display").map(str::to_owned);
                found.push(Coding { system: Some(system.to_owned()), code: code.to_owned(), display });
            }
        };
        for part in set.get("compose").into_iter().flat_map(|it| list(it, "include")) {
            let system = text(part, "system").unwrap_or_default();
            list(part, "concept").for_each(|concept| take(system, concept, &mut left));
        }
        let mut systems: Vec<String> = left.keys().cloned().collect();
        systems.sort();
        for system in &systems {
            if let Some(known) = self.resource("CodeSystem", system) {
                concepts(&known).into_iter().for_each(|(concept, _)| take(system, concept, &mut left));
            }
            let mut others: Vec<String> = left.get(system).into_iter().flatten().cloned().collect();
            others.sort();
            others.into_iter().for_each(|code| take(system, &json!({"code": code}), &mut left));
        }
        for coding in found.iter_mut().filter(|coding| coding.display.is_none()) {
            coding.display = coding.system.as_deref().and_then(|system| self.display(system, &coding.code));
        }
        Some(found)
    }

    pub fn display(&self, system: &str, code: &str) -> Option<String> {
        // Most systems that come without displays are not known here at all, which the index says without unpacking.
        Definitions.code_system(system).or_else(|| self.profiles.code_system(system))?;
        let known = self.resource("CodeSystem", system)?;
        text(find(&known, code)?.0, "display").map(str::to_owned)
    }

    /// All codes of a value set by their systems, in no order. None: they cannot all be told here.
    pub fn codes(&self, set: &str) -> Option<HashMap<String, HashSet<String>>> {
        codes::all(bare(set), &self.profiles).map(|all| all.codes)
    }

    /// The code and those above or below it. None: it is not known here.
    pub fn related(&self, system: &str, code: &str, is_above: bool) -> Option<Vec<String>> {
        codes::related(bare(system), code, is_above, &self.profiles)
    }

    /// None: it cannot be told here.
    pub fn in_set(&self, set: &str, asked: &Coding) -> Option<Verdict> {
        let is_in = codes::contains(bare(set), asked.system.as_deref(), &asked.code, &self.profiles)?;
        let own = |set: &Value| {
            let parts: Vec<&Value> = set.get("compose").into_iter().flat_map(|it| list(it, "include")).collect();
            let of = parts.into_iter().filter(|part| asked.system.is_none() || text(part, "system") == asked.system.as_deref());
            let concept = of.flat_map(|part| list(part, "concept")).find(|concept| text(concept, "code") == Some(asked.code.as_str()));
            concept.and_then(|concept| text(concept, "display")).map(str::to_owned)
        };
        let display = self.resource("ValueSet", set).as_ref().and_then(own);
        let display = display.or_else(|| asked.system.as_deref().and_then(|system| self.display(system, &asked.code)));
        Some(verdict(is_in, display, asked, "The code is not in the value set."))
    }

    /// None: the system is not known, or not whole and the code is none of what is known of it.
    pub fn in_system(&self, system: &str, asked: &Coding) -> Option<Verdict> {
        let known = self.resource("CodeSystem", system)?;
        let concept = find(&known, &asked.code);
        if concept.is_none() && !terminology::code_system(&known).is_complete {
            return None;
        }
        let display = concept.and_then(|(concept, _)| text(concept, "display")).map(str::to_owned);
        Some(verdict(concept.is_some(), display, asked, "The code is not in the code system."))
    }

    /// The code `one` as seen from the code `other`, in the words of `concept-subsumption-outcome`. None: a code or the system is not known.
    pub fn subsumed(&self, system: &str, one: &str, other: &str) -> Option<&'static str> {
        let above = codes::subsumes(system, one, other, &self.profiles)?;
        let below = codes::subsumes(system, other, one, &self.profiles)?;
        Some(match (above, below) {
            (true, true) => "equivalent",
            (true, false) => "subsumes",
            (false, true) => "subsumed-by",
            (false, false) => "not-subsumed",
        })
    }
}

fn verdict(is_in: bool, display: Option<String>, asked: &Coding, why_not: &'static str) -> Verdict {
    let is_called_so = match (&asked.display, &display) {
        (Some(given), Some(known)) => given.to_lowercase() == known.to_lowercase(),
        _ => true,
    };
    let message = match (is_in, is_called_so) {
        (false, _) => Some(why_not),
        (true, false) => Some("The code is there and is called otherwise."),
        (true, true) => None,
    };
    Verdict { is_in: message.is_none(), display: display.filter(|_| is_in), message }
}

/// A concept of a code system and the code above it.
pub fn find<'v>(system: &'v Value, code: &str) -> Option<(&'v Value, Option<&'v str>)> {
    concepts(system).into_iter().find(|(concept, _)| text(concept, "code") == Some(code))
}

/// The answer of `$lookup`. None: the system has no such code.
pub fn looked_up(system: &Value, code: &str) -> Option<Value> {
    let (concept, above) = find(system, code)?;
    let mut told = vec![json!({"name": "name", "valueString": text(system, "name").or_else(|| text(system, "url"))?})];
    told.extend(text(system, "version").map(|version| json!({"name": "version", "valueString": version})));
    told.push(json!({"name": "display", "valueString": text(concept, "display").unwrap_or(code)}));
    for designation in list(concept, "designation") {
        let parts = [("language", "valueCode"), ("use", "valueCoding"), ("value", "valueString")];
        let part = |(name, key): (&str, &str)| designation.get(name).map(|value| part(name, key, value.clone()));
        told.push(json!({"name": "designation", "part": parts.into_iter().filter_map(part).collect::<Vec<_>>()}));
    }
    let property = |code: &str, key: &str, value: Value| json!({"name": "property", "part": [part("code", "valueCode", json!(code)), part("value", key, value)]});
    told.extend(text(concept, "definition").map(|words| property("definition", "valueString", json!(words))));
    told.extend(above.map(|above| property("parent", "valueCode", json!(above))));
    told.extend(list(concept, "concept").filter_map(|it| text(it, "code")).map(|it| property("child", "valueCode", json!(it))));
    for own in list(concept, "property").filter_map(Value::as_object) {
        let value = own.iter().find(|(key, _)| key.starts_with("value"));
        told.extend(own.get("code").and_then(Value::as_str).zip(value).map(|(code, (key, value))| property(code, key, value.clone())));
    }
    Some(parameters(told))
}

pub fn part(name: &str, key: &str, value: Value) -> Value {
    let mut part = Map::new();
    part.insert("name".into(), json!(name));
    part.insert(key.into(), value);
    Value::Object(part)
}

pub fn parameters(parameter: Vec<Value>) -> Value {
    json!({"resourceType": "Parameters", "parameter": parameter})
}

/// The answer of `$translate` by one concept map; backwards, from its targets to its sources.
pub fn translated(map: &Value, asked: &Coding, target: Option<&str>, is_backwards: bool) -> Value {
    let mut matches = Vec::new();
    for group in list(map, "group") {
        let (from, to) = if is_backwards { ("target", "source") } else { ("source", "target") };
        let is_from = asked.system.is_none() || text(group, from) == asked.system.as_deref();
        if !is_from || target.is_some_and(|target| text(group, to) != Some(target)) {
            continue;
        }
        for element in list(group, "element") {
            for goal in list(element, "target") {
                let (given, found) = if is_backwards { (goal, element) } else { (element, goal) };
                if text(given, "code") == Some(asked.code.as_str()) {
                    matches.push(matched(map, group, to, goal, found));
                }
            }
        }
    }
    let is_found = matches.iter().any(|(is_one, _)| *is_one);
    let mut told = vec![part("result", "valueBoolean", json!(is_found))];
    if !is_found {
        told.push(part("message", "valueString", json!("The map says no translation of the code.")));
    }
    told.extend(matches.into_iter().map(|(_, matched)| matched));
    parameters(told)
}

fn matched(map: &Value, group: &Value, to: &str, goal: &Value, found: &Value) -> (bool, Value) {
    let equivalence = text(goal, "equivalence").unwrap_or("relatedto");
    let mut concept = Map::new();
    for (key, value) in [("system", group.get(to)), ("code", found.get("code")), ("display", found.get("display"))] {
        concept.extend(value.map(|value| (key.to_owned(), value.clone())));
    }
    let mut parts = vec![part("equivalence", "valueCode", json!(equivalence)), part("concept", "valueCoding", Value::Object(concept))];
    parts.extend(text(map, "url").map(|url| part("source", "valueUri", json!(url))));
    (!matches!(equivalence, "unmatched" | "disjoint"), json!({"name": "match", "part": parts}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coding(system: Option<&str>, code: &str) -> Coding {
        Coding { system: system.map(str::to_owned), code: code.into(), display: None }
    }

    const GENDERS: &str = "http://hl7.org/fhir/ValueSet/administrative-gender";
    const GENDER: &str = "http://hl7.org/fhir/administrative-gender";

    #[test]
    fn official_sets_expand_in_their_order() {
        let known = Known::default();
        let set = known.resource("ValueSet", GENDERS).unwrap();
        let codes: Vec<(String, Option<String>)> = known.expanded(&set).unwrap().into_iter().map(|it| (it.code, it.display)).collect();
        let told: Vec<(&str, Option<&str>)> = codes.iter().map(|(code, display)| (code.as_str(), display.as_deref())).collect();
        assert_eq!(told, [("male", Some("Male")), ("female", Some("Female")), ("other", Some("Other")), ("unknown", Some("Unknown"))]);
        let languages = known.resource("ValueSet", "http://hl7.org/fhir/ValueSet/all-languages").unwrap();
        assert_eq!(known.expanded(&languages), None);
    }

    #[test]
    fn words_of_others_are_not_given_on() {
        let mut seen = 0;
        for original in Definitions.originals("ValueSet") {
            let Some(set) = original.resource() else { panic!("{}", original.id) };
            for part in set.get("compose").into_iter().flat_map(|it| list(it, "include")) {
                if text(part, "system") == Some("http://snomed.info/sct") {
                    seen += list(part, "concept").count();
                    assert!(list(part, "concept").all(|concept| concept.get("display").is_none()), "{}", original.id);
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn codes_are_judged_and_compared() {
        let known = Known::default();
        assert!(known.in_set(GENDERS, &coding(Some(GENDER), "male")).unwrap().is_in);
        assert!(!known.in_set(GENDERS, &coding(Some(GENDER), "m")).unwrap().is_in);
        assert!(!known.in_set(GENDERS, &coding(Some("http://other.test"), "male")).unwrap().is_in);
        assert_eq!(known.in_set("http://nowhere.test", &coding(None, "male")), None);
        let wrong = Coding { display: Some("Woman".into()), ..coding(Some(GENDER), "male") };
        let verdict = known.in_system(GENDER, &wrong).unwrap();
        assert_eq!((verdict.is_in, verdict.display.as_deref()), (false, Some("Male")));
        assert_eq!(known.in_system("http://snomed.info/sct", &coding(None, "1")), None);
        let acts = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        assert_eq!(known.subsumed(acts, "_ActEncounterCode", "AMB"), Some("subsumes"));
        assert_eq!(known.subsumed(acts, "AMB", "_ActEncounterCode"), Some("subsumed-by"));
        assert_eq!(known.subsumed(acts, "AMB", "AMB"), Some("equivalent"));
        assert_eq!(known.subsumed(acts, "AMB", "EMER"), Some("not-subsumed"));
        assert_eq!(known.subsumed(acts, "AMB", "nothing"), None);
        let told = looked_up(&known.resource("CodeSystem", acts).unwrap(), "AMB").unwrap();
        assert_eq!(super::super::check::faults(&told), []);
        assert!(told.to_string().contains("ambulatory"));
    }

    #[test]
    fn what_a_tenant_keeps_is_known_beside_it() {
        let system = json!({"resourceType": "CodeSystem", "url": "http://own.test/cs", "status": "active", "content": "complete",
            "concept": [{"code": "T1", "display": "One", "concept": [{"code": "T2"}]}]});
        let set = json!({"resourceType": "ValueSet", "url": "http://own.test/vs", "status": "active", "compose": {"include": [
            {"system": "http://own.test/cs"}, {"system": GENDER, "concept": [{"code": "male", "display": "Mister"}]}]}});
        assert_eq!(named_by(&set), [("CodeSystem", "http://own.test/cs".to_owned()), ("CodeSystem", GENDER.to_owned())]);
        let known = Known::of(vec![system, set.clone()]);
        let codes: Vec<String> = known.expanded(&set).unwrap().into_iter().map(|it| format!("{} {:?}", it.code, it.display)).collect();
        assert_eq!(codes, ["male Some(\"Mister\")", "T1 Some(\"One\")", "T2 None"]);
        assert_eq!(known.subsumed("http://own.test/cs", "T1", "T2"), Some("subsumes"));
        let map = json!({"resourceType": "ConceptMap", "url": "http://own.test/cm", "group": [{"source": "http://own.test/cs", "target": GENDER,
            "element": [{"code": "T1", "target": [{"code": "male", "equivalence": "equal"}]}, {"code": "T2", "target": [{"equivalence": "unmatched"}]}]}]});
        let there = translated(&map, &coding(Some("http://own.test/cs"), "T1"), Some(GENDER), false);
        assert_eq!(there["parameter"][1]["part"][1]["valueCoding"]["code"], "male");
        let back = translated(&map, &coding(Some(GENDER), "male"), None, true);
        assert_eq!(back["parameter"][1]["part"][1]["valueCoding"]["code"], "T1");
        assert_eq!(translated(&map, &coding(None, "T2"), None, false)["parameter"][0]["valueBoolean"], false);
        assert_eq!(translated(&map, &coding(None, "T3"), None, false)["parameter"][0]["valueBoolean"], false);
    }
}
