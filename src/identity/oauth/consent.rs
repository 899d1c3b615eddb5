//! The page on which somebody lets an application in: each scope in plain words, to be dropped one by one, and the patient it
//! is for. Works without scripts; nothing about a patient is ever in an address.

use super::Form;
use super::asked::{Asked, names_a_patient};
use super::authorize::{AUTHORIZE, Person};
use crate::identity::browser;
use crate::identity::pages::{self, Chart, ConsentPage, ScopeLine};
use crate::identity::resolve::Bearer;
use crate::identity::sign_in_pages;
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::Utc;
use poem::http::StatusCode;
use poem::{Request, Response};
use uuid::Uuid;

sql! {
    /// $1 tenant. The caller's charts there, by the policies of the patient plane.
    CHARTS(UUID) = "select id, full_name from patients where tenant_id = $1 and deleted_at is null order by full_name, id limit 50";
    /// $1 tenant, $2 how the last or the first name begins. By the policies of staff.
    NAMED(UUID, TEXT) = "
        select id, full_name || coalesce(', ' || to_char(dob, 'YYYY-MM-DD'), '') from patients
         where tenant_id = $1 and deleted_at is null and status <> 'INACTIVE'
           and (last_name_key >= kernel.fold($2) and last_name_key < kernel.fold($2) || chr(1114109)
                or first_name_key >= kernel.fold($2) and first_name_key < kernel.fold($2) || chr(1114109))
         order by last_name_key, first_name_key, id limit 20";
    /// $1 tenant, $2 patient.
    CHART(UUID, UUID) = "select id, full_name from patients where tenant_id = $1 and id = $2 and deleted_at is null";
}

/// With whose eyes charts are looked at: the person's own.
fn eyes(caller: &Caller, bearer: &Bearer) -> Context {
    Context { request: caller.context.request, origin: caller.context.origin.clone(), ..bearer.context.clone() }
}

/// That chart, when this person sees it.
pub async fn chart(caller: &Caller, bearer: &Bearer, id: Option<Uuid>) -> Result<Option<(Uuid, String)>> {
    let (Some(id), Some(tenant)) = (id, bearer.context.tenant) else { return Ok(None) };
    let answers = caller.kernel.door.open(&eyes(caller, bearer)).await?.once(&[((&CHART).into(), vec![&tenant, &id])]).await?;
    answers.iter().flatten().next().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// The charts to choose from: a patient's own, or those whose name somebody of the staff has typed.
async fn charts(caller: &Caller, bearer: &Bearer, typed: Option<&str>) -> Result<Vec<Chart>> {
    let tenant = bearer.context.tenant.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let scope = caller.kernel.door.open(&eyes(caller, bearer)).await?;
    let answers = match (bearer.context.plane, typed.map(str::trim).filter(|typed| !typed.is_empty())) {
        (Plane::Patient, _) => scope.once(&[((&CHARTS).into(), vec![&tenant])]).await?,
        (_, Some(typed)) => scope.once(&[((&NAMED).into(), vec![&tenant, &typed])]).await?,
        _ => return Ok(Vec::new()),
    };
    let rows = answers.iter().flatten();
    rows.map(|row| Ok(Chart { id: row.try_get::<_, Uuid>(0)?.to_string(), name: row.try_get(1)? })).collect()
}

/// Who is shown whose names: on record before the page leaves.
async fn remember(caller: &Caller, bearer: &Bearer, charts: &[Chart]) -> Result<()> {
    let mut event = audit_store::of(&eyes(caller, bearer), "RECORD_SEARCHED", Action::Search, Outcome::Success, Utc::now());
    event.resource_type = Some("Patient".into());
    event.metadata = Metadata::new().texts("patients", charts.iter().map(|chart| &chart.id));
    caller.kernel.audit.record(event).await
}

/// `form`: the page came back to look for a patient.
pub async fn page(caller: &Caller, request: &Request, asked: &Asked, person: &Person, form: Option<&Form>) -> Result<Response> {
    let launched = person.launch.as_ref().and_then(|launch| launch.patient);
    let picks = names_a_patient(&person.scopes) && launched.is_none();
    let typed = form.and_then(|form| form.get("q"));
    let charts = match launched {
        Some(id) => {
            chart(caller, &person.bearer, Some(id)).await?.map(|(id, name)| Chart { id: id.to_string(), name }).into_iter().collect()
        }
        None if picks => charts(caller, &person.bearer, typed).await?,
        None => Vec::new(),
    };
    if !charts.is_empty() || typed.is_some() {
        remember(caller, &person.bearer, &charts).await?;
    }
    let searches = picks && person.bearer.context.plane == Plane::Staff;
    if (picks || launched.is_some()) && charts.is_empty() && !searches {
        return asked.back(caller, &[("error", "invalid_scope")]);
    }
    let base = sign_in_pages::base(caller, request, Some(asked.client.tenant)).await?;
    let kept = form.map(|form| kept(&person.scopes, form));
    let scopes: Vec<ScopeLine> = person
        .scopes
        .iter()
        .enumerate()
        .map(|(place, word)| ScopeLine {
            name: format!("keep-{place}"),
            word,
            label: base.words.consent.label(word),
            kept: kept.as_ref().is_none_or(|kept| kept.contains(word)),
        })
        .collect();
    let csrf = browser::form_token(&caller.kernel, person.token.expose())?;
    let shown = ConsentPage {
        base,
        action: AUTHORIZE,
        flow: &asked.query,
        csrf: &csrf,
        client_name: &asked.client.name,
        scopes: &scopes,
        charts: &charts,
        searches,
        typed,
    };
    let origin = openidconnect::url::Url::parse(&asked.redirect).map_err(Error::internal)?.origin().ascii_serialization();
    pages::page(StatusCode::OK, &shown, &[&origin])
}

/// The scopes whose boxes are still ticked.
pub fn kept(scopes: &[String], form: &Form) -> Vec<String> {
    let ticked = |place: usize, word: &String| form.get(&format!("keep-{place}")) == Some(word);
    scopes.iter().enumerate().filter(|(place, word)| ticked(*place, word)).map(|(_, word)| word.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ticked_is_not_granted() {
        let scopes = ["openid".to_owned(), "user/Patient.rs".to_owned()];
        let form = Form::parse(b"keep-1=user%2FPatient.rs&keep-0=user%2FPatient.cruds").unwrap();
        assert_eq!(kept(&scopes, &form), scopes[1..]);
    }
}
