//! A clinic lets a program of its group act in it: the program's service becomes a member, and what it may do the clinic says by
//! giving it roles (`oauth/exchange.rs`).

use super::grant;
use super::user_tenant::USER_TENANT;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Value, store};
use crate::sql;
use uuid::Uuid;

sql! {
    /// $1 public id, $2 the clinic.
    PROGRAM(TEXT, UUID) = "
        select k.service_user_id from sec.client_above($1, $2) k
         where k.status = 'ACTIVE' and k.client_type <> 'PUBLIC' and sec.reaches(k.tenant_id, $2)";
}

pub static ADMIT_PROGRAM: Operation = Operation {
    id: "admitProgram",
    method: Method::Post,
    path: "/user-tenants/admit-program",
    tag: "Identity",
    doc: "Make a program of one's group a member, so that by its roles here it can exchange its tokens for some of this tenant (RFC 8693)",
    takes: &[
        Field::text("client_id").required().doc("public identifier of the program, a client of a tenant above this one"),
        Field::text("title").pii(),
    ],
    gives: Gives::Created(&USER_TENANT),
    planes: &[Plane::Staff],
    permission: Permission::ManageUsers,
    run: Run::Apart(|call| Box::pin(admit(call))),
};

/// Any other client is as unknown as one that is not there.
async fn admit(call: Call) -> Result<Answer> {
    let (caller, tenant) = (&call.caller, call.caller.tenant()?);
    let server = caller.acting(tenant, Permission::ManageUsers)?;
    let client = call.text("client_id").unwrap_or_default();
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let answers = scope.once(&[((&PROGRAM).into(), vec![&client, &tenant])]).await?;
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("client_id", "reference", "There is no such program in a group of yours.");
    let service: Uuid = answers.iter().flatten().next().ok_or_else(unknown)?.try_get(0)?;
    let mut scope = caller.kernel.door.open(&server).await?;
    let mut draft = Draft::default()
        .set(&USER_TENANT, "user_id", Value::Uuid(service))?
        .set(&USER_TENANT, "user_type", Value::Text("DEVELOPER".into()))?
        .set(&USER_TENANT, "status", Value::Text("ACTIVE".into()))?
        .set(&USER_TENANT, "joined_at", Value::Instant(scope.now()))?;
    if let Some(title) = call.text("title") {
        draft = draft.set(&USER_TENANT, "title", Value::Text(title.to_owned()))?;
    }
    let made = store::insert(&mut scope, &USER_TENANT, &draft, &caller.kernel.keys).await?;
    scope.did(Action::Create, &made);
    scope.commit().await?;
    Ok(Answer::Record(made))
}
