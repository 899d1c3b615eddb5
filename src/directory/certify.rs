//! The platform looks at a certificate's document and says that it is real (catalogue 5.02).

use super::clinic_certification::CLINIC_CERTIFICATION;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, store};
use tokio_postgres::types::Type;

pub static VERIFY: Operation = Operation {
    id: "verifyClinicCertification",
    method: Method::Post,
    path: "/clinic-certifications/{id}/verify",
    tag: "Clinic profiles",
    doc: "Mark a certificate as verified by its document; a later change of it is to be verified again",
    takes: &[Field::uuid("tenant_id").required().doc("the clinic whose it is")],
    gives: Gives::Record(&CLINIC_CERTIFICATION),
    planes: &[Plane::Platform],
    permission: Permission::Own,
    run: Run::Inside(|scope, call| Box::pin(verify(scope, call))),
};

async fn verify(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let verified = store::given_one(
        scope,
        &CLINIC_CERTIFICATION,
        "sec.verify_certification($1, $2)",
        &[(&call.uuid("tenant_id"), Type::UUID), (&call.id()?, Type::UUID)],
        &call.caller.kernel.keys,
    )
    .await?;
    scope.did(Action::Update, &verified);
    Ok(Answer::Record(verified))
}
