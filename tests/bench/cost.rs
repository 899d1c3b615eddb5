//! What the policies and the sealed context cost: the kernel's own read of one row, against the same query on an
//! unprotected copy of the table, in a pipeline of the same form and by the same role.

use crate::Size;
use crate::house::House;
use crate::people::{Clinic, People, patient_id, tenant_id};
use crate::stand::median;
use enamel::kernel::context::{Caps, Context, Plane};
use enamel::kernel::table::store;
use enamel::patients::patient::PATIENT;
use enamel::server::start;
use futures_util::future::join3;
use std::time::Instant;
use uuid::Uuid;

pub struct Cost {
    pub sealed_us: f64,
    pub open_us: f64,
    pub extra_us: f64,
}

/// Requests in one block; the two sides take turns by blocks.
const BLOCK: usize = 400;

pub async fn measure(house: &House, people: &People, size: Size) -> Cost {
    people
        .truth
        .batch_execute(
            "create table bench.patients as select * from enamel.patients; alter table bench.patients add primary key (tenant_id, id);
         analyze bench.patients; grant usage on schema bench to enamel_staff; grant select on bench.patients to enamel_staff",
        )
        .await
        .unwrap();
    people.settle().await;
    let prepared = start::prepare(house.config("thousand")).await.unwrap();
    let kernel = prepared.kernel.clone();
    let conn = kernel.door.pools.take("staff").await.unwrap();
    let blocks = (size.seconds * 5.0) as usize;
    let (mut sealed, mut open) = (Vec::new(), Vec::new());
    for block in 0..=blocks {
        let asked: Vec<(Uuid, Uuid)> = (0..BLOCK).map(|n| pick(&people.clinics, block * BLOCK + n)).collect();
        let began = Instant::now();
        for (tenant, id) in &asked {
            let built = store::get_query(&PATIENT, Plane::Staff, Some(*tenant), *id, false).unwrap();
            let mut context = Context::system(Plane::Staff, Some(*tenant));
            context.caps = Caps::ALL;
            let scope = kernel.door.open(&context).await.unwrap();
            assert_eq!(scope.once(&[(built.query.clone(), built.params())]).await.unwrap()[0].len(), 1);
        }
        let under_policies = began.elapsed();
        let began = Instant::now();
        for (tenant, id) in &asked {
            let built = store::get_query(&PATIENT, Plane::Staff, Some(*tenant), *id, false).unwrap();
            let text = built.query.text.replace(" from patients r", " from bench.patients r");
            let statement = conn.prepared(&text, &built.query.types).await.unwrap();
            let params = built.params();
            let (_, rows, ended) =
                join3(conn.client.batch_execute("begin"), conn.client.query(&statement, &params), conn.client.batch_execute("commit"))
                    .await;
            ended.unwrap();
            assert_eq!(rows.unwrap().len(), 1);
        }
        // The first block only warms.
        if block > 0 {
            sealed.push(under_policies.as_secs_f64() * 1e6 / BLOCK as f64);
            open.push(began.elapsed().as_secs_f64() * 1e6 / BLOCK as f64);
        }
    }
    drop(conn);
    kernel.door.pools.close();
    let (sealed_us, open_us) = (undisturbed(sealed), undisturbed(open));
    Cost { sealed_us, open_us, extra_us: sealed_us - open_us }
}

/// A limit in microseconds asks for a machine at rest: of each side the fastest quarter of its blocks counts, in which
/// other programs disturbed least.
fn undisturbed(mut blocks: Vec<f64>) -> f64 {
    blocks.sort_by(f64::total_cmp);
    blocks.truncate(blocks.len().div_ceil(4));
    median(blocks)
}

/// Some patient of some clinic, another for every `n`.
fn pick(clinics: &[Clinic], n: usize) -> (Uuid, Uuid) {
    let clinic = &clinics[n * 7_919 % clinics.len()];
    let number = clinic.first + (n as u64 * 104_729) % clinic.patients;
    (tenant_id(clinic.tenant).parse().unwrap(), patient_id(number).parse().unwrap())
}
