//! The audit tables as rows: statements and their reading, shared by sealer and exporter. All run on the role `sealer`.

use crate::kernel::audit::{Action, ActorType, Anchor, AuditEvent, Digest, Hash, Hex, Metadata, Outcome, Plane, PurposeOfUse, Salt, Seal};
use crate::kernel::db::{Param, Sql};
use crate::kernel::error::{Error, Result};
use crate::sql;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use std::borrow::Cow;
use std::fmt;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, RowStream};
use uuid::Uuid;

/// A place in the order of transactions, spelled as `audit_events.transaction_id` is, so that texts compare as places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub epoch: i32,
    pub transaction: u64,
}

impl Mark {
    pub const START: Mark = Mark { epoch: 1, transaction: 0 };

    pub fn parse(text: &str) -> Result<Mark> {
        let parts = text.split_once('.').and_then(|(epoch, transaction)| Some((epoch.parse().ok()?, transaction.parse().ok()?)));
        let (epoch, transaction) = parts.ok_or_else(|| Error::internal("a transaction id of an unknown form"))?;
        Ok(Mark { epoch, transaction })
    }
    /// The place right behind this transaction.
    pub fn behind(self) -> Mark {
        Mark { transaction: self.transaction.saturating_add(1), ..self }
    }
    pub fn next_epoch(self) -> Mark {
        Mark { epoch: self.epoch + 1, transaction: 0 }
    }
    pub fn from_of(seal: &Seal) -> Mark {
        Mark { epoch: seal.epoch, transaction: seal.from_transaction }
    }
    pub fn to_of(seal: &Seal) -> Mark {
        Mark { epoch: seal.epoch, transaction: seal.to_transaction }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}.{:020}", self.epoch, self.transaction)
    }
}

pub fn hour_of(at: DateTime<Utc>) -> Result<DateTime<Utc>> {
    at.duration_trunc(TimeDelta::hours(1)).map_err(Error::internal)
}

macro_rules! event_columns {
    () => {
        "tenant_id, id, user_id, actor_type, api_client_id, plane, event_type, resource_type, resource_id, patient_id, action,
         outcome, purpose_of_use, occurred_at, request_id, session_id, ip_address, user_agent, break_glass_id, metadata,
         detail_salt, leaf_hash, transaction_id, created_at"
    };
}
macro_rules! seal_columns {
    () => {
        "epoch, batch_no, from_transaction, to_transaction, event_count, root_hash, previous_hash, sealed_at, key_id, signature"
    };
}
macro_rules! digest_columns {
    () => {
        "tenant_id, digest_no, hour_start, event_count, running_count, root_hash, previous_hash"
    };
}

