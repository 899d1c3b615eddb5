//! What came through the form, looked at: what makes a referral of it, and what a person reads first.

use super::referral::REFERRAL;
use super::referral_submission::REFERRAL_SUBMISSION;
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Value, store, value};
use crate::sql;
use chrono::NaiveDate;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// What of the form goes into the referral, under the same names.
pub const FIELDS: &[&str] = &[
    "sender_clinic_name",
    "sender_clinic_email",
    "sender_clinic_phone",
    "referring_dentist",
    "patient_name",
    "patient_dob",
    "patient_phone",
    "patient_email",
    "reason",
    "fdi_teeth",
    "specialty",
    "urgency",
    "purpose",
];

sql! {
    /// $1 tenant, $2 id, $3 submission.
    ASK_FOR_REVIEW(UUID, UUID, UUID) = "
        insert into notifications (tenant_id, id, audience, type, resource_type, resource_id, title, message)
        values ($1, $2, 'TENANT', 'SYSTEM_MESSAGE', 'ReferralSubmission', $3, 'A form waits for review',
                'A referral that came through the public form is in quarantine: release or refuse it.')";
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Suspicious,
}

/// A letter about a patient holds no addresses to click and no markup.
pub fn verdict(payload: &Map<String, Json>) -> Verdict {
    const SIGNS: &[&str] = &["http:", "https:", "www.", "://", "<a", "<script", "<img", "[url", "javascript:"];
    let looks_bad = |text: &str| {
        let folded = text.to_lowercase();
        SIGNS.iter().any(|sign| folded.contains(sign))
    };
    match payload.values().filter_map(Json::as_str).any(looks_bad) {
        true => Verdict::Suspicious,
        false => Verdict::Clean,
    }
}

/// Rules beyond the form's fields.
pub fn checked(call: &Call) -> Result<()> {
    let mut wrong = Error::new(&error::INVALID);
    if matches!(call.value("patient_dob"), Some(Value::Date(born)) if *born > chrono::Utc::now().date_naive() || *born < oldest()) {
        wrong = wrong.fault("patient_dob", "range", "It must be a birth date of a living person.");
    }
    let teeth = match call.value("fdi_teeth") {
        Some(Value::Texts(teeth)) => teeth.as_slice(),
        _ => &[],
    };
    if teeth.len() > 52 || !teeth.iter().all(|tooth| is_fdi(tooth)) {
        wrong = wrong.fault("fdi_teeth", "format", "It must hold FDI tooth codes.");
    }
    if wrong.faults.is_empty() { Ok(()) } else { Err(wrong) }
}

fn oldest() -> NaiveDate {
    NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default()
}

/// ISO 3950: quadrants 1 to 4 with eight permanent teeth, 5 to 8 with five primary ones.
fn is_fdi(tooth: &str) -> bool {
    matches!(tooth.as_bytes(), [b'1'..=b'4', b'1'..=b'8'] | [b'5'..=b'8', b'1'..=b'5'])
}

pub fn payload(submission: &Record) -> Result<Map<String, Json>> {
    serde_json::from_str(submission.text("payload").unwrap_or_default()).map_err(Error::internal)
}

/// The incoming referral that a submission becomes.
pub async fn referral(scope: &mut Scope, caller: &Caller, submission: &Record) -> Result<Record> {
    let payload = payload(submission)?;
    let link = submission.uuid("referral_link_id").ok_or_else(|| Error::internal("a submission without a form"))?;
    let mut draft = Draft::default()
        .set(&REFERRAL, "referral_type", Value::Text("INCOMING".into()))?
        .set(&REFERRAL, "source", Value::Text("PUBLIC_FORM".into()))?
        .set(&REFERRAL, "referral_link_id", Value::Uuid(link))?;
    for name in FIELDS {
        if let (Some(field), Some(json)) = (REFERRAL.field(name), payload.get(*name)) {
            let value = value::parse(field, json).map_err(|(rule, text)| Error::new(&error::INVALID).fault(*name, rule, text))?;
            draft = draft.set(&REFERRAL, name, value)?;
        }
    }
    store::insert(scope, &REFERRAL, &draft, &caller.kernel.keys).await
}

