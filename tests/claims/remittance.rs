//! A payer's advice: balanced or not, posted once.

use super::Office;
use crate::world;
use crate::world::operations::{create, read};
use enamel::claims::claim::CLAIM;
use enamel::claims::claim_line::CLAIM_LINE;
use enamel::claims::remittance::REMITTANCE;
use enamel::kernel::error::Result;
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Claim, line, code, billed, paid, owed by the patient; what is left is the contract's.
type Line<'a> = (Option<Uuid>, Option<Uuid>, &'a str, i64, i64, i64);

impl Office {
    /// What came from the payer: a header by staff, its lines by the server in one transaction.
    async fn advice(&self, amount: i64, lines: &[Line<'_>]) -> Record {
        let body = json!({"payer_id": self.payer, "trace_number": Uuid::now_v7().to_string(), "payment_date": "2026-04-01",
            "payment_method": "ACH", "amount_minor": amount, "currency": "EUR"});
        let header = create(&self.clinic.staff(), &REMITTANCE, body).await.unwrap();
        self.add(header.id, lines).await.unwrap();
        read(&self.clinic.staff(), &REMITTANCE, header.id).await.unwrap()
    }

    async fn add(&self, remittance: Uuid, lines: &[Line<'_>]) -> Result<()> {
        let staff = self.clinic.staff();
        let mut scope = staff.kernel.door.open(&staff.server(self.clinic.id)).await.unwrap();
        for (claim, line, code, billed, paid, owed) in lines {
            let adjustments = json!([{"group": "CO", "reason": "45", "amount_minor": billed - paid - owed}, {"group": "PR", "reason": "2", "amount_minor": owed}]);
            let reversal = *code == "22";
            scope.rows_once(
                "insert into remittance_lines (tenant_id, id, remittance_id, claim_id, claim_line_id, status_code, billed_minor, paid_minor,
                    patient_responsibility_minor, adjustments, is_reversal, currency)
                 values ($1, gen_random_uuid(), $2, $3, $4, $5, $6, $7, $8, $9, $10, 'EUR')",
                &[(&self.clinic.id, Type::UUID), (&remittance, Type::UUID), (claim, Type::UUID), (line, Type::UUID), (code, Type::TEXT),
                  (billed, Type::INT8), (paid, Type::INT8), (owed, Type::INT8), (&adjustments as &Json, Type::JSONB), (&reversal, Type::BOOL)],
            ).await?;
        }
        scope.commit().await
    }
}

#[test]
fn a_balanced_advice_pays_its_claim_once() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let (claim, lines) = office.sent().await;
        let of = Some(claim.id);
        let advice = office
            .advice(
                7_000,
                &[
                    (of, None, "1", 10_000, 7_000, 1_000),
                    (of, Some(lines[0].id), "1", 5_000, 4_000, 500),
                    (of, Some(lines[1].id), "1", 5_000, 3_000, 500),
                ],
            )
            .await;
        assert_eq!((advice.text("status"), advice.int("difference_minor")), (Some("BALANCED"), Some(0)));
        let posted = office.does(advice.id, "postRemittance", json!({})).await.unwrap();
        assert_eq!((posted.text("status"), posted.get("posted_at").is_null()), (Some("POSTED"), false));
        let staff = office.clinic.staff();
        let paid = read(&staff, &CLAIM, claim.id).await.unwrap();
        assert_eq!(
            (paid.text("status"), paid.int("total_paid_minor"), paid.int("patient_responsibility_minor"), paid.int("total_allowed_minor")),
            (Some("PAID"), Some(7_000), Some(1_000), Some(8_000))
        );
        let line = read(&staff, &CLAIM_LINE, lines[0].id).await.unwrap();
        assert_eq!(
            (line.int("paid_minor"), line.int("allowed_minor"), line.get("adjustments").as_array().unwrap().len()),
            (Some(4_000), Some(4_500), 2)
        );
        let payment = format!(
            "claim_id = '{}' and method = 'INSURANCE' and amount_minor = 7000 and status = 'SUCCEEDED' and paid_at is not null",
            claim.id
        );
        assert_eq!(office.count("payments", &payment).await, 1);
        assert_eq!(office.count("claim_status_events", "to_status = 'PAID' and payer_code = '1' and amount_minor = 7000").await, 1);
        let again = office.does(advice.id, "postRemittance", json!({})).await.unwrap_err();
        assert_eq!(again.code.code, "state.move_refused");
        assert_eq!(office.add(advice.id, &[(of, None, "1", 0, 0, 0)]).await.unwrap_err().code.code, "record.append_only");
        // The payer takes part of it back and pays less: amounts follow, the payment is refunded in part.
        let correction = office.advice(-2_000, &[(of, None, "22", -10_000, -7_000, -1_000), (of, None, "1", 10_000, 5_000, 1_000)]).await;
        assert_eq!(correction.text("status"), Some("BALANCED"));
        office.does(correction.id, "postRemittance", json!({})).await.unwrap();
        let paid = read(&staff, &CLAIM, claim.id).await.unwrap();
        assert_eq!(
            (paid.text("status"), paid.int("total_paid_minor"), paid.int("patient_responsibility_minor")),
            (Some("PAID"), Some(5_000), Some(1_000))
        );
        assert_eq!(office.count("payments", "status = 'PARTIALLY_REFUNDED' and refunded_minor = 2000").await, 1);
    });
}

