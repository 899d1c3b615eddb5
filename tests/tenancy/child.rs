//! A DSO makes its own clinics; nobody else does.

use crate::world;
use crate::world::operations::{read, record, run};
use enamel::kernel::context::{Permission, Plane};
use enamel::tenancy::tenant::TENANT;
use enamel::tenancy::{tenant_quota::TENANT_QUOTA, tenant_settings::TENANT_SETTINGS};
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_dso_makes_a_clinic_with_all_it_needs() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let truth = world.truth().await;
        truth
            .execute("insert into enamel.tenant_quotas (tenant_id, id, max_patients) values ($1, gen_random_uuid(), 7)", &[&dso.id])
            .await
            .unwrap();
        let slug = format!("child-{}", Uuid::now_v7().simple());
        let body = json!({"name": "Bright West", "slug": slug, "city": "Bremen", "phone": "+494211234567"});
        let child = record(run(&dso.staff(), "createChildTenant", Some(dso.id), body.clone()).await.unwrap());
        assert_eq!((child.uuid("parent_tenant_id"), child.uuid("root_tenant_id")), (Some(dso.id), Some(dso.id)));
        assert_eq!(
            (child.text("type"), child.text("jurisdiction"), child.text("default_currency")),
            (Some("GROUP_PRACTICE"), Some("DE"), Some("EUR"))
        );

        let staff = world.caller(Plane::Staff, child.id, None, Permission::ALL);
        let own = read(&staff, &TENANT, child.id).await.unwrap();
        assert_eq!((own.text("phone"), own.get("address")["city"].as_str()), (Some("+494211234567"), Some("Bremen")));
        for table in [&TENANT_SETTINGS, &TENANT_QUOTA] {
            let list = enamel::kernel::table::List::new(table);
            let (rows, _) = enamel::kernel::table::store::list(staff.read(table).await.unwrap(), &list, &world.kernel.keys).await.unwrap();
            assert_eq!(rows.len(), 1, "{}", table.name);
        }
        let group = world.caller(Plane::Group, dso.id, None, &[Permission::ViewTenant]);
        assert_eq!(read(&group, &TENANT, child.id).await.unwrap().text("slug"), Some(slug.as_str()));
        // The same slug again is a duplicate, by its name.
        let twice = run(&dso.staff(), "createChildTenant", Some(dso.id), body).await.err().unwrap();
        assert_eq!((twice.code.status, twice.faults[0].field.as_str()), (409, "slug"));
    });
}

#[test]
fn who_may_not_make_a_child_is_told_so() {
    world::with(async |world| {
        let (dso, clinic) = (world.tenant("DSO", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let body = || json!({"name": "X", "slug": format!("x-{}", Uuid::now_v7().simple())});
        let refused = async |caller, id| run(&caller, "createChildTenant", Some(id), body()).await.err().unwrap().code.status;
        let weak = world.caller(Plane::Staff, dso.id, None, &[Permission::ViewTenant]);
        assert_eq!(refused(weak.clone(), dso.id).await, 403);
        assert_eq!(refused(clinic.staff(), clinic.id).await, 403, "a clinic is no DSO");
        assert_eq!(refused(clinic.staff(), dso.id).await, 404, "a foreign DSO");
        assert_eq!(refused(world.caller(Plane::Group, dso.id, None, Permission::ALL), dso.id).await, 403);
        // The function itself asks the sealed context, whatever the code above it did.
        let mut scope = weak.kernel.door.open(&weak.context).await.unwrap();
        let made = scope.rows_once("select from sec.create_child_tenant('{}'::jsonb)", &[]).await;
        assert_eq!(made.unwrap_err().code.status, 403);
    });
}

#[test]
fn contacts_are_hidden_from_patients_until_they_booked() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let body = json!({"name": "Shy", "slug": format!("shy-{}", Uuid::now_v7().simple()), "email": "desk@shy.example"});
        let child = record(run(&dso.staff(), "createChildTenant", Some(dso.id), body).await.unwrap());
        let clinic = world::tenants::Clinic { id: child.id, world };
        let patient = clinic.patient("Curious").await.unwrap();
        let login = world.patient_login(&[(child.id, patient.id)]).await;
        let person = world.caller(Plane::Patient, child.id, Some(login), Permission::ALL);
        assert_eq!(read(&person, &TENANT, child.id).await.unwrap().text("email"), Some("desk@shy.example"));
        world
            .truth()
            .await
            .execute("update enamel.tenant_settings set contact_visibility = 'AFTER_BOOKING' where tenant_id = $1", &[&child.id])
            .await
            .unwrap();
        let seen = read(&person, &TENANT, child.id).await.unwrap();
        assert!(seen.get("email").is_null() && seen.get("address").is_null());
        assert_eq!(read(&clinic.staff(), &TENANT, child.id).await.unwrap().text("email"), Some("desk@shy.example"));
    });
}
