//! The naive twin: a database that does row-level security the usual way. What it does not stop, our tests can see.

use super::arena;
use crate::world::{self, World};
use enamel::kernel::db::Connector;
use tokio::sync::OnceCell;
use tokio_postgres::Client;

pub const A: &str = "00000000-0000-0000-0000-00000000000a";
pub const B: &str = "00000000-0000-0000-0000-00000000000b";

pub struct Naive {
    pub world: &'static World,
}

static READY: OnceCell<()> = OnceCell::const_new();
/// Tenant B's own session, of the same application: what it asked last is a secret.
static NEIGHBOUR: OnceCell<Client> = OnceCell::const_new();

impl Naive {
    pub async fn get(world: &'static World) -> Naive {
        READY
            .get_or_init(|| async {
                world::database(world.cluster(), "naive").await;
                let client = arena::superuser(world, "naive").await;
                client.batch_execute(include_str!("naive.sql")).await.unwrap();
            })
            .await;
        let naive = Naive { world };
        NEIGHBOUR
            .get_or_init(|| async {
                let neighbour = naive.bare().await;
                arena::texts(&neighbour, "select 'secret of B'").await.unwrap();
                neighbour
            })
            .await;
        naive
    }
    pub async fn truth(&self) -> Client {
        arena::superuser(self.world, "naive").await
    }
    /// A connection of the application, set to tenant A as its pool would.
    pub async fn client(&self) -> Client {
        let client = self.bare().await;
        client.batch_execute(&format!("set search_path = app; set app.tenant_id = '{A}'")).await.unwrap();
        client
    }
    pub async fn bare(&self) -> Client {
        Connector { config: self.world.cluster().config("naive_app", "naive", "naive"), tls: None }.connect().await.unwrap()
    }
    /// The statements in one transaction of tenant A, undone: the last answer.
    pub async fn ask(&self, sql: &str) -> Result<Vec<String>, String> {
        let client = self.client().await;
        client.batch_execute("begin").await.unwrap();
        arena::texts(&client, sql).await
    }
}
