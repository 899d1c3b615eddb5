//! Records through the kernel: what is written is read, by its own clinic alone.

use crate::world;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error;
use enamel::kernel::table::{List, store};
use enamel::patients::patient::PATIENT;

#[test]
fn a_patient_is_seen_by_its_own_clinic_and_its_dso_and_by_nobody_else() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let north = world.tenant("GROUP_PRACTICE", Some(dso.id)).await;
        let south = world.tenant("GROUP_PRACTICE", Some(dso.id)).await;
        let made = north.patient("Ångström").await.unwrap();
        south.patient("Baker").await.unwrap();

        let read = async |caller: enamel::kernel::Caller| {
            let scope = caller.read(&PATIENT).await.unwrap();
            let (records, _) = store::list(scope, &List::new(&PATIENT), &world.kernel.keys).await.unwrap();
            records.iter().map(|record| record.text("last_name").unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(read(north.staff()).await, ["Ångström"]);
        assert_eq!(read(south.staff()).await, ["Baker"]);
        let group = world.caller(Plane::Group, dso.id, None, &[Permission::ViewPatient]);
        assert_eq!(read(group).await, ["Ångström", "Baker"]);
        let blind = world.caller(Plane::Staff, north.id, None, &[Permission::ViewTenant]);
        assert_eq!(blind.read(&PATIENT).await.err().map(|refusal| refusal.code), Some(&error::FORBIDDEN));
        assert_eq!(made.version, 1);
    });
}
