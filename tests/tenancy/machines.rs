//! State machines hold in the code and in the database, and they are the same.

use crate::world;
use enamel::kernel::table::{Machine, Table, Ty};
use enamel::server::domains;
use std::collections::BTreeSet;

fn machines() -> Vec<(&'static Table, &'static Machine)> {
    domains::tables().flat_map(|table| table.machines.iter().map(move |machine| (table, machine))).collect()
}

#[test]
fn the_database_makes_the_moves_of_the_code_and_no_others() {
    world::with(async |world| {
        let truth = world.truth().await;
        let mut tried = 0;
        for (table, machine) in machines() {
            let trigger = format!("moves_of_{}", machine.column);
            let row = truth
                .query_opt(
                    "select pg_get_triggerdef(t.oid) from pg_trigger t where t.tgrelid = ('enamel.' || $1)::regclass and t.tgname = $2",
                    &[&table.name, &trigger],
                )
                .await
                .unwrap();
            let definition: String =
                row.unwrap_or_else(|| panic!("{} has no {trigger}; add kernel.moves to its policies", table.name)).get(0);
            let list = definition.split("('{").nth(1).and_then(|rest| rest.split("}'").next()).unwrap_or_default();
            let stored: BTreeSet<String> = list.split(',').map(|step| step.trim().to_owned()).filter(|step| !step.is_empty()).collect();
            let ours: BTreeSet<String> =
                machine.moves.iter().filter(|step| step.from != step.to).map(|step| format!("{}>{}", step.from, step.to)).collect();
            assert_eq!(stored, ours, "{}.{}", table.name, machine.column);
            let Some(Ty::Enum(states)) = table.field(machine.column).map(|field| field.ty) else { panic!("{} has no states", table.name) };
            // The trigger's own expression, asked about every pair: what it refuses is what no move of ours makes.
            for from in states {
                for to in states {
                    let refused: bool = truth
                        .query_one(
                            "select $1::text is distinct from $2 and ($1 || '>' || $2) <> all ($3::text[])",
                            &[from, to, &stored.iter().collect::<Vec<_>>()],
                        )
                        .await
                        .unwrap()
                        .get(0);
                    let legal = from == to || machine.moves.iter().any(|step| step.from == *from && step.to == *to);
                    assert_eq!(refused, !legal, "{} {from} to {to}", table.name);
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "{tried} pairs");
    });
}

#[test]
fn a_patient_makes_every_legal_move_in_sql_and_no_other() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let truth = world.truth().await;
        let (table, machine) = machines().into_iter().find(|(table, _)| table.name == "patients").unwrap();
        let Some(Ty::Enum(states)) = table.field("status").map(|field| field.ty) else { panic!() };
        for from in states {
            for to in states {
                let patient = clinic.patient("Mover").await.unwrap();
                truth.batch_execute("set session_replication_role = replica").await.unwrap();
                truth.execute("update enamel.patients set status = $2 where id = $1", &[&patient.id, from]).await.unwrap();
                truth.batch_execute("reset session_replication_role").await.unwrap();
                let caller = clinic.staff();
                let mut scope = caller.kernel.door.open(&caller.context).await.unwrap();
                let moved =
                    scope.rows_once(&format!("update patients set status = '{to}' where id = '{}' returning 1", patient.id), &[]).await;
                let legal = from == to || machine.moves.iter().any(|step| step.from == *from && step.to == *to);
                match moved {
                    Ok(rows) => assert!(legal && rows.len() == 1, "{from} to {to}"),
                    Err(failure) => assert!(!legal && failure.code.code == "state.move_refused", "{from} to {to}: {failure}"),
                }
            }
        }
    });
}
