//! A claim as the file a payer reads.

use super::Office;
use crate::world;
use crate::world::operations::{create, patch, read, run};
use enamel::claims::claim::CLAIM;
use enamel::directory::provider::PROVIDER;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Table;
use enamel::patients::patient::PATIENT;
use enamel::patients::payer::PAYER;
use enamel::tenancy::location::LOCATION;
use enamel::tenancy::tenant::TENANT;
use futures_util::StreamExt;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn set(office: &Office, table: &'static Table, id: Uuid, body: Json) {
    let now = read(&office.clinic.staff(), table, id).await.unwrap();
    patch(&office.clinic.staff(), table, id, now.version, body).await.unwrap();
}

#[test]
fn a_checked_claim_is_a_file_and_what_it_lacks_is_named() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let staff = office.clinic.staff();
        let (claim, _) = office.ready().await;
        let refused = run(&staff, "getClaimExport837d", Some(claim.id), json!({})).await.err().unwrap();
        let fields: Vec<&str> = refused.faults.iter().map(|fault| fault.field.as_str()).collect();
        let lacking = ["billing_provider_id.npi", "payer_id.payer_identifier", "tenant.tax_id", "location_id.address", "patient_id.dob"];
        assert_eq!((refused.code.status, fields.as_slice()), (422, lacking.as_slice()));

        let place = json!({"name": "Main", "country": "DE", "time_zone": "Europe/Berlin", "address_line1": "Street 1", "city": "Bremen",
            "region": "HB", "postal_code": "28195"});
        let place = create(&staff, &LOCATION, place).await.unwrap();
        set(&office, &PROVIDER, office.dentist, json!({"npi": "1234567893", "last_name": "Biller", "first_name": "Ben"})).await;
        set(&office, &PAYER, office.payer, json!({"payer_identifier": "SURE1"})).await;
        set(&office, &TENANT, office.clinic.id, json!({"tax_id": "12-345"})).await;
        set(&office, &PATIENT, office.patient, json!({"dob": "1980-02-29"})).await;
        office.does(claim.id, "reopenClaim", json!({})).await.unwrap();
        let refused = run(&staff, "getClaimExport837d", Some(claim.id), json!({})).await.err().unwrap();
        assert_eq!(refused.code.status, 409, "a draft is no file");
        set(&office, &CLAIM, claim.id, json!({"location_id": place.id})).await;
        office.does(claim.id, "validateClaim", json!({})).await.unwrap();
        let Answer::Bytes(parts) = run(&staff, "getClaimExport837d", Some(claim.id), json!({})).await.unwrap() else { panic!() };
        let bytes: Vec<u8> = parts.map(|part| part.unwrap().to_vec()).collect::<Vec<_>>().await.concat();
        let text = String::from_utf8(bytes).unwrap();
        // Teeth 31 and 32 are 24 and 23 to the payer; the policy's number was sealed.
        for wanted in [
            "*005010X224A2~",
            "NM1*85*1*BILLER*BEN****XX*1234567893~",
            "****MI*P-1~",
            "REF*EI*12-345~",
            "DMG*D8*19800229*U~",
            "*100***11:B:1*",
            "SV3*AD:T1234*50****1*****1~",
            "TOO*JP*24~",
            "TOO*JP*23~",
            "HI*ABK:K02~",
        ] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(run(&stranger, "getClaimExport837d", Some(claim.id), json!({})).await.err().unwrap().code.status, 404);
    });
}
