//! Subscriptions to a tenant's events: paused and taken up again, given a new secret (catalogue 15.07).

use super::sealed;
use super::webhook_subscription::WEBHOOK_SUBSCRIPTION;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Table, Value};
use base64::Engine;
use chrono::TimeDelta;
use serde_json::json;

/// As the Standard Webhooks specification writes a symmetric secret: a prefix and 24 to 64 random bytes.
const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

const STEPS: Steps = Steps { tag: "Integrations", planes: &[Plane::Staff], permission: Permission::ManageIntegrations };

static SECRET: &[Field] = &[
    Field::uuid("id").required(),
    Field::text("secret").required().doc("shown this once"),
    Field::instant("previous_secret_expires_at").doc("until then events are signed with the former secret too"),
];

const SUBSCRIPTION: Gives = Gives::Record(&WEBHOOK_SUBSCRIPTION);
pub static ACTIVATE: Operation = STEPS.post(
    "activateWebhookSubscription",
    "/webhook-subscriptions/{id}/activate",
    "Send events again; failures are counted anew",
    &[],
    SUBSCRIPTION,
    Run::Inside(|scope, call| {
        let columns = vec![("consecutive_failures", Value::Int(0)), ("disabled_at", Value::Null)];
        Box::pin(transition(scope, call, &WEBHOOK_SUBSCRIPTION, columns))
    }),
);
pub static PAUSE: Operation = STEPS.post(
    "pauseWebhookSubscription",
    "/webhook-subscriptions/{id}/pause",
    "Send no events for a while",
    &[],
    SUBSCRIPTION,
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &WEBHOOK_SUBSCRIPTION, vec![]))),
);
pub static ROTATE_SECRET: Operation = STEPS.post(
    "rotateWebhookSubscriptionSecret",
    "/webhook-subscriptions/{id}/rotate-secret",
    "Give a new secret, shown this once; the former one signs on for the overlap",
    &[Field::int("overlap_hours").at_least(0).at_most(sealed::OVERLAP_HOURS_MAX).doc("24 when left out")],
    Gives::Object("WebhookSubscriptionSecret", SECRET),
    Run::Apart(|call| Box::pin(rotate(call))),
);

async fn rotate(call: Call) -> Result<Answer> {
    let table: &'static Table = &WEBHOOK_SUBSCRIPTION;
    let (mut scope, was) = sealed::held(&call, table).await?;
    let former = sealed::opened(&mut scope, &call, &was, "secret").await?;
    let until = match former {
        Value::Null => Value::Null,
        _ => Value::Instant(scope.now() + TimeDelta::hours(sealed::overlap_hours(&call))),
    };
    let secret = new_secret()?;
    let draft = Draft::default().set(table, "previous_secret", former)?.set(table, "previous_secret_expires_at", until)?.set(
        table,
        "secret",
        Value::Text(secret.clone()),
    )?;
    let record = sealed::kept(scope, &call, &was, &draft).await?;
    let members = [
        ("id", json!(record.id)),
        ("secret", json!(secret)),
        ("previous_secret_expires_at", record.get("previous_secret_expires_at").clone()),
    ];
    Ok(Answer::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

fn new_secret() -> Result<String> {
    let mut bytes = [0u8; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no random numbers"))?;
    Ok(format!("{SECRET_PREFIX}{}", base64::prelude::BASE64_STANDARD.encode(bytes)))
}
