//! What a server finds against what a question means, of resources that are all there are.

use super::asked::{Asked, Dice, Known, known, question};
use super::meaning::{lasts, plain};
use super::{Client, id};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The resources of one type, and what can be asked of them.
struct Kind<'a> {
    name: &'a str,
    known: Vec<Known>,
    resources: Vec<&'a Value>,
}

/// A reference between two of the resources: each by its type's place and its own.
struct Edge {
    from: (usize, usize),
    /// The parameter that has it, by its place among those of the type.
    by: usize,
    to: (usize, usize),
}

struct Told<'a> {
    kinds: Vec<Kind<'a>>,
    edges: Vec<Edge>,
    /// Places of edges, by the resource they leave and by the one they lead to.
    from: HashMap<(usize, usize), Vec<usize>>,
    to: HashMap<(usize, usize), Vec<usize>>,
}

/// A part of a search, by the places of parameters.
enum Part {
    Own {
        by: usize,
        asked: Asked,
    },
    /// What the reference leads to is so.
    Chained {
        by: usize,
        to: usize,
        of: usize,
        asked: Asked,
    },
    /// Something that refers to it is so.
    Has {
        from: usize,
        by: usize,
        of: usize,
        asked: Asked,
    },
}

impl<'a> Told<'a> {
    fn of(all: &'a [Value]) -> Told<'a> {
        let mut types: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        all.iter().for_each(|one| types.entry(one["resourceType"].as_str().unwrap()).or_default().push(one));
        let kinds: Vec<Kind<'_>> =
            types.into_iter().map(|(name, resources)| Kind { name, known: known(name, &resources), resources }).collect();
        let mut places = HashMap::new();
        for (kind, of) in kinds.iter().enumerate() {
            places.extend(of.resources.iter().enumerate().map(|(place, one)| (format!("{}/{}", of.name, id(one)), (kind, place))));
        }
        let mut edges = Vec::new();
        for (kind, of) in kinds.iter().enumerate() {
            for (by, known) in of.known.iter().enumerate().filter(|(_, known)| known.parameter.kind == "reference") {
                for (place, values) in known.values.iter().enumerate() {
                    let leads = values.iter().filter_map(|value| places.get(plain(value["reference"].as_str()?)));
                    edges.extend(leads.map(|to| Edge { from: (kind, place), by, to: *to }));
                }
            }
        }
        let (mut from, mut to) = (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
        for (place, edge) in edges.iter().enumerate() {
            from.entry(edge.from).or_default().push(place);
            to.entry(edge.to).or_default().push(place);
        }
        Told { kinds, edges, from, to }
    }

    /// Some questions about one resource.
    fn question(&self, dice: &mut Dice) -> (usize, Vec<Part>) {
        let edge = &self.edges[dice.roll(self.edges.len())];
        let (kind, about, first) = match dice.roll(4) {
            0 => (edge.from.0, edge.from.1, self.chained(dice, edge)),
            1 => (edge.to.0, edge.to.1, self.has(dice, edge)),
            _ => {
                let kind = dice.roll(self.kinds.len());
                (kind, dice.roll(self.kinds[kind].resources.len()), None)
            }
        };
        let mut parts: Vec<Part> = first.into_iter().collect();
        for _ in parts.len()..=dice.roll(2) {
            let by = dice.roll(self.kinds[kind].known.len());
            parts.extend(question(dice, &self.kinds[kind].known[by], about).map(|asked| Part::Own { by, asked }));
        }
        (kind, parts)
    }

    fn chained(&self, dice: &mut Dice, edge: &Edge) -> Option<Part> {
        let of = dice.roll(self.kinds[edge.to.0].known.len());
        let asked = question(dice, &self.kinds[edge.to.0].known[of], edge.to.1)?;
        Some(Part::Chained { by: edge.by, to: edge.to.0, of, asked })
    }

    /// Modifiers have no place in it.
    fn has(&self, dice: &mut Dice, edge: &Edge) -> Option<Part> {
        let of = dice.roll(self.kinds[edge.from.0].known.len());
        let asked = question(dice, &self.kinds[edge.from.0].known[of], edge.from.1)?;
        asked.written("").starts_with('=').then_some(Part::Has { from: edge.from.0, by: edge.by, of, asked })
    }

    fn written(&self, kind: usize, part: &Part) -> String {
        let code = |kind: usize, by: usize| self.kinds[kind].known[by].parameter.code.as_str();
        match part {
            Part::Own { by, asked } => asked.written(code(kind, *by)),
            Part::Chained { by, to, of, asked } => {
                format!("{}:{}.{}", code(kind, *by), self.kinds[*to].name, asked.written(code(*to, *of)))
            }
            Part::Has { from, by, of, asked } => {
                format!("_has:{}:{}:{}", self.kinds[*from].name, code(*from, *by), asked.written(code(*from, *of)))
            }
        }
    }

    fn holds(&self, kind: usize, part: &Part, place: usize) -> bool {
        let of = |all: &HashMap<(usize, usize), Vec<usize>>| all.get(&(kind, place)).cloned().unwrap_or_default();
        let is_so = |(kind, place): (usize, usize), of: usize, asked: &Asked| asked.holds(&self.kinds[kind].known[of].values[place]);
        match part {
            Part::Own { by, asked } => is_so((kind, place), *by, asked),
            Part::Chained { by, to, of: what, asked } => of(&self.from).into_iter().any(|edge| {
                let edge = &self.edges[edge];
                edge.by == *by && edge.to.0 == *to && is_so(edge.to, *what, asked)
            }),
            Part::Has { from, by, of: what, asked } => of(&self.to).into_iter().any(|edge| {
                let edge = &self.edges[edge];
                edge.by == *by && edge.from.0 == *from && is_so(edge.from, *what, asked)
            }),
        }
    }
}

/// The type's resources by one of its times: the earliest first by the first they say, or the latest by the last, and then those
/// that say none.
async fn in_order(fhir: &Client, dice: &mut Dice, kind: &Kind<'_>) {
    let Kind { name, known, resources } = kind;
    let dates: Vec<&Known> = known.iter().filter(|one| one.parameter.kind == "date").collect();
    if dates.is_empty() {
        return;
    }
    let (by, is_descending) = (dates[dice.roll(dates.len())], dice.is());
    let sort = format!("{}{}", if is_descending { "-" } else { "" }, by.parameter.code);
    let path = format!("/{name}?_sort={sort}&_count={}", dice.of(&[2, 7, 200]));
    let sorted = fhir.paged(&path).await;
    assert_eq!(sorted.iter().collect::<BTreeSet<_>>().len(), resources.len(), "{path}");
    let key = |found: &String| {
        let place = resources.iter().position(|one| id(one) == *found).unwrap();
        let starts = by.values[place].iter().filter_map(lasts).map(|(starts, _)| starts);
        if is_descending { starts.max() } else { starts.min() }
    };
    let keys: Vec<Option<DateTime<Utc>>> = sorted.iter().map(key).collect();
    let is_before = |one: &Option<DateTime<Utc>>, next: &Option<DateTime<Utc>>| match (one, next) {
        (Some(one), Some(next)) => {
            if is_descending {
                one >= next
            } else {
                one <= next
            }
        }
        (one, next) => one.is_some() || next.is_none(),
    };
    assert!(keys.windows(2).all(|pair| is_before(&pair[0], &pair[1])), "{path}: {keys:?}");
}

/// Asks for what somebody may ask about the resources `all`, which are all there are, and compares.
pub async fn held(fhir: &Client, all: &[Value], dice: &mut Dice, searches: usize) {
    let told = Told::of(all);
    let (mut asked, mut hits, mut wrong) = (0, 0, Vec::new());
    while asked < searches {
        let (kind, parts) = told.question(dice);
        if parts.is_empty() {
            continue;
        }
        asked += 1;
        let Kind { name, resources, .. } = &told.kinds[kind];
        let query: Vec<String> = parts.iter().map(|part| told.written(kind, part)).collect();
        let path = format!("/{name}?{}", query.join("&"));
        let meant = (0..resources.len()).filter(|place| parts.iter().all(|part| told.holds(kind, part, *place)));
        let meant: BTreeSet<String> = meant.map(|place| id(resources[place])).collect();
        let mut answer = fhir.get(&format!("{path}&_count=200")).await;
        if answer.status != 200 {
            wrong.push(format!("{path}: {} {}", answer.status, answer.body));
            continue;
        }
        let mut found: BTreeSet<String> = super::ids(&answer.body).into_iter().collect();
        while let Some(next) = super::next(&answer.body) {
            answer = fhir.get(&next).await;
            found.extend(super::ids(&answer.body));
        }
        hits += usize::from(!found.is_empty());
        if found != meant {
            let one = resources.iter().find(|one| found.contains(&id(one)) != meant.contains(&id(one)));
            wrong.push(format!("{path}: found {} of {}, first: {}", found.len(), meant.len(), one.unwrap()));
        } else if dice.roll(8) == 0 {
            in_order(fhir, dice, &told.kinds[kind]).await;
            let sort = dice.of(&["_id", "-_lastUpdated", "_lastUpdated,-_id"]);
            let paged = fhir.paged(&format!("{path}&_sort={sort}&_count=3")).await;
            assert_eq!((paged.len(), paged.iter().cloned().collect::<BTreeSet<_>>()), (meant.len(), meant), "{path} by {sort}");
        }
    }
    println!("{asked} searches of {} types, {hits} of them with matches, {} wrong", told.kinds.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {asked} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(hits * 3 > asked, "{hits} of {asked} find anything");
}
