//! A question whether a policy covers, as FHIR CoverageEligibilityRequest, and money from a payer as PaymentReconciliation.

use super::eligibility_check::ELIGIBILITY_CHECK;
use super::remittance::REMITTANCE;
use crate::fhir::bind::{Bind, How, code, day, identifier, moment, money, points};
use crate::fhir::mapping::{Mapping, STAFF};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("CoverageEligibilityRequest");
static PAID: TypeDef = TypeDef::all("PaymentReconciliation");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &ELIGIBILITY_CHECK, STAFF, ASKED);
pub static REMITTED: Mapping = Mapping::shown(&PAID, &REMITTANCE, STAFF, RECEIVED);

const ASKED: &[Bind] = &[
    Bind::one("status", code("status", &[("QUEUED", "active"), ("SENT", "active"), ("ANSWERED", "active"), ("FAILED", "cancelled")])),
    Bind::item("purpose", How::Always(r#""benefits""#)),
    Bind::one("patient", points("patient_id", "Patient")),
    Bind::one("servicedDate", day("service_date")),
    Bind::one("created", moment("created_at")),
    Bind::one("provider", points("provider_id", "Practitioner")),
    // Who insures is told by the policy.
    Bind::one("insurer", How::Always(r#"{"display":"The insurer of the policy"}"#)),
    Bind::item("insurance", How::Within(&[Bind::one("coverage", points("policy_id", "Coverage"))])),
];

const RECEIVED: &[Bind] = &[
    Bind::item("identifier", identifier("trace_number", "")),
    Bind::one("status", code("status", &[("RECEIVED", "active"), ("BALANCED", "active"), ("UNBALANCED", "active"), ("POSTED", "active")])),
    Bind::one("created", moment("created_at")),
    Bind::one("paymentIssuer", points("payer_id", "Organization")),
    Bind::one(
        "outcome",
        code("status", &[("RECEIVED", "queued"), ("BALANCED", "complete"), ("UNBALANCED", "partial"), ("POSTED", "complete")]),
    ),
    Bind::one("paymentDate", day("payment_date")),
    Bind::one("paymentAmount", money("amount_minor")),
];
