//! Referrals, their files and the clinic's public link in the words of a requirement text (catalogue 12.02–12.11, C26, C27,
//! C36, C50, C-F).

use super::life::{ACCEPT, CANCEL, COMPLETE, REJECT, SEND};
use super::referral::REFERRAL;
use super::referral_file::REFERRAL_FILE;
use super::referral_link::REFERRAL_LINK;
use crate::kernel::table::Verb;
use crate::kernel::table::projection::{Name, Projection, Step};

pub static NETWORK_REFERRAL: Projection = Projection::new(
    &REFERRAL,
    "ReferralNetworkReferral",
    "ReferralNetworkReferrals",
    "/projections/referral-network/referrals",
    &[
        Name::same("id"),
        Name::of("referralType", "referral_type"),
        Name::of("fromClinicId", "from_clinic_id")
            .doc("the clinic whose record it is: the sender of an OUTGOING, the receiver of an INCOMING one"),
        Name::of("toContactId", "contact_id"),
        Name::of("toClinicId", "recipient_tenant_id"),
        Name::of("fromClinicName", "sender_clinic_name"),
        Name::of("fromClinicEmail", "sender_clinic_email"),
        Name::of("fromClinicPhone", "sender_clinic_phone"),
        Name::of("referringDentist", "referring_dentist"),
        Name::of("patientName", "patient_name"),
        Name::of("patientDob", "patient_dob"),
        Name::of("patientPhone", "patient_phone"),
        Name::of("patientEmail", "patient_email"),
        Name::same("reason"),
        Name::same("urgency"),
        Name::same("status")
            .words(&[
                ("DRAFT", "DRAFT"),
                ("SENT", "SENT"),
                ("ACCEPTED", "ACCEPTED"),
                ("ACCEPTED", "IN_PROGRESS"),
                ("COMPLETED", "COMPLETED"),
                ("CANCELLED", "CANCELLED"),
                ("CANCELLED", "REJECTED"),
                ("REJECTED", "REJECTED"),
            ])
            .moves(&[
                Step { to: "SENT", by: &[&SEND], with: &[] },
                Step { to: "ACCEPTED", by: &[&ACCEPT], with: &[] },
                Step { to: "REJECTED", by: &[&REJECT], with: &[("reason", "Rejected in another system.")] },
                Step { to: "COMPLETED", by: &[&COMPLETE], with: &[("outcome_report", "Completed in another system.")] },
                Step { to: "CANCELLED", by: &[&CANCEL], with: &[] },
            ])
            .doc("a rejected referral reads CANCELLED, with rejectedAt; REJECTED may be given"),
        Name::of("rejectedAt", "rejected_at").doc("not one of the text's: tells rejected from cancelled"),
        Name::same("notes"),
        Name::of("createdAt", "created_at"),
        Name::of("updatedAt", "updated_at"),
    ],
);

/// Bytes come through the file registry; a file that is there is attached by its id.
pub static NETWORK_REFERRAL_FILE: Projection = Projection::new(
    &REFERRAL_FILE,
    "ReferralNetworkReferralFile",
    "ReferralNetworkReferralFiles",
    "/projections/referral-network/referral-files",
    &[
        Name::same("id"),
        Name::of("referralId", "referral_id"),
        Name::of("fileId", "file_id").doc("not one of the text's, and needed: the file in the registry"),
        Name::of("fileName", "file_name"),
        Name::of("fileType", "file_type"),
        Name::of("fileUrl", "file_url"),
        Name::of("fileSize", "file_size"),
        Name::of("uploadedAt", "uploaded_at"),
    ],
)
.verbs(&[Verb::List, Verb::Create, Verb::Read]);

pub static NETWORK_REFERRAL_LINK: Projection = Projection::new(
    &REFERRAL_LINK,
    "ReferralNetworkClinicReferralLink",
    "ReferralNetworkClinicReferralLinks",
    "/projections/referral-network/clinic-referral-links",
    &[
        Name::same("id"),
        Name::of("clinicId", "tenant_id"),
        Name::same("slug"),
        Name::of("isActive", "status").words(&[("true", "ACTIVE"), ("false", "INACTIVE")]),
        Name::of("createdAt", "created_at"),
        Name::of("updatedAt", "updated_at"),
    ],
);
