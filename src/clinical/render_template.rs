//! A template filled for a patient and a visit (catalogue 7.10). Nothing is stored.

use super::html::{cleaned, escaped};
use super::template::TEMPLATE;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Field, Record, Table, store};
use crate::patients::patient::PATIENT;
use crate::sql;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 patient, $3 encounter, $4 template, $5 caller. What can be filled in beside the patient; whether the
    /// encounter is one of the patient; whether the template is the caller's or the visit's provider's.
    FILLING(UUID, UUID, UUID, UUID, UUID) = "
        select jsonb_build_object('clinic.name', t.name, 'today', (now() at time zone t.time_zone)::date::text,
                   'encounter.date', (coalesce(e.check_in_at, e.scheduled_start_at) at time zone coalesce(l.time_zone, t.time_zone))::date::text,
                   'encounter.chief_complaint', e.chief_complaint, 'location.name', l.name,
                   'provider.full_name', d.full_name, 'provider.title', d.title),
               e.id is not null,
               exists (select from templates m join providers o on o.tenant_id = m.tenant_id and o.id = m.provider_id
                        where m.tenant_id = $1 and m.id = $4 and (o.id = e.provider_id or o.user_id = $5))
          from tenants t
          left join encounters e on e.tenant_id = t.id and e.id = $3 and e.patient_id = $2
          left join locations l on l.tenant_id = t.id and l.id = e.location_id
          left join providers d on d.tenant_id = t.id and d.id = e.provider_id
         where t.id = $1";
}

static RENDERED: &[Field] = &[
    Field::uuid("template_id").required(),
    Field::choice("content_format", &["HTML", "MARKDOWN"]).means(&["formatted as HTML", "text with Markdown marks"]).required(),
    Field::text("locale").required(),
    Field::text("content").required().phi(),
    Field::texts("unfilled").required().doc("placeholders nobody knows; they stay in the text"),
];

pub static RENDER: Operation = Operation {
    id: "renderTemplate",
    method: Method::Post,
    path: "/templates/{id}/render",
    tag: TEMPLATE.tag,
    doc: "The text with its placeholders filled: {{patient.full_name}}, {{patient.first_name}}, {{patient.last_name}}, {{patient.dob}}, \
          {{encounter.date}}, {{encounter.chief_complaint}}, {{provider.full_name}}, {{provider.title}}, {{location.name}}, {{clinic.name}}, \
          {{today}}. Nothing is stored",
    takes: &[Field::uuid("patient_id").required(), Field::uuid("encounter_id")],
    gives: Gives::Object("RenderedTemplate", RENDERED),
    planes: &[Plane::Staff],
    permission: Permission::EditClinical,
    run: Run::Inside(|scope, call| Box::pin(render(scope, call))),
};

async fn found(scope: &mut Scope, call: &Call, table: &'static Table, id: Uuid) -> Result<Record> {
    let record = store::seen(scope, table, id, &call.caller.kernel.keys).await?;
    if record.deleted() { Err(Error::new(&error::NOT_FOUND)) } else { Ok(record) }
}

async fn render(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let unknown = |field| Error::new(&error::REFERENCE_UNKNOWN).fault(field, "reference", "It points to nothing the caller can see.");
    let template = found(scope, call, &TEMPLATE, call.id()?).await?;
    let patient = found(scope, call, &PATIENT, call.uuid("patient_id").unwrap_or_default())
        .await
        .map_err(|failure| if failure.code == &error::NOT_FOUND { unknown("patient_id") } else { failure })?;
    let (encounter, actor) = (call.uuid("encounter_id"), scope.context().actor);
    let row = scope.one(&FILLING, &[&patient.tenant, &patient.id, &encounter, &template.id, &actor]).await?;
    let (filling, has_visit, is_own): (Json, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if encounter.is_some() && !has_visit {
        return Err(unknown("encounter_id"));
    }
    // A provider's own template is for their own letters.
    if !template.flag("is_active") || !template.flag("is_global") && !is_own {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for name in ["full_name", "first_name", "last_name", "dob"] {
        values.insert(format!("patient.{name}"), patient.text(name).unwrap_or_default().to_owned());
    }
    for (name, value) in filling.as_object().into_iter().flatten() {
        values.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    let is_html = template.text("content_format") == Some("HTML");
    let (content, unfilled) = filled(template.text("content").unwrap_or_default(), is_html, &values);
    scope.did(Action::Read, &patient);
    let answer = json!({
        "template_id": template.id,
        "content_format": template.get("content_format"),
        "locale": template.get("locale"),
        "content": content,
        "unfilled": unfilled,
    });
    Ok(Answer::Object(answer.as_object().cloned().unwrap_or_default()))
}

/// `{{ name }}` gives way to its value, as text: a value can bring no markup along.
fn filled(content: &str, is_html: bool, values: &BTreeMap<String, String>) -> (String, BTreeSet<String>) {
    let clean = if is_html { cleaned(content) } else { content.to_owned() };
    let (mut out, mut unfilled, mut rest) = (String::with_capacity(clean.len()), BTreeSet::new(), clean.as_str());
    while let Some((before, opened)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = opened.split_once("}}").filter(|(name, _)| name.len() <= 60 && !name.contains(['{', '\n'])) else {
            out.push_str("{{");
            rest = opened;
            continue;
        };
        match values.get(name.trim()) {
            Some(value) if is_html => out.push_str(&escaped(value)),
            Some(value) => out.push_str(&value.replace('<', "&lt;")),
            None => {
                unfilled.insert(name.trim().to_owned());
                out.push_str(&format!("{{{{{name}}}}}"));
            }
        }
        rest = after;
    }
    out.push_str(rest);
    (out, unfilled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_as_text() {
        let values: BTreeMap<_, _> = [("patient.full_name", "Eve <b>O'Brien</b> {{today}}"), ("today", "2026-01-01")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        let (text, unfilled) = filled("Dear {{ patient.full_name }}, {{today}}: {{nobody}} {{ {{today}} {{", false, &values);
        assert_eq!(text, "Dear Eve &lt;b>O'Brien&lt;/b> {{today}}, 2026-01-01: {{nobody}} {{ 2026-01-01 {{");
        assert_eq!(unfilled.into_iter().collect::<Vec<_>>(), ["nobody"]);
        let (html, _) = filled("<p onclick=x>{{patient.full_name}}</p><script>{{today}}</script>", true, &values);
        assert_eq!(html, "<p>Eve &lt;b&gt;O&#39;Brien&lt;/b&gt; {{today}}</p>");
    }
}
