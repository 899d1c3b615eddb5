//! What becomes of a job that asks a version for its opinion (catalogue 11.04). Whether one may be made is the trigger
//! `admit_inference`'s to say, for every way it can be made.

use super::ai_inference_job::AI_INFERENCE_JOB;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Method, Operation, Run, transition};
use crate::kernel::table::Value;

pub static CANCEL: Operation = Operation {
    id: "cancelAiInferenceJob",
    method: Method::Post,
    path: "/ai-inference-jobs/{id}/cancel",
    tag: "AI models",
    doc: "Take back a job that has not begun; it counts for no limit",
    takes: &[],
    gives: Gives::Record(&AI_INFERENCE_JOB),
    planes: &[Plane::Staff],
    permission: Permission::RunAiAnalysis,
    run: Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &AI_INFERENCE_JOB, vec![("completed_at", Value::Instant(now))]).await
        })
    }),
};
