//! A family of models (catalogue 11.01, 11.08, C57).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static AI_MODEL: Table = Table {
    name: "ai_models",
    schema: "AiModel",
    plural: "AiModels",
    path: "/ai-models",
    tag: "AI models",
    doc: "A family of models.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "domain", how: How::Equal },
        Filter { name: "vendor", how: How::Equal },
        Filter { name: "vendor_tenant_id", how: How::Equal },
        Filter { name: "regulatory_class", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required(),
        Field::text("description").length(4000),
        Field::choice("domain", &["CARIES", "PERIO", "PATHOLOGY", "ORTHO", "IMPLANT", "CDS"])
            .means(&[
                "decay of teeth",
                "gums and bone",
                "other lesions",
                "position of teeth and jaws",
                "implants",
                "clinical decision support",
            ])
            .required(),
        Field::choice("vendor", &["INTERNAL", "EXTERNAL"])
            .means(&["made here", "made by somebody else"])
            .required()
            .doc("EXTERNAL_TAG is accepted as EXTERNAL"),
        Field::text("vendor_name"),
        Field::uuid("vendor_tenant_id").refers(Refers::Installation("tenants")),
        Field::choice("regulatory_class", &["FDA_510K", "CE_MDR", "EXPERIMENTAL"])
            .means(&["cleared by the FDA, 510(k)", "CE mark under the MDR", "for research only"])
            .required(),
        Field::text("regulatory_reference"),
        Field::text("intended_use"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
