//! A person's verdict: what a model said counts for nothing in a chart before it (catalogue 11.06, B9).

use super::ai_prediction::AI_PREDICTION;
use super::ai_review_event::AI_REVIEW_EVENT;
use super::research_dataset::RESEARCH_DATASET;
use crate::imaging::image_annotation::IMAGE_ANNOTATION;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Record, Table, Value, store};
use serde_json::Value as Json;

pub static REVIEW: Operation = Operation {
    id: "reviewAiPrediction",
    method: Method::Post,
    path: "/ai-predictions/{id}/review",
    tag: "AI models",
    doc: "Confirm, reject or edit a prediction; an edit brings the annotation as it should be, the model's own is kept",
    takes: &[
        Field::choice("review_action", &["CONFIRMED", "REJECTED", "EDITED"])
            .means(&["the clinician agrees", "the clinician disagrees", "the clinician changed it"])
            .required(),
        Field::text("reason_code"),
        Field::text("comment").length(4_000).phi(),
        Field::json("annotation").doc("for EDITED: an image annotation's annotation_type and geometry, and what else changes"),
        Field::flag("use_for_training").doc("with the tenant's setting and the patient's consent to research"),
    ],
    gives: Gives::Created(&AI_REVIEW_EVENT),
    planes: &[Plane::Staff],
    permission: Permission::ReviewAi,
    run: Run::Inside(|scope, call| Box::pin(review(scope, call))),
};

pub static WITHDRAW: Operation = Operation {
    id: "withdrawResearchDataset",
    method: Method::Post,
    path: "/research-datasets/{id}/withdraw",
    tag: "AI models",
    doc: "Take a PUBLISHED data set back, with the reason; its members are valid no more",
    takes: &[Field::text("reason").required().length(1_000)],
    gives: Gives::Record(&RESEARCH_DATASET),
    planes: &[Plane::Staff],
    permission: Permission::ManageGovernance,
    run: Run::Inside(|scope, call| Box::pin(withdraw(scope, call))),
};

async fn review(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let prediction = store::seen(scope, &AI_PREDICTION, call.id()?, keys).await?;
    let action = call.text("review_action").unwrap_or_default();
    let reviewer = scope.context().actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let edited = match (action, call.value("annotation")) {
        ("EDITED", Some(Value::Json(Json::Object(body)))) => Some(annotate(scope, call, &prediction, body.clone()).await?.id),
        ("EDITED", _) => {
            return Err(Error::new(&error::INVALID).fault("annotation", "required", "An edit brings the annotation as it should be."));
        }
        (_, Some(_)) => return Err(Error::new(&error::INVALID).fault("annotation", "value", "Only an edit brings an annotation.")),
        (_, None) => None,
    };
    let table: &'static Table = &AI_REVIEW_EVENT;
    let mut draft = Draft::default()
        .set(table, "prediction_id", Value::Uuid(prediction.id))?
        .set(table, "patient_id", prediction.patient.map_or(Value::Null, Value::Uuid))?
        .set(table, "reviewer_id", Value::Uuid(reviewer))?
        .set(table, "edited_annotation_id", edited.map_or(Value::Null, Value::Uuid))?;
    for name in ["review_action", "reason_code", "comment", "use_for_training"] {
        if let Some(value) = call.value(name) {
            draft = draft.set(table, name, value.clone())?;
        }
    }
    let event = store::insert(scope, table, &draft, keys).await?;
    if action != "CONFIRMED" {
        let mut told = audit_store::of(scope.context(), "AI_OVERRIDE", Action::Execute, Outcome::Success, scope.now());
        (told.resource_type, told.resource_id, told.patient_id) =
            (Some(AI_PREDICTION.schema.into()), Some(prediction.id), prediction.patient);
        told.metadata = Metadata::new().text("review_action", action);
        scope.audit(told);
    }
    Ok(Answer::Record(event))
}

/// The reviewer's annotation of the same image; after the model's own, when that had one, as its next version.
async fn annotate(scope: &mut Scope, call: &Call, prediction: &Record, mut body: serde_json::Map<String, Json>) -> Result<Record> {
    let table: &'static Table = &IMAGE_ANNOTATION;
    let image = prediction.uuid("imaging_object_id").ok_or_else(|| {
        Error::new(&error::INVALID).fault("annotation", "value", "The prediction is about no image; confirm or reject it.")
    })?;
    let reviewer = scope.context().actor.map_or(Json::Null, |id| Json::String(id.to_string()));
    let patient = prediction.patient.map_or(Json::Null, |id| Json::String(id.to_string()));
    for (name, value) in [
        ("imaging_object_id", Json::String(image.to_string())),
        ("patient_id", patient),
        ("source_type", Json::String("USER".to_owned())),
        ("author_user_id", reviewer),
    ] {
        body.insert(name.to_owned(), value);
    }
    body.remove("supersedes_id");
    let mut draft = Draft::create(table, &body)?;
    if let Some(former) = prediction.uuid("roi_ref") {
        draft = draft.set(table, "supersedes_id", Value::Uuid(former))?;
    }
    store::insert(scope, table, &draft, &call.caller.kernel.keys).await
}

async fn withdraw(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = transition(scope, call, &RESEARCH_DATASET, vec![]).await?;
    if let Answer::Record(record) = &answer {
        let mut event = audit_store::of_record(scope.context(), Action::Execute, record, scope.now());
        event.metadata = Metadata::new().text("operation", call.operation.id).text("reason", call.text("reason").unwrap_or_default());
        scope.audit(event);
    }
    Ok(answer)
}
