//! Roles for a part of a tenant, over HTTP: at a location, for a team's patients, for one's own.

use crate::imaging::documents::{document, file};
use crate::world;
use crate::world::operations::{create, run};
use crate::world::tenants::Clinic;
use enamel::claims::remittance::REMITTANCE;
use enamel::imaging::document_grant::DOCUMENT_GRANT;
use enamel::kernel::Caller;
use enamel::kernel::context::{Caps, Permission, Plane};
use enamel::patients::payer::PAYER;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use uuid::Uuid;

type Part = (&'static str, Option<Uuid>, Option<Uuid>);
const OWN: Part = ("SELF", None, None);

/// A clinic with two houses; each has a dentist, a patient and a visit of both.
struct Houses {
    clinic: Clinic,
    places: [Uuid; 2],
    dentists: [Uuid; 2],
    providers: [Uuid; 2],
    patients: [Uuid; 2],
    visits: [Uuid; 2],
    team: Uuid,
}

impl Houses {
    async fn build(world: &'static world::World) -> Houses {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let make = async |path: &str, body: Json| -> Uuid {
            let (status, made) = world.post(Some(&admin), path, body).await;
            assert_eq!(status, 201, "{path}: {made}");
            made["id"].as_str().unwrap().parse().unwrap()
        };
        let (mut places, mut dentists, mut providers, mut patients, mut visits) =
            ([Uuid::nil(); 2], [Uuid::nil(); 2], [Uuid::nil(); 2], [Uuid::nil(); 2], [Uuid::nil(); 2]);
        for house in 0..2 {
            places[house] =
                make("/locations", json!({"name": format!("House {house}"), "country": "DE", "time_zone": "Europe/Berlin"})).await;
            dentists[house] = clinic.member("API_CLIENT").await;
            providers[house] =
                make("/providers", json!({"full_name": "Dr. Test", "specialty": "General", "user_id": dentists[house]})).await;
            patients[house] = make("/patients", json!({"first_name": "Test", "last_name": format!("House {house}")})).await;
            let visit = json!({"patient_id": patients[house], "provider_id": providers[house], "location_id": places[house], "encounter_type": "EXAM"});
            visits[house] = make("/encounters", visit).await;
            make("/patient-allergies", json!({"patient_id": patients[house], "category": "MATERIAL", "substance": "Latex"})).await;
        }
        let team = make("/teams", json!({"name": "Team", "kind": "HYGIENE"})).await;
        make("/team-members", json!({"team_id": team, "user_id": dentists[1]})).await;
        Houses { clinic, places, dentists, providers, patients, visits, team }
    }

    /// A token of somebody with that role for that part: scope, place, team.
    async fn give(&self, user: Uuid, role: &str, (scope, place, team): Part) -> String {
        let sql = "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id, resource_scope, location_id, team_id)
                   select $1, gen_random_uuid(), $2, tenant_id, id, $4, $5, $6 from enamel.roles where code = $3 and is_system";
        let given = self.clinic.world.truth().await.execute(sql, &[&self.clinic.id, &user, &role, &scope, &place, &team]).await;
        assert_eq!(given.unwrap(), 1);
        self.clinic.world.session(user, Some(self.clinic.id)).await
    }

    /// The houses whose rows a list shows.
    async fn shown(&self, token: &str, path: &str, column: &str, ids: &[Uuid; 2]) -> BTreeSet<usize> {
        let (status, page) = self.clinic.world.get(Some(token), &format!("{path}?limit=100")).await;
        assert_eq!(status, 200, "{path}: {page}");
        let items = page["items"].as_array().unwrap();
        (0..2).filter(|house| items.iter().any(|item| item[column] == json!(ids[*house]))).collect()
    }

    async fn sees(&self, token: &str) -> [BTreeSet<usize>; 3] {
        [
            self.shown(token, "/patients", "id", &self.patients).await,
            self.shown(token, "/encounters", "id", &self.visits).await,
            self.shown(token, "/patient-allergies", "patient_id", &self.patients).await,
        ]
    }
}

#[test]
fn a_role_for_a_part_shows_that_part() {
    world::with(async |world| {
        let houses = Houses::build(world).await;
        let (first, second) = (BTreeSet::from([0]), BTreeSet::from([1]));
        let each = |set: &BTreeSet<usize>| [set.clone(), set.clone(), set.clone()];
        let specialist = houses.give(houses.dentists[0], "CLINICIAN", OWN).await;
        assert_eq!(houses.sees(&specialist).await, each(&first), "their own");
        let clerk = houses.clinic.member("API_CLIENT").await;
        let at = |house: usize| ("LOCATION", Some(houses.places[house]), None);
        let there = houses.give(clerk, "CLINICIAN", at(1)).await;
        assert_eq!(houses.sees(&there).await, each(&second), "of the place");
        let mate = houses.clinic.member("API_CLIENT").await;
        let of_team = houses.give(mate, "CLINICIAN", ("TEAM", None, Some(houses.team))).await;
        assert_eq!(houses.sees(&of_team).await, each(&second), "of the team's dentists");
        // Two parts are both; what is for the whole stands beside them.
        let both = houses.give(clerk, "CLINICIAN", at(0)).await;
        assert_eq!(houses.sees(&both).await, each(&BTreeSet::from([0, 1])));
        let desk = houses.give(houses.dentists[0], "CLINIC_STAFF", ("ALL_LOCATIONS", None, None)).await;
        let [patients, visits, allergies] = houses.sees(&desk).await;
        assert_eq!((patients.len(), visits, allergies), (2, first.clone(), first), "the desk sees patients, and no chart");
    });
}

