//! The contracts side by side, as one app.

use super::rest::{self, Rest};
use super::{AllowTable, Contract};
use crate::kernel::Kernel;
use poem::endpoint::EndpointExt;
use poem::{Endpoint, Response, Route};
use std::sync::Arc;

pub const API: &str = "/api/v1";

pub fn app(kernel: Arc<Kernel>) -> impl Endpoint<Output = Response> + 'static {
    Route::new().nest(API, rest::service()).with(super::authenticate::Authenticate(kernel)).map_to_response()
}

/// What the middleware around the app needs to know of it.
pub fn describe(mut contract: Contract) -> Contract {
    contract.allow = AllowTable::default().api::<Rest>(API);
    contract
}
