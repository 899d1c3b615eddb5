//! Which clinic an application of a vendor is entered for, by somebody who is at home in several that have admitted it: where the
//! application names none, they are asked behind their first factor.

use super::grant;
use super::oauth::{self, Form};
use super::pages::{self, Base, Carried};
use super::second_step::{self, First, Proof};
use super::sign_in::{Home, Known};
use super::sign_in_pages::View;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use askama::Template;
use poem::http::StatusCode;
use poem::{Request, Response};
use uuid::Uuid;

pub const PLACE: &str = "/signin/place";

sql! {
    /// $1 login, $2 tenant.
    AT_HOME(UUID, UUID) = "
        select u.mfa_enabled, h.second_required from users u cross join lateral sec.homes_of(u.id) h
         where u.id = $1 and u.status = 'ACTIVE' and h.tenant_id = $2 and not h.provider_only";
}

/// Posts `tenant` to `action`.
#[derive(Template)]
#[template(path = "place.html")]
struct PlacePage<'a> {
    base: Base,
    action: &'a str,
    carried: Carried,
    client_name: &'a str,
    homes: &'a [&'a Home],
}

/// Where it goes on.
pub enum Place {
    /// There, or where they were last.
    At(Option<Uuid>),
    Asked(Response),
}

/// Somebody whose first factor is right, by that method.
pub async fn of(caller: &Caller, view: &View, known: &Known, method: &'static str) -> Result<Place> {
    let (None, Some(app)) = (view.flow.tenant, view.flow.placeless.as_deref()) else { return Ok(Place::At(view.flow.tenant)) };
    let admitted = oauth::admitted(caller, app, known.homes.iter().map(|home| home.tenant)).await?;
    let homes: Vec<&Home> = known.homes.iter().filter(|home| admitted.contains(&home.tenant)).collect();
    if homes.len() < 2 {
        return Ok(Place::At(homes.first().map(|home| home.tenant)));
    }
    let proof = Proof::lasting(known.user, Uuid::nil(), method);
    let mut carried = view.carried(caller)?;
    carried.retain(|(name, _)| *name != "tenant");
    carried.push(("proof", proof.sealed(caller, &before(view))?));
    let client_name = view.flow.client_name.as_deref().unwrap_or_default();
    let shown = PlacePage { base: view.base.clone(), action: PLACE, carried, client_name, homes: &homes };
    pages::page(StatusCode::OK, &shown, &[]).map(Place::Asked)
}

/// What ties such a proof to the browser; it passes for none of the second step.
fn before(view: &View) -> String {
    format!("{} before a place", view.visit)
}

/// The clinic they chose.
pub async fn take(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let view = View::of_form(&caller, &request, &form).await?;
    let proof = Proof::read(&caller, &before(&view), form.get("proof").unwrap_or_default())?;
    let wrong = || Error::new(&error::CREDENTIALS_WRONG);
    let tenant = view.flow.tenant.ok_or_else(wrong)?;
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let answers = scope.once(&[((&AT_HOME).into(), vec![&proof.user, &tenant])]).await?;
    let open = answers.iter().flatten().next().ok_or_else(wrong)?;
    let (held, required): (bool, bool) = (open.try_get("mfa_enabled")?, open.try_get("second_required")?);
    let proof = Proof { tenant, ..proof };
    // A passkey is both factors.
    if proof.method == "PASSKEY" {
        return second_step::enter(&caller, &view, &proof, "WEBAUTHN", false).await;
    }
    let first = First { user: proof.user, tenant, method: proof.method, held, needed: held || required, vouched: None };
    let here = second_step::here(&caller, &request).await?;
    second_step::proceed(&caller, &view, first, here).await
}
