//! Workflows step as their definition says; tasks carry them on.

use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use crate::world::tenants::Clinic;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Error;
use enamel::workflow::task::TASK;
use enamel::workflow::workflow_definition::WORKFLOW;
use enamel::workflow::workflow_instance::WORKFLOW_INSTANCE;
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn definition() -> Json {
    json!({"initial": "LOOK",
        "states": {"LOOK": {"tasks": [{"title": "Look at it", "kind": "AI_REVIEW"}, {"title": "Call"}]},
            "DECIDE": {"tasks": [{"title": "Decide", "priority": "HIGH"}]}, "DONE": {"final": true}, "DROPPED": {"final": true}},
        "transitions": [{"name": "looked", "from": "LOOK", "to": "DECIDE", "when_tasks_done": true},
            {"name": "drop", "from": "LOOK", "to": "DROPPED"},
            {"name": "decide", "from": "DECIDE", "to": "DONE", "permission": "review_ai"}]})
}

async fn worker(clinic: &Clinic) -> Caller {
    let user = clinic.member("TENANT_ADMIN").await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(user), Permission::ALL)
}

async fn refused(caller: &Caller, operation: &str, id: Uuid, body: Json) -> Error {
    run(caller, operation, Some(id), body).await.err().unwrap_or_else(|| panic!("{operation} was not refused"))
}

async fn workflow(staff: &Caller, code: &str, version: i32) -> Uuid {
    let body = json!({"code": code, "name": "Review", "version_no": version, "definition": definition()});
    create(staff, &WORKFLOW, body).await.unwrap().id
}

async fn open_tasks(clinic: &Clinic, instance: Uuid) -> Vec<(Uuid, String)> {
    let sql = "select id, title from enamel.tasks where workflow_instance_id = $1 and status in ('OPEN', 'IN_PROGRESS') order by title";
    clinic.world.truth().await.query(sql, &[&instance]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn begin(staff: &Caller, workflow: Uuid) -> Result<Uuid, Error> {
    let body = json!({"workflow_id": workflow, "resource_type": "Patient", "resource_id": Uuid::now_v7()});
    create(staff, &WORKFLOW_INSTANCE, body).await.map(|made| made.id)
}

#[test]
fn the_last_task_lets_the_workflow_go_on() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = worker(&clinic).await;
        let id = workflow(&staff, "AI_REVIEW", 1).await;
        assert_eq!(begin(&staff, id).await.unwrap_err().faults[0].field, "workflow_id", "a draft starts nothing");
        run(&staff, "activateWorkflow", Some(id), json!({})).await.unwrap();
        let instance = begin(&staff, id).await.unwrap();
        let tasks = open_tasks(&clinic, instance).await;
        assert_eq!(tasks.iter().map(|(_, title)| title.as_str()).collect::<Vec<_>>(), ["Call", "Look at it"]);
        let started = record(run(&staff, "startTask", Some(tasks[0].0), json!({})).await.unwrap());
        assert_eq!((started.text("status"), started.uuid("assigned_user_id")), (Some("IN_PROGRESS"), staff.context.actor));
        // Both at once: neither may take the other for open.
        let (one, two) = tokio::join!(
            run(&staff, "completeTask", Some(tasks[0].0), json!({})),
            run(&staff, "completeTask", Some(tasks[1].0), json!({}))
        );
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(read(&staff, &WORKFLOW_INSTANCE, instance).await.unwrap().text("state"), Some("DECIDE"));
        assert_eq!(open_tasks(&clinic, instance).await[0].1, "Decide");
        let mut modest = staff.clone();
        modest.context.caps = enamel::kernel::context::Caps::of(&[Permission::ViewTenant]);
        assert_eq!(refused(&modest, "transitionWorkflowInstance", instance, json!({"transition": "decide"})).await.code.status, 403);
        let wrong = refused(&staff, "transitionWorkflowInstance", instance, json!({"transition": "looked"})).await;
        assert_eq!((wrong.code.status, wrong.faults[0].field.as_str()), (422, "transition"));
        let done = record(
            run(&staff, "transitionWorkflowInstance", Some(instance), json!({"transition": "decide", "comment": "fine"})).await.unwrap(),
        );
        assert_eq!((done.text("state"), done.text("status")), (Some("DONE"), Some("COMPLETED")));
        assert!(open_tasks(&clinic, instance).await.is_empty());
        let steps: i64 = world
            .truth()
            .await
            .query_one("select count(*) from enamel.workflow_transitions where instance_id = $1", &[&instance])
            .await
            .unwrap()
            .get(0);
        assert_eq!(steps, 2);
        assert_eq!(refused(&staff, "transitionWorkflowInstance", instance, json!({"transition": "decide"})).await.code.status, 409);
        assert_eq!(refused(&staff, "cancelWorkflowInstance", instance, json!({"reason": "late"})).await.code.status, 409);
        let stranger = worker(&world.tenant("SOLO_PRACTICE", None).await).await;
        assert_eq!(refused(&stranger, "transitionWorkflowInstance", instance, json!({"transition": "decide"})).await.code.status, 404);
    });
}

