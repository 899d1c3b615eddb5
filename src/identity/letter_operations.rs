//! Letters over REST: a forgotten password, a confirmed address, an invitation (catalogue 2.01, 2.13, C03).

use super::letters;
use super::member_invitation::MEMBER_INVITATION;
use super::session_operations::{ANYONE, PEOPLE, own_session};
use super::words;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::Field;
use crate::sql;

sql! {
    /// $1 login.
    PERSON(UUID) = "select email, preferred_locale from users where id = $1";
}

const fn post(
    id: &'static str,
    path: &'static str,
    doc: &'static str,
    takes: &'static [Field],
    planes: &'static [Plane],
    permission: Permission,
    run: Run,
) -> Operation {
    Operation { id, method: Method::Post, path, tag: "Identity", doc, takes, gives: Gives::Nothing, planes, permission, run }
}

pub static REQUEST_RESET: Operation = post(
    "requestPasswordReset",
    "/users/request-password-reset",
    "Send whoever has this address a link to a new password, good once and for 15 minutes; the answer is the same for everybody",
    &[Field::text("email").required().length(254).pii()],
    ANYONE,
    Permission::Own,
    Run::Apart(|call| Box::pin(async move { letters::forgotten(&call.caller, text(&call, "email")).map(|()| Answer::Nothing) })),
);
pub static RESET: Operation = post(
    "resetPassword",
    "/users/reset-password",
    "Set a new password with the key of such a link; all sessions end, the second factor stays",
    &[Field::text("token").required().length(100).write_only(), Field::text("new_password").required().length(256).write_only()],
    ANYONE,
    Permission::Own,
    Run::Apart(|call| Box::pin(reset(call))),
);
pub static REQUEST_VERIFICATION: Operation = post(
    "requestEmailVerification",
    "/users/request-email-verification",
    "Send oneself a link that confirms the address one signs in with",
    &[],
    PEOPLE,
    Permission::Own,
    Run::Apart(|call| Box::pin(request_verification(call))),
);
pub static VERIFY: Operation = post(
    "verifyEmail",
    "/users/verify-email",
    "Confirm an address with the key of such a link",
    &[Field::text("token").required().length(100).write_only()],
    ANYONE,
    Permission::Own,
    Run::Apart(|call| Box::pin(verify(call))),
);
pub static SEND_INVITATION: Operation = post(
    "sendMemberInvitation",
    "/member-invitations/{id}/send",
    "Send an invitation to its address, with a link by which somebody without an account makes one",
    &[],
    &[Plane::Staff],
    Permission::ManageUsers,
    Run::Apart(|call| Box::pin(send(call))),
);

fn text<'a>(call: &'a Call, name: &str) -> &'a str {
    call.text(name).unwrap_or_default()
}

async fn reset(call: Call) -> Result<Answer> {
    letters::reset(&call.caller, text(&call, "token"), text(&call, "new_password")).await?;
    Ok(Answer::Nothing)
}

async fn verify(call: Call) -> Result<Answer> {
    letters::verify(&call.caller, text(&call, "token")).await?;
    Ok(Answer::Nothing)
}

async fn request_verification(call: Call) -> Result<Answer> {
    let (_, user) = own_session(&call)?;
    let scope = call.caller.kernel.door.open(&super::grant::behind(&call.caller.context, call.caller.context.tenant)).await?;
    let found = scope.once(&[((&PERSON).into(), vec![&user])]).await?;
    let row = found.iter().flatten().next().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    letters::ask_to_verify(&call.caller, user, row.try_get(0)?, words::best("", row.try_get(1)?)).await?;
    Ok(Answer::Nothing)
}

async fn send(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    caller.needs_throughout(Permission::ManageUsers)?;
    let context = caller.reading(&MEMBER_INVITATION)?;
    let invitation = caller.glance(&context, &MEMBER_INVITATION, id).await?;
    if invitation.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    letters::send_invitation(caller, caller.tenant()?, id).await?;
    Ok(Answer::Nothing)
}
