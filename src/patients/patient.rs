//! A person receiving care in a tenant (catalogue 4.01, 4.20, 16.11, C12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

// Each look elsewhere asks the sealed context once more: a read of one patient took 19 µs in PostgreSQL without the two
// first below, 56 µs with them and 82 µs where there is a contact to show. FHIR has no place for them and leaves them out.
// A field more of this kind wants a stored column.

/// One portal account of a patient is open at most (a unique index says so).
const PORTAL_USER: &str = "select a.user_id from patient_portal_accounts a
     where a.tenant_id = r.tenant_id and a.patient_id = r.id and a.status = 'ACTIVE'";
pub const EMERGENCY_CONTACT: &str = "select coalesce(e.full_name, k.full_name) from patient_relationships f
      left join external_contacts e on e.tenant_id = f.tenant_id and e.id = f.external_contact_id and e.deleted_at is null
      left join patients k on k.tenant_id = f.tenant_id and k.id = f.related_patient_id and k.deleted_at is null
     where f.tenant_id = r.tenant_id and f.patient_id = r.id and f.relationship_type = 'EMERGENCY_CONTACT' and f.deleted_at is null
       and (f.valid_until is null or f.valid_until >= current_date) order by f.created_at, f.id limit 1";

/// What a patient's plans come to.
const PORTAL_STATUS: &str = "select case when bool_or(p.status in ('ACCEPTED', 'PARTIALLY_ACCEPTED', 'IN_TREATMENT')) then 'IN_PROGRESS'
        when (array_agg(p.status order by p.created_at desc, p.id desc))[1] = 'COMPLETED'
         and not bool_or(p.status in ('DRAFT', 'PRESENTED')) then 'COMPLETED' else 'ACTIVE' end
    from treatment_plans p where p.tenant_id = r.tenant_id and p.patient_id = r.id";
macro_rules! in_progress {
    () => {
        "select p.tenant_id, p.patient_id from treatment_plans p where p.status in ('ACCEPTED', 'PARTIALLY_ACCEPTED', 'IN_TREATMENT')"
    };
}
macro_rules! completed {
    () => {
        "select p.tenant_id, p.patient_id from treatment_plans p where p.status = 'COMPLETED' and not exists (
            select from treatment_plans o where o.tenant_id = p.tenant_id and o.patient_id = p.patient_id
               and (o.status in ('DRAFT', 'PRESENTED', 'ACCEPTED', 'PARTIALLY_ACCEPTED', 'IN_TREATMENT')
                    or (o.created_at, o.id) > (p.created_at, p.id)))"
    };
}
/// The same asked of all patients at once: the few of a state are found by their plans, without reading the many.
const PORTAL_STATUSES: &[(&str, &str)] = &[
    ("ACTIVE", concat!("(r.tenant_id, r.id) not in (", in_progress!(), " union all ", completed!(), ")")),
    ("IN_PROGRESS", concat!("(r.tenant_id, r.id) in (", in_progress!(), ")")),
    ("COMPLETED", concat!("(r.tenant_id, r.id) in (", completed!(), ")")),
];
const ACTIVE_PLAN: &str = "select p.id from treatment_plans p where p.tenant_id = r.tenant_id and p.patient_id = r.id
       and p.status in ('DRAFT', 'PRESENTED', 'ACCEPTED', 'PARTIALLY_ACCEPTED', 'IN_TREATMENT') order by p.created_at desc, p.id desc limit 1";

