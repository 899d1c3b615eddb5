//! Tenancy: organisations and their tree, settings, plans, places and teams. Catalogue §1.
pub mod billing_plan;
mod child;
pub mod fhir_care_team;
pub mod fhir_location;
pub mod fhir_operatory;
pub mod fhir_organization;
mod lifecycle;
pub mod location;
pub mod operatory;
mod plan;
mod projections;
pub mod subscription_plan;
pub mod team;
pub mod team_member;
pub mod tenant;
pub mod tenant_branding;
pub mod tenant_email_template;
pub mod tenant_feature;
pub mod tenant_move;
pub mod tenant_placement;
pub mod tenant_quota;
pub mod tenant_settings;
pub mod tenant_subscription;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &tenant::TENANT,
    &tenant_settings::TENANT_SETTINGS,
    &tenant_branding::TENANT_BRANDING,
    &tenant_email_template::TENANT_EMAIL_TEMPLATE,
    &subscription_plan::SUBSCRIPTION_PLAN,
    &billing_plan::BILLING_PLAN,
    &tenant_subscription::TENANT_SUBSCRIPTION,
    &tenant_feature::TENANT_FEATURE,
    &tenant_quota::TENANT_QUOTA,
    &location::LOCATION,
    &operatory::OPERATORY,
    &team::TEAM,
    &tenant_placement::TENANT_PLACEMENT,
    &tenant_move::TENANT_MOVE,
    &team_member::TEAM_MEMBER,
];

/// The resource types of this room.
pub static RESOURCES: &[&Mapping] =
    &[&fhir_organization::MAPPING, &fhir_location::MAPPING, &fhir_operatory::MAPPING, &fhir_care_team::MAPPING];

pub static OPERATIONS: &[&Operation] = &[
    &lifecycle::SUSPEND,
    &lifecycle::REINSTATE,
    &lifecycle::CLOSE,
    &lifecycle::CLOSE_LOCATION,
    &lifecycle::RETIRE_PLAN,
    &plan::ACTIVATE,
    &plan::CHANGE_PLAN,
    &lifecycle::CANCEL_SUBSCRIPTION,
    &lifecycle::GET_SUBTREE,
    &child::CREATE_CHILD,
    &plan::QUOTA_USE,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] = &[&projections::NETWORK_CLINIC, &projections::SCHEDULING_CLINIC];
