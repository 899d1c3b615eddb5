//! What dentistry searches by (`definitions/own/`): teeth, quadrants and surfaces in whatever system they are written, found
//! in columns and in what is kept.

use super::types::forever;
use crate::charting::tooth::{Designation, System as Numbering};
use crate::fhir::find::Find;
use crate::fhir::index::Row;
use crate::fhir::mapping::Mapping;
use crate::fhir::search::value::{System, Token};
use crate::fhir::search::{SearchParam, Value as Asked};
use crate::fhir::systems::{AREA, SURFACE, TOOTH};
use crate::kernel::error::{Error, PARAMETER_INVALID, Result};
use crate::kernel::table::Ty;
use std::borrow::Cow;

const OURS: &str = "urn:enamel:SearchParameter:";
const UNIVERSAL: &str = "http://terminology.hl7.org/CodeSystem/ADAUniversalToothDesignationSystem";
const PALMER: &str = "urn:enamel:palmer";
const CHART: &str = "urn:enamel:chart";
const SURFACES: [&str; 2] = [SURFACE, "http://terminology.hl7.org/CodeSystem/ADAToothSurfaceCodes"];
const AREAS: [&str; 2] = [AREA, "http://terminology.hl7.org/CodeSystem/ADAAreaOralCavitySystem"];
/// By ISO 3950, clockwise from the patient's upper right.
const QUADRANTS: [(&str, &str); 4] = [("UR", "10"), ("UL", "20"), ("LL", "30"), ("LR", "40")];

/// The tooth's code by ISO 3950. Without its system a number is one of ISO 3950, and what is none of them of those it can
/// only be.
fn tooth(system: Option<&str>, code: &str) -> Option<String> {
    let read = |numbering| Designation::read(numbering, code).map(|found| found.tooth.to_string());
    match system {
        Some(UNIVERSAL) => read(Numbering::Universal),
        Some(PALMER) => read(Numbering::Palmer),
        Some(TOOTH | "http://terminology.hl7.org/CodeSystem/ex-tooth") => read(Numbering::Fdi),
        Some(_) => None,
        None if code.starts_with(|first: char| first.is_ascii_digit()) => read(Numbering::Fdi),
        None => read(Numbering::Palmer).or_else(|| read(Numbering::Universal)),
    }
}

fn quadrant(system: Option<&str>, code: &str) -> Option<String> {
    if system.is_none_or(|system| AREAS.contains(&system)) {
        let known = QUADRANTS.iter().find(|(word, area)| *word == code || *area == code);
        if let Some((_, area)) = known {
            return Some((*area).to_owned());
        }
    }
    let place = tooth(system, code)?.bytes().next()?.checked_sub(b'1')?;
    QUADRANTS.get(usize::from(place % 4)).map(|(_, area)| (*area).to_owned())
}

fn surface(system: Option<&str>, code: &str) -> Option<String> {
    system.is_none_or(|system| SURFACES.contains(&system)).then(|| code.to_ascii_uppercase())
}

/// The code as columns and index hold it, and the system it is of there.
fn settled(name: &str, system: Option<&str>, code: &str) -> Option<(&'static str, String)> {
    let system = system.filter(|system| !system.is_empty());
    match name {
        "tooth" => tooth(system, code).map(|code| (TOOTH, code)),
        "quadrant" => quadrant(system, code).map(|code| (AREA, code)),
        "surface" => surface(system, code).map(|code| (SURFACE, code)),
        _ => None,
    }
}

/// What is asked for, as it is held here.
pub fn normalised<'a>(param: &SearchParam, asked: &'a Asked) -> Result<Cow<'a, Asked>> {
    let (Asked::Token(Token { system, code: Some(code) }), "tooth" | "quadrant" | "surface") = (asked, param.name) else {
        return Ok(Cow::Borrowed(asked));
    };
    let given = match system {
        System::Is(system) => Some(system.as_str()),
        System::Any | System::None => None,
    };
    let none = || Error::new(&PARAMETER_INVALID).fault(param.name, "code", "The code is none of a system that is known here.");
    let (system, code) = settled(param.name, given, code).ok_or_else(none)?;
    Ok(Cow::Owned(Asked::Token(Token { system: System::Is(system.to_owned()), code: Some(code) })))
}

