//! A gateway token of a patient's payment method: brand, last four, expiry (catalogue 9.08, 3.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PAYMENT_METHOD: Table = Table {
    name: "payment_methods",
    schema: "PaymentMethod",
    plural: "PaymentMethods",
    path: "/payment-methods",
    tag: "Treatment plans",
    doc: "A gateway token of a patient's payment method: brand, last four, expiry.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewPayments,
    write: Permission::EditPayments,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[Filter { name: "patient_id", how: How::Equal }, Filter { name: "is_default", how: How::Equal }],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::text("gateway").required().pii(),
        Field::text("gateway_customer_token").write_only().sealed(),
        Field::text("gateway_method_token").required().write_only().sealed(),
        Field::text("brand").pii(),
        Field::text("last4").pii(),
        Field::int("expires_month"),
        Field::int("expires_year"),
        Field::flag("is_default").defaulted(),
    ],
    machines: &[],
};
