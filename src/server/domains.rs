//! What the rooms serve. A new domain is two lines here.

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};
use crate::{
    ai, analytics, billing, charting, claims, clinical, directory, governance, identity, imaging, integrations, messaging, patients,
    reference, referrals, scheduling, tenancy, treatment, workflow,
};

pub fn tables() -> impl Iterator<Item = &'static Table> {
    let rooms = [
        tenancy::TABLES,
        identity::TABLES,
        reference::TABLES,
        directory::TABLES,
        patients::TABLES,
        scheduling::TABLES,
        governance::TABLES,
        imaging::TABLES,
        clinical::TABLES,
        charting::TABLES,
        treatment::TABLES,
        ai::TABLES,
        referrals::TABLES,
        messaging::TABLES,
        claims::TABLES,
        billing::TABLES,
        integrations::TABLES,
        workflow::TABLES,
        analytics::TABLES,
    ];
    rooms.into_iter().flatten().copied()
}

pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let rooms = [
        tenancy::OPERATIONS,
        identity::OPERATIONS,
        reference::OPERATIONS,
        directory::OPERATIONS,
        patients::OPERATIONS,
        scheduling::OPERATIONS,
        governance::OPERATIONS,
        imaging::OPERATIONS,
        clinical::OPERATIONS,
        charting::OPERATIONS,
        treatment::OPERATIONS,
        ai::OPERATIONS,
        referrals::OPERATIONS,
        messaging::OPERATIONS,
        claims::OPERATIONS,
        billing::OPERATIONS,
        integrations::OPERATIONS,
        workflow::OPERATIONS,
        analytics::OPERATIONS,
        // Over all rooms.
        super::record_copy::OPERATIONS,
    ];
    rooms.into_iter().flatten().copied().chain(super::parts::operations())
}

/// Records in the words of the requirement texts.
pub fn projections() -> impl Iterator<Item = &'static Projection> {
    let rooms = [
        tenancy::PROJECTIONS,
        identity::PROJECTIONS,
        directory::PROJECTIONS,
        patients::PROJECTIONS,
        scheduling::PROJECTIONS,
        governance::PROJECTIONS,
        clinical::PROJECTIONS,
        treatment::PROJECTIONS,
        referrals::PROJECTIONS,
        messaging::PROJECTIONS,
    ];
    rooms.into_iter().flatten().copied()
}

pub fn resources() -> impl Iterator<Item = &'static Mapping> {
    let rooms = [
        tenancy::RESOURCES,
        directory::RESOURCES,
        patients::RESOURCES,
        clinical::RESOURCES,
        charting::RESOURCES,
        treatment::RESOURCES,
        scheduling::RESOURCES,
        referrals::RESOURCES,
        imaging::RESOURCES,
        claims::RESOURCES,
        workflow::RESOURCES,
        messaging::RESOURCES,
        governance::RESOURCES,
        ai::RESOURCES,
        reference::RESOURCES,
        integrations::RESOURCES,
    ];
    rooms.into_iter().flatten().copied()
}

/// Records that FHIR knows and no mapping serves, with their types.
pub fn unmapped() -> impl Iterator<Item = &'static (&'static Table, &'static str)> {
    imaging::UNMAPPED.iter()
}
