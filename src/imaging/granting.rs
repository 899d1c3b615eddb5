//! A patient's file given to another clinic because the patient wants it to have it; what a confirmed booking or a referral opens
//! is granted with that (catalogue 10.12, C24).

use super::document_grant::DOCUMENT_GRANT;
use crate::kernel::audit::Action;
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Refers, Value, store};
use tokio_postgres::types::Type;

pub static CREATE_GRANT: Operation = Operation {
    id: "createDocumentGrant",
    method: Method::Post,
    path: "/document-grants",
    tag: DOCUMENT_GRANT.tag,
    doc: "Give a patient's file to another clinic that knows the patient, under the patient's consent to sharing with it (DATA_SHARING \
          with recipient_tenant_id); there it is a received document",
    takes: &[
        Field::uuid("file_id").required().refers(Refers::Tenant("files")),
        Field::uuid("grantee_tenant_id").required().refers(Refers::Installation("tenants")),
        Field::instant("expires_at").doc("when it can be opened no more; open until it is revoked when left out"),
    ],
    gives: Gives::Created(&DOCUMENT_GRANT),
    planes: &[Plane::Patient, Plane::Staff],
    permission: Permission::EditClinical,
    run: Run::Inside(|scope, call| Box::pin(create(scope, call))),
};

async fn create(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let nothing = Value::Null;
    let of = |name: &str| call.value(name).unwrap_or(&nothing);
    let grant = store::given_one(
        scope,
        &DOCUMENT_GRANT,
        "sec.grant_file($1, $2, $3)",
        &[(of("file_id"), Type::UUID), (of("grantee_tenant_id"), Type::UUID), (of("expires_at"), Type::TIMESTAMPTZ)],
        &call.caller.kernel.keys,
    )
    .await?;
    scope.audit(audit_store::of_record(scope.context(), Action::Create, &grant, scope.now()));
    Ok(Answer::Record(grant))
}
