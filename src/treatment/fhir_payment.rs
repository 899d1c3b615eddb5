//! A patient's payment as FHIR PaymentNotice.

use super::payment::PAYMENT;
use crate::fhir::bind::{Bind, How, code, concept, moment, money, points};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("PaymentNotice");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &PAYMENT, PEOPLE, BINDS);

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("PENDING", "draft"),
                ("REQUIRES_ACTION", "draft"),
                ("SUCCEEDED", "active"),
                ("PARTIALLY_REFUNDED", "active"),
                ("REFUNDED", "cancelled"),
                ("DISPUTED", "active"),
                ("FAILED", "cancelled"),
                ("CANCELLED", "cancelled"),
            ],
        ),
    ),
    Bind::one("request", points("patient_id", "Patient")),
    Bind::one("request", points("claim_id", "Claim")),
    Bind::one("created", moment("created_at")),
    // The payment is the record itself; no other resource tells of it.
    Bind::one("payment", How::Always(r#"{"display":"Payment of the patient"}"#)),
    Bind::one("recipient", How::Tenant),
    Bind::one("amount", money("amount_minor")),
    Bind::one(
        "paymentStatus",
        concept(
            "status",
            "http://terminology.hl7.org/CodeSystem/paymentstatus",
            &[("SUCCEEDED", "paid"), ("PARTIALLY_REFUNDED", "paid"), ("REFUNDED", "cleared")],
        ),
    ),
];
