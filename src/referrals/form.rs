//! The public form: anybody may fill it in, nobody learns anything by it (catalogue 12.12, B3, C56). Limited by address and
//! form, paid for by work, stored sealed, looked at before staff get a referral of it.

use super::proof;
use super::referral_submission::REFERRAL_SUBMISSION;
use super::screening::{self, FIELDS, Verdict};
use crate::identity::throttle::Throttle;
use crate::kernel::Caller;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Form, Record, Value, store, value};
use crate::sql;
use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use governor::Quota;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::sync::LazyLock;
use uuid::Uuid;

const TAG: &str = "Referrals and public referral links";
/// One address and one form.
static THROTTLE: LazyLock<Throttle> = LazyLock::new(|| Throttle::new(Quota::per_hour(PER_HOUR).allow_burst(BURST)));
const PER_HOUR: NonZeroU32 = NonZeroU32::new(60).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// How long the sender may look up what became of it.
const STATUS_DAYS: i64 = 90;
const TOKEN_BYTES: usize = 32;

sql! {
    /// $1 slug, current or left behind.
    HOME_OF_SLUG(TEXT) = "select owner_tenant_id, referral_link_id from referral_link_slugs where slug = $1";
    /// $1 tenant, $2 link. A form of a tenant that does not work is no form.
    FORM(UUID, UUID) = "
        select k.slug, coalesce(l.name, t.name), k.intro_text, k.allow_files, k.max_files
          from referral_links k join tenants t on t.id = k.tenant_id
          left join locations l on l.tenant_id = k.tenant_id and l.id = k.location_id
         where k.tenant_id = $1 and k.id = $2 and k.is_active and k.deleted_at is null and t.status = 'ACTIVE'";
    /// $1 tenant, $2 platform: the words a sender agrees to, the clinic's own before the platform's.
    CONSENT_TEXT(UUID, UUID) = "
        select tenant_id, id, body, locale from consent_texts
         where tenant_id in ($1, $2) and 'DATA_SHARING' = any (consent_types) and retired_at is null and effective_from <= now()
         order by (tenant_id = $1) desc, version_no desc, id limit 1";
    /// $1 tenant, $2 submission, $3 owner of the text, $4 text.
    AGREED(UUID, UUID, UUID, UUID) = "
        update referral_submissions set consent_text_tenant_id = $3, consent_text_id = $4 where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 hash, $3 now.
    STATE_OF_TOKEN(UUID, BYTEA, TIMESTAMPTZ) = "
        select s.status, r.status from referral_submissions s
          left join referrals r on r.tenant_id = s.tenant_id and r.id = s.referral_id
         where s.tenant_id = $1 and s.status_token_hash = $2 and s.token_expires_at > $3";
}

const FORM_FIELDS: &[Field] = &[
    Field::text("slug").required().doc("the form's address now; an older one leads here"),
    Field::text("clinic_name").required(),
    Field::text("intro_text").length(4_000),
    Field::int("proof_bits").required().doc("leading zero bits of SHA-256(\"enamel-refer\\n<slug as sent>\\n<proof>\")"),
    Field::uuid("consent_text_id"),
    Field::text("consent_text").length(20_000),
];

pub static GET_FORM: Operation = Operation {
    id: "getReferralForm",
    method: Method::Get,
    path: "/refer/{slug}",
    tag: TAG,
    doc: "What a clinic's public referral form shows",
    takes: &[Field::text("slug").required().length(63)],
    gives: Gives::Object("ReferralForm", FORM_FIELDS),
    planes: &[Plane::Auth],
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(get_form(call))),
};

/// An active form.
struct Open {
    tenant: Uuid,
    link: Uuid,
    slug: String,
    name: String,
    intro: Option<String>,
}

