//! Reading: notifications and messages are read by each reader for themselves; words are found in what the caller may read
//! (catalogue 13.01, 13.04, 13.07, 16.05).

use super::message::MESSAGE;
use super::notification::NOTIFICATION;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::{Param, Scope};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::page::{LIMIT, limit};
use crate::kernel::table::{Field, store};
use crate::sql;
use serde_json::json;
use tokio_postgres::types::Type;
use uuid::Uuid;

sql! {
    /// $1 notification, null for all: how many were unread, null when it is not the caller's.
    MARK_READ(UUID) = "select sec.mark_read($1)";
}

const BOTH: &[Plane] = &[Plane::Staff, Plane::Patient];

pub static READ_NOTIFICATION: Operation = Operation {
    id: "markNotificationRead",
    method: Method::Post,
    path: "/notifications/{id}/mark-read",
    tag: NOTIFICATION.tag,
    doc: "The caller has read it; others for whom it is have not. Again is the same",
    takes: &[],
    gives: Gives::Record(&NOTIFICATION),
    planes: BOTH,
    permission: Permission::Own,
    run: Run::Inside(|scope, call| Box::pin(read_notification(scope, call))),
};

async fn read_notification(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let id = call.id()?;
    mark(scope, Some(id)).await?.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let notification = store::seen(scope, &NOTIFICATION, id, &call.caller.kernel.keys).await?;
    scope.did(Action::Update, &notification);
    Ok(Answer::Record(notification))
}

async fn mark(scope: &mut Scope, id: Option<Uuid>) -> Result<Option<i64>> {
    Ok(scope.one(&MARK_READ, &[&id]).await?.try_get(0)?)
}

pub static READ_ALL: Operation = Operation {
    id: "markAllNotificationsRead",
    method: Method::Post,
    path: "/notifications/mark-all-read",
    tag: NOTIFICATION.tag,
    doc: "The caller has read everything that is for them",
    takes: &[],
    gives: Gives::Object("NotificationsRead", &[Field::big("read").required().doc("that were unread before")]),
    planes: BOTH,
    permission: Permission::Own,
    run: Run::Inside(|scope, _| {
        Box::pin(async move {
            let read = mark(scope, None).await?.unwrap_or_default();
            Ok(Answer::Object([("read".to_owned(), json!(read))].into_iter().collect()))
        })
    }),
};

pub static READ_MESSAGE: Operation = Operation {
    id: "markMessageRead",
    method: Method::Post,
    path: "/messages/{id}/mark-read",
    tag: MESSAGE.tag,
    doc: "A participant has read the thread up to here",
    takes: &[],
    gives: Gives::Record(&MESSAGE),
    planes: BOTH,
    permission: Permission::ViewMessages,
    run: Run::Inside(|scope, call| Box::pin(read_message(scope, call))),
};

/// Who only reads may not change a message: the security role notes it for them.
async fn read_message(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let message = store::given_one(scope, &MESSAGE, "sec.read_message($1)", &[(&call.id()?, Type::UUID)], &call.caller.kernel.keys).await?;
    scope.did(Action::Read, &message);
    Ok(Answer::Record(message))
}

const WORD_CHARACTERS_MIN: usize = 2;

pub static SEARCH: Operation = Operation {
    id: "searchMessages",
    method: Method::Post,
    path: "/messages/search",
    tag: MESSAGE.tag,
    doc: "Messages that hold all the words, newest first, of those the caller may read; what is sought is in no URL",
    takes: &[Field::text("q").example(r#""caries""#).required().doc("2 characters or more"), Field::uuid("conversation_id"), LIMIT],
    gives: Gives::Page(&MESSAGE),
    planes: BOTH,
    permission: Permission::ViewMessages,
    run: Run::Apart(|call| Box::pin(search(call))),
};

async fn search(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let words = call.text("q").unwrap_or_default();
    if words.trim().chars().count() < WORD_CHARACTERS_MIN {
        return Err(Error::new(&error::INVALID).fault("q", "length", "It needs 2 characters or more."));
    }
    let most = i32::try_from(limit(&call)).unwrap_or(i32::MAX);
    let mut scope = caller.kernel.door.open(&caller.context).await?;
    let params: [(Param<'_>, Type); 3] = [(&words, Type::TEXT), (&call.uuid("conversation_id"), Type::UUID), (&most, Type::INT4)];
    let found = store::given(&mut scope, &MESSAGE, "sec.search_messages($1, $2, $3) r", &params, &caller.kernel.keys).await?;
    scope.commit().await?;
    caller.searched(&caller.context, &MESSAGE, &found).await?;
    Ok(Answer::Page(found, None))
}
