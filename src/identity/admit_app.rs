//! A tenant admits an application of a vendor: it is a client of the tenant then, by the public id it has everywhere, with the
//! scopes and the limits that the tenant says. Keys and addresses stay the vendor's to say.

use super::api_client::API_CLIENT;
use super::app_vendor::APP_VENDOR;
use super::client_operations::{check_scopes, words};
use super::scope;
use super::vendor_app::VENDOR_APP;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Form, Record, Value, store};

pub static ADMIT_APP: Operation = Operation {
    id: "admitVendorApp",
    method: Method::Post,
    path: "/vendor-apps/{id}/admit",
    tag: "Identity",
    doc: "Admit an application of a vendor, so that it can be used in this tenant; disableApiClient ends that",
    takes: &[
        Field::texts("scopes")
            .example(r#"["user/Patient.rs"]"#)
            .required()
            .doc("SMART v2 scopes, of those it is registered for; what it does by itself may not exceed what the caller may do"),
        Field::text("name").doc("what the tenant calls it; left out: as its vendor does"),
        Field::texts("allowed_ip_ranges").form(Form::Network).doc("networks from which it may come; empty: everywhere"),
        Field::int("rate_limit_per_minute").at_least(1).doc("units a minute: a read costs one, a search and an export more"),
        Field::instant("expires_at").doc("when the client ends by itself"),
    ],
    gives: Gives::Created(&API_CLIENT),
    planes: &[Plane::Staff],
    permission: Permission::ManageIntegrations,
    run: Run::Inside(|scope, call| Box::pin(admit(scope, call))),
};

/// What a vendor has registered its application for.
pub(super) fn check_registered(app: &Record, scopes: &[String]) -> Result<()> {
    let registered = app.texts("scopes").map(str::to_owned);
    let registered: Vec<String> = registered.collect();
    if scopes.iter().any(|word| scope::narrowed(word, &registered).is_none()) {
        return Err(Error::new(&error::INVALID).fault("scopes", "registered", "The vendor has registered its application for less."));
    }
    Ok(())
}

async fn admit(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let app = store::seen(scope, &VENDOR_APP, call.id()?, keys).await?;
    let vendor = store::seen(scope, &APP_VENDOR, app.uuid("vendor_id").unwrap_or_default(), keys).await?;
    if [&app, &vendor].into_iter().any(|record| record.text("status") != Some("ACTIVE")) {
        return Err(Error::new(&error::MOVE_REFUSED).detail("The platform has suspended this application."));
    }
    let scopes = words(call, "scopes")?;
    check_scopes(&call.caller, app.text("client_type").unwrap_or_default(), &scopes)?;
    check_registered(&app, &scopes)?;
    let same = |name| app.text(name).unwrap_or_default().to_owned();
    let grants = app.texts("grant_types").map(str::to_owned).collect();
    let mut draft = Draft::default()
        .set(&API_CLIENT, "vendor_app_id", Value::Uuid(app.id))?
        .set(&API_CLIENT, "client_id", Value::Text(same("client_id")))?
        .set(&API_CLIENT, "client_type", Value::Text(same("client_type")))?
        .set(&API_CLIENT, "grant_types", Value::Texts(grants))?
        .set(&API_CLIENT, "name", Value::Text(call.text("name").map_or_else(|| same("name"), str::to_owned)))?
        .set(&API_CLIENT, "scopes", Value::Texts(scopes))?
        .set(&API_CLIENT, "allowed_ip_ranges", Value::Texts(words(call, "allowed_ip_ranges")?))?;
    for name in ["rate_limit_per_minute", "expires_at"] {
        if let Some(value) = call.value(name) {
            draft = draft.set(&API_CLIENT, name, value.clone())?;
        }
    }
    Ok(Answer::Record(store::insert(scope, &API_CLIENT, &draft, keys).await?))
}