/// Unknown, left to another clinic, switched off, closed: one answer.
async fn open_form(caller: &Caller, slug: &str) -> Result<Open> {
    let none = || Error::new(&error::NOT_FOUND);
    let scope = caller.kernel.door.open(&caller.context).await?;
    let answers = scope.once(&[((&HOME_OF_SLUG).into(), vec![&slug])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(none)?;
    let (tenant, link): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
    let scope = caller.kernel.door.open(&Context { tenant: Some(tenant), ..caller.context.clone() }).await?;
    let answers = scope.once(&[((&FORM).into(), vec![&tenant, &link])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(none)?;
    Ok(Open { tenant, link, slug: row.try_get(0)?, name: row.try_get(1)?, intro: row.try_get(2)? })
}

/// The text's owner, id, words and language.
type ConsentText = (Uuid, Uuid, String, String);

async fn consent_text(scope: &mut Scope, tenant: Uuid) -> Result<Option<ConsentText>> {
    let row = scope.optional(&CONSENT_TEXT, &[&tenant, &crate::kernel::context::PLATFORM_TENANT]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))).transpose()
}

async fn get_form(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let form = open_form(caller, call.text("slug").unwrap_or_default()).await?;
    let mut scope = caller.kernel.door.open(&caller.server(form.tenant)).await?;
    let text = consent_text(&mut scope, form.tenant).await?;
    scope.commit().await?;
    let mut shown = Map::new();
    shown.insert("slug".into(), form.slug.into());
    shown.insert("clinic_name".into(), form.name.into());
    shown.insert("intro_text".into(), form.intro.into());
    shown.insert("proof_bits".into(), proof::BITS.into());
    shown.insert("consent_text_id".into(), text.as_ref().map(|(_, id, ..)| id.to_string()).into());
    shown.insert("consent_text".into(), text.map(|(_, _, body, _)| body).into());
    Ok(Answer::Object(shown))
}

const RECEIPT: &[Field] =
    &[Field::text("status_token").required().doc("shown once; looks up what became of it"), Field::instant("expires_at").required()];

pub static SUBMIT: Operation = Operation {
    id: "submitPublicReferral",
    method: Method::Post,
    path: "/refer/{slug}",
    tag: TAG,
    doc: "Refer a patient to a clinic by its public form, without a login",
    takes: &[
        Field::text("slug").required().length(63),
        Field::text("proof").required().doc("`<unix seconds>.<nonce>`, worked for as the form says; good once"),
        Field::flag("consent").required().doc("true: the patient's data may be sent to the clinic"),
        Field::uuid("consent_text_id").doc("the text agreed to, when the form shows one"),
        Field::text("sender_clinic_name").required(),
        Field::text("sender_clinic_email").required().form(Form::Email).pii(),
        Field::text("sender_clinic_phone").pii(),
        Field::text("referring_dentist"),
        Field::text("patient_name").required().phi(),
        Field::date("patient_dob").required().phi(),
        Field::text("patient_phone").phi(),
        Field::text("patient_email").form(Form::Email).phi(),
        Field::text("reason").required().length(4_000).phi(),
        Field::texts("fdi_teeth").phi(),
        Field::text("specialty"),
        Field::choice("urgency", &["ROUTINE", "URGENT", "EMERGENCY"]).means(&["in its turn", "soon", "at once"]),
        Field::choice("purpose", &["REFERRAL", "SECOND_OPINION"]).means(&["treat the patient", "say what you think"]),
    ],
    gives: Gives::Object("ReferralReceipt", RECEIPT),
    planes: &[Plane::Auth],
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(submit(call))),
};

async fn submit(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let slug = call.text("slug").unwrap_or_default();
    let address = caller.context.origin.as_ref().and_then(|origin| origin.ip);
    THROTTLE.admit(slug, address)?;
    let id = proof::checked(slug, call.text("proof").unwrap_or_default(), chrono::Utc::now())?;
    if call.value("consent") != Some(&Value::Bool(true)) {
        return Err(Error::new(&error::INVALID).fault("consent", "consent", "Without consent nothing may be sent."));
    }
    screening::checked(&call)?;
    let form = open_form(caller, slug).await?;
    let mut scope = caller.kernel.door.open(&caller.server(form.tenant)).await?;
    let token = token(form.tenant)?;
    let expires = scope.now() + TimeDelta::days(STATUS_DAYS);
    let submission = receive(&mut scope, &call, &form, (id, &token, address)).await?;
    settle(&mut scope, &call, submission).await?;
    scope.commit().await?;
    let receipt = [("status_token", Json::String(token)), ("expires_at", json!(value::instant_text(expires)))];
    Ok(Answer::Object(receipt.into_iter().map(|(name, json)| (name.to_owned(), json)).collect()))
}

/// The tenant in front, so that a look-up needs no search across tenants; then what nobody can guess.
fn token(tenant: Uuid) -> Result<String> {
    let mut bytes = tenant.as_bytes().to_vec();
    let mut secret = [0; TOKEN_BYTES];
    rand::fill(&mut secret).map_err(|_| Error::internal("no randomness"))?;
    bytes.extend(secret);
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

async fn receive(scope: &mut Scope, call: &Call, form: &Open, of: (Uuid, &str, Option<std::net::IpAddr>)) -> Result<Record> {
    let (id, token, address) = of;
    let text = consent_text(scope, form.tenant).await?;
    if text.as_ref().map(|(_, id, ..)| *id) != call.uuid("consent_text_id") {
        return Err(Error::new(&error::INVALID).fault("consent_text_id", "consent", "It is not the text the form shows."));
    }
    let sent: Map<String, Json> = FIELDS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), call.body.get(*name)?.clone())))
        .filter(|(_, json)| !json.is_null())
        .collect();
    let now = scope.now();
    let mut draft = Draft { id: Some(id), values: Vec::new() }
        .set(&REFERRAL_SUBMISSION, "referral_link_id", Value::Uuid(form.link))?
        .set(&REFERRAL_SUBMISSION, "payload", Value::Text(Json::Object(sent).to_string()))?
        .set(&REFERRAL_SUBMISSION, "status_token_hash", Value::Bytes(Sha256::digest(token).to_vec()))?
        .set(&REFERRAL_SUBMISSION, "token_expires_at", Value::Instant(now + TimeDelta::days(STATUS_DAYS)))?
        .set(&REFERRAL_SUBMISSION, "submitted_at", Value::Instant(now))?;
    if let Some(address) = address {
        draft = draft.set(&REFERRAL_SUBMISSION, "ip_address", Value::Inet(address))?;
    }
    let keys = &call.caller.kernel.keys;
    let submission =
        store::insert(scope, &REFERRAL_SUBMISSION, &draft, keys).await.map_err(|failure| match failure.code == &error::DUPLICATE {
            true => Error::new(&error::DUPLICATE).fault("proof", "proof", "It was used before; make another."),
            false => failure,
        })?;
    let Some((owner, text, ..)) = text else { return Ok(submission) };
    scope.exec(&AGREED, &[&form.tenant, &id, &owner, &text]).await?;
    store::lock(scope, &REFERRAL_SUBMISSION, id, None, keys).await
}

