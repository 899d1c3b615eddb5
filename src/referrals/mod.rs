//! Referrals and public referral links. Catalogue §12.
mod by_link;
pub mod fhir_referral;
mod form;
mod life;
mod link;
mod matching;
mod projections;
mod proof;
pub mod referral;
pub mod referral_event;
pub mod referral_file;
pub mod referral_link;
pub mod referral_submission;
mod screening;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &referral::REFERRAL,
    &referral_file::REFERRAL_FILE,
    &referral_link::REFERRAL_LINK,
    &referral_submission::REFERRAL_SUBMISSION,
    &referral_event::REFERRAL_EVENT,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_referral::MAPPING, &fhir_referral::STATE, &fhir_referral::LETTER];

pub static OPERATIONS: &[&Operation] = &[
    &life::SEND,
    &life::ACCEPT,
    &life::REJECT,
    &life::START,
    &life::COMPLETE,
    &life::CANCEL,
    &life::EVENTS,
    &by_link::MAKE_ANSWER_LINK,
    &by_link::RESPOND,
    &matching::MATCH_PATIENT,
    &link::REGENERATE,
    &form::GET_FORM,
    &form::SUBMIT,
    &form::PUBLIC_STATUS,
    &screening::RELEASE,
    &screening::REFUSE,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] =
    &[&projections::NETWORK_REFERRAL, &projections::NETWORK_REFERRAL_FILE, &projections::NETWORK_REFERRAL_LINK];
