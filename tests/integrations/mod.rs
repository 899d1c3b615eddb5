//! Connections, their credentials and exchanges, webhooks: what moves, what is refused, and that no secret is shown.
mod connections;
mod webhooks;
