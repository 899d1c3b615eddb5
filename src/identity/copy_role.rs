//! A tenant's own role from one it can see (catalogue 2.15, C54): shared templates cannot be changed, their copies can.

use super::role::ROLE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Value, store};
use crate::sql;

sql! {
    /// $1 tenant of the copy, $2 the copy, $3 tenant of the source, $4 the source.
    COPY_PERMISSIONS(UUID, UUID, UUID, UUID) = "
        insert into role_permissions (tenant_id, id, role_id, permission_id)
        select $1, gen_random_uuid(), $2, p.permission_id from role_permissions p
         where p.tenant_id = $3 and p.role_id = $4 and p.deleted_at is null";
}

pub static COPY_ROLE: Operation = Operation {
    id: "copyRole",
    method: Method::Post,
    path: "/roles/{id}/copy",
    tag: "Identity",
    doc: "Make an own role with the same permissions as one that is visible",
    takes: &[Field::text("code").required(), Field::text("name").doc("that of the source when left out")],
    gives: Gives::Created(&ROLE),
    planes: &[Plane::Staff],
    permission: Permission::ManageUsers,
    run: Run::Inside(|scope, call| Box::pin(copy(scope, call))),
};

async fn copy(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let source = store::seen(scope, &ROLE, call.id()?, keys).await?;
    if source.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let mut draft = Draft::default();
    for (name, given) in [
        ("code", call.text("code")),
        ("name", call.text("name").or(source.text("name"))),
        ("description", source.text("description")),
        ("default_resource_scope", source.text("default_resource_scope")),
    ] {
        if let Some(text) = given {
            draft = draft.set(&ROLE, name, Value::Text(text.to_owned()))?;
        }
    }
    let made = store::insert(scope, &ROLE, &draft, keys).await?;
    scope.exec(&COPY_PERMISSIONS, &[&made.tenant, &made.id, &source.tenant, &source.id]).await?;
    Ok(Answer::Record(made))
}
