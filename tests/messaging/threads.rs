//! Threads: what patients see of them, who sent what, and what can be found.

use super::{colleague, portal, refused};
use crate::world;
use crate::world::operations::{create, read, record, run};
use enamel::kernel::Caller;
use enamel::kernel::operation::Answer;
use enamel::messaging::conversation::CONVERSATION;
use enamel::messaging::conversation_participant::CONVERSATION_PARTICIPANT;
use enamel::messaging::message::MESSAGE;
use enamel::messaging::message_attachment::MESSAGE_ATTACHMENT;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn found(caller: &Caller, body: Json) -> Vec<Uuid> {
    match run(caller, "searchMessages", None, body).await.unwrap() {
        Answer::Page(records, _) => records.iter().map(|record| record.id).collect(),
        _ => panic!("no page"),
    }
}

#[test]
fn a_patient_and_the_clinic_write_to_each_other() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, patient) = (colleague(&clinic, "CLINIC_STAFF").await, clinic.patient("Writer").await.unwrap().id);
        let me = portal(&clinic, patient).await;
        let thread = create(&me, &CONVERSATION, json!({"kind": "PATIENT_MESSAGING", "patient_id": patient})).await.unwrap().id;
        assert_eq!(create(&me, &CONVERSATION, json!({"kind": "TEAM_CHAT", "patient_id": patient})).await.unwrap_err().code.status, 403);
        let said = create(&me, &MESSAGE, json!({"conversation_id": thread, "content": "My crown is loose"})).await.unwrap();
        assert_eq!(
            (said.text("sender_type"), said.uuid("sender_user_id"), said.patient),
            (Some("PATIENT"), me.context.actor, Some(patient))
        );
        assert_eq!(said.text("delivery_state"), Some("SENT"));
        let answer =
            create(&staff, &MESSAGE, json!({"conversation_id": thread, "content": "Come at noon", "reply_to_id": said.id})).await.unwrap();
        assert_eq!(answer.text("sender_type"), Some("USER"));
        assert!(read(&staff, &CONVERSATION, thread).await.unwrap().text("last_message_at").is_some());
        let told: i64 = world
            .truth()
            .await
            .query_one("select count(*) from enamel.notifications where user_id = $1 and type = 'MESSAGE_RECEIVED'", &[&me.context.actor])
            .await
            .unwrap()
            .get(0);
        assert_eq!(told, 1);

        // Only a participant reads for the thread; then it is read, once and for all.
        assert_eq!(refused(&staff, "markMessageRead", Some(said.id), json!({})).await.code.status, 403);
        create(&staff, &CONVERSATION_PARTICIPANT, json!({"conversation_id": thread, "user_id": staff.context.actor})).await.unwrap();
        assert_eq!(record(run(&staff, "markMessageRead", Some(said.id), json!({})).await.unwrap()).text("delivery_state"), Some("READ"));
        assert_eq!(
            record(run(&staff, "markMessageRead", Some(answer.id), json!({})).await.unwrap()).text("delivery_state"),
            Some("SENT"),
            "one's own"
        );
        assert_eq!(record(run(&me, "markMessageRead", Some(answer.id), json!({})).await.unwrap()).text("delivery_state"), Some("READ"));

        // Nobody rewrites what was said.
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let changed = scope.rows_once(&format!("update messages set content = 'no' where id = '{}'", said.id), &[]).await;
        assert_eq!(changed.unwrap_err().code.code, "record.append_only");
    });
}

#[test]
fn a_patient_sees_nothing_of_the_team_and_of_others() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = colleague(&clinic, "CLINIC_STAFF").await;
        let (patient, other) = (clinic.patient("One").await.unwrap().id, clinic.patient("Two").await.unwrap().id);
        let (me, them) = (portal(&clinic, patient).await, portal(&clinic, other).await);
        let team = create(&staff, &CONVERSATION, json!({"kind": "TEAM_CHAT", "patient_id": patient})).await.unwrap();
        let whisper = create(&staff, &MESSAGE, json!({"conversation_id": team.id, "content": "zirconia whispers"})).await.unwrap();
        assert_eq!(whisper.patient, None);
        let thread = create(&staff, &CONVERSATION, json!({"kind": "PATIENT_MESSAGING", "patient_id": other})).await.unwrap().id;
        let theirs = create(&staff, &MESSAGE, json!({"conversation_id": thread, "content": "zirconia for Two"})).await.unwrap().id;
        for (table, id) in [(&CONVERSATION, team.id), (&CONVERSATION, thread), (&MESSAGE, whisper.id), (&MESSAGE, theirs)] {
            assert_eq!(read(&me, table, id).await.unwrap_err().code.status, 404);
        }
        assert_eq!(create(&me, &MESSAGE, json!({"conversation_id": thread, "content": "hello"})).await.unwrap_err().code.status, 403);
        assert_eq!(create(&me, &MESSAGE, json!({"conversation_id": team.id, "content": "hello"})).await.unwrap_err().code.status, 403);
        assert_eq!(refused(&me, "markMessageRead", Some(theirs), json!({})).await.code.status, 404);
        let into = create(&staff, &CONVERSATION_PARTICIPANT, json!({"conversation_id": team.id, "patient_id": patient})).await.unwrap_err();
        assert_eq!((into.code.status, into.faults[0].field.as_str()), (422, "patient_id"));
        let both = json!({"conversation_id": team.id, "patient_id": patient, "user_id": clinic.member("CLINICIAN").await});
        assert_eq!(create(&staff, &CONVERSATION_PARTICIPANT, both).await.unwrap_err().code.status, 422);
        // A team's thread never becomes the patient's, not even with SQL.
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let opened = scope.rows_once(&format!("update conversations set kind = 'PATIENT_MESSAGING' where id = '{}'", team.id), &[]).await;
        assert_eq!(opened.unwrap_err().code.code, "record.append_only");
        drop(scope);

        assert_eq!(found(&staff, json!({"q": "zirconia"})).await.len(), 2);
        assert_eq!(found(&staff, json!({"q": "zirconia", "conversation_id": thread})).await, [theirs]);
        assert_eq!(found(&them, json!({"q": "zirconia"})).await, [theirs]);
        assert!(found(&me, json!({"q": "zirconia"})).await.is_empty());
        let stranger = colleague(&world.tenant("SOLO_PRACTICE", None).await, "CLINIC_STAFF").await;
        assert!(found(&stranger, json!({"q": "zirconia"})).await.is_empty());
        assert_eq!(refused(&staff, "searchMessages", None, json!({"q": "z"})).await.code.status, 422);
    });
}

