//! Identity: who people and programs are, how they prove it, what they may. Catalogue §2.
mod accept_invitation;
mod admit_app;
mod admit_program;
pub mod api_client;
pub mod app_vendor;
mod breached;
mod browser;
mod client_operations;
mod consent_words;
mod copy_role;
pub mod delivery;
mod device;
pub mod domain_checks;
pub mod domains;
mod factors;
mod federation;
mod grant;
pub mod hashing;
pub mod identity_provider;
mod launch_operations;
pub mod letter;
mod letter_operations;
mod letter_pages;
mod letters;
pub mod mail;
mod mapped_roles;
pub mod member_invitation;
pub mod oauth;
pub mod oauth_authorization;
pub mod oidc;
mod oidc_logout;
mod oidc_provider;
mod opening;
pub mod outbound;
pub mod pages;
mod passkey;
pub mod password;
pub mod password_hash;
pub mod permission;
pub mod pkce;
mod place_choice;
mod projections;
mod resolve;
mod revoke_grant;
pub mod role;
pub mod role_permission;
pub mod scim;
pub mod scope;
mod second_factor;
mod second_step;
mod security_pages;
pub mod service;
pub mod session;
mod session_operations;
mod sign_in;
pub mod sign_in_pages;
mod signing_key;
pub mod step_up;
mod test_provider;
pub mod throttle;
pub mod token;
pub mod user;
pub mod user_auth_identity;
pub mod user_mfa_factor;
mod user_operations;
pub mod user_role;
pub mod user_tenant;
pub mod vendor_app;
mod vendor_operations;
mod words;

use crate::kernel::operation::Operation;
use crate::kernel::table::{Projection, Table};
pub use resolve::{Shown, holder, resolve};

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &user::USER,
    &user_auth_identity::USER_AUTH_IDENTITY,
    &user_mfa_factor::USER_MFA_FACTOR,
    &identity_provider::IDENTITY_PROVIDER,
    &user_tenant::USER_TENANT,
    &member_invitation::MEMBER_INVITATION,
    &letter::LETTER,
    &role::ROLE,
    &permission::PERMISSION,
    &role_permission::ROLE_PERMISSION,
    &user_role::USER_ROLE,
    &session::SESSION,
    &app_vendor::APP_VENDOR,
    &vendor_app::VENDOR_APP,
    &api_client::API_CLIENT,
    &oauth_authorization::OAUTH_AUTHORIZATION,
];

pub static OPERATIONS: &[&Operation] = &[
    &session_operations::SIGN_IN,
    &session_operations::PASSKEY_OPTIONS,
    &session_operations::SIGN_IN_WITH_PASSKEY,
    &session_operations::STEP_UP,
    &session_operations::REFRESH,
    &session_operations::SWITCH_TENANT,
    &session_operations::SIGN_OUT,
    &session_operations::REVOKE,
    &session_operations::ME,
    &user_operations::DISABLE,
    &user_operations::ENABLE,
    &user_operations::UNLOCK,
    &user_operations::CHANGE_PASSWORD,
    &letter_operations::REQUEST_RESET,
    &letter_operations::RESET,
    &letter_operations::REQUEST_VERIFICATION,
    &letter_operations::VERIFY,
    &letter_operations::SEND_INVITATION,
    &user_operations::REMOVE_MEMBER,
    &user_operations::RESTORE_MEMBER,
    &user_operations::REVOKE_ROLE,
    &second_factor::ENROL,
    &second_factor::CONFIRM,
    &second_factor::PASSKEY_OPTIONS,
    &second_factor::ADD_PASSKEY,
    &second_factor::REVOKE,
    &accept_invitation::ACCEPT,
    &admit_program::ADMIT_PROGRAM,
    &revoke_grant::REVOKE_GRANT,
    &test_provider::TEST,
    &domains::PROVE_DOMAIN,
    &scim::ROTATE,
    &client_operations::REGISTER,
    &client_operations::ROTATE,
    &client_operations::SET_SCOPES,
    &client_operations::DISABLE,
    &client_operations::ENABLE,
    &client_operations::SET_KEYS,
    &vendor_operations::APPROVE,
    &vendor_operations::SET_KEYS,
    &vendor_operations::SUSPEND,
    &vendor_operations::REINSTATE,
    &vendor_operations::SUSPEND_APP,
    &vendor_operations::REINSTATE_APP,
    &admit_app::ADMIT_APP,
    &launch_operations::LAUNCH,
    &signing_key::ROTATE,
    &copy_role::COPY_ROLE,
];

/// Records of this room in the words of the requirement texts.
pub static PROJECTIONS: &[&Projection] = &[&projections::NETWORK_USER, &projections::CENTRE_USER, &projections::SCHEDULING_USER];
