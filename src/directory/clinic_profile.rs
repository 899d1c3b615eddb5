//! The public face of a clinic (catalogue 5.01, 5.03, C15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Stamps, Table, Verb};

const RATING: &str = "
    select round(avg(v.rating), 1)::float8 from clinic_reviews v where v.tenant_id = r.tenant_id and v.status = 'PUBLISHED'";
const COUNT: &str = "select count(*)::int from clinic_reviews v where v.tenant_id = r.tenant_id and v.status = 'PUBLISHED'";
const TREATMENTS: &str = "
    select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'category', t.category, 'price_from_minor', t.price_from_minor,
               'price_to_minor', t.price_to_minor, 'currency', t.currency, 'duration_minutes', t.duration_minutes) order by t.name_key), '[]')
      from clinic_treatments t where t.tenant_id = r.tenant_id and t.is_active and t.deleted_at is null";
const PACKAGES: &str = "
    select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name, 'description', p.description, 'includes', p.includes,
               'price_minor', p.price_minor, 'currency', p.currency, 'valid_from', p.valid_from, 'valid_until', p.valid_until) order by p.name), '[]')
      from clinic_packages p where p.tenant_id = r.tenant_id and p.is_active and p.deleted_at is null
       and current_date between coalesce(p.valid_from, current_date) and coalesce(p.valid_until, current_date)";
const CERTIFICATIONS: &str = "
    select coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'name', k.name, 'issuer', k.issuer, 'issued_on', k.issued_on,
               'expires_on', k.expires_on, 'external_url', k.external_url, 'is_verified', k.is_verified) order by k.name, k.id), '[]')
      from clinic_certifications k where k.tenant_id = r.tenant_id and k.deleted_at is null";
const IMAGES: &str = "
    select coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'caption', i.caption, 'alt_text', i.alt_text, 'is_cover', i.is_cover,
               'link', '/api/v1/clinic-images/' || i.id || '/link') order by not i.is_cover, i.sort_order, i.id), '[]')
      from clinic_images i where i.tenant_id = r.tenant_id and i.deleted_at is null";

pub static CLINIC_PROFILE: Table = Table {
    name: "clinic_profiles",
    schema: "ClinicProfile",
    plural: "ClinicProfiles",
    path: "/clinic-profiles",
    tag: "Clinic profiles",
    doc: "The public face of a clinic.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageDirectory,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter {
            name: "country",
            how: How::Elsewhere {
                sql: "exists (select from locations l where l.tenant_id = r.tenant_id and l.country = $value and l.deleted_at is null)",
                blind: false,
            },
        },
        Filter {
            name: "city",
            how: How::Elsewhere {
                sql: "exists (select from locations l where l.tenant_id = r.tenant_id and l.city = $value and l.deleted_at is null)",
                blind: false,
            },
        },
        Filter {
            name: "treatment",
            how: How::Elsewhere {
                sql: "exists (select from clinic_treatments t where t.tenant_id = r.tenant_id and starts_with(t.name_key, kernel.fold($value))
                               and t.is_active and t.deleted_at is null)",
                blind: false,
            },
        },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::text("headline"),
        Field::text("description").length(4000),
        Field::text("contact_email").form(Form::Email).staff_only().doc("masked until the booking is confirmed"),
        Field::text("contact_phone").staff_only().doc("masked until the booking is confirmed"),
        Field::text("contact_address").staff_only().doc("masked until the booking is confirmed"),
        Field::text("website"),
        Field::texts("languages").defaulted(),
        Field::double("reviews_rating").computed(RATING).costly().doc("average of the published reviews, one decimal"),
        Field::int("reviews_count").computed(COUNT).costly().doc("published reviews"),
        Field::json("treatments_offered").computed(TREATMENTS).costly(),
        Field::json("packages_offered").computed(PACKAGES).costly(),
        Field::json("certifications").computed(CERTIFICATIONS).costly(),
        Field::json("image_links").computed(IMAGES).costly().doc("pictures in their order, each with the path that gives its signed URL"),
        Field::flag("contact_visible").computed("sec.contact_shown(r.tenant_id)").costly().doc("whether the caller sees the contact fields"),
        Field::json("contact").computed("sec.profile_contact(r.tenant_id)").costly().doc("email, phone and address, for callers who may see them"),
        Field::choice("status", &["DRAFT", "PUBLISHED", "HIDDEN"]).means(&["not shown yet", "shown to patients", "taken out of view"]).defaulted().read_only(),
        Field::instant("published_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "PUBLISHED", by: "publish" },
            Move { from: "HIDDEN", to: "PUBLISHED", by: "publish" },
            Move { from: "PUBLISHED", to: "HIDDEN", by: "hide" },
        ],
    }],
};
