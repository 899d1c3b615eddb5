//! Whose an e-mail domain is. A tenant proves one by a TXT record with words that only this installation can say of that tenant
//! and domain; until then its identity provider takes in nobody by it, and no two tenants have the same one.

use super::grant;
use super::identity_provider::IDENTITY_PROVIDER;
use super::service::Service;
use super::session_operations::object;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::config::Config;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::Field;
use crate::sql;
use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use hmac::Mac;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// Nobody waits longer for somebody else's name server.
const PATIENCE: Duration = Duration::from_secs(5);
const LABEL: &str = "_enamel";
const RECORDS_MAX: usize = 50;

sql! {
    /// $1 provider, $2 domain. Whether it is the tenant's own now.
    PROVE(UUID, TEXT) = "select sec.prove_domain($1, $2)";
}

/// The TXT records of a name; none where there is no such name.
#[async_trait]
pub trait TxtRecords: Send + Sync {
    async fn of(&self, name: &str) -> Result<Vec<String>>;
}

/// Asks the system's name servers; nobody where it names none.
struct Dns(Option<TokioResolver>);

#[async_trait]
impl TxtRecords for Dns {
    async fn of(&self, name: &str) -> Result<Vec<String>> {
        let unreachable = || Error::unavailable("The name server does not answer.");
        let resolver = self.0.as_ref().ok_or_else(unreachable)?;
        let asked = tokio::time::timeout(PATIENCE, resolver.txt_lookup(format!("{name}."))).await.map_err(|_| unreachable())?;
        let found = match asked {
            Ok(found) => found,
            Err(refusal) if refusal.is_nx_domain() || refusal.is_no_records_found() => return Ok(Vec::new()),
            Err(failure) => return Err(unreachable().because(failure)),
        };
        let texts = found.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(texts.take(RECORDS_MAX).collect())
    }
}

/// A file with a name and its text a line, for installations without name servers of their own.
struct Listed(PathBuf);

#[async_trait]
impl TxtRecords for Listed {
    async fn of(&self, name: &str) -> Result<Vec<String>> {
        let lines = tokio::fs::read_to_string(&self.0).await.map_err(Error::internal)?;
        let pairs = lines.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs.filter(|(known, _)| *known == name).map(|(_, text)| text.trim().to_owned()).collect())
    }
}

pub fn records(config: &Config) -> Box<dyn TxtRecords> {
    match &config.identity.txt_records_file {
        Some(path) => Box::new(Listed(path.clone())),
        None => Box::new(Dns(TokioResolver::builder_tokio().and_then(|builder| builder.build()).ok())),
    }
}

static PROVEN: &[Field] = &[
    Field::text("domain").required(),
    Field::flag("proven").required().doc("the record was found; the provider answers for the domain from now on"),
    Field::text("record_name").required().doc("where the TXT record is to stand"),
    Field::text("record_value").required().doc("what it is to say"),
];

pub static PROVE_DOMAIN: Operation = Operation {
    id: "proveProviderDomain",
    method: Method::Post,
    path: "/identity-providers/{id}/prove-domain",
    tag: "Identity",
    doc: "Look up the TXT record that proves an e-mail domain to be the tenant's, and say what it has to be",
    takes: &[Field::text("domain").example(r#""clinic.example""#).required().length(253)],
    gives: Gives::Object("ProvenDomain", PROVEN),
    planes: &[Plane::Staff],
    permission: Permission::ManageUsers,
    run: Run::Apart(|call| Box::pin(prove(call))),
};

async fn prove(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    caller.needs_throughout(Permission::ManageUsers)?;
    let domain = call.text("domain").unwrap_or_default().to_lowercase();
    if !is_domain(&domain) {
        return Err(Error::new(&error::INVALID).fault("domain", "format", "This is no domain of e-mail addresses."));
    }
    let context = caller.reading(&IDENTITY_PROVIDER)?;
    let provider = caller.glance(&context, &IDENTITY_PROVIDER, id).await?;
    if provider.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let (service, tenant) = (Service::of(&caller.kernel)?, caller.tenant()?);
    let (name, value) = (record_name(&domain), challenge(service, tenant, &domain));
    let found = service.records.of(&name).await?.contains(&value);
    let proven = found && keep(&call, tenant, id, &domain).await?;
    if found && !proven {
        return Err(Error::new(&error::CONFLICT).detail("Another tenant has proved this domain."));
    }
    Ok(Answer::Object(object(json!({"domain": domain, "proven": proven, "record_name": name, "record_value": value}))))
}

async fn keep(call: &Call, tenant: Uuid, provider: Uuid, domain: &str) -> Result<bool> {
    let mut scope = call.caller.kernel.door.open(&grant::behind(&call.caller.context, Some(tenant))).await?;
    let proven: bool = scope.one(&PROVE, &[&provider, &domain]).await?.try_get(0)?;
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Update, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("IdentityProvider".into()), Some(provider));
    event.metadata = Metadata::new().text("operation", "prove-domain");
    scope.audit(event);
    scope.commit().await?;
    Ok(proven)
}

/// Where the TXT record of a domain stands.
pub(super) fn record_name(domain: &str) -> String {
    format!("{LABEL}.{domain}")
}

/// What it says.
pub(super) fn challenge(service: &Service, tenant: Uuid, domain: &str) -> String {
    let mac = service.domains.clone().chain_update(tenant.as_bytes()).chain_update(domain.as_bytes());
    format!("enamel-domain={}", hex(&mac.finalize().into_bytes()[..16]))
}

/// A name of labels as mail has them, in ASCII.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.contains('.') && text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_labels_and_dots() {
        for good in ["clinic.example", "a-b.c1.example", "xn--zhne-moa.example"] {
            assert!(is_domain(good), "{good}");
        }
        for odd in [
            "",
            "example",
            ".example",
            "a..b",
            "-a.example",
            "a-.example",
            "a b.example",
            "zähne.example",
            "a.example.",
            &format!("{}.example", "a".repeat(64)),
        ] {
            assert!(!is_domain(odd), "{odd}");
        }
    }
}
