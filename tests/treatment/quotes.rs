//! A quote at an operator becomes a draft plan in the clinic's own space, with consent, and can be taken back.

use super::{Desk, PORTAL, told, why};
use crate::world::operations::{create, patch, read, record, run};
use crate::world::{self, World, tenants::Clinic};
use enamel::kernel::Caller;
use enamel::kernel::context::Plane;
use enamel::kernel::table::Record;
use enamel::treatment::booking::BOOKING;
use enamel::treatment::quote::QUOTE;
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use serde_json::json;
use uuid::Uuid;

/// An operator with a patient, and a published clinic with an offer.
struct Market {
    desk: Desk,
    clinic: Clinic,
    offer: Uuid,
    wording: Uuid,
}

impl Market {
    async fn open(world: &'static World) -> Market {
        let (desk, clinic) = (Desk::open(world).await, world.tenant("SOLO_PRACTICE", None).await);
        let (offer, wording) = (Uuid::now_v7(), Uuid::now_v7());
        desk.sql(&format!(
            "insert into enamel.clinic_profiles (tenant_id, id, status) values ('{0}', gen_random_uuid(), 'PUBLISHED');
             insert into enamel.clinic_treatments (tenant_id, id, name, price_from_minor, currency) values ('{0}', '{offer}', 'Veneer', 40000, 'EUR');
             insert into enamel.consent_texts (tenant_id, id, code, version_no, body, consent_types, effective_from)
             values ('{1}', '{wording}', 'QUOTE', 3, 'I agree.', '{{DATA_STORAGE,DATA_SHARING}}', now() - interval '1 day')",
            clinic.id, desk.clinic.id
        ))
        .await;
        Market { desk, clinic, offer, wording }
    }

    async fn quote(&self) -> Record {
        let items = json!([{"clinic_treatment_id": self.offer, "quantity": 2}, {"description": "Something for the gap"}]);
        let body = json!({"patient_id": self.desk.patient, "clinic_tenant_id": self.clinic.id, "items": items, "currency": "EUR",
                          "patient_notes": "in summer"});
        create(&self.desk.portal, &QUOTE, body).await.unwrap()
    }

    fn consent(&self) -> serde_json::Value {
        json!({"consent_text_id": self.wording, "consent_given": true})
    }

    async fn submitted(&self) -> Record {
        record(run(&self.desk.portal, "submitQuote", Some(self.quote().await.id), self.consent()).await.unwrap())
    }

