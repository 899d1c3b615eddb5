//! How long each class of data is kept (catalogue 3.09, C09, 1.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static DATA_RETENTION_POLICY: Table = Table {
    name: "data_retention_policies",
    schema: "DataRetentionPolicy",
    plural: "DataRetentionPolicies",
    path: "/data-retention-policies",
    tag: "Audit",
    doc: "How long each class of data is kept.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageGovernance,
    group: true,
    patient: None,
    sorts: &[Sort { name: "data_class", column: "data_class", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "data_class", how: How::Equal },
        Filter { name: "trigger_event", how: How::Equal },
        Filter { name: "archival_strategy", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::choice(
            "data_class",
            &["PATIENT_RECORD", "IMAGING", "LOGS", "ANALYTICS", "FINANCIAL", "COMMUNICATION", "CONSENT_HELD", "OPERATIONAL", "SECURITY"],
        )
        .means(&[
            "charts and notes",
            "images",
            "who looked and who changed",
            "figures",
            "money",
            "messages",
            "held by consent",
            "running the clinic",
            "sign-in and security",
        ])
        .required(),
        Field::text("jurisdiction").defaulted().form(Form::Jurisdiction),
        Field::int("min_years").example("10").at_least(0).at_most(200).required(),
        Field::int("max_years").at_least(0).at_most(200).doc("X of the auto-delete rule; null = never delete"),
        Field::int("minor_until_age").at_least(0).at_most(200).doc("keep minors' records at least until this age"),
        Field::choice("trigger_event", &["LAST_TREATMENT", "CREATED", "MAJORITY", "DEATH", "DEVICE_LIFE", "CONTRACT_END"])
            .means(&[
                "the last treatment",
                "the making of the row",
                "the patient's coming of age",
                "the patient's death",
                "the end of the device",
                "the end of the contract",
            ])
            .defaulted(),
        Field::choice("archival_strategy", &["NONE", "COLD_STORAGE", "ANONYMISE", "DELETE"])
            .means(&["stays as it is", "to cheap storage", "made anonymous", "erased"])
            .defaulted(),
        Field::text("legal_reference"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