/// What looks like a letter becomes a referral; what does not waits for a person.
async fn settle(scope: &mut Scope, call: &Call, submission: Record) -> Result<()> {
    let keys = &call.caller.kernel.keys;
    let state = |word: &str| Draft::default().set(&REFERRAL_SUBMISSION, "status", Value::Text(word.to_owned()));
    let scanning = store::update(scope, &submission, &state("SCANNING")?, "system", keys).await?;
    match screening::verdict(&screening::payload(&scanning)?) {
        Verdict::Clean => {
            let referral = screening::referral(scope, &call.caller, &scanning).await?;
            let done = state("ACCEPTED")?.set(&REFERRAL_SUBMISSION, "referral_id", Value::Uuid(referral.id))?;
            store::update(scope, &scanning, &done, "system", keys).await?;
        }
        Verdict::Suspicious => {
            store::update(scope, &scanning, &state("QUARANTINED")?, "system", keys).await?;
            screening::ask_for_review(scope, &scanning).await?;
        }
    }
    Ok(())
}

const STATE: &[Field] = &[
    Field::choice("status", &["RECEIVED", "ACCEPTED", "REFUSED"]).means(&["came in", "became a referral", "not taken"]).required(),
    Field::choice("referral_status", &["SENT", "ACCEPTED", "REJECTED", "IN_PROGRESS", "COMPLETED", "CANCELLED"]).means(&[
        "waits for an answer",
        "the receiver will see the patient",
        "turned down",
        "treatment goes on",
        "done",
        "called off",
    ]),
];

pub static PUBLIC_STATUS: Operation = Operation {
    id: "getPublicReferralStatus",
    method: Method::Get,
    path: "/referral-submissions/public-status",
    tag: TAG,
    doc: "What became of a referral sent by the public form",
    takes: &[Field::text("token").required()],
    gives: Gives::Object("PublicReferralStatus", STATE),
    planes: &[Plane::Auth],
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(public_status(call))),
};

async fn public_status(call: Call) -> Result<Answer> {
    let none = || Error::new(&error::NOT_FOUND);
    let caller = &call.caller;
    let text = call.text("token").unwrap_or_default();
    THROTTLE.admit("public-status", caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| none())?;
    let tenant = bytes.get(..16).filter(|_| bytes.len() == 16 + TOKEN_BYTES).and_then(|id| Uuid::from_slice(id).ok()).ok_or_else(none)?;
    let scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let (hash, now) = (Sha256::digest(text).to_vec(), scope.now());
    let answers = scope.once(&[((&STATE_OF_TOKEN).into(), vec![&tenant, &hash, &now])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(none)?;
    let (status, referral): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let shown = if status == "ACCEPTED" || status == "REFUSED" { status } else { "RECEIVED".to_owned() };
    Ok(Answer::Object([("status".to_owned(), shown.into()), ("referral_status".to_owned(), referral.into())].into_iter().collect()))
}
