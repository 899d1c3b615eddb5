//! Sensitivity and meaning of every table and column, generated from the model (catalogue 3.14, 15.17, 16.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static DATA_DICTIONARY_COLUMN: Table = Table {
    name: "data_dictionary_columns",
    schema: "DataDictionaryColumn",
    plural: "DataDictionary",
    path: "/data-dictionary",
    tag: "Audit",
    doc: "Sensitivity and meaning of every table and column, generated from the model.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: false,
    patient: None,
    sorts: &[Sort { name: "table_name", column: "table_name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "table_name", how: How::Equal },
        Filter { name: "phi_sensitivity_level", how: How::Equal },
        Filter { name: "is_encrypted", how: How::Equal },
    ],
    fields: &[
        Field::text("table_name").required(),
        Field::text("column_name").required(),
        Field::text("data_type").required(),
        Field::choice("phi_sensitivity_level", &["NONE", "BUSINESS", "PII", "PHI", "SECRET"])
            .means(&[
                "public or technical",
                "about the clinic's business, not a person",
                "about a person",
                "about a patient's health",
                "keys and hashes, shown to nobody",
            ])
            .required(),
        Field::flag("is_encrypted").required(),
        Field::text("retention_class"),
        Field::text("description").length(4000),
    ],
    machines: &[],
};
