//! What an update leaves as it is: columns of which the resource says nothing new.

use super::extras::Extras;
use super::{read, states};
use crate::fhir::mapping::{Columns, Mapping, Whole};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::{Access, Record};

/// Columns that are set once: the same value is no change, another one is refused.
pub fn settled(mapping: &Mapping, columns: &mut Columns, was: &Record) -> Result<()> {
    let fixed: Vec<&'static str> =
        columns.names().filter(|name| mapping.table.field(name).is_some_and(|field| field.access == Access::Fixed)).collect();
    for name in fixed {
        if !columns.agree(was, &[name]) {
            let refusal = Error::new(&error::INVALID).fault(name, "fixed", "It is set once and stays.");
            return Err(columns.told(refusal));
        }
        columns.remove(name);
    }
    Ok(())
}

/// Columns of which the resource says what the record's own rendering says stay as they are: a word that FHIR has not, the
/// clock time of what is rendered as a day. `stood`: the record with what was sent.
pub fn unsaid(mapping: &'static Mapping, columns: &mut Columns, (whole, kept): &(Whole, Option<Extras>), base: &str) -> Result<()> {
    let was = &whole.root;
    // Columns say nothing of it: whose the resource is, it says itself, and of a chart it stays.
    if !mapping.speaks() {
        return match mapping.table.patient.filter(|column| was.patient.is_some() && !columns.agree(was, &[column])) {
            Some(column) => {
                let refusal = Error::new(&error::INVALID).fault(column, "fixed", "A resource stays in the chart of its patient.");
                Err(columns.told(refusal))
            }
            None => Ok(()),
        };
    }
    let own = mapping.taken(&mapping.rendered(whole), base)?.root;
    // And what it says as it is shown: of what its sender never said, there is nothing to say again.
    let shown = read::shown(mapping, whole.clone(), kept.clone())?;
    let shown = mapping.taken(&shown.resource, base)?.root;
    let says = |told: &Columns, name: &str| told.get(name) == columns.get(name);
    let mut same: Vec<&'static str> = columns.names().filter(|name| says(&own, name) || says(&shown, name)).collect();
    // One that says what is stored is written all the same, so that there is a version of what was sent.
    let is_moved = |name: &str| states::is_reached(mapping, name);
    let is_settable = |name: &str| !is_moved(name) && mapping.table.field(name).is_some_and(|field| field.access != Access::Fixed);
    if same.len() == columns.names().count()
        && let Some(place) = same.iter().position(|name| is_settable(name) && columns.agree(was, &[name]))
    {
        same.remove(place);
    }
    same.into_iter().for_each(|name| columns.remove(name));
    Ok(())
}