#[test]
fn one_version_of_a_workflow_is_active_and_none_of_it_changes() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = worker(&clinic).await;
        let (first, second) = (workflow(&staff, "RECALL", 1).await, workflow(&staff, "RECALL", 2).await);
        run(&staff, "activateWorkflow", Some(first), json!({})).await.unwrap();
        let instance = begin(&staff, first).await.unwrap();
        let active = record(run(&staff, "activateWorkflow", Some(second), json!({})).await.unwrap());
        assert_eq!(read(&staff, &WORKFLOW, first).await.unwrap().text("status"), Some("RETIRED"));
        let changed = patch(&staff, &WORKFLOW, second, active.version, json!({"definition": {}})).await.unwrap_err();
        assert_eq!(changed.code.code, "record.append_only");
        let dropped = record(run(&staff, "transitionWorkflowInstance", Some(instance), json!({"transition": "drop"})).await.unwrap());
        assert_eq!(dropped.text("state"), Some("DROPPED"), "what runs goes on by the version it began with");
        assert!(open_tasks(&clinic, instance).await.is_empty(), "a state that is left takes its tasks with it");
        run(&staff, "retireWorkflow", Some(second), json!({})).await.unwrap();
        assert!(begin(&staff, second).await.is_err());
        assert_eq!(refused(&staff, "activateWorkflow", second, json!({})).await.code.status, 409);
        let broken = json!({"code": "BROKEN", "name": "Broken", "definition": {"initial": "A", "states": {"A": {}}, "transitions": []}});
        let broken = create(&staff, &WORKFLOW, broken).await.unwrap().id;
        let refusal = refused(&staff, "activateWorkflow", broken, json!({})).await;
        assert_eq!((refusal.code.status, refusal.faults[0].rule), (422, "valid"));
    });
}

#[test]
fn an_instance_is_cancelled_with_its_tasks() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = worker(&clinic).await;
        let id = workflow(&staff, "CLAIM_APPEAL", 1).await;
        run(&staff, "activateWorkflow", Some(id), json!({})).await.unwrap();
        let instance = begin(&staff, id).await.unwrap();
        assert_eq!(refused(&staff, "cancelWorkflowInstance", instance, json!({})).await.code.status, 422);
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(refused(&weak, "cancelWorkflowInstance", instance, json!({"reason": "x"})).await.code.status, 403);
        let ended = record(run(&staff, "cancelWorkflowInstance", Some(instance), json!({"reason": "withdrawn"})).await.unwrap());
        assert_eq!(ended.text("status"), Some("CANCELLED"));
        assert!(open_tasks(&clinic, instance).await.is_empty());
    });
}

#[test]
fn a_task_ends_and_is_reopened_and_a_patient_sees_what_is_shown() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, patient) = (worker(&clinic).await, clinic.patient("Tasked").await.unwrap().id);
        let shown =
            create(&staff, &TASK, json!({"title": "Bring your card", "patient_id": patient, "visible_to_patient": true})).await.unwrap().id;
        let hidden = create(&staff, &TASK, json!({"title": "Check the debt", "patient_id": patient})).await.unwrap().id;
        let done = record(run(&staff, "completeTask", Some(hidden), json!({})).await.unwrap());
        assert!(done.text("completed_at").is_some());
        assert_eq!(
            patch(&staff, &TASK, hidden, done.version, json!({"title": "Other"})).await.unwrap_err().code.code,
            "record.append_only"
        );
        assert_eq!(refused(&staff, "startTask", hidden, json!({})).await.code.status, 409);
        let again = record(run(&staff, "reopenTask", Some(hidden), json!({})).await.unwrap());
        assert_eq!((again.text("status"), again.text("completed_at")), (Some("OPEN"), None));
        assert_eq!(refused(&staff, "cancelTask", hidden, json!({})).await.code.status, 422);
        assert_eq!(
            record(run(&staff, "cancelTask", Some(hidden), json!({"reason": "paid"})).await.unwrap()).text("status"),
            Some("CANCELLED")
        );
        let login = world.patient_login(&[(clinic.id, patient)]).await;
        let me = world.caller(Plane::Patient, clinic.id, Some(login), &[Permission::ViewPatient, Permission::ViewTenant]);
        assert!(read(&me, &TASK, shown).await.is_ok());
        assert_eq!(read(&me, &TASK, hidden).await.unwrap_err().code.status, 404);
        assert_eq!(refused(&me, "completeTask", shown, json!({})).await.code.status, 403);
    });
}
