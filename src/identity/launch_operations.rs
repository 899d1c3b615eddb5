//! Opening an application out of one's own session, for the patient one is looking at (SMART EHR launch).

use super::oauth::{Launching, launch};
use super::session_operations::{object, own_session};
use crate::clinical::encounter::ENCOUNTER;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::form::is_address;
use crate::kernel::table::{Field, Table};
use crate::patients::patient::PATIENT;
use crate::sql;
use serde_json::json;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 public id: an application that people launch.
    APP(UUID, TEXT) = "
        select k.id, coalesce(a.launch_uri, k.launch_uri) as launch_uri
          from api_clients k left join vendor_apps a on a.id = k.vendor_app_id
         where k.tenant_id = $1 and k.client_id = $2 and k.status = 'ACTIVE' and k.client_type <> 'BACKEND'
           and (a.id is null or sec.app_stands(a.id))";
}

static MADE: &[Field] = &[
    Field::text("launch").required().shown_once().doc("the handle that the application is to be given as `launch`; good once"),
    Field::text("launch_url").shown_once().doc("where to send the browser, when the application has registered a place"),
    Field::instant("expires_at").required(),
];

pub static LAUNCH: Operation = Operation {
    id: "launchApp",
    method: Method::Post,
    path: "/smart-launches",
    tag: "Identity",
    doc: "Open an application for a patient: the handle with which it asks for access within five minutes",
    takes: &[
        Field::text("client_id").required().doc("public identifier of the application"),
        Field::uuid("patient_id").doc("whom the application is opened for"),
        Field::uuid("encounter_id").doc("the visit it is opened in"),
    ],
    gives: Gives::Object("SmartLaunch", MADE),
    planes: &[Plane::Staff],
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(open(call))),
};

/// Whom one cannot see one cannot launch anything for.
async fn seen(call: &Call, table: &'static Table, id: Option<Uuid>, name: &'static str) -> Result<Option<Uuid>> {
    let Some(id) = id else { return Ok(None) };
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault(name, "reference", "There is no such record.");
    let found = call
        .caller
        .glance(&call.caller.reading(table)?, table, id)
        .await
        .map_err(|refusal| if refusal.code == &error::NOT_FOUND { unknown() } else { refusal })?;
    if found.deleted() { Err(unknown()) } else { Ok(found.patient) }
}

async fn open(call: Call) -> Result<Answer> {
    let (_, user) = own_session(&call)?;
    let (caller, tenant) = (&call.caller, call.caller.tenant()?);
    let asked = call.uuid("patient_id");
    seen(&call, &PATIENT, asked, "patient_id").await?;
    let encounter = call.uuid("encounter_id");
    let of_visit = seen(&call, &ENCOUNTER, encounter, "encounter_id").await?;
    if encounter.is_some() && asked.is_some() && asked != of_visit {
        return Err(Error::new(&error::INVALID).fault("encounter_id", "consistent", "The visit is another patient's."));
    }
    let patient = asked.or(of_visit);
    let scope = caller.kernel.door.open(&super::grant::behind(&caller.context, Some(tenant))).await?;
    let answers = scope.once(&[((&APP).into(), vec![&tenant, &call.text("client_id").unwrap_or_default()])]).await?;
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("client_id", "reference", "There is no such application here.");
    let row = answers.iter().flatten().next().ok_or_else(unknown)?;
    let (client, uri): (Uuid, Option<String>) = (row.try_get("id")?, row.try_get("launch_uri")?);
    let (handle, until) = launch(caller, tenant, Launching { client, user, patient, encounter }).await?;
    let url = uri.filter(|uri| is_address(uri)).and_then(|uri| openidconnect::url::Url::parse(&uri).ok()).map(|mut url| {
        let iss = super::oauth::fhir_base(&caller.kernel);
        url.query_pairs_mut().append_pair("iss", &iss).append_pair("launch", handle.expose());
        url.to_string()
    });
    Ok(Answer::Object(object(json!({"launch": handle.expose(), "launch_url": url, "expires_at": until}))))
}
