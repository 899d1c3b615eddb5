//! The contracts side by side, as one app.

use super::fhir;
use super::rest::{self, Rest};
use super::{AllowTable, Contract};
use crate::kernel::Kernel;
use poem::endpoint::EndpointExt;
use poem::{Endpoint, Response, Route};
use std::sync::Arc;

pub const API: &str = "/api/v1";

pub fn app(kernel: Arc<Kernel>) -> impl Endpoint<Output = Response> + 'static {
    let routes = Route::new().nest(API, rest::service()).nest(fhir::PATH, fhir::routes(&kernel));
    routes.with(super::authenticate::Authenticate(kernel)).map_to_response()
}

/// What the middleware around the app needs to know of it.
pub fn describe(mut contract: Contract) -> Contract {
    contract.allow = fhir::allow(AllowTable::default().api::<Rest>(API));
    contract.bodies = fhir::bodies(contract.bodies);
    contract.renderers = contract.renderers.under(fhir::PATH, fhir::render);
    contract
}
