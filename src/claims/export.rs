//! A claim as the file a payer reads: for people who carry it to a portal or a clearing house themselves (catalogue 14.07).

use super::claim::CLAIM;
use super::course;
use super::rules::Whole;
use super::x12::{self, Party, Service};
use crate::charting::tooth::{System, Tooth};
use crate::directory::provider::PROVIDER;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::money::digits;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::Record;
use crate::patients::patient::PATIENT;
use crate::patients::payer::PAYER;
use crate::tenancy::location::LOCATION;
use crate::tenancy::tenant::TENANT;
use bytes::Bytes;
use futures_util::StreamExt;

pub static EXPORT_837D: Operation = Operation {
    id: "getClaimExport837d",
    method: Method::Get,
    path: "/claims/{id}/export-837d",
    tag: "Fee schedules",
    doc: "A checked claim as X12 005010X224A2; what a payer would miss is named instead",
    takes: &[],
    gives: Gives::Bytes("application/edi-x12"),
    planes: &[Plane::Staff],
    permission: Permission::EditClaims,
    run: Run::Apart(|call| Box::pin(export(call))),
};

async fn export(call: Call) -> Result<Answer> {
    let (caller, keys) = (&call.caller, &call.caller.kernel.keys);
    let mut scope = caller.kernel.door.open(&caller.context).await?;
    let claim = course::seen(&mut scope, keys, &CLAIM, call.id).await?.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    if claim.text("status") == Some("DRAFT") {
        return Err(Error::new(&error::CONFLICT).detail("Validate the claim first: a draft may still be wrong."));
    }
    let whole = course::read(&mut scope, keys, claim).await?;
    let facts = facts(&mut scope, keys, &whole).await?;
    let now = scope.now();
    scope.commit().await?;
    caller.saw(&caller.context, &whole.claim).await?;
    let text = x12::render(&facts, now).map_err(|faults| Error::new(&error::INVALID).faults(faults))?;
    Ok(Answer::Bytes(futures_util::stream::once(async move { Ok(Bytes::from(text)) }).boxed()))
}

fn text(record: Option<&Record>, name: &str) -> Option<String> {
    record.and_then(|record| record.text(name)).map(str::to_owned)
}

fn party(provider: &Record) -> Party {
    let name = provider.text("full_name").unwrap_or_default().to_owned();
    let person = (provider.text("last_name"), provider.text("first_name"));
    Party {
        person: Some(match person {
            (Some(last), first) => (last.to_owned(), first.unwrap_or_default().to_owned()),
            (None, _) => (name.clone(), String::new()),
        }),
        name,
        npi: text(Some(provider), "npi"),
        taxonomy: text(Some(provider), "specialty_code"),
    }
}

fn list<'a>(record: &'a Record, name: &str) -> impl Iterator<Item = &'a serde_json::Value> {
    record.get(name).as_array().into_iter().flatten()
}

fn universal(fdi: &str) -> Option<String> {
    Tooth::from_fdi(fdi).map(|tooth| tooth.written(System::Universal))
}