#[test]
fn a_closed_conversation_takes_no_message_until_it_is_reopened() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, patient) = (colleague(&clinic, "CLINIC_STAFF").await, clinic.patient("Closer").await.unwrap().id);
        let me = portal(&clinic, patient).await;
        let thread = create(&staff, &CONVERSATION, json!({"kind": "PATIENT_MESSAGING", "patient_id": patient})).await.unwrap().id;
        assert_eq!(refused(&staff, "archiveConversation", Some(thread), json!({})).await.code.status, 409);
        assert_eq!(refused(&me, "reopenConversation", Some(thread), json!({})).await.code.status, 409);
        run(&staff, "closeConversation", Some(thread), json!({})).await.unwrap();
        let shut = create(&staff, &MESSAGE, json!({"conversation_id": thread, "content": "late"})).await.unwrap_err();
        assert_eq!((shut.code.status, shut.detail.as_deref()), (409, Some("Reopen the conversation first.")));
        assert_eq!(refused(&me, "closeConversation", Some(thread), json!({})).await.code.status, 403);
        let stranger = portal(&clinic, clinic.patient("Stranger").await.unwrap().id).await;
        assert_eq!(refused(&stranger, "reopenConversation", Some(thread), json!({})).await.code.status, 404);
        assert_eq!(record(run(&me, "reopenConversation", Some(thread), json!({})).await.unwrap()).text("status"), Some("OPEN"));
        create(&me, &MESSAGE, json!({"conversation_id": thread, "content": "again"})).await.unwrap();
        run(&staff, "closeConversation", Some(thread), json!({})).await.unwrap();
        run(&staff, "archiveConversation", Some(thread), json!({})).await.unwrap();
        assert_eq!(refused(&staff, "reopenConversation", Some(thread), json!({})).await.code.status, 409);
    });
}

#[test]
fn an_attachment_is_the_senders_and_the_patients() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = colleague(&clinic, "CLINIC_STAFF").await;
        let (patient, other) = (clinic.patient("One").await.unwrap().id, clinic.patient("Two").await.unwrap().id);
        let truth = world.truth().await;
        let file = async |patient: Uuid| {
            let id = Uuid::now_v7();
            truth.execute(
                "insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, storage_key, storage_region, status)
                 values ($1, $2, $3, 'PHOTO', 'a.png', 'image/png', 1, $1::uuid::text || '/none/none/' || $2::uuid::text, 'eu', 'READY')",
                &[&clinic.id, &id, &patient]).await.unwrap();
            id
        };
        let (mine, theirs) = (file(patient).await, file(other).await);
        let thread = create(&staff, &CONVERSATION, json!({"kind": "PATIENT_MESSAGING", "patient_id": patient})).await.unwrap().id;
        let said = create(&staff, &MESSAGE, json!({"conversation_id": thread, "content_type": "FILE"})).await.unwrap().id;
        let wrong = create(&staff, &MESSAGE_ATTACHMENT, json!({"message_id": said, "file_id": theirs})).await.unwrap_err();
        assert_eq!((wrong.code.status, wrong.faults[0].field.as_str()), (422, "file_id"));
        assert_eq!(create(&staff, &MESSAGE_ATTACHMENT, json!({"message_id": said, "file_id": mine})).await.unwrap().patient, Some(patient));
        let second = colleague(&clinic, "CLINIC_STAFF").await;
        let more = file(patient).await;
        assert_eq!(create(&second, &MESSAGE_ATTACHMENT, json!({"message_id": said, "file_id": more})).await.unwrap_err().code.status, 403);
    });
}
