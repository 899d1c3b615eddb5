//! Keys to a share: a link opens one patient's chart for whoever holds it, for a while, so often and no oftener, and shows what
//! the share names (catalogue C24, 3.07). Opening gives a short token for the share plane, where nothing can be changed.

use super::record_share::RECORD_SHARE;
use crate::identity::service::Service;
use crate::identity::token::{Kind, Token};
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps};
use crate::kernel::table::{Field, Value};
use crate::sql;
use chrono::TimeDelta;
use serde_json::{Map, json};
use uuid::Uuid;

/// How long what was opened stays open.
const VISIT_MINUTES: i64 = 30;
const USES_MAX: i64 = 100;

sql! {
    /// $1 share, $2 hash of the link, $3 whether it asks for the birth date, $4 how often it opens.
    LINK_ADD(UUID, BYTEA, BOOL, INT4) = "select sec.make_share_link($1, $2, $3, $4)";
    /// $1 share.
    LINKS_END(UUID) = "select sec.end_share_links($1)";
    /// $1 hash of the link, $2 birth date, $3 hash of the visit, $4 until when.
    OPEN_SHARE(BYTEA, DATE, BYTEA, TIMESTAMPTZ) = "select tenant_id, share_id, patient_id, permissions from sec.open_share($1, $2, $3, $4)";
}

const STEPS: Steps = Steps { tag: RECORD_SHARE.tag, planes: &[Plane::Staff, Plane::Patient], permission: Permission::EditPatient };

pub static MAKE_LINK: Operation = STEPS.post(
    "makeShareLink",
    "/record-shares/{id}/make-link",
    "A key to a share for whoever is given it; it is in the answer and nowhere else",
    &[
        Field::int("uses_max").at_least(1).at_most(USES_MAX).doc("how often it opens; once when left out"),
        Field::flag("asks_birth_date").doc("whether the patient's birth date is asked for; yes when left out"),
    ],
    Gives::Object(
        "ShareLink",
        &[
            Field::uuid("id").required(),
            Field::text("token").shown_once().doc("to be handed on in the body of a request, never in an address"),
        ],
    ),
    Run::Inside(|scope, call| Box::pin(make_link(scope, call))),
);

async fn make_link(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let uses = match call.value("uses_max") {
        Some(Value::Int(uses)) => *uses,
        _ => 1,
    };
    let asks = !matches!(call.value("asks_birth_date"), Some(Value::Bool(false)));
    let (share, token) = (call.id()?, Token::new(Kind::ShareLink)?);
    let link: Option<Uuid> = scope.one(&LINK_ADD, &[&share, &token.hash().as_bytes(), &asks, &uses]).await?.try_get(0)?;
    let link = link.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let mut event = audit_store::of(scope.context(), "SHARE_LINK_MADE", Action::Create, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some(RECORD_SHARE.schema.into()), Some(share));
    scope.audit(event);
    let members = [("id".to_owned(), json!(link)), ("token".to_owned(), json!(token.expose()))];
    Ok(Answer::Object(members.into_iter().collect()))
}

pub static END_LINKS: Operation = STEPS.post(
    "endShareLinks",
    "/record-shares/{id}/end-links",
    "End all keys to a share, and what they have opened; the share stays",
    &[],
    Gives::Object("ShareLinksEnded", &[Field::big("ended").required()]),
    Run::Inside(|scope, call| Box::pin(end_links(scope, call))),
);

async fn end_links(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let share = call.id()?;
    let ended: Option<i64> = scope.one(&LINKS_END, &[&share]).await?.try_get(0)?;
    let ended = ended.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let mut event = audit_store::of(scope.context(), "SHARE_LINKS_ENDED", Action::Update, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some(RECORD_SHARE.schema.into()), Some(share));
    scope.audit(event);
    Ok(Answer::Object([("ended".to_owned(), json!(ended))].into_iter().collect()))
}

pub static OPEN_LINK: Operation = Operation {
    planes: &[Plane::Auth],
    permission: Permission::Own,
    ..STEPS.post(
        "openShareLink",
        "/shared/open",
        "Open what a link is the key to; every reason why it does not open has one answer",
        &[Field::text("token").required(), Field::date("birth_date").phi().doc("the patient's, where the link asks for it")],
        Gives::Object(
            "OpenedShare",
            &[
                Field::text("access_token").shown_once().doc("a bearer token for reading"),
                Field::int("expires_in").required(),
                Field::uuid("patient_id").required(),
                Field::texts("permissions").required(),
            ],
        ),
        Run::Apart(|call| Box::pin(open_link(call))),
    )
};

async fn open_link(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let none = || Error::new(&error::NOT_FOUND).detail("This link does not open.");
    let origin = caller.context.origin.as_ref().and_then(|origin| origin.ip);
    let link = Token::parse(Kind::ShareLink, call.text("token").unwrap_or_default()).ok_or_else(none)?;
    Service::of(&caller.kernel)?.throttle.admit(&hex(link.hash().as_bytes()), origin)?;
    let visit = Token::new(Kind::Share)?;
    let birth_date = match call.value("birth_date") {
        Some(Value::Date(date)) => Some(*date),
        _ => None,
    };
    let mut scope = caller.kernel.door.open(&Context { tenant: None, ..caller.context.clone() }).await?;
    let until = scope.now() + TimeDelta::minutes(VISIT_MINUTES);
    let (link, opened) = (link.hash(), visit.hash());
    let row = scope.optional(&OPEN_SHARE, &[&link.as_bytes(), &birth_date, &opened.as_bytes(), &until]).await?;
    // A wrong birth date is counted, so what was written stays.
    let Some(row) = row else {
        scope.commit().await?;
        return Err(none());
    };
    let (tenant, share): (Uuid, Option<Uuid>) = (row.try_get(0)?, row.try_get(1)?);
    let outcome = if share.is_some() { Outcome::Success } else { Outcome::Denied };
    let mut event = audit_store::of(scope.context(), "SHARE_OPENED", Action::Execute, outcome, scope.now());
    (event.tenant_id, event.patient_id, event.resource_id) = (tenant, row.try_get(2)?, share);
    (event.resource_type, event.metadata) = (Some(RECORD_SHARE.schema.into()), Metadata::new());
    scope.audit(event);
    scope.commit().await?;
    let mut members = Map::new();
    share.ok_or_else(none)?;
    members.insert("access_token".into(), json!(visit.expose()));
    members.insert("expires_in".into(), json!(VISIT_MINUTES * 60));
    members.insert("patient_id".into(), json!(row.try_get::<_, Uuid>(2)?));
    members.insert("permissions".into(), json!(row.try_get::<_, Vec<String>>(3)?));
    Ok(Answer::Object(members))
}
