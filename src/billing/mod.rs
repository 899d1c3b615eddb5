//! Platform billing of tenants. Catalogue §14.08 to 14.11.
pub mod invoice;
pub mod invoice_line_item;
pub mod run;
mod settle;
pub mod tenant_billing_account;
pub mod usage_meter;
pub mod usage_meter_reading;

use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &tenant_billing_account::TENANT_BILLING_ACCOUNT,
    &invoice::INVOICE,
    &invoice_line_item::INVOICE_LINE_ITEM,
    &usage_meter::USAGE_METER,
    &usage_meter_reading::USAGE_METER_READING,
];

pub static OPERATIONS: &[&Operation] = &[&settle::ISSUE, &settle::RECORD_PAYMENT, &settle::VOID, &settle::WRITE_OFF];
