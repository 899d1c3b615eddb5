//! The platform looks at a certificate's document and says that it is real (catalogue 5.02).

use super::clinic_certification::CLINIC_CERTIFICATION;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Width, record, store};
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
    let plane = scope.context().plane;
    let sql = format!("select {} from sec.verify_certification($1, $2) r", record::columns(&CLINIC_CERTIFICATION, plane, Width::Full));
    let rows = scope.rows_once(&sql, &[(&call.uuid("tenant_id"), Type::UUID), (&call.id()?, Type::UUID)]).await?;
    let verified = store::one(&CLINIC_CERTIFICATION, plane, &rows, &call.caller.kernel.keys).await?;
    scope.did(Action::Update, &verified);
    Ok(Answer::Record(verified))
}
