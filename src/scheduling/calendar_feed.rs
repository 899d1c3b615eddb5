//! Appointments as iCalendar (RFC 5545), for a calendar that somebody else may look at: it says when, where and what kind
//! of visit, and names no patient (catalogue 6.10).

use super::appointment::APPOINTMENT;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Refers, store};
use crate::sql;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use std::borrow::Cow;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

const DAYS: i64 = 90;
const RANGE_DAYS_MAX: i64 = 366;
const EVENTS_MAX: usize = 5_000;
/// Octets of a line before it is folded (RFC 5545 §3.1).
const LINE_MAX: usize = 75;

pub static CALENDAR_FEED: Operation = Operation {
    id: "getAppointmentCalendarFeed",
    method: Method::Get,
    path: "/appointments/calendar-feed",
    tag: "Appointments",
    doc: "Booked times as iCalendar, without anything about the patient",
    takes: &[
        Field::instant("from").doc("now when left out"),
        Field::instant("to").doc("90 days after `from` when left out; at most a year"),
        Field::uuid("provider").refers(Refers::Tenant("providers")),
        Field::uuid("location").refers(Refers::Tenant("locations")),
    ],
    gives: Gives::Bytes("text/calendar"),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewSchedule,
    run: Run::Apart(|call| Box::pin(calendar_feed(call))),
};

/// Whatever is booked; nobody's held times. The kind of visit and the place come under the caller's own policies.
const BOOKED: &str = "
    r.start_at < $2 and r.end_at > $1 and r.status <> 'HELD' and ($3 is null or r.provider_id = $3) and ($4 is null or r.location_id = $4)";
sql! {
    /// $1 tenant of each appointment, $2 the appointments: names beside them.
    NAMES(UUID_ARRAY) = "
        select a.id, t.name, l.name from appointments a
          left join appointment_types t on t.tenant_id = a.tenant_id and t.id = a.appointment_type_id
          left join locations l on l.tenant_id = a.tenant_id and l.id = a.location_id
         where a.tenant_id = any ((select sec.tenants(0))::uuid[]) and a.id = any ($1)";
}

async fn calendar_feed(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&APPOINTMENT)?;
    let from = call.instant("from").unwrap_or_else(Utc::now);
    let to = call.instant("to").unwrap_or(from + TimeDelta::days(DAYS));
    if to <= from || to - from > TimeDelta::days(RANGE_DAYS_MAX) {
        return Err(Error::new(&error::PARAMETER_INVALID).fault(
            "to",
            "range",
            format!("It lies at most {RANGE_DAYS_MAX} days after `from`."),
        ));
    }
    let (provider, location) = (call.uuid("provider"), call.uuid("location"));
    let booked = format!(
        "appointments r where r.tenant_id = any ((select sec.tenants(0))::uuid[]) and {BOOKED} order by r.start_at, r.id limit {EVENTS_MAX}"
    );
    let mut scope = caller.kernel.door.open(&context).await?;
    let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] =
        [(&from, Type::TIMESTAMPTZ), (&to, Type::TIMESTAMPTZ), (&provider, Type::UUID), (&location, Type::UUID)];
    let records = store::given(&mut scope, &APPOINTMENT, &booked, &params, &caller.kernel.keys).await?;
    let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    let names = scope.rows(&NAMES, &[&ids]).await?;
    scope.commit().await?;
    caller.searched(&context, &APPOINTMENT, &records).await?;

    let mut feed = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Enamel//Appointments//EN\r\nCALSCALE:GREGORIAN\r\n");
    for record in &records {
        let named = names.iter().find(|row| row.try_get::<_, Uuid>(0).is_ok_and(|id| id == record.id));
        let name = |place: usize| named.and_then(|row: &Row| row.try_get::<_, Option<String>>(place).ok().flatten());
        let event = Event {
            id: record.id,
            starts: instant(record.text("start_at")),
            ends: instant(record.text("end_at")),
            stamped: instant(record.text("updated_at")),
            version: record.version,
            status: record.text("status").unwrap_or_default().to_owned(),
            kind: name(1),
            place: name(2),
        };
        event.write(&mut feed);
    }
    feed.push_str("END:VCALENDAR\r\n");
    Ok(Answer::Bytes(futures_util::stream::once(async move { Ok(Bytes::from(feed)) }).boxed()))
}

fn instant(text: Option<&str>) -> DateTime<Utc> {
    text.and_then(|text| DateTime::parse_from_rfc3339(text).ok()).unwrap_or_default().with_timezone(&Utc)
}

struct Event {
    id: Uuid,
    starts: DateTime<Utc>,
    ends: DateTime<Utc>,
    stamped: DateTime<Utc>,
    version: i64,
    status: String,
    kind: Option<String>,
    place: Option<String>,
}

impl Event {
    fn write(&self, feed: &mut String) {
        let utc = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
        let status = match self.status.as_str() {
            "PENDING" => "TENTATIVE",
            "CANCELLED" | "NO_SHOW" => "CANCELLED",
            _ => "CONFIRMED",
        };
        line(feed, "BEGIN", "VEVENT");
        line(feed, "UID", &format!("{}@enamel", self.id));
        line(feed, "SEQUENCE", &self.version.to_string());
        line(feed, "DTSTAMP", &utc(self.stamped));
        line(feed, "DTSTART", &utc(self.starts));
        line(feed, "DTEND", &utc(self.ends));
        line(feed, "STATUS", status);
        line(feed, "SUMMARY", &escaped(self.kind.as_deref().unwrap_or("Appointment")));
        if let Some(place) = &self.place {
            line(feed, "LOCATION", &escaped(place));
        }
        line(feed, "END", "VEVENT");
    }
}

/// RFC 5545 §3.3.11.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', ';', ',', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,");
    Cow::Owned(text.replace("\r\n", "\\n").replace(['\n', '\r'], "\\n"))
}

/// One content line, folded between characters (RFC 5545 §3.1).
fn line(feed: &mut String, name: &str, value: &str) {
    let mut width = 0;
    for character in name.chars().chain(":".chars()).chain(value.chars()) {
        if width + character.len_utf8() > LINE_MAX {
            feed.push_str("\r\n ");
            width = 1;
        }
        feed.push(character);
        width += character.len_utf8();
    }
    feed.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_and_unfold_to_what_they_were() {
        for value in ["short", &"é".repeat(120), &"x".repeat(75), &format!("{}é", "x".repeat(66))] {
            let mut feed = String::new();
            line(&mut feed, "SUMMARY", value);
            assert!(feed.split("\r\n").all(|line| line.len() <= LINE_MAX), "{feed}");
            assert_eq!(feed.replace("\r\n ", ""), format!("SUMMARY:{value}\r\n"));
        }
    }

    #[test]
    fn a_name_cannot_end_its_line() {
        assert_eq!(escaped("a;b,c\\d\r\nEND:VEVENT\rx"), "a\\;b\\,c\\\\d\\nEND:VEVENT\\nx");
    }
}