sql! {
    /// $1 from, $2 to (marks): the events of a batch in the order of its tree.
    pub BATCH(TEXT, TEXT) = concat!("select ", event_columns!(), " from audit_events
         where transaction_id >= $1 and transaction_id < $2 order by transaction_id, id");
    /// $1 from, $2 to, $3 how many events before it: the transaction at which a batch is full.
    pub BATCH_FULL_AT(TEXT, TEXT, INT8) = "
        select transaction_id from audit_events where transaction_id >= $1 and transaction_id < $2
         order by transaction_id, id offset $3 limit 1";
    /// $1 from, $2 to.
    pub LAST_TRANSACTION(TEXT, TEXT) = "
        select max(transaction_id) from audit_events where transaction_id >= $1 and transaction_id < $2";
    /// $1 from.
    pub FIRST_TRANSACTION(TEXT) = "select min(transaction_id) from audit_events where transaction_id >= $1";
    /// $1 from, $2 to: whose leaf stands at each place of a batch.
    pub LEAVES(TEXT, TEXT) = "
        select tenant_id, leaf_hash from audit_events
         where transaction_id >= $1 and transaction_id < $2 order by transaction_id, id";
    /// $1 tenant, $2 from, $3 to.
    pub TENANT_LEAVES(UUID, TEXT, TEXT) = "
        select leaf_hash from audit_events
         where tenant_id = $1 and transaction_id >= $2 and transaction_id < $3 order by transaction_id, id";
    /// $1 tenant, $2 transaction and $3 id it comes behind, $4 to, $5 limit.
    pub TENANT_EVENTS(UUID, TEXT, UUID, TEXT, INT8) = concat!("select ", event_columns!(), " from audit_events
         where tenant_id = $1 and (transaction_id, id) > ($2, $3) and transaction_id < $4 order by transaction_id, id limit $5");
    /// $1 tenant, $2 from, $3 to.
    pub TENANT_FIRST(UUID, TEXT, TEXT) = "
        select min(transaction_id) from audit_events where tenant_id = $1 and transaction_id >= $2 and transaction_id < $3";

    pub LAST_SEAL() = concat!("select ", seal_columns!(), " from audit_seals order by epoch desc, batch_no desc limit 1");
    /// $1 epoch, $2 transaction.
    pub SEAL_OF(INT4, TEXT) = concat!("select ", seal_columns!(), " from audit_seals
         where epoch = $1 and from_transaction <= $2 and to_transaction > $2 order by from_transaction desc limit 1");
    /// $1 from, $2 before (times): the seals with events of an hour.
    pub SEALS_BETWEEN(TIMESTAMPTZ, TIMESTAMPTZ) = concat!("select ", seal_columns!(), " from audit_seals
         where sealed_at >= $1 and sealed_at < $2 and event_count > 0 order by epoch, batch_no");
    /// $1 time.
    pub FIRST_SEAL_SINCE(TIMESTAMPTZ) = concat!("select ", seal_columns!(), " from audit_seals
         where sealed_at >= $1 and event_count > 0 order by sealed_at, epoch, batch_no limit 1");
    pub SEAL_ADD(UUID, INT4, INT8, TEXT, TEXT, INT8, BYTEA, BYTEA, TIMESTAMPTZ, TEXT, BYTEA) = concat!("
        insert into audit_seals (id, ", seal_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");

    pub LAST_DIGESTED_HOUR() = "select max(hour_start) from audit_digests";
    pub FIRST_DIGESTED_HOUR() = "select min(hour_start) from audit_digests";
    /// $1 tenants: the newest digest of each that has one.
    pub NEWEST_DIGESTS(UUID_ARRAY) = concat!("select d.* from unnest($1) t(id) cross join lateral (
        select ", digest_columns!(), " from audit_digests where tenant_id = t.id order by digest_no desc limit 1) d");
    /// $1 tenant, $2 from, $3 to.
    pub DIGESTS_OF(UUID, TIMESTAMPTZ, TIMESTAMPTZ) = concat!("select ", digest_columns!(), " from audit_digests
         where tenant_id = $1 and hour_start >= $2 and hour_start < $3 order by digest_no");
    /// $1 tenant, $2 before.
    pub DIGEST_BEFORE(UUID, TIMESTAMPTZ) = concat!("select ", digest_columns!(), " from audit_digests
         where tenant_id = $1 and hour_start < $2 order by digest_no desc limit 1");
    pub DIGEST_ADD(UUID, UUID, INT8, TIMESTAMPTZ, INT8, INT8, BYTEA, BYTEA) = "
        insert into audit_digests (tenant_id, id, digest_no, hour_start, event_count, running_count, root_hash, previous_hash)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// $1 from, $2 to: all tenants' digests of a day.
    pub DIGESTS_OF_DAY(TIMESTAMPTZ, TIMESTAMPTZ) = concat!("select ", digest_columns!(), " from audit_digests
         where hour_start >= $1 and hour_start < $2 order by tenant_id, digest_no");
    /// $1 end of the day: the head of every tenant's chain then, the idle ones' too. Jumps from tenant to tenant along
    /// the key, so it costs what there are tenants and not what there are digests.
    pub HEADS(TIMESTAMPTZ) = concat!("
        with recursive t as (
            (select tenant_id from audit_digests order by tenant_id limit 1)
            union all
            select (select d.tenant_id from audit_digests d where d.tenant_id > t.tenant_id order by d.tenant_id limit 1)
              from t where t.tenant_id is not null)
        select d.* from t cross join lateral (
            select ", digest_columns!(), " from audit_digests a where a.tenant_id = t.tenant_id and a.hour_start < $1
             order by a.digest_no desc limit 1) d
         order by d.tenant_id");

    pub LAST_ANCHOR() = "select max(anchor_date) from audit_anchors";
    /// $1 from, $2 before.
    pub ANCHORS_BETWEEN(DATE, DATE) = "
        select anchor_date, digest_root, heads_root, key_id, signature from audit_anchors
         where anchor_date >= $1 and anchor_date < $2 order by anchor_date";
    pub ANCHOR_ADD(UUID, DATE, BYTEA, BYTEA, TEXT, BYTEA) = "
        insert into audit_anchors (id, anchor_date, digest_root, heads_root, key_id, signature) values ($1, $2, $3, $4, $5, $6)";

    pub HORIZON() = "select pg_is_in_recovery(), sec.audit_horizon()";
    /// $1 export: known to run while this connection lives.
    pub HOLD_EXPORT(UUID) = "select sec.hold_export($1)";
    pub OPEN_EPOCH(INT4) = "select sec.open_audit_epoch($1)";
}

fn typed<'a>(sql: &'static Sql, params: &'a [Param<'a>]) -> Vec<(Param<'a>, Type)> {
    params.iter().copied().zip(sql.types.iter().cloned()).collect()
}

pub async fn rows(client: &Client, sql: &'static Sql, params: &[Param<'_>]) -> Result<Vec<Row>> {
    Ok(client.query_typed(sql.text, &typed(sql, params)).await?)
}

/// For results that do not fit memory: the connection holds back what is not taken yet.
pub async fn stream(client: &Client, sql: &'static Sql, params: &[Param<'_>]) -> Result<RowStream> {
    Ok(client.query_typed_raw(sql.text, typed(sql, params)).await?)
}

fn bytes<const N: usize>(row: &Row, column: &str) -> Result<Hex<N>> {
    let bytes: &[u8] = row.try_get(column)?;
    Hex::try_from(bytes).map_err(Error::internal)
}

fn count(row: &Row, column: &str) -> Result<u64> {
    u64::try_from(row.try_get::<_, i64>(column)?).map_err(Error::internal)
}

pub fn seal(row: &Row) -> Result<Seal> {
    Ok(Seal {
        epoch: row.try_get("epoch")?,
        batch_no: row.try_get("batch_no")?,
        from_transaction: Mark::parse(row.try_get("from_transaction")?)?.transaction,
        to_transaction: Mark::parse(row.try_get("to_transaction")?)?.transaction,
        event_count: count(row, "event_count")?,
        root_hash: bytes(row, "root_hash")?,
        previous_hash: bytes(row, "previous_hash")?,
        sealed_at: row.try_get("sealed_at")?,
        key_id: row.try_get("key_id")?,
        signature: bytes(row, "signature")?,
    })
}

pub fn digest(row: &Row) -> Result<Digest> {
    Ok(Digest {
        tenant_id: row.try_get("tenant_id")?,
        digest_no: row.try_get("digest_no")?,
        hour_start: row.try_get("hour_start")?,
        event_count: count(row, "event_count")?,
        running_count: count(row, "running_count")?,
        root_hash: bytes(row, "root_hash")?,
        previous_hash: bytes(row, "previous_hash")?,
    })
}

pub fn anchor(row: &Row) -> Result<Anchor> {
    Ok(Anchor {
        anchor_date: row.try_get("anchor_date")?,
        digest_root: bytes(row, "digest_root")?,
        heads_root: bytes(row, "heads_root")?,
        key_id: row.try_get("key_id")?,
        signature: bytes(row, "signature")?,
    })
}

pub fn leaf(row: &Row) -> Result<Hash> {
    bytes(row, "leaf_hash")
}

/// An event as stored: with its salt (none when its details were erased) and the leaf it claims.
pub struct Stored {
    pub event: AuditEvent,
    pub salt: Option<Salt>,
    pub leaf: Hash,
    pub mark: Mark,
    pub created_at: DateTime<Utc>,
}

fn word<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(row.try_get(column)?).ok_or_else(|| Error::internal(format!("audit_events.{column} holds a word audit never writes")))
}

pub fn stored(row: &Row) -> Result<Stored> {
    let salt: Option<&[u8]> = row.try_get("detail_salt")?;
    let purpose: Option<&str> = row.try_get("purpose_of_use")?;
    let event = AuditEvent {
        id: row.try_get("id")?,
        tenant_id: row.try_get("tenant_id")?,
        user_id: row.try_get("user_id")?,
        actor_type: word(row, "actor_type", ActorType::parse)?,
        api_client_id: row.try_get("api_client_id")?,
        plane: word(row, "plane", Plane::parse)?,
        event_type: Cow::Owned(row.try_get("event_type")?),
        resource_type: row.try_get::<_, Option<String>>("resource_type")?.map(Cow::Owned),
        resource_id: row.try_get("resource_id")?,
        patient_id: row.try_get("patient_id")?,
        action: word(row, "action", Action::parse)?,
        outcome: word(row, "outcome", Outcome::parse)?,
        purpose_of_use: purpose.map(|_| word(row, "purpose_of_use", PurposeOfUse::parse)).transpose()?,
        occurred_at: row.try_get("occurred_at")?,
        request_id: row.try_get("request_id")?,
        session_id: row.try_get("session_id")?,
        ip_address: row.try_get("ip_address")?,
        user_agent: row.try_get("user_agent")?,
        break_glass_id: row.try_get("break_glass_id")?,
        metadata: Metadata::from_json(&row.try_get("metadata")?)?,
    };
    let salt = salt.map(|salt| Salt::try_from(salt).map_err(Error::internal)).transpose()?;
    let mark = Mark::parse(row.try_get("transaction_id")?)?;
    Ok(Stored { event, salt, leaf: leaf(row)?, mark, created_at: row.try_get("created_at")? })
}

impl Stored {
    /// The columns still say what was hashed when the event was made.
    pub fn is_whole(&self) -> bool {
        self.event.leaf(self.salt.as_ref()).is_ok_and(|leaf| leaf == self.leaf)
    }
}

pub fn tenant(row: &Row) -> Result<Uuid> {
    Ok(row.try_get("tenant_id")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_compare_as_their_texts() {
        let marks = [Mark::START, Mark { epoch: 1, transaction: 99 }, Mark { epoch: 1, transaction: 100 }, Mark::START.next_epoch()];
        assert!(marks.windows(2).all(|pair| pair[0] < pair[1] && pair[0].to_string() < pair[1].to_string()));
        assert_eq!(Mark::parse("0001.00000000000000000100").unwrap(), marks[2]);
        assert!(Mark::parse("1,5").is_err());
    }
}