#[test]
fn an_advice_that_does_not_balance_is_not_posted() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let (claim, _) = office.sent().await;
        let short = office.advice(7_000, &[(Some(claim.id), None, "1", 10_000, 6_000, 1_000)]).await;
        assert_eq!((short.text("status"), short.int("difference_minor")), (Some("UNBALANCED"), Some(1_000)));
        assert_eq!(office.does(short.id, "postRemittance", json!({})).await.unwrap_err().code.code, "state.move_refused");
        // The missing line comes.
        office.add(short.id, &[(None, None, "1", 1_000, 1_000, 0)]).await.unwrap();
        assert_eq!(read(&office.clinic.staff(), &REMITTANCE, short.id).await.unwrap().text("status"), Some("BALANCED"));
        office.does(short.id, "postRemittance", json!({})).await.unwrap();
        assert_eq!(office.count("payments", "amount_minor = 6000").await, 1);
        // Billed less adjusted is not what was paid.
        let odd = office.advice(5_000, &[(Some(claim.id), None, "1", 10_000, 5_000, 0)]).await;
        assert_eq!(odd.text("status"), Some("BALANCED"));
        world
            .truth()
            .await
            .execute("update enamel.remittance_lines set adjustments = '[]' where remittance_id = $1", &[&odd.id])
            .await
            .unwrap();
        office.add(odd.id, &[(None, None, "1", 0, 0, 0)]).await.unwrap_err();
    });
}

#[test]
fn nothing_is_posted_when_one_claim_cannot_take_it() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let (ready, _) = office.ready().await;
        let (good, _) = office.sent().await;
        let advice =
            office.advice(2_000, &[(Some(good.id), None, "1", 10_000, 1_000, 0), (Some(ready.id), None, "1", 10_000, 1_000, 0)]).await;
        let refused = office.does(advice.id, "postRemittance", json!({})).await.unwrap_err();
        assert_eq!((refused.code.status, refused.faults[0].rule), (409, "state"));
        assert_eq!((office.count("payments", "true").await, office.count("claims", "total_paid_minor is not null").await), (0, 0));
        // A denial, and a part of the lines only.
        let advice = office.advice(0, &[(Some(good.id), None, "4", 10_000, 0, 0)]).await;
        office.does(advice.id, "postRemittance", json!({})).await.unwrap();
        assert_eq!(read(&office.clinic.staff(), &CLAIM, good.id).await.unwrap().text("status"), Some("DENIED"));
        let (partly, lines) = office.sent_other().await;
        let advice = office.advice(3_000, &[(Some(partly.id), Some(lines.id), "1", 5_000, 3_000, 0)]).await;
        office.does(advice.id, "postRemittance", json!({})).await.unwrap();
        assert_eq!(read(&office.clinic.staff(), &CLAIM, partly.id).await.unwrap().text("status"), Some("PARTIALLY_PAID"));
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        let refused = crate::world::operations::run(&stranger, "postRemittance", Some(advice.id), json!({})).await.err().unwrap();
        assert_eq!(refused.code.status, 404);
    });
}

