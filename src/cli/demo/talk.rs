//! What the demo world's people say to each other: pictures and what is seen in them, referrals, messages, tasks.

use super::cast::born;
use super::hand::Hand;
use super::picture::{self, Subject};
use super::visit;
use super::week::Clinic;
use crate::ai::ai_inference_job::AI_INFERENCE_JOB;
use crate::ai::ai_prediction::AI_PREDICTION;
use crate::cli::{Outcome, line};
use crate::imaging::image_annotation::IMAGE_ANNOTATION;
use crate::kernel::operation::Answer;
use crate::kernel::table::{Draft, Value, store};
use crate::messaging::conversation::CONVERSATION;
use crate::messaging::message::MESSAGE;
use crate::referrals::referral::REFERRAL;
use crate::workflow::task::TASK;
use crate::workflow::workflow_definition::WORKFLOW;
use crate::workflow::workflow_instance::WORKFLOW_INSTANCE;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

impl Clinic {
    /// A bitewing as DICOM and a photo of it, looked at by the dentist and by the caries finder.
    pub async fn look(&mut self, nth: usize, tooth: &str) -> Outcome {
        let seed = u8::try_from(self.seat * 10 + nth).unwrap_or(0);
        let pixels = picture::bitewing(seed);
        let ((given, family), taken) = (visit::name_of(self.seat, nth), self.today.format("%Y%m%d").to_string());
        let (chart, born) = (format!("{}-{nth:05}", self.slug.to_uppercase()), born(self.seat, nth));
        let study = self.id(&format!("bitewing {nth}")).as_u128() & !0xff;
        let subject = Subject { family, given, born: &born, chart: &chart, study, taken: &taken };
        let patient = self.patient(nth);
        upload(&mut self.dentist, patient, ("XRAY", "bitewing.png", "image/png"), picture::png(&pixels)?).await?;
        let dicom = picture::dicom(&pixels, &subject);
        let file = upload(&mut self.dentist, patient, ("DICOM", "bitewing.dcm", "application/dicom"), dicom).await?;
        let object = self
            .dentist
            .find("select o.id from imaging_objects o join files f on f.tenant_id = o.tenant_id and f.id = o.file_id where f.id = $1", file)
            .await?;
        let study = self.dentist.find("select study_id from imaging_objects where id = $1", object).await?;
        let ours = json!({
            "imaging_object_id": object, "patient_id": patient, "source_type": "USER", "author_user_id": self.dentist.actor(),
            "annotation_type": "MEASUREMENT", "geometry": {"points": [[20, 150], [20, 166]]}, "measurement_value": 2.1, "measurement_unit": "mm",
            "label_code_system": "HOUSE", "label_code": "BONE-LEVEL",
        });
        self.dentist.make(&IMAGE_ANNOTATION, ours).await?;
        let asked =
            json!({"model_version_id": self.model_version, "input_type": "IMAGING_STUDY", "input_ref_id": study, "patient_id": patient});
        let job = self.dentist.make(&AI_INFERENCE_JOB, asked).await?.id;
        self.dentist.done().await?;
        let found = self.finding(job, object, patient, tooth).await?;
        // The first is confirmed, the second turned down, the third waits for somebody.
        if let Some(verdict) = ["CONFIRMED", "REJECTED"].get(nth) {
            self.dentist
                .act("reviewAiPrediction", Some(found), json!({"review_action": verdict, "comment": "Seen on the screen."}))
                .await?;
        }
        self.dentist.done().await
    }

    /// What the caries finder answers.
    async fn finding(&mut self, job: Uuid, object: Uuid, patient: Uuid, tooth: &str) -> Outcome<Uuid> {
        let mut runner = self.dentist.server()?;
        step(&mut runner, job, "RUNNING").await?;
        let [left, top, width, height] = picture::SHADOW;
        let region = json!({
            "imaging_object_id": object, "patient_id": patient, "source_type": "AI", "model_version_id": self.model_version,
            "annotation_type": "BOUNDING_BOX", "geometry": {"x": left, "y": top, "width": width, "height": height}, "fdi_tooth": tooth,
            "label_code_system": "HOUSE", "label_code": "K02", "confidence": 0.87,
        });
        let region = runner.make(&IMAGE_ANNOTATION, region).await?.id;
        let found = json!({
            "job_id": job, "patient_id": patient, "imaging_object_id": object, "prediction_type": "CARIES", "code_system": "HOUSE", "code": "K02",
            "confidence": 0.87, "severity": "MODERATE", "fdi_tooth": tooth, "surfaces": ["O"], "roi_ref": region,
        });
        let found = runner.make(&AI_PREDICTION, found).await?.id;
        step(&mut runner, job, "SUCCEEDED").await?;
        runner.done().await?;
        Ok(found)
    }

