//! Where statements that read run: in one round trip of their own, or inside a transaction that has changed something.

use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::db::{Param, Query, Scope};
use crate::kernel::error::Result;
use tokio_postgres::Row;

pub enum Way<'s> {
    Apart,
    Within(&'s mut Scope),
}

impl Way<'_> {
    pub async fn once(&mut self, caller: &Caller, context: &Context, queries: &[(Query, Vec<Param<'_>>)]) -> Result<Vec<Vec<Row>>> {
        match self {
            _ if queries.is_empty() => Ok(Vec::new()),
            Self::Apart => caller.kernel.door.open(context).await?.once(queries).await,
            Self::Within(scope) => scope.gather(queries).await,
        }
    }
}