async fn facts(scope: &mut Scope, keys: &Keyring, whole: &Whole) -> Result<x12::Claim> {
    let (claim, policy) = (&whole.claim, whole.policy.as_ref());
    let tenant = course::seen(scope, keys, &TENANT, Some(claim.tenant)).await?;
    let place = claim.uuid("location_id").or(tenant.as_ref().and_then(|tenant| tenant.uuid("default_location_id")));
    let place = course::seen(scope, keys, &LOCATION, place).await?;
    let payer = course::seen(scope, keys, &PAYER, claim.uuid("payer_id")).await?;
    let patient = course::seen(scope, keys, &PATIENT, claim.patient).await?;
    let billing = course::seen(scope, keys, &PROVIDER, claim.uuid("billing_provider_id")).await?;
    let rendering = claim.uuid("rendering_provider_id").filter(|id| Some(*id) != claim.uuid("billing_provider_id"));
    let rendering = course::seen(scope, keys, &PROVIDER, rendering).await?;
    let digits = digits(claim.text("currency").unwrap_or_default());
    let date = |record: Option<&Record>, name: &str| record.and_then(|record| record.text(name)).and_then(|text| text.parse().ok());
    let submitter = text(tenant.as_ref(), "legal_name").or(text(tenant.as_ref(), "name")).unwrap_or_default();
    let relation = match policy.and_then(|policy| policy.text("subscriber_relationship")) {
        Some("SPOUSE") => Some("01"),
        Some("CHILD") => Some("19"),
        Some("OTHER") => Some("G8"),
        _ => None,
    };
    Ok(x12::Claim {
        number: text(Some(claim), "claim_number").unwrap_or_default(),
        total: x12::amount(claim.int("total_billed_minor").unwrap_or_default(), digits),
        frequency: match (claim.text("frequency_code"), claim.text("status")) {
            (Some("VOID"), _) | (_, Some("VOIDED")) => '8',
            (Some("REPLACEMENT"), _) => '7',
            _ => '1',
        },
        predetermination: claim.text("use") == Some("PREDETERMINATION"),
        submitter_id: text(tenant.as_ref(), "slug").unwrap_or_default(),
        submitter,
        phone: text(place.as_ref(), "phone"),
        billing: billing.as_ref().map(party).unwrap_or_default(),
        tax_id: text(tenant.as_ref(), "tax_id"),
        address: ["address_line1", "city", "region", "postal_code"].map(|name| text(place.as_ref(), name)),
        rendering: rendering.as_ref().map(party),
        payer: text(payer.as_ref(), "name").unwrap_or_default(),
        payer_id: text(payer.as_ref(), "payer_identifier"),
        sequence: claim.text("coverage_order").and_then(|order| order.chars().next()).unwrap_or('P'),
        group: text(policy, "group_number"),
        member: text(policy, "policy_number").unwrap_or_default(),
        subscriber: relation
            .map(|relation| (text(policy, "subscriber_name").unwrap_or_default(), date(policy, "subscriber_dob"), relation)),
        patient: (text(patient.as_ref(), "last_name").unwrap_or_default(), text(patient.as_ref(), "first_name").unwrap_or_default()),
        born: date(patient.as_ref(), "dob"),
        sex: match patient.as_ref().and_then(|patient| patient.text("administrative_gender")) {
            Some("MALE") => 'M',
            Some("FEMALE") => 'F',
            _ => 'U',
        },
        accident: date(Some(claim), "accident_date"),
        ortho_months: claim.int("ortho_months_remaining"),
        missing_teeth: list(claim, "missing_teeth").filter_map(|tooth| universal(tooth.as_str()?)).collect(),
        prior_authorization: text(Some(claim), "prior_authorization_number"),
        payer_number: text(Some(claim), "payer_claim_number"),
        diagnoses: diagnoses(whole),
        services: whole.lines.iter().map(|line| service(line, digits)).collect(),
    })
}

/// In the order lines point to; the decimal point is not sent.
fn diagnoses(whole: &Whole) -> Vec<String> {
    let mut all: Vec<_> = whole.diagnoses.iter().map(|diagnosis| (diagnosis.int("sequence_no"), diagnosis.text("code"))).collect();
    all.sort_unstable();
    all.into_iter().filter_map(|(_, code)| Some(code?.replace('.', ""))).collect()
}

fn service(line: &Record, digits: u32) -> Service {
    let date = |name: &str| line.text(name).and_then(|text| text.parse().ok());
    Service {
        // At most 30 characters, and ours has 36 with its hyphens.
        id: line.id.simple().to_string().chars().take(30).collect(),
        code: line.text("code").unwrap_or_default().to_owned(),
        charge: x12::amount(line.int("billed_minor").unwrap_or_default(), digits),
        area: text(Some(line), "oral_area"),
        prosthesis: match line.text("prosthesis") {
            Some("INITIAL") => Some("I"),
            Some("REPLACEMENT") => Some("R"),
            _ => None,
        },
        quantity: line.int("quantity").unwrap_or(1),
        pointers: list(line, "diagnosis_pointers").filter_map(serde_json::Value::as_i64).collect(),
        tooth: line.text("tooth_number").and_then(universal),
        surfaces: list(line, "surface").filter_map(|surface| surface.as_str().map(str::to_owned)).collect(),
        served: date("service_date"),
        prior_placement: date("prior_placement_date"),
    }
}
