//! Probing sites, furcation entrances and what the depths suggest (catalogue 8.03, C20). Pure.

use super::tooth::Tooth;
use std::collections::BTreeMap;

/// Six a tooth: facial side first, then lingual (on upper teeth palatal).
pub const SITES: [&str; 6] = ["MB", "B", "DB", "ML", "L", "DL"];

/// Between two teeth; attachment lost there is what stages a periodontitis.
fn is_interdental(site: &str) -> bool {
    matches!(site, "MB" | "DB" | "ML" | "DL")
}

/// The site at which a furcation of that tooth is entered: upper molars buccal, mesial and distal, lower molars buccal
/// and lingual, upper first premolars mesial and distal. The mesial and distal ones of upper teeth are reached from the
/// palate. `kernel.has_furcation` in the database says the same.
pub fn has_furcation(tooth: Tooth, site: &str) -> bool {
    match (tooth.is_maxillary(), site) {
        (true, "B") => tooth.is_molar(),
        (true, "ML" | "DL") => tooth.is_molar() || tooth.is_first_premolar(),
        (false, "B" | "L") => tooth.is_molar(),
        _ => false,
    }
}

/// What the measurements suggest by the 2018 classification; a clinician confirms or replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggestion {
    /// I, II or III. IV needs what no probe measures: why teeth were lost, and what chewing has become.
    pub stage: &'static str,
    pub extent: &'static str,
}

/// One site: tooth, site, attachment level in mm.
pub type Attachment = (Tooth, String, i32);

/// Nothing when fewer than two teeth that are no neighbours have lost attachment between teeth.
pub fn suggestion(sites: &[Attachment]) -> Option<Suggestion> {
    let mut worst: BTreeMap<Tooth, i32> = BTreeMap::new();
    for (tooth, site, level) in sites {
        let entry = worst.entry(*tooth).or_insert(0);
        if is_interdental(site) {
            *entry = (*entry).max(*level);
        }
    }
    let lost: Vec<Tooth> = worst.iter().filter(|(_, level)| **level >= 1).map(|(tooth, _)| *tooth).collect();
    if !lost.iter().any(|one| lost.iter().any(|other| apart(*one, *other))) {
        return None;
    }
    let (stage, least) = match worst.values().max() {
        Some(5..) => ("III", 5),
        Some(3..=4) => ("II", 3),
        _ => ("I", 1),
    };
    let involved = worst.values().filter(|level| **level >= least).count();
    let extent = if involved * 10 < worst.len() * 3 { "LOCALISED" } else { "GENERALISED" };
    Some(Suggestion { stage, extent })
}

/// In different arches, or with a place between them.
fn apart(one: Tooth, other: Tooth) -> bool {
    one.is_maxillary() != other.is_maxillary() || (one.place() - other.place()).abs() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tooth(code: &str) -> Tooth {
        Tooth::from_fdi(code).unwrap()
    }
    fn site(code: &str, site: &str, level: i32) -> Attachment {
        (tooth(code), site.to_owned(), level)
    }

    #[test]
    fn furcations_are_entered_where_roots_part() {
        let entrances = |code| SITES.into_iter().filter(|site| has_furcation(tooth(code), site)).collect::<Vec<_>>();
        assert_eq!(entrances("16"), ["B", "ML", "DL"]);
        assert_eq!(entrances("46"), ["B", "L"]);
        assert_eq!(entrances("14"), ["ML", "DL"]);
        assert_eq!(entrances("54"), ["B", "ML", "DL"]);
        for none in ["11", "13", "15", "34", "44", "45", "43", "53", "83"] {
            assert!(entrances(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_stage_needs_two_teeth_that_are_no_neighbours() {
        assert_eq!(suggestion(&[]), None);
        assert_eq!(suggestion(&[site("16", "MB", 6)]), None);
        assert_eq!(suggestion(&[site("16", "MB", 6), site("15", "DB", 4)]), None);
        assert_eq!(suggestion(&[site("11", "MB", 3), site("21", "MB", 3)]), None);
        assert_eq!(suggestion(&[site("16", "B", 6), site("26", "L", 6)]), None, "only between teeth");
        assert_eq!(suggestion(&[site("16", "MB", 2), site("46", "DB", 1)]).unwrap().stage, "I");
        assert_eq!(suggestion(&[site("16", "MB", 4), site("14", "DB", 1)]).unwrap().stage, "II");
        assert_eq!(suggestion(&[site("16", "MB", 5), site("26", "DB", 1)]).unwrap().stage, "III");
    }

    #[test]
    fn less_than_a_third_of_the_teeth_is_local() {
        let mut sites: Vec<Attachment> = Tooth::all().filter(|tooth| !tooth.is_primary()).map(|tooth| (tooth, "MB".into(), 0)).collect();
        for place in [2, 5, 13] {
            sites[place].2 = 4;
        }
        assert_eq!(suggestion(&sites), Some(Suggestion { stage: "II", extent: "LOCALISED" }));
        for entry in &mut sites[..12] {
            entry.2 = 4;
        }
        assert_eq!(suggestion(&sites), Some(Suggestion { stage: "II", extent: "GENERALISED" }));
    }

    proptest! {
        /// More loss never suggests less.
        #[test]
        fn the_stage_grows_with_the_loss(levels in prop::collection::vec(0i32..12, 32), more in 0usize..32) {
            let stage = |levels: &[i32]| {
                let sites: Vec<Attachment> = Tooth::all().zip(levels).map(|(tooth, level)| (tooth, "DL".into(), *level)).collect();
                suggestion(&sites).map_or("", |found| found.stage)
            };
            let mut worse = levels.clone();
            worse[more] += 3;
            prop_assert!(stage(&levels).len() <= stage(&worse).len());
        }
    }
}
