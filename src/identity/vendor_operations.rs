//! The platform approves vendors, so that their software statements are believed, and stops them or one of their applications
//! everywhere.

use super::app_vendor::APP_VENDOR;
use super::client_operations::{JWKS, JWKS_URI, own_keys};
use super::grant;
use super::vendor_app::VENDOR_APP;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Table, Value, store};

const REASON: &[Field] = &[Field::text("reason").required().length(1_000)];

const STEPS: Steps = Steps { tag: "Identity", planes: &[Plane::Platform], permission: Permission::ManagePlatform };

pub static APPROVE: Operation = STEPS.post(
    "approveAppVendor",
    "/app-vendors",
    "Approve a vendor: what its software statements say of an application is believed from now on",
    &[Field::text("name").required(), Field::text("issuer").required().doc("iss of its software statements"), JWKS, JWKS_URI],
    Gives::Created(&APP_VENDOR),
    Run::Inside(|scope, call| Box::pin(approve(scope, call))),
);
pub static SET_KEYS: Operation = STEPS.post(
    "setAppVendorKeys",
    "/app-vendors/{id}/set-keys",
    "Replace the keys that sign a vendor's software statements; what it has registered stays",
    &[JWKS, JWKS_URI],
    Gives::Record(&APP_VENDOR),
    Run::Inside(|scope, call| Box::pin(set_keys(scope, call))),
);
pub static SUSPEND: Operation = STEPS.post(
    "suspendAppVendor",
    "/app-vendors/{id}/suspend",
    "Believe a vendor no more; the tokens of all its applications end within 5 seconds, in every tenant",
    REASON,
    Gives::Record(&APP_VENDOR),
    Run::Inside(|scope, call| Box::pin(moved(scope, call, &APP_VENDOR))),
);
pub static REINSTATE: Operation = STEPS.post(
    "reinstateAppVendor",
    "/app-vendors/{id}/reinstate",
    "End a suspension; what tenants have admitted may be used again",
    &[],
    Gives::Record(&APP_VENDOR),
    Run::Inside(|scope, call| Box::pin(moved(scope, call, &APP_VENDOR))),
);
pub static SUSPEND_APP: Operation = STEPS.post(
    "suspendVendorApp",
    "/vendor-apps/{id}/suspend",
    "Stop an application; its tokens end within 5 seconds, in every tenant",
    REASON,
    Gives::Record(&VENDOR_APP),
    Run::Inside(|scope, call| Box::pin(moved(scope, call, &VENDOR_APP))),
);
pub static REINSTATE_APP: Operation = STEPS.post(
    "reinstateVendorApp",
    "/vendor-apps/{id}/reinstate",
    "End a suspension; it may be used again where it is admitted",
    &[],
    Gives::Record(&VENDOR_APP),
    Run::Inside(|scope, call| Box::pin(moved(scope, call, &VENDOR_APP))),
);

fn keys(call: &Call, draft: Draft) -> Result<Draft> {
    let needed = || Error::new(&error::INVALID).fault("jwks", "required", "Keys, or where they are published, are needed.");
    let (here, at) = own_keys(call)?.ok_or_else(needed)?;
    draft.set(&APP_VENDOR, "jwks", here)?.set(&APP_VENDOR, "jwks_uri", at)
}

async fn approve(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let mut draft = keys(call, Draft::default())?;
    for name in ["name", "issuer"] {
        draft = draft.set(&APP_VENDOR, name, Value::Text(call.text(name).unwrap_or_default().to_owned()))?;
    }
    Ok(Answer::Record(store::insert(scope, &APP_VENDOR, &draft, &call.caller.kernel.keys).await?))
}

async fn set_keys(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let draft = keys(call, Draft::default())?;
    let was = store::lock(scope, &APP_VENDOR, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let record = store::update(scope, &was, &draft, call.operation.word(), &call.caller.kernel.keys).await?;
    let mut event = audit_store::of_record(scope.context(), Action::Update, &record, scope.now());
    event.event_type = "KEY_CHANGED".into();
    scope.audit(event);
    Ok(Answer::Record(record))
}

/// What ends with a suspension the database ends (`sec.end_app`).
async fn moved(scope: &mut Scope, call: &Call, table: &'static Table) -> Result<Answer> {
    let answer = transition(scope, call, table, vec![]).await?;
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Execute, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some(table.schema.into()), call.id);
    event.metadata = Metadata::new().text("operation", call.operation.id).text("reason", call.text("reason").unwrap_or_default());
    scope.audit(event);
    grant::forget(&call.caller.kernel, |context| context.client.is_some())?;
    Ok(answer)
}
