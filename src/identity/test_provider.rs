//! Whether a tenant's identity provider can be reached, before anybody's sign-in depends on it (catalogue 2.12).

use super::identity_provider::IDENTITY_PROVIDER;
use super::oauth;
use super::service::Service;
use super::session_operations::object;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::Field;
use serde_json::json;

static FOUND: &[Field] = &[
    Field::flag("reachable").required().doc("its discovery document and its keys were fetched and name the issuer"),
    Field::text("authorization_endpoint").length(2_000),
    Field::text("token_endpoint").length(2_000),
    Field::text("jwks_uri").length(2_000),
    Field::int("keys").doc("how many it signs with"),
    Field::text("backchannel_logout_uri")
        .length(2_000)
        .doc("ours, to be registered there: the provider tells it that somebody has signed out (OpenID Connect Back-Channel Logout 1.0)"),
];

pub static TEST: Operation = Operation {
    id: "testIdentityProvider",
    method: Method::Post,
    path: "/identity-providers/{id}/test",
    tag: "Identity",
    doc: "Fetch the provider's metadata and keys and show what was found",
    takes: &[],
    gives: Gives::Object("IdentityProviderTest", FOUND),
    planes: &[Plane::Staff],
    permission: Permission::ManageUsers,
    run: Run::Apart(|call| Box::pin(test(call))),
};

async fn test(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&IDENTITY_PROVIDER)?;
    let provider = caller.glance(&context, &IDENTITY_PROVIDER, call.id()?).await?;
    if provider.deleted() {
        return Err(Error::new(&error::NOT_FOUND));
    }
    caller.saw(&context, &provider).await?;
    if provider.text("kind") != Some("OIDC") {
        return Err(Error::new(&error::NOT_SUPPORTED).detail("Only OpenID Connect providers can be tested."));
    }
    let service = Service::of(&caller.kernel)?;
    let metadata = match service.openid.discover(provider.text("issuer").unwrap_or_default()).await {
        Ok(metadata) => metadata,
        Err(refusal) if refusal.code == &error::UNAVAILABLE => return Ok(Answer::Object(object(json!({"reachable": false})))),
        Err(failure) => return Err(failure),
    };
    Ok(Answer::Object(object(json!({
        "reachable": true,
        "authorization_endpoint": metadata.authorization_endpoint().as_str(),
        "token_endpoint": metadata.token_endpoint().map(|url| url.as_str()),
        "jwks_uri": metadata.jwks_uri().as_str(),
        "keys": metadata.jwks().keys().len(),
        "backchannel_logout_uri": oauth::hears_logouts(&caller.kernel, provider.tenant, provider.id),
    }))))
}