#[test]
fn a_part_is_changed_within_its_bounds() {
    world::with(async |world| {
        let houses = Houses::build(world).await;
        let token = houses.give(houses.dentists[0], "CLINICIAN", OWN).await;
        let [mine, theirs] = houses.patients.map(|id| format!("/patients/{id}"));
        assert_eq!(world.patch(&token, &mine, 1, json!({"first_name": "Changed"})).await.0, 200);
        assert_eq!(world.patch(&token, &theirs, 1, json!({"first_name": "Changed"})).await.0, 404);
        let allergy = |patient: Uuid| json!({"patient_id": patient, "category": "MATERIAL", "substance": "Nickel"});
        assert_eq!(world.post(Some(&token), "/patient-allergies", allergy(houses.patients[0])).await.0, 201);
        assert_eq!(world.post(Some(&token), "/patient-allergies", allergy(houses.patients[1])).await.0, 403);
        // A new patient is theirs by being named so, and nobody's otherwise.
        let new = |provider: Option<Uuid>| json!({"first_name": "New", "last_name": "Patient", "primary_provider_id": provider});
        assert_eq!(world.post(Some(&token), "/patients", new(Some(houses.providers[0]))).await.0, 201);
        assert_eq!(world.post(Some(&token), "/patients", new(Some(houses.providers[1]))).await.0, 403);
        // What is read to work is read, and what the tenant decides is not theirs.
        assert_eq!(world.get(Some(&token), "/locations").await.1["items"].as_array().map(Vec::len), Some(2));
        let user = houses.dentists[0];
        let truth = world.truth().await;
        let ended = "update enamel.user_roles set valid_until = now() where user_id = $1 and resource_scope = 'SELF'";
        truth.execute(ended, &[&user]).await.unwrap();
        let shown = houses.shown(&token, "/patients", "id", &houses.patients).await;
        assert_eq!(shown, BTreeSet::new(), "a token that is still believed shows nothing of a part that has ended");
    });
}

/// Everything throughout, but one permission for a part only.
fn partly(clinic: &Clinic, who: Uuid, permission: Permission) -> Caller {
    let mut caller = clinic.world.caller(Plane::Staff, clinic.id, Some(who), Permission::ALL);
    caller.context.part = Caps::of(&[permission]);
    caller.context.caps = Caps(caller.context.caps.0 & !permission.bit());
    caller
}

async fn said(caller: &Caller, operation: &str, id: Uuid, body: Json) -> &'static str {
    run(caller, operation, Some(id), body).await.map_or_else(|refusal| refusal.code.code, |_| "done")
}

#[test]
fn what_the_server_does_for_somebody_asks_for_the_permission_throughout() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let staff = clinic.staff();
        let (who, another) = (clinic.member("API_CLIENT").await, clinic.member("API_CLIENT").await);
        let payer = create(&staff, &PAYER, json!({"name": "Sure Dental"})).await.unwrap().id;
        let advice = json!({"payer_id": payer, "trace_number": "1", "payment_date": "2026-04-01", "payment_method": "ACH",
            "amount_minor": 0, "currency": "EUR"});
        let advice = create(&staff, &REMITTANCE, advice).await.unwrap().id;
        let program = json!({"name": "Program", "client_type": "BACKEND", "scopes": ["system/Patient.rs"]});
        let (status, program) = world.post(Some(&clinic.token("TENANT_ADMIN").await), "/api-clients", program).await;
        assert_eq!(status, 201, "{program}");
        let program = program["id"].as_str().unwrap().parse().unwrap();
        let scopes = json!({"scopes": ["system/Appointment.rs"]});
        for (operation, permission, id, body, answer) in [
            // Allowed, if there were anything to post.
            ("postRemittance", Permission::EditClaims, advice, json!({}), "state.move_refused"),
            ("setApiClientScopes", Permission::ManageIntegrations, program, scopes, "done"),
            ("disableApiClient", Permission::ManageIntegrations, program, json!({}), "done"),
            ("unlockUser", Permission::ManageUsers, another, json!({}), "done"),
            ("disableUser", Permission::ManageUsers, another, json!({}), "done"),
        ] {
            assert_eq!(said(&partly(&clinic, who, permission), operation, id, body.clone()).await, "auth.forbidden", "{operation}");
            let whole = world.caller(Plane::Staff, clinic.id, Some(who), Permission::ALL);
            assert_eq!(said(&whole, operation, id, body).await, answer, "{operation}");
        }
    });
}

#[test]
fn a_part_signs_and_takes_back_in_its_own_charts() {
    world::with(async |world| {
        let houses = Houses::build(world).await;
        let clinic = &houses.clinic;
        let clerk = clinic.member("API_CLIENT").await;
        houses.give(clerk, "CLINICIAN", ("LOCATION", Some(houses.places[0]), None)).await;
        for (house, answer) in [(0, "done"), (1, "auth.forbidden")] {
            let patient = houses.patients[house];
            let bytes = file(clinic, patient, "READY", "aa").await;
            let form = document(clinic, patient, bytes).await.id;
            assert_eq!(said(&partly(clinic, clerk, Permission::SignClinical), "signDocument", form, json!({})).await, answer);
            let grant =
                json!({"patient_id": patient, "file_id": bytes, "grantee_tenant_id": clinic.id, "granted_at": "2026-01-01T00:00:00Z"});
            let grant = create(&clinic.staff(), &DOCUMENT_GRANT, grant).await.unwrap().id;
            assert_eq!(said(&partly(clinic, clerk, Permission::EditClinical), "revokeDocumentGrant", grant, json!({})).await, answer);
        }
    });
}
