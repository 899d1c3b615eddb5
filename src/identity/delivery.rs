//! Letters on their way out. A server takes one for longer than handing it over may last, so no two deliver the same; what a
//! server leaves behind that dies in between comes again, under the same message id. A letter whose attempt failed waits, twice as
//! long each time, until what it says is worth nothing; then its row tells why it was not sent. Address and text go with the end.

use super::mail;
use crate::kernel::Kernel;
use crate::kernel::bell::Bell;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::Result;
use crate::kernel::post::{self, Failure, Post};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use std::sync::Arc;
use tokio_postgres::Row;
use uuid::Uuid;

/// Letters one server hands over at once.
const AT_ONCE: usize = 4;
/// Letters a round looks at. Tenants take turns in it.
const ROUND: i64 = 40;
const ATTEMPTS_MAX: i32 = 24;
const WAITS_FIRST: TimeDelta = TimeDelta::seconds(15);
const WAITS_MAX: TimeDelta = TimeDelta::hours(1);

sql! {
    /// $1 whether only those whose time is over, $2 how many.
    DUE(BOOL, INT8) = "select tenant_id, id from sec.letters_due($1, $2)";
    /// $1 tenant, $2 letter. Nothing when another server has it. Handing it over ends long before another may take it.
    TAKE(UUID, UUID) = "
        update letters l set attempts = l.attempts + 1, next_attempt_at = clock_timestamp() + interval '2 minutes'
          from (select x.id from letters x
                 where x.tenant_id = $1 and x.id = $2 and x.state = 'WAITING' and x.next_attempt_at <= clock_timestamp()
                   for no key update skip locked) due
         where l.tenant_id = $1 and l.id = due.id returning l.letter_enc, l.attempts, l.good_until, l.created_at";
    /// $1 tenant, $2 letter, $3 attempt, $4 state, $5 failure, $6 the mail server's reply, $7 when to come again.
    ENDED(UUID, UUID, INT4, TEXT, TEXT, INT4, TIMESTAMPTZ) = "
        update letters set state = $4, failure = $5, reply_code = $6, next_attempt_at = coalesce($7, next_attempt_at),
               letter_enc = case $4 when 'WAITING' then letter_enc end, sent_at = case $4 when 'SENT' then clock_timestamp() end
         where tenant_id = $1 and id = $2 and state = 'WAITING' and attempts = $3";
}

/// What becomes of a letter after an attempt.
#[derive(Debug, PartialEq)]
struct Outcome {
    state: &'static str,
    failure: Option<&'static str>,
    reply: Option<i32>,
    again_at: Option<DateTime<Utc>>,
}

/// Hands over what is due. Without a way out, only tells of what is too late.
pub async fn carry_on(kernel: &Kernel) -> Result<()> {
    let post = kernel.services.get::<Arc<Post>>().map(Arc::as_ref);
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&DUE).into(), vec![&post.is_none(), &ROUND])]).await?;
    let due = answers.iter().flatten().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<Vec<(Uuid, Uuid)>>>()?;
    if due.len() as i64 == ROUND {
        Bell::of(kernel).letters.notify_one();
    }
    futures_util::stream::iter(due)
        .for_each_concurrent(AT_ONCE, async |(tenant, id)| {
            if let Err(failure) = deliver(kernel, post, tenant, id).await {
                tracing::warn!(tenant.id = %tenant, letter.id = %id, error = %failure, "A letter could not be looked after");
            }
        })
        .await;
    Ok(())
}

async fn deliver(kernel: &Kernel, post: Option<&Post>, tenant: Uuid, id: Uuid) -> Result<()> {
    let context = Context::system(Plane::Jobs, Some(tenant));
    let mut scope = kernel.door.open(&context).await?;
    let Some(row) = scope.optional(&TAKE, &[&tenant, &id]).await? else { return scope.commit().await };
    scope.commit().await?;
    let attempt: i32 = row.try_get("attempts")?;
    let outcome = attempted(kernel, post, id, &row).await?;
    metrics::counter!("letters_total", "outcome" => outcome.failure.unwrap_or("SENT")).increment(1);
    if let (state @ "FAILED", Some(failure)) = (outcome.state, outcome.failure) {
        tracing::warn!(tenant.id = %tenant, letter.id = %id, state, failure, attempt, "A letter was given up");
    }
    let mut scope = kernel.door.open(&context).await?;
    let Outcome { state, failure, reply, again_at } = outcome;
    scope.exec(&ENDED, &[&tenant, &id, &attempt, &state, &failure, &reply, &again_at]).await?;
    scope.commit().await
}

async fn attempted(kernel: &Kernel, post: Option<&Post>, id: Uuid, row: &Row) -> Result<Outcome> {
    let given_up = |failure| Outcome { state: "FAILED", failure: Some(failure), reply: None, again_at: None };
    let (good_until, now): (DateTime<Utc>, _) = (row.try_get("good_until")?, Utc::now());
    let Some(post) = post.filter(|_| now < good_until) else { return Ok(given_up("TOO_LATE")) };
    let sealed: Option<Vec<u8>> = row.try_get("letter_enc")?;
    let Ok(letter) = mail::read(kernel, &sealed.unwrap_or_default()) else { return Ok(given_up("UNREADABLE")) };
    let mail::Letter { to, subject, text } = &letter;
    let sent = post.send(&post::Letter { id, written_at: row.try_get("created_at")?, to, subject, text }).await;
    Ok(told(sent, row.try_get("attempts")?, Utc::now(), good_until))
}

fn told(sent: Result<(), Failure>, attempt: i32, now: DateTime<Utc>, good_until: DateTime<Utc>) -> Outcome {
    let (failure, reply) = match sent {
        Ok(()) => return Outcome { state: "SENT", failure: None, reply: None, again_at: None },
        Err(Failure::Refused(code)) => ("REFUSED", code),
        Err(Failure::Deferred(code)) => ("DEFERRED", Some(code)),
        Err(Failure::Unreachable) => ("UNREACHABLE", None),
    };
    let again_at = now + (WAITS_FIRST * (1 << (attempt - 1).clamp(0, 10))).min(WAITS_MAX);
    let again = failure != "REFUSED" && attempt < ATTEMPTS_MAX && again_at < good_until;
    let (state, again_at) = if again { ("WAITING", Some(again_at)) } else { ("FAILED", None) };
    Outcome { state, failure: Some(failure), reply: reply.map(i32::from), again_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_followed_by_another_later_one_while_the_letter_is_good() {
        let now = Utc::now();
        let after = |attempt, minutes| {
            let outcome = told(Err(Failure::Deferred(451)), attempt, now, now + TimeDelta::minutes(minutes));
            (outcome.state, outcome.again_at.map(|at| (at - now).num_seconds()))
        };
        assert_eq!(after(1, 15), ("WAITING", Some(15)));
        assert_eq!(after(3, 15), ("WAITING", Some(60)));
        assert_eq!(after(6, 8), ("FAILED", None), "eight minutes from now it is worth nothing");
        assert_eq!(after(23, 900), ("WAITING", Some(3600)), "an hour at most");
        assert_eq!(after(24, 900), ("FAILED", None));
        let refused = told(Err(Failure::Refused(Some(550))), 1, now, now + TimeDelta::days(1));
        assert_eq!(refused, Outcome { state: "FAILED", failure: Some("REFUSED"), reply: Some(550), again_at: None });
        assert_eq!(told(Ok(()), 2, now, now + TimeDelta::days(1)).state, "SENT");
    }
}
