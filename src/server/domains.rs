//! What the rooms serve. A new domain is two lines here.

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;
use crate::{directory, governance, identity, imaging, patients, tenancy, workflow};

pub fn tables() -> impl Iterator<Item = &'static Table> {
    let rooms =
        [tenancy::TABLES, identity::TABLES, directory::TABLES, patients::TABLES, governance::TABLES, imaging::TABLES, workflow::TABLES];
    rooms.into_iter().flatten().copied()
}

pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let rooms = [
        tenancy::OPERATIONS,
        identity::OPERATIONS,
        patients::OPERATIONS,
        governance::OPERATIONS,
        imaging::OPERATIONS,
        workflow::OPERATIONS,
    ];
    rooms.into_iter().flatten().copied()
}

pub fn resources() -> impl Iterator<Item = &'static Mapping> {
    [tenancy::RESOURCES, directory::RESOURCES, patients::RESOURCES].into_iter().flatten().copied()
}

/// Records that FHIR knows and no mapping serves, with their types.
pub fn unmapped() -> impl Iterator<Item = &'static (&'static Table, &'static str)> {
    imaging::UNMAPPED.iter()
}