pub static PATIENT: Table = Table {
    name: "patients",
    schema: "Patient",
    plural: "Patients",
    path: "/patients",
    tag: "Patients",
    doc: "A person receiving care in a tenant.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("id"),
    sorts: &[
        Sort { name: "last_name", column: "last_name_key", ty: Ty::Text, nullable: false },
        Sort { name: "dob", column: "dob", ty: Ty::Date, nullable: true },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "q", how: How::Words(&["first_name_key", "last_name_key"]) },
        Filter { name: "dob", how: How::Equal },
        Filter { name: "dob_from", how: How::From("dob") },
        Filter { name: "dob_to", how: How::Before("dob") },
        Filter {
            name: "identifier",
            how: How::Elsewhere {
                sql: "exists (select from patient_identifiers i where i.tenant_id = r.tenant_id and i.patient_id = r.id and i.value_bidx = $value and i.deleted_at is null)",
                blind: true,
            },
        },
        Filter { name: "phone", how: How::AnyOf(&["phone_mobile", "phone_home"]) },
        Filter { name: "email", how: How::Folded("contact_email_key") },
        Filter { name: "name_needs_review", how: How::Equal },
        Filter { name: "administrative_gender", how: How::Equal },
        Filter { name: "sex_at_birth", how: How::Equal },
        Filter { name: "preferred_contact_method", how: How::Equal },
        Filter { name: "primary_location_id", how: How::Equal },
        Filter { name: "primary_provider_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "portal_status", how: How::Each(PORTAL_STATUSES) },
        Filter { name: "is_active", how: How::Equal },
        Filter { name: "merged_into_id", how: How::Equal },
        Filter { name: "needs_identity_check", how: How::Equal },
    ],
    fields: &[
        Field::text("first_name").example(r#""Robin""#).folded().phi(),
        Field::text("last_name").required().folded().phi(),
        Field::text("middle_name").phi(),
        Field::text("name_prefix").phi(),
        Field::text("name_suffix").phi(),
        Field::text("full_name").read_only().phi(),
        Field::flag("name_needs_review").defaulted().doc("set when an import had one name only"),
        Field::date("dob").example(r#""1990-02-03""#).phi(),
        Field::choice("administrative_gender", &["MALE", "FEMALE", "OTHER", "UNKNOWN"])
            .means(&["recorded as male", "recorded as female", "recorded as neither", "not recorded"])
            .phi(),
        Field::choice("sex_at_birth", &["MALE", "FEMALE", "INTERSEX", "UNKNOWN"])
            .means(&["born male", "born female", "born neither plainly male nor female", "not known here"])
            .phi(),
        Field::text("gender_identity").phi(),
        Field::text("contact_email").example(r#""robin@bright-north.example""#).form(Form::Email).folded().pii(),
        Field::text("phone_mobile").form(Form::Phone).pii(),
        Field::text("phone_home").form(Form::Phone).pii(),
        Field::text("preferred_language").form(Form::Language).phi(),
        Field::choice("preferred_contact_method", &["EMAIL", "SMS", "PHONE", "POST", "PORTAL"]).means(&[
            "to the e-mail address",
            "text message",
            "telephone",
            "letter",
            "by message in the portal",
        ]),
        Field::uuid("primary_location_id").refers(Refers::Tenant("locations")),
        Field::uuid("primary_provider_id").refers(Refers::Tenant("providers")),
        Field::choice("status", &["ACTIVE", "INACTIVE", "DECEASED"])
            .means(&["is treated here", "no longer treated here", "has died"])
            .defaulted()
            .read_only(),
        Field::flag("is_active").read_only(),
        Field::text("base_medical_history").length(4000).sealed().phi(),
        Field::instant("deceased_at").phi(),
        Field::text("external_ref").phi().doc("identifier in the source system; other ids live in external_ids"),
        Field::uuid("merged_into_id").read_only().refers(Refers::Tenant("patients")).doc("where the record went in a merge"),
        Field::choice("portal_status", &["ACTIVE", "IN_PROGRESS", "COMPLETED"])
            .means(&["no treatment under way", "a plan is accepted or in treatment", "the newest plan is completed and none is open"])
            .computed(PORTAL_STATUS)
            .costly()
            .doc("what has become of the patient's plans, as far as the caller sees them"),
        Field::uuid("active_treatment_plan_id").computed(ACTIVE_PLAN).costly().doc("newest open plan the caller sees"),
        Field::uuid("user_id").computed(PORTAL_USER).costly().staff_only().doc("login of the active portal account"),
        Field::text("emergency_contact_name").computed(EMERGENCY_CONTACT).costly().pii().doc("name of the EMERGENCY_CONTACT relation"),
        Field::flag("needs_identity_check").defaulted().doc("made by a referral or import, not yet confirmed by a person"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[
            Move { from: "ACTIVE", to: "INACTIVE", by: "deactivate" },
            Move { from: "INACTIVE", to: "ACTIVE", by: "reactivate" },
            Move { from: "ACTIVE", to: "DECEASED", by: "mark-deceased" },
            Move { from: "INACTIVE", to: "DECEASED", by: "mark-deceased" },
            Move { from: "DECEASED", to: "ACTIVE", by: "reactivate" },
        ],
    }],
};
