//! Copies of records: every table that names a patient is in them or left out by name, and no row of anybody else is.

use super::arena::{Arena, ELSEWHERE, NORTH, OAK, SOUTH, STRANGER, TWIN, own};
use crate::world;
use enamel::kernel::context::Plane;
use enamel::kernel::table::List;
use enamel::server::record_copy::{LEFT_OUT, PARTS, Part};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Tables whose rows name a patient: by a column, or by belonging to a row that does.
const ABOUT_PATIENTS: &str = "
    with recursive points as (
        select c.conrelid as rel, c.confrelid as target,
               bool_and(a.attnotnull) as always
          from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
         where c.contype = 'f' and c.connamespace = 'enamel'::regnamespace group by c.oid, c.conrelid, c.confrelid),
    about as (
        select c.oid as rel from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
         where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
           and a.attname like '%patient_id' and a.attname not like 'related_%'
        union select 'enamel.patients'::regclass
        union select p.rel from points p where p.target = 'enamel.patients'::regclass
        union select p.rel from points p join about on about.rel = p.target
               where p.always and p.target not in ('enamel.files'::regclass, 'enamel.documents'::regclass))
    select relname::text from pg_class where oid in (select rel from about)";

#[test]
fn every_table_with_a_patient_is_copied_or_left_out_by_name() {
    world::with(async |world| {
        let arena = Arena::shared(world).await;
        let rows = arena.truth().await.query(ABOUT_PATIENTS, &[]).await.unwrap();
        let about: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(about.len() > 90, "{about:?}");
        let copied = PARTS.iter().map(|part| part.table.name);
        let known: BTreeSet<String> = copied.chain(LEFT_OUT.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
        let forgotten: Vec<_> = about.difference(&known).collect();
        assert!(forgotten.is_empty(), "neither copied nor left out: {forgotten:?}");
        for table in PARTS.iter().map(|part| part.table) {
            assert!(table.has_tenant() && LEFT_OUT.iter().all(|(name, why)| *name != table.name && !why.is_empty()), "{}", table.name);
        }
    });
}

/// Ids of the rows a copy of north's own patient has, as that plane reads them.
async fn copied(arena: &Arena, plane: Plane, part: &Part) -> Result<BTreeSet<(Uuid, Uuid)>, String> {
    let session = arena.plane(plane).await;
    let context = own(plane);
    let extra = vec![part.of(NORTH.tenant_id(), NORTH.id("patients"))];
    let built = List { limit: 200, extra, ..List::new(part.table) }.page(plane, context.tenant).unwrap();
    session.begin(&session.seal(&context)).await;
    let statement = session.client.prepare_typed(&built.query.text, &built.query.types).await;
    let rows = match statement {
        Ok(statement) => session.client.query(&statement, &built.params()).await,
        Err(refused) => Err(refused),
    };
    session.rollback().await;
    let rows = rows.map_err(|failure| super::arena::sqlstate(&failure))?;
    Ok(rows.iter().map(|row| (row.get("tenant_id"), row.get("id"))).collect())
}

/// Rows of these need not refer to anybody, and those of the arena do not.
const MAY_LACK: &[&str] = &["referral_submissions", "remittance_lines", "dicom_transactions"];

#[test]
fn a_copy_has_no_row_of_another_patient_or_clinic() {
    world::with(async |world| {
        let arena = Arena::shared(world).await;
        let mut shown = BTreeSet::new();
        for part in PARTS.iter() {
            let table = part.table.name;
            for plane in [Plane::Staff, Plane::Patient] {
                let rows = match copied(arena, plane, part).await {
                    Err(state) => {
                        assert_eq!((state.as_str(), plane), ("42501", Plane::Patient), "{table}");
                        continue;
                    }
                    Ok(rows) => rows,
                };
                assert!(rows.iter().all(|(tenant, _)| *tenant == NORTH.tenant_id()), "{table}: another clinic's row");
                // Rows about nobody are nobody's: whose patient is another's decides.
                for other in [STRANGER, TWIN, OAK, SOUTH, ELSEWHERE] {
                    assert!(rows.iter().all(|(_, id)| *id != other.id(table) || other.id(table) == NORTH.id(table)), "{table}: {other:?}");
                }
                let has_own = rows.iter().any(|(_, id)| *id == NORTH.id(table));
                assert!(has_own || plane == Plane::Patient || MAY_LACK.contains(&table), "{table} lacks the patient's own row");
                if has_own && plane == Plane::Patient {
                    shown.insert(table);
                }
            }
        }
        assert!(shown.len() > 40, "a patient is shown next to nothing: {shown:?}");
    });
}
