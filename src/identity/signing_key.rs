//! A new key for ID tokens, by order of the platform; they turn over by themselves as well (`oauth/signing.rs`).

use super::service::Service;
use super::session_operations::object;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::Field;
use serde_json::json;

static MADE: &[Field] = &[Field::uuid("kid").required().doc("of the new key; it signs when it has been published for ten minutes")];

pub static ROTATE: Operation = Operation {
    id: "rotateSigningKey",
    method: Method::Post,
    path: "/signing-keys/rotate",
    tag: "Identity",
    doc: "Make a new key that signs ID tokens; the old ones are published until what they signed has expired",
    takes: &[],
    gives: Gives::Object("SigningKey", MADE),
    planes: &[Plane::Platform],
    permission: Permission::ManagePlatform,
    run: Run::Apart(|call| Box::pin(rotate(call))),
};

async fn rotate(call: Call) -> Result<Answer> {
    let kernel = &call.caller.kernel;
    let kid = Service::of(kernel)?.signing.rotate(kernel, &call.caller.context).await?;
    Ok(Answer::Object(object(json!({"kid": kid}))))
}
