//! AWS KMS wraps the data keys: the key that wraps never leaves it. Tenant and purpose are the encryption context, so its own
//! log (CloudTrail) says whose keys were opened.

use super::DataKey;
use super::provider::{KeyProvider, Of, data_key};
use crate::kernel::config::KmsConfig;
use crate::kernel::error::{Error, Result};
use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::time::Duration;
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPTS_MAX: u32 = 3;
const NAMED: &str = "kms:";

pub struct Kms {
    client: Client,
    /// Behind `kms:`.
    name: String,
}

impl Kms {
    /// Nothing when no key is named.
    pub fn configured(config: &KmsConfig) -> Result<Option<Kms>> {
        let Some(key) = &config.key else { return Ok(None) };
        let (Some(access), Some(secret)) = (&config.access_key, &config.secret_key) else {
            return Err(Error::internal("secrets.kms.access_key and secrets.kms.secret_key are needed with secrets.kms.key"));
        };
        let timeouts = TimeoutConfig::builder().connect_timeout(PATIENCE).operation_attempt_timeout(PATIENCE);
        let mut builder = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region.clone()))
            .credentials_provider(Credentials::new(access, secret.expose_secret(), None, None, "enamel"))
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Ok(Some(Kms { client: Client::from_conf(builder.build()), name: format!("{NAMED}{key}") }))
    }
}

fn context(of: Of<'_>) -> HashMap<String, String> {
    [("enamel:tenant".to_owned(), of.tenant.to_string()), ("enamel:purpose".to_owned(), of.purpose.to_owned())].into()
}

fn key_of(name: &str) -> &str {
    name.strip_prefix(NAMED).unwrap_or(name)
}

#[async_trait]
impl KeyProvider for Kms {
    fn name(&self) -> &str {
        &self.name
    }

    async fn wrap(&self, of: Of<'_>, key: &DataKey) -> Result<Vec<u8>> {
        let asked = self.client.encrypt().key_id(key_of(&self.name)).plaintext(Blob::new(key.as_slice()));
        let answer = asked.set_encryption_context(Some(context(of))).send().await.map_err(failed)?;
        Ok(answer.ciphertext_blob.ok_or_else(|| Error::internal("the key service wrapped nothing"))?.into_inner())
    }

    async fn unwrap(&self, of: Of<'_>, by: &str, wrapped: &[u8]) -> Result<DataKey> {
        let asked = self.client.decrypt().key_id(key_of(by)).ciphertext_blob(Blob::new(wrapped));
        let answer = asked.set_encryption_context(Some(context(of))).send().await.map_err(failed)?;
        let plain = answer.plaintext.ok_or_else(|| Error::internal("the key service opened nothing"))?;
        data_key(Zeroizing::new(plain.into_inner()))
    }
}

/// What the service says names keys and reasons, never what was sent.
fn failed<E: std::error::Error + Send + Sync + 'static>(failure: aws_sdk_kms::error::SdkError<E, Answer>) -> Error {
    Error::unavailable(format!("the key service: {}", DisplayErrorContext(&failure)))
}

type Answer = aws_sdk_kms::config::http::HttpResponse;
