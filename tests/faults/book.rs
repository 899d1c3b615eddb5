//! What clients were told against what PostgreSQL holds, seen by a superuser.

use super::load::Told;
use std::collections::{HashMap, HashSet};
use tokio_postgres::Client;
use uuid::Uuid;

/// Every row of one tenant that matters here.
pub struct Book {
    /// Id to last name and version.
    patients: HashMap<Uuid, (String, i64)>,
    /// Patient, version and request of each entry of the change log, with the middle name it left.
    log: Vec<(Uuid, i64, Uuid, Option<String>)>,
    /// Patient and version of each announced event.
    outbox: Vec<(Uuid, i64)>,
    /// Request, action and record of each audit event.
    audit: Vec<(Uuid, String, Option<Uuid>)>,
    /// Idempotency keys and whether their answer is kept.
    keys: HashMap<String, bool>,
}

impl Book {
    pub async fn of(truth: &Client, tenant: Uuid) -> Book {
        let patients = truth.query("select id, last_name, version from enamel.patients where tenant_id = $1", &[&tenant]).await.unwrap();
        let log = truth
            .query(
                "select record_id, record_version, request_id, new_values ->> 'middle_name' from enamel.change_log
              where tenant_id = $1 and table_name = 'patients'",
                &[&tenant],
            )
            .await
            .unwrap();
        let outbox = truth.query(
            "select resource_id, (payload ->> 'version')::bigint from enamel.outbox_events where tenant_id = $1 and resource_type = 'patients'",
            &[&tenant]).await.unwrap();
        let audit = truth
            .query(
                "select request_id, action, resource_id from enamel.audit_events where tenant_id = $1 and outcome = 'SUCCESS'",
                &[&tenant],
            )
            .await
            .unwrap();
        let keys = truth
            .query(
                "select idempotency_key, state = 'DONE' and response_enc is not null from enamel.idempotency_keys where tenant_id = $1",
                &[&tenant],
            )
            .await
            .unwrap();
        Book {
            patients: patients.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect(),
            log: log.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect(),
            outbox: outbox.iter().map(|row| (row.get(0), row.get(1))).collect(),
            audit: audit.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect(),
            keys: keys.iter().map(|row| (row.get(0), row.get(1))).collect(),
        }
    }

    pub fn holds(&self, told: &Told) {
        self.every_version_whole();
        self.every_key_once(told);
        self.every_change(told);
        self.every_read(told);
    }

    /// Business row, change log, outbox and audit came together or not at all, acknowledged or not.
    fn every_version_whole(&self) {
        let mut log = HashSet::new();
        for (id, version, request, _) in &self.log {
            assert!(log.insert((*id, *version)), "version {version} of {id} was made twice");
            let action = if *version == 1 { "CREATE" } else { "UPDATE" };
            let audited = self.audit.iter().filter(|(of, did, what)| of == request && did == action && *what == Some(*id)).count();
            assert_eq!(audited, 1, "version {version} of {id} has {audited} audit events");
        }
        let outbox: HashSet<(Uuid, i64)> = self.outbox.iter().copied().collect();
        assert_eq!(outbox.len(), self.outbox.len(), "an event was announced twice");
        let rows: HashSet<(Uuid, i64)> =
            self.patients.iter().flat_map(|(id, (_, last))| (1..=*last).map(|version| (*id, version))).collect();
        assert_eq!(rows, log, "rows and change log differ");
        assert_eq!(rows, outbox, "rows and outbox differ");
        let changes = self.audit.iter().filter(|(_, did, _)| did == "CREATE" || did == "UPDATE").count();
        assert_eq!(changes, rows.len(), "rows and audited changes differ");
    }

    fn every_key_once(&self, told: &Told) {
        let mut names: HashMap<&str, Uuid> = HashMap::new();
        for (id, (name, _)) in &self.patients {
            assert!(names.insert(name, *id).is_none(), "{name} is there twice");
        }
        for made in &told.made {
            assert_eq!(names.get(made.last_name.as_str()), Some(&made.id), "an acknowledged create is gone");
            assert_eq!(self.keys.get(&made.key), Some(&true), "an acknowledged key is gone");
            if let Some(request) = made.request {
                assert!(self.audited(request, "CREATE", made.id), "an acknowledged create is not audited");
            }
        }
        assert!(told.open_keys.is_empty(), "{} keys were never answered", told.open_keys.len());
        assert_eq!(self.patients.len(), told.made.len(), "there are patients nobody was told of");
        assert_eq!(self.keys.len(), told.made.len(), "there are keys nobody sent");
    }

    fn every_change(&self, told: &Told) {
        for changed in &told.changed {
            let found = self.log.iter().find(|(id, version, ..)| *id == changed.id && *version == changed.version);
            let (_, _, request, middle_name) = found.unwrap_or_else(|| panic!("an acknowledged change of {} is gone", changed.id));
            assert_eq!((request, middle_name.as_ref()), (&changed.request, Some(&changed.middle_name)));
            assert!(self.audited(changed.request, "UPDATE", changed.id), "an acknowledged change is not audited");
        }
    }

    fn every_read(&self, told: &Told) {
        let audited: HashSet<(Uuid, &str, Option<Uuid>)> =
            self.audit.iter().map(|(request, did, what)| (*request, did.as_str(), *what)).collect();
        for (request, id) in &told.read {
            assert!(audited.contains(&(*request, "READ", Some(*id))), "an answered read of {id} is not audited");
        }
        for request in &told.listed {
            assert!(audited.contains(&(*request, "SEARCH", None)), "an answered list is not audited");
        }
    }

    fn audited(&self, request: Uuid, action: &str, record: Uuid) -> bool {
        self.audit.iter().any(|(of, did, what)| *of == request && did == action && *what == Some(record))
    }
}
