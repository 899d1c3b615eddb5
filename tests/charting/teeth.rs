//! What the code knows of teeth, the database knows too.

use crate::world;
use enamel::charting::probing::{SITES, has_furcation};
use enamel::charting::surface::surfaces_of;
use enamel::charting::tooth::{Designation, System, Tooth};

#[test]
fn the_database_and_the_code_agree_on_every_tooth() {
    world::with(async |world| {
        let truth = world.truth().await;
        for (system, word) in [(System::Fdi, "FDI"), (System::Universal, "UNIVERSAL"), (System::Palmer, "PALMER")] {
            for tooth in Tooth::all() {
                for is_supernumerary in [false, true] {
                    let text = Designation { tooth, is_supernumerary }.written(system);
                    let row = truth
                        .query_one(
                            "select kernel.tooth_in($1, $2, $3), kernel.tooth_of($1, $4)",
                            &[&word, &tooth.to_string(), &is_supernumerary, &text],
                        )
                        .await
                        .unwrap();
                    assert_eq!(row.get::<_, String>(0), text, "{word} {tooth}");
                    let read = Designation::read(system, &text).unwrap();
                    let expected = format!("{}{}", read.tooth, if read.is_supernumerary { "+" } else { "" });
                    assert_eq!(row.get::<_, Option<String>>(1), Some(expected), "{word} {text}");
                }
            }
            for wrong in ["0", "33", "50", "83", "U", "US", "UR9", "URF", "XX1", "19", "96", "011", " 8", "a", ""] {
                let row = truth.query_one("select kernel.tooth_of($1, $2)", &[&word, &wrong]).await.unwrap();
                let expected = Designation::read(system, wrong).map(|read| read.tooth.to_string());
                assert_eq!(row.get::<_, Option<String>>(0).map(|code| code.trim_end_matches('+').to_owned()), expected, "{word} {wrong}");
            }
        }
    });
}

#[test]
fn the_database_and_the_code_agree_on_surfaces_and_furcations() {
    world::with(async |world| {
        let truth = world.truth().await;
        for tooth in Tooth::all() {
            let row = truth.query_one("select kernel.surfaces_of($1)", &[&tooth.to_string()]).await.unwrap();
            assert_eq!(row.get::<_, Vec<String>>(0), surfaces_of(tooth), "{tooth}");
            for site in SITES {
                let row = truth.query_one("select kernel.has_furcation($1, $2)", &[&tooth.to_string(), &site]).await.unwrap();
                assert_eq!(row.get::<_, bool>(0), has_furcation(tooth, site), "{tooth} {site}");
            }
        }
    });
}

#[test]
fn every_column_of_teeth_takes_teeth_only() {
    world::with(async |world| {
        let rows = world
            .truth()
            .await
            .query(
                "select a.attrelid::regclass::text || '.' || a.attname,
                        exists (select from pg_constraint k where k.conrelid = a.attrelid and k.contype = 'c' and a.attnum = any (k.conkey)
                                   and pg_get_constraintdef(k.oid) ~ 'kernel[.](is|are)_fdi')
                   from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
                  where c.relnamespace = 'enamel'::regnamespace
                    and a.attname in ('fdi_tooth', 'fdi_teeth', 'tooth_number', 'missing_teeth')",
                &[],
            )
            .await
            .unwrap();
        let open: Vec<String> = rows.iter().filter(|row| !row.get::<_, bool>(1)).map(|row| row.get(0)).collect();
        assert!(rows.len() > 12 && open.is_empty(), "{} columns, without a check: {open:?}", rows.len());
    });
}
