//! Credentials are rotated with an overlap and revoked; no answer ever holds one (catalogue 15.03).

use super::integration_credential::INTEGRATION_CREDENTIAL;
use super::sealed;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Value};
use chrono::TimeDelta;

pub static ROTATE: Operation = Operation {
    id: "rotateIntegrationCredential",
    method: Method::Post,
    path: "/integration-credentials/{id}/rotate",
    tag: "Integrations",
    doc: "Replace the secret; the former one is kept for the overlap",
    takes: &[
        Field::text("secret").required().length(10_000).write_only(),
        Field::text("refresh_secret").length(10_000).write_only(),
        Field::instant("expires_at").doc("of the new secret; as before when left out"),
        Field::int("overlap_hours").at_least(0).at_most(sealed::OVERLAP_HOURS_MAX).doc("24 when left out"),
    ],
    gives: Gives::Record(&INTEGRATION_CREDENTIAL),
    planes: &[Plane::Staff],
    permission: Permission::ManageIntegrations,
    run: Run::Apart(|call| Box::pin(rotate(call))),
};

pub static REVOKE: Operation = Operation {
    id: "revokeIntegrationCredential",
    method: Method::Post,
    path: "/integration-credentials/{id}/revoke",
    tag: "Integrations",
    doc: "End a credential for good",
    takes: &[],
    gives: Gives::Record(&INTEGRATION_CREDENTIAL),
    planes: &[Plane::Staff],
    permission: Permission::ManageIntegrations,
    run: Run::Inside(|scope, call| Box::pin(transition(scope, call, &INTEGRATION_CREDENTIAL, vec![]))),
};

async fn rotate(call: Call) -> Result<Answer> {
    let table = &INTEGRATION_CREDENTIAL;
    let (mut scope, was) = sealed::held(&call, table).await?;
    if was.text("status") != Some("ACTIVE") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("Only an active credential is rotated."));
    }
    let former = sealed::opened(&mut scope, &call, &was, "secret").await?;
    let now = scope.now();
    let mut draft = Draft::default()
        .set(table, "previous_secret", former)?
        .set(table, "previous_secret_expires_at", Value::Instant(now + TimeDelta::hours(sealed::overlap_hours(&call))))?
        .set(table, "rotated_at", Value::Instant(now))?;
    for name in ["secret", "refresh_secret", "expires_at"] {
        if let Some(value) = call.value(name) {
            draft = draft.set(table, name, value.clone())?;
        }
    }
    sealed::answered(scope, &call, &was, &draft).await
}