    /// Tasks, and a workflow for a new patient that waits at its second step.
    pub async fn work_to_do(&mut self) -> Outcome {
        let flow = json!({
            "id": self.id("new patient"), "code": "NEW_PATIENT", "name": "A new patient", "definition": {
                "initial": "WELCOME",
                "states": {"WELCOME": {"tasks": [{"title": "Send the welcome letter"}]}, "RECORDS": {"tasks": [{"title": "Ask for former records"}]},
                    "DONE": {"final": true}},
                "transitions": [{"name": "welcomed", "from": "WELCOME", "to": "RECORDS", "when_tasks_done": true},
                    {"name": "complete", "from": "RECORDS", "to": "DONE", "when_tasks_done": true}]},
        });
        self.admin.make(&WORKFLOW, flow).await?;
        self.admin.act("activateWorkflow", Some(self.id("new patient")), json!({})).await?;
        let begun = json!({"workflow_id": self.id("new patient"), "resource_type": "Patient", "resource_id": self.patient(12), "patient_id": self.patient(12)});
        let begun = self.admin.make(&WORKFLOW_INSTANCE, begun).await?.id;
        self.admin.done().await?;
        let first = self.desk.find("select id from tasks where workflow_instance_id = $1", begun).await?;
        for step in ["startTask", "completeTask"] {
            self.desk.act(step, Some(first), json!({})).await?;
        }
        for (title, nth, hour, priority) in [
            ("Call back about the crown estimate", 0, 15, "HIGH"),
            ("Confirm tomorrow's first visits", 6, 16, "NORMAL"),
            ("Order composite A2", 3, 12, "LOW"),
        ] {
            let task = json!({"title": title, "patient_id": self.patient(nth), "due_at": self.at(0, hour, 0)?, "priority": priority, "assigned_user_id": self.desk.actor()});
            self.desk.make(&TASK, task).await?;
        }
        let chat = json!({"id": self.id("team chat"), "kind": "TEAM_CHAT", "subject": "Today"});
        self.dentist.make(&CONVERSATION, chat).await?;
        self.dentist
            .make(&MESSAGE, json!({"conversation_id": self.id("team chat"), "content": "Chair 2 is free from three o'clock."}))
            .await?;
        self.dentist.done().await?;
        self.desk.done().await
    }
}

async fn step(runner: &mut Hand, job: Uuid, to: &str) -> Outcome {
    let kernel = runner.caller.kernel.clone();
    let scope = runner.scope().await?;
    let was = store::lock(scope, &AI_INFERENCE_JOB, job, None, &kernel.keys).await?;
    let when = if to == "RUNNING" { "started_at" } else { "completed_at" };
    let draft = Draft::default().set(&AI_INFERENCE_JOB, "status", Value::Text(to.to_owned()))?.set(
        &AI_INFERENCE_JOB,
        when,
        Value::Instant(scope.now()),
    )?;
    store::update(scope, &was, &draft, "system", &kernel.keys).await?;
    Ok(())
}

/// As any client does it: announced, put to the signed address, completed.
async fn upload(hand: &mut Hand, patient: Uuid, (kind, name, media_type): (&str, &str, &str), bytes: Vec<u8>) -> Outcome<Uuid> {
    let hash = crate::kernel::hex::hex(&Sha256::digest(&bytes));
    let announced = json!({
        "patient_id": patient, "kind": kind, "file_name": name, "file_type": media_type, "file_size": bytes.len(), "sha256": hash,
        "is_patient_visible": true,
    });
    let Answer::Made(id, ticket) = hand.act("createFile", None, announced).await? else { return Err(line("a file has no ticket")) };
    let mut put = reqwest::Client::new().put(ticket.get("url").and_then(Json::as_str).unwrap_or_default()).body(bytes);
    for (name, value) in ticket.get("headers").and_then(Json::as_object).into_iter().flatten() {
        put = put.header(name, value.as_str().unwrap_or_default());
    }
    put.send().await?.error_for_status()?;
    hand.act("completeFileUpload", Some(id), json!({})).await?;
    Ok(id)
}

/// One clinic asks another; `answered` says whether that one took it.
pub async fn refer(from: &mut Clinic, to: &mut Clinic, nth: usize, answered: bool) -> Outcome {
    let (given, family) = visit::name_of(from.seat, nth);
    let referral = json!({
        "referral_type": "OUTGOING", "recipient_tenant_id": to.tenant, "patient_id": from.patient(nth), "patient_name": format!("{given} {family}"),
        "patient_dob": born(from.seat, nth), "reason": "Deep caries close to the pulp, please judge the root canal.", "fdi_teeth": ["26"],
        "specialty": "Endodontics", "urgency": if answered { "URGENT" } else { "ROUTINE" }, "referring_provider_id": from.provider(0),
    });
    let made = from.dentist.make(&REFERRAL, referral).await?.id;
    let sent = from.dentist.record("sendReferral", Some(made), json!({})).await?;
    from.dentist.done().await?;
    if answered {
        let exchange = sent.uuid("exchange_id").ok_or_else(|| line("a referral went nowhere"))?;
        let theirs = to.dentist.find("select id from referrals where exchange_id = $1", exchange).await?;
        to.dentist.act("acceptReferral", Some(theirs), json!({})).await?;
        to.dentist.done().await?;
    }
    Ok(())
}

/// A patient writes from home, and the clinic answers.
pub async fn write(clinic: &mut Clinic, nth: usize, email: &str) -> Outcome {
    let mut me = Hand::of(&clinic.desk.caller.kernel, clinic.tenant, email, "PATIENT").await?;
    let thread = clinic.id(&format!("thread {nth}"));
    me.make(
        &CONVERSATION,
        json!({"id": thread, "kind": "PATIENT_MESSAGING", "patient_id": clinic.patient(nth), "subject": "After the filling"}),
    )
    .await?;
    let asked = me.make(&MESSAGE, json!({"conversation_id": thread, "content": "When may I eat again?"})).await?.id;
    me.done().await?;
    let answer =
        json!({"conversation_id": thread, "content": "As soon as it is no longer numb, in about two hours.", "reply_to_id": asked});
    clinic.desk.make(&MESSAGE, answer).await?;
    clinic.desk.done().await
}
