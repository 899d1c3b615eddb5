//! Bulk Data Access 2.0: whole tenants, all patients or a group of them, as jobs that write files; and imports of such files.

mod batch;
mod export;
mod fetch;
mod head;
mod import;
mod intake;
pub mod jobs;
mod lines;
mod order;
mod page;
mod start;

use super::{Fhir, at};
use crate::fhir::operation::BULK;
use crate::server::AllowTable;
use poem::http::Method;
use poem::{Route, RouteMethod};

/// A job, and a file of it.
const JOB: &str = "/$job/:id";
const FILE: &str = "/$job/:id/:file";

/// The types are asked for by the handler: the router takes a name or any.
pub fn routes(routes: Route, fhir: &Fhir) -> Route {
    let export = || RouteMethod::new().get(at(fhir, start::export)).post(at(fhir, start::export));
    routes
        .at("/$export", export())
        .at("/:type/$export", export())
        .at("/:type/:id/$export", export())
        .at("/$import", RouteMethod::new().post(at(fhir, intake::import)))
        .at(JOB, RouteMethod::new().get(at(fhir, fetch::standing)).delete(at(fhir, fetch::call_off)))
        .at(FILE, RouteMethod::new().get(at(fhir, fetch::file)))
}

pub fn allow(table: AllowTable) -> AllowTable {
    let path = |rest: &str| format!("{}{rest}", super::PATH);
    let table = table.path(&path(JOB), &[Method::GET, Method::DELETE]).path(&path(FILE), &[Method::GET]);
    BULK.iter().fold(table, |table, known| {
        let methods: &[Method] = if known.by_get { &[Method::GET, Method::POST] } else { &[Method::POST] };
        table.path(&path(&known.path()), methods)
    })
}