pub async fn ask_for_review(scope: &mut Scope, submission: &Record) -> Result<()> {
    let id = Uuid::now_v7();
    scope.exec(&ASK_FOR_REVIEW, &[&submission.tenant, &id, &submission.id]).await?;
    Ok(())
}

const REASON: &[Field] = &[Field::text("reason").required().length(1_000)];

const fn decision(id: &'static str, path: &'static str, doc: &'static str, run: Run) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Referrals and public referral links",
        doc,
        takes: REASON,
        gives: Gives::Record(&REFERRAL_SUBMISSION),
        planes: &[Plane::Staff],
        permission: Permission::EditReferral,
        run,
    }
}

pub static RELEASE: Operation = decision(
    "releaseReferralSubmission",
    "/referral-submissions/{id}/release",
    "A quarantined form is good after all: make a referral of it",
    Run::Apart(|call| Box::pin(decide(call, "release"))),
);

pub static REFUSE: Operation = decision(
    "refuseReferralSubmission",
    "/referral-submissions/{id}/refuse",
    "A form is no referral",
    Run::Apart(|call| Box::pin(decide(call, "refuse"))),
);

/// Staff see a submission with their own eyes; the server, which alone writes submissions, acts for them.
async fn decide(call: Call, by: &'static str) -> Result<Answer> {
    let (caller, id, keys) = (&call.caller, call.id()?, &call.caller.kernel.keys);
    let context = caller.reading(&REFERRAL_SUBMISSION)?;
    let seen = caller.glance(&context, &REFERRAL_SUBMISSION, id).await?;
    let mut scope = caller.kernel.door.open(&caller.acting(seen.tenant, call.operation.permission)?).await?;
    let was = store::lock(&mut scope, &REFERRAL_SUBMISSION, id, call.version, keys).await?;
    let machine = REFERRAL_SUBMISSION.machines.first().ok_or_else(|| Error::internal("submissions have no states"))?;
    let from = was.text("status").unwrap_or_default();
    let Some(to) = machine.allowed(from, by).first().copied() else { return Err(store::refuse_move(machine, from)) };
    let mut draft = Draft::default().set(&REFERRAL_SUBMISSION, "status", Value::Text(to.to_owned()))?;
    if to == "ACCEPTED" {
        let referral = referral(&mut scope, caller, &was).await?;
        draft = draft.set(&REFERRAL_SUBMISSION, "referral_id", Value::Uuid(referral.id))?;
    }
    let done = store::update(&mut scope, &was, &draft, by, keys).await?;
    let now = scope.now();
    let mut event = audit_store::of_record(&caller.context, Action::Execute, &done, now);
    event.metadata =
        crate::kernel::audit::Metadata::new().text("operation", call.operation.id).text("reason", call.text("reason").unwrap_or_default());
    scope.audit(event);
    scope.commit().await?;
    Ok(Answer::Record(done))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn links_and_markup_are_read_by_a_person_first() {
        let of = |reason: &str| verdict(json!({"patient_name": "Ana", "reason": reason}).as_object().unwrap());
        assert_eq!(of("Tooth 36, apical lesion. See film of 3.4."), Verdict::Clean);
        for bad in ["see HTTP://evil.example", "www.evil.example", "<A href=x>", "[url=x]", "<script>"] {
            assert_eq!(of(bad), Verdict::Suspicious, "{bad}");
        }
    }

    #[test]
    fn there_are_52_teeth() {
        let all = (0..100).map(|n| format!("{n:02}")).filter(|code| is_fdi(code)).count();
        assert_eq!(all, 52);
        assert!(!is_fdi("1") && !is_fdi("111") && !is_fdi(""));
    }
}