    async fn events(&self, quote: Uuid) -> Vec<String> {
        let truth = self.clinic.world.truth().await;
        let sql = "select event_type from enamel.quote_events where tenant_id = $1 and quote_id = $2 order by occurred_at, created_at";
        truth.query(sql, &[&self.desk.clinic.id, &quote]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// The same login at the clinic.
    fn at_clinic(&self) -> Caller {
        self.clinic.world.caller(Plane::Patient, self.clinic.id, Some(self.desk.login), PORTAL)
    }
}

#[test]
fn a_submitted_quote_is_a_draft_plan_at_the_clinic_with_two_consents() {
    world::with(async |world| {
        let market = Market::open(world).await;
        let quote = market.submitted().await;
        let (patient, plan) = (quote.uuid("clinic_patient_id").unwrap(), quote.uuid("clinic_plan_id").unwrap());
        assert_eq!(quote.text("status"), Some("SUBMITTED"));
        let made = read(&market.clinic.staff(), &TREATMENT_PLAN, plan).await.unwrap();
        assert_eq!(
            (made.text("status"), made.text("created_by_party"), made.uuid("patient_id")),
            (Some("DRAFT"), Some("PATIENT"), Some(patient))
        );
        assert_eq!((made.int("total_estimated_cost_minor"), made.text("notes")), (Some(80_000), Some("in summer")));
        assert_eq!(made.get("treatment_details")[0]["description"], "Veneer");
        let desk = &market.desk;
        let consents =
            format!("consents where related_id = '{}' and text_snapshot = 'I agree.' and text_version = 3 and status = 'ACTIVE'", quote.id);
        assert_eq!(desk.count(&format!("{consents} and consent_type = 'DATA_STORAGE' and recipient_tenant_id is null")).await, 1);
        let shared = format!("{consents} and consent_type = 'DATA_SHARING' and recipient_tenant_id = '{}'", market.clinic.id);
        assert_eq!(desk.count(&shared).await, 1);
        assert_eq!(
            desk.count(&format!("patients where id = '{patient}' and tenant_id = '{}' and needs_identity_check", market.clinic.id)).await,
            1
        );
        assert_eq!(desk.count(&format!("notifications where tenant_id = '{}' and audience = 'TENANT'", market.clinic.id)).await, 1);
        assert_eq!(read(&market.at_clinic(), &TREATMENT_PLAN, plan).await.unwrap().id, plan, "the patient sees it at the clinic");
        assert!(read(&desk.staff, &TREATMENT_PLAN, plan).await.is_err(), "the operator does not");
        // A second quote finds the patient that is there.
        let second = market.submitted().await;
        assert_eq!(second.uuid("clinic_patient_id"), Some(patient));
        assert_ne!(second.uuid("clinic_plan_id"), Some(plan));
        assert_eq!(desk.count(&format!("patients where tenant_id = '{}'", market.clinic.id)).await, 1);

        let frozen = patch(&desk.staff, &QUOTE, quote.id, quote.version, json!({"items": []})).await;
        assert_eq!(told(frozen), (409, "Withdraw the quote and make a new one.".into()));
        assert_eq!(why(run(&desk.portal, "submitQuote", Some(quote.id), market.consent()).await).0, 409);
    });
}

#[test]
fn a_quote_needs_items_a_tick_and_a_published_clinic() {
    world::with(async |world| {
        let market = Market::open(world).await;
        let desk = &market.desk;
        let quote = market.quote().await;
        let submit = async |caller, body| why(run(caller, "submitQuote", Some(quote.id), body).await);
        let unticked = json!({"consent_text_id": market.wording, "consent_given": false});
        assert_eq!(submit(&desk.portal, unticked).await, (422, "consent_given".into()));
        assert_eq!(submit(&desk.portal, json!({"consent_text_id": market.wording})).await, (422, "consent_given".into()));
        let unknown = json!({"consent_text_id": Uuid::now_v7(), "consent_given": true});
        assert_eq!(submit(&desk.portal, unknown).await, (422, "consent_text_id".into()));
        let hidden = world.tenant("SOLO_PRACTICE", None).await;
        let mut elsewhere = market.consent();
        elsewhere["clinic_tenant_id"] = json!(hidden.id);
        assert_eq!(submit(&desk.portal, elsewhere).await, (422, "clinic_tenant_id".into()));
        let body = json!({"patient_id": desk.patient, "clinic_tenant_id": hidden.id, "currency": "EUR"});
        assert_eq!(told(create(&desk.portal, &QUOTE, body).await), (422, "clinic_tenant_id".into()));
        assert_eq!(submit(&desk.staff, market.consent()).await.0, 403, "staff do not consent for a patient");
        let other = Desk::open(world).await;
        assert_eq!(submit(&other.portal, market.consent()).await.0, 404);
        patch(&desk.staff, &QUOTE, quote.id, quote.version, json!({"items": []})).await.unwrap();
        assert_eq!(submit(&desk.portal, market.consent()).await, (422, "items".into()));
        assert_eq!(desk.count(&format!("consents where related_id = '{}'", quote.id)).await, 0);
        assert_eq!(desk.count(&format!("patients where tenant_id = '{}'", market.clinic.id)).await, 0, "nothing was made at the clinic");
        // The database keeps the rule past every contract.
        let raw = world.truth().await.execute("update enamel.quotes set status = 'SUBMITTED' where id = $1", &[&quote.id]).await;
        assert!(raw.is_err());
    });
}

#[test]
fn the_operator_hears_what_becomes_of_the_plan_and_a_withdrawn_quote_closes_it() {
    world::with(async |world| {
        let market = Market::open(world).await;
        let quote = market.submitted().await;
        let plan = quote.uuid("clinic_plan_id").unwrap();
        let clinic = market.clinic.staff();
        let shown = record(run(&clinic, "presentTreatmentPlan", Some(plan), json!({})).await.unwrap());
        assert_eq!(read(&market.desk.staff, &QUOTE, quote.id).await.unwrap().text("status"), Some("PLANNED"));
        let next = record(run(&clinic, "reviseTreatmentPlan", Some(shown.id), json!({})).await.unwrap());
        assert_eq!(read(&market.desk.staff, &QUOTE, quote.id).await.unwrap().uuid("clinic_plan_id"), Some(next.id));
        run(&clinic, "presentTreatmentPlan", Some(next.id), json!({})).await.unwrap();
        let mut events = market.events(quote.id).await;
        events.sort_unstable();
        events.dedup();
        assert_eq!(events, ["PLAN_CHANGED", "PLAN_CREATED", "PLAN_PRESENTED"]);
        // A plan of somebody else cannot speak for the quote.
        let stranger = Desk::open(world).await;
        let body =
            json!({"patient_id": stranger.patient, "currency": "EUR", "source_quote_id": quote.id, "treatment_details": [{"name": "x"}]});
        let forged = create(&stranger.staff, &TREATMENT_PLAN, body).await.unwrap();
        let before = market.events(quote.id).await.len();
        run(&stranger.staff, "presentTreatmentPlan", Some(forged.id), json!({})).await.unwrap();
        assert_eq!(market.events(quote.id).await.len(), before);

        let gone = record(run(&market.desk.portal, "withdrawQuote", Some(quote.id), json!({})).await.unwrap());
        assert_eq!(gone.text("status"), Some("WITHDRAWN"));
        let revoked = format!("consents where related_id = '{}' and consent_type = 'DATA_SHARING' and status = 'REVOKED'", quote.id);
        assert_eq!(market.desk.count(&revoked).await, 1);
        let accepted = run(&market.at_clinic(), "acceptTreatmentPlan", Some(next.id), json!({"revision_no": 2})).await;
        assert_eq!(why(accepted), (409, "The consent of the quote is not on record any more.".into()));
        assert_eq!(why(run(&market.desk.portal, "withdrawQuote", Some(quote.id), json!({})).await).0, 409);
    });
}

#[test]
fn a_confirmed_booking_opens_the_patients_documents_and_a_cancelled_one_closes_them() {
    world::with(async |world| {
        let market = Market::open(world).await;
        let (tenant, patient) = (market.desk.clinic.id, market.desk.patient);
        for (status, visible) in [("READY", true), ("READY", false), ("PENDING", true)] {
            market.desk.sql(&format!(
                "insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, storage_key, storage_region, status, is_patient_visible)
                 values ('{tenant}', gen_random_uuid(), '{patient}', 'XRAY', 'x.png', 'image/png', 5, '{tenant}/{}', 'eu', '{status}', {visible})",
                Uuid::now_v7()
            )).await;
        }
        let quote = market.submitted().await;
        let (plan, there) = (quote.uuid("clinic_plan_id").unwrap(), quote.uuid("clinic_patient_id").unwrap());
        let clinic = market.clinic.staff();
        run(&clinic, "presentTreatmentPlan", Some(plan), json!({})).await.unwrap();
        run(&market.at_clinic(), "acceptTreatmentPlan", Some(plan), json!({"revision_no": 1})).await.unwrap();
        let body = json!({"patient_id": there, "plan_id": plan, "currency": "EUR"});
        let booking = create(&clinic, &BOOKING, body).await.unwrap();
        assert_eq!((booking.text("deposit_status"), booking.uuid("operator_tenant_id")), (Some("NOT_REQUIRED"), Some(tenant)));
        let received = format!("received_documents where tenant_id = '{}' and booking_id = '{}'", market.clinic.id, booking.id);
        assert_eq!(market.desk.count(&received).await, 0, "nothing before the booking");
        run(&market.at_clinic(), "confirmBooking", Some(booking.id), json!({})).await.unwrap();
        assert_eq!(market.desk.count(&format!("{received} and patient_id = '{there}' and revoked_at is null")).await, 1);
        let grants = format!("document_grants where tenant_id = '{tenant}' and grantee_tenant_id = '{}'", market.clinic.id);
        assert_eq!(market.desk.count(&format!("{grants} and revoked_at is null")).await, 1, "only what is ready and the patient's to see");
        assert!(market.events(quote.id).await.contains(&"BOOKING_CONFIRMED".to_owned()));
        // What is ready or shown to the patient later is opened then, once.
        for change in ["status = 'SCANNING'", "status = 'READY'", "uploaded_at = now()"] {
            market
                .desk
                .sql(&format!("update enamel.files set {change} where tenant_id = '{tenant}' and status in ('PENDING', 'SCANNING')"))
                .await;
        }
        let shown = format!("update enamel.files set is_patient_visible = true where tenant_id = '{tenant}' and not is_patient_visible");
        market.desk.sql(&shown).await;
        assert_eq!(market.desk.count(&format!("{received} and patient_id = '{there}' and revoked_at is null")).await, 3);
        assert_eq!(market.desk.count(&format!("{grants} and revoked_at is null")).await, 3);
        run(&clinic, "cancelBooking", Some(booking.id), json!({"reason": "no chair"})).await.unwrap();
        assert_eq!(market.desk.count(&format!("{received} and revoked_at is null")).await, 0);
        assert_eq!(market.desk.count(&format!("{grants} and revoked_at is null")).await, 0);
    });
}

#[test]
fn a_patient_gives_a_file_to_a_clinic_under_their_consent() {
    world::with(async |world| {
        let market = Market::open(world).await;
        let (tenant, patient) = (market.desk.clinic.id, market.desk.patient);
        let (shown, hidden, pending) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        for (id, status, visible) in [(shown, "READY", true), (hidden, "READY", false), (pending, "PENDING", true)] {
            market.desk.sql(&format!(
                "insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, storage_key, storage_region, status, is_patient_visible)
                 values ('{tenant}', '{id}', '{patient}', 'XRAY', 'x.png', 'image/png', 5, '{tenant}/{id}', 'eu', '{status}', {visible})"
            )).await;
        }
        let body = |file: Uuid| json!({"file_id": file, "grantee_tenant_id": market.clinic.id, "expires_at": "2999-01-01T00:00:00Z"});
        let tell = async |caller: &Caller, body| why(run(caller, "createDocumentGrant", None, body).await);
        let staff = &market.desk.staff;
        let no_consent = (409, "The patient has not agreed to sharing with it.".to_owned());
        assert_eq!(tell(staff, body(shown)).await, no_consent);
        let quote = market.submitted().await;
        let unseen = (422, "file_id".to_owned());
        let portal = world.caller(Plane::Patient, tenant, Some(market.desk.login), enamel::kernel::context::Permission::ALL);
        assert_eq!(tell(&portal, body(hidden)).await, unseen);
        assert_eq!(tell(&portal, body(Uuid::now_v7())).await, unseen);
        assert_eq!(tell(&Desk::open(world).await.staff, body(shown)).await, unseen, "another clinic's file is like none");
        assert_eq!(tell(staff, body(pending)).await, (409, "The file cannot be opened.".into()));
        let own = json!({"file_id": shown, "grantee_tenant_id": tenant});
        assert_eq!(tell(staff, own).await, (422, "grantee_tenant_id".into()));
        let stranger = world.tenant("SOLO_PRACTICE", None).await.id;
        let elsewhere = json!({"file_id": shown, "grantee_tenant_id": stranger});
        assert_eq!(tell(staff, elsewhere).await, no_consent, "a consent is for one clinic");

        let grant = record(run(&portal, "createDocumentGrant", None, body(shown)).await.unwrap());
        assert_eq!((grant.text("reason"), grant.uuid("consent_id")), (Some("PATIENT_SHARED"), quote.uuid("consent_id")));
        assert_eq!(tell(staff, body(shown)).await, (409, "It is shared with that clinic already.".into()));
        let there = quote.uuid("clinic_patient_id").unwrap();
        let received =
            format!("received_documents where tenant_id = '{}' and grant_id = '{}' and patient_id = '{there}'", market.clinic.id, grant.id);
        assert_eq!(market.desk.count(&format!("{received} and revoked_at is null")).await, 1, "it is there, with that clinic's patient");
        run(&market.desk.portal, "withdrawQuote", Some(quote.id), json!({})).await.unwrap();
        assert_eq!(market.desk.count(&format!("{received} and revoked_at is not null")).await, 1, "it goes with the consent");
        assert_eq!(tell(staff, body(shown)).await, no_consent);
    });
}
