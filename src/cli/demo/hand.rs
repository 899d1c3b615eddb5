//! Somebody of the demo world at work: what they do goes through the same records, operations, policies and audit as a
//! request of theirs would.

use super::id_of;
use crate::cli::{Outcome, line};
use crate::kernel::context::{Caps, Context, PLATFORM_TENANT, Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::operation::{Answer, Call, Run, checked};
use crate::kernel::table::{Draft, Record, Table, store};
use crate::kernel::{Caller, Kernel};
use crate::server::domains;
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use tokio_postgres::types::Type;
use uuid::Uuid;

pub struct Hand {
    pub caller: Caller,
    scope: Option<Scope>,
}

impl Hand {
    /// A login of the demo world with the permissions of its role, in that clinic.
    pub async fn of(kernel: &Arc<Kernel>, tenant: Uuid, email: &str, role: &str) -> Outcome<Hand> {
        let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(PLATFORM_TENANT))).await?;
        let rows = scope
            .rows_once(
                "select p.code from role_permissions x join permissions p on p.id = x.permission_id
                   join roles r on r.tenant_id = x.tenant_id and r.id = x.role_id where r.tenant_id = $1 and r.code = $2",
                &[(&PLATFORM_TENANT, Type::UUID), (&role, Type::TEXT)],
            )
            .await?;
        scope.commit().await?;
        let mut caps = Vec::with_capacity(rows.len());
        for row in &rows {
            let word: String = row.try_get(0)?;
            caps.extend(Permission::ALL.iter().copied().find(|permission| permission.word() == word));
        }
        let plane = if role == "PATIENT" { Plane::Patient } else { Plane::Staff };
        Ok(Hand::with(kernel, plane, tenant, Some(id_of(email)), Caps::of(&caps)))
    }

    /// The operator of the platform, who has no login in the demo world.
    pub fn platform(kernel: &Arc<Kernel>, tenant: Uuid) -> Hand {
        Hand::with(kernel, Plane::Platform, tenant, None, Caps::of(Permission::ALL))
    }

    fn with(kernel: &Arc<Kernel>, plane: Plane, tenant: Uuid, actor: Option<Uuid>, caps: Caps) -> Hand {
        let mut context = Context::system(plane, Some(tenant));
        context.actor = actor;
        context.caps = caps;
        let caller = Caller { kernel: kernel.clone(), context, reads_subtree: false, scopes: Arc::from([]) };
        Hand { caller, scope: None }
    }

    /// The server itself in this person's clinic, for what comes from outside: a payer's advice, an AI's findings.
    pub fn server(&self) -> Outcome<Hand> {
        let mut caller = self.caller.clone();
        caller.context = self.caller.server(self.caller.tenant()?);
        Ok(Hand { caller, scope: None })
    }

    pub fn actor(&self) -> Option<Uuid> {
        self.caller.context.actor
    }

    pub async fn scope(&mut self) -> Outcome<&mut Scope> {
        if self.scope.is_none() {
            self.scope = Some(self.caller.kernel.door.open(&self.caller.context).await?);
        }
        self.scope.as_mut().ok_or_else(|| line("a scope was lost"))
    }

    /// What was done so far is kept.
    pub async fn done(&mut self) -> Outcome {
        match self.scope.take() {
            Some(scope) => Ok(scope.commit().await?),
            None => Ok(()),
        }
    }

    pub async fn make(&mut self, table: &'static Table, body: Json) -> Outcome<Record> {
        self.caller.needs(table.write)?;
        let draft = Draft::create(table, body.as_object().ok_or_else(|| line("a demo record is an object"))?)?;
        let kernel = self.caller.kernel.clone();
        let made = store::insert(self.scope().await?, table, &draft, &kernel.keys).await;
        made.map_err(|refusal| line(format!("the demo world's {}: {refusal}", table.name)))
    }

    pub async fn act(&mut self, name: &str, id: Option<Uuid>, body: Json) -> Outcome<Answer> {
        let operation = domains::operations().find(|operation| operation.id == name);
        let operation = operation.ok_or_else(|| line(format!("there is no operation {name}")))?;
        self.caller.on(operation.planes)?;
        self.caller.needs(operation.permission)?;
        let body: Map<String, Json> = body.as_object().cloned().unwrap_or_default();
        let call = Call { operation, caller: self.caller.clone(), id, input: checked(operation, &body)?, body, version: None };
        let answer = match operation.run {
            Run::Inside(run) => run(self.scope().await?, &call).await,
            Run::Apart(run) => {
                self.done().await?;
                run(call).await
            }
        };
        answer.map_err(|refusal| line(format!("the demo world's {name}: {refusal}")))
    }

    pub async fn record(&mut self, name: &str, id: Option<Uuid>, body: Json) -> Outcome<Record> {
        match self.act(name, id, body).await? {
            Answer::Record(record) => Ok(record),
            _ => Err(line(format!("{name} gives no record"))),
        }
    }

    /// The id in the first row.
    pub async fn find(&mut self, sql: &str, id: Uuid) -> Outcome<Uuid> {
        let rows = self.scope().await?.rows_once(sql, &[(&id, Type::UUID)]).await?;
        Ok(rows.first().ok_or_else(|| line("the demo world misses a row"))?.try_get(0)?)
    }
}
