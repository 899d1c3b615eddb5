//! Notices and patient education in the words of the requirement texts (catalogue 13.01, 13.08, 13.09, C28, C49).

use super::knowledge_document::KNOWLEDGE_DOCUMENT;
use super::notification::NOTIFICATION;
use super::patient_material_assignment::PATIENT_MATERIAL_ASSIGNMENT;
use crate::kernel::table::projection::{Name, Projection};

pub static NETWORK_NOTIFICATION: Projection = Projection::new(
    &NOTIFICATION,
    "ReferralNetworkNotification",
    "ReferralNetworkNotifications",
    "/projections/referral-network/notifications",
    &[
        Name::same("id"),
        Name::of("clinicId", "tenant_id"),
        Name::of("userId", "user_id").doc("null: all users of the clinic, or those of a role"),
        Name::same("type"),
        Name::of("referralId", "referral_id"),
        Name::same("title"),
        Name::same("message"),
        Name::of("isRead", "is_read").doc("by the caller"),
        Name::of("createdAt", "created_at"),
    ],
);

pub static CENTRE_NOTIFICATION: Projection = Projection::new(
    &NOTIFICATION,
    "MedicalCentreNotification",
    "MedicalCentreNotifications",
    "/projections/medical-centre/notifications",
    &[
        Name::of("notification_id", "id"),
        Name::same("user_id"),
        Name::same("title"),
        Name::same("message"),
        Name::of("notification_type", "type"),
        Name::same("is_read").doc("by the caller"),
    ],
);

/// Materials are published, and so shown to patients, by the operations of knowledge documents.
pub static CENTRE_MATERIAL: Projection = Projection::new(
    &KNOWLEDGE_DOCUMENT,
    "MedicalCentreEducationalMaterial",
    "MedicalCentreEducationalMaterials",
    "/projections/medical-centre/educational-materials",
    &[
        Name::of("material_id", "id"),
        Name::same("title"),
        Name::same("content_url"),
        Name::same("material_type"),
        Name::same("publish_date"),
        Name::of("specialist_id", "author_provider_id"),
    ],
)
.only(&[("kind", "PATIENT_EDUCATION")]);

pub static CENTRE_ASSIGNMENT: Projection = Projection::new(
    &PATIENT_MATERIAL_ASSIGNMENT,
    "MedicalCentrePatientMaterialAssignment",
    "MedicalCentrePatientMaterialAssignments",
    "/projections/medical-centre/patient-material-assignments",
    &[
        Name::of("assignment_id", "id"),
        Name::same("patient_id"),
        Name::same("material_id"),
        Name::same("assignment_date"),
        Name::same("specialist_comments"),
    ],
);
