//! Protocols, evidence summaries and patient education (catalogue 13.10, 13.08, C49).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static KNOWLEDGE_DOCUMENT: Table = Table {
    name: "knowledge_documents",
    schema: "KnowledgeDocument",
    plural: "KnowledgeDocuments",
    path: "/knowledge-documents",
    tag: "Notifications",
    doc: "Protocols, evidence summaries and patient education.",
    home: Home::Shared,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageKnowledge,
    group: true,
    patient: None,
    sorts: &[
        Sort { name: "title", column: "title_key", ty: Ty::Text, nullable: false },
        Sort { name: "publish_date", column: "publish_date", ty: Ty::Date, nullable: true },
    ],
    filters: &[
        Filter { name: "q", how: How::Words(&["title_key"]) },
        Filter { name: "material_type", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "author_provider_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::choice("kind", &["PROTOCOL", "EVIDENCE_SUMMARY", "PATIENT_EDUCATION"])
            .means(&["protocol of the clinic", "summary of evidence", "for patients"])
            .required(),
        Field::text("title").required().length(200).folded(),
        Field::text("content_url").length(2000).doc("video, PDF or page"),
        Field::uuid("file_id").refers(Refers::Tenant("files")),
        Field::text("material_type").length(50),
        Field::date("publish_date"),
        Field::uuid("author_provider_id").refers(Refers::Tenant("providers")),
        Field::text("default_locale").defaulted().form(Form::Language),
        Field::choice("status", &["DRAFT", "IN_REVIEW", "PUBLISHED", "RETIRED"])
            .means(&["may change", "waits for approval", "in force", "out of force"])
            .defaulted()
            .read_only(),
        Field::int("current_version_no").defaulted().read_only(),
        Field::texts("tags").defaulted(),
        Field::date("review_due_on"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "IN_REVIEW", by: "submit-review" },
            Move { from: "IN_REVIEW", to: "PUBLISHED", by: "approve" },
            Move { from: "IN_REVIEW", to: "DRAFT", by: "reject" },
            Move { from: "PUBLISHED", to: "RETIRED", by: "retire" },
            Move { from: "PUBLISHED", to: "DRAFT", by: "revise" },
        ],
    }],
};
