//! Free times: hours less what is blocked, closed, booked and held, cut to the clinic's granularity (catalogue B5, 6.06).
//! Computed in the database, beside the triggers that hold a booking to the same answer; nothing is written.

use crate::directory::provider::PROVIDER;
use crate::identity::throttle::Throttle;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Field, Refers, Value, store};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use governor::Quota;
use serde_json::json;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use uuid::Uuid;

const RANGE_DAYS_MAX: i64 = 60;
const SLOTS_MAX: i32 = 2_000;
/// What somebody without a login may ask of one clinic from one address: the search is work for the database.
static THROTTLE: LazyLock<Throttle> = LazyLock::new(|| Throttle::new(Quota::per_minute(PER_MINUTE)));
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();

const FROM: Field = Field::instant("from").required();
const TO: Field = Field::instant("to").required().doc("not included; at most 60 days later");
const KIND: Field =
    Field::uuid("type").refers(Refers::Tenant("appointment_types")).doc("the kind of visit: its length, buffers and providers");
const PLACE: Field = Field::uuid("location").refers(Refers::Tenant("locations"));
const MINUTES: Field =
    Field::int("duration_minutes").at_least(5).at_most(720).doc("staff only; the usual length of the type when left out");
const SLOTS: Gives = Gives::Object(
    "FreeSlots",
    &[
        Field::json("slots")
            .required()
            .doc("provider_id, location_id, operatory_id, start_at, end_at and time_zone of each, earliest first"),
        Field::flag("is_complete").required().doc("false: more are free in the range than one answer holds"),
    ],
);

pub static FIND_SLOTS: Operation = Operation {
    id: "findSlots",
    method: Method::Post,
    path: "/availability-blocks/find-slots",
    tag: "Appointments",
    doc: "Free times of a clinic; patients and strangers see what may be booked online, inside notice and horizon",
    takes: &[
        FROM,
        TO,
        KIND,
        Field::uuid("provider").refers(Refers::Tenant("providers")),
        PLACE,
        MINUTES,
        Field::text("tenant").doc("id or slug of the clinic; needed by callers who are not of one clinic"),
    ],
    gives: SLOTS,
    planes: &[Plane::Staff, Plane::Patient, Plane::Auth],
    permission: Permission::ViewSchedule,
    run: Run::Inside(|scope, call| {
        Box::pin(async move {
            let tenant = clinic(scope, call).await?;
            free(scope, call, tenant, call.uuid("provider")).await
        })
    }),
};

pub static FREE_SLOTS: Operation = Operation {
    id: "getProviderFreeSlots",
    method: Method::Get,
    path: "/providers/{id}/free-slots",
    tag: "Appointments",
    doc: "Free times of one provider",
    takes: &[FROM, TO, KIND, PLACE, MINUTES],
    gives: SLOTS,
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewSchedule,
    run: Run::Inside(|scope, call| {
        Box::pin(async move {
            let provider = store::seen(scope, &PROVIDER, call.id()?, &call.caller.kernel.keys).await?;
            free(scope, call, provider.tenant, Some(provider.id)).await
        })
    }),
};

sql! {
    /// $1 id or slug, for callers who are nobody yet.
    TENANT(TEXT) = "select sec.tenant_of($1)";
    /// The clinics a patient is linked to.
    LINKED() = "select unnest(sec.tenants(0))";
    /// $1 tenant, $2 type, $3 provider, $4 place, $5 from, $6 to, $7 minutes, $8 at most.
    FREE(UUID, UUID, UUID, UUID, TIMESTAMPTZ, TIMESTAMPTZ, INT4, INT4) = "
        select provider_id, location_id, operatory_id, start_at, end_at, time_zone from sec.find_slots($1, $2, $3, $4, $5, $6, $7, $8)";
}

/// Whose calendar is asked for.
async fn clinic(scope: &mut Scope, call: &Call) -> Result<Uuid> {
    let unnamed = || Error::new(&error::INVALID).fault("tenant", "required", "Say which clinic.");
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("tenant", "reference", "It points to nothing the caller can see.");
    let named = call.text("tenant");
    match scope.context().plane {
        Plane::Auth => {
            let address = call.caller.context.origin.as_ref().and_then(|origin| origin.ip);
            THROTTLE.admit(named.unwrap_or_default(), address)?;
            let row = scope.one(&TENANT, &[&named.ok_or_else(unnamed)?]).await?;
            row.try_get::<_, Option<Uuid>>(0)?.ok_or_else(unknown)
        }
        Plane::Patient => {
            let home = scope.context().tenant;
            let wanted = named.map(|text| text.parse::<Uuid>().map_err(|_| unknown())).transpose()?.or(home);
            let rows = scope.rows(&LINKED, &[]).await?;
            let linked = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
            match (wanted, linked.as_slice()) {
                (Some(wanted), linked) => linked.contains(&wanted).then_some(wanted).ok_or_else(unknown),
                (None, [only]) => Ok(*only),
                (None, _) => Err(unnamed()),
            }
        }
        _ => scope.tenant(),
    }
}

async fn free(scope: &mut Scope, call: &Call, tenant: Uuid, provider: Option<Uuid>) -> Result<Answer> {
    let (from, to) = range(call)?;
    let minutes = match call.value("duration_minutes") {
        Some(Value::Int(minutes)) => Some(*minutes),
        _ => None,
    };
    let kind = call.uuid("type");
    if kind.is_none() && (minutes.is_none() || scope.context().plane != Plane::Staff) {
        return Err(Error::new(&error::INVALID).fault("type", "required", "Say for what kind of visit."));
    }
    let rows = scope.rows(&FREE, &[&tenant, &kind, &provider, &call.uuid("location"), &from, &to, &minutes, &(SLOTS_MAX + 1)]).await?;
    let most = usize::try_from(SLOTS_MAX).unwrap_or(usize::MAX);
    let mut slots = Vec::with_capacity(rows.len().min(most));
    for row in rows.iter().take(most) {
        let (starts, ends): (DateTime<Utc>, DateTime<Utc>) = (row.try_get("start_at")?, row.try_get("end_at")?);
        slots.push(json!({
            "provider_id": row.try_get::<_, Uuid>("provider_id")?,
            "location_id": row.try_get::<_, Uuid>("location_id")?,
            "operatory_id": row.try_get::<_, Option<Uuid>>("operatory_id")?,
            "start_at": instant_text(starts),
            "end_at": instant_text(ends),
            "time_zone": row.try_get::<_, String>("time_zone")?,
        }));
    }
    let is_complete = rows.len() <= most;
    Ok(Answer::Object([("slots".to_owned(), slots.into()), ("is_complete".to_owned(), is_complete.into())].into_iter().collect()))
}

fn range(call: &Call) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let now = Utc::now();
    let (from, to) = (call.instant("from").unwrap_or(now), call.instant("to").unwrap_or(now));
    match to - from {
        span if span <= TimeDelta::zero() => Err(Error::new(&error::INVALID).fault("to", "range", "It must lie after `from`.")),
        span if span > TimeDelta::days(RANGE_DAYS_MAX) => {
            Err(Error::new(&error::INVALID).fault("to", "range", format!("The range has at most {RANGE_DAYS_MAX} days.")))
        }
        _ => Ok((from, to)),
    }
}
