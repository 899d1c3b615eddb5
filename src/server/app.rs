//! The contracts side by side, as one app.

use super::fhir;
use super::rest::{self, Rest};
use super::{AllowTable, Contract, reference};
use crate::identity::{oauth, pages, scim, sign_in_pages};
use crate::kernel::Kernel;
use poem::endpoint::EndpointExt;
use poem::{Endpoint, Response, Route, get};
use std::sync::Arc;

pub const API: &str = "/api/v1";
/// What applications call from a browser; pages with cookies are not among it.
pub const OPEN_TO_APPS: &[&str] =
    &[API, fhir::PATH, "/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/par", "/oauth2/userinfo"];

pub fn app(kernel: Arc<Kernel>) -> impl Endpoint<Output = Response> + 'static {
    oauth::well_known(reference::with_routes(Route::new()))
        .nest(API, rest::service())
        .nest(fhir::PATH, fhir::routes(&kernel))
        .nest(oauth::ROOT, oauth::routes())
        .nest(scim::ROOT, scim::routes())
        .nest(sign_in_pages::ROOT, sign_in_pages::routes())
        .at(pages::STYLESHEET_PATH, get(pages::stylesheet))
        .at(pages::SCRIPT_PATH, get(pages::passkey_script))
        .at(format!("{}/:name", pages::BRAND_ROOT), get(pages::brand_stylesheet))
        .with(super::authenticate::Authenticate(kernel))
        .map_to_response()
}

/// What the middleware around the app needs to know of it.
pub fn describe(mut contract: Contract) -> Contract {
    let own = oauth::PATHS.iter().chain(sign_in_pages::PATHS).chain(scim::PATHS).chain(reference::PATHS);
    contract.allow = own.fold(fhir::allow(AllowTable::default().api::<Rest>(API)), |table, (path, methods)| table.path(path, methods));
    contract.bodies = rest::bodies(fhir::bodies(contract.bodies));
    contract.renderers =
        contract.renderers.under_asked(fhir::PATH, fhir::renderer).under(oauth::ROOT, oauth::render).under(scim::ROOT, scim::render);
    contract
}