#[test]
fn of_two_who_post_at_once_one_does() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let (claim, _) = office.sent().await;
        let advice = office.advice(7_000, &[(Some(claim.id), None, "1", 10_000, 7_000, 1_000)]).await;
        let both = futures_util::future::join_all((0..2).map(|_| office.does(advice.id, "postRemittance", json!({})))).await;
        assert_eq!(both.iter().filter(|posted| posted.is_ok()).count(), 1);
        assert_eq!(office.count("payments", "true").await, 1);
    });
}

impl Office {
    /// A claim whose teeth nobody billed before.
    async fn sent_other(&self) -> (Record, Record) {
        let claim = self.claim(json!({})).await.unwrap();
        let line = self.line(claim.id, 1, json!({"tooth_number": "11"})).await.unwrap();
        self.line(claim.id, 2, json!({"tooth_number": "12"})).await.unwrap();
        self.does(claim.id, "validateClaim", json!({})).await.unwrap();
        (self.does(claim.id, "submitClaim", json!({})).await.unwrap(), line)
    }
}

#[test]
fn the_lines_of_an_advice_are_read_by_remittance_and_by_claim() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let (claim, lines) = office.sent().await;
        let (of, line) = (Some(claim.id), Some(lines[0].id));
        let advice = office.advice(4_000, &[(of, None, "1", 5_000, 4_000, 500), (of, line, "1", 5_000, 4_000, 500)]).await;
        let other = office.advice(-4_000, &[(of, None, "22", -5_000, -4_000, -500)]).await;
        let token = office.clinic.token("TENANT_ADMIN").await;
        let page = async |token: &str, query: &str| world.get(Some(token), &format!("/remittance-lines?{query}")).await;
        for (query, wanted) in [
            (format!("remittance_id={}", advice.id), 2),
            (format!("remittance_id={}", other.id), 1),
            (format!("claim_id={}", claim.id), 3),
            (format!("claim_id={}&is_reversal=true", claim.id), 1),
            (format!("claim_line_id={}", lines[0].id), 1),
            (format!("claim_line_id={}", lines[1].id), 0),
        ] {
            let (status, found) = page(&token, &query).await;
            assert_eq!((status, found["items"].as_array().map(Vec::len)), (200, Some(wanted)), "{query}: {found}");
        }
        let (_, found) = page(&token, &format!("claim_line_id={}", lines[0].id)).await;
        let id = found["items"][0]["id"].as_str().unwrap();
        let (_, one) = world.get(Some(&token), &format!("/remittance-lines/{id}")).await;
        assert_eq!(
            (&one["billed_minor"], &one["paid_minor"], &one["patient_responsibility_minor"]),
            (&json!(5_000), &json!(4_000), &json!(500))
        );
        assert_eq!((&one["adjustments"][0]["group"], &one["remittance_id"]), (&json!("CO"), &json!(advice.id)));

        let elsewhere = world.tenant("GROUP_PRACTICE", None).await.token("TENANT_ADMIN").await;
        let (_, none) = page(&elsewhere, &format!("claim_id={}", claim.id)).await;
        assert_eq!(none["items"], json!([]), "another clinic's claim");
        assert_eq!(world.get(Some(&elsewhere), &format!("/remittance-lines/{id}")).await.0, 404);
        let scientist = office.clinic.token("DATA_SCIENTIST").await;
        assert_eq!(page(&scientist, "").await.0, 403, "none for a data scientist");
    });
}
