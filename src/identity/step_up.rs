//! Before some operations people prove again who they are, when the last time is too long ago: before they sign, take records out
//! or open a chart in an emergency. Programs prove themselves with every token, which lives for minutes.

use super::{grant, second_factor};
use crate::kernel::Caller;
use crate::kernel::error::Result;
use chrono::TimeDelta;

/// Who writes notes signs them all day.
const SIGNING: TimeDelta = TimeDelta::hours(1);
const TAKING_OUT: TimeDelta = second_factor::RECENT;

/// Operations, and how long ago the last proof may be.
pub static ASKED: &[(&str, TimeDelta)] = &[
    ("signClinicalNote", SIGNING),
    ("cosignClinicalNote", SIGNING),
    ("signDocument", SIGNING),
    ("signMedicalRecord", SIGNING),
    ("signPerioExam", SIGNING),
    ("createBreakGlassGrant", TAKING_OUT),
    ("closeTenant", TAKING_OUT),
    ("createExportJob", TAKING_OUT),
    ("getPatientExport", TAKING_OUT),
    ("exportAuditEvents", TAKING_OUT),
    ("exportResearchDataset", TAKING_OUT),
    ("downloadResearchDataset", TAKING_OUT),
];

/// STEP_UP_NEEDED. Asks on a connection of its own: never while one is held.
pub async fn ask(caller: &Caller, operation: &str) -> Result<()> {
    let within = ASKED.iter().find(|(id, _)| *id == operation).map(|(_, within)| *within);
    let Some((within, session)) = within.zip(caller.context.session) else { return Ok(()) };
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, caller.context.tenant)).await?;
    second_factor::recent(&mut scope, session, within).await?;
    scope.commit().await
}