/// The same of what a resource says: nothing, where it says something else.
pub fn rows(rows: Vec<Row>) -> Vec<Row> {
    let one = |row: Row| {
        let name = row.param.rsplit('.').next().unwrap_or_default().to_owned();
        if !matches!(name.as_str(), "tooth" | "quadrant" | "surface") {
            return Some(row);
        }
        let (system, code) = settled(&name, row.system.as_deref(), row.code.as_deref()?)?;
        Some(Row { system: Some(system.to_owned()), code: Some(code), ..row })
    };
    rows.into_iter().filter_map(one).collect()
}

/// The columns that answer.
pub fn find(mapping: &Mapping, definition: &str) -> Option<Find> {
    let name = definition.strip_prefix(OURS)?;
    let column = |names: &[&'static str]| names.iter().find(|name| mapping.table.field(name).is_some()).copied();
    let r = |column: &str| forever(format!("r.{column}")).as_str();
    let one = column(&["fdi_tooth", "tooth_number"]);
    let many = column(&["fdi_teeth"]);
    match name {
        "tooth" => match (one, many) {
            (Some(column), _) => Some(Find::Code { expr: r(column), system: TOOTH, stored: str::to_owned }),
            (None, Some(column)) => Some(Find::Listed { column: r(column), system: TOOTH }),
            _ => None,
        },
        "quadrant" => match (one, many) {
            (Some(tooth), _) => {
                let area = column(&["oral_area"]).map_or_else(|| "null::text".to_owned(), |area| format!("r.{area}"));
                let expr =
                    format!("coalesce({}, case when {area} in ('10', '20', '30', '40') then {area} end)", of_tooth(&format!("r.{tooth}")));
                Some(Find::Code { expr: forever(expr), system: AREA, stored: str::to_owned })
            }
            (None, Some(teeth)) => {
                let column = format!("array(select {} from unnest(r.{teeth}) u)", of_tooth("u"));
                Some(Find::Listed { column: forever(column), system: AREA })
            }
            _ => None,
        },
        "surface" => {
            let column = column(&["surfaces", "surface"])?;
            let is_list = mapping.table.field(column).is_some_and(|field| matches!(field.ty, Ty::TextArray));
            Some(match is_list {
                true => Find::Listed { column: r(column), system: SURFACE },
                false => Find::Code { expr: r(column), system: SURFACE, stored: str::to_owned },
            })
        }
        "perio-site" => column(&["pocket_depth_mm"]).map(|_| Find::Code { expr: "r.site", system: CHART, stored: str::to_owned }),
        "perio-depth" => column(&["pocket_depth_mm"]).map(|column| Find::Amount { column: r(column), unit: "mm" }),
        _ => None,
    }
}

/// The quadrant of a tooth, in SQL.
fn of_tooth(column: &str) -> String {
    format!("(array['10', '20', '30', '40'])[(left({column}, 1)::int - 1) % 4 + 1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tooth_is_the_same_in_every_system() {
        for (system, code) in [(None, "16"), (Some(UNIVERSAL), "3"), (None, "UR6"), (Some(PALMER), "UR6"), (Some(TOOTH), "16")] {
            assert_eq!(tooth(system, code).as_deref(), Some("16"), "{system:?} {code}");
            assert_eq!(quadrant(system, code).as_deref(), Some("10"), "{system:?} {code}");
        }
        assert_eq!(
            (tooth(None, "A").as_deref(), tooth(None, "11").as_deref(), tooth(Some(UNIVERSAL), "11").as_deref()),
            (Some("55"), Some("11"), Some("23"))
        );
        assert_eq!((tooth(None, "3"), tooth(None, "99"), tooth(Some("urn:x"), "16")), (None, None, None));
        assert_eq!(
            (quadrant(None, "LL").as_deref(), quadrant(None, "85").as_deref(), quadrant(None, "50")),
            (Some("30"), Some("40"), None)
        );
    }
}
