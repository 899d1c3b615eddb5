//! A DSO makes a clinic of its own (catalogue 1.04, B14).

use super::tenant::TENANT;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Form, store};
use serde_json::Value as Json;
use tokio_postgres::types::Type;

pub static CREATE_CHILD: Operation = Operation {
    id: "createChildTenant",
    method: Method::Post,
    path: "/tenants/{id}/create-child",
    tag: "Tenancy",
    doc: "Make a tenant below a DSO, with its first location, settings, branding and limits; what is left out is the DSO's",
    takes: &[
        Field::text("name").required(),
        Field::text("slug").required().form(Form::Slug),
        Field::choice("type", &["SOLO_PRACTICE", "GROUP_PRACTICE", "ACADEMIC", "OTHER"])
            .means(&["one dentist's practice", "practice of several", "university or teaching clinic", "another"])
            .doc("GROUP_PRACTICE when left out"),
        Field::text("category"),
        Field::text("legal_name"),
        Field::text("jurisdiction").form(Form::Jurisdiction),
        Field::text("default_currency").form(Form::Currency),
        Field::text("default_locale").form(Form::Language),
        Field::text("time_zone").form(Form::TimeZone),
        Field::text("location_name").doc("the tenant's name when left out"),
        Field::text("address_line1"),
        Field::text("address_line2"),
        Field::text("city"),
        Field::text("region"),
        Field::text("postal_code"),
        Field::text("country").form(Form::Country).doc("that of the jurisdiction when left out"),
        Field::text("phone").form(Form::Phone),
        Field::text("email").form(Form::Email),
    ],
    gives: Gives::Created(&TENANT),
    planes: &[Plane::Staff],
    permission: Permission::ManageTenant,
    run: Run::Inside(|scope, call| Box::pin(create_child(scope, call))),
};

/// The staff plane sees no tenant but its own, so the row is made and read by a function of the security role, which
/// asks the sealed context again who the caller is.
async fn create_child(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    store::lock(scope, &TENANT, call.id()?, call.version, keys).await?;
    let mut input = call.body.clone();
    input.insert("id".into(), scope.new_id().to_string().into());
    input.insert("location_id".into(), scope.new_id().to_string().into());
    let child = store::given_one(scope, &TENANT, "sec.create_child_tenant($1)", &[(&Json::Object(input), Type::JSONB)], keys).await?;
    let mut event = audit_store::of(scope.context(), "RECORD_CREATED", Action::Create, Outcome::Success, scope.now());
    event.resource_type = Some(TENANT.schema.into());
    event.resource_id = Some(child.id);
    event.metadata = Metadata::new().text("operation", call.operation.id);
    scope.audit(event);
    Ok(Answer::Record(child))
}
