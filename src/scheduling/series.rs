//! The end of a series: what lies ahead is cancelled with one reason (catalogue 6.10).

use super::appointment::APPOINTMENT;
use super::appointment_series::APPOINTMENT_SERIES;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Field, Width, record};
use tokio_postgres::types::Type;

pub static END: Operation = Operation {
    id: "endAppointmentSeries",
    method: Method::Post,
    path: "/appointment-series/{id}/end",
    tag: "Appointments",
    doc: "End a series; its appointments that lie ahead are cancelled with one reason",
    takes: &[Field::text("reason").length(4_000).phi()],
    gives: Gives::Record(&APPOINTMENT_SERIES),
    planes: &[Plane::Staff],
    permission: Permission::EditSchedule,
    run: Run::Inside(|scope, call| Box::pin(end(scope, call))),
};

async fn end(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let answer = transition(scope, call, &APPOINTMENT_SERIES, vec![]).await?;
    let (tenant, series, plane) = (scope.tenant()?, call.id()?, scope.context().plane);
    let reason = call.text("reason").unwrap_or("The series was ended.");
    let sql = format!(
        "update appointments r set status = 'CANCELLED', cancel_reason = $3
          where r.tenant_id = $1 and r.series_id = $2 and r.start_at > now() and r.status in ('PENDING', 'SCHEDULED', 'CONFIRMED')
         returning {}",
        record::columns(&APPOINTMENT, plane, Width::Full)
    );
    for row in scope.rows_once(&sql, &[(&tenant, Type::UUID), (&series, Type::UUID), (&reason, Type::TEXT)]).await? {
        let cancelled = record::decode(&APPOINTMENT, plane, Width::Full, &row, &call.caller.kernel.keys).await?;
        scope.did(Action::Update, &cancelled);
    }
    Ok(answer)
}
