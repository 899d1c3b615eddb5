//! The logical model in `openapi/data-schema.yaml` is the database's own, and makes the same database again.

use crate::world;
use enamel::cli::data_schema::{self, DataSchema};

#[test]
fn the_written_model_is_the_databases_and_makes_it_again() {
    world::with(async |world| {
        let mut live = data_schema::read(&world.truth().await).await.unwrap();
        let mut told = data_schema::read(&world.truth().await).await.unwrap();
        data_schema::describe(&mut told);
        let text = told.to_yaml().unwrap();
        world::golden("openapi/data-schema.yaml", &text);

        let empty = world.empty_database("made_of_the_model").await;
        let ddl = DataSchema::from_yaml(&text).unwrap().ddl();
        empty.batch_execute(&ddl).await.unwrap();
        let mut made = data_schema::read(&empty).await.unwrap();
        for column in live.tables.values_mut().flat_map(|table| &mut table.columns) {
            column.default = column.stored_default().cloned();
        }
        for (name, table) in &live.tables {
            assert_eq!(made.tables.get(name), Some(table), "{name}");
        }
        // Functions are compared by what they are made of; their text names the schemas they are read from.
        (live.tables, made.tables) = Default::default();
        assert_eq!(live.functions.keys().collect::<Vec<_>>(), made.functions.keys().collect::<Vec<_>>());
        assert_eq!(live.stored_views().collect::<Vec<_>>(), made.stored_views().collect::<Vec<_>>());
    });
}
